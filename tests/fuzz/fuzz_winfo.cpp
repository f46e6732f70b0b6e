// Fuzz: documents as NOTIFYs bring them. First octet: the content type that is inspected. The rest: watcher-info documents of
// one subscription, NUL between them. What is read must agree with what is inspected, and the list must hold its bounds.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "events/registry.h"
#include "events/watcherinfo.h"

using namespace pua;

static const char* const kWinfo = "application/watcherinfo+xml";
static const char* const kTypes[] = {"application/pidf+xml", kWinfo, "application/dialog-info+xml", "application/reginfo+xml",
                                     "application/conference-info+xml", "application/simple-message-summary", "text/plain"};

static void require(bool holds) {
  if (!holds) abort();
}

static void require_message(const Error& e) {
  require((e.code == Errc::bad_body || e.code == Errc::too_large) && !e.message.empty() && e.message.size() < 1000);
  for (char c : e.message) require(c >= 0x20 && c < 0x7f);  // it goes into an answer's first line
}

static void check_list(const WatcherList& all) {
  size_t count = 0;
  for (const auto& [key, rows] : all.lists()) {
    require(!key.first.empty() && !key.second.empty());
    for (const auto& [id, w] : rows) {
      require(id == w.id && !id.empty() && !w.uri.empty() && w.status != WatcherStatus::Terminated);
      require(w.uri.size() <= kMaxWatcherField && w.uri.find_first_of(" \t\r\n") == std::string::npos);
    }
    count += rows.size();
  }
  require(count == all.size() && count <= kMaxWatchers && all.lists().size() <= kMaxWatcherLists);
}

static void apply(Registry& registry, XmlReader& reader, std::string_view doc, WatcherList& all) {
  auto info = parse_watcherinfo(reader, doc);
  if (!info) return require_message(info.error());
  auto state = registry.inspect(2, kWinfo, doc);
  require(state.ok() && state->version == info->version);
  require(state->kind == (info->full ? DocumentState::Kind::Full : DocumentState::Kind::Partial));
  auto before = all.version();
  auto step = all.apply(*info);
  if (!step) require_message(step.error());
  bool applied = step && *step == WatcherList::Step::Applied;
  require(applied ? all.version() == info->version : all.version() == before);
  check_list(all);
  if (applied) require(*all.apply(*info) == (info->full ? WatcherList::Step::Applied : WatcherList::Step::Stale));
  check_list(all);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static Registry registry;  // kept: the readers are used again and again, as in a server
  static XmlReader reader;
  if (size < 1) return 0;
  std::string_view docs(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto state = registry.inspect(1, kTypes[data[0] % std::size(kTypes)], docs);
  if (!state) require_message(state.error());
  WatcherList all;
  for (;;) {
    size_t nul = docs.find('\0');
    apply(registry, reader, docs.substr(0, nul), all);
    if (nul == std::string_view::npos) return 0;
    docs.remove_prefix(nul + 1);
  }
}
