// The commands of subscriptions: parameters, answers, errors; lists and details of both kinds.
#include <jansson.h>

#include <memory>
#include <string>

#include "tests/control/command_rig.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;

namespace {

struct WithCallId : ReplyMessage {
  bool header(std::string_view name, std::string& out) const override {
    if (name != "Call-ID") return false;
    out = "call1@host";
    return true;
  }
};

constexpr const char* kThree = R"("presentity_uri":"sip:bob@b","watcher_uri":"sip:alice@a","event_package":"presence")";

}  // namespace

TEST_GROUP_BASE(SubscribeCommands, CommandRig) {
  json_t* first_record() { return json_array_get(json_object_get(result(), "records"), 0); }
  static std::string text(const json_t* object, const char* name) {
    const json_t* v = json_object_get(object, name);
    return json_is_string(v) ? json_string_value(v) : "(none)";
  }
  static RecordView subscription() {
    RecordView r;
    r.kind = Kind::Subscription;
    r.id = 7;
    r.source = 256;
    r.event = 1;
    r.event_name = "presence";
    r.pres_uri = "sip:bob@b";
    r.watcher_uri = "sip:alice@a";
    r.to_uri = "sip:bob@b";
    r.state = "live";
    r.dialog = "active";
    r.call_id = "c@h";
    r.from_tag = "f";
    r.to_tag = "t";
    r.remote_target = "sip:bob@192.0.2.1";
    r.route_set = "<sip:p;lr>";
    r.contact = "sip:us@192.0.2.2";
    r.notify_state = "active";
    r.notify_content_type = "application/pidf+xml";
    r.notify_body = "<presence/>";
    r.notify_ago_ms = 1500;
    r.notifies = 3;
    r.notify_cseq = 9;
    return r;
  }
};

TEST(SubscribeCommands, pua_subscribe_takes_named_parameters) {
  call("pua_subscribe", std::string("{") + kThree +
                            R"(,"expires":600,"contact":"sip:me@c","id":"x","outbound_proxy":"sip:p","extra_headers":"A: 1",)"
                            R"("event_id":7,"to_uri":"sip:to@b","remote_target":"sip:rt@b",)"
                            R"("body":"<f/>","content_type":"text/x-f"})");
  CHECK_TEXT(answer.empty(), "answered before the final reply");
  LONGS_EQUAL(1, world.pua.taken.size());
  const Taken& t = world.pua.taken.front();
  LONGS_EQUAL(256, t.source);
  LONGS_EQUAL(1, t.event);
  STRCMP_EQUAL("sip:bob@b", t.pres_uri.c_str());
  STRCMP_EQUAL("sip:alice@a", t.watcher_uri.c_str());
  LONGS_EQUAL(600, t.expires);
  STRCMP_EQUAL("sip:me@c", t.contact.c_str());
  STRCMP_EQUAL("x", t.id.c_str());
  STRCMP_EQUAL("sip:p", t.outbound_proxy.c_str());
  STRCMP_EQUAL("A: 1\r\n", t.extra_headers.c_str());
  STRCMP_EQUAL("7", t.event_id.c_str());
  STRCMP_EQUAL("sip:to@b", t.to_uri.c_str());
  STRCMP_EQUAL("sip:rt@b", t.remote_target.c_str());
  STRCMP_EQUAL("<f/>", t.body.value_or("none").c_str());
  STRCMP_EQUAL("text/x-f", t.content_type.c_str());
}

TEST(SubscribeCommands, the_documented_names_and_positions_are_known) {
  for (const char* name : {"pua_subscribe", "pua_mi:subscribe", "pua.subscribe", "pua.send_subscribe"}) {
    call(name, R"(["sip:bob@b","sip:alice@a","presence","-1"])");
    LONGS_EQUAL_TEXT(1, world.pua.taken.size(), name);
    LONGS_EQUAL(kForEver, world.pua.taken.front().expires);
    world.pua.complete(200, "OK");
  }
}

