#include "control/watches.h"

#include <algorithm>
#include <limits>

#include "control/json_writer.h"
#include "core/notify_fields.h"
#include "core/uri.h"

namespace pua {

Watches::~Watches() {
  if (observing_) pua_.forget_observer(observer_);
}

// Clients say when they go; those that were killed are found here.
void Watches::forget_gone() {
  std::erase_if(all_, [](const Watch& w) {
    auto sink = w.caller.sink.lock();
    return w.state->gone || !sink || !sink->anybody_at(*w.line);
  });
}

static bool same_process(const Caller& a, const Caller& b) {
  return a.process == b.process && a.user == b.user && (a.process != 0 || a.address == b.address);
}

// Why this client may have no other one; empty: it may.
std::string Watches::too_many(const Caller& caller) const {
  auto full = [](size_t most, const std::string& whose) { return whose + " " + std::to_string(most) + " watches already"; };
  auto count = [&](auto which) { return static_cast<size_t>(std::count_if(all_.begin(), all_.end(), which)); };
  if (all_.size() >= kMax) return full(kMax, "there are");
  if (count([&](const Watch& w) { return same_process(w.caller, caller); }) >= kMaxOfProcess)
    return full(kMaxOfProcess, "this client has");
  if (caller.user != Caller::kNobodyKnown && count([&](const Watch& w) { return w.caller.user == caller.user; }) >= kMaxOfUser)
    return full(kMaxOfUser, "user " + std::to_string(caller.user) + " has");
  return {};
}

Result<Watches::Added> Watches::add(const Caller& caller, WatchFilter filter) {
  auto sink = caller.sink.lock();
  if (!sink) return Error{Errc::not_supported, "there is no way back"};
  auto line = sink->line_to(caller.address);
  if (!line) return line.error();
  // Watches of clients that are gone are forgotten: a new client may have the address by now, and has it where another process
  // asks.
  std::erase_if(all_, [&](const Watch& w) {
    return w.state->gone || w.caller.sink.expired() || (w.caller.address == caller.address && !same_process(w.caller, caller));
  });
  for (Watch& w : all_) {
    if (w.caller.address != caller.address || w.filter != filter) continue;
    w.line = *line;   // the client may have opened its socket anew
    return Added{w.id, false};
  }
  if (!too_many(caller).empty()) forget_gone();
  if (std::string why = too_many(caller); !why.empty()) return Error{Errc::too_large, std::move(why)};
  if (!observing_) {
    observer_ = pua_.observe_notifies(std::numeric_limits<int32_t>::max(), [this](const NotifyView& n) { on_notify(n); });
    observing_ = true;
  }
  all_.push_back({++last_id_, caller, std::move(*line), std::move(filter), std::make_shared<PushState>()});
  return Added{last_id_, true};
}

Watches::Ended Watches::remove(const std::string& address, int64_t id) {
  Ended ended;
  std::erase_if(all_, [&](const Watch& w) {
    if (w.caller.address != address || (id != 0 && w.id != id)) return false;
    ended.watches++;
    ended.lost += w.state->lost;
    return true;
  });
  return ended;
}

static bool uri_matches(std::string_view pattern, std::string_view uri) {
  if (pattern.ends_with('*')) return uri.starts_with(pattern.substr(0, pattern.size() - 1));
  return pattern.empty() || pattern == uri;
}

void Watches::on_notify(const NotifyView& n) {
  bool gone = false;
  for (const Watch& w : all_) {
    const RecordView& r = n.record;
    bool wanted = uri_matches(w.filter.pres_uri, r.pres_uri) && (w.filter.event == 0 || w.filter.event == r.event) &&
                  (w.filter.watcher_uri.empty() || w.filter.watcher_uri == r.watcher_uri);
    if (wanted && !w.state->gone) tell(w, n);
    gone |= w.state->gone;
  }
  if (gone) std::erase_if(all_, [](const Watch& w) { return w.state->gone; });
}

// Header fields that other members show, or that belong to the way that the NOTIFY came; "v" and the like are short forms.
static bool told_otherwise(std::string_view name) {
  constexpr std::string_view names[] = {"Via", "v", "From", "f", "To", "t", "Call-ID", "i", "CSeq", "Max-Forwards",
                                        "Content-Length", "l", "Content-Type", "c", "Event", "o", "Subscription-State",
                                        "Contact", "m", "Record-Route", "Route"};
  return std::any_of(std::begin(names), std::end(names), [&](std::string_view n) { return same_word(n, name); });
}

// The other header fields, in the order they came.
static void write_headers(JsonWriter& w, std::string_view block) {
  HeaderField fields[kMaxShownHeaders];
  size_t count = split_headers(block, fields);
  count = static_cast<size_t>(
      std::remove_if(fields, fields + count, [](const HeaderField& f) { return told_otherwise(f.name); }) - fields);
  if (count == 0) return;
  w.key("headers").begin_array();
  for (size_t i = 0; i < count; i++)
    w.begin_object().member("name", fields[i].name).member("value", fields[i].value).end_object();
  w.end_array();
}

static std::string message(int64_t id, uint64_t lost, const NotifyView& n, bool with_body) {
  const RecordView& r = n.record;
  std::string text;
  text.reserve(512 + (with_body ? n.body.size() * 2 : 0));
  JsonWriter w(text);
  w.begin_object().member("jsonrpc", "2.0").member("method", "pua_notify").key("params").begin_object();
  w.member("watch", id).member("presentity_uri", r.pres_uri).member("watcher_uri", r.watcher_uri);
  w.member("event", r.event_name);
  if (!r.pres_id.empty()) w.member("pres_id", r.pres_id);
  w.member("call_id", r.call_id).member("state", n.state);
  if (!n.reason.empty()) w.member("reason", n.reason);
  if (n.expires >= 0) w.member("expires", n.expires);
  if (n.retry_after >= 0) w.member("retry_after", n.retry_after);
  if (!n.content_type.empty()) w.member("content_type", n.content_type);
  if (!with_body) {
    w.member("truncated", true);
  } else if (!n.body.empty()) {
    w.body(n.body);
  }
  if (with_body) write_headers(w, n.headers);
  if (n.gap) w.member("gap", true);
  if (n.bad != BadDocument::No) w.member("bad_document", bad_document_name(n.bad));
  if (lost > 0) w.member("lost", static_cast<int64_t>(lost));
  w.end_object().end_object();
  return text;
}

void Watches::tell(const Watch& w, const NotifyView& n) {
  auto sink = w.caller.sink.lock();
  if (!sink) {
    w.state->gone = true;
    return;
  }
  if (sink->push(w.line, message(w.id, w.state->lost, n, true), w.state)) return;
  if (!sink->push(w.line, message(w.id, w.state->lost, n, false), w.state)) w.state->lost++;
}

}  // namespace pua
