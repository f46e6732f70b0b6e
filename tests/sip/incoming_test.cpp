// Requests from outside: who is answered, with what, and how much of it.
#include <cstring>
#include <string>
#include <vector>

#include "sip/answer_text.h"
#include "sip/incoming.h"
#include "sip/scan.h"
#include "tests/support/scripted_server.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using pua::test::parse_sip;
using pua::test::SipReceived;

namespace {

struct Sink : NotifySink {
  NotifyAnswer on_notify(const NotifyRequest& n, MonoMs) override {
    count++;
    call_id = n.call_id;
    left_out = n.left_out;
    headers = n.headers;
    state = n.state;
    sender = n.sender;
    return answer;
  }
  void on_unreadable(const NotifyRequest& n, const NotifyAnswer& a, MonoMs) override {
    unread.push_back(std::to_string(a.status) + " " + a.reason + "|" + std::string(n.call_id) + "|" + std::string(n.local_tag) + "|" +
                     std::string(n.remote_tag) + "|" + std::string(n.sender));
  }
  bool expects(std::string_view id) const override { return id == "ours@h"; }
  NotifyAnswer answer{200, "OK", ""};
  int count = 0;
  std::string call_id, headers, state, sender;
  uint64_t left_out = 0;
  std::vector<std::string> unread;   // "status reason|Call-ID|our tag|their tag|sender"
};

}  // namespace

TEST_GROUP(SipIncoming) {
  Sink sink;
  std::vector<std::string> lines;
  Log log{[this](LogLevel, std::string_view line) { lines.emplace_back(line); }, LogLevel::notice};
  Incoming incoming{sink, 500, HashKey{3, 4}, log};
  NetAddress to;
  std::string out;

  static std::string request(const std::string& method, const std::string& call_id, int cseq = 1) {
    return method + " sip:pua@192.0.2.9 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa" + std::to_string(cseq) +
           ";rport\r\nFrom: <sip:x@y>;tag=1\r\nTo: <sip:pua@z>;tag=2\r\nCall-ID: " + call_id + "\r\nCSeq: " + std::to_string(cseq) + " " + method +
           "\r\nEvent: presence\r\nSubscription-State: active\r\nContent-Length: 0\r\n\r\n";
  }
  SipReceived ask(const std::string& text, const char* from = "192.0.2.1", uint16_t port = 40000, MonoMs now = 1000, bool datagram = true) {
    to = *NetAddress::literal(from, port);
    out.clear();
    incoming.take(text, to, datagram, now, out);
    return parse_sip(out);
  }
};

TEST(SipIncoming, an_answer_has_what_the_request_brought_and_goes_back_to_where_it_came_from) {
  SipReceived r = ask(request("NOTIFY", "ours@h"));
  STRCMP_EQUAL("SIP/2.0 200 OK", r.start_line.c_str());
  STRCMP_EQUAL("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa1;rport=40000;received=192.0.2.1", r.header("Via").c_str());
  STRCMP_EQUAL("<sip:x@y>;tag=1", r.header("From").c_str());
  STRCMP_EQUAL("<sip:pua@z>;tag=2", r.header("To").c_str());
  STRCMP_EQUAL("ours@h", r.header("Call-ID").c_str());
  STRCMP_EQUAL("1 NOTIFY", r.header("CSeq").c_str());
  STRCMP_EQUAL("0", r.header("Content-Length").c_str());
  STRCMP_EQUAL("192.0.2.1:40000", to.text().c_str());
}

TEST(SipIncoming, of_a_notify_that_is_too_long_the_head_is_enough) {
  std::string text = request("NOTIFY", "ours@h");
  text.replace(text.find("Content-Length: 0"), 17, "Content-Length: 300000\r\nSubject: last");
  to = *NetAddress::literal("192.0.2.1", 40000);
  CHECK_TRUE(incoming.take_head(text, 300000, to, 1000, out));
  SipReceived r = parse_sip(out);
  STRCMP_EQUAL("SIP/2.0 200 OK", r.start_line.c_str());
  STRCMP_EQUAL("1 NOTIFY", r.header("CSeq").c_str());
  STRCMP_EQUAL("<sip:pua@z>;tag=2", r.header("To").c_str());
  LONGS_EQUAL(1, sink.count);
  LONGS_EQUAL(300000, sink.left_out);
  STRCMP_EQUAL("active", sink.state.c_str());
  STRCMP_CONTAINS("\r\nContent-Length: 300000\r\nSubject: last\r\n", sink.headers.c_str());
}

