// The listener: NOTIFYs in over UDP, TCP, TLS and IPv6, put to the sink once, answered as it says; everything else refused.
//
//   server                      listener                 sink
//     | NOTIFY ------------------->| on_notify ------------>|
//     |<--------------- 200 OK     |<----------- 200        |
//     | NOTIFY (the same again) -->|
//     |<--------------- 200 OK     |   from what was kept
#include <malloc.h>

#include <cstdlib>
#include <string>

#include "sip/answers.h"
#include "tests/sip/notify_rig.h"

#include <CppUTest/TestHarness.h>

using namespace pua;
using namespace pua::test;
using Mode = SuDriver::Mode;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

TEST_GROUP_BASE(SipListener, ListenerTest){};

TEST(SipListener, a_notify_reaches_the_sink_and_its_answer_the_server) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    rig->start();
    sink->answer = {200, "Taken", "X-Thing: one\r\nAllow-Events: presence, dialog\r\n"};
    Wire w(contact());
    SipReceived r = ask(w, m.text());
    STRCMP_EQUAL("SIP/2.0 200 Taken", r.start_line.c_str());
    STRCMP_EQUAL("<sip:bob@example.com>;tag=rt-1", r.header("From").c_str());
    STRCMP_EQUAL("<sip:watcher@example.com>;tag=lt-1", r.header("To").c_str());
    STRCMP_EQUAL("sub-1@pua", r.header("Call-ID").c_str());
    STRCMP_EQUAL("5 NOTIFY", r.header("CSeq").c_str());
    STRCMP_EQUAL("z9hG4bKn1", r.param("Via", "branch").c_str());
    STRCMP_EQUAL(std::to_string(w.port()).c_str(), r.param("Via", "rport").c_str());
    STRCMP_EQUAL("one", r.header("X-Thing").c_str());
    STRCMP_EQUAL("presence, dialog", r.header("Allow-Events").c_str());
    LONGS_EQUAL(1, sink->count);
    STRCMP_EQUAL("presence", sink->came[0].event.c_str());
    STRCMP_EQUAL("7", sink->came[0].event_id.c_str());
    STRCMP_EQUAL("<presence/>", sink->came[0].body.c_str());
    STRCMP_EQUAL("sip:server@192.0.2.9:5070", sink->came[0].contact.c_str());
  }
}

TEST(SipListener, what_the_sink_refuses_is_refused) {
  rig->start();
  for (int s : {400, 481, 489, 500, 415, 503}) {
    sink->answer = {s, "As it says", s == 489 ? "Allow-Events: dialog\r\n" : ""};
    m.call_id = "c" + std::to_string(s);
    STRCMP_EQUAL((std::to_string(s) + " As it says").c_str(), answer().c_str());
  }
  sink->answer = {400, "two\r\nlines: here", ""};
  m.call_id = "c-lines";
  STRCMP_EQUAL("400 two  lines: here", answer().c_str());
}

TEST(SipListener, a_repeated_notify_is_answered_alike_and_put_to_the_sink_once) {
  FakeClock clock;
  rig->start();
  sink->answer = {200, "First", "X-Thing: one\r\n"};
  Wire w(contact());
  STRCMP_EQUAL("200 First", status(ask(w, m.text())).c_str());
  sink->answer = {481, "Second", ""};
  for (int i = 0; i < 3; i++) {
    SipReceived r = ask(w, m.text());
    STRCMP_EQUAL("200 First", status(r).c_str());
    STRCMP_EQUAL("one", r.header("X-Thing").c_str());
  }
  LONGS_EQUAL(1, sink->count);
  LONGS_EQUAL(3, rig->stack->counters().notifies_repeated);
  m.cseq = "6 NOTIFY";
  STRCMP_EQUAL("481 Second", status(ask(w, m.text())).c_str());
  LONGS_EQUAL(2, sink->count);
  m.cseq = "5 NOTIFY";
  clock.pass(*rig, 31000);
  STRCMP_EQUAL("200 First", status(ask(w, m.text())).c_str());
  clock.pass(*rig, 2000);  // timer J is over
  STRCMP_EQUAL("481 Second", status(ask(w, m.text())).c_str());
}

