#include "events/watcherinfo.h"

#include <algorithm>
#include <charconv>

#include "events/inspect.h"
#include "events/text.h"

namespace pua {

namespace {

constexpr std::string_view kNamespace = "urn:ietf:params:xml:ns:watcherinfo";
// In the order of the enumerations.
constexpr std::string_view kStatus[] = {"pending", "active", "waiting", "terminated"};
constexpr std::string_view kEvents[] = {"subscribe", "approved", "deactivated", "probation",
                                        "rejected",  "timeout",  "giveup",      "noresource"};

// Text that other messages may be made of: no blanks, nothing that could end a line.
bool is_plain(std::string_view s) {
  return !s.empty() && std::none_of(s.begin(), s.end(), [](unsigned char c) { return c <= 0x20 || c == 0x7f; });
}

template <class Enum, size_t N>
bool find_value(const std::string_view (&texts)[N], std::string_view text, Enum& out) {
  const std::string_view* at = std::find(texts, texts + N, text);
  out = static_cast<Enum>(at - texts);
  return at != texts + N;
}

struct Reading : XmlVisitor {
  WatcherInfo info;
  Error error{Errc::ok, {}};       // the first one

  bool wants_text() const override { return true; }

  void element(const XmlElement& e) override {
    if (error.code != Errc::ok || skipped_ > 0) return;
    const bool ours = e.ns == kNamespace;
    if (inside_ == Inside::Document) {
      begin_root(e);
    } else if (!ours && !e.ns.empty()) {
      skipped_ = e.depth;
    } else if (ours && inside_ == Inside::Root && e.name == "watcher-list") {
      begin_list(e);
    } else if (ours && inside_ == Inside::List && e.name == "watcher") {
      begin_watcher(e);
    } else {
      fail("an element " + quoted(e.name) + (ours ? "" : " of no namespace") + " has no place here");
    }
  }

  void text(std::string_view piece, uint32_t) override {
    if (error.code != Errc::ok || skipped_ > 0 || inside_ != Inside::Watcher) return;
    std::string& uri = info.lists.back().watchers.back().uri;
    if (uri.empty()) piece.remove_prefix(std::min(piece.find_first_not_of(" \t\r\n"), piece.size()));
    if (uri.size() <= 2 * kMaxWatcherField) uri += piece;  // more than that is refused at the end
  }

  void end(uint32_t depth) override {
    if (error.code != Errc::ok) return;
    if (skipped_ > 0) {
      if (depth == skipped_) skipped_ = 0;
      return;
    }
    if (inside_ == Inside::Watcher) end_watcher();
    inside_ = static_cast<Inside>(depth - 1);
  }

 private:
  enum class Inside : uint8_t { Document, Root, List, Watcher };  // of which element, by its depth
  Inside inside_ = Inside::Document;
  uint32_t skipped_ = 0;           // depth of an element of another namespace that is passed over, 0: none
  size_t watchers_ = 0;            // in the whole document

  void fail(std::string what, Errc code = Errc::bad_body) {
    if (error.code != Errc::ok) return;
    std::string where;
    if (inside_ == Inside::Watcher) where = "watcher " + std::to_string(info.lists.back().watchers.size()) + " of ";
    where += inside_ >= Inside::List ? "watcher-list " + std::to_string(info.lists.size()) : "watcherinfo";
    error = {code, where + ": " + std::move(what)};
  }

  // An attribute that must be there and not be empty; plain: as is_plain() says.
  void required(const XmlElement& e, const char* name, bool plain, std::string& out) {
    std::string_view value;
    if (!e.attribute(name, value) || value.empty()) return fail(std::string("has no ") + name);
    if (value.size() > kMaxWatcherField) return fail(std::string(name) + " is longer than 1024 octets");
    if (plain && !is_plain(value)) {
      return fail(std::string(name) + " " + quoted(value) + " holds blanks or control characters");
    }
    out = value;
  }

  // xs:unsignedLong
  void seconds(const XmlElement& e, const char* name, std::optional<uint64_t>& out) {
    std::string_view value;
    if (!e.attribute(name, value)) return;
    std::string_view digits = trim(value);
    if (digits.starts_with('+')) digits.remove_prefix(1);
    uint64_t number = 0;
    auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (problem != std::errc() || stop != digits.data() + digits.size()) {
      return fail(std::string(name) + " " + quoted(value) + " is not a number of seconds");
    }
    out = number;
  }

