// Publications through the C ABI, with the real SIP stack and a server in the test's own loop.
//
//   test -- pua_send_publish --> instance -- PUBLISH --> Responder
//        <------ cbrpl --------           <--  200 -----
#include <string>
#include <vector>

#include "tests/api/rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua::test;

namespace {

const std::string kAlice = "sip:alice@example.com";

}  // namespace

TEST_GROUP(ApiPublish) {
  Recorder got;  // outlives the instance: its end may call it
  Rig rig;

  void start(const Parameters& p = {}) { LONGS_EQUAL(PUA_OK, rig.start(p)); }
  bool answered(size_t n) { return rig.until([&] { return got.answers.size() >= n; }); }
  // Published, and answered.
  void live(const std::string& uri) {
    size_t before = got.answers.size();
    LONGS_EQUAL(PUA_OK, rig.publish(uri, kDocument, 3600, &got));
    CHECK(answered(before + 1));
    LONGS_EQUAL(200, got.answers.back().status);
  }
};

TEST(ApiPublish, a_publication_is_answered_once_and_not_inside_the_call) {
  start();
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 3600, &got));
  LONGS_EQUAL(0, got.answers.size());
  CHECK(answered(1));
  rig.settle();
  LONGS_EQUAL(1, got.answers.size());
  LONGS_EQUAL(1, rig.server->seen.size());
  STRCMP_EQUAL("presence", rig.server->seen[0].header("Event").c_str());
  STRCMP_EQUAL("3600", rig.server->seen[0].header("Expires").c_str());
  STRCMP_EQUAL("application/pidf+xml", rig.server->seen[0].header("Content-Type").c_str());
  STRCMP_EQUAL("", rig.server->seen[0].header("SIP-If-Match").c_str());
  STRCMP_EQUAL(kDocument, rig.server->seen[0].body.c_str());
}

// RFC 3261 section 19.1.4: an escaped ';' is not a ';'. Each has a publication of its own, and each request names its own.
TEST(ApiPublish, presentities_that_differ_in_an_escape_are_two) {
  start();
  const char* const uris[] = {"sip:a%3Bb@example.com", "sip:a;b@example.com", "sip:a%3bb@example.com"};
  for (const char* uri : uris) live(uri);
  for (size_t i = 0; i < 3; i++) {
    const std::string& text = rig.server->seen[i].text;
    STRCMP_EQUAL((std::string("PUBLISH ") + uris[i] + " SIP/2.0").c_str(), text.substr(0, text.find("\r\n")).c_str());
    STRCMP_EQUAL((std::string("<") + uris[i] + ">").c_str(), rig.server->seen[i].header("To").c_str());
  }
  LONGS_EQUAL(3, rig.stat("records"));
}

// A sips: presentity and a next hop in the clear: nothing is sent, and the owner is told why.
TEST(ApiPublish, a_sips_presentity_is_not_sent_in_the_clear) {
  start();
  LONGS_EQUAL(PUA_OK, rig.publish("sips:alice@example.com", kDocument, 3600, &got));
  CHECK(answered(1));
  LONGS_EQUAL(503, got.answers[0].status);
  STRCMP_CONTAINS("a sips: URI goes by TLS only", got.answers[0].reason.c_str());
  rig.settle();
  LONGS_EQUAL(0, rig.server->seen.size());
}