TEST(SipIncoming, a_long_notify_of_a_stranger_and_another_long_request_are_not_looked_at) {
  to = *NetAddress::literal("192.0.2.1", 40000);
  CHECK_FALSE(incoming.take_head(request("NOTIFY", "theirs@h"), 300000, to, 1000, out));
  CHECK_FALSE(incoming.take_head(request("INVITE", "ours@h"), 300000, to, 1000, out));
  STRCMP_EQUAL("", out.c_str());
  LONGS_EQUAL(0, sink.count);
  LONGS_EQUAL(0, incoming.counters().parsed);
}

// RFC 3261 section 18.2.2: without rport to the port of the Via, at the address it really came from.
TEST(SipIncoming, without_rport_the_answer_goes_to_the_port_of_the_via) {
  std::string text = request("NOTIFY", "ours@h");
  text.erase(text.find(";rport"), 6);
  SipReceived r = ask(text, "198.51.100.7", 40000);
  STRCMP_EQUAL("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa1;received=198.51.100.7", r.header("Via").c_str());
  STRCMP_EQUAL("198.51.100.7:5070", to.text().c_str());
}

TEST(SipIncoming, a_list_of_vias_and_further_vias_come_back_in_their_order) {
  std::string text = request("NOTIFY", "ours@h");
  text.insert(text.find("From:"), "Via: SIP/2.0/UDP second\r\nv: SIP/2.0/UDP third, SIP/2.0/UDP fourth\r\n");
  text.insert(text.find(";rport") + 6, ";x=\"a,b\", SIP/2.0/UDP inner");
  SipReceived r = ask(text);
  STRCMP_EQUAL("SIP/2.0/UDP 192.0.2.1:5070;branch=z9hG4bKa1;rport=40000;x=\"a,b\";received=192.0.2.1, SIP/2.0/UDP inner",
               r.headers[0].second.c_str());
  STRCMP_EQUAL("SIP/2.0/UDP second", r.headers[1].second.c_str());
  STRCMP_EQUAL("SIP/2.0/UDP third, SIP/2.0/UDP fourth", r.headers[2].second.c_str());
}

TEST(SipIncoming, folded_fields_are_answered_as_one_line) {
  std::string text = request("NOTIFY", "ours@h");
  text.replace(text.find("To: <sip:pua@z>"), 15, "To:\r\n <sip:pua@z>");
  SipReceived r = ask(text);
  STRCMP_EQUAL("SIP/2.0 200 OK", r.start_line.c_str());
  STRCMP_EQUAL("<sip:pua@z>;tag=2", r.header("To").c_str());
  LONGS_EQUAL(1, incoming.counters().parsed);
}

// RFC 3261 section 25.1, HCOLON.
TEST(SipIncoming, blanks_before_a_colon_are_none_of_the_name) {
  for (const char* name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
    for (const char* blanks : {" ", "\t", " \t "}) {
      std::string text = request("NOTIFY", "ours@h");
      text.insert(text.find(std::string("\r\n") + name + ":") + 2 + strlen(name), blanks);
      SipReceived r = ask(text), plain = ask(request("NOTIFY", "ours@h"));
      STRCMP_EQUAL_TEXT("SIP/2.0 200 OK", r.start_line.c_str(), name);
      STRCMP_EQUAL_TEXT(plain.header(name).c_str(), r.header(name).c_str(), name);
    }
  }
  LONGS_EQUAL(16, sink.count);   // the plain one is the same request each time
  // However many strangers there are.
  for (int i = 0; i < 5000; i++) ask(request("INVITE", "s"), ("203.0.113." + std::to_string(i % 200)).c_str());
  std::string text = request("NOTIFY", "ours@h", 2);
  text.insert(text.find("Call-ID") + 7, " ");
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(text).start_line.c_str());
}

