// add_event and its body processors: who allocates, who frees, what is sent. (Leaks and double frees: the sanitizers.)
#include <stdlib.h>
#include <string.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

constexpr int kEvent = 1 << 20;

struct Call {
  std::string uri, id, body, content_type, tuple;
  int ver, expires, source, event;
  void* cb_param;
};

// What the processor of the test does; set by each test.
std::function<int(publ_info_t*, pua_str_t**, int, pua_str_t*)> g_process;
std::vector<Call> g_calls;

std::string copy(const pua_str_t& s) { return std::string(s.s ? s.s : "", static_cast<size_t>(s.len)); }

int process(publ_info_t* publ, pua_str_t** final_body, int ver, pua_str_t* tuple) {
  g_calls.push_back({copy(*publ->pres_uri), copy(publ->id), copy(*publ->body), copy(publ->content_type), copy(*tuple), ver,
                     publ->expires, publ->source_flag, publ->event, publ->cb_param});
  POINTERS_EQUAL(publ->body, *final_body);
  return g_process(publ, final_body, ver, tuple);
}

pua_str_t* malloced(const std::string& content) {
  pua_str_t* s = static_cast<pua_str_t*>(malloc(sizeof(pua_str_t)));
  s->s = static_cast<char*>(malloc(content.size() + 1));
  memcpy(s->s, content.data(), content.size());
  s->len = static_cast<int>(content.size());
  return s;
}

void keep(pua_str_t* tuple, const std::string& value) {
  tuple->s = static_cast<char*>(malloc(value.size() + 1));
  memcpy(tuple->s, value.data(), value.size());
  tuple->len = static_cast<int>(value.size());
}

}  // namespace

TEST_GROUP(ApiEvents) {
  Recorder got;  // outlives the instance: its end may call it
  Rig rig;
  void setup() override {
    g_calls.clear();
    g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t*) { return 0; };
    LONGS_EQUAL(PUA_OK, rig.start());
    LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, kEvent, "test-event", "text/plain", process));
  }
  void teardown() override { g_process = nullptr; }

  int send(const char* content, int expires = 600, void* cb_param = nullptr) {
    std::string address = "sip:alice@example.com", document = content ? content : "";
    pua_str_t uri = text(address), body = text(document);
    publ_info_t p{};
    p.id = {const_cast<char*>("desk"), 4};
    p.pres_uri = &uri;
    if (content) p.body = &body;
    p.event = kEvent;
    p.source_flag = UL_PUBLISH;
    p.expires = expires;
    p.cb_param = cb_param;
    p.cbrpl = Recorder::on_reply;
    p.cbparam = &got;
    return rig.send(p);
  }
  bool answered(size_t n) { return rig.until([&] { return got.answers.size() >= n; }); }
};

TEST(ApiEvents, an_unchanged_body_goes_out_as_it_is_and_nothing_is_freed) {
  int param = 0;
  LONGS_EQUAL(PUA_OK, send("as it is", 600, &param));
  LONGS_EQUAL(1, g_calls.size());  // inside the call
  CHECK(answered(1));
  STRCMP_EQUAL("as it is", rig.server->seen[0].body.c_str());
  STRCMP_EQUAL("test-event", rig.server->seen[0].header("Event").c_str());
  STRCMP_EQUAL("text/plain", rig.server->seen[0].header("Content-Type").c_str());
  const Call& c = g_calls[0];
  STRCMP_EQUAL("sip:alice@example.com", c.uri.c_str());
  STRCMP_EQUAL("desk", c.id.c_str());
  STRCMP_EQUAL("as it is", c.body.c_str());
  STRCMP_EQUAL("text/plain", c.content_type.c_str());
  STRCMP_EQUAL("", c.tuple.c_str());
  LONGS_EQUAL(1, c.ver);
  LONGS_EQUAL(600, c.expires);
  LONGS_EQUAL(UL_PUBLISH, c.source);
  LONGS_EQUAL(kEvent, c.event);
  POINTERS_EQUAL(&param, c.cb_param);
}

TEST(ApiEvents, a_changed_body_is_sent_and_freed_by_the_library) {
  g_process = [](publ_info_t* p, pua_str_t** out, int ver, pua_str_t*) {
    *out = malloced(copy(*p->body) + " " + std::to_string(ver));
    return 1;
  };
  LONGS_EQUAL(PUA_OK, send("version"));
  CHECK(answered(1));
  LONGS_EQUAL(PUA_OK, send("version"));
  CHECK(answered(2));
  STRCMP_EQUAL("version 1", rig.server->seen[0].body.c_str());
  STRCMP_EQUAL("version 2", rig.server->seen[1].body.c_str());
}

TEST(ApiEvents, the_tuple_is_kept_with_the_record) {
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t* tuple) {
    if (tuple->len == 0) keep(tuple, "t-1");
    return 0;
  };
  LONGS_EQUAL(PUA_OK, send("one"));
  CHECK(answered(1));
  LONGS_EQUAL(PUA_OK, send("two"));
  CHECK(answered(2));
  STRCMP_EQUAL("t-1", g_calls[1].tuple.c_str());
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t* tuple) {
    keep(tuple, "another");
    return 0;
  };
  LONGS_EQUAL(PUA_OK, send("three"));
  CHECK(answered(3));
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t*) { return 0; };
  LONGS_EQUAL(PUA_OK, send("four"));
  STRCMP_EQUAL("another", g_calls[3].tuple.c_str());
}

