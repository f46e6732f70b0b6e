// Instance: one PUA, composed. Builds the adapters, wires the ports, owns everything. C++ face for the control
// interface and the daemon; the C ABI (api/c_*.cpp) is a thin layer over it. Loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "api/measurements.h"
#include "base/log.h"
#include "base/result.h"
#include "config/settings.h"
#include "core/notify_port.h"
#include "core/types.h"
#include "core/unsolicited.h"

struct event_base;

namespace pua {

class Registry;

// register_puacb of the documentation: called after the completion, never under a lock, for owners' requests and
// refreshes alike (Outcome::by_timer). The view is a snapshot.
using Observer = std::function<void(const RecordView&, const Outcome&)>;

class Instance {
 public:
  // base: the host's loop, or nullptr to make one (see base()). Errors: bad_config, store_failed, sip_failed, no_memory.
  static Result<std::unique_ptr<Instance>> create(const Settings&, event_base* base, Log::Sink sink);
  virtual ~Instance() = default;  // completes what is open with status 487 "shutdown"; legal inside a callback

  // Whether the caller stands in the instance's thread and process. Errors: after_fork, wrong_thread.
  virtual Status check() const = 0;
  virtual event_base* base() = 0;
  // Turns the loop until stop() or the end of the instance. Errors: as check().
  virtual Status run() = 0;
  virtual void stop() = 0;
  virtual Log& log() = 0;
  virtual Registry& events() = 0;
  // Whether the table has another package under this bit, or this one under another. Errors: bad_argument.
  virtual Status event_fits(int32_t flag, std::string_view name) const = 0;
  // An event package was registered: notes its name, and loads its rows, which were left in the database so far.
  virtual void event_added(int32_t flag) = 0;

  // Accepts a request, or says why not (and nothing changes). done is called exactly once, later, from the loop.
  virtual Status publish(const PublishRequest&, PublishDone done) = 0;

  // The same for a subscription (RFC 6665).
  virtual Status subscribe(const SubscribeRequest&, PublishDone done) = 0;
  // A NOTIFY that the host's own socket received, as octets from the request line on, or parsed. The answer is what the
  // host sends back. Errors of the first: bad_argument, it is not a NOTIFY request that can be read.
  virtual Result<NotifyAnswer> notify_received(std::string_view message) = 0;
  virtual NotifyAnswer notify_received(const NotifyRequest&) = 0;
  // Takes over the Contact of a request that came within a dialog (target refresh). Errors: not_found, bad_uri.
  virtual Status update_contact(const DialogQuery&, std::string_view contact_uri) = 0;
  virtual Status update_contact(std::string_view message) = 0;
  virtual DialogFound find_dialog(const DialogQuery&, std::string* id) = 0;
  // All subscriptions whose id begins with `prefix` (not empty).
  virtual void subscriptions_of(std::string_view prefix, const std::function<void(const RecordView&)>&) = 0;
  // NOTIFYs of subscriptions whose source bit is in the mask, as they come; until the instance ends. Returns a handle.
  virtual int observe_notifies(int32_t source_mask, NotifyObserver) = 0;
  virtual void observe_unsolicited(int32_t event_mask, UnsolicitedObserver) = 0;
  virtual void forget_observer(int handle) = 0;

  virtual void observe(int32_t source_mask, Observer) = 0;

  // Shows the records that match, from cursor on: about `limit` of them (whole hash buckets, so a few more may come),
  // looking at a bounded number of records.
  virtual ListPage list(const ListFilter&, uint64_t cursor, uint32_t limit,
                        const std::function<void(const RecordView&)>& show) = 0;
  // The records of one presentity (event, source 0: any). not_found if there is none.
  virtual Status show(std::string_view pres_uri, int32_t event, int32_t source,
                      const std::function<void(const RecordView&)>& fn) = 0;
  // Both cost the same however many records there are.
  virtual Stats stats() const = 0;
  virtual Measurements measurements() const = 0;
  // Of the loop, for callbacks on base() that are not the instance's; nullptr: there is none. Lives as long as the instance.
  virtual Watchdog* watchdog() = 0;
  // Writes everything unwritten; done(ok) once, later. ok = false: not all could be written within shutdown_timeout.
  virtual void flush(std::function<void(bool ok)> done) = 0;
  // Takes over those settings that can change in a running instance; names of the others go to `ignored`.
  virtual Status reload(const Settings&, std::vector<std::string>& ignored) = 0;
  // Stops taking requests, un-publishes if so configured, completes what is open, flushes; done once, later, within
  // shutdown_timeout. ok = false: not everything could be written, or the instance was freed before.
  // While it is under way a second call only waits for the same end.
  virtual void shutdown(std::function<void(bool ok)> done) = 0;
  // From any thread: run fn on the loop. false: shutting down.
  virtual bool post(std::function<void()> fn) = 0;
};

}  // namespace pua