// RFC 3261 sections 7.1 and 21.5.6.
TEST(SipIncoming, the_version_has_no_case_and_another_one_is_told) {
  auto version = [&](const char* v, const char* method = "NOTIFY") {
    std::string text = request(method, "ours@h", 7);
    return ask(text.replace(text.find("SIP/2.0"), 7, v)).start_line;
  };
  STRCMP_EQUAL("SIP/2.0 200 OK", version("sip/2.0").c_str());
  LONGS_EQUAL(1, incoming.counters().plain);
  STRCMP_EQUAL("SIP/2.0 505 Version Not Supported", version("SIP/3.0").c_str());
  STRCMP_EQUAL("SIP/2.0 505 Version Not Supported", version("sip/2.00", "OPTIONS").c_str());
  STRCMP_EQUAL("", version("HTTP/1.1").c_str());
  STRCMP_EQUAL("", ask("sip/2.0 200 OK\r\n\r\n").start_line.c_str());
  LONGS_EQUAL(1, sink.count);
}

// RFC 3261 section 8.2.6.2 and 8.2.7: a tag, the same for the same request, and none that others can tell.
TEST(SipIncoming, a_request_without_to_tag_gets_one_that_stays) {
  std::string text = request("OPTIONS", "any@h");
  text.erase(text.find(";tag=2"), 6);
  std::string first = ask(text).header("To"), second = ask(text).header("To");
  CHECK_TRUE(first.size() > 22 && first.substr(0, 16) == "<sip:pua@z>;tag=");
  STRCMP_EQUAL(first.c_str(), second.c_str());
  Incoming other{sink, 500, HashKey{5, 6}, log};
  out.clear();
  other.take(text, to, true, 1000, out);
  CHECK_FALSE(parse_sip(out).header("To") == first);
}

TEST(SipIncoming, a_stranger_gets_so_many_answers_a_second_and_the_others_theirs) {
  int answered = 0;
  for (int i = 0; i < 1000; i++) answered += !ask(request("INVITE", "s" + std::to_string(i)), "203.0.113.5").start_line.empty();
  LONGS_EQUAL(StrangerLimit::kHost, answered);
  LONGS_EQUAL(1000 - StrangerLimit::kHost, incoming.counters().unanswered);
  STRCMP_EQUAL("SIP/2.0 405 Method Not Allowed", ask(request("INVITE", "x"), "203.0.113.6").start_line.c_str());
  answered = 0;
  for (int i = 0; i < 100; i++) answered += !ask(request("INVITE", "t" + std::to_string(i)), "203.0.113.5", 1, 1500).start_line.empty();
  LONGS_EQUAL(StrangerLimit::kHost / 2, answered);   // half a second later
}

TEST(SipIncoming, all_strangers_together_get_so_many_answers_a_second) {
  int answered = 0;
  for (int i = 0; i < 10000; i++) {
    std::string host = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    answered += !ask(request("OPTIONS", "s" + std::to_string(i)), host.c_str()).start_line.empty();
  }
  LONGS_EQUAL(StrangerLimit::kAll, answered);
}

TEST(SipIncoming, notifys_of_known_dialogs_are_answered_however_many_strangers_there_are) {
  for (int i = 0; i < 5000; i++) ask(request("NOTIFY", "s" + std::to_string(i)), "192.0.2.1");
  for (int i = 0; i < 500; i++)
    STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("NOTIFY", "ours@h", 10 + i), "192.0.2.1").start_line.c_str());
  std::string folded = request("NOTIFY", "ours@h", 5000);   // the parser's work is spent on them, too
  folded.replace(folded.find("To: <sip:pua@z>"), 15, "To:\r\n <sip:pua@z>");
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(folded, "192.0.2.1").start_line.c_str());
}

