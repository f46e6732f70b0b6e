// Subscriptions: the engine's half for RFC 6665. Table, requests, one step of a machine and what its effects mean, NOTIFYs,
// rows. What it shares with publications (queue, deadlines, commits, observers) is EngineCommon; Engine dispatches to it.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/engine_common.h"
#include "core/notifications.h"
#include "core/notify_port.h"
#include "core/subscription_record.h"
#include "core/table.h"
#include "core/unsolicited.h"

namespace pua {

class Subscriptions {
 public:
  Subscriptions(EngineCommon& common, HashKey key);

  // --- owners; contracts: core/engine.h
  Status subscribe(const SubscribeRequest&, PublishDone done, MonoMs now);
  Status update_contact(const DialogQuery&, std::string_view contact, MonoMs now);
  DialogFound find_dialog(const DialogQuery&, std::string* id) const;
  void of_id(std::string_view prefix, const std::function<void(const RecordView&)>&, MonoMs now) const;
  int observe(int32_t source_mask, NotifyObserver fn);
  void observe_unsolicited(int32_t event_mask, UnsolicitedObserver fn) { unsolicited_.observe(event_mask, std::move(fn)); }
  void forget(int handle);

  // --- the other side
  NotifyAnswer on_notify(const NotifyRequest&, MonoMs now);
  void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs now);
  bool expects(std::string_view call_id) const;

  // --- Engine, on behalf of what is shared
  void due(Subscription&, MonoMs now);
  void send(Subscription&, TxnId, MonoMs now);
  // Whether the reply says that the destination answers is the caller's business.
  void on_reply(Subscription&, const SipReply&, MonoMs now);
  void unreachable(Subscription&, const char* why, MonoMs now);   // its destination is held back: its owner is told
  std::string_view destination(const Subscription&) const;        // valid until the next question of the kind
  RowOp row_of(const Subscription&, Row& out) const;
  void on_stored(Subscription&, uint32_t version, bool ok, MonoMs now);
  void load_row(const Row&, MonoMs now);
  bool stands(const Row&, MonoMs now);                // the table holds this row by right; engine_sweep.cpp
  void not_in_table(const Row& key, MonoMs now);    // while it is being loaded: a request need not wait for the end of that
  // A bounded piece of what is left to do: those that waited for the load, NOTIFYs for their handlers.
  void run(MonoMs now);
  bool busy() const;                                // run() has something to do
  bool quiet() const;                               // no request waits or is out
  // Up to `limit` more are unsubscribed; true: all were looked at.
  bool remove_some(uint32_t limit, MonoMs now);
  // Writes the rows of up to `limit` more again, from `cursor` (0: the beginning); where to go on, 0: all were looked at.
  uint64_t rewrite_some(uint64_t cursor, uint32_t limit, MonoMs now);
  // Hands over the open callers of up to `limit` more; true: all were looked at.
  bool take_callers(uint32_t limit, std::deque<Delivery>& out);
  void reap();

  // --- looking in
  uint64_t list(const ListFilter&, uint64_t cursor, uint32_t limit, uint32_t scan, ListPage&,
                const std::function<void(const RecordView&)>&, MonoMs now) const;
  bool show(std::string_view pres_uri, int32_t event, int32_t source, const std::function<void(const RecordView&)>&,
            MonoMs now) const;
  void add_stats(Stats&) const;
  std::array<StateCount, sub::kStates> by_state() const;
  uint64_t looked_at() const { return table_.looked_at(); }
  size_t size() const { return table_.size(); }
  // Those but for the ones that wait for their row.
  size_t loaded() const { return table_.size() - static_cast<size_t>(by_state_[static_cast<int>(sub::State::Idle)]); }
  const Subscription* find(const SubscriptionKey& k) const { return table_.find(k, table_.hash_of(k)); }
  const std::array<std::array<uint64_t, sub::kInputs>, sub::kStates>& coverage() const { return coverage_; }

 private:
  struct Handler {
    int handle = 0;
    int32_t mask = 0;
    NotifyObserver fn;
  };