TEST(ApiPublish, the_reply_tells_all_it_knows) {
  start();
  rig.server->extra = "X-Note: first\r\nServer: test-server\r\n";
  rig.server->grant = 1800;
  std::string note, server, none;
  int missing = 0, bad = 0;
  void* param = nullptr;
  pua_t* instance = nullptr;
  got.then = [&](pua_reply_t* r) {
    pua_str_t v;
    if (pua_reply_header(r, "x-note", &v) == PUA_OK) note.assign(v.s, static_cast<size_t>(v.len));
    pua_str_t w;
    if (pua_reply_header(r, "Server", &w) == PUA_OK) server.assign(w.s, static_cast<size_t>(w.len));
    CHECK_EQUAL(std::string("first"), std::string(v.s, static_cast<size_t>(v.len)));  // still valid
    missing = pua_reply_header(r, "Warning", &v);
    POINTERS_EQUAL(nullptr, v.s);
    bad = pua_reply_header(r, nullptr, &v);
    param = pua_reply_param(r);
    instance = pua_reply_instance(r);
  };
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 3600, &got));
  CHECK(answered(1));
  const Answer& a = got.answers[0];
  LONGS_EQUAL(200, a.status);
  STRCMP_EQUAL("OK", a.reason.c_str());
  LONGS_EQUAL(PUA_ORIGIN_WIRE, a.origin);
  STRCMP_EQUAL("etag1", a.etag.c_str());
  LONGS_EQUAL(1800, a.expires);
  CHECK_FALSE(a.durable);   // of memory: nothing is
  CHECK_FALSE(a.superseded);
  CHECK_FALSE(a.by_timer);
  STRCMP_EQUAL("first", note.c_str());
  STRCMP_EQUAL("test-server", server.c_str());
  LONGS_EQUAL(PUA_E_NOT_FOUND, missing);
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, bad);
  POINTERS_EQUAL(&got, param);
  POINTERS_EQUAL(rig.pua, instance);
}

TEST(ApiPublish, accessors_take_a_null_reply) {
  pua_str_t v{nullptr, 7};
  LONGS_EQUAL(0, pua_reply_status(nullptr));
  LONGS_EQUAL(0, pua_reply_reason(nullptr).len);
  LONGS_EQUAL(0, pua_reply_etag(nullptr).len);
  LONGS_EQUAL(0, pua_reply_origin(nullptr));
  LONGS_EQUAL(0, pua_reply_expires(nullptr));
  LONGS_EQUAL(0, pua_reply_durable(nullptr) + pua_reply_superseded(nullptr) + pua_reply_by_timer(nullptr) +
                     pua_reply_kept(nullptr));
  POINTERS_EQUAL(nullptr, pua_reply_param(nullptr));
  POINTERS_EQUAL(nullptr, pua_reply_instance(nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_reply_header(nullptr, "Expires", &v));
  LONGS_EQUAL(0, v.len);
}

TEST(ApiPublish, modify_refresh_and_removal_name_the_entity_tag) {
  start({{"db_url", "sqlite://" + rig.dir.path("pua.db")}});
  live(kAlice);
  live(kAlice);  // the same document again is a modify, too: the owner asked for it
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, nullptr, 3600, &got));
  CHECK(answered(3));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, nullptr, 0, &got));
  CHECK(answered(4));
  const auto& seen = rig.server->seen;
  LONGS_EQUAL(4, seen.size());
  STRCMP_EQUAL("etag1", seen[1].header("SIP-If-Match").c_str());
  STRCMP_EQUAL("etag2", seen[2].header("SIP-If-Match").c_str());
  STRCMP_EQUAL("", seen[2].body.c_str());
  STRCMP_EQUAL("", seen[2].header("Content-Type").c_str());
  STRCMP_EQUAL("etag3", seen[3].header("SIP-If-Match").c_str());
  STRCMP_EQUAL("0", seen[3].header("Expires").c_str());
  STRCMP_EQUAL("", got.answers[3].etag.c_str());
  LONGS_EQUAL(0, got.answers[3].expires);
  CHECK(got.answers[3].durable);
}

TEST(ApiPublish, the_documented_return_codes) {
  start();
  rig.settle();  // the store is loaded
  LONGS_EQUAL(ERR_PUBLISH_NO_RECORD, rig.publish(kAlice, nullptr, 0, &got));
  LONGS_EQUAL(ERR_PUBLISH_NO_BODY, rig.publish(kAlice, nullptr, 3600, &got));
  pua_str_t uri = text(kAlice), etag = pua_str_t{const_cast<char*>("etag1"), 5};
  publ_info_t p{};
  p.pres_uri = &uri;
  p.event = PRESENCE_EVENT;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  p.etag = &etag;
  LONGS_EQUAL(418, rig.send(p));
  live(kAlice);
  LONGS_EQUAL(PUA_OK, rig.send(p));
  etag.len = 4;
  LONGS_EQUAL(418, rig.send(p));
  CHECK_TEXT(rig.error().find("etag") != std::string::npos, rig.error().c_str());
  rig.settle();
  LONGS_EQUAL(1, got.answers.size());  // nothing refused was completed
}

