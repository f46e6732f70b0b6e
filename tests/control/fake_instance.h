// FakeInstance: what serves the control interface, without SIP and store, for tests. Requests wait until the test
// completes them; records are a vector.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/service.h"
#include "control/context.h"
#include "core/bodies_port.h"

namespace pua::test {

struct FakeEvents : BodiesPort {
  std::vector<EventInfo> known = {{1, "presence", "application/pidf+xml"},
                                  {8, "message-summary", "application/simple-message-summary"},
                                  {2, "presence.winfo", ""},
                                  {4, "dialog;sla", "application/dialog-info+xml"}};   // Allow-Events has only its token
  const EventInfo* by_flag(int32_t flag) const override {
    for (const EventInfo& e : known) {
      if (e.flag == flag) return &e;
    }
    return nullptr;
  }
  const EventInfo* by_name(std::string_view name) const override {
    for (const EventInfo& e : known) {
      if (e.name == name) return &e;
    }
    return nullptr;
  }
  Result<Unit> process(const BodyRequest&, std::string&, bool&, std::string&) override { return Unit{}; }
  std::string_view allow_events() const override { return "presence, message-summary, presence.winfo, dialog"; }
};

// A request as it was taken, copied.
struct Taken {
  int32_t source, event;
  std::string pres_uri, id, content_type, etag, extra_headers, outbound_proxy;
  int64_t expires;
  std::optional<std::string> body;
  RequestDone done;
  std::string watcher_uri, to_uri, contact, remote_target, event_id;  // subscriptions
};

class FakeInstance : public Service {
 public:
  explicit FakeInstance(event_base* loop = nullptr) : loop_(loop) {}

  std::deque<Taken> taken;           // accepted, not completed
  std::optional<Error> refuse_next;  // the next publish is refused with this
  std::vector<RecordView> records;
  uint32_t scan = 1000;  // records looked at in one list call
  uint32_t list_calls = 0;
  std::function<void()> when_listed;  // inside a list call
  ListFilter last_filter;  // its views are of the past: see last_filter_uri
  std::string last_filter_uri;
  std::vector<std::function<void(bool)>> flushes;
  Stats counters;
  Measurements measured;

  std::shared_ptr<const ReplyMessage> message;  // of the next completions
  bool kept = false;                            // the same: what failed is tried again
  std::map<int, NotifyObserver> notify_observers;
  int32_t observed_sources = 0;                 // of the last observe_notifies
  int next_handle = 1;

  // A NOTIFY of that record comes in.
  void notify(const NotifyView& n) {
    auto all = notify_observers;
    for (auto& [handle, fn] : all) fn(n);
  }
  void complete(int status, std::string_view reason, std::string_view etag = {}, int64_t granted = 0,
                bool durable = true, ReplyOrigin origin = ReplyOrigin::Wire, bool superseded = false) {
    Taken t = std::move(taken.front());
    taken.pop_front();
    Outcome o;
    o.status = status;
    o.reason = reason;
    o.etag = etag;
    o.granted = granted;
    o.durable = durable;
    o.origin = origin;
    o.superseded = superseded;
    o.message = message;
    o.kept = kept;
    t.done(o);
  }

  event_base* base() override { return loop_; }
  Watchdog* watchdog() override { return nullptr; }
  Log& log() override { return log_; }

  Status publish(const PublishRequest& r, RequestDone done) override {
    if (refuse_next) {
      Error error = *refuse_next;
      refuse_next.reset();
      return error;
    }
    Taken t{r.source,
            r.event,
            std::string(r.pres_uri),
            std::string(r.id),
            std::string(r.content_type),
            std::string(r.etag),
            std::string(r.extra_headers),
            std::string(r.outbound_proxy),
            r.expires,
            std::nullopt,
            std::move(done),
            {},
            {},
            {},
            {},
            {}};
    if (r.body) t.body = std::string(*r.body);
    taken.push_back(std::move(t));
    return success();
  }

  Status subscribe(const SubscribeRequest& r, RequestDone done) override {
    if (refuse_next) {
      Error error = *refuse_next;
      refuse_next.reset();
      return error;
    }
    taken.push_back(Taken{r.source, r.event, std::string(r.pres_uri), std::string(r.id), std::string(r.content_type), {},
                          std::string(r.extra_headers), std::string(r.outbound_proxy), r.expires,
                          r.body.empty() ? std::nullopt : std::optional<std::string>(r.body),
                          std::move(done), std::string(r.watcher_uri), std::string(r.to_uri), std::string(r.contact),
                          std::string(r.remote_target), std::string(r.event_id)});
    return success();
  }
  int observe_notifies(int32_t sources, NotifyObserver fn) override {
    observed_sources = sources;
    notify_observers[next_handle] = std::move(fn);
    return next_handle++;
  }
  void forget_observer(int handle) override { notify_observers.erase(handle); }

  ListPage list(const ListFilter& filter, uint64_t cursor, uint32_t limit,
                const std::function<void(const RecordView&)>& show_one) override {
    list_calls++;
    if (when_listed) when_listed();
    last_filter = filter;
    last_filter_uri = filter.pres_uri;
    ListPage page;
    uint32_t shown = 0;
    size_t i = cursor;
    for (; i < records.size() && shown < limit && page.scanned < scan; i++, page.scanned++) {
      if (!filter.state.empty() && records[i].state != filter.state) continue;
      if (filter.kind && records[i].kind != *filter.kind) continue;
      show_one(records[i]);
      shown++;
    }
    page.next = i < records.size() ? i : 0;
    return page;
  }

  Status show(std::string_view pres_uri, int32_t event, int32_t source,
              const std::function<void(const RecordView&)>& fn) override {
    bool any = false;
    for (const RecordView& r : records) {
      if (r.pres_uri != pres_uri || (event != 0 && r.event != event) || (source != 0 && r.source != source)) continue;
      any = true;
      fn(r);
    }
    return any ? success() : Status(Errc::not_found, "no record of that presentity");
  }

  Stats stats() const override { return counters; }
  Measurements measurements() const override { return measured; }
  void flush(std::function<void(bool ok)> done) override { flushes.push_back(std::move(done)); }

 private:
  event_base* loop_;
  Log log_;
};

// The usual surroundings of a dispatcher.
struct FakeWorld {
  FakeEvents events;
  FakeInstance pua;
  ControlContext context{.pua = pua, .events = events, .version = "puad 1.2.3", .reload = nullptr};
  explicit FakeWorld(event_base* loop = nullptr) : pua(loop) {}
};

}  // namespace pua::test
