// Connections from outside, on real sockets over loopback: messages, what is refused, silence, answers nobody reads, the end.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <deque>

#include "tests/sip/inbound_rig.h"

using namespace pua;
using namespace pua::test;

TEST_GROUP_BASE(Inbound, InboundTest) {};

// --- messages --------------------------------------------------------------------------------------------------------------

TEST(Inbound, a_request_is_answered_over_its_connection) {
  serve();
  StreamClient c(at);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(c, request("known-1")).c_str());
  STRCMP_EQUAL(request("known-1").c_str(), port.came.at(0).c_str());
  CHECK_TRUE(port.peers[0].transport == Peer::Transport::Tcp);
  sockaddr_in mine{};
  socklen_t size = sizeof mine;
  getsockname(c.fd(), reinterpret_cast<sockaddr*>(&mine), &size);
  auto& seen = reinterpret_cast<sockaddr_in&>(port.peers[0].address);
  LONGS_EQUAL(mine.sin_port, seen.sin_port);
  LONGS_EQUAL(mine.sin_addr.s_addr, seen.sin_addr.s_addr);
  STRCMP_EQUAL("SIP/2.0 481 Subscription Does Not Exist", ask(c, request("other")).c_str());
  LONGS_EQUAL(1, counters().accepted);
  LONGS_EQUAL(1, counters().open);
  LONGS_EQUAL(1, counters().known);
  LONGS_EQUAL(2, counters().messages);
}

TEST(Inbound, messages_may_come_many_at_once_or_octet_by_octet) {
  serve();
  StreamClient c(at);
  std::string many;
  for (int i = 0; i < 200; i++) many += request("known-" + std::to_string(i), std::string(static_cast<size_t>(i) * 7, 'b'));
  size_t sent = 0;
  CHECK_TRUE(until([&] {
    sent += c.send(std::string_view(many).substr(sent));
    c.read();
    return c.answers() == 200;
  }));
  for (int i = 0; i < 200; i++) STRCMP_CONTAINS(("Call-ID: known-" + std::to_string(i) + "\r\n").c_str(), port.came.at(static_cast<size_t>(i)).c_str());
  c.got.clear();
  for (char octet : request("known-x")) {
    c.send({&octet, 1});
    turn();
  }
  CHECK_TRUE(until_answers(c, 1));
  LONGS_EQUAL(0, counters().held);   // nothing is kept of what was taken
}

TEST(Inbound, nothing_is_sent_for_an_ack_or_a_response) {
  serve();
  StreamClient c(at);
  c.send(request("x", "", "ACK") + "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(c, request("known-1")).c_str());
  LONGS_EQUAL(1, c.answers());
  LONGS_EQUAL(3, counters().messages);
  LONGS_EQUAL(1, counters().known);
}

TEST(Inbound, a_keep_alive_is_answered_and_a_line_end_is_not) {
  serve();
  StreamClient c(at);
  c.send("\r\n");
  turn(3);
  c.send("\r\n");
  CHECK_TRUE(until([&] {
    c.read();
    return !c.got.empty();
  }));
  STRCMP_EQUAL("\r\n", c.got.c_str());
  LONGS_EQUAL(1, counters().pings);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(c, "\r\n" + request("known-1")).c_str());
  LONGS_EQUAL(1, counters().pings);
}

TEST(Inbound, what_was_whole_before_a_fin_is_answered_then_it_is_closed) {
  serve();
  StreamClient c(at);
  c.send(request("known-1") + request("known-2") + "NOTIFY sip:half");
  c.finish();
  CHECK_TRUE(until_closed(c));
  LONGS_EQUAL(2, c.answers());
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(1, ended(InboundEnd::peer));
  adds_up();
}

TEST(Inbound, a_reset_is_an_end) {
  serve();
  StreamClient c(at);
  ask(c, request("known-1"));
  c.send("NOTIFY ");
  turn(3);
  c.leave(true);
  CHECK_TRUE(until([&] { return counters().open == 0; }));
  LONGS_EQUAL(1, ended(InboundEnd::peer));
  LONGS_EQUAL(0, counters().held);
}