TEST(ApiEvents, what_was_made_is_sent_again_when_the_server_lost_it) {
  g_process = [](publ_info_t*, pua_str_t** out, int, pua_str_t*) {
    *out = malloced("made once");
    return 1;
  };
  LONGS_EQUAL(PUA_OK, send("document"));
  CHECK(answered(1));
  rig.server->script = {412};
  LONGS_EQUAL(PUA_OK, send(nullptr));
  CHECK(rig.until([&] { return rig.server->seen.size() == 3; }));
  STRCMP_EQUAL("made once", rig.server->seen[2].body.c_str());
  LONGS_EQUAL(1, g_calls.size());
}

TEST(ApiEvents, a_refused_document_changes_nothing) {
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t*) { return -1; };
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  LONGS_EQUAL(0, rig.stat("records"));
  CHECK_TEXT(rig.error().find("process_body") != std::string::npos, rig.error().c_str());
  rig.settle();
  LONGS_EQUAL(0, got.answers.size());
}

TEST(ApiEvents, misuse_by_the_processor_is_refused_without_a_leak) {
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t*) { return 1; };  // and no new body
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  g_process = [](publ_info_t*, pua_str_t** out, int, pua_str_t*) {
    *out = nullptr;
    return 1;
  };
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  g_process = [](publ_info_t*, pua_str_t** out, int, pua_str_t*) {
    *out = malloced("x");
    (*out)->len = -1;
    return 1;
  };
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t* tuple) {
    keep(tuple, std::string(256, 't'));
    return 0;
  };
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  g_process = [](publ_info_t*, pua_str_t** out, int, pua_str_t* tuple) {
    *out = malloced("good");
    tuple->len = 5;  // longer than what was there
    return 1;
  };
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  g_process = [](publ_info_t*, pua_str_t**, int, pua_str_t*) { return 2; };
  LONGS_EQUAL(PUA_E_BAD_BODY, send("document"));
  LONGS_EQUAL(0, rig.stat("records"));
}

TEST(ApiEvents, it_is_not_called_without_a_body_or_for_a_removal) {
  LONGS_EQUAL(PUA_OK, send("document"));
  CHECK(answered(1));
  LONGS_EQUAL(PUA_OK, send(nullptr));
  CHECK(answered(2));
  LONGS_EQUAL(PUA_OK, send("document", 0));
  CHECK(answered(3));
  LONGS_EQUAL(1, g_calls.size());
}

TEST(ApiEvents, the_processor_may_free_the_instance) {
  LONGS_EQUAL(PUA_OK, send("document"));
  g_process = [&](publ_info_t*, pua_str_t**, int, pua_str_t*) {
    rig.stop();
    return 0;
  };
  std::string address = "sip:alice@example.com";
  pua_t* before = rig.pua;
  CHECK(before != nullptr);
  LONGS_EQUAL(PUA_E_SHUTTING_DOWN, send("another"));
  LONGS_EQUAL(1, got.answers.size());  // the first one; the second was not accepted
  rig.settle();
  LONGS_EQUAL(1, got.answers.size());
}

TEST(ApiEvents, a_known_name_stays_and_a_taken_bit_is_refused) {
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, kEvent, "test-event", "text/html", nullptr));
  LONGS_EQUAL(PUA_OK, send("document"));
  CHECK(answered(1));
  STRCMP_EQUAL("text/plain", rig.server->seen[0].header("Content-Type").c_str());
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, PWINFO_EVENT, "presence;winfo", nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, PRESENCE_EVENT, "other", nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 3, "other", nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 0, "other", nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 1 << 21, nullptr, nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 1 << 21, "", nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 1 << 21, "a\r\nb", nullptr, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_add_event(rig.pua, 1 << 21, "other", "text", nullptr));
}

TEST(ApiEvents, parked_records_are_taken_up_when_their_event_is_registered) {
  rig.stop();
  Parameters store = {{"db_url", "sqlite://" + rig.dir.path("pua.db")}};
  LONGS_EQUAL(PUA_OK, rig.start(store));
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, kEvent, "test-event", "text/plain", process));
  LONGS_EQUAL(PUA_OK, send("document"));
  CHECK(answered(1));
  rig.stop();
  LONGS_EQUAL(PUA_OK, rig.start(store));
  CHECK(rig.until([&] { return rig.stat("parked") == 1; }));
  LONGS_EQUAL(0, rig.stat("records"));
  LONGS_EQUAL(PUA_OK, pua_add_event(rig.pua, kEvent, "test-event", "text/plain", process));
  CHECK(rig.until([&] { return rig.stat("records") == 1; }));
  LONGS_EQUAL(0, rig.stat("parked"));
  LONGS_EQUAL(PUA_OK, send(nullptr));
  CHECK(answered(2));
  STRCMP_EQUAL("etag1", rig.server->seen.back().header("SIP-If-Match").c_str());
}