TEST(SipIncoming, what_strangers_send_in_odd_form_is_not_parsed_beyond_the_limit) {
  for (int i = 0; i < 1000; i++) {
    std::string text = request("NOTIFY", "s" + std::to_string(i));
    ask(text.replace(text.find("To: <sip:pua@z>"), 15, "To:\r\n <sip:pua@z>"), "203.0.113.5");
  }
  LONGS_EQUAL(StrangerLimit::kHost, incoming.counters().parsed);
}

// RFC 3261 lets anybody put another's address into a datagram: what comes out of us must not be worth it.
TEST(SipIncoming, an_answer_to_a_stranger_is_at_most_half_as_long_again_as_the_request) {
  for (const char* text : {"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n",
                           "OPTIONS sip:a SIP/2.0\r\nv:SIP/2.0/UDP a;rport\r\n\r\n", "X a SIP/2.0\r\nv: a\r\n\r\n",
                           "NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b\r\n\r\n"}) {
    ask(text, "2001:db8:1111:2222:3333:4444:5555:6666", 65535);
    CHECK_TEXT(out.size() <= std::string(text).size() * 3 / 2, out.c_str());
  }
}

TEST(SipIncoming, acks_responses_and_what_has_no_via_get_no_answer) {
  for (const std::string& text : {request("ACK", "ours@h"), std::string("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=b\r\n\r\n"),
                                  std::string("INVITE sip:x SIP/2.0\r\n\r\n"), std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
                                  std::string(60000, 'A')}) {
    ask(text);
    STRCMP_EQUAL("", out.c_str());
  }
  LONGS_EQUAL(0, sink.count);
}

TEST(SipIncoming, a_repeated_notify_is_answered_alike_and_shown_once) {
  sink.answer = {202, "First", "X-A: b\r\n"};
  ask(request("NOTIFY", "ours@h"));
  std::string first = out;
  sink.answer = {500, "Second", ""};
  ask(request("NOTIFY", "ours@h"));
  STRCMP_EQUAL(first.c_str(), out.c_str());
  LONGS_EQUAL(1, sink.count);
  STRCMP_EQUAL("SIP/2.0 500 Second", ask(request("NOTIFY", "ours@h"), "192.0.2.1", 40000, 40000).start_line.c_str());  // timer J is over
  STRCMP_EQUAL("SIP/2.0 500 Second", ask(request("NOTIFY", "ours@h"), "192.0.2.1", 40000, 1000, false).start_line.c_str());  // a connection
  LONGS_EQUAL(3, sink.count);
}

TEST(SipIncoming, forged_notifys_do_not_push_the_answers_of_known_dialogs_out) {
  ask(request("NOTIFY", "ours@h"));
  for (int i = 0; i < 6000; i++) ask(request("NOTIFY", "f" + std::to_string(i), i + 2), "203.0.113.5");
  ask(request("NOTIFY", "ours@h"));
  LONGS_EQUAL(1, incoming.counters().repeated);
}

// A proxy that pings its nodes by OPTIONS takes one for dead that does not answer.
TEST(SipIncoming, hosts_that_we_work_with_have_a_share_that_strangers_cannot_use_up) {
  incoming.know(*NetAddress::literal("192.0.2.77", 5060));
  ask(request("NOTIFY", "ours@h"), "192.0.2.88");   // a notifier of ours is one of them by that
  for (int i = 0; i < 100000; i++) {
    std::string host = "10." + std::to_string(i / 62500) + "." + std::to_string(i / 250 % 250) + "." + std::to_string(i % 250);
    ask(request("OPTIONS", "s" + std::to_string(i)), host.c_str());
  }
  STRCMP_EQUAL("", ask(request("OPTIONS", "x"), "192.0.2.99").start_line.c_str());
  for (const char* host : {"192.0.2.77", "192.0.2.88"}) STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("OPTIONS", "x"), host).start_line.c_str());
  // Who borrows its address gets no more than any host.
  int answered = 0;
  for (int i = 0; i < 1000; i++) answered += !ask(request("OPTIONS", "x"), "192.0.2.77").start_line.empty();
  LONGS_EQUAL(StrangerLimit::kHost - 1, answered);
}