// --- what is refused -------------------------------------------------------------------------------------------------------

// Once: printf 'x\r\n\r\n' | nc -N left a socket in CLOSE_WAIT for 30 minutes.
TEST(Inbound, what_cannot_be_parsed_is_closed_and_its_descriptor_is_free) {
  serve();
  int before = dup(0);
  close(before);
  for (int i = 0; i < 50; i++) {
    StreamClient c(at);
    c.send("x\r\n\r\n");
    c.finish();
    CHECK_TRUE(until_closed(c));
    STRCMP_EQUAL("", c.got.c_str());
  }
  CHECK_TRUE(until([&] { return counters().open == 0; }));
  int after = dup(0);
  close(after);
  LONGS_EQUAL(before, after);
  LONGS_EQUAL(50, ended(InboundEnd::unparsable));
  LONGS_EQUAL(0, port.count);
  adds_up();
}

TEST(Inbound, what_cannot_be_parsed_is_closed_though_no_fin_comes) {
  serve();
  StreamClient c(at);
  c.send("x\r\n\r\n");
  CHECK_TRUE(until_closed(c));
  LONGS_EQUAL(1, counters().open);          // it waits a little for the FIN, so that answers before are not lost
  pass(1999);
  LONGS_EQUAL(1, counters().open);
  pass(1);
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(1, ended(InboundEnd::unparsable));
}

TEST(Inbound, an_answer_before_garbage_is_not_lost) {
  serve();
  StreamClient c(at);
  c.send(request("known-1") + std::string(100000, 'x'));
  CHECK_TRUE(until_closed(c));
  LONGS_EQUAL(1, c.answers());
}

TEST(Inbound, a_message_whose_end_cannot_be_told_gets_400_and_the_end) {
  serve();
  for (const char* line : {"X: y\r\n", "Content-Length: -1\r\n", "Content-Length: 99999999999\r\n", "Content-Length: 3\r\nl: 3\r\n"}) {
    StreamClient c(at);
    c.send(request("known-1", "abc", "NOTIFY", line) + request("known-2"));
    CHECK_TRUE(until_closed(c));
    LONGS_EQUAL(1, c.answers());
    STRCMP_CONTAINS("SIP/2.0 400 ", c.got.substr(0, 12).c_str());
    STRCMP_CONTAINS("\r\nCall-ID: known-1\r\n", c.got.c_str());
  }
  LONGS_EQUAL(0, port.count);
  pass(2000);
  LONGS_EQUAL(4, ended(InboundEnd::length));
  adds_up();
  // The port is told: it may be a notifier of ours that is at fault.
  LONGS_EQUAL(4, port.away.size());
  std::string first = request("known-1", "abc", "NOTIFY", "X: y\r\n");
  STRCMP_EQUAL(("400 Content-Length Missing|" + first.substr(0, first.find("\r\n\r\n") + 4)).c_str(), port.away[0].c_str());
}

TEST(Inbound, a_message_over_max_message_gets_413_by_its_head) {
  settings.max_message = 10000;
  serve();
  StreamClient c(at);
  c.send(request("stranger-1", "", "NOTIFY", "Content-Length: 10000\r\n"));
  CHECK_TRUE(until_closed(c));
  STRCMP_EQUAL("SIP/2.0 413 Request Entity Too Large", c.got.substr(0, c.got.find('\r')).c_str());
  c.leave();
  CHECK_TRUE(until([&] { return counters().open == 0; }));
  LONGS_EQUAL(1, ended(InboundEnd::too_large));
  LONGS_EQUAL(0, port.count);
}

