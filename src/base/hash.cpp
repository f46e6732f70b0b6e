#include "base/hash.h"

#include <bit>
#include <cstring>

namespace pua {

template <int B, int E>
SipHashOf<B, E>::SipHashOf(HashKey key)
    : v0_(0x736f6d6570736575ull ^ key.k0),
      v1_(0x646f72616e646f6dull ^ key.k1),
      v2_(0x6c7967656e657261ull ^ key.k0),
      v3_(0x7465646279746573ull ^ key.k1) {}

static inline void round(uint64_t& v0, uint64_t& v1, uint64_t& v2, uint64_t& v3) {
  v0 += v1;
  v1 = std::rotl(v1, 13) ^ v0;
  v0 = std::rotl(v0, 32);
  v2 += v3;
  v3 = std::rotl(v3, 16) ^ v2;
  v0 += v3;
  v3 = std::rotl(v3, 21) ^ v0;
  v2 += v1;
  v1 = std::rotl(v1, 17) ^ v2;
  v2 = std::rotl(v2, 32);
}

template <int B, int E>
void SipHashOf<B, E>::block(uint64_t m) {
  v3_ ^= m;
  for (int i = 0; i < B; i++) round(v0_, v1_, v2_, v3_);
  v0_ ^= m;
  blocks_++;
}

template <int B, int E>
SipHashOf<B, E>& SipHashOf<B, E>::add(uint64_t v) {
  block(v);
  return *this;
}

template <int B, int E>
SipHashOf<B, E>& SipHashOf<B, E>::add(std::string_view s) {
  const char* p = s.data();
  size_t n = s.size();
  while (n >= 8) {
    uint64_t m;
    memcpy(&m, p, 8);
    block(m);
    p += 8;
    n -= 8;
  }
  uint64_t tail = static_cast<uint64_t>(s.size()) << 56;  // the field ends with its length
  if (n) {
    uint64_t m = 0;
    memcpy(&m, p, n);
    tail |= m;
  }
  block(tail);
  return *this;
}

template <int B, int E>
uint64_t SipHashOf<B, E>::finish() {
  block(blocks_ << 56);
  v2_ ^= 0xff;
  for (int i = 0; i < E; i++) round(v0_, v1_, v2_, v3_);
  return v0_ ^ v1_ ^ v2_ ^ v3_;
}

template class SipHashOf<1, 3>;
template class SipHashOf<2, 4>;

}  // namespace pua
