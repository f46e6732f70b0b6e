// The C++ face of an instance: what the daemon sees and the C ABI does not show.
#include <event2/event.h>
#include <sqlite3.h>

#include <memory>
#include <string>

#include "api/instance.h"
#include "store/write_behind.h"
#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(ApiInstance) {
  TempDir dir;
  event_base* base = event_base_new();
  sqlite3* other = nullptr;
  void teardown() override {
    sqlite3_close(other);
    event_base_free(base);
  }

  // Publishes, shuts down, and returns what the end said. locked: another program holds the database all the time.
  int end_of_a_run(bool locked) {
    Settings s;
    s.db_url = "sqlite://" + dir.path("pua.db");
    s.sip_listen = {"sip:127.0.0.1:*"};
    s.outbound_proxy = "sip:127.0.0.1:9";
    s.shutdown_timeout = 1;
    auto made = Instance::create(s, base, {});
    CHECK_TEXT(made.ok(), made.ok() ? "" : made.error().message.c_str());
    Instance::Owner pua = std::move(*made);
    for (int i = 0; i < 5; i++) event_base_loop(base, EVLOOP_NONBLOCK);
    if (locked) {
      LONGS_EQUAL(SQLITE_OK, sqlite3_open(dir.path("pua.db").c_str(), &other));
      LONGS_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
    }
    PublishRequest q;
    q.source = 1;
    q.event = 1;
    q.pres_uri = "sip:alice@example.com";
    q.body = kDocument;
    q.expires = 600;
    CHECK(pua->publish(q, [](const Outcome&) {}).ok());
    int ended = -1;
    pua->shutdown([&](bool ok) { ended = ok; });
    for (int i = 0; i < 100000 && ended < 0; i++) event_base_loop(base, EVLOOP_ONCE);
    return ended;
  }
  // Runs this on the database while no instance has it open; the first value that comes, "": none.
  std::string sql(const std::string& text) {
    LONGS_EQUAL(SQLITE_OK, sqlite3_open(dir.path("pua.db").c_str(), &other));
    std::string value;
    auto take = [](void* to, int, char** values, char**) {
      *static_cast<std::string*>(to) = values[0] ? values[0] : "";
      return 0;
    };
    LONGS_EQUAL(SQLITE_OK, sqlite3_exec(other, text.c_str(), take, &value, nullptr));
    sqlite3_close(other);
    other = nullptr;
    return value;
  }
};

TEST(ApiInstance, shutdown_says_whether_everything_was_written) {
  LONGS_EQUAL(1, end_of_a_run(false));
  LONGS_EQUAL(0, end_of_a_run(true));
}

// What a restart repeats must have the branch that it had (docs/adr/0012).
TEST(ApiInstance, the_key_of_branches_is_made_once_and_kept_beside_the_rows) {
  const std::string read = "SELECT value FROM pua_meta WHERE name='branch'";
  LONGS_EQUAL(1, end_of_a_run(false));
  std::string key = sql(read);
  LONGS_EQUAL(32, key.size());
  CHECK(key.find_first_not_of("0123456789abcdef") == std::string::npos);
  LONGS_EQUAL(1, end_of_a_run(false));
  STRCMP_EQUAL(key.c_str(), sql(read).c_str());
  sql("UPDATE pua_meta SET value='damaged' WHERE name='branch'");
  LONGS_EQUAL(1, end_of_a_run(false));
  std::string fresh = sql(read);
  LONGS_EQUAL(32, fresh.size());
  CHECK(fresh != key);
  sql("DELETE FROM pua_meta WHERE name='branch'");   // another table: another key
  LONGS_EQUAL(1, end_of_a_run(false));
  CHECK(sql(read) != fresh && sql(read) != key);
}

TEST(ApiInstance, what_the_rooms_count_and_time_is_collected) {
  Settings s;
  s.db_url = "sqlite://" + dir.path("pua.db");
  s.sip_listen = {"sip:127.0.0.1:*"};
  s.outbound_proxy = "sip:127.0.0.1:9";
  auto made = Instance::create(s, base, {});
  CHECK_TEXT(made.ok(), made.ok() ? "" : made.error().message.c_str());
  Instance::Owner pua = std::move(*made);
  for (int i = 0; i < 1000 && pua->stats().loading; i++) event_base_loop(base, EVLOOP_NONBLOCK);
  PublishRequest q;
  q.source = 1;
  q.event = 1;
  q.pres_uri = "sip:alice@example.com";
  q.body = kDocument;
  q.expires = 600;
  CHECK(pua->publish(q, [](const Outcome&) {}).ok());
  for (int i = 0; i < 1000 && pua->stats().store_rows_written == 0; i++) event_base_loop(base, EVLOOP_ONCE);
  Measurements m = pua->measurements();
  int64_t publications = 0, subscriptions = 0;
  for (const StateCount& c : m.publications) publications += c.records;
  for (const StateCount& c : m.subscriptions) subscriptions += c.records;
  LONGS_EQUAL(1, publications);
  LONGS_EQUAL(0, subscriptions);
  CHECK(m.store_up);
  CHECK(m.writes.count() >= 1);
  LONGS_EQUAL(kWriteBounds[0], m.writes.bounds()[0]);
  CHECK(m.callbacks.count() > 0);
  CHECK(m.longest_callback_us > 0);
  CHECK(pua->watchdog() != nullptr);
  LONGS_EQUAL(0, m.sip.of(Method::Subscribe).of(Final::C2xx));
}
