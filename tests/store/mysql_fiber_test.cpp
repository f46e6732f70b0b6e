// A call of the client library that waits inside: it stands on a stack of its own, and the caller goes on.
#include <cerrno>
#include <string>

#include "store/mysql_fiber.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(mysql_fiber) {
  std::unique_ptr<MysqlFiber> fiber = MysqlFiber::make();
  std::string story;
};

TEST(mysql_fiber, a_call_that_does_not_wait_inside_is_made_and_returns_what_it_returns) {
  for (int what : {0, MYSQL_WAIT_READ, 0}) LONGS_EQUAL(what + 100, fiber->go(what, [](int ready) { return ready + 100; }));
}

TEST(mysql_fiber, a_call_that_waits_inside_stands_until_what_it_waits_for_has_come) {
  auto handshake = [this](int) {
    story += "hello ";
    story += MysqlFiber::io_wait(7, 1, 2) == 1 ? "read " : "nothing ";
    story += MysqlFiber::io_wait(7, 0, 2) == 1 ? "wrote " : "nothing ";
    return 0;
  };
  LONGS_EQUAL(MYSQL_WAIT_READ, fiber->go(0, handshake));
  STRCMP_EQUAL("hello ", story.c_str());
  story += "(the loop) ";
  LONGS_EQUAL(MYSQL_WAIT_WRITE, fiber->go(MYSQL_WAIT_READ, handshake));
  STRCMP_EQUAL("hello (the loop) read ", story.c_str());
  LONGS_EQUAL(0, fiber->go(MYSQL_WAIT_WRITE, handshake));
  STRCMP_EQUAL("hello (the loop) read wrote ", story.c_str());
  LONGS_EQUAL(0, fiber->go(0, [](int) { return 0; }));   // and the next call
}

TEST(mysql_fiber, a_call_that_is_given_up_comes_back_and_waits_no_more) {
  auto handshake = [this](int) {
    for (int i = 0; i < 3; i++) story += MysqlFiber::io_wait(7, 1, 2) == 1 ? "read " : errno == ETIMEDOUT ? "nothing " : "? ";
    return 0;
  };
  LONGS_EQUAL(MYSQL_WAIT_READ, fiber->go(0, handshake));
  fiber->give_up();
  LONGS_EQUAL(0, fiber->go(MYSQL_WAIT_READ, handshake));
  STRCMP_EQUAL("nothing nothing nothing ", story.c_str());
}

// Closing a connection is the one call beside the non-blocking ones.
TEST(mysql_fiber, beside_a_fiber_nothing_waits) {
  LONGS_EQUAL(0, MysqlFiber::io_wait(7, 0, -1));
  LONGS_EQUAL(0, fiber->go(0, [](int) { return 0; }));
  LONGS_EQUAL(0, MysqlFiber::io_wait(7, 1, -1));
}

TEST(mysql_fiber, of_two_each_goes_on_where_it_stood) {
  std::unique_ptr<MysqlFiber> other = MysqlFiber::make();
  auto call = [this](const char* name) {
    return [this, name](int) {
      for (int i = 0; i < 2; i++) {
        MysqlFiber::io_wait(7, 1, 2);
        story += name;
      }
      return 0;
    };
  };
  LONGS_EQUAL(MYSQL_WAIT_READ, fiber->go(0, call("a")));
  LONGS_EQUAL(MYSQL_WAIT_READ, other->go(0, call("b")));
  for (int status = MYSQL_WAIT_READ; status != 0;) {
    status = fiber->go(MYSQL_WAIT_READ, nullptr);
    LONGS_EQUAL(status, other->go(MYSQL_WAIT_READ, nullptr));
  }
  STRCMP_EQUAL("abab", story.c_str());
}
