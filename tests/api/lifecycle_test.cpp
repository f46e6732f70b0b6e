// An instance's life: start, what fails at start, restart, shutdown, and the end, wherever it comes from.
#include <sqlite3.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

const std::string kAlice = "sip:alice@example.com";
const std::string kBob = "sip:bob@example.com";

struct Flushed {
  int calls = 0, ok = -1;
  long long backlog = -1;
  static void on_done(pua_t* pua, int ok, void* self) {
    Flushed* f = static_cast<Flushed*>(self);
    f->calls++;
    f->ok = ok;
    pua_stat_t stats[200];
    int n = pua_stats_get(pua, stats, 200);
    for (int i = 0; i < n; i++)
      if (std::string(stats[i].name) == "store_backlog") f->backlog = stats[i].value;
  }
};

struct Stopped {
  int calls = 0;
  std::function<void(pua_t*)> then;
  static void on_done(pua_t* pua, void* self) {
    Stopped* s = static_cast<Stopped*>(self);
    s->calls++;
    if (s->then) s->then(pua);
  }
};

}  // namespace

TEST_GROUP(ApiLifecycle) {
  Recorder got;  // outlives the instance: its end may call it
  Rig rig;

  void start(const Parameters& p = {}) { LONGS_EQUAL(PUA_OK, rig.start(p)); }
  long logged(const std::string& part) const {
    return std::count_if(rig.log.begin(), rig.log.end(), [&](auto& line) { return line.find(part) != std::string::npos; });
  }
  bool answered(size_t n) { return rig.until([&] { return got.answers.size() >= n; }); }
  int failed_start(const Parameters& p, std::string& why) {
    int rc = rig.start(p);
    POINTERS_EQUAL(nullptr, rig.pua);
    why = pua_last_error(nullptr);
    return rc;
  }
};

TEST(ApiLifecycle, what_cannot_start_says_why) {
  std::string why;
  LONGS_EQUAL(PUA_E_STORE_FAILED, failed_start({{"db_url", "mysql://u:secret@localhost/pua"}}, why));
  CHECK_TEXT(why.find("mysql") != std::string::npos && why.find("secret") == std::string::npos, why.c_str());
  LONGS_EQUAL(PUA_E_STORE_FAILED, failed_start({{"db_url", "sqlite://" + rig.dir.path("none/pua.db")}}, why));
  CHECK_TEXT(why.find("none/pua.db") != std::string::npos, why.c_str());
  LONGS_EQUAL(PUA_E_BAD_CONFIG, failed_start({{"cluster_id", "3"}}, why));
  CHECK_TEXT(why.find("cluster_id") != std::string::npos, why.c_str());
  LONGS_EQUAL(PUA_E_BAD_CONFIG, failed_start({{"max_expires", "3600,nonsense=60"}}, why));
  CHECK_TEXT(why.find("nonsense") != std::string::npos, why.c_str());
  LONGS_EQUAL(PUA_E_SIP_FAILED, failed_start({{"sip_listen", "sips:127.0.0.1:*"}, {"tls_dir", rig.dir.path("tls")}}, why));
  CHECK_TEXT(why.find("agent.pem") != std::string::npos, why.c_str());
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_new(nullptr, nullptr, rig.base, nullptr, nullptr));
}

TEST(ApiLifecycle, without_a_configuration_the_defaults_count) {
  LONGS_EQUAL(PUA_E_STORE_FAILED, pua_new(&rig.pua, nullptr, rig.base, nullptr, nullptr));  // db_url names mysql
  POINTERS_EQUAL(nullptr, rig.pua);
}

