#include "tests/sip/locate_rig.h"

#include <event2/event.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "sip/su_clock.h"

#include <CppUTest/TestHarness.h>

namespace pua::test {
namespace {

int64_t g_us;
int64_t fake_us() { return g_us; }

int64_t real_ms() {
  timespec ts{};
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return static_cast<int64_t>(ts.tv_sec) * 1000 + ts.tv_nsec / 1000000;
}

}  // namespace

std::string places(const Servers& servers) {
  if (!servers) return "nothing";
  std::string out;
  for (const Server& s : *servers) out += (out.empty() ? "" : ", ") + place_text(s);
  return out;
}

LocateRig::LocateRig(SuDriver::Mode mode)
    : base(event_base_new()), log([this](LogLevel, std::string_view s) { lines.emplace_back(s); }) {
  g_us = 1000000;
  su_clock_set_source(fake_us);
  tick_ = event_new(
      base, -1, EV_PERSIST, [](evutil_socket_t, short, void*) {}, nullptr);
  char path[] = "/tmp/locate-XXXXXX";
  folder = mkdtemp(path);
  dns = std::make_unique<DnsServer>(base);
  settings.resolv_conf = folder + "/resolv.conf";
  settings.hosts = folder + "/hosts";
  write(settings.resolv_conf, conf_for(*dns));
  write(settings.hosts, "");
  auto made = SuDriver::create(base, mode, log, nullptr);
  CHECK_TRUE(made.ok());
  driver = std::move(*made);
}

LocateRig::~LocateRig() {
  locator.reset();
  driver.reset();
  dns.reset();
  event_free(tick_);
  event_base_free(base);
  std::filesystem::remove_all(folder);
  su_clock_set_source(nullptr);
}

MonoMs LocateRig::now() { return g_us / 1000; }

void LocateRig::start() {
  locator = Locator::create(*driver, settings, *this, log, random, [] { return now(); });
}

std::string LocateRig::ask(const std::string& uri, uint64_t token) {
  auto hop = parse_target(uri);
  CHECK_TRUE_TEXT(hop.ok(), uri.c_str());
  answers.erase(token);
  inside_locate = true;
  Located l = locator->locate(*hop, token);
  inside_locate = false;
  if (l.state == Located::State::Asking) return "asking";
  lists[token] = l.servers;
  return answers[token] = l.state == Located::State::Found ? places(l.servers) : "failed: " + l.why;
}

std::string LocateRig::find(const std::string& uri, uint64_t token) {
  std::string at_once = ask(uri, token);
  if (at_once != "asking") return at_once;
  return until_told(token) ? told(token) : "never told";
}

std::string LocateRig::told(uint64_t token) {
  auto it = answers.find(token);
  return it == answers.end() ? "" : it->second;
}

void LocateRig::on_located(uint64_t token, Servers servers, std::string_view why) {
  if (inside_locate) told_inside = true;
  order.push_back(token);
  answers[token] = servers ? places(servers) : "failed: " + std::string(why);
  lists[token] = std::move(servers);
  if (then) then(token);
}

// The driver's timers follow the clock that stands still, and libevent wakes it by the real one: it is told to look.
bool LocateRig::until(const std::function<bool()>& done) {
  int64_t give_up = real_ms() + 5000;
  timeval most{0, 2000};
  while (!done() && real_ms() < give_up) {
    event_add(tick_, &most);
    event_base_loop(base, EVLOOP_ONCE);
    event_del(tick_);
    g_us += 1000;
    driver->settle();
  }
  return done();
}

void LocateRig::turn() { event_base_loop(base, EVLOOP_NONBLOCK); }

void LocateRig::pass(int64_t ms) {
  for (int64_t left = ms; left > 0; left -= 100) {
    g_us += std::min<int64_t>(left, 100) * 1000;
    driver->settle();
    turn();
  }
}

void LocateRig::write(const std::string& path, const std::string& text) {
  std::string fresh = path + ".new";
  FILE* f = fopen(fresh.c_str(), "we");
  CHECK_TRUE(f != nullptr);
  fwrite(text.data(), 1, text.size(), f);
  fclose(f);
  rename(fresh.c_str(), path.c_str());
}

std::string LocateRig::conf_for(const DnsServer& server) const {
  return "nameserver 127.0.0.1\nport " + std::to_string(server.port()) + "\n";
}

}  // namespace pua::test
