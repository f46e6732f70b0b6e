#include "base/entropy.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace pua {

ssize_t SystemEntropy::system(void* to, size_t octets) { return getrandom(to, octets, 0); }

Result<SystemEntropy> SystemEntropy::open(Source source) {
  SystemEntropy e(source);
  errno = 0;
  if (source(&e.reserve_, sizeof e.reserve_) != static_cast<ssize_t>(sizeof e.reserve_))
    return {Errc::generic, std::string("the system gives no random numbers (getrandom): ") + strerror(errno)};
  return e;
}

uint64_t SystemEntropy::next() {
  if (left_ == 0) {
    // A source that has worked once does not fail. Should it fail all the same, numbers are made of the key that it gave at the
    // start, which nobody knows.
    if (source_(numbers_, sizeof numbers_) != static_cast<ssize_t>(sizeof numbers_))
      return SipMac(reserve_).add(++reserve_count_).finish();
    left_ = kNumbers;
  }
  uint64_t n = numbers_[--left_];
  numbers_[left_] = 0;   // a number that was used must not be found in memory later
  return n;
}

HashKey SystemEntropy::key() {
  uint64_t k0 = next();
  return {k0, next()};
}

}  // namespace pua