TEST(ApiPublish, insert_on_a_known_key_is_a_modify_and_update_without_record_inserts) {
  start();
  rig.settle();
  pua_str_t uri = text(kAlice);
  std::string document = kDocument;
  pua_str_t body = text(document);
  publ_info_t p{};
  p.pres_uri = &uri;
  p.event = PRESENCE_EVENT;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  p.cbrpl = Recorder::on_reply;
  p.cbparam = &got;
  p.flag = UPDATE_TYPE;
  LONGS_EQUAL(ERR_PUBLISH_NO_BODY, rig.send(p));
  p.body = &body;
  LONGS_EQUAL(PUA_OK, rig.send(p));
  CHECK(answered(1));
  p.flag = INSERT_TYPE;
  LONGS_EQUAL(PUA_OK, rig.send(p));
  CHECK(answered(2));
  STRCMP_EQUAL("etag1", rig.server->seen[1].header("SIP-If-Match").c_str());
  LONGS_EQUAL(1, rig.stat("records"));
}

TEST(ApiPublish, bad_arguments_get_a_named_error) {
  start({{"max_body", "1000"}, {"max_headers", "100"}});
  std::string document = kDocument, large(1001, 'x');
  auto refused = [&](int code, const char* field, const std::function<void(publ_info_t&)>& spoil) {
    pua_str_t uri = text(kAlice), body = text(document);
    publ_info_t p{};
    p.pres_uri = &uri;
    p.body = &body;
    p.event = PRESENCE_EVENT;
    p.source_flag = UL_PUBLISH;
    p.expires = 600;
    p.cbrpl = Recorder::on_reply;
    p.cbparam = &got;
    spoil(p);
    LONGS_EQUAL_TEXT(code, rig.send(p), field);
    CHECK_TEXT(rig.error().find(field) != std::string::npos, rig.error().c_str());
  };
  auto lit = [](const char* s, int len) { return pua_str_t{const_cast<char*>(s), len}; };
  pua_str_t s{};
  refused(PUA_E_BAD_ARGUMENT, "pres_uri", [&](publ_info_t& p) { p.pres_uri = nullptr; });
  refused(PUA_E_BAD_ARGUMENT, "pres_uri", [&](publ_info_t& p) { p.pres_uri->len = -1; });
  refused(PUA_E_BAD_ARGUMENT, "pres_uri", [&](publ_info_t& p) { p.pres_uri->s = nullptr; });
  refused(PUA_E_BAD_ARGUMENT, "body", [&](publ_info_t& p) { p.body->len = -5; });
  refused(PUA_E_BAD_ARGUMENT, "id", [&](publ_info_t& p) { p.id = {nullptr, 3}; });
  refused(PUA_E_BAD_ARGUMENT, "content_type", [&](publ_info_t& p) { p.content_type = lit("text/plain", -10); });
  refused(PUA_E_BAD_ARGUMENT, "etag", [&](publ_info_t& p) { s = {nullptr, 1}; p.etag = &s; });
  refused(PUA_E_BAD_ARGUMENT, "extra_headers", [&](publ_info_t& p) { s = {nullptr, -1}; p.extra_headers = &s; });
  refused(PUA_E_BAD_ARGUMENT, "outbound_proxy", [&](publ_info_t& p) { p.outbound_proxy = {nullptr, 9}; });
  refused(PUA_E_BAD_ARGUMENT, "source_flag", [&](publ_info_t& p) { p.source_flag = 0; });
  refused(PUA_E_BAD_ARGUMENT, "source_flag", [&](publ_info_t& p) { p.source_flag = UL_PUBLISH | MI_PUBLISH; });
  refused(PUA_E_BAD_ARGUMENT, "event", [&](publ_info_t& p) { p.event = PRESENCE_EVENT | DIALOG_EVENT; });
  refused(PUA_E_BAD_ARGUMENT, "event", [&](publ_info_t& p) { p.event = -1; });
  refused(PUA_E_BAD_ARGUMENT, "flag", [&](publ_info_t& p) { p.flag = INSERT_TYPE | UPDATE_TYPE; });
  refused(PUA_E_BAD_ARGUMENT, "content_type", [&](publ_info_t& p) { p.event = CALLINFO_EVENT; });  // has no default
  refused(PUA_E_UNKNOWN_EVENT, "event", [&](publ_info_t& p) { p.event = 1 << 25; });
  refused(PUA_E_BAD_URI, "pres_uri", [&](publ_info_t& p) { *p.pres_uri = lit("http://example.com", 18); });
  refused(PUA_E_BAD_URI, "pres_uri", [&](publ_info_t& p) { *p.pres_uri = lit("", 0); });
  refused(PUA_E_BAD_URI, "pres_uri", [&](publ_info_t& p) { *p.pres_uri = lit("sip:a@b\r\nX: y", 13); });
  refused(PUA_E_BAD_URI, "pres_uri", [&](publ_info_t& p) { *p.pres_uri = lit("sip:a@b\0c", 9); });
  refused(PUA_E_BAD_URI, "outbound_proxy", [&](publ_info_t& p) { p.outbound_proxy = lit("sip:p\nq", 7); });
  refused(PUA_E_BAD_HEADER, "id", [&](publ_info_t& p) { p.id = lit("a\rb", 3); });
  refused(PUA_E_BAD_HEADER, "etag", [&](publ_info_t& p) { s = lit("a\r\nb", 4); p.etag = &s; });
  refused(PUA_E_BAD_HEADER, "content_type", [&](publ_info_t& p) { p.content_type = lit("text/plain\r\n", 12); });
  refused(PUA_E_BAD_HEADER, "extra_headers", [&](publ_info_t& p) { s = lit("X-A: b", 6); p.extra_headers = &s; });
  refused(PUA_E_BAD_HEADER, "extra_headers", [&](publ_info_t& p) { s = lit("X-A: b\r\n\r\n", 10); p.extra_headers = &s; });
  refused(PUA_E_BAD_HEADER, "Expires", [&](publ_info_t& p) { s = lit("Expires: 1\r\n", 12); p.extra_headers = &s; });
  refused(PUA_E_TOO_LARGE, "body", [&](publ_info_t& p) { *p.body = text(large); });
  refused(PUA_E_TOO_LARGE, "id", [&](publ_info_t& p) { p.id = text(large); });
  refused(PUA_E_BAD_BODY, "", [&](publ_info_t& p) { *p.body = lit("not xml", 7); });
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_send_publish(rig.pua, nullptr));
  LONGS_EQUAL(PUA_E_BAD_ARGUMENT, pua_send_publish(nullptr, nullptr));
  CHECK(std::string(pua_last_error(nullptr)).find("pua is NULL") != std::string::npos);
  rig.settle();
  LONGS_EQUAL(0, got.answers.size());
  LONGS_EQUAL(0, rig.server->seen.size());
}

