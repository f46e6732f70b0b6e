// What is said of a table whose schema this build does not know.
#pragma once

#include <charconv>
#include <string>
#include <string_view>

#include "store/columns.h"

namespace pua {

// version: as table `version` has it, which anybody may have filled in.
inline std::string other_version(std::string_view version) {
  int number = 0;
  std::from_chars(version.data(), version.data() + version.size(), number);
  std::string out =
      "has schema version " + std::string(version.substr(0, 20)) + ", this build needs " + std::to_string(kSchemaVersion);
  if (number > kSchemaVersion) return out + ": a later libpua has made it; puadbctl downgrade of that one leads back";
  return out + (number > 9 ? ": see puadbctl upgrade" : ": see puadbctl migrate");
}

}  // namespace pua