// Once: the server got 413 and the end of its connection, and nobody heard of what the NOTIFY said of its subscription.
TEST(Inbound, a_notify_of_ours_over_max_message_is_answered_and_its_body_is_read_without_being_kept) {
  settings.max_message = 10000;
  serve();
  StreamClient c(at);
  std::string text = request("known-1", std::string(3000000, 'x')) + request("known-2");
  uint64_t most = 0;
  for (size_t sent = 0; sent < text.size();) {
    sent += c.send(std::string_view(text).substr(sent));
    turn();
    most = std::max(most, counters().held);
  }
  CHECK_TRUE(until_answers(c, 2));
  LONGS_EQUAL(2, port.count);
  LONGS_EQUAL(3000000, port.left_out);
  STRCMP_EQUAL("\r\n\r\n", port.came[0].substr(port.came[0].size() - 4).c_str());   // the head, and nothing behind it
  STRCMP_CONTAINS("\r\nCall-ID: known-2\r\n", port.came[1].c_str());
  CHECK_TRUE(most <= 16384);
  LONGS_EQUAL(1, counters().open);
  LONGS_EQUAL(1, counters().known);
  LONGS_EQUAL(2, counters().messages);
  adds_up();
}

TEST(Inbound, a_long_body_of_what_was_not_taken_is_not_read) {
  settings.max_message = 10000;
  serve();
  StreamClient c(at);
  c.send(request("ours-1", "", "NOTIFY", "Content-Length: 10000\r\n"));
  CHECK_TRUE(until_closed(c));
  STRCMP_CONTAINS("SIP/2.0 481 ", c.got.c_str());
  LONGS_EQUAL(1, c.answers());
  c.leave();
  CHECK_TRUE(until([&] { return counters().open == 0; }));
  LONGS_EQUAL(1, ended(InboundEnd::too_large));
  adds_up();
}

TEST(Inbound, a_long_body_must_come_within_tcp_silence) {
  settings.max_message = 10000;
  serve();
  StreamClient c(at);
  c.send(request("known-1", "", "NOTIFY", "Content-Length: 900000000\r\n") + "x");
  CHECK_TRUE(until_answers(c, 1));
  pass(9999);
  LONGS_EQUAL(1, counters().open);
  c.send("x");
  turn();
  pass(1);
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(1, ended(InboundEnd::silent));
}

TEST(Inbound, another_max_message_holds_for_connections_that_are_there) {
  settings.max_message = 10000;
  serve();
  StreamClient c(at);
  ask(c, request("known-1"));
  inbound->set_max_message(20000);
  c.got.clear();
  ask(c, request("known-2", std::string(15000, 'x')));
  LONGS_EQUAL(0, port.left_out);
  LONGS_EQUAL(2, port.count);
  StreamClient later(at);
  ask(later, request("known-3", std::string(15000, 'x')));
  LONGS_EQUAL(0, port.left_out);
  inbound->set_max_message(10000);
  ask(later, request("known-4", std::string(15000, 'x')));
  LONGS_EQUAL(15000, port.left_out);
}

// Once: 600 MB sent without a line end were 600 MB held.
TEST(Inbound, a_head_without_end_is_held_up_to_max_message_only) {
  settings.max_message = 65536;
  serve();
  StreamClient c(at);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(c, request("known-1", "")).c_str());
  c.send("NOTIFY sip:a@b SIP/2.0\r\nSubject: ");
  std::string x(65536, 'x');
  size_t sent = 0;
  uint64_t most = 0;
  CHECK_TRUE(until([&] {
    size_t n = c.send(x);
    sent += n;
    most = std::max(most, counters().held);
    c.read();
    return c.closed || sent > (64u << 20);
  }));
  CHECK_TRUE(c.closed);
  CHECK_TRUE(most <= 2 * (65536 + 16384));   // a string grows by doubling
  LONGS_EQUAL(0, counters().held);
  c.leave();
  CHECK_TRUE(until([&] { return counters().open == 0; }));
  LONGS_EQUAL(1, ended(InboundEnd::too_large));
}

// What is read on behind the end, so that the answer is not lost, has an end of its own.
TEST(Inbound, who_goes_on_sending_behind_the_end_is_cut_off) {
  serve();
  StreamClient c(at);
  c.send(request("x", "", "NOTIFY", "Content-Length: 400000000\r\n"));
  CHECK_TRUE(until_answers(c, 1));
  std::string more(65536, 'x');
  size_t sent = 0;
  bool cut = until([&] {
    sent += c.send(more);
    c.read();
    return counters().open == 0;
  });
  CHECK_TRUE(cut);
  CHECK_TEXT(sent < (16u << 20), std::to_string(sent).c_str());   // what the buffers of the system hold included
  STRCMP_CONTAINS("SIP/2.0 413 ", c.got.c_str());
}

