// The commands: parameters, every error code, and what the answers hold.
#include <jansson.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "control/commands.h"
#include "tests/control/command_rig.h"

#include "CppUTest/TestHarness.h"

using namespace pua;
using namespace pua::test;

namespace {

constexpr const char* kPidf = "<presence/>";

}  // namespace

TEST_GROUP_BASE(Commands, CommandRig) {
  std::string data() {
    result();
    const char* text = json_string_value(json_object_get(json_object_get(document.get(), "error"), "data"));
    return text != nullptr ? text : "";
  }
  void refused(Errc code, const char* text, int wanted, const char* message) {
    world.pua.refuse_next = Error{code, text};
    call("pua_publish", R"(["sip:a@b",60,"presence"])");
    error(wanted, message);
  }
  std::string text(const char* name) {
    json_t* v = json_object_get(result(), name);
    return json_is_string(v) ? json_string_value(v) : "(none)";
  }
  long long number(const char* name) {
    json_t* v = json_object_get(result(), name);
    return json_is_integer(v) ? json_integer_value(v) : -999;
  }
  RecordView record(const char* uri, const char* state = "live") {
    RecordView r;
    r.id = static_cast<int64_t>(world.pua.records.size()) + 1;
    r.source = 64;
    r.event = 1;
    r.event_name = "presence";
    r.pres_uri = uri;
    r.etag = "tag";
    r.state = state;
    r.body = kPidf;
    r.content_type = "application/pidf+xml";
    r.call_id = "c@h";
    return r;
  }
};

// --- pua_publish ---------------------------------------------------------------------------------

TEST(Commands, pua_publish_takes_named_parameters) {
  call("pua_publish",
       R"({"presentity_uri":"sip:alice@example.com","expires":600,"event_package":"presence","etag":"e0",)"
       R"("extra_headers":"X-A: 1\r\nX-B: 2\r\n","content_type":"application/pidf+xml","body":"<presence/>"})");
  CHECK_TEXT(answer.empty(), "answered before the final reply");
  LONGS_EQUAL(1, world.pua.taken.size());
  const Taken& t = world.pua.taken.front();
  STRCMP_EQUAL("sip:alice@example.com", t.pres_uri.c_str());
  LONGS_EQUAL(600, t.expires);
  LONGS_EQUAL(1, t.event);
  LONGS_EQUAL(64, t.source);
  STRCMP_EQUAL("e0", t.etag.c_str());
  STRCMP_EQUAL("X-A: 1\r\nX-B: 2\r\n", t.extra_headers.c_str());
  STRCMP_EQUAL("application/pidf+xml", t.content_type.c_str());
  STRCMP_EQUAL("<presence/>", t.body->c_str());
  STRCMP_EQUAL("", t.id.c_str());
}

TEST(Commands, pua_publish_is_known_by_its_module_too) {
  call("pua_mi:publish", R"(["sip:a@b","60","presence"])");
  LONGS_EQUAL(60, world.pua.taken.at(0).expires);
}

TEST(Commands, pua_publish_takes_positions_in_documented_order) {
  call("pua_publish", R"(["sip:a@b",60,"presence","e","X: 1\r\n","text/plain","hi"])");
  const Taken& t = world.pua.taken.at(0);
  STRCMP_EQUAL("e", t.etag.c_str());
  STRCMP_EQUAL("X: 1\r\n", t.extra_headers.c_str());
  STRCMP_EQUAL("text/plain", t.content_type.c_str());
  STRCMP_EQUAL("hi", t.body->c_str());
}

TEST(Commands, five_positions_end_in_content_type_and_body) {
  call("pua_publish", R"(["sip:a@b",60,"presence","text/plain","hi"])");
  const Taken& t = world.pua.taken.at(0);
  STRCMP_EQUAL("", t.etag.c_str());
  STRCMP_EQUAL("text/plain", t.content_type.c_str());
  STRCMP_EQUAL("hi", t.body->c_str());
}

TEST(Commands, positions_that_mean_two_things_are_refused) {
  fails("pua_publish", R"(["sip:a@b",60,"presence","x"])", -32602,
        "Invalid params: 4 values by position are ambiguous: name the parameters");
  fails("pua_publish", R"(["sip:a@b",60,"presence","x","y","z"])", -32602,
        "Invalid params: 6 values by position are ambiguous: name the parameters");
}

