// libevent's complaints, brought about by watching a descriptor that is not open.
#include <event2/event.h>

#include <string>
#include <vector>

#include "base/log.h"
#include "loop/event_log.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(EventLog) {
  std::vector<std::string> lines;
  Log log{[this](LogLevel level, std::string_view line) { lines.push_back(std::string(log_level_name(level)) + " " + std::string(line)); }};
  event_base* base = event_base_new();
  void teardown() override { event_base_free(base); }
  void complain() {
    event* e = event_new(base, 987654, EV_READ, [](evutil_socket_t, short, void*) {}, nullptr);
    LONGS_EQUAL(-1, event_add(e, nullptr));
    event_free(e);
  }
};

TEST(EventLog, a_complaint_becomes_a_line_of_ours) {
  EventLogScope scope(log);
  complain();
  LONGS_EQUAL(1, lines.size());
  STRCMP_CONTAINS("warning libevent: Epoll ADD(1) on fd 987654 failed.", lines[0].c_str());
}

TEST(EventLog, of_many_complaints_few_become_lines) {
  EventLogScope scope(log);
  for (int i = 0; i < 10000; i++) complain();
  CHECK_TRUE(lines.size() >= 2);
  CHECK_TRUE(lines.size() <= 20);   // two a second, however fast this machine is
}
