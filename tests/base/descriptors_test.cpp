// The last descriptors below the limit, and errors that say there are none.
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptors.h"

#include <CppUTest/TestHarness.h>

using namespace pua;

TEST_GROUP(Descriptors) {
  rlimit before{};
  void setup() override { getrlimit(RLIMIT_NOFILE, &before); }
  void teardown() override { setrlimit(RLIMIT_NOFILE, &before); }
  void limit(rlim_t n) {
    rlimit l{n, before.rlim_max};
    LONGS_EQUAL(0, setrlimit(RLIMIT_NOFILE, &l));
  }
};

TEST(Descriptors, the_errors_that_pass_are_known) {
  for (int e : {EMFILE, ENFILE, ENOBUFS, ENOMEM}) CHECK_TRUE(out_of_descriptors(e));
  for (int e : {0, EAGAIN, ECONNABORTED, EINVAL, EBADF}) CHECK_FALSE(out_of_descriptors(e));
}

TEST(Descriptors, the_reserve_is_a_quarter_of_a_small_limit) {
  LONGS_EQUAL(100, descriptor_reserve(1024, 100));
  LONGS_EQUAL(16, descriptor_reserve(64, 100));
  LONGS_EQUAL(0, descriptor_reserve(1024, -1));
}

TEST(Descriptors, a_descriptor_is_in_the_reserve_where_few_are_left_above_it) {
  limit(200);
  LONGS_EQUAL(200, descriptor_limit());
  CHECK_FALSE(in_descriptor_reserve(179, 20));
  CHECK_TRUE(in_descriptor_reserve(180, 20));
  limit(100);   // it may change while we run
  CHECK_TRUE(in_descriptor_reserve(179, 20));
}
