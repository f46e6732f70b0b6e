#include "control/sources.h"

#include <strings.h>

#include <bit>
#include <charconv>

namespace pua {

namespace {

struct Source {
  int32_t bit;
  std::string_view name;
};

constexpr Source kSources[] = {
    {1 << 0, "UL_PUBLISH"},         {1 << 1, "BLA_PUBLISH"},        {1 << 2, "BLA_SUBSCRIBE"},
    {1 << 3, "XMPP_PUBLISH"},       {1 << 4, "XMPP_SUBSCRIBE"},     {1 << 5, "XMPP_INITIAL_SUBS"},
    {1 << 6, "MI_PUBLISH"},         {1 << 7, "MI_ASYN_PUBLISH"},    {1 << 8, "MI_SUBSCRIBE"},
    {1 << 9, "RLS_SUBSCRIBE"},      {1 << 10, "DIALOG_PUBLISH"},    {1 << 11, "CALLINFO_PUBLISH"},
    {1 << 12, "REGINFO_SUBSCRIBE"}, {1 << 13, "REGINFO_PUBLISH"},
};

}  // namespace

std::string_view source_name(int32_t source) {
  for (const Source& s : kSources) {
    if (s.bit == source) return s.name;
  }
  return {};
}

int32_t source_from(std::string_view text) {
  for (const Source& s : kSources) {
    if (s.name.size() == text.size() && strncasecmp(s.name.data(), text.data(), text.size()) == 0) return s.bit;
  }
  int32_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number > 0 &&
                 std::has_single_bit(static_cast<uint32_t>(number))
             ? number
             : 0;
}

std::vector<std::string_view> source_names() {
  std::vector<std::string_view> all;
  for (const Source& s : kSources) all.push_back(s.name);
  return all;
}

}  // namespace pua
