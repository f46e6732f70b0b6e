// SipHash-1-3 (Aumasson, Bernstein): keyed, so that nobody outside can aim presentity URIs at one bucket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pua {

struct HashKey {
  uint64_t k0 = 0, k1 = 0;
};

class SipHash {
 public:
  explicit SipHash(HashKey key);
  // Adds a field with its length, so that ("ab","c") and ("a","bc") differ.
  SipHash& add(std::string_view s);
  SipHash& add(uint64_t v);
  uint64_t finish();

 private:
  void block(uint64_t m);
  uint64_t v0_, v1_, v2_, v3_;
  uint64_t blocks_ = 0;
};

}  // namespace pua
