// Base64 (RFC 4648 section 4): any octets as plain text.
#pragma once

#include <string>
#include <string_view>

namespace pua {

std::string to_base64(std::string_view octets);
// false: the text is no base64, and `out` is unspecified. Padding is required, line ends are not allowed.
bool from_base64(std::string_view text, std::string& out);

}  // namespace pua
