// Entropy: numbers that nobody can guess, however many others he has seen. For identifiers on the wire, and for keys.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/hash.h"
#include "base/result.h"

namespace pua {

// Gives the next 64 bits. It is a parameter of whoever needs it, so that tests can give numbers that repeat; in production it
// is next() of a SystemEntropy.
using Entropy = std::function<uint64_t()>;

// The system's generator. Several numbers are read at a time, because a system call for each would cost too much.
class SystemEntropy {
 public:
  using Source = ssize_t (*)(void* to, size_t octets);   // as getrandom(2): octets given, or -1 with errno
  static ssize_t system(void* to, size_t octets);

  // Errors: generic (the system has none to give).
  static Result<SystemEntropy> open(Source source = system);
  SystemEntropy(SystemEntropy&&) = default;
  SystemEntropy(const SystemEntropy&) = delete;          // two would give the same numbers
  SystemEntropy& operator=(const SystemEntropy&) = delete;

  uint64_t next();
  HashKey key();

 private:
  static constexpr size_t kNumbers = 32;   // 256 octets: no signal interrupts a getrandom for no more than these
  explicit SystemEntropy(Source source) : source_(source) {}

  Source source_;
  HashKey reserve_;                        // the key of the numbers that are given if the source fails later
  uint64_t reserve_count_ = 0;
  uint64_t numbers_[kNumbers] = {};
  size_t left_ = 0;
};

}  // namespace pua