TEST(Commands, no_expires_means_the_default) {
  world.context.default_expires = 1234;
  call("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence"})");
  LONGS_EQUAL(1234, world.pua.taken.at(0).expires);
  CHECK(!world.pua.taken.at(0).body.has_value());
}

TEST(Commands, expires_zero_removes_and_negative_is_for_ever) {
  call("pua_publish", R"(["sip:a@b",0,"presence"])");
  call("pua_publish", R"(["sip:a@b",-7,"presence"])");
  LONGS_EQUAL(0, world.pua.taken.at(0).expires);
  LONGS_EQUAL(kForEver, world.pua.taken.at(1).expires);
}

// Where one goes that names none is the engine's to know (presence_server, outbound_proxy): it is not written into the record.
TEST(Commands, a_publication_names_its_next_hop_or_none) {
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  call("pua.publish", R"(["sip:a@b",60,"presence",".",".",".","sip:other",".","."])");
  call("pua.publish", R"(["sip:a@b",60,"presence",".",".",".",".",".","."])");
  STRCMP_EQUAL("", world.pua.taken.at(0).outbound_proxy.c_str());
  STRCMP_EQUAL("sip:other", world.pua.taken.at(1).outbound_proxy.c_str());
  STRCMP_EQUAL("", world.pua.taken.at(2).outbound_proxy.c_str());
  for (const auto& t : world.pua.taken) LONGS_EQUAL(kMiPublish, t.source);
}

TEST(Commands, a_header_without_its_line_end_gets_one) {
  call("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence","extra_headers":"P-Flags: 0"})");
  STRCMP_EQUAL("P-Flags: 0\r\n", world.pua.taken.at(0).extra_headers.c_str());
}

TEST(Commands, half_a_line_end_is_left_for_the_library_to_refuse) {
  call("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence","extra_headers":"X: 1\n"})");
  STRCMP_EQUAL("X: 1\n", world.pua.taken.at(0).extra_headers.c_str());
}

TEST(Commands, pua_publish_error_codes_of_the_documentation) {
  fails("pua_publish", R"(["",60,"presence"])", 404, "Empty presentity URI");
  fails("pua_publish", R"(["sip:a@b",60,""])", 400, "Empty event parameter");
  fails("pua_publish", R"(["sip:a@b",60,"no-such"])", 400, "Unknown event");
  fails("pua_publish", R"(["sip:a@b",60,"presence","","x"])", 400, "Empty content type parameter");
  fails("pua_publish", R"(["sip:a@b",60,"presence","text/plain",""])", 400, "Empty body parameter");
  fails("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence","etag":""})", 400,
        "Empty etag parameter");
  fails("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence","extra_headers":""})", 400,
        "Empty extra_headers");
}

TEST(Commands, content_type_and_body_go_together) {
  fails("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence","content_type":"text/plain"})", -32602,
        "Invalid params: body: missing, content_type needs it");
  fails("pua_publish", R"({"presentity_uri":"sip:a@b","event_package":"presence","body":"hi"})", -32602,
        "Invalid params: content_type: missing, body needs it");
}

TEST(Commands, each_refusal_of_the_library_has_its_code) {
  refused(Errc::bad_uri, "x", 404, "Bad presentity URI");
  refused(Errc::bad_uri, "outbound_proxy has no host", 400, "Bad outbound proxy URI");
  refused(Errc::bad_etag, "x", 418, "Wrong ETag");
  refused(Errc::unknown_event, "x", 400, "Unknown event");
  refused(Errc::no_record, "no record", 404, "no record");
  refused(Errc::no_body, "needs a body", 400, "needs a body");
  refused(Errc::bad_argument, "expires: x", 400, "expires: x");
  refused(Errc::bad_header, "line 2", 400, "line 2");
  refused(Errc::bad_body, "not XML", 400, "not XML");
  refused(Errc::too_large, "17000 octets", 413, "17000 octets");
  refused(Errc::too_many_waiters, "32 wait", 429, "32 wait");
  refused(Errc::too_many_records, "full", 503, "full");
  refused(Errc::shutting_down, "", 503, "shutting down");
  refused(Errc::not_supported, "", 501, "not supported in this version");
  refused(Errc::no_memory, "", 500, "MI/PUBLISH failed");
  refused(Errc::generic, "", 500, "MI/PUBLISH failed");
  refused(Errc::store_failed, "", 500, "MI/PUBLISH failed");
}

