// N strings in one allocation: first where each ends, then the octets. It keeps records small: one malloc instead of N.
#pragma once

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

namespace pua {

template <size_t N>
class PackedStrings {
 public:
  PackedStrings() = default;
  PackedStrings(const PackedStrings&) = delete;
  PackedStrings& operator=(const PackedStrings&) = delete;
  ~PackedStrings() { free(block_); }

  std::string_view get(size_t i) const {
    if (!block_) return {};
    uint32_t from = i ? ends()[i - 1] : 0;
    return {text() + from, ends()[i] - from};
  }

  // Replaces all. The views may point into this object. Throws std::bad_alloc and then changes nothing.
  void assign(const std::array<std::string_view, N>& v) {
    size_t total = 0;
    for (auto s : v) total += s.size();
    void* fresh = malloc(N * sizeof(uint32_t) + total);
    if (!fresh) throw std::bad_alloc();
    uint32_t* e = static_cast<uint32_t*>(fresh);
    char* out = reinterpret_cast<char*>(e + N);
    uint32_t at = 0;
    for (size_t i = 0; i < N; i++) {
      if (!v[i].empty()) memcpy(out + at, v[i].data(), v[i].size());
      at += static_cast<uint32_t>(v[i].size());
      e[i] = at;
    }
    free(block_);
    block_ = fresh;
  }

  // Replaces one; in place where the length is the same (entity-tags usually keep theirs).
  void set(size_t i, std::string_view s) {
    std::string_view old = get(i);
    if (old.size() == s.size()) {
      if (!s.empty()) memmove(const_cast<char*>(old.data()), s.data(), s.size());
      return;
    }
    std::array<std::string_view, N> all = views();
    all[i] = s;
    assign(all);
  }

  std::array<std::string_view, N> views() const {
    std::array<std::string_view, N> all;
    for (size_t j = 0; j < N; j++) all[j] = get(j);
    return all;
  }

 private:
  const uint32_t* ends() const { return static_cast<const uint32_t*>(block_); }
  const char* text() const { return reinterpret_cast<const char*>(ends() + N); }
  void* block_ = nullptr;
};

}  // namespace pua
