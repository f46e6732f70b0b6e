// What must hold of subscriptions: always, after a kill, and after everything was healed.
#include "core/policy.h"
#include "watchers.h"

namespace sim {

using namespace pua;

void Watchers::check_request(const SipRequest& q, Owner& o) {
  MonoMs now = stage_.now_;
  std::string call(q.call_id);
  stage_.say("SUBSCRIBE %s uri %.*s call %.8s to-tag '%.*s' cseq %u expires %lld", o.uri.c_str(),
             static_cast<int>(q.uri.size()), q.uri.data(), call.c_str(), static_cast<int>(q.to_tag.size()), q.to_tag.data(),
             q.cseq, static_cast<long long>(q.expires));
  if (o.out) fail(o, "two requests in flight");
  if (q.from != o.watcher || q.to != o.uri) fail(o, "From or To is wrong");
  std::string event(by_flag(o.event)->name);
  if (q.event != (o.event_id.empty() ? event : event + ";id=" + o.event_id)) fail(o, "Event is wrong");
  if (q.contact != (o.contact.empty() ? stage_.settings_.contact : o.contact)) fail(o, "Contact is wrong");
  if (q.accept != by_flag(o.event)->accept) fail(o, "Accept is wrong");
  if (call.empty() || q.from_tag.empty() || q.cseq == 0) fail(o, "a request without Call-ID, From tag or CSeq");
  if (call != o.call) {
    if (left_.count(call)) fail(o, "a dialog that was given up is back");
    if (!o.call.empty()) left_.insert(o.call);
    o.call = call;
    o.refused = 0;
    if (q.cseq != 1) fail(o, "a new Call-ID begins with CSeq " + std::to_string(q.cseq));
  }
  auto at = dialogs_.find(call);
  bool stands = at != dialogs_.end() && !at->second.ended;
  if (q.to_tag.empty()) {
    if (stands) fail(o, "an initial request though there is a dialog");
    if (q.uri != o.target || !q.route_set.empty()) fail(o, "an initial request went to " + std::string(q.uri));
    dialogs_.erase(call);
  } else if (!stands) {
    fail(o, "a request in a dialog that does not exist");
  } else {
    const Dialog& d = at->second;
    if (q.to_tag != d.remote_tag) fail(o, "To tag " + std::string(q.to_tag) + ", the dialog has " + d.remote_tag);
    if (q.uri != d.target) fail(o, "remote target " + std::string(q.uri) + ", the dialog has " + d.target);
    if (q.route_set != d.route_set) fail(o, "route set " + std::string(q.route_set) + ", the dialog has " + d.route_set);
  }
  if (!o.sure || stage_.engine_->loading()) return;
  if (q.expires > 0 && now < o.pause_until) fail(o, "tried again at once though it was put on probation");
  if (q.expires > 0 && now < o.hold_until) fail(o, "a request before the time that the notifier named");
  if (q.expires > 0 && !(o.wanted && o.wanted_end > now - 1000)) fail(o, "a SUBSCRIBE for a subscription that nobody wants");
  // A wanted subscription is ended only where it is deaf, so that a new dialog can be made.
  if (q.expires == 0 && o.wanted && o.wanted_end > now && o.refused == 0) fail(o, "a request to end a wanted subscription");
}

// Where nothing waits to be written, the row must be as the subscription is.
void Watchers::check_row(const Owner& o, const SubscriptionRecord& s, const Row* row) {
  if (!row) return fail(o, "it has no row, though nothing waits to be written");
  bool there = s.m->dialog == sub::Dialog::Confirmed;
  if (there) {
    if (row->call_id != s.call_id() || row->from_tag != s.text.get(SubscriptionRecord::kLocalTag) ||
        row->to_tag != s.remote_tag())
      fail(o, "its row has another dialog");
  } else if (!row->to_tag.empty() && s.m->state != sub::State::Sending &&
             row->expires * 1000 - Stage::kEpochOffset > stage_.now_) {
    fail(o, "its row has a dialog that has ended");   // but if it ended while a request is out, the row waits for the reply
  }
  if (there && row->remote_contact != s.text.get(SubscriptionRecord::kRemote)) fail(o, "its row has another remote target");
  if (there && row->record_route != s.text.get(SubscriptionRecord::kRouteSet)) fail(o, "its row has another route set");
  bool wanted = s.m->wanted == sub::Wanted::Something;
  if ((row->desired_expires != 1) != wanted) fail(o, "its row wants something else");
  if (wanted && (row->desired_expires == 0) != (s.m->wanted_end == kNever)) fail(o, "its row has another wanted end");
}

void Watchers::check_queued() {
  for (Owner& o : owners_) {
    const SubscriptionRecord* s = find(o);
    if (s && s->m->state == sub::State::Queued && !static_cast<const QueueHook&>(*s).linked())
      fail(o, "is queued, but stands in no queue");
  }
}

void Watchers::check(const SimDisk& disk) {
  if (stage_.engine_->loading()) return;
  loaded_at_ = std::min(loaded_at_, stage_.now_);
  for (const Owner& o : owners_) {
    const SubscriptionRecord* s = find(o);
    bool gone = !s || s->m->state == sub::State::Gone;
    bool removal_waits = s && s->extra && s->extra->waiting && s->extra->waiting->removal;
    if (o.sure && o.wanted && o.wanted_end > stage_.now_ && gone) fail(o, "is wanted and gone");
    if (o.sure && !o.wanted && !gone && s->m->wanted == sub::Wanted::Something && !removal_waits)
      fail(o, "is not wanted and goes on");
    if (s && s->m->state == sub::State::Live) {   // its deadline says when it will be refreshed
      auto dialog = dialogs_.find(std::string(s->call_id()));
      // A notifier that sends no full state is asked for it less and less often.
      MonoMs soon = 5000 << (dialog == dialogs_.end() ? 0 : dialog->second.gaps);
      if (o.gap_at != kNever && s->m->deadline > std::max(o.gap_at, s->m->sent_at) + soon)
        fail(o, "a document was missed, and full state is not asked for soon");
      if (o.restored && s->m->deadline > loaded_at_ + kLoadSpread) fail(o, "restored, and its state is not asked for soon");
    }
    bool written = s && s->version && s->written_version == s->version && s->queue == StoreHook::Queue::None;
    if (written && s->m->state != sub::State::Idle && !sub::row_over(*s->m))
      check_row(o, *s, disk.find(s->id));
  }
}

// Compares the disk with what was reported durable. From then on the model goes by what the disk holds.
void Watchers::killed(std::span<const StoredRow> all) {
  MonoMs now = stage_.now_;
  for (Call& c : calls_) c.completed = 1;   // the callers died with the process, so that no completion is expected any more
  expected_.clear();
  dialogs_.clear();
  for (Owner& o : owners_) {
    const Row* row = nullptr;
    for (auto& r : all)
      if (r.row().pres_uri == o.uri) row = &r.row();
    MonoMs end = !row || row->desired_expires == 0 ? kNever : row->desired_expires * 1000 - Stage::kEpochOffset;
    bool alive = row && row->desired_expires != 1 && end > now + 1000;
    bool may_be_gone = o.removal_seq > o.durable_seq || o.ended_seq >= o.durable_seq || o.durable_end <= now + 1000;
    for (const Call& c : calls_) may_be_gone |= &owner(c.key) == &o && c.seq >= o.durable_seq && c.end <= now + 1000;
    if (o.durable == Durable::Yes && !alive && !may_be_gone)
      fail(o, "lost, though request " + std::to_string(o.durable_seq) + " was durable");
    if (o.durable == Durable::No && alive && o.subscribe_seq <= o.durable_seq) fail(o, "is back after its durable end");
    o.durable = alive ? Durable::Yes : Durable::No;
    o.durable_seq = o.last_seq;
    o.durable_end = end;
    o.ended_seq = -1;
    o.sure = true;
    o.wanted = row && row->desired_expires != 1;
    o.wanted_end = end;
    o.out = false;
    o.gap_at = kNever;
    o.hold_until = o.pause_until = 0;
    o.restored = false;
    if (!o.call.empty()) left_.insert(o.call);
    o.call.clear();
    o.refused = 0;
    stage_.say("           restored %s: %s", o.uri.c_str(), alive ? "alive" : row ? "leaving" : "nothing");
    if (!row) continue;
    o.call = row->call_id;
    stage_.say("             call %.8s to-tag '%s' cseq %u intent %d", o.call.c_str(), std::string(row->to_tag).c_str(),
               row->cseq, row->intent);
    left_.erase(o.call);
    if (row->to_tag.empty()) continue;
    Dialog d{std::string(row->to_tag), std::string(row->remote_contact), std::string(row->record_route)};
    const auto& told = told_[o.call + " " + d.remote_tag];
    if (!told.count(d.target)) fail(o, "its row has a remote target that nobody named: " + d.target);
    if (!told.count("route " + d.route_set)) fail(o, "its row has a route set that nobody named: " + d.route_set);
    dialogs_.emplace(o.call, d);
    o.restored = true;
  }
}

void Watchers::calm() { calm_ = stage_.engine_->stats(); }

void Watchers::check_gaps() {
  for (const Owner& o : owners_)
    if (o.sure && o.wanted && o.wanted_end > stage_.now_ && o.gap_at != kNever)
      fail(o, "a document was missed, and full state was not asked for");
}

// For two hours no owner asked for anything and nothing failed: dialogs must have been refreshed in time, and not more often.
void Watchers::check_quiet() {
  Stats s = stage_.engine_->stats();
  if (s.dialogs_lost != calm_.dialogs_lost) stage_.fail("a dialog was lost though nothing failed");
  if (s.notifies_missing != calm_.notifies_missing) stage_.fail("a NOTIFY was missed though nothing failed");
  if (s.subscribes_initial > calm_.subscribes_initial + kKeys) stage_.fail("new dialogs though nothing failed");
  int64_t refreshes = s.subscribes_refresh - calm_.subscribes_refresh;
  if (refreshes > 10 * kKeys) stage_.fail("refreshed " + std::to_string(refreshes) + " times in two hours");
}

void Watchers::check_healed(std::span<const StoredRow> all) {
  notifier_.expire();
  size_t expected_rows = 0;
  for (const Owner& o : owners_) {
    int key = static_cast<int>(&o - owners_.data());
    const SubscriptionRecord* s = find(o);
    bool wanted = o.sure ? o.wanted && o.wanted_end > stage_.now_ : s != nullptr;
    if (wanted && !s) fail(o, "is wanted, and there is no record of it");
    if (!wanted && s)
      fail(o, std::string("is not wanted, and there still is a record, in state ") + sub::state_name(s->m->state));
    if (s && s->m->state != sub::State::Live) fail(o, std::string("is not live but ") + sub::state_name(s->m->state));
    int there = 0;
    for (const ServerDialog& d : notifier_.dialogs()) {
      if (d.key != key) continue;
      there++;
      if (!s || s->call_id() != d.call_id || s->remote_tag() != d.remote_tag)
        fail(o, "the notifier holds a dialog which is not ours");
    }
    if (there != (s ? 1 : 0)) fail(o, "the notifier holds " + std::to_string(there) + " dialogs");
    if (!s) continue;
    expected_rows++;
    bool stored = false;
    for (auto& r : all) stored |= r.row().id == s->id && r.row().pres_uri == o.uri && r.row().to_tag == s->remote_tag();
    if (!stored) fail(o, "its row is not as the subscription is");
    int state = notifier_.state_of(key);
    if (o.seen != state)
      fail(o, "its handler knows state " + std::to_string(o.seen) + ", the notifier has " + std::to_string(state));
  }
  size_t rows = 0;
  for (auto& r : all) rows += !r.row().watcher_uri.empty();
  if (rows != expected_rows)
    stage_.fail("rows left over: " + std::to_string(rows) + " for " + std::to_string(expected_rows) + " subscriptions");
  if (!expected_.empty()) fail(owner(expected_.front().key), "a NOTIFY was taken and its handler never told");
  check_completed("");
}

void Watchers::check_completed(const char* when) {
  for (const Call& c : calls_)
    if (c.completed != 1)
      fail(owner(c.key), "request " + std::to_string(c.seq) + " completed " + std::to_string(c.completed) + " times" + when);
}

void Watchers::want_nothing() {
  for (Owner& o : owners_) o.wanted = false, o.last_seq++;
}

void Watchers::check_removed() {
  for (const Owner& o : owners_)
    if (find(o)) fail(o, "there still is a record though all were to be removed");
  if (!notifier_.dialogs().empty()) stage_.fail("the notifier holds dialogs though all were to be removed");
}

}  // namespace sim
