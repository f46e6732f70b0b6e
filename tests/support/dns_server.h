// DnsServer: a name server on loopback that answers from a table, or as a test tells it, over UDP and TCP, on the test's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

struct event_base;
struct event;

namespace pua::test {

// Names and data as they stand in a message, for answers made by hand.
std::string dns_name(const std::string& name);
std::string dns_number(unsigned value, int octets);
std::string dns_record(const std::string& owner, unsigned type, uint32_t ttl, const std::string& data);

// Answers A, AAAA, CNAME, SRV and NAPTR questions from a table; aliases are followed. What is not in it does not exist
// (NXDOMAIN).
class DnsServer {
 public:
  // port: 0 for a free one. address: 127.0.0.1 or ::1.
  explicit DnsServer(event_base* base, uint16_t port = 0, const char* address = "127.0.0.1");
  ~DnsServer();
  DnsServer(const DnsServer&) = delete;
  DnsServer& operator=(const DnsServer&) = delete;

  uint16_t port() const { return port_; }
  bool silent = false;                    // swallow all questions
  bool truncate = false;                  // over UDP only the flag that says so
  bool no_edns = false;                   // FORMERR to a question with an OPT record
  uint32_t ttl = 60;                      // of the records that are added from now on
  std::set<std::string> mute;             // swallow these: "SRV _sip._udp.example.com"
  std::map<std::string, unsigned> codes;  // an error code instead of an answer: "NAPTR example.com" -> 2
  // Whole answers made by the test: question as it came -> datagram ("": silence); asked only if it is set.
  std::function<std::string(const std::string& question, const std::string& octets)> by_hand;
  std::vector<std::string> questions;  // "SRV _sip._udp.example.com"
  std::vector<uint16_t> ports;         // that they came from
  int over_tcp = 0;                    // of these

  void a(const std::string& name, const std::string& address);
  void aaaa(const std::string& name, const std::string& address);
  void cname(const std::string& name, const std::string& other);
  void srv(const std::string& name, uint16_t priority, uint16_t port, const std::string& target, uint16_t weight = 10);
  void naptr(const std::string& name, uint16_t order, const std::string& service, const std::string& replacement,
             uint16_t preference = 10, const std::string& flags = "s");
  int listener();  // its TCP socket, for the test to accept from
  void clear() { records_.clear(); }
  size_t asked(const std::string& question) const;

 private:
  struct Record {
    uint16_t type;
    std::string data;
    uint32_t ttl;
  };
  struct Connection {
    DnsServer* server = nullptr;
    int fd = -1;
    event* ev = nullptr;
    std::string in;
  };
  static void on_question(int fd, short, void* self);
  static void on_accept(int fd, short, void* self);
  static void on_octets(int fd, short, void* connection);
  void add(const std::string& name, uint16_t type, std::string data) { records_.insert({name, {type, std::move(data), ttl}}); }
  std::string answer(const std::string& octets, bool tcp);

  event_base* base_;
  int fd_ = -1, listen_fd_ = -1;
  event* ev_ = nullptr;
  event* listen_ev_ = nullptr;
  uint16_t port_ = 0;
  std::multimap<std::string, Record> records_;
  std::map<int, Connection> connections_;
};

}  // namespace pua::test