TEST(SipIncoming, notifys_of_strangers_beyond_the_limit_are_not_shown_to_the_sink) {
  for (int i = 0; i < 1000; i++) ask(request("NOTIFY", "s" + std::to_string(i)), "203.0.113.5");
  LONGS_EQUAL(StrangerLimit::kHost, sink.count);
  LONGS_EQUAL(1000 - StrangerLimit::kHost, incoming.counters().unanswered);
}

// Message waiting of 500 lines, after the restart of the server that has them.
TEST(SipIncoming, notifys_that_a_handler_takes_all_come_over_a_connection_however_many) {
  for (int i = 0; i < 2500; i++) {
    STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("NOTIFY", "mailbox" + std::to_string(i)), "192.0.2.1", 40000, 1000, false).start_line.c_str());
    std::string odd = request("NOTIFY", "odd" + std::to_string(i));
    odd.replace(odd.find("Event: "), 7, "Event:\r\n ");
    STRCMP_EQUAL("SIP/2.0 200 OK", ask(odd, "192.0.2.1", 40000, 1000, false).start_line.c_str());
  }
  LONGS_EQUAL(5000, sink.count);
}

TEST(SipIncoming, over_a_connection_notifys_beyond_the_limit_are_asked_to_come_later) {
  sink.answer = {481, "Subscription Does Not Exist", ""};
  int refused = 0;
  for (int i = 0; i < 150; i++) {
    SipReceived r = ask(request("NOTIFY", "stranger" + std::to_string(i)), "192.0.2.1", 40000, 1000, false);
    if (r.start_line == "SIP/2.0 481 Subscription Does Not Exist") continue;
    STRCMP_EQUAL("SIP/2.0 503 Too Many NOTIFYs At Once", r.start_line.c_str());
    STRCMP_EQUAL("1", r.header("Retry-After").c_str());
    refused++;
  }
  LONGS_EQUAL(50, refused);
  LONGS_EQUAL(100, sink.count);
  LONGS_EQUAL(0, incoming.counters().unanswered);
  ask(request("INVITE", "stranger"), "192.0.2.1", 40000, 1000, false);
  STRCMP_EQUAL("", out.c_str());
}

// As timer E of the server says (RFC 3261 section 17.1.2.2): what got no answer comes again.
TEST(SipIncoming, over_udp_500_of_them_at_once_are_all_taken_within_12_s) {
  std::vector<int> waiting(500);
  for (int i = 0; i < 500; i++) waiting[static_cast<size_t>(i)] = i;
  for (MonoMs at : {0, 500, 1500, 3500, 7500, 11500}) {
    std::vector<int> again;
    for (int i : waiting)
      if (ask(request("NOTIFY", "mailbox" + std::to_string(i)), "192.0.2.1", 40000, 1000 + at).start_line != "SIP/2.0 200 OK") again.push_back(i);
    waiting = again;
  }
  LONGS_EQUAL(0, waiting.size());
  LONGS_EQUAL(500, sink.count);
}

TEST(SipIncoming, acks_and_responses_use_up_nothing) {
  for (int i = 0; i < 1000; i++) {
    ask(request("ACK", "a"), "203.0.113.5");
    ask("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=b\r\n\r\n", "203.0.113.5");
  }
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("OPTIONS", "x"), "203.0.113.5").start_line.c_str());
  LONGS_EQUAL(0, incoming.counters().unanswered);
}

