// The end of an instance that is asked for inside one of its callbacks, whichever: what ran, in its order, and that nothing runs
// after pua_free() has returned. And what else a callback may ask of the loop.
#include <event2/event.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

std::function<void()> g_process;  // inside the body processor
int process(publ_info_t*, pua_str_t**, int, pua_str_t*) {
  g_process();
  return 0;
}

// A host whose callbacks write down that they ran, and do in it what the test says.
struct Host {
  std::vector<std::string> ran;
  std::function<void()> then;   // inside the next callback
  int shutdown_rc = 1;

  struct Named {
    Host* host;
    std::string name;
    void run(const std::string& what) {
      host->ran.push_back(name + what);
      if (auto fn = std::exchange(host->then, nullptr)) fn();
    }
  };
  std::vector<std::unique_ptr<Named>> named;
  Named* call(const std::string& name) {
    named.push_back(std::make_unique<Named>(Named{this, name}));
    return named.back().get();
  }
  static Named* of(void* arg) { return static_cast<Named*>(arg); }

  static int on_reply(pua_reply_t* r, void* arg) {
    of(arg)->run(" " + std::to_string(pua_reply_status(r)) + (pua_reply_superseded(r) ? " superseded" : ""));
    return 0;
  }
  static void on_flush(pua_t*, int ok, void* arg) { of(arg)->run(ok ? " ok" : " not ok"); }
  static void on_shutdown(pua_t*, void* arg) { of(arg)->run(""); }
  static void on_post(pua_t*, void* arg) { of(arg)->run(""); }
  static int on_record(ua_pres_t*, pua_reply_t* r) {
    of(pua_reply_param(r))->run(" " + std::to_string(pua_reply_status(r)));
    return 0;
  }
  static int on_notify(ua_pres_t*, const pua_notification_t*, void* arg) { return of(arg)->run(""), 0; }
  static int on_unsolicited(const pua_unsolicited_t*, void* arg) { return of(arg)->run(""), 0; }
  static int on_resource(const pua_resource_t*, void* arg) { return of(arg)->run(""), 0; }

  void publish(const std::string& name, const std::string& uri, int event = PRESENCE_EVENT) {
    std::string document = kDocument, type = "application/pidf+xml";
    pua_str_t u = text(uri), body = text(document);
    publ_info_t p{};
    p.pres_uri = &u;
    p.body = &body;
    p.content_type = text(type);
    p.event = event;
    p.source_flag = UL_PUBLISH;
    p.expires = 600;
    p.cbrpl = on_reply;
    p.cbparam = call(name);
    LONGS_EQUAL_TEXT(PUA_OK, rig.send(p), rig.error().c_str());
  }
  void flush(const std::string& name) { LONGS_EQUAL(PUA_OK, pua_flush(rig.pua, on_flush, call(name))); }
  void shutdown(const std::string& name) { LONGS_EQUAL(PUA_OK, pua_shutdown(rig.pua, on_shutdown, call(name))); }
  void post(const std::string& name) { LONGS_EQUAL(PUA_OK, pua_post(rig.pua, on_post, call(name))); }
  void unsolicited(const std::string& id) {
    std::string message =
        "NOTIFY sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK" + id + "\r\nMax-Forwards: 70\r\n"
        "From: <sip:voicemail@example.com>;tag=vm\r\nTo: <sip:alice@example.com>\r\nCall-ID: " + id + "\r\nCSeq: 1 NOTIFY\r\n"
        "Event: message-summary\r\nSubscription-State: active\r\nContent-Length: 0\r\n\r\n";
    LONGS_EQUAL(200, pua_notify_received(rig.pua, message.data(), message.size()));
  }
  // Makes a subscription, and has a NOTIFY of it come.
  void notify() {
    rig.server->extra = "Contact: <" + rig.server->uri() + ">\r\n";
    std::string uri = "sip:bob@example.com", watcher = "sip:alice@example.com", contact = "sip:us@127.0.0.1:9";
    pua_str_t u = text(uri), w = text(watcher), c = text(contact);
    subs_info_t s{};
    s.pres_uri = &u;
    s.watcher_uri = &w;
    s.contact = &c;
    s.event = PRESENCE_EVENT;
    s.source_flag = RLS_SUBSCRIBE;
    s.expires = 600;
    LONGS_EQUAL_TEXT(PUA_OK, pua_send_subscribe(rig.pua, &s), rig.error().c_str());
    CHECK(rig.until([&] { return !rig.server->seen.empty() && pua_is_dialog(rig.pua, dialog()) == 0; }));
    std::string call_id = rig.server->seen.back().header("Call-ID"), from = rig.server->seen.back().header("From");
    std::string tag = from.substr(from.find(";tag=") + 5);
    pua_notify_t n{};
    n.call_id = text(call_id);
    n.to_tag = text(tag);
    n.from_tag = {const_cast<char*>("server"), 6};
    n.cseq = 1;
    n.event = {const_cast<char*>("presence"), 8};
    n.subscription_state = {const_cast<char*>("active"), 6};
    LONGS_EQUAL(200, pua_notify_fields(rig.pua, &n));
  }
  const ua_pres_t* dialog() {
    static char uri[] = "sip:bob@example.com";
    static pua_str_t u = {uri, 19};
    static ua_pres_t question{};
    question.pres_uri = &u;
    return &question;
  }
  int resources() {
    std::string type = "application/rlmi+xml", list = "<list uri='sip:l@h' version='4' fullState='true'>"
                       "<resource uri='sip:a@h'/><resource uri='sip:b@h'/><resource uri='sip:c@h'/></list>";
    pua_str_t t = text(type), l = text(list);
    return pua_notify_resources(rig.pua, &t, &l, on_resource, call("resource"));
  }