TEST(ApiLifecycle, the_end_completes_everything_exactly_once) {
  start();
  rig.server->silent = true;
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));  // waits behind the first
  LONGS_EQUAL(PUA_OK, rig.publish(kBob, kDocument, 600, &got));    // not sent yet
  Flushed flushed;
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &flushed));
  int code = 0;
  got.then = [&](pua_reply_t* r) {
    std::string uri = kBob;
    pua_str_t u = text(uri);
    publ_info_t p{};
    p.pres_uri = &u;
    code = pua_send_publish(pua_reply_instance(r), &p);
  };
  rig.stop();
  LONGS_EQUAL(3, got.answers.size());
  for (const Answer& a : got.answers) {
    LONGS_EQUAL(487, a.status);
    LONGS_EQUAL(PUA_ORIGIN_SHUTDOWN, a.origin);
  }
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, code);
  LONGS_EQUAL(1, flushed.calls);
  LONGS_EQUAL(0, flushed.ok);
  rig.settle();
  LONGS_EQUAL(3, got.answers.size());
}

TEST(ApiLifecycle, a_reply_callback_may_free_the_instance) {
  start();
  Recorder other;
  got.then = [&](pua_reply_t* r) {
    rig.stop();
    LONGS_EQUAL(200, pua_reply_status(r));  // the reply lives as long as its callback
    LONGS_EQUAL(1, other.answers.size());   // and everything else is completed now
  };
  rig.server->script = {200, 0};
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(PUA_OK, rig.publish(kBob, kDocument, 600, &other));
  CHECK(rig.until([&] { return rig.pua == nullptr; }));
  rig.settle();
  LONGS_EQUAL(1, got.answers.size());
  LONGS_EQUAL(1, other.answers.size());
}

TEST(ApiLifecycle, the_log_callback_may_free_the_instance) {
  start();
  rig.server->script = {404};  // logged loudly
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(PUA_OK, rig.publish(kBob, kDocument, 600, &got));
  size_t before = rig.log.size();
  rig.on_log = [&] {
    if (rig.pua && rig.log.size() > before) rig.stop();
  };
  CHECK(rig.until([&] { return rig.pua == nullptr; }));
  CHECK(answered(2));
  rig.settle();
  LONGS_EQUAL(2, got.answers.size());
}

TEST(ApiLifecycle, the_log_callback_inside_a_call_may_free_the_instance) {
  start();
  pua_log_level(rig.pua, PUA_LOG_DEBUG);
  rig.on_log = [&] {
    if (rig.pua) rig.stop();
  };
  pua_config_t* cfg = rig.config({{"min_expires", "20"}});
  pua_reload(rig.pua, cfg);  // logs what it changed
  pua_config_free(cfg);
  POINTERS_EQUAL(nullptr, rig.pua);
  rig.settle();
}

TEST(ApiLifecycle, a_shutdown_callback_may_free_the_instance) {
  start();
  Stopped stopped;
  stopped.then = [&](pua_t* p) {
    POINTERS_EQUAL(rig.pua, p);
    rig.stop();
  };
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &stopped));
  LONGS_EQUAL(0, stopped.calls);
  CHECK(rig.until([&] { return rig.pua == nullptr; }));
  rig.settle();
  LONGS_EQUAL(1, stopped.calls);
}

TEST(ApiLifecycle, shutdown_waits_for_answers_and_takes_no_more_requests) {
  start();
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  Stopped first, second;
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &first));
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &second));
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, rig.publish(kBob, kDocument, 600, &got));
  CHECK(rig.until([&] { return first.calls == 1 && second.calls == 1; }));
  LONGS_EQUAL(1, got.answers.size());
  LONGS_EQUAL(200, got.answers[0].status);
  LONGS_EQUAL(0, rig.stat("store_backlog"));
}

TEST(ApiLifecycle, shutdown_ends_in_time_though_nobody_answers) {
  start({{"shutdown_timeout", "1"}});
  rig.server->silent = true;
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  Stopped stopped;
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &stopped));
  CHECK(rig.until([&] { return stopped.calls == 1; }, 1500));
  LONGS_EQUAL(1, got.answers.size());
  LONGS_EQUAL(PUA_ORIGIN_SHUTDOWN, got.answers[0].origin);
}