TEST(SipListener, over_a_connection_each_message_is_a_new_one_and_they_may_come_in_pieces) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    rig->settings.notify_listen = {"sip:127.0.0.1:*;transport=tcp"};
    rig->start();
    STRCMP_CONTAINS(";transport=tcp", contact().c_str());
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    SipReceived first = connect(server);
    m.via = "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKn1";
    m.body = std::string(20000, 'x');
    server.send_raw(first, m.text());
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 2; }));
    STRCMP_EQUAL("SIP/2.0 200 OK", server.requests[1].start_line.c_str());
    m.body = "b";
    std::string three = "\r\n\r\n" + m.text() + m.text() + "\r\n" + m.text();
    for (size_t i = 0; i < three.size(); i += 50) {
      server.send_raw(first, three.substr(i, 50));
      rig->turn();
    }
    CHECK_TRUE(rig->until([&] { return server.requests.size() == 5; }));
    LONGS_EQUAL(4, sink->count);
    LONGS_EQUAL(20000, sink->came[0].body.size());
  }
}

// Connections are taken where an address asks for them, and nowhere else: not by sofia, not where requests leave from.
TEST(SipListener, nobody_can_connect_where_no_address_asks_for_it) {
  make(Mode::Port);
  rig->settings.notify_listen = {"sip:127.0.0.1:*;transport=udp"};
  rig->start();
  Wire w(contact(), true);
  CHECK_FALSE(w.up());
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  server.on_request = [&](const SipReceived& r) { server.reply(r, 200, "OK"); };
  proxy = server.uri();
  SipRequest q = rig->publish();
  q.proxy = proxy;
  rig->send(q);
  CHECK_TRUE(rig->until_replies(1));
  Wire out("sip:" + server.requests[0].from, true);
  CHECK_FALSE(out.up());
}

TEST(SipListener, ipv6_works_like_ipv4) {
  ScriptedServer v6(rig->base, ScriptedServer::Kind::Udp, "::1");
  if (!v6.up()) return;
  rig->settings.notify_listen = {"sip:[::1]:*"};
  rig->start();
  STRCMP_CONTAINS("sip:[::1]:", contact().c_str());
  m.via = "SIP/2.0/UDP [::1]:9;branch=z9hG4bKn1;rport";
  STRCMP_EQUAL("200 OK", answer().c_str());
}

TEST(SipListener, every_address_of_the_machine_can_be_listened_on) {
  for (const char* uri : {"sip:*:*", "sip:0.0.0.0:*"}) {
    make(Mode::Port);
    rig->settings.notify_listen = {uri};
    rig->start();
    std::string c = contact();
    CHECK_TEXT(c.find("0.0.0.0") == std::string::npos && c.find('*') == std::string::npos && c.find(":0") == std::string::npos, c.c_str());
    Wire w("sip:127.0.0.1" + c.substr(c.rfind(':')));
    STRCMP_EQUAL("200 OK", status(ask(w, m.text())).c_str());
  }
}

TEST(SipListener, a_given_port_is_used_and_is_free_again_after_the_end) {
  uint16_t port;
  {
    ScriptedServer free_one(rig->base, ScriptedServer::Kind::Tcp);
    port = free_one.port();
  }
  std::string uri = "sip:127.0.0.1:" + std::to_string(port);
  rig->settings.notify_listen = {uri};
  rig->start();
  STRCMP_EQUAL(uri.c_str(), contact().c_str());
  auto second = rig->try_start();
  LONGS_EQUAL(static_cast<int>(Errc::sip_failed), static_cast<int>(second.code()));
  STRCMP_CONTAINS(uri.c_str(), second.error().message.c_str());
  STRCMP_EQUAL("200 OK", answer().c_str());
  rig->stack.reset();
  ScriptedServer udp(rig->base, ScriptedServer::Kind::Udp, "127.0.0.1", port);
  CHECK_TRUE(udp.up());
}

TEST(SipListener, without_an_address_nothing_is_opened) {
  rig->settings.notify_listen.clear();
  rig->start();
  STRCMP_EQUAL("", contact().c_str());
}

TEST(SipListener, without_a_sink_a_notify_is_one_of_nobodys_subscription) {
  rig->notifies = nullptr;
  rig->start();
  STRCMP_EQUAL("481 Subscription Does Not Exist", answer().c_str());
}

TEST(SipListener, addresses_that_make_no_sense_are_clear_errors) {
  for (const char* uri : {"nonsense", "sip:", "sip:a@127.0.0.1:5060", "sip:127.0.0.1;transport=tls", "sips:127.0.0.1:*"}) {
    rig->settings.notify_listen = {uri};
    LONGS_EQUAL(static_cast<int>(Errc::bad_config), static_cast<int>(rig->try_start().code()));
  }
  rig->settings.notify_listen = {"sips:127.0.0.1:*"};
  rig->settings.tls_dir = "/nonexistent";
  LONGS_EQUAL(static_cast<int>(Errc::sip_failed), static_cast<int>(rig->try_start().code()));
}