  void free_now() {
    rig.stop();
    ran.push_back("pua_free returned");
    lines = rig.log.size();
  }
  void free_in_the_next() {
    then = [this] { free_now(); };
  }
  void shut_down_in_the_next() {
    then = [this] {
      shutdown_rc = pua_shutdown(rig.pua, on_shutdown, call("shut down"));
      ran.push_back("pua_shutdown returned");
    };
  }
  size_t lines = 0;   // of the log when pua_free() returned
  Rig rig;            // the last, because its end calls what is above

  // Turns the loop until the instance is gone, and somewhat further.
  std::string until_gone() {
    CHECK(rig.until([&] { return rig.pua == nullptr; }));
    rig.settle();
    LONGS_EQUAL_TEXT(lines, rig.log.size(), "lines of the log after pua_free() had returned");
    return story();
  }
  std::string until_ran(const std::string& last) {
    CHECK(rig.until([&] { return !ran.empty() && ran.back() == last; }));
    rig.settle();
    return story();
  }
  std::string story() const {
    std::string all;
    for (const std::string& s : ran) all += (all.empty() ? "" : ", ") + s;
    return all;
  }
};

const std::string kAlice = "sip:alice@example.com", kBob = "sip:bob@example.com", kCarol = "sip:carol@example.com";

}  // namespace

#define CHECK_STORY(want, got) STRCMP_EQUAL(want, (got).c_str())

TEST_GROUP(ApiEndInside) {
  Host host;
  void setup() override { start(); }
  void start(const Parameters& p = {}) {
    host.rig.stop();
    LONGS_EQUAL(PUA_OK, host.rig.start(p));
    pua_log_level(host.rig.pua, PUA_LOG_DEBUG);
  }
};

// --- pua_free() ------------------------------------------------------------------------------------------------------------

