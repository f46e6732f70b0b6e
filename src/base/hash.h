// SipHash (Aumasson, Bernstein), a hash with a key. SipHash (1-3) is for tables: without the key nobody can choose presentity
// URIs that all fall into one bucket. SipMac (2-4) is a pseudorandom function, for what goes on the wire: without the key
// nobody can compute it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pua {

struct HashKey {
  uint64_t k0 = 0, k1 = 0;
  bool operator==(const HashKey&) const = default;
};

template <int kBlockRounds, int kEndRounds>
class SipHashOf {
 public:
  explicit SipHashOf(HashKey key);
  // Adds a field with its length, so that ("ab","c") and ("a","bc") differ.
  SipHashOf& add(std::string_view s);
  SipHashOf& add(uint64_t v);
  uint64_t finish();

 private:
  void block(uint64_t m);
  uint64_t v0_, v1_, v2_, v3_;
  uint64_t blocks_ = 0;
};

extern template class SipHashOf<1, 3>;
extern template class SipHashOf<2, 4>;
using SipHash = SipHashOf<1, 3>;
using SipMac = SipHashOf<2, 4>;

}  // namespace pua