TEST(Inbound, many_unfinished_messages_together_are_bounded_and_the_fattest_stranger_goes) {
  settings.max_connections_per_address = 1000;
  serve();
  StreamClient honest(at, "127.0.0.2");
  ask(honest, request("known-1"));
  honest.send(request("known-2").substr(0, 100));
  std::deque<StreamClient> fat;
  std::string part = "NOTIFY sip:a@b SIP/2.0\r\nSubject: " + std::string(100000, 'x');
  for (int i = 0; i < 200; i++) {
    fat.emplace_back(at);
    for (size_t sent = 0; sent < part.size();) {
      size_t n = fat.back().send(std::string_view(part).substr(sent));
      sent += n;
      turn();
      if (n == 0) break;
    }
    CHECK_TRUE(counters().held <= (4u << 20));
  }
  CHECK_TRUE(until([&] { return ended(InboundEnd::memory) >= 100; }));
  CHECK_TRUE(counters().held <= (4u << 20));
  honest.send(request("known-2").substr(100));
  honest.got.clear();
  CHECK_TRUE(until_answers(honest, 1));
  size_t told = 0;
  for (const std::string& l : lines) told += l.find("unfinished messages") != std::string::npos;
  LONGS_EQUAL(1, told);
  adds_up();
}

// --- silence ---------------------------------------------------------------------------------------------------------------

TEST(Inbound, who_says_nothing_is_closed_after_tcp_silence) {
  serve();
  StreamClient c(at);
  CHECK_TRUE(until([&] { return counters().open == 1; }));
  pass(9999);
  LONGS_EQUAL(1, counters().open);
  LONGS_EQUAL(now + 1, inbound->next_due());
  pass(1);
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(1, ended(InboundEnd::silent));
  CHECK_TRUE(until_closed(c));
}

TEST(Inbound, a_slow_sender_has_the_same_time_however_often_it_sends) {
  serve();
  StreamClient c(at);
  std::string text = request("known-1");
  for (int s = 0; s < 9; s++) {
    c.send(text.substr(static_cast<size_t>(s), 1));
    turn(3);
    pass(1000);
    LONGS_EQUAL(1, counters().open);
  }
  c.send("x");
  turn(3);
  pass(1000);
  LONGS_EQUAL(1, ended(InboundEnd::silent));
}

// A notifier that counts its octets wrong: each of its NOTIFYs ends so, and none is answered.
TEST(Inbound, a_message_that_never_gets_whole_is_told_where_its_head_is) {
  serve();
  std::string head = request("known-1", "", "NOTIFY", "Content-Length: 99\r\n"), told = "400 Content-Length: longer than the message|" + head + "body";
  StreamClient slow(at), half(at), leaves(at);
  slow.send(head + "body");
  half.send(head.substr(0, head.size() - 2));
  leaves.send(head + "body");
  leaves.finish();
  CHECK_TRUE(until_closed(leaves));
  LONGS_EQUAL(1, port.away.size());
  STRCMP_EQUAL(told.c_str(), port.away[0].c_str());
  pass(10000);
  LONGS_EQUAL(2, ended(InboundEnd::silent));
  LONGS_EQUAL(2, port.away.size());
  STRCMP_EQUAL(told.c_str(), port.away[1].c_str());
  LONGS_EQUAL(0, port.count);
  adds_up();
}

TEST(Inbound, keep_alives_are_no_message) {
  serve();
  StreamClient c(at);
  for (int s = 0; s < 10; s++) {
    c.send("\r\n\r\n");
    CHECK_TRUE(until([&] {
      c.read();
      return c.got.size() >= 2 * static_cast<size_t>(s + 1);
    }));
    pass(1000);
  }
  LONGS_EQUAL(1, ended(InboundEnd::silent));
}