  void begin_root(const XmlElement& e) {
    Result<DocumentState> state = watcherinfo_root(e);
    if (!state) {
      error = state.error();
      return;
    }
    inside_ = Inside::Root;
    info.version = state->version;
    info.full = state->kind == DocumentState::Kind::Full;
  }

  void begin_list(const XmlElement& e) {
    if (info.lists.size() == kMaxWatcherLists) return fail("has more than 1000 watcher-lists", Errc::too_large);
    inside_ = Inside::List;
    WatcherInfo::List& list = info.lists.emplace_back();
    required(e, "resource", true, list.resource);
    required(e, "package", true, list.package);
  }

  void begin_watcher(const XmlElement& e) {
    if (++watchers_ > kMaxWatchers) return fail("the document has more than 10000 watchers", Errc::too_large);
    inside_ = Inside::Watcher;
    Watcher& w = info.lists.back().watchers.emplace_back();
    required(e, "id", false, w.id);
    std::string_view value;
    if (!e.attribute("status", value)) fail("has no status");
    else if (!find_value(kStatus, value, w.status)) fail("status " + quoted(value) + " is not known");
    if (!e.attribute("event", value)) fail("has no event");
    else if (!find_value(kEvents, value, w.event)) fail("event " + quoted(value) + " is not known");
    if (e.attribute("display-name", value)) {
      if (value.size() > kMaxWatcherField) return fail("display-name is longer than 1024 octets");
      w.display_name = value;
    }
    seconds(e, "expiration", w.expiration);
    seconds(e, "duration-subscribed", w.duration_subscribed);
  }

  void end_watcher() {
    std::string& uri = info.lists.back().watchers.back().uri;
    uri.resize(uri.find_last_not_of(" \t\r\n") + 1);
    if (uri.empty()) return fail("has no URI");
    if (uri.size() > kMaxWatcherField) return fail("URI is longer than 1024 octets");
    if (!is_plain(uri)) fail("URI " + quoted(uri) + " holds blanks or control characters");
  }
};

}  // namespace

std::string_view watcher_status_text(WatcherStatus s) { return kStatus[static_cast<size_t>(s)]; }
std::string_view watcher_event_text(WatcherEvent e) { return kEvents[static_cast<size_t>(e)]; }

Result<WatcherInfo> parse_watcherinfo(XmlReader& reader, std::string_view doc) {
  Reading reading;
  if (Status s = reader.read(doc, reading); !s) return s.error();
  if (reading.error.code != Errc::ok) return std::move(reading.error);
  return std::move(reading.info);
}

size_t WatcherList::merge(std::vector<WatcherInfo::List>& from, Lists& to, size_t size) {
  for (WatcherInfo::List& list : from) {
    Watchers& rows = to[{std::move(list.resource), std::move(list.package)}];
    size -= rows.size();
    for (Watcher& w : list.watchers) {
      if (w.status == WatcherStatus::Terminated) {
        rows.erase(w.id);
      } else {
        std::string id = w.id;
        rows.insert_or_assign(std::move(id), std::move(w));
      }
    }
    size += rows.size();
  }
  return size;
}

Result<WatcherList::Step> WatcherList::apply(WatcherInfo doc) {
  if (version_ && (doc.full ? doc.version < *version_ : doc.version <= *version_)) return Step::Stale;
  if (!doc.full && (!version_ || doc.version - *version_ != 1)) return Step::Gap;

  size_t more = 0;
  for (const WatcherInfo::List& list : doc.lists) more += list.watchers.size();
  bool may_overflow = size_ + more > kMaxWatchers || lists_.size() + doc.lists.size() > kMaxWatcherLists;
  if (!doc.full && !may_overflow) {
    size_ = merge(doc.lists, lists_, size_);
  } else {  // on the side: whether it fits is known afterwards
    Lists next = doc.full ? Lists() : lists_;
    size_t size = merge(doc.lists, next, doc.full ? 0 : size_);
    if (size > kMaxWatchers) return {Errc::too_large, "watcherinfo: with this document there are more than 10000 watchers"};
    if (next.size() > kMaxWatcherLists) {
      return {Errc::too_large, "watcherinfo: with this document there are more than 1000 watcher-lists"};
    }
    lists_.swap(next);
    size_ = size;
  }
  version_ = doc.version;
  return Step::Applied;
}

void WatcherList::reset() {
  lists_.clear();
  version_.reset();
  size_ = 0;
}

}  // namespace pua
