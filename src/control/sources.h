// Names of the source bits for people who filter and read lists.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace pua {

std::string_view source_name(int32_t source);  // empty: a bit without a name
// A name in any case, or a number. 0: neither.
int32_t source_from(std::string_view text);
std::vector<std::string_view> source_names();

}  // namespace pua