  // requests (subscriptions.cpp)
  Status check(const SubscribeRequest&) const;
  Subscription& create(const SubscribeRequest&, uint32_t hash);
  void take_over(Subscription&, const SubscribeRequest&, bool first, PublishDone, MonoMs now);
  void park(Subscription&, const SubscribeRequest&, PublishDone, MonoMs now);
  void start_waiting(Subscription&, MonoMs now);
  void leave_idle(Subscription&, MonoMs now);
  // one step (subscriptions_apply.cpp)
  void apply(Subscription&, sub::Event, const SipReply*, MonoMs now);
  void complete(Subscription&, const sub::Effects&, const SipReply*, bool by_timer, MonoMs now);
  void report(Subscription&, sub::Outcome, int status, MonoMs now);
  void renew_dialog(Subscription&);
  void unindex(Subscription&);
  void index(Subscription&);
  uint64_t dialog_hash(std::string_view call_id) const;
  void enqueue(Subscription&, MonoMs now);
  void mark(Subscription&, Lane, MonoMs now);
  void arm(Subscription&);
  void to_reap(Subscription&);
  std::string_view contact_of(const Subscription&) const;
  MonoMs timer_n() const { return 64 * static_cast<MonoMs>(c_.settings_.t1_ms); }
  void skip_cseqs(Subscription&);
  void tell(Subscription&, int status, const char* reason, MonoMs now);   // those who wait for the request under way
  void take_dialog(Subscription&, const SipReply&);
  void write(Subscription&, Write, MonoMs now);
  void count_reply(const Subscription&, const SipReply&, sub::Input, MonoMs now);
  // NOTIFYs (subscriptions_notify.cpp)
  Subscription* of_dialog(std::string_view call_id, std::string_view local_tag) const;
  Subscription* only_dialog(std::string_view call_id) const;
  std::string allow_events() const;
  NotifyAnswer refuse(int status, std::string reason, std::string headers = {});
  struct Document {
    DocumentState state;
    BadDocument bad = BadDocument::No;
    std::string text;        // why
  };
  // s: whose owner may have asked for more types than the event has; nullptr: nobody's.
  Document judge(const Subscription* s, const EventInfo&, const NotifyRequest&) const;
  NotifyAnswer take_unsolicited(const EventInfo&, const NotifyRequest&, MonoMs now);
  NotifyAnswer outside_of_dialogs(const EventInfo*, const char* bad_event, const NotifyRequest&, MonoMs now);
  NotifyAnswer refuse_known(Subscription&, const NotifyRequest&, int status, const char* reason, MonoMs now, std::string headers = {});
  void log_notify(LogGate&, const NotifyRequest&, std::string_view uri, int status, const std::string& what, MonoMs now);
  void count_refused(Subscription&, bool terminated, MonoMs now);
  NotifyAnswer take(Subscription&, const NotifyRequest&, const Document&, MonoMs now);
  void run_handlers();
  // rows (subscriptions_store.cpp)
  const char* unreadable(const Row&) const;
  void adopt(Subscription&, const Row&, bool asked, MonoMs now);
  void restore_cseq(Subscription&, const Row&, bool replay, MonoMs now);
  RecordView view(const Subscription&, MonoMs now) const;

  EngineCommon& c_;
  HashKey key_;
  KeptDocuments kept_;
  Table<Subscription> table_;
  std::multimap<uint64_t, Subscription*> dialogs_;       // by Call-ID; a tree never stalls to grow
  struct ById {
    using is_transparent = void;
    bool operator()(const Subscription* a, const Subscription* b) const { return std::pair(id(a), a) < std::pair(id(b), b); }
    bool operator()(const Subscription* a, std::string_view b) const { return id(a) < b; }
    bool operator()(std::string_view a, const Subscription* b) const { return a < id(b); }
    static std::string_view id(const Subscription* s) { return s->text.get(Subscription::kId); }
  };
  std::set<Subscription*, ById> ids_;  // those with an id, for get_subs_list
  List<Subscription, QueueHook> idle_;
  std::vector<Subscription*> reap_;
  std::deque<Handler> handlers_;
  Notifications notifications_;
  Unsolicited unsolicited_;
  std::array<std::array<uint64_t, sub::kInputs>, sub::kStates> coverage_{};
  std::array<int64_t, sub::kStates> by_state_{};
  uint64_t remove_cursor_ = 0, end_cursor_ = 0;
  int next_handle_ = 1;
  bool in_handlers_ = false;
  LogGate forbidden_gate_, auth_gate_, fatal_gate_, missing_gate_, no_dialog_gate_, ended_gate_, bad_row_gate_, deaf_gate_, brief_gate_,
      nothing_gate_;
  LogGate transient_gate_{3, 60000};        // daily life of a server with many users
  LogGate looping_gate_{3, 60000}, stands_gate_{3, 60000};
  LogGate refused_gate_{3, 60000}, bad_document_gate_{3, 60000};   // whoever sends NOTIFYs brings them about
};

}  // namespace pua
