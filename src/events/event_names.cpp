#include "events/event_names.h"

#include <bit>
#include <charconv>

#include "events/text.h"

namespace pua {

EventNames EventNames::parse(std::string_view text) {
  EventNames out;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    int32_t flag = 0;
    auto [rest, error] = std::from_chars(line.data(), line.data() + line.size(), flag);
    std::string_view name = line.substr(static_cast<size_t>(rest - line.data()));
    if (error != std::errc() || flag <= 0 || !std::has_single_bit(static_cast<uint32_t>(flag)) || name.size() < 2 ||
        name[0] != ' ')
      continue;
    out.note(flag, name.substr(1));
  }
  return out;
}

std::string EventNames::text() const {
  std::string out;
  for (const auto& [flag, name] : names_) {
    std::string line = std::to_string(flag).append(" ").append(name).append("\n");
    if (out.size() + line.size() <= kLongest) out += line;
  }
  return out;
}

Status EventNames::fits(int32_t flag, std::string_view name) const {
  for (const auto& [known_flag, known] : names_) {
    bool same = same_word(known, name);
    if (same == (known_flag == flag)) continue;
    std::string there = "the bit " + std::to_string(known_flag) + " stands for " + known + " in the database";
    if (!same)
      return {Errc::bad_config, there + ", and cannot be given to " + std::string(name) + " while there may be records of it"};
    return {Errc::bad_config, there + ", and " + std::string(name) + " cannot be given the bit " + std::to_string(flag) +
                                  " while there may be records of it"};
  }
  return success();
}

void EventNames::forget_unknown(const BodiesPort& events) {
  std::erase_if(names_, [&](const auto& n) { return !events.by_flag(n.first); });
}

}  // namespace pua