// Beyond the limit as much is looked at as an honest NOTIFY has before its Call-ID.
TEST(SipIncoming, an_odd_notify_is_known_by_its_call_id_in_the_first_8_kb) {
  for (const char* host : {"203.0.113.5", "203.0.113.6"})   // the first is known after its NOTIFY
    for (int i = 0; i < 200; i++) ask(request("OPTIONS", "s"), host);
  auto odd = [](const std::string& filling) {
    std::string text = request("NOTIFY", "ours@h", 3);
    text.replace(text.find("To: <sip:pua@z>"), 15, "To:\r\n <sip:pua@z>");
    return text.insert(text.find("From:"), "X: " + filling + "\r\n");
  };
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(odd(std::string(4000, 'x')), "203.0.113.5").start_line.c_str());
  uint64_t parsed = incoming.counters().parsed;
  STRCMP_EQUAL("", ask(odd(std::string(60000, 'x')), "203.0.113.6").start_line.c_str());
  LONGS_EQUAL(parsed, incoming.counters().parsed);
}

// Beyond the limit the Call-ID alone is looked for: in each form that it may have.
TEST(SipIncoming, a_known_dialog_is_found_in_every_form_of_its_call_id) {
  for (const char* host : {"203.0.113.5", "203.0.113.6"})
    for (int i = 0; i < 200; i++) ask(request("OPTIONS", "s"), host);
  int cseq = 10;
  for (const char* form : {"Call-ID: ours@h", "call-id:ours@h", "CALL-ID \t:  ours@h  ", "i: ours@h", "I :ours@h", "Call-ID:\r\n ours@h", "i:\r\n\tours@h"}) {
    std::string text = request("NOTIFY", "ours@h", cseq++);
    text.replace(text.find("Call-ID: ours@h"), 15, form);
    STRCMP_EQUAL("SIP/2.0 200 OK", ask(text, "203.0.113.5").start_line.c_str());
  }
  for (const char* form : {"Call-ID: theirs@h", "X: ours@h", "Call-IDX: ours@h", "Info: ours@h"}) {
    std::string text = request("NOTIFY", "ours@h", cseq++);
    STRCMP_EQUAL("", ask(text.replace(text.find("Call-ID: ours@h"), 15, form), "203.0.113.6").start_line.c_str());
  }
}

// One line a minute, for whoever looks for the notifier that does not know our dialogs; more is in the counters.
TEST(SipIncoming, refused_notifies_of_strangers_are_named_once_a_minute) {
  ask(request("NOTIFY", "ours@h"));
  ask(request("OPTIONS", "x@h"));
  LONGS_EQUAL(0, lines.size());
  sink.answer = {481, "Subscription Does Not Exist", ""};
  for (int i = 0; i < 3; i++) ask(request("NOTIFY", "x@h", 10 + i), "192.0.2.1", 40000, 2000 + i);
  ask(request("NOTIFY", "x@h", 20), "198.51.100.7", 5060, 61999);
  LONGS_EQUAL(1, lines.size());
  STRCMP_EQUAL("sip: a NOTIFY from 192.0.2.1:40000 that belongs to no subscription of ours was answered with 481 Subscription Does Not Exist",
               lines[0].c_str());
  sink.answer = {489, "Bad Event", ""};
  ask(request("NOTIFY", "x@h", 21), "198.51.100.7", 5060, 62000, false);
  LONGS_EQUAL(2, lines.size());
  STRCMP_EQUAL("sip: a NOTIFY from 198.51.100.7:5060 that belongs to no subscription of ours was answered with 489 Bad Event, and so were 3 more",
               lines[1].c_str());
}

// --- refused before the sink saw them --------------------------------------------------------------------------------------------