TEST(Commands, an_internal_error_has_the_reason_as_data) {
  refused(Errc::no_memory, "out of records", 500, "MI/PUBLISH failed");
  STRCMP_CONTAINS(R"("data":"out of records")", answer.c_str());
}

// --- answers -------------------------------------------------------------------------------------

TEST(Commands, a_2xx_is_answered_with_reply_etag_expires_and_durable) {
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(200, "OK", "dx200", 50);
  STRCMP_EQUAL(R"({"jsonrpc":"2.0","result":{"reply":"200 OK","ETag":"dx200","Expires":50,"durable":true},"id":1})",
               answer.c_str());
}

TEST(Commands, the_answer_says_not_durable_and_superseded) {
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(200, "OK", "e", 50, false, ReplyOrigin::Wire, true);
  STRCMP_EQUAL(
      R"({"jsonrpc":"2.0","result":{"reply":"200 OK","ETag":"e","Expires":50,"durable":false,"superseded":true},"id":1})",
      answer.c_str());
}

TEST(Commands, a_final_reply_of_300_or_more_is_an_error_with_its_code_and_reason) {
  for (int status : {300, 403, 412, 489, 503, 600}) {
    call("pua_publish", R"(["sip:a@b",60,"presence"])");
    world.pua.complete(status, "Some Reason");
    error(status, "Some Reason");
  }
}

TEST(Commands, a_412_to_a_removal_is_success) {
  call("pua_publish", R"(["sip:a@b",0,"presence"])");
  world.pua.complete(412, "Conditional Request Failed");
  STRCMP_EQUAL("412 Conditional Request Failed", text("reply").c_str());
  call("pua_publish", R"(["sip:a@b",0,"presence"])");
  world.pua.complete(412, "Conditional Request Failed", "", 0, true, ReplyOrigin::Wire, true);
  error(412, "Conditional Request Failed");  // of another request, which went out instead
}

TEST(Commands, a_local_failure_is_an_error_that_says_where_it_came_from) {
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(408, "Request Timeout", "", 0, true, ReplyOrigin::Timeout);
  error(408, "Request Timeout");
  STRCMP_CONTAINS(R"("data":"timeout")", answer.c_str());
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(487, "shutdown", "", 0, true, ReplyOrigin::Shutdown);
  error(487, "shutdown");
}

TEST(Commands, a_failure_that_is_tried_again_says_so) {
  world.pua.kept = true;
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(408, "Request Timeout", "", 0, true, ReplyOrigin::Timeout);
  error(408, "Request Timeout");
  STRCMP_CONTAINS(R"("data":"timeout; kept and tried again")", answer.c_str());
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(503, "Service Unavailable");
  STRCMP_CONTAINS(R"("data":"kept and tried again")", answer.c_str());
  for (const char* method : {"pua_publish", "pua_subscribe"}) {   // the server keeps nothing of it, whatever its status says
    call(method, method == std::string("pua_publish") ? R"(["sip:a@b",60,"presence"])" : R"(["sip:a@b","sip:c@d","presence"])");
    world.pua.complete(200, "OK");
    error(503, "Nothing granted (200 OK)");
    STRCMP_CONTAINS(R"("data":"kept and tried again")", answer.c_str());
  }
  world.pua.kept = false;
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(400, "Bad Request");
  CHECK_TEXT(answer.find("data") == std::string::npos, answer.c_str());
}

TEST(Commands, a_reason_that_is_not_utf8_still_makes_a_valid_answer) {
  call("pua_publish", R"(["sip:a@b",60,"presence"])");
  world.pua.complete(404, "N\xe4h\"\n\x01\xc3\xa4");
  error(404, "N\xef\xbf\xbdh\"\n\x01\xc3\xa4");
}

// --- Kamailio ------------------------------------------------------------------------------------

