// Engine: publications and subscriptions. Whatever happens to a record is an input with a time; its machine turns the input
// into a new state and effects; ports carry the effects out, and what comes of them are inputs again. There is no clock here,
// no socket and no SQL: `now` comes in with every call.
//
// What is done alike for both kinds is in keeper.h, what differs in publications.h and subscriptions.h, what they share in
// engine_common.h. This class has what exists once: the pieces of a turn, the load of the table, the delivery of outcomes, the
// end.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/engine_common.h"
#include "core/notify_port.h"
#include "core/publications.h"
#include "core/subscriptions.h"

namespace pua {

class Engine : public SipSink, public StoreSink, public NotifySink, private EngineCommon {
 public:
  using Ports = EnginePorts;
  // entropy: identifiers, keys and the seed of the jitter come from it; in production it is the system's, in tests repeatable.
  Engine(const EngineSettings&, Ports, Entropy entropy);
  ~Engine() override;

  // The offset between the two kinds of time: rows hold calendar time, epoch ms = monotonic ms + offset. To be set before
  // start().
  void set_epoch_offset(int64_t ms) { epoch_offset_ = ms; }
  // The key of Via branches that the last run had (core/identifiers.h). To be set before start(); else this run has a key of
  // its own.
  void set_branch_key(HashKey key) { branch_key_ = key; }
  // Begins to load the table, page by page. Requests are accepted meanwhile.
  void start(MonoMs now);
  bool loading() const { return loading_; }

  // Accepts a request, or refuses it and changes nothing; the error names the field at fault. done of a request that was
  // accepted is called exactly once, by run() or shutdown(), never inside this call.
  Status publish(const PublishRequest&, RequestDone done, MonoMs now);
  // fn sees every outcome of records whose source bit is in the mask.
  void observe(int32_t source_mask, EngineObserver fn);