TEST(ApiPublish, limits_are_named) {
  start({{"max_records", "1"}, {"max_waiters", "2"}});
  rig.server->silent = true;
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(PUA_E_TOO_MANY_RECORDS, rig.publish("sip:bob@example.com", kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  LONGS_EQUAL(PUA_E_TOO_MANY_WAITERS, rig.publish(kAlice, kDocument, 600, &got));
  rig.stop();
  LONGS_EQUAL(2, got.answers.size());
}

TEST(ApiPublish, strings_are_taken_by_length_and_copied) {
  start();
  std::string uri = "XXsip:carol@example.comYY", document = std::string(kDocument) + "<rubbish", id = "idZZ";
  pua_str_t u{uri.data() + 2, 21}, b{document.data(), static_cast<int>(document.size()) - 8};
  std::string headers = "X-Extra: 1\r\nX-More: 2\r\njunk", proxy = rig.server->uri() + "9999";
  pua_str_t h{headers.data(), 23};
  publ_info_t p{};
  p.id = {id.data(), 2};
  p.pres_uri = &u;
  p.body = &b;
  p.extra_headers = &h;
  p.outbound_proxy = {proxy.data(), static_cast<int>(proxy.size()) - 4};
  p.event = PRESENCE_EVENT;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  p.cbrpl = Recorder::on_reply;
  p.cbparam = &got;
  LONGS_EQUAL(PUA_OK, rig.send(p));
  for (std::string* s : {&uri, &document, &headers, &proxy, &id}) s->assign(s->size(), '#');
  CHECK(answered(1));
  LONGS_EQUAL(200, got.answers[0].status);
  const SipText& m = rig.server->seen[0];
  CHECK(m.text.starts_with("PUBLISH sip:carol@example.com SIP/2.0\r\n"));
  STRCMP_EQUAL(kDocument, m.body.c_str());
  STRCMP_EQUAL("1", m.header("X-Extra").c_str());
  STRCMP_EQUAL("2", m.header("X-More").c_str());
}

TEST(ApiPublish, content_type_without_body_is_ignored) {
  start();
  live(kAlice);
  pua_str_t uri = text(kAlice), nothing{nullptr, 0};
  publ_info_t p{};
  p.pres_uri = &uri;
  p.body = &nothing;
  p.content_type = {const_cast<char*>("application/pidf+xml"), 20};
  p.event = PRESENCE_EVENT;
  p.source_flag = UL_PUBLISH;
  p.expires = 600;
  LONGS_EQUAL(PUA_OK, rig.send(p));
  CHECK(rig.until([&] { return rig.server->seen.size() == 2; }));
  STRCMP_EQUAL("", rig.server->seen[1].header("Content-Type").c_str());
}

TEST(ApiPublish, waiting_requests_are_superseded_by_the_newest) {
  start();
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return rig.server->seen.size() == 1; }) && got.answers.empty());
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 700, &got));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 800, &got));
  CHECK(answered(3));
  LONGS_EQUAL(2, rig.server->seen.size());
  STRCMP_EQUAL("800", rig.server->seen[1].header("Expires").c_str());
  CHECK_FALSE(got.answers[0].superseded);
  CHECK(got.answers[1].superseded);
  CHECK_FALSE(got.answers[2].superseded);
  STRCMP_EQUAL(got.answers[2].etag.c_str(), got.answers[1].etag.c_str());
  LONGS_EQUAL(1, rig.stat("superseded"));
}