// --- refusals -------------------------------------------------------------------------------------------------------------

TEST(SipListener, other_methods_are_refused_and_an_ack_is_not_answered) {
  rig->start();
  Wire w(contact());
  auto request = [&](const std::string& method) {
    std::string text = m.text();
    for (size_t at; (at = text.find("NOTIFY")) != std::string::npos;) text.replace(at, 6, method);
    return text;
  };
  w.send(request("ACK"));
  for (const char* method : {"SUBSCRIBE", "INVITE", "PUBLISH", "MESSAGE", "REGISTER", "BYE", "REFER", "INFO", "UPDATE", "PRACK"}) {
    SipReceived r = ask(w, request(method));
    STRCMP_EQUAL("405 Method Not Allowed", status(r).c_str());
    STRCMP_EQUAL("NOTIFY", r.header("Allow").c_str());
  }
  SipReceived r = ask(w, request("OPTIONS"));
  STRCMP_EQUAL("200 OK", status(r).c_str());
  STRCMP_EQUAL("NOTIFY", r.header("Allow").c_str());
  r = ask(w, request("WHATEVER"));
  STRCMP_EQUAL("501 Not Implemented", status(r).c_str());
  STRCMP_EQUAL("NOTIFY", r.header("Allow").c_str());
  STRCMP_EQUAL("481 Call/Transaction Does Not Exist", status(ask(w, request("CANCEL"))).c_str());
  LONGS_EQUAL(13, w.replies().size());  // none for the ACK
  LONGS_EQUAL(0, sink->count);
  LONGS_EQUAL(0, rig->stack->counters().notifies_bad);   // none of them is one
  LONGS_EQUAL(13, rig->stack->counters().incoming.others);
}

TEST(SipListener, a_notify_that_cannot_be_read_is_refused_with_the_field_named) {
  rig->start();
  auto with = [&](std::string NotifyMessage::* field, const char* value) {
    m = {};
    m.*field = value;
    return answer();
  };
  STRCMP_EQUAL("400 From: no tag", with(&NotifyMessage::from, "<sip:b@c>").c_str());
  STRCMP_EQUAL("400 Event: not usable", with(&NotifyMessage::headers, "Event: ;x\r\nSubscription-State: active\r\n").c_str());
  STRCMP_EQUAL("400 Event: not usable", with(&NotifyMessage::headers, "Event: a\r\nEvent: b\r\nSubscription-State: active\r\n").c_str());
  STRCMP_EQUAL("400 Subscription-State: not usable", with(&NotifyMessage::headers, "Event: presence\r\nSubscription-State: =\r\n").c_str());
  m = {};
  m.headers += "Require: magic\r\n";
  Wire w(contact());
  SipReceived r = ask(w, m.text());
  STRCMP_EQUAL("420 Bad Extension", status(r).c_str());
  STRCMP_EQUAL("magic", r.header("Unsupported").c_str());
  // Of these sofia says no more than that they are bad.
  STRCMP_EQUAL(lane_on() ? "400 Call-ID: missing" : "400 Bad Request", with(&NotifyMessage::call_id, "").c_str());
  STRCMP_EQUAL(lane_on() ? "400 CSeq: not readable, or there twice" : "400 Bad CSeq Header", with(&NotifyMessage::cseq, "x NOTIFY").c_str());
  STRCMP_EQUAL(lane_on() ? "400 CSeq: another method" : "400 Bad Request", with(&NotifyMessage::cseq, "5 SUBSCRIBE").c_str());
  LONGS_EQUAL(0, sink->count);
  LONGS_EQUAL(8, rig->stack->counters().notifies_bad);
}

// Whether what is said, or left out, is enough is the engine's to say: it knows whose dialog it is.
TEST(SipListener, a_notify_with_odd_fields_is_shown) {
  rig->start();
  std::string state = "Event: presence\r\nSubscription-State: active\r\n";
  for (const std::string& headers : {std::string("Subscription-State: active\r\n"), std::string("Event: presence\r\n"), state,
                                     std::string("Event: presence\r\nSubscription-State: active;expires=x\r\n"),
                                     state + "Content-Type: a/b\r\nContent-Encoding: gzip\r\n"}) {
    m = {};
    m.headers = headers;
    int before = sink->count;
    m.cseq = std::to_string(10 + before) + " NOTIFY";
    m.via.insert(m.via.find(";rport"), std::to_string(before));
    STRCMP_EQUAL_TEXT("200 OK", answer().c_str(), headers.c_str());
    LONGS_EQUAL_TEXT(before + 1, sink->count, headers.c_str());
  }
  m = {};
  m.to = "<sip:b@c>";   // outside of any dialog
  STRCMP_EQUAL("200 OK", answer().c_str());
}

