// What the log is told of servers that our credentials do not satisfy: once when it begins, once when it is over.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/log_gate.h"
#include "base/time.h"

namespace pua {

class Log;

class DigestTroubles {
 public:
  explicit DigestTroubles(Log* log) : log_(log) {}  // null: nobody is told

  // place: what it is about, where: the same in words. One line, unless that trouble is open already. A place where it comes
  // and goes is told of the first, second, fourth, eighth ... time, and all of them together make few lines a second.
  void begin(uint64_t place, std::string_view where, std::string_view what, MonoMs now);
  // A request to that place succeeded.
  void over(uint64_t place);
  bool any() const { return open_ > 0; }
  void clear();

 private:
  static constexpr size_t kMaxPlaces = 256;
  struct Trouble {
    std::string where;
    uint32_t times = 0;
    bool open = false, told = false;
  };
  Log* log_;
  LogGate gate_;
  std::unordered_map<uint64_t, Trouble> troubles_;
  size_t open_ = 0;
};

}  // namespace pua
