// Engine: publications and subscriptions. Everything that happens is an input with a time; a record's machine turns it into a
// new state and effects; ports carry the effects out and bring completions back as inputs. Nothing else changes a
// record. No clock, no sockets, no SQL: `now` comes in with every call.
//
// What is done alike for both kinds is in keeper.h, what differs in publications.h and subscriptions.h, what they share in engine_common.h.
// Here is what there is once: the turn, the load of the table, outcomes on their way, the end.
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
  // entropy: identifiers, keys and jitter come from it; the system's in production, repeatable in tests.
  Engine(const EngineSettings&, Ports, Entropy entropy);
  ~Engine() override;

  // Rows hold calendar time: epoch ms = monotonic ms + offset. To be set before start().
  void set_epoch_offset(int64_t ms) { epoch_offset_ = ms; }
  // Key of Via branches, as the last run had it (core/identifiers.h). To be set before start(), else it is one of this run alone.
  void set_branch_key(HashKey key) { branch_key_ = key; }
  // Begins to load the table, page by page. Requests are taken meanwhile.
  void start(MonoMs now);
  bool loading() const { return loading_; }

  // Takes a request, or refuses it and changes nothing (the Errc of the documentation, the field at fault named).
  // done is called exactly once, from run() or shutdown(), never from here.
  Status publish(const PublishRequest&, RequestDone done, MonoMs now);
  void observe(int32_t source_mask, EngineObserver fn);

  // The same for a subscription (RFC 6665).
  Status subscribe(const SubscribeRequest&, RequestDone done, MonoMs now);
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) override;
  void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs now) override;
  bool expects(std::string_view call_id) const override { return subs_.expects(call_id); }
  // A request within the dialog brought this Contact: the remote target from now on. Errors: not_found, bad_uri.
  Status update_contact(const DialogQuery&, std::string_view contact, MonoMs now);
  DialogFound find_dialog(const DialogQuery&, std::string* id) const;
  void subscriptions_of(std::string_view id_prefix, const std::function<void(const RecordView&)>&, MonoMs now) const;
  // Handler of NOTIFYs; called from run(). The handle is for forget().
  int observe_notifies(int32_t source_mask, NotifyObserver fn) { return subs_.handlers().observe(source_mask, std::move(fn)); }
  // fn sees each NOTIFY outside of any dialog whose event's bit is in the mask; without one these are answered 481.
  void observe_unsolicited(int32_t event_mask, UnsolicitedObserver fn) { subs_.handlers().unsolicited.observe(event_mask, std::move(fn)); }
  void forget_observer(int handle) { subs_.handlers().forget(handle); }
  // An event package was registered after the start: rows of it that were kept aside are loaded now.
  void event_added(int32_t flag);
  void reconfigure(const EngineSettings&);

  // Fires a deadline, sends a request, delivers completions: a small piece of work, so that its owner can stop in time. wake()
  // says when to come back.
  void run(MonoMs now);
  MonoMs next_due() const;

  // Takes no more requests. With remove_all, every publication is withdrawn (to be given time to happen).
  void stop_taking() { stopping_ = true; }
  void remove_all();
  bool quiet() const;                       // nothing out, queued, to be delivered, or to be written again
  // The store has lost rows: all are being marked, and the table is looked through, piece by piece.
  bool rewriting() const { return rewrite_ != Rewrite::No || sweep_ != Sweep::No; }
  // Completes everything open with 487 "shutdown" and ends. Legal inside a completion.
  void shutdown();
  // The same piece by piece, for a table too large for one loop turn: to be called until it says true.
  bool shutdown_some();

  ListPage list(const ListFilter&, uint64_t cursor, uint32_t limit, const std::function<void(const RecordView&)>&,
                MonoMs now) const;
  Status show(std::string_view pres_uri, int32_t event, int32_t source,
              const std::function<void(const RecordView&)>&, MonoMs now) const;
  // These cost the same however many records there are.
  Stats stats() const;
  const Measures& measures() const { return measures_; }
  std::array<StateCount, kStates> publications_by_state() const { return pubs_.by_state(); }
  std::array<StateCount, sub::kStates> subscriptions_by_state() const { return subs_.by_state(); }
  // How often each (state, input) pair was met.
  const auto& coverage() const { return pubs_.coverage(); }
  const auto& subscription_coverage() const { return subs_.coverage(); }
  size_t records() const { return pubs_.size(); }
  // Records that walks over the tables looked at so far.
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
  // By what kind of record it is.
  template <class Fn>
  auto of_kind(Entity& e, Fn fn) {
    return e.kind == Kind::Subscription ? fn(subs_, static_cast<SubscriptionRecord&>(e)) : fn(pubs_, static_cast<PublicationRecord&>(e));
  }
  void fire(Entity&, MonoMs now);           // its deadline
  void send_one(MonoMs now);
  void finish(TxnId, const SipReply&, Outbox::Answer, MonoMs now);
  void load_row(const Row&, MonoMs now);
  void finish_load();
  void load_next();
  void remove_some(MonoMs now);
  void rewrite_some(MonoMs now);
  // Sweep: what the table holds beyond the records (engine_sweep.cpp)
  bool sweeping() const { return sweep_ != Sweep::No && sweep_ != Sweep::Wanted; }
  MonoMs sweep_due() const;
  void sweep_on(MonoMs now);
  void sweep_page(std::span<const Row> rows, bool last, MonoMs now);
  bool stands(const Row&, MonoMs now);
  void announce();
  void run_deliveries(MonoMs now);
  Outcome outcome_of(const Delivery&) const;
  void notify(const Delivery&, const Outcome&);

  Publications pubs_;
  Subscriptions subs_;
  int64_t last_loaded_ = 0;
  int32_t load_only_ = 0;                   // event flag, 0: all
  std::vector<int32_t> load_again_;         // events registered while a load was under way
  bool load_fails_ = false;                 // the last page could not be read, and the log says so
  MonoMs announced_ = kNever;
  bool removing_subs_ = false;              // remove_all: the publications are through
  uint64_t rewrite_cursor_ = 0;
  // Wanted: as soon as nothing is being loaded or marked. Reading: a page is on its way. Pausing: deletions wait to be written.
  enum class Sweep : uint8_t { No, Wanted, Reading, Pausing };
  Sweep sweep_ = Sweep::No;
  bool sweep_again_ = false;                // rows were lost meanwhile
  int64_t swept_to_ = 0;                    // row id
  uint64_t swept_ = 0;                      // rows that were removed
  MonoMs sweep_at_ = 0;                     // end of a pause
};

}  // namespace pua
