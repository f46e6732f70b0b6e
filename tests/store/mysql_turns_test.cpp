// MariaDB under a host whose loop is late: what the host lost is not the server's fault.
#include <unistd.h>

#include <memory>
#include <string>

#include "tests/store/mysql_fixture.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

TEST_GROUP(MysqlTurns) {
  std::unique_ptr<MysqlFixture> db;
  bool there() {
    if (!MysqlFixture::there()) return false;
    db = std::make_unique<MysqlFixture>();
    return true;
  }
};

//  a turn of the host's loop lasts 600 ms, and a statement begins in it. libevent counts the statement's 400 ms from the
//  beginning of the turn (a base caches its time): they are over before the server has seen anything.
TEST(MysqlTurns, a_slow_turn_of_the_host_is_not_the_servers_fault) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.timeout_ms = 400;
  auto s = db->try_open(o);
  CHECK(s.ok());
  OneWriteSink sink;
  {
    Caller caller(**s);
    CHECK(caller.put(row_of(1)) == WriteResult::Ok);  // connected
  }
  (*s)->attach(&sink);
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Upsert, row_of(1, 2));
  auto slow = [&] {
    usleep(600000);
    (*s)->write(Lane::Fast, b, 0);
  };
  timeval now{};
  event_base_once(db->base, -1, EV_TIMEOUT, [](int, short, void* f) { (*static_cast<decltype(slow)*>(f))(); }, &slow, &now);
  for (MonoMs end = steady_ms() + 3000; sink.reports == 0 && steady_ms() < end;) event_base_loop(db->base, EVLOOP_ONCE);
  (*s)->attach(nullptr);
  STRCMP_EQUAL("", sink.error.c_str());
  CHECK(sink.result == WriteResult::Ok);
}

//  a statement is under way, its answer comes, and the host's loop stands still for longer than the statement may take: at the
//  next turn both have happened, the answer and the end of the time. The connection is given up all the same.
TEST(MysqlTurns, an_answer_that_came_while_the_host_stood_still_is_taken) {
  if (!there()) return;
  MysqlOptions o = db->options();
  o.timeout_ms = 400;
  auto s = db->try_open(o);
  CHECK(s.ok());
  {
    Caller caller(**s);
    CHECK(caller.put(row_of(1)) == WriteResult::Ok);
  }
  auto sessions = [&] {
    return db->sql("SELECT GROUP_CONCAT(ID ORDER BY ID) FROM information_schema.PROCESSLIST WHERE ID<>CONNECTION_ID()");
  };
  std::string before = sessions();
  OneWriteSink sink;
  (*s)->attach(&sink);
  Caller::Batch b;
  b.rows.emplace_back(RowOp::Upsert, row_of(1, 2));
  (*s)->write(Lane::Fast, b, 0);
  usleep(600000);
  for (MonoMs end = steady_ms() + 3000; sink.reports == 0 && steady_ms() < end;) event_base_loop(db->base, EVLOOP_ONCE);
  for (int i = 0; i < 20; i++) {
    event_base_loop(db->base, EVLOOP_NONBLOCK);
    usleep(5000);
  }
  (*s)->attach(nullptr);
  STRCMP_EQUAL("", sink.error.c_str());
  STRCMP_EQUAL(before.c_str(), sessions().c_str());
}

// Else a row that cannot be replaced by a newer one would look sound.
TEST(MysqlTurns, a_number_that_does_not_fit_is_not_cut_to_one_that_looks_sound) {
  if (!there()) return;
  auto s = db->open();
  Caller caller(*s);
  caller.put(row_of(1));
  db->sql("UPDATE pua SET record_version=4294967301");
  auto rows = caller.load_all();
  CHECK(caller.put(row_of(1, 6)) == WriteResult::RefusedNewer);
  CHECK(rows[0].row().record_version >= kMaxRowVersion);
}
