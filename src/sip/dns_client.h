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
  // Nobody is told. Legal inside Done.
  ~DnsClient();
  DnsClient(const DnsClient&) = delete;
  DnsClient& operator=(const DnsClient&) = delete;

  // For the questions from now on.
  void use(std::vector<NameServer>);
  // name: as host_name() makes it. done follows once, never inside this call, unless cancel() comes before. An error code of
  // one name server is answered only when the others had theirs too; octets over UDP that are too many are asked for over TCP.
  // How long it takes is for the caller to limit. Call SuDriver::kick() after it outside sofia's callbacks.
  uint64_t ask(const std::string& name, DnsType, Done done);
  void cancel(uint64_t question);

  size_t open() const;

  class State;

 private:
  std::shared_ptr<State> state_;  // callbacks hold it too while they run
};

}  // namespace pua
