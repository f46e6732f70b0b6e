// Lookup: the questions about one name, from NAPTR to addresses (RFC 3263 section 4), and what they come to.
//
//   port named       Addresses
//   transport named  Services (SRV of that transport) -> Addresses
//   else             Transports (NAPTR) -> Services -> Addresses
//
// Where a step gives nothing the next one starts from the name itself. A step that is not answered in time gives nothing.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/time.h"
#include "sip/dns_message.h"
#include "sip/locate_order.h"
#include "sip/locate_place.h"
#include "sip/su_timer.h"

namespace pua {

class DnsClient;
class DnsFiles;

struct Findings {
  enum class State : uint8_t {
    Found,
    Nothing,     // the name servers say so
    Unanswered,  // they did not say all that was needed
  };
  State state = State::Nothing;
  bool heard = false;                 // something was answered, be it an error
  int64_t ttl_ms = 0;                 // how long it holds
  std::vector<Candidate> candidates;  // by rank
  std::string why;                    // not Found: a sentence
};

class Lookup {
 public:
  struct Tools {
    SuDriver& driver;
    DnsClient& dns;
    const DnsFiles& files;
    const Reach& reach;
    const std::function<MonoMs()>& now;
  };
  static constexpr int64_t kStepMs = 2500;        // for the answers of a step
  static constexpr int64_t kOtherFamilyMs = 300;  // for more addresses, when each server has one (as RFC 8305 section 3)
  static constexpr size_t kMostServers = 16;      // of SRV records
  static constexpr int64_t kShortestTtl = 1000, kLongestTtl = 3600000;
  static constexpr int64_t kDoubtfulTtl = 30000;  // where not all questions were answered
  static constexpr int64_t kHostsTtl = 60000;     // of what stands in /etc/hosts
  static constexpr int64_t kNothingTtl = 10000, kUnansweredTtl = 5000;

  // place: a name. done is called once, never inside start(), and may destroy the lookup. until: the lookup ends by then.
  Lookup(Tools, Place, MonoMs until, std::function<void()> done);
  ~Lookup();  // done is not called any more
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  // true: everything was at hand, and done will not be called.
  bool start();
  // When it has ended.
  Findings& findings() { return findings_; }

 private:
  enum class Step : uint8_t { Transports, Services, Addresses, Ended };
  struct Service {
    Transport transport;
    std::string name;       // "_sip._udp.example.com"
    bool declined = false;  // its record says that there is none
    std::vector<DnsSrv> records;
  };
  struct Host {
    std::vector<DnsAddress> addresses;
    unsigned open = 0;  // questions
  };

  void enter(Step, int64_t ms);
  void ask(const std::string& name, DnsType, void (Lookup::*then)(const std::string& name, DnsType, const DnsAnswer&));
  void note(const std::string& name, DnsType, const DnsAnswer&);
  void note(const std::string& name, DnsType, const std::string& what);
  void on_naptr(const std::string&, DnsType, const DnsAnswer&);
  void on_srv(const std::string& name, DnsType, const DnsAnswer&);
  void on_address(const std::string& name, DnsType, const DnsAnswer&);
  static void on_timer(void* self);
  void choose_transports(const std::vector<DnsNaptr>&);
  void ask_for_services(std::vector<Service>);
  std::vector<Service> our_services() const;
  void services_known();
  void add_candidate(uint32_t rank, uint16_t weight, uint16_t port, Transport, const std::string& host);
  void ask_for_addresses();
  void look_up_host(const std::string& name, Host&);
  void finish();

  Tools tools_;
  Place place_;
  MonoMs until_;
  std::function<void()> done_;
  SuTimer timer_;
  Step step_ = Step::Transports;
  bool starting_ = false;
  bool asked_ours_ = false;    // the services that we know were asked for, whatever NAPTR records say
  bool doubtful_ = false;      // a question was not answered
  bool hurrying_ = false;      // each server has an address: no long waiting for the others
  bool other_family_ = false;  // a host exists, and has no address of the one family that we reach
  struct Question {
    uint64_t id;
    std::string name;
    DnsType type;
  };
  std::vector<Question> open_;
  std::vector<Service> services_;
  struct Wanted {
    uint32_t rank;
    uint16_t weight, port;
    Transport transport;
    std::string host;
  };
  std::vector<Wanted> wanted_;
  std::map<std::string, Host> hosts_;
  std::vector<std::string> notes_;
  int64_t ttl_ms_ = kLongestTtl;
  Findings findings_;
};

}  // namespace pua