TEST(ApiLifecycle, unpublish_on_shutdown_removes_all_from_the_server) {
  start({{"unpublish_on_shutdown", "1"}});
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(PUA_OK, rig.publish(kBob, kDocument, 600, &got));
  CHECK(answered(2));
  Stopped stopped;
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &stopped));
  CHECK(rig.until([&] { return stopped.calls == 1; }));
  LONGS_EQUAL(4, rig.server->seen.size());
  for (size_t i = 2; i < 4; i++) {
    STRCMP_EQUAL("0", rig.server->seen[i].header("Expires").c_str());
    CHECK(rig.server->seen[i].header("SIP-If-Match").starts_with("etag"));
  }
}

TEST(ApiLifecycle, shutdown_leaves_publications_at_the_server_by_default) {
  start();
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(answered(1));
  Stopped stopped;
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &stopped));
  CHECK(rig.until([&] { return stopped.calls == 1; }));
  LONGS_EQUAL(1, rig.server->seen.size());
}

TEST(ApiLifecycle, flush_says_when_all_is_written) {
  start({{"db_url", "sqlite://" + rig.dir.path("pua.db")}});
  Flushed idle, busy;
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &idle));
  LONGS_EQUAL(0, idle.calls);
  CHECK(rig.until([&] { return idle.calls == 1; }));
  LONGS_EQUAL(1, idle.ok);
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &busy));
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, nullptr, nullptr));
  CHECK(rig.until([&] { return busy.calls == 1; }));
  LONGS_EQUAL(1, busy.ok);
}

// While the table is not there, what was accepted is in memory only.
TEST(ApiLifecycle, what_waits_for_its_row_is_unwritten) {
  LONGS_EQUAL(PUA_OK, rig.start_without_table({{"shutdown_timeout", "1"}}));
  Flushed none, one;
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &none));
  CHECK(rig.until([&] { return none.calls == 1; }));
  LONGS_EQUAL(1, none.ok);
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(1, rig.stat("store_backlog"));
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &one));
  CHECK(rig.until([&] { return one.calls == 1; }));
  LONGS_EQUAL(0, one.ok);
  CHECK(rig.stat("store_oldest_ms") >= 1000);
  Stopped stopped;
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &stopped));
  CHECK(rig.until([&] { return stopped.calls == 1; }));
  LONGS_EQUAL(1, rig.stat("store_backlog"));
  LONGS_EQUAL(1, logged("shutdown: 1 records could not be written in time"));
  LONGS_EQUAL(487, got.answers.at(0).status);
  rig.stop();
  LONGS_EQUAL(1, logged("1 records are unwritten at the end of the instance"));
}

TEST(ApiLifecycle, what_waits_behind_a_request_that_gets_no_answer_is_unwritten) {
  start({{"db_url", "sqlite://" + rig.dir.path("pua.db")}, {"shutdown_timeout", "1"}});
  rig.server->silent = true;
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  Flushed first, both;
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &first));
  CHECK(rig.until([&] { return first.calls == 1; }));
  LONGS_EQUAL(1, first.ok);   // what was asked for is in the row, although the server is still to answer
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 300, &got));
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &both));
  CHECK(rig.until([&] { return both.calls == 1; }));
  LONGS_EQUAL(0, both.ok);
  Stopped stopped;
  LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, Stopped::on_done, &stopped));
  CHECK(rig.until([&] { return stopped.calls == 1; }));
  LONGS_EQUAL(1, rig.stat("store_backlog"));
  LONGS_EQUAL(1, logged("shutdown: 1 records could not be written in time"));
}

