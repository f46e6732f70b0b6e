// Fuzz: the config parser. What it takes must come back the same from its own dump.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/dump.h"
#include "config/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> warnings;
  auto first = pua::parse_config({reinterpret_cast<const char*>(data), size}, "f", warnings);
  if (!first) {
    if (first.error().message.empty() || first.error().message.size() > 1000) abort();
    return 0;
  }
  std::string dump = pua::dump_config(*first);
  auto second = pua::parse_config(dump, "dump", warnings);
  if (!second) {
    fprintf(stderr, "the dump is refused: %s\n", second.error().message.c_str());
    abort();
  }
  if (pua::dump_config(*second) != dump) abort();
  return 0;
}