TEST(SipListener, broken_messages_harm_nothing) {
  rig->start();
  STRCMP_EQUAL("200 OK", answer().c_str());   // of a notifier of ours: it is answered whatever else comes from there
  Wire udp(contact());
  std::string text = m.text();
  for (size_t n = 0; n < text.size(); n += 3) udp.send(text.substr(0, n));
  for (size_t n = 0; n < text.size(); n += 2) {
    std::string x = text;
    x[n] = static_cast<char>(x[n] ^ 0x80);
    udp.send(x);
    x[n] = '\0';
    udp.send(x);
    x[n] = '\n';
    udp.send(x);
    rig->turn();
  }
  std::string version = text;
  udp.send(version.replace(version.find("SIP/2.0"), 7, "SIP/9.9"));
  for (std::string s : {std::string(65000, 'A'), std::string(60000, '\r'), std::string("NOTIFY sip:a SIP/2.0\r\n") + std::string(60000, ' '),
                        "NOTIFY sip:a@b SIP/2.0\r\n" + std::string(30000, 'x') + ": y\r\n\r\n", std::string("SIP/2.0 200 OK\r\n\r\n"),
                        std::string("\x16\x03\x01\x02\x00\x01", 6), std::string("\0\x01\0\0\x21\x12\xa4\x42", 8)})
    udp.send(s);
  std::string many = text;
  for (int i = 0; i < 400; i++) many.insert(many.find("Max-Forwards"), "Via: SIP/2.0/UDP h" + std::to_string(i) + ";branch=z9hG4bKx\r\n");
  udp.send(many);
  m.call_id = "after";
  Wire w(contact());
  STRCMP_EQUAL("200 OK", status(ask(w, m.text())).c_str());
  STRCMP_EQUAL("after", sink->came.back().call_id.c_str());
}

TEST(SipListener, broken_streams_harm_nothing_and_a_message_that_is_too_long_is_not_taken) {
  rig->settings.notify_listen = {"sip:127.0.0.1:*;transport=tcp"};
  rig->settings.max_message = 30000;
  rig->start();
  m.via = "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKn1";
  m.body = std::string(40000, 'x');
  for (std::string s : {m.text(), std::string(400000, 'A'), std::string(100, '\0') + "\r\n\r\n", std::string("NOTIFY sip:a@b SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n"),
                        std::string("NOTIFY sip:a@b SIP/2.0\r\nContent-Length: -1\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01", 6),
                        std::string("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n")}) {
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    server.send_raw(connect(server), s);
    for (int i = 0; i < 5; i++) rig->turn();
  }
  LONGS_EQUAL(0, sink->count);
  m.body = "b";
  ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
  server.send_raw(connect(server), m.text());
  CHECK_TRUE(rig->until([&] { return server.requests.size() == 2; }));
  STRCMP_EQUAL("SIP/2.0 200 OK", server.requests[1].start_line.c_str());
  LONGS_EQUAL(1, sink->count);
}

// --- the end --------------------------------------------------------------------------------------------------------------

TEST(SipListener, after_shutdown_nothing_is_taken) {
  for (Mode mode : {Mode::Port, Mode::Nested}) {
    make(mode);
    rig->start();
    std::string c = contact();
    Wire udp(c);
    STRCMP_EQUAL("200 OK", status(ask(udp, m.text())).c_str());
    ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
    server.send_raw(connect(server), m.text().substr(0, 60));  // a message is on its way
    for (int i = 0; i < 3; i++) rig->turn();
    LONGS_EQUAL(1, server.open_connections());
    bool done = false;
    rig->stack->shutdown([&] { done = true; });
    STRCMP_EQUAL("", contact().c_str());
    m.call_id = "late";
    udp.send(m.text());
    CHECK_TRUE(rig->until([&] { return done; }));
    for (int i = 0; i < 3; i++) rig->turn();
    LONGS_EQUAL(1, sink->count);
    CHECK_TRUE(rig->until([&] { return server.open_connections() == 0; }));
    ScriptedServer there(rig->base, ScriptedServer::Kind::Udp, "127.0.0.1", static_cast<uint16_t>(atoi(c.c_str() + c.rfind(':') + 1)));
    CHECK_TRUE(there.up());
  }
}

