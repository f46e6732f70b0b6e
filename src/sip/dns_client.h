// DnsClient: questions to the name servers by c-ares, on sofia's reactor. One question, one answer; nothing is remembered.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sip/dns_files.h"
#include "sip/dns_message.h"

namespace pua {

class SuDriver;

struct DnsLimits {
  int try_ms = 1000;      // until a name server is thought not to answer; doubled for the second round
  int rounds = 2;         // that each name server is asked in
  size_t max_open = 256;  // questions that are out, each with a socket of its own (RFC 5452); the others wait
};

class DnsClient {
 public:
  using Done = std::function<void(const DnsAnswer&)>;
  explicit DnsClient(SuDriver&, DnsLimits = {});
  // Ends all questions; nobody is told. Legal inside Done.
  ~DnsClient();
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  // The name servers of the questions from now on.
  void use(std::vector<NameServer>);
  // name: as host_name() makes it. done follows once, never inside this call, unless cancel() comes before. An error code of
  // one name server is handed on only when the others were asked, too; an answer that is too long for UDP is asked for again
  // over TCP. The caller limits how long it takes. Call SuDriver::kick() after it outside sofia's callbacks.
  uint64_t ask(const std::string& name, DnsType, Done done);
  void cancel(uint64_t question);

  size_t open() const;

  class State;

 private:
  std::shared_ptr<State> state_;  // callbacks hold it too while they run
};

}  // namespace pua
