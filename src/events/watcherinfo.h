// Watcher information (RFC 3857, RFC 3858): who watches a presentity, read from documents that are full or partial state.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "events/xml_reader.h"

namespace pua {

// RFC 3857 4.7.1: the state of a watcher's subscription, and what brought it there.
enum class WatcherStatus : uint8_t { Pending, Active, Waiting, Terminated };
enum class WatcherEvent : uint8_t { Subscribe, Approved, Deactivated, Probation, Rejected, Timeout, Giveup, Noresource };
// As in documents: "pending", "subscribe" ...
std::string_view watcher_status_text(WatcherStatus);
std::string_view watcher_event_text(WatcherEvent);

// Bounds of a document, and of what a WatcherList keeps.
constexpr size_t kMaxWatchers = 10000;
constexpr size_t kMaxWatcherLists = 1000;
constexpr size_t kMaxWatcherField = 1024;  // octets of each string below

struct Watcher {
  std::string id;                          // of this subscription, the same in all documents of ours; not empty
  WatcherStatus status = WatcherStatus::Pending;
  WatcherEvent event = WatcherEvent::Subscribe;
  std::string uri;                         // not empty; no blanks, no control characters
  std::string display_name;                // empty: none; any characters
  std::optional<uint64_t> expiration;      // s until the watcher's subscription ends
  std::optional<uint64_t> duration_subscribed;  // s since it began
};

struct WatcherInfo {
  struct List {
    std::string resource;                  // URI of who is watched; not empty; no blanks, no control characters
    std::string package;                   // event package: "presence"; likewise
    std::vector<Watcher> watchers;         // in the document's order
  };
  uint32_t version = 0;
  bool full = false;                       // else: what changed since version - 1
  std::vector<List> lists;                 // in the document's order
};

// Elements and attributes of other namespaces are passed over, whatever they hold.
// Errors: bad_body, names the element at fault by its number ("watcher 2 of watcher-list 1: has no id"): not well-formed,
// another root element, an element that has no place there, an attribute missing, empty, too long or of no known value;
// too_large: over a bound above; what XmlReader::read says.
Result<WatcherInfo> parse_watcherinfo(XmlReader&, std::string_view doc);

// The watchers of one winfo subscription, put together from its documents (RFC 3858 section 4). A new subscription, or a new
// dialog of it, counts from the start: reset().
class WatcherList {
 public:
  enum class Step : uint8_t {
    Applied,  // lists() is now the state of this version
    Gap,      // partial, and changes before it are missing: nothing changed, full state is needed
    Stale     // older than what is known: nothing changed
  };
  using Watchers = std::map<std::string, Watcher>;  // by id
  using Lists = std::map<std::pair<std::string, std::string>, Watchers>;  // by resource and package

  // Full state replaces all, if its version is not lower than the known one. Partial state must be the known version + 1.
  // The RFC lets partial state be applied over a gap, too; here that would show a list that never was.
  // A watcher whose status is terminated leaves the list. The last one counts where a document has an id twice.
  // Errors: too_large, more watchers or lists than the bounds above; nothing changed.
  Result<Step> apply(WatcherInfo doc);
  void reset();

  const Lists& lists() const { return lists_; }
  std::optional<uint32_t> version() const { return version_; }  // none: no document so far
  size_t size() const { return size_; }                         // watchers in all lists

 private:
  static size_t merge(std::vector<WatcherInfo::List>&, Lists&, size_t size);

  Lists lists_;
  std::optional<uint32_t> version_;
  size_t size_ = 0;
};

}  // namespace pua
