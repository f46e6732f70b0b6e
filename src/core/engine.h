// Engine: a table of records. Everything that happens is an input with a time; a record's machine turns it into a
// new state and effects; ports carry the effects out and bring completions back as inputs. Nothing else changes a
// record. No clock, no sockets, no SQL: `now` comes in with every call.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/engine_common.h"
#include "core/identifiers.h"
#include "core/notify_port.h"
#include "core/record.h"
#include "core/subscriptions.h"
#include "core/table.h"

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
  Status publish(const PublishRequest&, PublishDone done, MonoMs now);
  void observe(int32_t source_mask, EngineObserver fn);

  // The same for a subscription (RFC 6665).
  Status subscribe(const SubscribeRequest&, PublishDone done, MonoMs now);
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) override;
  void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs now) override;
  bool expects(std::string_view call_id) const override;
  // A request within the dialog brought this Contact: the remote target from now on. Errors: not_found, bad_uri.
  Status update_contact(const DialogQuery&, std::string_view contact, MonoMs now);
  DialogFound find_dialog(const DialogQuery&, std::string* id) const;
  void subscriptions_of(std::string_view id_prefix, const std::function<void(const RecordView&)>&, MonoMs now) const;
  // Handler of NOTIFYs; called from run(). The handle is for forget().
  int observe_notifies(int32_t source_mask, NotifyObserver fn);
  // fn sees each NOTIFY outside of any dialog whose event's bit is in the mask; without one these are answered 481.
  void observe_unsolicited(int32_t event_mask, UnsolicitedObserver fn);
  void forget_observer(int handle);
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
  std::array<StateCount, kStates> publications_by_state() const;
  std::array<StateCount, sub::kStates> subscriptions_by_state() const { return subs_.by_state(); }
  // How often each (state, input) pair was met.
  const std::array<std::array<uint64_t, kInputs>, kStates>& coverage() const { return coverage_; }
  const auto& subscription_coverage() const { return subs_.coverage(); }
  size_t records() const { return table_.size(); }
  // Records that walks over the tables looked at so far.
  uint64_t looked_at() const { return table_.looked_at() + subs_.looked_at(); }
  // For tests and simulation: the record of this key, or nullptr.
  const Record* find(const RecordKey&) const;
  const Subscription* find_subscription(const SubscriptionKey& k) const { return subs_.find(k); }

  void on_reply(TxnId, const SipReply&, MonoMs now) override;
  RowOp row_of(const StoreHook&, Row& out) override;
  void on_stored(StoreHook&, uint32_t version, bool ok, MonoMs now) override;
  void on_page(std::span<const Row> rows, bool last, std::string_view error, MonoMs now) override;
  void on_found(const Row& key, const Row* row, int64_t top, MonoMs now) override;
  void on_rows_lost(MonoMs now) override;

 private:
  struct Accepted;                          // a checked request, body processed
  struct Place {                            // where a request goes
    Record* record = nullptr;               // nullptr: a new one
    bool maybe_in_table = false;            // the load under way may still bring its row
  };


  Status check(const PublishRequest&, const EventInfo*&) const;
  Status admit(const PublishRequest&, const Accepted&, uint32_t hash, Place&) const;
  Result<Unit> prepare_body(const PublishRequest&, const Place&, const EventInfo&, Accepted&, MonoMs now);
  void take_over(Record&, Accepted&, const PublishRequest&, PublishDone, MonoMs now);
  void park_request(Record&, Accepted&, const PublishRequest&, PublishDone, MonoMs now);
  void request(Record&, bool removal, bool new_body, MonoMs wanted_end, MonoMs now);
  void tell(Record&, int status, const char* reason, MonoMs now);   // those who wait for the request under way
  void fire(Entity&, MonoMs now);           // its deadline
  void start_waiting(Record&, MonoMs now);
  Record& create(const PublishRequest&, uint32_t hash);

  // row: with input Restored.
  void apply(Record&, Event, const SipReply*, MonoMs now, const Row* row = nullptr);
  void complete(Record&, const Effects&, const SipReply*, bool by_timer, MonoMs now);
  void enqueue(Record&, MonoMs now);
  void unreachable(Record&, const char* why, MonoMs now);
  void mark(Record&, Lane, MonoMs now);
  void arm(Record&);
  void send(Record&, TxnId, MonoMs now);
  void finish(TxnId, const SipReply&, Outbox::Answer, MonoMs now);
  void count_reply(const SipReply&, const Record&, MonoMs now);
  RowOp publication_row(const Record&, Row& out) const;
  void load_row(const Row&, MonoMs now);
  const char* unreadable(const Row&) const;
  bool has_state(const Row&) const;
  void adopt(Record&, const Row&, bool asked, MonoMs now);
  MonoMs first_refresh(const Publication&, MonoMs now);
  void finish_load();
  void reap();
  void to_reap(Record&);
  void leave_idle(Record&, MonoMs now);
  void remove_some(MonoMs now);
  void rewrite_some(MonoMs now);
  // Sweep: what the table holds beyond the records (engine_sweep.cpp)
  bool sweeping() const { return sweep_ != Sweep::No && sweep_ != Sweep::Wanted; }
  MonoMs sweep_due() const;
  void sweep_on(MonoMs now);
  void sweep_page(std::span<const Row> rows, bool last, MonoMs now);
  bool stands(const Row&, MonoMs now);
  void load_next();
  void announce();
  uint32_t next_cseq(const Record&) const;
  void renew_call(Record&);
  void change_texts(Record&, const Effects&, const SipReply*, const Row*);
  void write(Record&, Write, MonoMs now);
  void name_call(const Record&) const;
  std::string_view default_proxy(const Record&) const;
  std::string_view destination(const Record&) const;
  RecordView view(const Record&, MonoMs now) const;
  void run_deliveries(MonoMs now);
  Outcome outcome_of(const Delivery&) const;
  void notify(const Delivery&, const Outcome&);

  Table<Record> table_;
  Subscriptions subs_;
  std::vector<Record*> reap_;
  List<Record, QueueHook> idle_;            // taken while loading; left when the row comes or the load ends
  std::array<std::array<uint64_t, kInputs>, kStates> coverage_{};
  std::array<int64_t, kStates> by_state_{};
  int64_t last_loaded_ = 0;
  int32_t load_only_ = 0;                   // event flag, 0: all
  std::vector<int32_t> load_again_;         // events registered while a load was under way
  bool load_fails_ = false;                 // the last page could not be read, and the log says so
  MonoMs announced_ = kNever;
  uint64_t withdraw_cursor_ = 0, end_cursor_ = 0;
  bool removing_subs_ = false;              // remove_all: the publications are through
  enum class Rewrite : uint8_t { No, Publications, Subscriptions };  // every row is written again, piece by piece
  Rewrite rewrite_ = Rewrite::No;
  uint64_t rewrite_cursor_ = 0;
  // Wanted: as soon as nothing is being loaded or marked. Reading: a page is on its way. Pausing: deletions wait to be written.
  enum class Sweep : uint8_t { No, Wanted, Reading, Pausing };
  Sweep sweep_ = Sweep::No;
  bool sweep_again_ = false;                // rows were lost meanwhile
  int64_t swept_to_ = 0;                    // row id
  uint64_t swept_ = 0;                      // rows that were removed
  MonoMs sweep_at_ = 0;                     // end of a pause
  LogGate etag_gate_, bad_etag_gate_, expires_gate_, forbidden_gate_, auth_gate_, fatal_gate_, lost_gate_, bad_row_gate_, brief_gate_,
      nothing_gate_;
  LogGate transient_gate_{3, 60000};        // daily life of a server with many users
  mutable char call_id_[kCallIdSize + 1] = "", from_tag_[9] = "";  // of the record named last, see name_call
};

}  // namespace pua