TEST(Inbound, a_later_message_has_tcp_silence_from_its_first_octet) {
  serve();
  StreamClient c(at);
  ask(c, request("known-1"));
  pass(300000);
  LONGS_EQUAL(1, counters().open);
  c.send("NOTIFY sip:");
  turn(3);
  pass(9999);
  LONGS_EQUAL(1, counters().open);
  pass(1);
  LONGS_EQUAL(1, ended(InboundEnd::silent));
}

TEST(Inbound, between_messages_it_may_be_idle_for_tcp_idle) {
  settings.tcp_idle_ms = 60000;
  serve();
  StreamClient talks(at), pings(at), idle(at);
  ask(talks, request("known-1"));
  ask(pings, request("known-2"));
  ask(idle, request("known-3"));
  pass(59000);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(talks, request("known-1")).c_str());
  pings.got.clear();
  pings.send("\r\n\r\n");
  CHECK_TRUE(until([&] {
    pings.read();
    return pings.got == "\r\n";
  }));
  pass(1000);
  LONGS_EQUAL(2, counters().open);
  CHECK_TRUE(until_closed(idle));
  pass(58999);
  LONGS_EQUAL(2, counters().open);
  pass(1);
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(3, ended(InboundEnd::idle));
}

TEST(Inbound, the_timer_of_the_loop_brings_the_deadlines) {
  settings.tcp_silence_ms = 1;
  serve();
  StreamClient c(at);
  CHECK_TRUE(until([&] { return counters().open == 1; }));
  now += 1;
  CHECK_TRUE(until([&] { return counters().open == 0; }));
  LONGS_EQUAL(1, ended(InboundEnd::silent));
}

// --- answers that nobody reads ---------------------------------------------------------------------------------------------

TEST(Inbound, answers_that_are_not_read_are_bounded_then_it_is_closed) {
  port.body = std::string(4000, 'a');
  port.keep = false;
  serve();
  StreamClient c(at, "127.0.0.1", 4096);
  std::string many;
  for (int i = 0; i < 100; i++) many += request("known-1", "");
  size_t idle_turns = 0, count = 0;
  uint64_t most = 0;
  while (idle_turns < 200) {   // until it is read no more
    c.send(many);
    turn();
    idle_turns = port.count == count ? idle_turns + 1 : 0;
    count = port.count;
    most = std::max(most, counters().held);
  }
  CHECK_TRUE(most > 16384);
  CHECK_TRUE(most <= 2 * (16384 + 16 * 5000 + 16384));
  pass(9999);
  LONGS_EQUAL(1, counters().open);
  pass(1);
  LONGS_EQUAL(1, ended(InboundEnd::unread));
  LONGS_EQUAL(0, counters().held);
}

TEST(Inbound, a_peer_that_reads_late_gets_every_answer) {
  port.body = std::string(4000, 'a');
  port.keep = false;
  serve();
  StreamClient c(at, "127.0.0.1", 4096);
  std::string many;
  for (int i = 0; i < 2000; i++) many += request("known-1", "");
  size_t sent = 0;
  for (int i = 0; i < 300; i++) {
    sent += c.send(std::string_view(many).substr(sent));
    turn();
  }
  CHECK_TRUE(port.count < 2000);
  size_t octets = 0, size = 0;   // of all answers, and of one
  CHECK_TRUE(until([&] {
    sent += c.send(std::string_view(many).substr(sent));
    c.read();
    if (size == 0) size = c.got.find("SIP/2.0 200", 1);
    octets += c.got.size();
    c.got.clear();
    return octets >= 2000 * size;
  }));
  LONGS_EQUAL(2000, port.count);
  LONGS_EQUAL(2000 * size, octets);
  LONGS_EQUAL(1, counters().open);
  LONGS_EQUAL(0, counters().held);
}

// --- addresses, and the end ------------------------------------------------------------------------------------------------

TEST(Inbound, the_port_of_udp_may_be_given) {
  serve();
  auto taken = inbound->listen("sip:127.0.0.1:*", at, port);
  CHECK_FALSE(taken.ok());
  CHECK_TRUE(taken.code() == Errc::sip_failed);
  STRCMP_CONTAINS("cannot listen on sip:127.0.0.1:*: Address already in use", taken.error().message.c_str());
  auto other = inbound->listen("sip:127.0.0.2:*;transport=tcp", at, port);
  CHECK_TRUE(other.ok());
  LONGS_EQUAL(at, *other);
}

