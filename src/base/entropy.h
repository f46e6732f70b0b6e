// Entropy: numbers that nobody can guess, whatever other numbers of ours he has seen. For identifiers on the wire and for keys.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>

#include "base/hash.h"
#include "base/result.h"

namespace pua {

// The next 64 bits. Injected, so that tests can repeat what they do; in production, next() of a SystemEntropy.
using Entropy = std::function<uint64_t()>;

// The system's generator, read some numbers at a time: a system call for each would be felt.
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
  static constexpr size_t kNumbers = 32;   // 256 octets: getrandom gives as many without being interrupted
  explicit SystemEntropy(Source source) : source_(source) {}

  Source source_;
  HashKey reserve_;                        // of what comes where the source fails later
  uint64_t reserve_count_ = 0;
  uint64_t numbers_[kNumbers] = {};
  size_t left_ = 0;
};

}  // namespace pua