// The modification is marked to be written only when the request before it is answered, which is after the flush was asked for.
TEST(ApiLifecycle, a_flush_waits_for_the_row_of_what_waited_behind_another_request) {
  start({{"db_url", "sqlite://" + rig.dir.path("pua.db")}, {"sip_t1", "50"}});
  rig.server->silent = true;
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1 && rig.stat("store_rows_written") == 1; }));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 300, &got));
  LONGS_EQUAL(1, rig.stat("store_backlog"));
  Flushed flushed;
  LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, Flushed::on_done, &flushed));
  while (rig.stat("store_oldest_ms") < 5) continue;
  sqlite3* other = nullptr;   // somebody else is writing: the rows have to wait
  LONGS_EQUAL(SQLITE_OK, sqlite3_open(rig.dir.path("pua.db").c_str(), &other));
  LONGS_EQUAL(SQLITE_OK, sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr));
  rig.server->silent = false;
  rig.server->hear_again();
  CHECK(answered(1));
  CHECK_FALSE(got.answers[0].durable);
  LONGS_EQUAL(0, flushed.calls);
  sqlite3_close(other);
  CHECK(rig.until([&] { return flushed.calls == 1; }));
  LONGS_EQUAL(1, flushed.ok);
  LONGS_EQUAL(0, flushed.backlog);
}

TEST(ApiLifecycle, a_restart_goes_on_with_the_same_entity_tag) {
  Parameters store = {{"db_url", "sqlite://" + rig.dir.path("pua.db")}};
  start(store);
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got, "desk"));
  CHECK(answered(1));
  CHECK(got.answers[0].durable);
  rig.stop();
  start(store);
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, nullptr, 0, &got, "desk"));  // also while rows are still being read
  CHECK(answered(2));
  LONGS_EQUAL(200, got.answers[1].status);
  LONGS_EQUAL(2, rig.server->seen.size());
  STRCMP_EQUAL("etag1", rig.server->seen[1].header("SIP-If-Match").c_str());
  LONGS_EQUAL(1, rig.stat("loaded"));
}

TEST(ApiLifecycle, a_new_publication_during_the_load_disturbs_no_stored_one) {
  Parameters store = {{"db_url", "sqlite://" + rig.dir.path("pua.db")}};
  start(store);
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(answered(1));
  rig.stop();
  start(store);
  LONGS_EQUAL(PUA_OK, rig.publish(kBob, kDocument, 600, &got));
  CHECK(answered(2));
  CHECK(got.answers[1].durable);
  rig.stop();
  start(store);
  CHECK(rig.until([&] { return rig.stat("loaded") == 2; }));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, nullptr, 0, &got));
  CHECK(answered(3));
  STRCMP_EQUAL("etag1", rig.server->seen.back().header("SIP-If-Match").c_str());
}

TEST(ApiLifecycle, two_instances_share_a_loop) {
  start();
  pua_t* other = nullptr;
  pua_config_t* cfg = rig.config({{"outbound_proxy", rig.server->uri()}});
  LONGS_EQUAL(PUA_OK, pua_new(&other, cfg, rig.base, nullptr, nullptr));
  pua_config_free(cfg);
  Recorder others;
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  std::swap(rig.pua, other);
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &others));
  std::swap(rig.pua, other);
  CHECK(rig.until([&] { return got.answers.size() == 1 && others.answers.size() == 1; }));
  CHECK(got.answers[0].etag != others.answers[0].etag);
  pua_free(other);
  LONGS_EQUAL(PUA_OK, rig.publish(kBob, kDocument, 600, &got));
  CHECK(answered(2));
}

TEST(ApiLifecycle, the_nested_driver_does_the_same) {
  start({{"sip_driver", "nested"}});
  got.then = [&](pua_reply_t*) { rig.stop(); };
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.pua == nullptr; }));
  rig.settle();
  LONGS_EQUAL(200, got.answers[0].status);
}

