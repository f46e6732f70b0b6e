// The half of a world that subscribes: owners who ask, the notifier that they watch, a model of both sides, and the checks.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "notifier.h"
#include "sim_disk.h"
#include "stage.h"

namespace sim {

using pua::StoredRow;

class Watchers {
 public:
  static constexpr int kKeys = Notifier::kResources;
  explicit Watchers(Stage&);

  void request(int key);        // an owner asks for something
  void random_input();          // an owner, the notifier, or the network does something
  void heal();
  const pua::EventInfo* by_flag(int32_t flag) const;
  const pua::EventInfo* by_name(std::string_view) const;
  bool accepts(int32_t event, std::string_view content_type) const { return by_flag(event)->accept == content_type; }
  pua::Result<pua::DocumentState> inspect(std::string_view content_type, std::string_view body) const;

  // A SUBSCRIBE has left: checks it, and gives its answer. key_of(): the number of the owner whose request it is.
  static int key_of(const pua::SipRequest&);
  Answer send(const pua::SipRequest&, int key);
  void replied(int key, const Answer&);          // the answer is about to be given to the engine
  MonoMs next_due() const { return notifier_.next_due(); }
  void run();                                    // delivers one NOTIFY that is due

  void booted();
  // The process was killed; the next one knows what the disk holds.
  void killed(std::span<const StoredRow>);
  void check_queued();
  void check(const SimDisk&);
  void check_healed(std::span<const StoredRow>);
  void check_gaps();                             // to be called when nothing has failed for some minutes,
  void calm();                                   // ... for longer than any grant,
  void check_quiet();                            // ... and for two hours more
  void check_completed(const char* when);
  void want_nothing();                           // all subscriptions are to be removed
  void check_removed();

 private:
  enum class Durable { Unknown, Yes, No };
  struct Owner {                                 // what the model knows of one wanted subscription
    std::string uri, watcher, contact, event_id, target;
    int32_t event = 1;
    bool wanted = false;
    bool sure = true;                            // false: the model does not know whether it is wanted still
    MonoMs wanted_end = pua::kNever;
    int last_seq = 0, subscribe_seq = 0, removal_seq = 0;   // newest accepted request; of each kind
    int ended_seq = 0;                           // newest request that was ended by the notifier
    int refused_seq = 0;                         // newest request that was out when its subscription was ended for good
    int durable_seq = 0;                         // newest request that was reported durable, and what it asked for
    Durable durable = Durable::Unknown;
    MonoMs durable_end = pua::kNever;
    // The subscriber's side:
    std::string call;                            // of the dialog that it is making or has
    bool out = false;                            // a SUBSCRIBE is out; the next fields describe it
    bool out_initial = false;
    int64_t out_expires = 0;
    int out_seq = 0;                             // newest request of the owner when it left
    bool out_answers = false;                    // its answer is the outcome of that request
    MonoMs hold_until = 0;                       // the notifier asked for quiet until then
    MonoMs pause_until = 0;                      // after probation and giveup no request leaves before, unless an owner asks
    int refused = 0;                             // refused NOTIFYs of its dialog, in a row
    bool restored = false;                       // its dialog is of the last run, and was not refreshed in this one yet
    MonoMs gap_at = pua::kNever;                 // since when changes are missing and full state was not asked for; kNever: no
    int seen = -1;                               // the state that the handler was told last, -1: it had a gap
  };
  struct Call { int key = 0, seq = 0; bool removal = false, keep = false; MonoMs end = pua::kNever; int completed = 0; };
  struct Dialog {                                // a dialog as the subscriber must know it
    std::string remote_tag, target, route_set;
    bool ended = false;
    int64_t cseq = -1;                           // of the last NOTIFY taken in this run
    bool has_doc = false;
    uint32_t version = 0;
    bool missed = false, asked = false;          // changes are missing; a request has left since
    int gaps = 0;                                // how often in a row a gap came again after a request for full state
  };
  struct Expected { int key; std::string state, body; };
  struct Before;                                 // a subscription as it was before a NOTIFY

  pua::SubscriptionKey key(const Owner& o) const { return {64, o.event, o.uri, {}, o.watcher, {}}; }
  Owner& owner(int key) { return owners_[static_cast<size_t>(key)]; }
  const pua::SubscriptionRecord* find(const Owner& o) const { return stage_.engine_->find_subscription(key(o)); }
  void completed(size_t call, const pua::Outcome&);
  void ended(Owner&);
  void hold(Owner&, int64_t retry_after);
  void tell(const std::string& call, const Dialog&);
  void change_moods();
  void update_contact();
  void deliver(const Packet&);
  void taken(const Packet&);
  void handled(const pua::NotifyView&);
  void check_request(const pua::SipRequest&, Owner&);
  void check_row(const Owner&, const pua::SubscriptionRecord&, const pua::Row*);
  void fail(const Owner& o, const std::string& what) { stage_.fail(o.uri + ": " + what); }

  Stage& stage_;
  Notifier notifier_{stage_};
  std::vector<Owner> owners_;
  std::vector<Call> calls_;
  std::map<std::string, Dialog> dialogs_;        // by Call-ID
  std::map<std::string, std::set<std::string>> told_;   // by Call-ID and remote tag: all targets and route sets that were named
  std::set<std::string> left_;                   // Call-IDs of dialogs that were given up
  std::deque<Expected> expected_;                // NOTIFYs taken whose handlers have not run yet
  MonoMs loaded_at_ = pua::kNever;
  int seq_ = 0;
  pua::Stats calm_;                              // counters at calm()
};

}  // namespace sim