TEST(SubscribeCommands, a_dot_stands_for_a_parameter_left_out_of_kamailios_command) {
  call("pua.subscribe", R"(["sip:bob@b","sip:alice@a","presence",".",".","x"])");
  LONGS_EQUAL(world.context.default_expires, world.pua.taken.at(0).expires);
  STRCMP_EQUAL("", world.pua.taken.at(0).contact.c_str());
  STRCMP_EQUAL("x", world.pua.taken.at(0).id.c_str());
}

TEST(SubscribeCommands, the_answer_holds_the_final_reply) {
  call("pua_subscribe", std::string("{") + kThree + "}");
  world.pua.message = std::make_shared<WithCallId>();
  world.pua.complete(202, "Accepted", "", 3600);
  STRCMP_EQUAL(R"({"jsonrpc":"2.0","result":{"reply":"202 Accepted","code":202,"reason":"Accepted","Expires":3600,)"
               R"("Call-ID":"call1@host","durable":true},"id":1})",
               answer.c_str());
}

TEST(SubscribeCommands, a_final_reply_of_300_and_above_is_an_error) {
  call("pua_subscribe", std::string("{") + kThree + "}");
  world.pua.complete(403, "Forbidden");
  error(403, "Forbidden");
  call("pua_subscribe", std::string("{") + kThree + "}");
  world.pua.complete(408, "Request Timeout", "", 0, true, ReplyOrigin::Timeout);
  error(408, "Request Timeout");
  STRCMP_CONTAINS("\"data\":\"timeout\"", answer.c_str());
  call("pua_subscribe", std::string("{") + kThree + "}");
  world.pua.complete(481, "No such dialog");
  error(481, "No such dialog");
}

TEST(SubscribeCommands, what_is_missing_or_wrong_is_named) {
  fails("pua_subscribe", R"({"presentity_uri":"sip:bob@b","event_package":"presence"})", -32602,
        "Invalid params: watcher_uri: missing");
  fails("pua_subscribe", R"(["","sip:alice@a","presence",60])", 404, "Empty presentity URI");
  fails("pua_subscribe", R"(["sip:bob@b","","presence",60])", 400, "Empty watcher URI");
  fails("pua_subscribe", R"(["sip:bob@b","sip:alice@a","",60])", 400, "Empty event parameter");
  fails("pua_subscribe", R"(["sip:bob@b","sip:alice@a","nonsense",60])", 400, "Unknown event");
  fails("pua_subscribe", std::string("{") + kThree + R"(,"extra_headers":""})", 400, "Empty extra_headers");
  world.pua.refuse_next = Error{Errc::bad_uri, "watcher_uri: no scheme"};
  fails("pua_subscribe", R"(["sip:bob@b","alice","presence",60])", 400, "Bad uri");
  STRCMP_CONTAINS("watcher_uri: no scheme", answer.c_str());
  world.pua.refuse_next = Error{Errc::no_memory, "no memory"};
  fails("pua_subscribe", R"(["sip:bob@b","sip:alice@a","presence",60])", 500, "MI/SUBSCRIBE failed");
}

TEST(SubscribeCommands, unsubscribe_ends_a_subscription_that_is_there) {
  world.pua.records.push_back(subscription());
  for (const char* name : {"pua_unsubscribe", "pua_mi:unsubscribe", "pua.unsubscribe"}) {
    call(name, R"(["sip:bob@b","sip:alice@a","presence"])");
    LONGS_EQUAL_TEXT(1, world.pua.taken.size(), name);
    LONGS_EQUAL(0, world.pua.taken.front().expires);
    world.pua.complete(200, "OK");
    STRCMP_EQUAL("200 OK", text(result(), "reply").c_str());
  }
}

TEST(SubscribeCommands, the_presentity_as_to_is_the_same_as_none) {
  call("pua_subscribe", std::string("{") + kThree + R"(,"to_uri":"sip:bob@b"})");
  STRCMP_EQUAL("", world.pua.taken.at(0).to_uri.c_str());
  world.pua.records.push_back(subscription());
  call("pua_unsubscribe", R"(["sip:bob@b","sip:alice@a","presence","","sip:bob@b"])");
  LONGS_EQUAL(2, world.pua.taken.size());
  STRCMP_EQUAL("", world.pua.taken.at(1).to_uri.c_str());
}

