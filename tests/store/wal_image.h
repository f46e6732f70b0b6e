// Write-ahead logs and database files made octet by octet, for tests of their reader.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "store/sqlite_wal.h"

namespace pua::test {

using Octets = std::vector<unsigned char>;
constexpr uint32_t kPage = 1024;

inline void put16(unsigned char* p, uint32_t v) { p[0] = static_cast<unsigned char>(v >> 8), p[1] = static_cast<unsigned char>(v); }
inline void put32(unsigned char* p, uint32_t v) { put16(p, v >> 16), put16(p + 2, v & 0xffff); }

// The first page of a file.
inline Octets first_page(DbLayout layout) {
  Octets p(kPage);
  memcpy(p.data(), "SQLite format 3", 16);
  put16(p.data() + 16, kPage);
  put32(p.data() + 40, layout.cookie);
  put32(p.data() + 60, layout.number);
  return p;
}

// A leaf of the meta table: some other value, and the line. "": no line there.
inline Octets meta_page(const std::string& line) {
  Octets p(kPage);
  p[0] = 0x0a;
  uint32_t at = kPage, cells = 0;
  auto cell = [&](const std::string& name, const std::string& value) {
    uint32_t serial = 12 + 2 * static_cast<uint32_t>(value.size());
    Octets record = {static_cast<unsigned char>(serial < 128 ? 3 : 4), static_cast<unsigned char>(13 + 2 * name.size())};
    if (serial >= 128) record.push_back(static_cast<unsigned char>(0x80 | serial >> 7));
    record.push_back(static_cast<unsigned char>(serial & 0x7f));
    record.insert(record.end(), name.begin(), name.end());
    record.insert(record.end(), value.begin(), value.end());
    Octets whole;
    if (record.size() >= 128) whole.push_back(static_cast<unsigned char>(0x80 | record.size() >> 7));
    whole.push_back(static_cast<unsigned char>(record.size() & 0x7f));
    whole.insert(whole.end(), record.begin(), record.end());
    at -= static_cast<uint32_t>(whole.size());
    memcpy(p.data() + at, whole.data(), whole.size());
    put16(p.data() + 8 + 2 * cells, at);
    put16(p.data() + 3, ++cells);
  };
  cell("clock", "1700000000");
  if (!line.empty()) cell("writes", line);
  return p;
}

class WalImage {
 public:
  explicit WalImage(bool big = false, uint32_t salt = 7) : big_(big) {
    octets.resize(32);
    put32(&octets[0], big ? 0x377f0683 : 0x377f0682);
    put32(&octets[4], 3007000);
    put32(&octets[8], kPage);
    put32(&octets[16], salt);
    put32(&octets[20], salt + 1);
    add(octets.data(), 24);
    put32(&octets[24], a_);
    put32(&octets[28], b_);
  }
  WalImage& frame(uint32_t number, const Octets& page, bool commit) {
    unsigned char head[24] = {};
    put32(head, number);
    put32(head + 4, commit ? 10 : 0);
    memcpy(head + 8, &octets[16], 8);
    add(head, 8);
    add(page.data(), page.size());
    put32(head + 16, a_);
    put32(head + 20, b_);
    octets.insert(octets.end(), head, head + 24);
    octets.insert(octets.end(), page.begin(), page.end());
    return *this;
  }
  // A transaction of ours: some row, and the line.
  WalImage& write(const std::string& line, uint32_t page = 5) {
    return frame(9, Octets(kPage, 'r'), false).frame(page, meta_page(line), true);
  }
  void save(const std::string& path) const {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(octets.data()), static_cast<std::streamsize>(octets.size()));
  }

  Octets octets;

 private:
  void add(const unsigned char* p, size_t n) {
    auto word = [this](const unsigned char* w) {
      return big_ ? uint32_t{w[0]} << 24 | uint32_t{w[1]} << 16 | uint32_t{w[2]} << 8 | w[3]
                  : uint32_t{w[3]} << 24 | uint32_t{w[2]} << 16 | uint32_t{w[1]} << 8 | w[0];
    };
    for (size_t i = 0; i < n; i += 8) {
      a_ += word(p + i) + b_;
      b_ += word(p + i + 4) + a_;
    }
  }
  bool big_;
  uint32_t a_ = 0, b_ = 0;
};

}  // namespace pua::test
