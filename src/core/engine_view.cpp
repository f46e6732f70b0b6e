// Engine: lists, views and counters, which change nothing.
#include <algorithm>

#include "core/engine.h"

namespace pua {

std::vector<std::string_view> state_names(std::optional<Kind> kind) {
  std::vector<std::string_view> names;
  auto add = [&](std::string_view name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (size_t i = 0; i < kStates && kind != Kind::Subscription; i++) add(state_name(static_cast<State>(i)));
  for (size_t i = 0; i < sub::kStates && kind != Kind::Publication; i++) add(sub::state_name(static_cast<sub::State>(i)));
  return names;
}

// Publications first, then subscriptions: the cursor is a hash of 32 bits, and bit 40 says that it stands among the
// subscriptions. It is no higher bit, because clients read the cursor as a signed number and often as a double.
ListPage Engine::list(const ListFilter& f, uint64_t cursor, uint32_t limit,
                      const std::function<void(const RecordView&)>& show, MonoMs now) const {
  constexpr uint64_t kSecond = 1ull << 40;
  ListPage page;
  uint32_t shown = 0;
  constexpr uint32_t kScan = 5000;  // one call looks at no more records, which takes about a millisecond
  limit = std::max(limit, 1u);
  if (!(cursor & kSecond) && f.kind != Kind::Subscription) {
    cursor = pubs_.list(f, cursor, limit, kScan, page, shown, show, now);
    page.next = cursor;
    if (cursor || f.kind == Kind::Publication) return page;
    if (subs_.size() == 0) return page;
    if (shown >= limit || page.scanned >= kScan) {
      page.next = kSecond;
      return page;
    }
  }
  uint64_t next = subs_.list(f, cursor & ~kSecond, limit, kScan, page, shown, show, now);
  page.next = next ? next | kSecond : 0;
  return page;
}

Status Engine::show(std::string_view pres_uri, int32_t event, int32_t source,
                    const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  bool any = pubs_.show(pres_uri, event, source, fn, now);
  if (subs_.show(pres_uri, event, source, fn, now)) any = true;
  if (!any) return not_here("nothing published or subscribed for " + std::string(pres_uri));
  return success();
}

Stats Engine::stats() const {
  Stats s = count_;
  s.replies_2xx = measures_.all(Final::C2xx);
  s.replies_3xx = measures_.all(Final::C3xx);
  s.replies_4xx = measures_.all(Final::C4xx);
  s.replies_5xx = measures_.all(Final::C5xx);
  s.replies_6xx = measures_.all(Final::C6xx);
  s.timeouts = measures_.all(Final::Timeout);
  s.transport_errors = measures_.all(Final::Transport);
  s.loading = loading_;
  s.in_flight = outbox_.in_flight();
  s.breaker_open = outbox_.open_count();
  s.breaker_trips = static_cast<int64_t>(outbox_.trips());
  s.servers_quiet = outbox_.quiet_count();
  s.server_holds = static_cast<int64_t>(outbox_.holds());
  pubs_.add_stats(s);
  subs_.add_stats(s);
  for (auto& [flag, n] : kept_aside_) s.parked += static_cast<int64_t>(n);
  return s;
}

Status Engine::update_contact(const DialogQuery& q, std::string_view contact, MonoMs now) {
  return subs_.update_contact(q, contact, now);
}

DialogFound Engine::find_dialog(const DialogQuery& q, std::string* id) const { return subs_.find_dialog(q, id); }

void Engine::subscriptions_of(std::string_view prefix, const std::function<void(const RecordView&)>& fn, MonoMs now) const {
  subs_.of_id(prefix, fn, now);
}

}  // namespace pua