TEST(Commands, kamailio_publish_takes_its_positions_and_dots) {
  call("pua.send_publish",
       R"(["sip:a@b","3600","presence","application/pidf+xml","id1","e1","sip:p","X: 1\r\n","<presence/>"])");
  call("pua.publish", R"(["sip:a@b","3600","presence",".",".",".",".","."])");
  const Taken& t = world.pua.taken.at(0);
  LONGS_EQUAL(3600, t.expires);
  STRCMP_EQUAL("id1", t.id.c_str());
  STRCMP_EQUAL("e1", t.etag.c_str());
  STRCMP_EQUAL("sip:p", t.outbound_proxy.c_str());
  STRCMP_EQUAL("X: 1\r\n", t.extra_headers.c_str());
  STRCMP_EQUAL("<presence/>", t.body->c_str());
  const Taken& none = world.pua.taken.at(1);
  STRCMP_EQUAL("", none.id.c_str());
  STRCMP_EQUAL("", none.etag.c_str());
  STRCMP_EQUAL("", none.content_type.c_str());
  CHECK(!none.body.has_value());
}

TEST(Commands, kamailio_publish_takes_names_and_leaves_the_content_type_to_the_event) {
  call("pua.publish", R"({"presentity_uri":"sip:a@b","expires":".","event":"presence","id":7,"body":"<presence/>"})");
  LONGS_EQUAL(3600, world.pua.taken.at(0).expires);
  STRCMP_EQUAL("7", world.pua.taken.at(0).id.c_str());
  STRCMP_EQUAL("", world.pua.taken.at(0).content_type.c_str());
}

TEST(Commands, kamailio_publish_errors) {
  fails("pua.publish", R"([".","3600","presence"])", -32602, "Invalid params: presentity_uri: missing");
  fails("pua.publish", R"(["sip:a@b","x","presence"])", -32602, "Invalid params: expires: must be an integer");
  fails("pua.publish", R"(["sip:a@b","60","presence","text/plain",".",".",".","."])", 400, "Body is missing");
}

// --- records -------------------------------------------------------------------------------------

TEST(Commands, pua_list_shows_records_and_a_cursor) {
  for (const char* uri : {"sip:a@b", "sip:c@d", "sip:e@f"}) world.pua.records.push_back(record(uri));
  json_t* r = call("pua_list", R"({"limit":2})");
  LONGS_EQUAL(2, json_array_size(json_object_get(r, "records")));
  LONGS_EQUAL(2, number("next"));
  r = call("pua_list", R"({"limit":2,"cursor":2})");
  LONGS_EQUAL(1, json_array_size(json_object_get(r, "records")));
  LONGS_EQUAL(0, number("next"));
  json_t* one = json_array_get(json_object_get(result(), "records"), 0);
  STRCMP_EQUAL("sip:e@f", json_string_value(json_object_get(one, "presentity_uri")));
  STRCMP_EQUAL("presence", json_string_value(json_object_get(one, "event")));
  STRCMP_EQUAL("MI_PUBLISH", json_string_value(json_object_get(one, "source_name")));
  STRCMP_EQUAL("live", json_string_value(json_object_get(one, "state")));
  CHECK(json_object_get(one, "body") == nullptr);
  CHECK(json_is_false(json_object_get(result(), "loading")));
}

TEST(Commands, while_the_table_is_being_loaded_nobody_is_told_that_there_is_none) {
  world.pua.records.push_back(record("sip:a@b"));
  world.pua.counters.loading = 1;
  CHECK(json_is_true(json_object_get(call("pua_list", "{}"), "loading")));
  CHECK(json_is_true(json_object_get(call("pua_show", R"(["sip:a@b"])"), "loading")));   // there may be more of them
  LONGS_EQUAL(1, json_array_size(json_object_get(result(), "records")));
  fails("pua_show", R"({"uri":"sip:a@b","kind":"subscription"})", 503, "The stored records are being loaded: try again");
}

TEST(Commands, pua_list_hands_its_filters_on) {
  call("pua_list", R"({"uri":"sip:a*","event":"presence","state":"live","source":"mi_publish"})");
  STRCMP_EQUAL("sip:a*", world.pua.last_filter_uri.c_str());
  LONGS_EQUAL(1, world.pua.last_filter.event);
  LONGS_EQUAL(64, world.pua.last_filter.source);
  call("pua_list", R"({"source":2})");
  LONGS_EQUAL(2, world.pua.last_filter.source);
}