TEST(SubscribeCommands, unsubscribe_answered_with_481_was_what_was_wanted) {
  world.pua.records.push_back(subscription());
  call("pua_unsubscribe", R"(["sip:bob@b","sip:alice@a","presence"])");
  world.pua.complete(481, "Subscription does not exist");
  STRCMP_EQUAL("481 Subscription does not exist", text(result(), "reply").c_str());
}

TEST(SubscribeCommands, unsubscribe_never_fetches) {
  fails("pua_unsubscribe", R"(["sip:bob@b","sip:alice@a","presence"])", 404, "No such subscription");
  world.pua.records.push_back(subscription());
  fails("pua_unsubscribe", R"(["sip:bob@b","sip:carol@a","presence"])", 404, "No such subscription");
  fails("pua_unsubscribe", R"(["sip:bob@b","sip:alice@a","presence","x"])", 404, "No such subscription");
  fails("pua_unsubscribe", R"(["sip:bob@b","sip:alice@a","presence","","sip:to@b"])", 404, "No such subscription");
  world.pua.counters.loading = 1;
  fails("pua_unsubscribe", R"(["sip:bob@b","sip:carol@a","presence"])", 503,
        "The stored records are being loaded: try again");
}

TEST(SubscribeCommands, lists_are_filtered_by_kind_and_show_the_dialog) {
  world.pua.records.push_back(subscription());
  call("pua_list", R"({"kind":"subscription"})");
  CHECK(world.pua.last_filter.kind == Kind::Subscription);
  json_t* r = first_record();
  STRCMP_EQUAL("subscription", text(r, "kind").c_str());
  STRCMP_EQUAL("sip:alice@a", text(r, "watcher_uri").c_str());
  STRCMP_EQUAL("active", text(r, "dialog").c_str());
  STRCMP_EQUAL("active", text(r, "notify_state").c_str());
  STRCMP_EQUAL("MI_SUBSCRIBE", text(r, "source_name").c_str());
  STRCMP_EQUAL("(none)", text(r, "etag").c_str());
  call("pua_list", R"({"kind":"publication"})");
  LONGS_EQUAL(0, json_array_size(json_object_get(result(), "records")));
  call("pua_list", "{}");
  CHECK(!world.pua.last_filter.kind);
  fails("pua_list", R"({"kind":"x"})", -32602, "Invalid params: kind: must be publication or subscription");
}

TEST(SubscribeCommands, show_has_a_document_that_is_no_utf_8_to_the_octet) {
  world.pua.records.push_back(subscription());
  world.pua.records.back().notify_body = "\xff\xee\xdd\xcc";
  call("pua_show", R"({"uri":"sip:bob@b","kind":"subscription"})");
  json_t* r = first_record();
  STRCMP_EQUAL("/+7dzA==", text(r, "body_base64").c_str());
  STRCMP_EQUAL("(none)", text(r, "body").c_str());
}

TEST(SubscribeCommands, show_has_the_dialog_and_the_last_notify) {
  world.pua.records.push_back(subscription());
  call("pua_show", R"({"uri":"sip:bob@b","kind":"subscription"})");
  json_t* r = first_record();
  STRCMP_EQUAL("f", text(r, "from_tag").c_str());
  STRCMP_EQUAL("t", text(r, "to_tag").c_str());
  STRCMP_EQUAL("sip:bob@192.0.2.1", text(r, "remote_target").c_str());
  STRCMP_EQUAL("<sip:p;lr>", text(r, "route_set").c_str());
  STRCMP_EQUAL("sip:us@192.0.2.2", text(r, "contact").c_str());
  STRCMP_EQUAL("application/pidf+xml", text(r, "content_type").c_str());
  STRCMP_EQUAL("<presence/>", text(r, "body").c_str());
  LONGS_EQUAL(1500, json_integer_value(json_object_get(r, "notify_ago_ms")));
  LONGS_EQUAL(3, json_integer_value(json_object_get(r, "notifies")));
  STRCMP_EQUAL("(none)", text(r, "to_uri").c_str());
  fails("pua_show", R"({"uri":"sip:bob@b","kind":"publication"})", 404, "No record of that kind");
}
