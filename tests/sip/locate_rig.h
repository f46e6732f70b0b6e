// LocateRig: a Locator with a name server of its own, on a clock that stands still unless a test moves it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "base/random.h"
#include "sip/locate.h"
#include "sip/su_driver.h"
#include "tests/support/dns_server.h"

#include <CppUTest/TestHarness.h>

struct event_base;
struct event;

namespace pua::test {

// "UDP 192.0.2.1:5060, TCP [2001:db8::1]:5060", in the order of the list; "nothing" without one.
std::string places(const Servers&);

class LocateRig : public LocatorSink {
 public:
  explicit LocateRig(SuDriver::Mode mode = SuDriver::Mode::Port);
  ~LocateRig() override;

  LocatorSettings settings;  // resolv_conf names the rig's server, hosts a file that is empty
  void start();

  // What a URI leads to: the places, or "failed: why". Turns the loop until it is told.
  std::string find(const std::string& uri, uint64_t token = 1);
  // Only asks: "asking", the places, or "failed: why".
  std::string ask(const std::string& uri, uint64_t token = 1);
  std::string told(uint64_t token);          // "" if nothing was told yet
  bool until(const std::function<bool()>&);  // false after 5 s of real time
  bool until_told(uint64_t token) {
    return until([&] { return !told(token).empty(); });
  }
  void turn();
  // Lets time go by, in steps of 100 ms with a turn of the loop each.
  void pass(int64_t ms);
  static MonoMs now();

  // Replaces a file by another one (a new inode), as resolvconf and editors do.
  static void write(const std::string& path, const std::string& text);
  std::string conf_for(const DnsServer&) const;

  void on_located(uint64_t token, Servers, std::string_view why) override;
  std::function<void(uint64_t)> then;  // inside on_located
  std::map<uint64_t, std::string> answers;
  std::map<uint64_t, Servers> lists;
  std::vector<uint64_t> order;  // of the tokens told
  bool inside_locate = false, told_inside = false;
  std::vector<std::string> lines;  // of the log

  event_base* base;
  Log log;
  Random random{1};
  std::unique_ptr<DnsServer> dns;
  std::unique_ptr<SuDriver> driver;
  std::unique_ptr<Locator> locator;
  std::string folder;

 private:
  event* tick_;
};

}  // namespace pua::test

#define IS(expected, actual) STRCMP_EQUAL(std::string(expected).c_str(), std::string(actual).c_str())

TEST_BASE(LocateTest) {
  pua::test::LocateRig* rig = nullptr;
  pua::test::DnsServer* dns = nullptr;
  void setup() override {
    rig = new pua::test::LocateRig;
    dns = rig->dns.get();
  }
  void teardown() override {
    CHECK_FALSE(rig->told_inside);
    delete rig;
  }
  std::string questions() {
    std::string out;
    for (const std::string& q : dns->questions) out += (out.empty() ? "" : ", ") + q;
    return out;
  }
};