TEST(Commands, pua_list_refuses_filters_that_mean_nothing) {
  fails("pua_list", R"({"event":"no-such"})", 400, "Unknown event");
  fails("pua_list", R"({"source":"NOBODY"})", -32602, "Invalid params: source: no such source");
  for (const char* no_bit : {"-1", "0", "3", "65", "\"3\"", "2147483648"})
    fails("pua_list", R"({"source":)" + std::string(no_bit) + "}", -32602, "Invalid params: source: no such source");
  fails("pua_list", R"({"limit":0})", -32602, "Invalid params: limit: must be 1 to 1000");
  fails("pua_list", R"({"limit":1001})", -32602, "Invalid params: limit: must be 1 to 1000");
}

// A typing mistake is no empty list: it is told, with what there is.
TEST(Commands, mistyped_filters_are_told_with_what_is_known) {
  fails("pua_list", R"({"state":"foo"})", -32602, "Invalid params: state: no such state");
  STRCMP_EQUAL("known are idle, intent, queued, sending, live, backoff, gone, waiting, ending", data().c_str());
  fails("pua_list", R"({"state":"bakoff","kind":"publication"})", -32602, "Invalid params: state: no such state");
  STRCMP_EQUAL("did you mean \"backoff\"? Known are idle, intent, queued, sending, live, backoff, gone", data().c_str());
  fails("pua_list", R"({"state":"waiting","kind":"publication"})", -32602, "Invalid params: state: no such state");
  fails("pua_list", R"({"source":"MI_PUBLIS"})", -32602, "Invalid params: source: no such source");
  STRCMP_CONTAINS("did you mean \"MI_PUBLISH\"? Known are ", data().c_str());
  for (const char* method : {"pua_list", "pua_watch", "pua_show"}) {
    if (std::string(method) == "pua_watch") continue;   // needs a way back: watch_test
    call(method, R"({"uri":"sip:a@b","event":"presense"})");
    error(400, "Unknown event");
    STRCMP_EQUAL("did you mean \"presence\"? Known are presence, presence.winfo, dialog;sla, message-summary", data().c_str());
  }
  fails("pua_publish", R"(["sip:a@b",60,"weather"])", 400, "Unknown event");
  STRCMP_EQUAL("known are presence, presence.winfo, dialog;sla, message-summary", data().c_str());
  fails("pua_subscribe", R"(["sip:a@b","sip:c@d","weather"])", 400, "Unknown event");
  STRCMP_EQUAL("known are presence, presence.winfo, dialog;sla, message-summary", data().c_str());
  call("pua_list", R"({"state":"live"})");
  CHECK(result() != nullptr);
  call("pua_list", R"({"state":"waiting"})");
  CHECK(result() != nullptr);
}

TEST(Commands, a_pattern_that_no_uri_can_match_is_told) {
  for (const char* bad : {"*@x", "alice@example.com", "http:*", "sip", "sip:*@example.com", "sip:al*@x", "x*", " sip:a*", "sip:", "tel:"}) {
    fails("pua_list", R"({"uri":")" + std::string(bad) + R"("})", -32602, "Invalid params: uri: matches no URI");
    STRCMP_CONTAINS("a * at the very end matches any rest", data().c_str());
  }
  for (const char* good : {"*", "s*", "sip:*", "SIP:al*", "sips:a@b", "tel:+49*", "pres:a@b", "sip:*97@example.com", ""}) {
    call("pua_list", R"({"uri":")" + std::string(good) + R"("})");
    CHECK_TEXT(result() != nullptr, good);
  }
}

TEST(Commands, a_list_call_looks_at_a_bounded_number_of_records) {
  world.pua.scan = 100;
  for (int i = 0; i < 10000; i++) world.pua.records.push_back(record("sip:a@b"));
  call("pua_list", R"({"state":"backoff","limit":1000})");
  CHECK(world.pua.list_calls <= 20);
  CHECK(number("next") > 0);
  LONGS_EQUAL(0, json_array_size(json_object_get(result(), "records")));
}

TEST(Commands, a_page_of_long_records_ends_early) {
  std::string uri = "sip:" + std::string(2000, 'u') + "@b";
  for (int i = 0; i < 1000; i++) world.pua.records.push_back(record(uri.c_str()));
  call("pua_list", R"({"limit":1000})");
  CHECK(answer.size() < 240 * 1024);
  CHECK(number("next") > 0);
}

TEST(Commands, pua_show_gives_the_body_too) {
  world.pua.records.push_back(record("sip:a@b"));
  json_t* r = call("pua_show", R"(["sip:a@b"])");
  json_t* one = json_array_get(json_object_get(r, "records"), 0);
  STRCMP_EQUAL(kPidf, json_string_value(json_object_get(one, "body")));
  STRCMP_EQUAL("c@h", json_string_value(json_object_get(one, "call_id")));
}

