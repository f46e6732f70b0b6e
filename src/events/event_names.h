// EventNames: which event package each bit stands for in a table. Rows hold the bit alone: without this list, a configuration
// that gives the bit to another package would send the documents of the one as those of the other.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "events/registry.h"

namespace pua {

class EventNames {
 public:
  // As text() wrote it. What cannot be read is left out: it protects nothing, and must not keep anybody from starting.
  static EventNames parse(std::string_view text);
  // Lines "512 vq-rtcpxr", as many as a value beside the rows may hold: packages beyond are not protected.
  std::string text() const;
  static constexpr size_t kLongest = 1024;   // octets: column `value` of MariaDB's meta table

  // Error (bad_config): the bit stands for another package in the table, or the package has another bit there.
  Status fits(int32_t flag, std::string_view name) const;
  void note(int32_t flag, std::string_view name) { names_[flag] = name; }
  // Leaves out those that are not registered: the table holds no row of them any more.
  void forget_unknown(const BodiesPort& events);
  bool operator==(const EventNames&) const = default;

 private:
  std::map<int32_t, std::string> names_;
};

}  // namespace pua