TEST(Inbound, every_address_is_ipv4_and_ipv6) {
  serve("sip:*:*");
  StreamClient v4(at);
  STRCMP_EQUAL("SIP/2.0 200 OK", ask(v4, request("known-1")).c_str());
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  a.sin6_port = htons(at);
  a.sin6_addr = in6addr_loopback;
  if (fd >= 0 && connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a) == 0) CHECK_TRUE(until([&] { return counters().open == 2; }));
  close(fd);
}

TEST(Inbound, an_ipv6_address_is_that_one_alone) {
  serve();
  auto got = inbound->listen("sip:[::1]:*;transport=tcp", at, port);   // the port that IPv4 has already
  if (!got.ok()) return;   // no IPv6 on this machine
  LONGS_EQUAL(at, *got);
  int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 a{};
  a.sin6_family = AF_INET6;
  a.sin6_port = htons(at);
  a.sin6_addr = in6addr_loopback;
  LONGS_EQUAL(0, connect(fd, reinterpret_cast<sockaddr*>(&a), sizeof a));
  std::string text = request("known-1");
  LONGS_EQUAL(text.size(), static_cast<size_t>(send(fd, text.data(), text.size(), MSG_NOSIGNAL)));
  CHECK_TRUE(until([&] { return port.count == 1; }));
  LONGS_EQUAL(AF_INET6, port.peers[0].address.ss_family);
  close(fd);
}

TEST(Inbound, addresses_that_cannot_be_listened_on_are_named) {
  serve();
  auto refused = [&](const char* uri, const char* what) {
    auto r = inbound->listen(uri, 0, port);
    CHECK_FALSE(r.ok());
    STRCMP_CONTAINS(what, r.error().message.c_str());
  };
  refused("sip:192.0.2.1:*", "cannot listen on sip:192.0.2.1:*: Cannot assign requested address");
  refused("sip:127.0.0.1:0", "listen address \"sip:127.0.0.1:0\": no port that can be listened on");
  refused("sip:127.0.0.1:70000", "listen address \"sip:127.0.0.1:70000\": ");
  refused("sips:127.0.0.1:*", "listen address \"sips:127.0.0.1:*\": needs tls_dir");
}

TEST(Inbound, an_address_of_udp_alone_wants_no_connections) {
  CHECK_TRUE(Inbound::wanted("sip:127.0.0.1:5060"));
  CHECK_TRUE(Inbound::wanted("sip:127.0.0.1:5060;transport=tcp"));
  CHECK_TRUE(Inbound::wanted("sips:127.0.0.1"));
  CHECK_FALSE(Inbound::wanted("sip:127.0.0.1:5060;transport=UDP"));
}

TEST(Inbound, retired_inside_take_it_closes_everything_at_once) {
  serve();
  StreamClient asks(at), idle(at), half(at);
  half.send("NOTIFY ");
  CHECK_TRUE(until([&] { return counters().open == 3; }));
  turn(3);
  port.then = [&] { inbound->retire(); };
  asks.send(request("known-1") + request("known-2"));
  CHECK_TRUE(until_closed(asks));
  LONGS_EQUAL(1, port.count);
  CHECK_TRUE(until_closed(idle));
  CHECK_TRUE(until_closed(half));
  LONGS_EQUAL(0, counters().open);
  LONGS_EQUAL(3, ended(InboundEnd::shutdown));
  LONGS_EQUAL(0, event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED));
  adds_up();
}

TEST(Inbound, it_may_be_destroyed_inside_take) {
  serve();
  StreamClient asks(at), idle(at);
  CHECK_TRUE(until([&] { return counters().open == 2; }));
  port.then = [&] { inbound.reset(); };
  asks.send(request("known-1") + request("known-2") + request("known-3").substr(0, 50));
  CHECK_TRUE(until_closed(asks));
  CHECK_TRUE(until_closed(idle));
  LONGS_EQUAL(1, port.count);
}