// A notifier whose NOTIFYs are all refused would else never be heard of.
TEST(SipIncoming, of_a_refused_notify_the_sink_hears_what_can_be_read) {
  struct { const char *what, *by, *told; } rows[] = {
      {"<sip:x@y>;tag=1", "<sip:x@y>", "400 From: no tag|ours@h|2||192.0.2.1:40000"},
      {"<sip:x@y>;tag=1", "\"x <sip:x@y>;tag=1", "400 From: not readable, or there twice|ours@h|2||192.0.2.1:40000"},
      {";tag=2", ";tag=\"2\"", "400 To: tag not usable|ours@h||1|192.0.2.1:40000"},
      {"CSeq: 1 NOTIFY\r\n", "", "400 CSeq: missing|ours@h|2|1|192.0.2.1:40000"},
      {"1 NOTIFY", "1 SUBSCRIBE", "400 CSeq: another method|ours@h|2|1|192.0.2.1:40000"},
      {"1 NOTIFY", "99999999999 NOTIFY", "400 CSeq: not readable, or there twice|ours@h|2|1|192.0.2.1:40000"},
      {"CSeq: ", "CSeq: 1 NOTIFY\r\nCSeq: ", "400 CSeq: not readable, or there twice|ours@h|2|1|192.0.2.1:40000"},
      {"From: ", "From: <sip:z@y>;tag=9\r\nFrom: ", "400 From: not readable, or there twice|ours@h|2|9|192.0.2.1:40000"},
      {"To: ", "To: <sip:z@y>;tag=9\r\nTo: ", "400 To: not readable, or there twice|ours@h|9|1|192.0.2.1:40000"},
      {"CSeq: ", "Call-ID: theirs@h\r\nCSeq: ", "400 Call-ID: not readable, or there twice|ours@h|2|1|192.0.2.1:40000"},
      {"SIP/2.0\r\n", "SIP/3.0\r\n", "505 Version Not Supported|ours@h|2|1|192.0.2.1:40000"},
      {"Content-Length: 0", "Content-Length: 9", "400 Content-Length: longer than the message|ours@h|2|1|192.0.2.1:40000"},
      {"Event: ", "Require: magic\r\nEvent: ", "420 Bad Extension|ours@h|2|1|192.0.2.1:40000"},
  };
  uint64_t refused = 0;
  for (bool datagram : {true, false}) {
    for (auto& row : rows) {
      std::string text = request("NOTIFY", "ours@h");
      text.replace(text.find(row.what), strlen(row.what), row.by);
      sink.unread.clear();
      std::string line = ask(text, "192.0.2.1", 40000, 1000, datagram).start_line;
      LONGS_EQUAL_TEXT(1, sink.unread.size(), row.told);
      STRCMP_EQUAL(row.told, sink.unread[0].c_str());
      CHECK_TEXT(line == "SIP/2.0 " + std::string(row.told, strcspn(row.told, "|")), line.c_str());
      LONGS_EQUAL(++refused, incoming.counters().refused);
    }
  }
  LONGS_EQUAL(0, sink.count);
  LONGS_EQUAL(0, lines.size());   // the engine tells of what is its own
}

// RFC 3261 section 18.2.2: the answer goes where the Via says. Taken, it would be repeated by its sender until that gives up.
TEST(SipIncoming, a_notify_without_via_is_refused_as_it_cannot_be_answered) {
  for (bool datagram : {true, false}) {
    std::string text = request("NOTIFY", "ours@h");
    text.erase(text.find("Via: "), text.find("From: ") - text.find("Via: "));
    ask(text, "192.0.2.1", 40000, 1000, datagram);
    STRCMP_EQUAL("", out.c_str());
  }
  LONGS_EQUAL(0, sink.count);
  LONGS_EQUAL(2, incoming.counters().refused);
  LONGS_EQUAL(2, sink.unread.size());
  STRCMP_EQUAL("400 Via: missing, it cannot be answered|ours@h|2|1|192.0.2.1:40000", sink.unread[1].c_str());
}

TEST(SipIncoming, a_message_that_the_stream_turned_away_is_told_as_well) {
  std::string text = request("NOTIFY", "ours@h");
  incoming.turned_away(text, *NetAddress::literal("192.0.2.1", 40000), 400, "Content-Length Missing", 1000);
  LONGS_EQUAL(1, sink.unread.size());
  STRCMP_EQUAL("400 Content-Length Missing|ours@h|2|1|192.0.2.1:40000", sink.unread[0].c_str());
  LONGS_EQUAL(1, incoming.counters().refused);
  LONGS_EQUAL(0, lines.size());
  incoming.turned_away(request("NOTIFY", "x@h"), *NetAddress::literal("192.0.2.1", 40000), 400, "Content-Length Missing", 1000);
  STRCMP_EQUAL("sip: a NOTIFY from 192.0.2.1:40000 that belongs to no subscription of ours was answered with 400 Content-Length Missing",
               lines.at(0).c_str());
  incoming.turned_away(request("OPTIONS", "ours@h"), *NetAddress::literal("192.0.2.1", 40000), 400, "Content-Length Missing", 1000);
  LONGS_EQUAL(2, incoming.counters().refused);   // NOTIFYs only
}

