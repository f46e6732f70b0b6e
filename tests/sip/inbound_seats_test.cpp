// Who gives way to whom, without any socket.
#include <arpa/inet.h>
#include <netinet/in.h>

#include <deque>
#include <string>

#include "sip/inbound_seats.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

namespace {
sockaddr_storage address(const std::string& text) {
  sockaddr_storage a{};
  bool v6 = text.find(':') != std::string::npos;
  a.ss_family = v6 ? AF_INET6 : AF_INET;
  void* to = v6 ? static_cast<void*>(&reinterpret_cast<sockaddr_in6&>(a).sin6_addr) : &reinterpret_cast<sockaddr_in&>(a).sin_addr;
  inet_pton(a.ss_family, text.c_str(), to);
  return a;
}
}  // namespace

TEST_GROUP(InboundSeats) {
  std::deque<Seat> all;
  std::unique_ptr<Seats> seats;

  void setup() override { make(8, 4); }
  void teardown() override {
    for (Seat& s : all) seats->leave(s);
    LONGS_EQUAL(0, seats->taken());
    LONGS_EQUAL(0, seats->known());
    POINTERS_EQUAL(nullptr, seats->first_stranger());
  }
  void make(size_t most, size_t per_address) { seats = std::make_unique<Seats>(most, per_address); }
  // Sits down where there is room, and after who has to leave has left.
  Seat& comes(const std::string& from) {
    Seats::Room room = seats->room_for(address(from));
    if (room.leaves) seats->leave(*room.leaves);
    seats->sit(all.emplace_back(), address(from));
    return all.back();
  }
  Seat& known(const std::string& from) {
    Seat& s = comes(from);
    POINTERS_EQUAL(nullptr, seats->took_notify(s));
    return s;
  }
};

TEST(InboundSeats, nobody_leaves_while_there_is_room) {
  for (int i = 0; i < 8; i++) {
    Seats::Room room = seats->room_for(address("192.0.2." + std::to_string(i)));
    CHECK_TRUE(room.full == Seats::Full::No);
    POINTERS_EQUAL(nullptr, room.leaves);
    comes("192.0.2." + std::to_string(i));
  }
  LONGS_EQUAL(8, seats->taken());
}

TEST(InboundSeats, the_oldest_stranger_leaves_where_every_address_has_one) {
  Seat& first = comes("192.0.2.1");
  Seat& second = comes("192.0.2.2");
  for (int i = 3; i <= 8; i++) comes("192.0.2." + std::to_string(i));
  Seats::Room room = seats->room_for(address("192.0.2.9"));
  CHECK_TRUE(room.full == Seats::Full::All);
  POINTERS_EQUAL(&first, room.leaves);
  comes("192.0.2.9");
  POINTERS_EQUAL(&second, seats->room_for(address("192.0.2.10")).leaves);
}

TEST(InboundSeats, the_address_with_most_strangers_loses_one_first) {
  Seat& honest = comes("192.0.2.1");
  Seat& flood = comes("192.0.2.2");
  comes("192.0.2.3");
  comes("192.0.2.3");
  for (int i = 0; i < 3; i++) comes("192.0.2.2");
  comes("192.0.2.4");
  LONGS_EQUAL(8, seats->taken());
  POINTERS_EQUAL(&flood, seats->room_for(address("192.0.2.5")).leaves);
  CHECK_TRUE(honest.seated());
}

TEST(InboundSeats, a_known_connection_never_leaves_for_a_newcomer) {
  Seat& old = known("192.0.2.1");
  for (int i = 0; i < 500; i++) comes("198.51.100." + std::to_string(i % 200));
  CHECK_TRUE(old.seated());
  CHECK_TRUE(old.known());
  LONGS_EQUAL(8, seats->taken());
}

TEST(InboundSeats, known_ones_leave_an_eighth_to_newcomers_and_the_one_silent_longest_goes) {
  Seat& first = known("192.0.2.1");
  Seat& second = known("192.0.2.2");
  for (int i = 3; i <= 7; i++) known("192.0.2." + std::to_string(i));
  POINTERS_EQUAL(nullptr, seats->took_notify(first));   // it talks: the second one is silent longest now
  Seat& eighth = comes("192.0.2.8");
  POINTERS_EQUAL(&second, seats->took_notify(eighth));
  seats->leave(second);
  LONGS_EQUAL(7, seats->known());
}

TEST(InboundSeats, an_address_at_its_limit_loses_its_own_oldest_stranger) {
  known("192.0.2.1");
  Seat& stranger = comes("192.0.2.1");
  comes("192.0.2.1");
  comes("192.0.2.1");
  Seats::Room room = seats->room_for(address("192.0.2.1"));
  CHECK_TRUE(room.full == Seats::Full::Address);
  POINTERS_EQUAL(&stranger, room.leaves);
  POINTERS_EQUAL(nullptr, seats->room_for(address("192.0.2.2")).leaves);
}

TEST(InboundSeats, an_address_full_of_known_ones_loses_the_one_silent_longest) {
  Seat& first = known("192.0.2.1");
  Seat& second = known("192.0.2.1");
  known("192.0.2.1");
  known("192.0.2.1");
  seats->took_notify(first);
  POINTERS_EQUAL(&second, seats->room_for(address("192.0.2.1")).leaves);
}

TEST(InboundSeats, of_ipv6_the_first_64_bits_are_the_address) {
  Seat& first = comes("2001:db8:0:1::1");
  comes("2001:db8:0:1::2");
  comes("2001:db8:0:1:ffff::3");
  comes("2001:db8:0:1::4");
  POINTERS_EQUAL(&first, seats->room_for(address("2001:db8:0:1:abcd::5")).leaves);
  POINTERS_EQUAL(nullptr, seats->room_for(address("2001:db8:0:2::1")).leaves);
}

TEST(InboundSeats, an_ipv4_address_written_as_ipv6_is_the_same_address) {
  Seat& first = comes("192.0.2.1");
  comes("::ffff:192.0.2.1");
  comes("::ffff:192.0.2.1");
  comes("192.0.2.1");
  POINTERS_EQUAL(&first, seats->room_for(address("::ffff:192.0.2.1")).leaves);
  POINTERS_EQUAL(nullptr, seats->room_for(address("::ffff:192.0.2.2")).leaves);
}

TEST(InboundSeats, one_seat_is_enough_to_work) {
  make(1, 1);
  Seat& first = comes("192.0.2.1");
  POINTERS_EQUAL(&first, seats->room_for(address("192.0.2.2")).leaves);
  POINTERS_EQUAL(nullptr, seats->took_notify(first));
  POINTERS_EQUAL(&first, seats->room_for(address("192.0.2.2")).leaves);
}

TEST(InboundSeats, strangers_are_found_again_after_many_have_left) {
  for (int i = 0; i < 4; i++) comes("192.0.2.1");
  Seat& single = comes("192.0.2.2");
  for (int i = 0; i < 4; i++) seats->leave(all[static_cast<size_t>(i)]);
  POINTERS_EQUAL(&single, seats->first_stranger());
  seats->leave(single);
  POINTERS_EQUAL(nullptr, seats->first_stranger());
}
