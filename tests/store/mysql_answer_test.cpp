// MariaDB: answers that are longer than any that was asked for, by servers that are none and by a table with large rows.
#include <atomic>
#include <memory>
#include <string>

#include "store/mono.h"
#include "store/mysql_store.h"
#include "tests/store/fake_mysql.h"
#include "tests/store/fixture.h"
#include "tests/store/mysql_fixture.h"

#include <event2/event.h>

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;

namespace {

constexpr size_t kWithoutEnd = size_t{1} << 30;
// What stands in the buffers of the two sockets, beside what was read.
constexpr size_t kUnderWay = 16 << 20;

// Answers as a server with our tables does, but for one kind of statement, to which it says `head` and then `piece` without end.
class FloodingServer {
 public:
  FloodingServer(std::string statement, std::string head, std::string piece)
      : statement_(std::move(statement)), head_(std::move(head)), piece_(std::move(piece)), server_([this](int fd) { serve(fd); }) {}
  uint16_t port() const { return server_.port; }
  std::atomic<size_t> most{0};   // octets that one connection took of that
  std::atomic<int> asked{0};

 private:
  void flood(int fd) {
    asked++;
    if (!server_.say(fd, head_)) return;
    for (size_t said = 0; said < kWithoutEnd && server_.say(fd, piece_);) most = std::max(most.load(), said += piece_.size());
  }
  void serve(int fd) {
    if (!server_.say(fd, greeting(false, "mysql_native_password")) || server_.hear(fd).empty()) return;
    if (statement_ == "login") return flood(fd);
    if (!server_.say(fd, ok_packet(2))) return;
    for (std::string sql; sql = server_.hear(fd), !sql.empty();) {
      sql.erase(0, 5);
      if (sql.starts_with(statement_)) return flood(fd);
      std::string answer = ok_packet(1);
      if (contains(sql, "GET_LOCK")) answer = columns_packets(2) + row_packet({"1", "12"}) + rows_end_packet();
      else if (sql.starts_with("SELECT")) answer = columns_packets(2) + rows_end_packet();
      if (!server_.say(fd, answer)) return;
    }
  }

  std::string statement_, head_, piece_;
  FakeServer server_;   // last: its threads use the others
};

std::string many(const std::string& packet) {
  std::string out;
  while (out.size() < 256 * 1024) out += packet;
  return out;
}
const std::string kLongRow = packet(9, "\xfd" + std::string("\xf0\xff\0", 3) + std::string(65520, 'x'));
const std::string kLongestPacket = std::string("\xff\xff\xff\x09", 4) + std::string(0xffffff, 'x');   // and another one follows

}  // namespace

TEST_GROUP(mysql_answer) {
  TestLog log;
  event_base* base = nullptr;
  std::unique_ptr<MysqlStore> store;
  std::string why;
  void setup() override { base = event_base_new(); }
  void teardown() override {
    store.reset();
    event_base_free(base);
  }
  bool open(uint16_t port) {
    MysqlOptions o;
    o.url = *parse_db_url("mysql://user:password@127.0.0.1:" + std::to_string(port) + "/x");
    o.timeout_ms = 10000;
    auto s = MysqlStore::open(o, {base, nullptr, [] { return steady_ms(); }, [](const std::function<void()>& f) { f(); }}, log.log);
    if (s) store = std::move(*s);
    else why = s.error().message;
    return store != nullptr;
  }
};

TEST(mysql_answer, one_without_end_at_the_start_is_cut_off) {
  const std::string kFloods[][2] = {
      {columns_packets(1), many(row_packet({"1"}))},
      {columns_packets(1), many(kLongRow)},
      {columns_packets(1), kLongestPacket},
      {packet(1, "\x01"), many(packet(2, columns_packets(1).substr(9, 24)))},   // columns
  };
  for (const auto& [head, piece] : kFloods) {
    for (const char* statement : {"SELECT `id`", "SELECT GET_LOCK", "SET SESSION"}) {
      FloodingServer server(statement, head, piece);
      CHECK(!open(server.port()));
      CHECK_TEXT(contains(why, "an answer is longer than 262144 octets"), why.c_str());
      CHECK_TEXT(server.most < kUnderWay + (1 << 20), std::to_string(server.most).c_str());
    }
  }
}

TEST(mysql_answer, one_without_end_to_the_login_is_cut_off) {
  FloodingServer server("login", std::string("\xff\xff\xff\x02", 4), std::string(0xffffff, '\0'));
  CHECK(!open(server.port()));
  CHECK(server.most < kUnderWay);
}

TEST(mysql_answer, more_answers_than_statements_are_too_many) {
  FloodingServer server("START TRANSACTION", "", many(ok_packet(1, true)));
  CHECK_TEXT(open(server.port()), why.c_str());
  Caller caller(*store);
  CHECK(caller.put(row_of(1)) == WriteResult::FailedRetry);
  CHECK_TEXT(contains(caller.error, "more answers came than were asked for"), caller.error.c_str());
  CHECK(server.most < kUnderWay);
}

TEST(mysql_answer, rows_without_end_fail_a_write) {
  FloodingServer server("START TRANSACTION", ok_packet(1, true) + columns_packets(4), many(row_packet({"1", "2", "3", "4"})));
  CHECK_TEXT(open(server.port()), why.c_str());
  Caller caller(*store);
  CHECK(caller.put(row_of(1)) == WriteResult::FailedRetry);
  CHECK_TEXT(contains(caller.error, "an answer is longer than 262144 octets"), caller.error.c_str());
}

TEST(mysql_answer, a_page_without_end_is_asked_for_as_one_row_and_then_an_error) {
  FloodingServer server("SELECT `id`,", columns_packets(32), many(kLongRow));
  CHECK_TEXT(open(server.port()), why.c_str());
  Caller caller(*store);
  caller.load(0, 500);
  CHECK_TEXT(contains(caller.error, "an answer is longer than 17825792 octets"), caller.error.c_str());
  LONGS_EQUAL(2, server.asked);
  CHECK(server.most > 17 << 20);
  CHECK(server.most < kUnderWay + (17 << 20));
}

// Of our own tables: rows that are large come one by one, the largest that fits the columns too, and TLS hides no octet.
TEST(mysql_answer, large_rows_behind_small_ones_are_all_read) {
  if (!MysqlFixture::there()) return;
  MysqlFixture db;
  for (bool tls : {false, true}) {
    MysqlOptions o = db.options();
    o.tls = tls;
    auto opened = db.try_open(o);
    CHECK(opened.ok());
    Caller caller(**opened);
    for (int64_t id = 1; id <= 10; id++) caller.put(row_of(id));
    STRCMP_EQUAL("", db.sql("UPDATE pua SET body=REPEAT('x',6000000) WHERE id>5; UPDATE pua SET body=REPEAT('x',16777215),"
                            "extra_headers=REPEAT('h',65535) WHERE id=8").c_str());
    size_t octets = 0;
    std::vector<StoredRow> rows = caller.load_all();
    STRCMP_EQUAL("", caller.error.c_str());
    for (const StoredRow& r : rows) octets += r.row().body.size();
    LONGS_EQUAL(10, rows.size());
    LONGS_EQUAL(4 * 6000000 + 16777215 + 5 * 11, octets);
    db.sql("ALTER TABLE pua MODIFY extra_headers MEDIUMBLOB; UPDATE pua SET extra_headers=REPEAT('h',2000000) WHERE id=8");
    caller.load(7, 500);
    CHECK_TEXT(contains(caller.error, "an answer is longer than 17825792 octets"), caller.error.c_str());
    db.create();
  }
}