TEST(Commands, pua_show_errors) {
  fails("pua_show", R"([""])", 404, "Empty presentity URI");
  fails("pua_show", R"(["sip:a@b","no-such"])", 400, "Unknown event");
  fails("pua_show", R"(["sip:a@b"])", 404, "no record of that presentity");
}

TEST(Commands, pua_show_of_very_many_records_is_cut_and_says_so) {
  std::string body(10000, 'x');
  for (int i = 0; i < 100; i++) {
    world.pua.records.push_back(record("sip:a@b"));
    world.pua.records.back().body = body;
  }
  json_t* r = call("pua_show", R"(["sip:a@b"])");
  CHECK(answer.size() < 140 * 1024);
  CHECK(json_is_true(json_object_get(r, "truncated")));
}

// --- the rest ------------------------------------------------------------------------------------

TEST(Commands, pua_stats_shows_every_counter_or_those_asked_for) {
  world.pua.counters.replies_2xx = 5;
  call("pua_stats", "{}");
  LONGS_EQUAL(5, number("replies_2xx"));
  LONGS_EQUAL(1, number("control_requests"));
  LONGS_EQUAL(0, number("store_errors"));
  json_t* r = call("pua_stats", R"(["replies_?xx"])");
  LONGS_EQUAL(5, json_object_size(r));
  r = call("pua_stats", R"(["live"])");
  LONGS_EQUAL(1, json_object_size(r));
}

TEST(Commands, a_statistic_that_is_not_there_is_told_with_the_one_that_is_near) {
  fails("pua_stats", R"(["liev"])", 404, "No such statistic");
  STRCMP_EQUAL("without a pattern, all are shown; * stands for any characters: \"replies_*\" (did you mean \"live\"?)", data().c_str());
  fails("pua_stats", R"(["control_request"])", 404, "No such statistic");
  STRCMP_CONTAINS("(did you mean \"control_requests\"?)", data().c_str());
  fails("pua_stats", R"(["nothing*"])", 404, "No such statistic");
  fails("pua_stats", R"(["*a*a*a*a*a*a*a*a*"])", 404, "No such statistic");
}

TEST(Commands, a_mistyped_method_is_told_with_the_one_that_is_near) {
  fails("pua_lst", "{}", -32601, "Method not found: pua_lst");
  STRCMP_EQUAL("which lists those that there are (did you mean \"pua_list\"?)", data().c_str());
  fails("xyzzy", "{}", -32601, "Method not found: xyzzy");
  STRCMP_EQUAL("which lists those that there are", data().c_str());
}

TEST(Commands, pua_flush_is_answered_when_it_is_done) {
  call("pua_flush", "{}");
  CHECK(answer.empty());
  world.pua.flushes.at(0)(true);
  CHECK(json_is_true(json_object_get(result(), "flushed")));
  call("pua_flush", "{}");
  world.pua.flushes.at(1)(false);
  error(500, "Not everything could be written within the deadline");
}

TEST(Commands, pua_reload_tells_what_needs_a_restart) {
  call("pua_reload", "{}");
  error(501, "No configuration file to read again");
  world.context.reload = [] { return Result<std::vector<std::string>>(std::vector<std::string>{"pua hash_size"}); };
  json_t* r = call("pua_reload", "{}");
  STRCMP_EQUAL("pua hash_size", json_string_value(json_array_get(json_object_get(r, "needs_restart"), 0)));
  world.context.reload = [] { return Result<std::vector<std::string>>(Errc::bad_config, "x.conf:1:1: bad"); };
  call("pua_reload", "{}");
  error(500, "Reload failed");
  STRCMP_CONTAINS("x.conf:1:1: bad", answer.c_str());
}

TEST(Commands, log_level_shows_and_sets) {
  call("log_level", "{}");
  STRCMP_EQUAL("notice", text("level").c_str());
  call("log_level", R"(["debug"])");
  STRCMP_EQUAL("debug", text("level").c_str());
  call("log_level", "[-1]");
  STRCMP_EQUAL("error", text("level").c_str());
  call("log_level", R"(["3"])");
  STRCMP_EQUAL("info", text("level").c_str());
  for (const char* bad : {R"(["loud"])", "[0]", "[5]", R"([""])"}) {
    fails("log_level", bad, -32602, "Invalid params: level: no such log level");
    STRCMP_EQUAL("known are error, warning, notice, info, debug", data().c_str());
  }
  LONGS_EQUAL(static_cast<int>(LogLevel::info), static_cast<int>(world.pua.log().level()));
}

