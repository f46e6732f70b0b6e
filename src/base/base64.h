// Base64 (RFC 4648 section 4): octets as text that goes through anything.
#pragma once

#include <string>
#include <string_view>

namespace pua {

std::string to_base64(std::string_view octets);
// false: it is none; `out` is then unspecified. Padding is required, line ends are not allowed.
bool from_base64(std::string_view text, std::string& out);

}  // namespace pua
