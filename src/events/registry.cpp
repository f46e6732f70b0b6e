#include "events/registry.h"

#include <algorithm>
#include <bit>

#include "events/documents.h"
#include "events/inspect.h"
#include "events/pidf.h"
#include "events/text.h"

namespace pua {

namespace {

// Characters of a SIP token (RFC 3261 25.1) and those in `more`.
bool is_token(std::string_view s, std::string_view more) {
  return !s.empty() && s.size() <= 128 && std::all_of(s.begin(), s.end(), [&](char c) {
    return is_token_char(c) || more.find(c) != more.npos;
  });
}

// A token, and parameters that are part of the name, as in "dialog;sla". ";id=..." is of one subscription, not of the package.
bool is_event_name(std::string_view s) {
  if (s.size() > 128) return false;
  for (bool first = true;; first = false) {
    size_t end = std::min(s.find(';'), s.size());
    std::string_view part = s.substr(0, end);
    if (!is_token(part, "") || (!first && same_word(part, "id"))) return false;
    if (end == s.size()) return true;
    s.remove_prefix(end + 1);
  }
}

// type/subtype, with parameters as they come. It names documents: a range of types, as in Accept, does not.
bool is_content_type(std::string_view s) {
  size_t slash = s.find('/');
  if (slash == std::string_view::npos || s.size() > 255) return false;
  std::string_view type = s.substr(0, slash), sub = s.substr(slash + 1);
  std::string_view parameters = sub.substr(std::min(sub.find(';'), sub.size()));
  sub.remove_suffix(parameters.size());
  return is_token(type, "") && is_token(sub, "") && type != "*" && sub != "*" &&
         std::none_of(parameters.begin(), parameters.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; });
}

// A list of resources (RFC 4662): a notifier may send one only to a subscriber that asked for it, and no package does so by
// itself.
bool is_resource_list(std::string_view content_type) {
  constexpr std::string_view kRlmi = "application/rlmi+xml";
  std::string_view type = media_type(content_type);
  return same_word(type, kRlmi) ||
         (same_word(type.substr(0, 10), "multipart/") &&
          std::search(content_type.begin(), content_type.end(), kRlmi.begin(), kRlmi.end(),
                      [](char a, char b) { return lower(a) == b; }) != content_type.end());
}

// What Allow-Events may hold of a name (RFC 6665 8.4): ";sla" is a parameter.
std::string_view event_token(std::string_view name) { return name.substr(0, name.find(';')); }

constexpr std::string_view kPidfType = "application/pidf+xml";
constexpr std::string_view kSummaryType = "application/simple-message-summary";

}  // namespace

Registry::Registry() {
  // Documents of another type than the package's own go as they are: nothing here knows what they should look like.
  auto presence = [this](const BodyRequest& r, std::string& out, bool& unchanged, std::string& tuple) -> Result<Unit> {
    unchanged = true;
    return is_type(r.content_type, kPidfType) ? process_pidf(reader_, r, out, unchanged, tuple) : success();
  };
  auto summary = [](const BodyRequest& r, std::string&, bool& unchanged, std::string&) -> Result<Unit> {
    unchanged = true;
    return is_type(r.content_type, kSummaryType) ? check_message_summary(r.body) : success();
  };
  auto xml = [this](std::string_view type) -> Processor {
    return [this, type](const BodyRequest& r, std::string& out, bool& unchanged, std::string&) -> Result<Unit> {
      unchanged = true;
      return is_type(r.content_type, type) ? process_xml(reader_, r, out, unchanged) : success();
    };
  };
  struct {
    int32_t flag;
    std::string_view name, type;
    Processor processor;
  } built_in[] = {
      {1, "presence", kPidfType, presence},
      {2, "presence.winfo", "application/watcherinfo+xml", {}},
      {4, "dialog;sla", "application/dialog-info+xml", {}},
      {8, "message-summary", kSummaryType, summary},
      {16, "conference", "application/conference-info+xml", {}},
      {32, "xcap-diff", "application/xcap-diff+xml", {}},
      {64, "dialog", "application/dialog-info+xml", {}},
      {128, "call-info", "", {}},
      {256, "reg", "application/reginfo+xml", {}},
  };
  for (auto& e : built_in) {
    if (!e.processor && !e.type.empty()) e.processor = xml(e.type);
    (void)add(e.flag, e.name, e.type, std::move(e.processor));
  }
}

Status Registry::add(int32_t flag, std::string_view name, std::string_view content_type, Processor processor) {
  if (by_name(name)) return success();
  if (flag <= 0 || !std::has_single_bit(static_cast<uint32_t>(flag))) {
    return {Errc::bad_argument, "the event flag " + std::to_string(flag) + " is not one bit"};
  }
  if (!is_event_name(name)) return {Errc::bad_argument, "the event name is not a token of 1 to 128 characters"};
  if (!content_type.empty() && !is_content_type(content_type)) {
    return {Errc::bad_argument, "the content type is not type/subtype without *, or it is longer than 255 characters"};
  }
  auto& slot = packages_[static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(flag)))];
  if (slot) return {Errc::bad_argument, "the event flag " + std::to_string(flag) + " belongs to event " + slot->name};
  slot = std::make_unique<Package>();
  slot->name = name;
  slot->content_type = content_type;
  slot->info = {flag, slot->name, slot->content_type, media_type(slot->content_type)};
  slot->processor = std::move(processor);
  list_names();
  return success();
}

void Registry::list_names() {
  allow_events_.clear();
  for (size_t i = 0; i < packages_.size(); i++) {
    if (!packages_[i]) continue;
    std::string_view token = event_token(packages_[i]->name);
    bool listed = std::any_of(packages_.begin(), packages_.begin() + static_cast<std::ptrdiff_t>(i), [&](const auto& p) {
      return p && same_word(event_token(p->name), token);
    });
    if (listed) continue;
    if (!allow_events_.empty()) allow_events_ += ", ";
    allow_events_ += token;
  }
}

bool Registry::accepts(int32_t event, std::string_view content_type) const {
  const EventInfo* info = by_flag(event);
  if (!info || is_resource_list(content_type)) return false;
  return info->accept.empty() || is_type(content_type, info->accept);
}

Result<DocumentState> Registry::inspect(int32_t, std::string_view content_type, std::string_view body) {
  return inspect_document(reader_, content_type, body);
}

const EventInfo* Registry::by_flag(int32_t flag) const {
  if (flag <= 0 || !std::has_single_bit(static_cast<uint32_t>(flag))) return nullptr;
  const auto& p = packages_[static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(flag)))];
  return p ? &p->info : nullptr;
}

const EventInfo* Registry::by_name(std::string_view name) const {
  if (same_word(name, "presence;winfo")) name = "presence.winfo";  // the documented name, never on the wire
  for (const auto& p : packages_) {
    if (p && same_word(p->name, name)) return &p->info;
  }
  return nullptr;
}

Result<Unit> Registry::process(const BodyRequest& req, std::string& out, bool& unchanged, std::string& tuple) {
  const EventInfo* info = by_flag(req.event);
  if (!info) return {Errc::unknown_event, "event flag " + std::to_string(req.event) + " is not registered"};
  unchanged = true;
  const Package& p = *packages_[static_cast<size_t>(std::countr_zero(static_cast<uint32_t>(req.event)))];
  if (!p.processor) return success();
  if (!req.content_type.empty()) return p.processor(req, out, unchanged, tuple);
  BodyRequest named = req;
  named.content_type = info->content_type;
  return p.processor(named, out, unchanged, tuple);
}

}  // namespace pua