TEST(Commands, uptime_counts_from_the_start) {
  world.context.started -= std::chrono::seconds(90);
  call("uptime", "{}");
  STRCMP_EQUAL("90 [sec]", text("Up time").c_str());
  LONGS_EQUAL(90, number("seconds"));
}

TEST(Commands, which_lists_every_name) {
  json_t* r = call("which", "{}");
  for (const char* name : {"pua_publish", "pua_mi:publish", "pua.publish", "pua.send_publish", "pua_list", "pua_show",
                           "pua_subscribe", "pua_mi:subscribe", "pua.subscribe", "pua.send_subscribe", "pua_unsubscribe",
                           "pua_mi:unsubscribe", "pua.unsubscribe", "pua_watch", "pua.watch", "pua_unwatch", "pua.unwatch",
                           "pua_stats", "pua_flush", "pua_reload", "log_level", "version", "uptime", "which", "help"}) {
    bool found = false;
    for (size_t i = 0; i < json_array_size(r); i++)
      found = found || strcmp(json_string_value(json_array_get(r, i)), name) == 0;
    CHECK_TEXT(found, name);
  }
  r = call("which", R"(["pua_s*"])");
  LONGS_EQUAL(3, json_array_size(r));
}

// What opensips-cli asks for when it completes a command line.
TEST(Commands, which_of_a_command_gives_lists_of_its_parameters) {
  call("which", R"({"command":"pua_publish"})");
  STRCMP_CONTAINS(R"("result":[["presentity_uri","expires","event_package"],)"
                  R"(["presentity_uri","expires","event_package","content_type","body"],)"
                  R"(["presentity_uri","expires","event_package","etag","extra_headers","content_type","body"]],)", answer.c_str());
  call("which", R"(["pua_mi:unsubscribe"])");
  STRCMP_CONTAINS(R"("result":[["presentity_uri","watcher_uri","event_package"],["presentity_uri","watcher_uri","event_package","id"],)"
                  R"(["presentity_uri","watcher_uri","event_package","id","to_uri"]],)", answer.c_str());
  call("which", R"(["version"])");
  STRCMP_CONTAINS("\"result\":[[]],", answer.c_str());
  call("which", R"(["log_level"])");
  STRCMP_CONTAINS("\"result\":[[],[\"level\"]],", answer.c_str());
  call("which", R"(["pua_mi:"])");
  STRCMP_CONTAINS(R"("result":["pua_mi:publish","pua_mi:subscribe","pua_mi:unsubscribe"],)", answer.c_str());
  for (const char* none : {R"(["nosuch:"])", R"(["pua_publis"])"}) {
    call("which", none);
    error(404, "No such command");
  }
  STRCMP_EQUAL("which lists those that there are (did you mean \"pua_publish\"?)", data().c_str());
}

TEST(Commands, help_of_mi_cmd_is_opensips_form) {
  json_t* r = call("help", R"({"mi_cmd":"pua_publish"})");
  STRCMP_EQUAL("puad", json_string_value(json_object_get(r, "Exported by")));
  STRCMP_CONTAINS("Publishes, modifies, refreshes or removes a state; answered after the final SIP reply. Parameters: presentity_uri: whose state",
                  json_string_value(json_object_get(r, "Help")));
  call("help", R"({"mi_cmd":"pua_publis"})");
  error(404, "No such command");
}

TEST(Commands, help_describes_each_command_and_each_parameter) {
  json_t* r = call("help", "{}");
  LONGS_EQUAL(all_commands().size(), json_array_size(r));
  r = call("help", R"(["pua.publish"])");
  LONGS_EQUAL(1, json_array_size(r));
  LONGS_EQUAL(9, json_array_size(json_object_get(json_array_get(r, 0), "parameters")));
  call("help", R"(["nope"])");
  error(404, "No such command");
}

TEST(Commands, the_table_fits_its_limits) {
  for (const CommandSpec* c : all_commands()) CHECK_TEXT(c->params.size() <= kMaxParams, c->name);
}