TEST(SipIncoming, the_sink_is_told_where_a_notify_came_from) {
  ask(request("NOTIFY", "ours@h", 1), "192.0.2.1", 40000);
  STRCMP_EQUAL("192.0.2.1:40000", sink.sender.c_str());
  ask(request("NOTIFY", "ours@h", 2), "192.0.2.1", 40001);
  STRCMP_EQUAL("192.0.2.1:40001", sink.sender.c_str());
  ask(request("NOTIFY", "ours@h", 3), "2001:db8::1", 40001);
  STRCMP_EQUAL("[2001:db8::1]:40001", sink.sender.c_str());
}

// --- who has seen a Call-ID of ours ------------------------------------------------------------------------------------------------

// Not what a host says makes it a notifier, but that a NOTIFY of it was taken.
TEST(SipIncoming, a_host_that_knows_no_more_than_a_call_id_is_a_stranger) {
  sink.answer = {481, "Subscription Does Not Exist", "X-Long: " + std::string(500, 'x') + "\r\n"};
  int answered = 0;
  for (int i = 0; i < 1000; i++) {
    std::string text = request("NOTIFY", "ours@h", i);
    answered += !ask(text, "203.0.113.5").start_line.empty();
    CHECK_TRUE(out.size() <= text.size() * 3 / 2);
  }
  LONGS_EQUAL(StrangerLimit::kHost, answered);
  LONGS_EQUAL(StrangerLimit::kHost, sink.count);
  LONGS_EQUAL(1000 - StrangerLimit::kHost, incoming.counters().unanswered);
  // Others have their own share, also those who know it as well.
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("OPTIONS", "x"), "203.0.113.5").start_line.c_str());
  sink.answer = {200, "OK", ""};
  for (int i = 0; i < 1000; i++) STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("NOTIFY", "ours@h", 5000 + i), "203.0.113.6").start_line.c_str());
}

TEST(SipIncoming, those_who_know_a_call_id_take_together_no_more_than_other_strangers) {
  sink.answer = {481, "Subscription Does Not Exist", ""};
  int answered = 0;
  for (int i = 0; i < 10000; i++) {
    std::string host = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250);
    answered += !ask(request("NOTIFY", "ours@h", i), host.c_str()).start_line.empty();
  }
  LONGS_EQUAL(StrangerLimit::kAll, answered);
}

TEST(SipIncoming, one_taken_as_unsolicited_makes_no_host_known) {
  for (int i = 0; i < 1000; i++) {
    std::string text = request("NOTIFY", "ours@h", i);
    ask(text.erase(text.find(";tag=2"), 6), "203.0.113.5");
  }
  LONGS_EQUAL(StrangerLimit::kHost, sink.count);
}

TEST(SipIncoming, other_requests_are_no_strangers_less_for_a_call_id_of_ours) {
  int answered = 0;
  for (int i = 0; i < 1000; i++) answered += !ask(request("OPTIONS", "ours@h", i), "203.0.113.5").start_line.empty();
  LONGS_EQUAL(StrangerLimit::kHost, answered);
}

TEST(SipIncoming, refused_notifys_of_who_knows_a_call_id_push_no_answers_out) {
  ask(request("NOTIFY", "ours@h"));
  sink.answer = {481, "Subscription Does Not Exist", ""};
  for (int i = 0; i < 6000; i++) ask(request("NOTIFY", "ours@h", i + 2), "203.0.113.5", 40000, 1000 + 5 * i);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(request("NOTIFY", "ours@h"), "192.0.2.1", 40000, 31000).start_line.c_str());
  LONGS_EQUAL(1, incoming.counters().repeated);
}