TEST(ApiLifecycle, whatever_the_server_says_each_call_is_completed_exactly_once) {
  constexpr size_t kCalls = 400;
  struct Count {
    int calls = 0;
    static int on_reply(pua_reply_t*, void* self) { return static_cast<Count*>(self)->calls++; }
  };
  std::vector<Count> counts(kCalls);
  std::vector<bool> accepted(kCalls, false);
  start({{"sip_t1", "10"}, {"min_expires", "0"}});
  for (size_t i = 0; i < 200; i++) {
    constexpr int kStatuses[] = {200, 412, 423, 500, 200, 0, 403, 489, 200, 302, 200, 603};
    rig.server->script.push_back(kStatuses[i % 12]);
  }
  std::string document = kDocument;
  for (size_t i = 0; i < kCalls; i++) {
    std::string uri = "sip:user" + std::to_string(i % 37) + "@example.com";
    pua_str_t u = text(uri), body = text(document);
    publ_info_t p{};
    p.pres_uri = &u;
    if (i % 5 != 4) p.body = &body;
    p.event = PRESENCE_EVENT;
    p.source_flag = UL_PUBLISH;
    p.expires = i % 7 == 6 ? 0 : 60;
    p.cbrpl = Count::on_reply;
    p.cbparam = &counts[i];
    accepted[i] = rig.send(p) == PUA_OK;
    if (i % 10 == 9) rig.settle();
  }
  auto done = [&] {
    size_t n = 0;
    for (size_t i = 0; i < kCalls; i++) n += !accepted[i] || counts[i].calls > 0;
    return n;
  };
  rig.until([&] { return done() == kCalls; }, 1500);
  rig.stop();
  for (size_t i = 0; i < kCalls; i++) LONGS_EQUAL(accepted[i] ? 1 : 0, counts[i].calls);
}

TEST(ApiLifecycle, a_callback_of_one_instance_may_free_another) {
  start();
  pua_t* other = nullptr;
  pua_config_t* cfg = rig.config({});
  LONGS_EQUAL(PUA_OK, pua_new(&other, cfg, rig.base, nullptr, nullptr));
  pua_config_free(cfg);
  got.then = [&](pua_reply_t*) { pua_free(other); };
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(answered(1));
  rig.settle();
}

// --- the library's own loop ---------------------------------------------------------------------------------------------

TEST_GROUP(ApiOwnLoop) {
  Rig rig;  // its server is not on the loop that runs
  pua_t* pua = nullptr;
  void setup() override {
    pua_config_t* cfg = rig.config({});
    LONGS_EQUAL(PUA_OK, pua_new(&pua, cfg, nullptr, nullptr, nullptr));
    pua_config_free(cfg);
  }
  void teardown() override { pua_free(pua); }
};

TEST(ApiOwnLoop, run_turns_it_until_stop) {
  CHECK(pua_event_base(pua) != nullptr);
  CHECK(pua_event_base(pua) != rig.base);
  Responder server(pua_event_base(pua));
  std::string uri = kAlice, document = kDocument, proxy = server.uri();
  pua_str_t u = text(uri), body = text(document);
  Recorder got;
  got.then = [](pua_reply_t* r) { LONGS_EQUAL(PUA_OK, pua_stop(pua_reply_instance(r))); };
  publ_info_t p{};
  p.pres_uri = &u;
  p.body = &body;
  p.outbound_proxy = text(proxy);
  p.event = PRESENCE_EVENT;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  p.cbrpl = Recorder::on_reply;
  p.cbparam = &got;
  LONGS_EQUAL(PUA_OK, pua_send_publish(pua, &p));
  LONGS_EQUAL(PUA_OK, pua_run(pua));
  LONGS_EQUAL(1, got.answers.size());
  LONGS_EQUAL(200, got.answers[0].status);
}

TEST(ApiOwnLoop, freeing_the_instance_ends_the_run) {
  struct Here {
    static void free_it(pua_t* p, void* arg) {
      pua_free(p);
      *static_cast<pua_t**>(arg) = nullptr;
    }
  };
  LONGS_EQUAL(PUA_OK, pua_post(pua, Here::free_it, &pua));
  LONGS_EQUAL(PUA_OK, pua_run(pua));
  POINTERS_EQUAL(nullptr, pua);
}