  // As publish(), for a subscription (RFC 6665).
  Status subscribe(const SubscribeRequest&, RequestDone done, MonoMs now);
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) override;
  void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs now) override;
  bool expects(std::string_view call_id) const override { return subs_.expects(call_id); }
  // Makes the Contact of a request within the dialog, which the host has received, the remote target. Errors: not_found,
  // loading, bad_uri.
  Status update_contact(const DialogQuery&, std::string_view contact, MonoMs now);
  DialogFound find_dialog(const DialogQuery&, std::string* id) const;
  void subscriptions_of(std::string_view id_prefix, const std::function<void(const RecordView&)>&, MonoMs now) const;
  // fn is called by run() for each NOTIFY that was taken of a source in the mask. The handle is for forget_observer().
  int observe_notifies(int32_t source_mask, NotifyObserver fn) { return subs_.handlers().observe(source_mask, std::move(fn)); }
  // fn is called by run() for each NOTIFY outside of any dialog whose event's bit is in the mask. Without such an observer
  // these NOTIFYs are answered 481.
  void observe_unsolicited(int32_t event_mask, UnsolicitedObserver fn) {
    subs_.handlers().unsolicited.observe(event_mask, std::move(fn));
  }
  void forget_observer(int handle) { subs_.handlers().forget(handle); }
  // An event package was registered after the start: its rows, which were kept aside, are loaded now.
  void event_added(int32_t flag);
  void reconfigure(const EngineSettings&);

  // A piece of the turn: at most one deadline, one request, and a few of everything else, so that the caller can stop before it
  // blocks the loop. EnginePorts::wake says when to call again.
  void run(MonoMs now);
  MonoMs next_due() const;

  // From now on requests of owners are refused.
  void stop_taking() { stopping_ = true; }
  // Withdraws every publication and ends every subscription, piece by piece in run().
  void remove_all();
  bool quiet() const;                       // no request is out or queued, no outcome waits, and no rewrite or sweep goes on
  // The store has lost rows, and work on that is not done: all rows are being marked, or the table is being swept.
  bool rewriting() const { return rewrite_ != Rewrite::No || sweep_ != Sweep::No; }
  // Requests of owners that are accepted, and in no row nor marked to be written into one: those that wait for their row while
  // the table is being loaded, and those that wait behind one that is out. They would be lost with the process. Since: when the
  // oldest of them was accepted (kNever: there is none). A store that keeps nothing lacks none of them either.
  size_t unplaced() const { return ports_.store.durable() ? pubs_.unplaced() + subs_.unplaced() : 0; }
  MonoMs unplaced_since() const {
    return ports_.store.durable() ? std::min(pubs_.unplaced_since(), subs_.unplaced_since()) : kNever;
  }
  // Completes everything that is open with 487 "Shutdown" and ends. Legal inside a completion, an observer or a handler; all
  // that is still to be called is called here, so that nothing is after it returns.
  void shutdown();
  // The same piece by piece, for a table too large for one turn of the loop: to be called until it returns true.
  bool shutdown_some();

  ListPage list(const ListFilter&, uint64_t cursor, uint32_t limit, const std::function<void(const RecordView&)>&,
                MonoMs now) const;
  Status show(std::string_view pres_uri, int32_t event, int32_t source,
              const std::function<void(const RecordView&)>&, MonoMs now) const;
  // The cost of these four does not grow with the number of records.
  Stats stats() const;
  const Measures& measures() const { return measures_; }
  std::array<StateCount, kStates> publications_by_state() const { return pubs_.by_state(); }
  std::array<StateCount, sub::kStates> subscriptions_by_state() const { return subs_.by_state(); }
  // How often each pair of state and input has occurred.
  const auto& coverage() const { return pubs_.coverage(); }
  const auto& subscription_coverage() const { return subs_.coverage(); }
  size_t records() const { return pubs_.size(); }
  // How many records walks over the tables have looked at so far.
  uint64_t looked_at() const { return pubs_.looked_at() + subs_.looked_at(); }
  // For tests and simulation: the record of this key, or nullptr.
  const PublicationRecord* find(const PublicationKey& k) const { return pubs_.find(k); }
  const SubscriptionRecord* find_subscription(const SubscriptionKey& k) const { return subs_.find(k); }

  void on_reply(TxnId, const SipReply&, MonoMs now) override;
  RowOp row_of(const StoreHook&, Row& out) override;
  void on_stored(StoreHook&, uint32_t version, bool ok, MonoMs now) override;
  void on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) override;
  void on_found(const Row& key, const Row* row, int64_t top, MonoMs now) override;
  void on_rows_lost(MonoMs now) override;

 private:
  // Calls fn with the keeper of the entity's kind, and the entity as a record of that kind.
  template <class Fn>
  auto of_kind(Entity& e, Fn fn) {
    return e.kind == Kind::Subscription ? fn(subs_, static_cast<SubscriptionRecord&>(e))
                                        : fn(pubs_, static_cast<PublicationRecord&>(e));
  }
  void fire(Entity&, MonoMs now);           // its deadline has come
  void send_one(MonoMs now);
  void finish(TxnId, const SipReply&, Outbox::Answer, MonoMs now);
  void load_row(const Row&, MonoMs now);
  void finish_load();
  void load_next();
  void remove_some(MonoMs now);
  void rewrite_some(MonoMs now);
  // The sweep removes rows that no record stands for (engine_sweep.cpp).
  bool sweeping() const { return sweep_ != Sweep::No && sweep_ != Sweep::Wanted; }
  MonoMs sweep_due() const;
  void sweep_on(MonoMs now);
  void sweep_page(std::span<const Row> rows, bool last, MonoMs now);
  bool stands(const Row&, MonoMs now);
  void announce();
  void run_deliveries(MonoMs now);
  void deliver_first(const std::function<void(const Waiter&, const Outcome&)>& count);
  Outcome outcome_of(const Delivery&) const;
  void notify(const Delivery&, const Outcome&);

  Publications pubs_;
  Subscriptions subs_;
  int64_t last_loaded_ = 0;
  int32_t load_only_ = 0;                   // the load is for rows of this event bit alone, 0: for all rows
  std::vector<int32_t> load_again_;         // event bits registered during a load or a sweep, after which their rows are loaded
  bool load_fails_ = false;                 // the last page could not be read, and the log says so
  MonoMs announced_ = kNever;               // the earliest time for which wake() was called since the last run()
  bool removing_subs_ = false;              // remove_all() is done with the publications and walks over the subscriptions
  uint64_t rewrite_cursor_ = 0;
  // Wanted: it begins as soon as nothing is being loaded or marked. Reading: a page is on its way. Pausing: the next page is
  // read later, after deletions of the last one have been written.
  enum class Sweep : uint8_t { No, Wanted, Reading, Pausing };
  Sweep sweep_ = Sweep::No;
  bool sweep_again_ = false;                // rows were lost again during the sweep: it starts from the beginning
  int64_t swept_to_ = 0;                    // the largest row id that was looked at
  uint64_t swept_ = 0;                      // rows that were removed
  MonoMs sweep_at_ = 0;                     // end of a pause
  Delivery* under_way_ = nullptr;           // taken out of ready_: its callers are being called
};

}  // namespace pua