TEST(ApiPublish, an_error_reply_and_a_refusal_reach_the_caller) {
  start();
  rig.server->script = {500, 489};
  rig.server->extra = "Retry-After: 7\r\n";
  std::string retry_after;
  got.then = [&](pua_reply_t* r) {
    pua_str_t v;
    if (pua_reply_header(r, "Retry-After", &v) == PUA_OK) retry_after.assign(v.s, static_cast<size_t>(v.len));
  };
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(answered(1));
  LONGS_EQUAL(500, got.answers[0].status);
  STRCMP_EQUAL("7", retry_after.c_str());
  CHECK(got.answers[0].kept);
  LONGS_EQUAL(1, rig.stat("records"));
  LONGS_EQUAL(PUA_OK, rig.publish("sip:bob@example.com", kDocument, 600, &got));
  CHECK(answered(2));
  CHECK_FALSE(got.answers[1].kept);
  LONGS_EQUAL(489, got.answers[1].status);
  CHECK(rig.until([&] { return rig.stat("records") == 1; }));
}

TEST(ApiPublish, no_answer_is_a_reply_too) {
  start({{"sip_t1", "10"}});
  rig.server->silent = true;
  int header = 0;
  got.then = [&](pua_reply_t* r) {
    pua_str_t v;
    header = pua_reply_header(r, "Expires", &v);
  };
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(answered(1));
  LONGS_EQUAL(408, got.answers[0].status);
  LONGS_EQUAL(PUA_ORIGIN_TIMEOUT, got.answers[0].origin);
  LONGS_EQUAL(PUA_E_NOT_FOUND, header);
  LONGS_EQUAL(1, rig.stat("timeouts"));
}

TEST(ApiPublish, a_callback_may_publish_and_null_callbacks_are_legal) {
  start();
  Recorder second;
  got.then = [&](pua_reply_t* r) {
    LONGS_EQUAL(PUA_OK, rig.publish(kAlice, nullptr, 0, &second));
    LONGS_EQUAL(0, second.answers.size());
    POINTERS_EQUAL(rig.pua, pua_reply_instance(r));
  };
  LONGS_EQUAL(PUA_OK, rig.publish("sip:bob@example.com", kDocument, 600, nullptr));
  LONGS_EQUAL(PUA_OK, rig.publish(kAlice, kDocument, 600, &got));
  CHECK(rig.until([&] { return second.answers.size() == 1; }));
  LONGS_EQUAL(200, second.answers[0].status);
  LONGS_EQUAL(1, got.answers.size());
}