TEST(SipListener, the_stack_may_be_destroyed_inside_on_notify) {
  for (bool tcp : {false, true}) {
    for (Mode mode : {Mode::Port, Mode::Nested}) {
      make(mode);
      rig->start();
      Wire w(contact());
      ScriptedServer server(rig->base, ScriptedServer::Kind::Tcp);
      SipReceived first;
      if (tcp) first = connect(server);
      if (tcp) m.via = "SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bKn1";
      sink->then = [&](const Notified&) {
        sink->then = {};
        rig->stack.reset();
      };
      std::string many;
      for (int i = 0; i < 40; i++) {
        m.call_id = "c" + std::to_string(i);
        if (!tcp) w.send(m.text());
        many += m.text();
      }
      if (tcp) server.send_raw(first, many);
      CHECK_TRUE(rig->until([&] { return sink->count > 0; }));
      for (int i = 0; i < 5; i++) rig->turn();
      LONGS_EQUAL(1, sink->count);
      LONGS_EQUAL(1, tcp ? server.requests.size() - 1 : w.replies().size());  // the one that it happened in
    }
  }
}

TEST(SipListener, stack_and_driver_may_both_be_destroyed_inside_on_notify) {
  rig->start();
  Wire w(contact());
  sink->then = [&](const Notified&) {
    rig->stack.reset();
    rig->driver.reset();
  };
  w.send(m.text());
  CHECK_TRUE(rig->until([&] { return sink->count > 0; }));
  for (int i = 0; i < 5; i++) rig->turn();
  LONGS_EQUAL(1, sink->count);
}

TEST(SipListener, a_request_may_be_sent_and_a_shutdown_begun_inside_on_notify) {
  rig->start();
  ScriptedServer server(rig->base, ScriptedServer::Kind::Udp);
  Wire w(contact());
  bool done = false;
  sink->then = [&](const Notified&) {
    proxy = server.uri();
    SipRequest q = rig->publish();
    q.method = "SUBSCRIBE";
    q.proxy = proxy;
    CHECK_TRUE(rig->stack->send(q).ok());
    rig->stack->shutdown([&] { done = true; });
  };
  STRCMP_EQUAL("200 OK", status(ask(w, m.text())).c_str());
  CHECK_TRUE(rig->until([&] { return done; }));
  LONGS_EQUAL(1, rig->replies.size());
  LONGS_EQUAL(487, rig->replies[0].status);
}

// --- cost -----------------------------------------------------------------------------------------------------------------

TEST(SipListener, memory_stays_flat_over_a_hundred_thousand_notifies) {
  rig->start();
  sink->keep = false;
  Wire w(contact());
  const int total = kSanitized ? 5000 : 100000;
  int sent = 0;
  auto run = [&](int until) {
    std::string body(600, 'x');
    while (sent < until) {
      for (int i = 0; i < 50 && sent < until; i++, sent++) {
        NotifyMessage x;
        x.via = "SIP/2.0/UDP 127.0.0.1:9;rport;branch=z9hG4bK" + std::to_string(sent);
        x.call_id = "c" + std::to_string(sent % 1000);
        x.cseq = std::to_string(1 + sent / 1000) + " NOTIFY";
        x.body = body;
        w.send(x.text());
      }
      rig->until([&] { return sink->count == static_cast<size_t>(sent); });
    }
  };
  run(total / 5);  // the table of answers is full now
  size_t before = mallinfo2().uordblks;
  run(total);
  size_t after = mallinfo2().uordblks;
  LONGS_EQUAL(total, sink->count);
  if (!kSanitized) CHECK_TEXT(after < before + 100000, std::to_string(after - before).c_str());
}

TEST(SipListener, answers_are_bounded_by_number_and_age) {
  Answers a(3, 1000);
  for (uint64_t k = 1; k <= 4; k++) a.keep(k, {200, "r" + std::to_string(k), ""}, 10);
  LONGS_EQUAL(3, a.size());
  POINTERS_EQUAL(nullptr, a.find(1, 10));
  STRCMP_EQUAL("r4", a.find(4, 10)->reason.c_str());
  a.keep(2, {500, "again", ""}, 500);  // the newer one counts
  STRCMP_EQUAL("again", a.find(2, 500)->reason.c_str());
  POINTERS_EQUAL(nullptr, a.find(4, 1010));
  STRCMP_EQUAL("again", a.find(2, 1010)->reason.c_str());
  POINTERS_EQUAL(nullptr, a.find(2, 1500));
  LONGS_EQUAL(0, a.size());
}