TEST(ApiEndInside, the_other_callers_of_one_reply_are_called_before_free_returns) {
  for (const char* name : {"one", "two", "three"}) host.publish(name, kAlice);
  host.free_in_the_next();
  CHECK_STORY("one 200 superseded, two 200 superseded, three 200, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, a_reply_callback_in_the_middle_leaves_only_those_behind_it) {
  for (const char* name : {"one", "two", "three", "four"}) host.publish(name, kAlice);
  host.then = [&] { host.free_in_the_next(); };
  CHECK_STORY("one 200 superseded, two 200 superseded, three 200 superseded, four 200, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, all_kinds_that_are_open_are_over_before_free_returns) {
  host.rig.server->script = {200, 0};
  host.publish("alice", kAlice);
  host.publish("bob", kBob);
  host.then = [&] {
    host.publish("carol", kCarol);
    host.flush("flush");
    host.shutdown("shutdown");
    host.post("post");
    host.free_now();
  };
  CHECK(host.rig.until([&] { return host.rig.pua == nullptr; }));
  LONGS_EQUAL(7, host.ran.size());
  CHECK_STORY("alice 200", host.ran[0]);
  CHECK_TEXT((host.ran[1] == "bob 487" && host.ran[2] == "carol 487") || (host.ran[1] == "carol 487" && host.ran[2] == "bob 487"),
             host.story().c_str());   // the order of the table
  CHECK_STORY("flush not ok", host.ran[3]);
  CHECK_STORY("shutdown", host.ran[4]);
  CHECK_STORY("post", host.ran[5]);
  CHECK_STORY("pua_free returned", host.ran[6]);
  host.rig.settle();
  LONGS_EQUAL(7, host.ran.size());
}

TEST(ApiEndInside, the_others_that_wait_for_a_flush_are_called_before_free_returns) {
  for (const char* name : {"one", "two", "three"}) host.flush(name);
  host.free_in_the_next();
  CHECK_STORY("one ok, two ok, three ok, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, the_others_that_wait_for_a_shutdown_are_called_before_free_returns) {
  for (const char* name : {"one", "two", "three"}) host.shutdown(name);
  host.free_in_the_next();
  CHECK_STORY("one, two, three, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, what_a_shutdown_completes_is_completed_before_free_returns) {
  start({{"shutdown_timeout", "1"}});
  host.rig.server->silent = true;
  for (const char* name : {"one", "two", "three"}) host.publish(name, kAlice);
  host.shutdown("shutdown");
  host.free_in_the_next();
  CHECK_STORY("one 487 superseded, two 487 superseded, three 487, shutdown, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, functions_posted_before_run_before_free_returns) {
  for (const char* name : {"one", "two"}) host.post(name);
  host.then = [&] {
    host.post("three");   // not in the batch of the loop that runs
    host.free_now();
  };
  CHECK_STORY("one, two, three, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, an_observer_is_the_last_that_is_called_with_an_outcome) {
  LONGS_EQUAL(1, pua_register_puacb(host.rig.pua, UL_PUBLISH, Host::on_record, host.call("observer")));
  LONGS_EQUAL(1, pua_register_puacb(host.rig.pua, UL_PUBLISH, Host::on_record, host.call("another")));
  host.rig.server->script = {200, 0};
  host.publish("alice", kAlice);
  host.then = [&] {
    host.publish("bob", kBob);
    host.free_in_the_next();
  };
  CHECK_STORY("alice 200, observer 200, bob 487, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, a_notify_handler_is_the_last) {
  for (const char* name : {"handler", "another"})
    LONGS_EQUAL(1, pua_register_notify(host.rig.pua, RLS_SUBSCRIBE, Host::on_notify, host.call(name)));
  host.notify();
  host.rig.server->silent = true;
  host.publish("alice", kAlice);
  host.free_in_the_next();
  CHECK_STORY("handler, alice 487, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, a_handler_of_unsolicited_notifies_is_the_last) {
  for (const char* name : {"handler", "another"})
    LONGS_EQUAL(1, pua_register_unsolicited(host.rig.pua, MSGSUM_EVENT, Host::on_unsolicited, host.call(name)));
  host.rig.server->silent = true;
  host.unsolicited("one");
  host.unsolicited("two");
  host.publish("alice", kAlice);
  host.free_in_the_next();
  CHECK_STORY("handler, alice 487, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, no_more_resources_of_a_list_are_shown) {
  host.rig.server->silent = true;
  host.publish("alice", kAlice);
  host.post("post");
  host.free_in_the_next();
  pua_t* pua = host.rig.pua;
  CHECK(pua != nullptr);
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, host.resources());
  CHECK_STORY("resource, alice 487, post, pua_free returned", host.until_gone());
}

TEST(ApiEndInside, all_resources_are_shown_of_an_instance_that_shuts_down) {
  host.shut_down_in_the_next();
  LONGS_EQUAL(3, host.resources());
  CHECK_STORY("resource, pua_shutdown returned, resource, resource, shut down", host.until_ran("shut down"));
}

TEST(ApiEndInside, a_body_processor_ends_its_own_request_and_the_open_ones) {
  LONGS_EQUAL(PUA_OK, pua_add_event(host.rig.pua, 1 << 20, "test-event", "text/plain", process));
  host.rig.server->silent = true;
  host.publish("alice", kAlice);
  host.flush("flush");
  g_process = [&] { host.free_now(); };
  std::string uri = kBob, document = "document";
  pua_str_t u = text(uri), body = text(document);
  publ_info_t p{};
  p.pres_uri = &u;
  p.body = &body;
  p.event = 1 << 20;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  p.cbrpl = Host::on_reply;
  p.cbparam = host.call("bob");
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, host.rig.send(p));
  CHECK_STORY("alice 487, flush not ok, pua_free returned", host.until_gone());
}

// Inside the log's callback anything may be half done, so that the completions come later, as pua.h says. The log itself is not
// called any more.
TEST(ApiEndInside, the_log_callback_is_not_called_again_and_the_completions_come_from_the_loop) {
  host.rig.server->script = {404};   // is logged
  for (const char* name : {"one", "two"}) host.publish(name, kAlice);
  host.flush("flush");
  host.post("post");
  pua_log_level(host.rig.pua, PUA_LOG_WARNING);
  const size_t before = host.rig.log.size();
  host.rig.on_log = [&] {
    if (!host.rig.pua || host.rig.log.size() == before) return;
    host.free_now();
  };
  CHECK(host.rig.until([&] { return host.rig.pua == nullptr; }));
  CHECK(host.rig.until([&] { return host.ran.size() == 5; }));
  host.rig.settle();
  LONGS_EQUAL(5, host.ran.size());
  LONGS_EQUAL(host.lines, host.rig.log.size());
}

TEST(ApiEndInside, rows_are_written_before_free_returns) {
  start({{"db_url", "sqlite://" + host.rig.dir.path("pua.db")}});
  host.publish("alice", kAlice);
  host.then = [&] {
    host.publish("bob", kBob);   // its row is still to be written
    host.rig.stop();
    for (const char* end : {"", "-wal"}) {
      std::string from = host.rig.dir.path("pua.db") + end;
      if (std::filesystem::exists(from)) std::filesystem::copy_file(from, host.rig.dir.path("as_it_was.db") + end);
    }
  };
  CHECK(host.rig.until([&] { return host.rig.pua == nullptr; }));
  LONGS_EQUAL(PUA_OK, host.rig.start({{"db_url", "sqlite://" + host.rig.dir.path("as_it_was.db")}}));
  LONGS_EQUAL(2, host.rig.stat("loaded"));
}

// --- pua_shutdown() --------------------------------------------------------------------------------------------------------

TEST(ApiEndInside, a_shutdown_in_a_reply_callback_is_over_after_all_others) {
  for (const char* name : {"one", "two", "three"}) host.publish(name, kAlice);
  host.shut_down_in_the_next();
  CHECK_STORY("one 200 superseded, pua_shutdown returned, two 200 superseded, three 200, shut down",
              host.until_ran("shut down"));
  LONGS_EQUAL(PUA_OK, host.shutdown_rc);
}

TEST(ApiEndInside, a_shutdown_in_a_flush_is_over_after_all_others) {
  for (const char* name : {"one", "two"}) host.flush(name);
  host.shut_down_in_the_next();
  CHECK_STORY("one ok, pua_shutdown returned, two ok, shut down", host.until_ran("shut down"));
}

TEST(ApiEndInside, a_shutdown_in_one_that_is_over_is_told_so_later) {
  for (const char* name : {"one", "two"}) host.shutdown(name);
  host.shut_down_in_the_next();
  CHECK_STORY("one, pua_shutdown returned, two, shut down", host.until_ran("shut down"));
}

TEST(ApiEndInside, a_shutdown_in_a_posted_function_is_over_after_all_others) {
  for (const char* name : {"one", "two"}) host.post(name);
  host.shut_down_in_the_next();
  CHECK_STORY("one, pua_shutdown returned, two, shut down", host.until_ran("shut down"));
}

TEST(ApiEndInside, a_shutdown_in_an_observer_is_over_after_all_others) {
  for (const char* name : {"observer", "another"})
    LONGS_EQUAL(1, pua_register_puacb(host.rig.pua, UL_PUBLISH, Host::on_record, host.call(name)));
  host.publish("alice", kAlice);
  host.then = [&] { host.shut_down_in_the_next(); };
  CHECK_STORY("alice 200, observer 200, pua_shutdown returned, another 200, shut down", host.until_ran("shut down"));
}

TEST(ApiEndInside, a_shutdown_in_a_handler_is_over_after_all_others) {
  for (const char* name : {"handler", "another"})
    LONGS_EQUAL(1, pua_register_unsolicited(host.rig.pua, MSGSUM_EVENT, Host::on_unsolicited, host.call(name)));
  host.unsolicited("one");
  host.shut_down_in_the_next();
  CHECK_STORY("handler, pua_shutdown returned, another, shut down", host.until_ran("shut down"));
}

// --- pua_run() -------------------------------------------------------------------------------------------------------------

namespace {
int g_libevent_lines = 0;   // what libevent would write to standard error
}

TEST_GROUP(ApiRunInside) {
  int rc = 1;        // outlive the host: the end of its instance may call it
  std::string why;
  Host host;
  void setup() override {
    g_libevent_lines = 0;
    event_set_log_callback([](int, const char*) { g_libevent_lines++; });
    LONGS_EQUAL(PUA_OK, host.rig.start());
    host.then = [this] { try_to_run(); };
  }
  void teardown() override { event_set_log_callback(nullptr); }
  void try_to_run() {
    rc = pua_run(host.rig.pua);
    why = host.rig.error();
  }
  void is_refused(const char* text = "pua_run() was called inside a callback") {
    CHECK(host.rig.until([&] { return rc != 1; }));
    LONGS_EQUAL(PUA_E_GENERIC, rc);
    STRCMP_EQUAL(text, why.c_str());
    LONGS_EQUAL(0, g_libevent_lines);
  }
};

TEST(ApiRunInside, a_reply_callback) {
  host.publish("alice", kAlice);
  is_refused();
}

TEST(ApiRunInside, a_flush) {
  host.flush("flush");
  is_refused();
}

TEST(ApiRunInside, a_posted_function) {
  host.post("post");
  is_refused("the loop runs already, this is inside a callback");
}

TEST(ApiRunInside, a_resource_callback) {   // though no loop runs around it
  LONGS_EQUAL(3, host.resources());
  is_refused();
}

TEST(ApiRunInside, a_body_processor) {
  LONGS_EQUAL(PUA_OK, pua_add_event(host.rig.pua, 1 << 20, "test-event", "text/plain", process));
  g_process = [&] { try_to_run(); };
  host.publish("alice", kAlice, 1 << 20);
  is_refused();
}

TEST(ApiRunInside, the_log_callback) {
  host.rig.on_log = [&] {
    if (rc == 1) try_to_run();
  };
  pua_log_level(host.rig.pua, PUA_LOG_DEBUG);
  host.publish("alice", kAlice);
  is_refused();
}
