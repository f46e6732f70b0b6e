// What owners, notifier and network do, and how the model follows it. The checks are in watchers_checks.cpp.
#include "watchers.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "core/policy.h"

namespace sim {

using namespace pua;

static const EventInfo kPackages[] = {{1, "presence", "application/pidf+xml", "application/pidf+xml"},
                                      {2, "presence.winfo", "application/watcherinfo+xml", "application/watcherinfo+xml"}};

// Whether this status to an initial request ends the subscription (core/policy.h). To a refresh it costs the dialog only.
static bool fatal(int status) {
  return status == 400 || status == 405 || status == 406 || status == 413 || status == 415 || status == 420 || status == 489;
}

Watchers::Watchers(Stage& stage) : stage_(stage) {
  stage_.settings_.contact = "sip:us@192.0.2.1";
  for (int i = 0; i < kKeys; i++) {
    Owner o;
    std::string n = std::to_string(i);
    o.uri = "sip:w" + n + "@n" + std::to_string(i % 2) + ".example.com";
    o.watcher = "sip:me" + n + "@example.org";
    o.event = i < 2 ? 1 : 2;
    if (i == 1) o.event_id = "e1", o.contact = "sip:other@192.0.2.2";
    o.target = i == 3 ? "sip:edge@n0.example.com" : o.uri;
    owners_.push_back(o);
  }
}

const EventInfo* Watchers::by_flag(int32_t flag) const { return flag == 1 || flag == 2 ? &kPackages[flag - 1] : nullptr; }

const EventInfo* Watchers::by_name(std::string_view name) const {
  for (const EventInfo& e : kPackages)
    if (e.name == name) return &e;
  return nullptr;
}

// Documents are "p 7" (state 7), "full 2 7" and "part 3 8" (version, state).
Result<DocumentState> Watchers::inspect(std::string_view content_type, std::string_view body) const {
  DocumentState d;
  if (body == "broken") return Error{Errc::bad_body, "broken"};
  if (content_type == kPackages[0].content_type) return d;
  d.kind = body.starts_with("full") ? DocumentState::Kind::Full : DocumentState::Kind::Partial;
  std::from_chars(body.data() + 5, body.data() + body.size(), d.version);
  return d;
}

static int state_in(std::string_view body) { return atoi(std::string(body.substr(body.rfind(' ') + 1)).c_str()); }

// --- owners ----------------------------------------------------------------------------------------------------------

void Watchers::request(int key) {
  Owner& o = owner(key);
  Random& random = stage_.random_;
  static constexpr int64_t lifetimes[] = {-1, -1, -1, 30, 90, 400, 5000};
  SubscribeRequest q;
  q.source = 64;
  q.event = o.event;
  q.pres_uri = o.uri;
  q.watcher_uri = o.watcher;
  q.contact = o.contact;
  q.event_id = o.event_id;
  if (o.target != o.uri) q.remote_target = o.target;
  q.expires = random.below(10) < 3 ? 0 : lifetimes[random.below(7)];
  q.keep_existing = q.expires && random.below(8) == 0;
  q.type = static_cast<RequestType>(random.below(3));
  bool removal = q.expires == 0, loading = stage_.engine_->loading();
  MonoMs end = q.expires > 0 ? stage_.now_ + q.expires * 1000 : kNever;
  bool stays = q.keep_existing && o.sure && o.wanted && o.wanted_end > stage_.now_ && !loading;   // the request changes nothing
  size_t index = calls_.size();
  calls_.push_back({key, ++seq_, removal, q.keep_existing, end, 0});
  Status s = stage_.engine_->subscribe(q, [this, index](const Outcome& out) { completed(index, out); }, stage_.now_);
  stage_.say("request w%d seq %d %s%s expires %lld: %s", key, seq_, removal ? "unsubscribe" : "subscribe",
             q.keep_existing ? " keep" : "", static_cast<long long>(q.expires), s ? "ok" : s.error().message.c_str());
  if (calls_[index].completed) fail(o, "completed inside the call");
  if (!s) {
    calls_[index].completed = 1;
    return;
  }
  if (stays) return;
  if (removal || !o.sure || o.wanted_end <= stage_.now_) o.hold_until = 0;   // Retry-After was about the subscription before
  o.pause_until = 0;
  o.last_seq = seq_;
  (removal ? o.removal_seq : o.subscribe_seq) = seq_;
  if (q.keep_existing && (loading || !o.sure)) {   // the model does not know whether it exists, and so which lifetime counts
    o.sure = false;
    o.ended_seq = seq_;
    o.wanted = true;
    return;
  }
  o.sure = true;
  o.wanted = !removal;
  o.wanted_end = end;
}

void Watchers::completed(size_t index, const Outcome& out) {
  Call& c = calls_[index];
  Owner& o = owner(c.key);
  stage_.say("  completed w%d seq %d: %d %.*s durable=%d superseded=%d", c.key, c.seq, out.status,
             static_cast<int>(out.reason.size()), out.reason.data(), out.durable, out.superseded);
  if (++c.completed > 1) fail(o, "request " + std::to_string(c.seq) + " completed twice");
  if (c.seq == o.refused_seq && !out.superseded && out.status / 100 == 2)
    fail(o, "told that all is well though it was ended for good");
  if (!out.durable || out.superseded || c.keep || c.seq <= o.durable_seq) return;
  o.durable_seq = c.seq;
  o.durable_end = c.end;
  bool may_have_ended = out.status == 603 || (out.origin == ReplyOrigin::Wire && fatal(out.status));
  o.durable = c.removal ? Durable::No : may_have_ended ? Durable::Unknown : Durable::Yes;
}

// --- requests and their answers --------------------------------------------------------------------------------------

int Watchers::key_of(const SipRequest& q) { return atoi(std::string(q.from.substr(6)).c_str()); }

Answer Watchers::send(const SipRequest& q, int key) {
  Owner& o = owner(key);
  check_request(q, o);
  o.out = true;
  o.out_initial = q.to_tag.empty();
  o.out_expires = q.expires;
  o.out_answers = o.out_seq != o.last_seq;
  o.out_seq = o.last_seq;
  o.gap_at = kNever;
  o.restored = false;
  if (auto at = dialogs_.find(std::string(q.call_id)); at != dialogs_.end()) at->second.asked = at->second.missed;
  return notifier_.handle(q, key);
}

void Watchers::replied(int key, const Answer& a) {
  Owner& o = owner(key);
  auto at = dialogs_.find(o.call);
  bool stands = at != dialogs_.end() && !at->second.ended;
  if (a.origin == ReplyOrigin::Wire && o.out_expires) {
    if (a.status / 100 == 2) {
      if (o.out_initial && at == dialogs_.end() && !a.to_tag.empty()) {
        tell(o.call, dialogs_[o.call] = {a.to_tag, a.contact, a.route_set});
      } else if (!o.out_initial && stands) {
        at->second.target = a.contact;
        tell(o.call, at->second);
      }
    } else if (o.out_initial && fatal(a.status) && !stands) {
      ended(o);
    } else if (!(o.out_initial && stands) && a.status != 423 && o.ended_seq != o.out_seq) {
      hold(o, a.retry_after);   // not of a 423, which is answered at once with a longer Expires
    }
  }
  o.out = false;
}

void Watchers::hold(Owner& o, int64_t retry_after) {
  if (o.wanted && retry_after > 0) o.hold_until = stage_.now_ + std::min(retry_after, kMaxRetryAfter) * 1000;
}

// The subscription was ended by the notifier. A request of its owner that came while a SUBSCRIBE was out takes effect all the
// same.
void Watchers::ended(Owner& o) {
  o.ended_seq = o.out ? o.out_seq : o.last_seq;
  if (o.out && o.out_expires && o.out_answers) o.refused_seq = o.out_seq;
  if (o.ended_seq == o.last_seq) o.wanted = false;
  o.hold_until = 0;
}

void Watchers::tell(const std::string& call, const Dialog& d) {
  auto& told = told_[call + " " + d.remote_tag];
  told.insert(d.target);
  told.insert("route " + d.route_set);
}

// --- NOTIFYs ---------------------------------------------------------------------------------------------------------

void Watchers::run() {
  Packet p = notifier_.take();
  if (p.timeout) {
    stage_.say("NOTIFY w%d cseq %u got no answer", p.key, p.cseq);
    notifier_.answered(p, {});
  } else {
    deliver(p);
  }
}

// What of a subscription must not change when a NOTIFY is refused.
struct Watchers::Before {
  explicit Before(const SubscriptionRecord* s) {
    if (!s) return;
    there = true;
    m = *s->m;
    for (size_t f = 0; f < SubscriptionRecord::kFields; f++) text[f] = s->text.get(static_cast<SubscriptionRecord::Field>(f));
    version = s->version, cseq = s->cseq, remote_cseq = s->remote_cseq, doc_version = s->doc_version, notifies = s->notifies;
    has_doc = s->has_doc;
  }
  // The deadline alone may be different after it: the next request may leave sooner.
  bool same(const Before& after) const {
    const Before& o = after;
    bool kept = there == o.there && text == o.text && cseq == o.cseq && remote_cseq == o.remote_cseq &&
                doc_version == o.doc_version && notifies == o.notifies && has_doc == o.has_doc &&
                m.wanted == o.m.wanted && m.dialog == o.m.dialog &&
                m.notified == o.m.notified && m.attempts == o.m.attempts && m.wanted_end == o.m.wanted_end &&
                m.grant_end == o.m.grant_end && m.hold_until == o.m.hold_until;
    return kept && version == o.version && m.state == o.m.state && m.op == o.m.op && m.deadline >= o.m.deadline;
  }
  bool there = false, has_doc = false;
  sub::Subscription m;
  std::array<std::string, SubscriptionRecord::kFields> text;
  uint32_t version = 0, cseq = 0, remote_cseq = 0, doc_version = 0, notifies = 0;
};

void Watchers::deliver(const Packet& p) {
  Owner& o = owner(p.key);
  const SubscriptionRecord* s = find(o);
  if (p.bogus && s && s->m->dialog == sub::Dialog::Early) return;   // it would rightly be taken, as another branch of a fork
  Before before(s);
  bool ours = s && s->call_id() == p.call_id && s->text.get(SubscriptionRecord::kLocalTag) == p.local_tag && !p.bogus &&
              s->m->state != sub::State::Idle && s->m->state != sub::State::Gone;
  bool in_dialog = ours && s->m->dialog == sub::Dialog::Confirmed && s->remote_tag() == p.remote_tag &&
                   s->remote_cseq <= p.cseq;
  bool must_take = in_dialog || (ours && s->m->dialog == sub::Dialog::Early);
  NotifyAnswer a = stage_.engine_->on_notify(p.request(), stage_.now_);
  stage_.say("NOTIFY w%d call %.8s tag %s cseq %u %s;%s expires %lld '%s'%s -> %d %s", p.key, p.call_id.c_str(),
             p.remote_tag.c_str(), p.cseq, p.state.c_str(), p.reason.c_str(), static_cast<long long>(p.expires),
             p.body.c_str(), p.bogus ? " bogus" : "", a.status, a.reason.c_str());
  if (a.status == 200) {
    if (p.bogus) fail(o, "a forged NOTIFY was taken");
    else taken(p);
  } else {
    if (must_take) fail(o, "a NOTIFY of the dialog was refused: " + std::to_string(a.status) + " " + a.reason);
    if (!before.same(Before(find(o)))) fail(o, "a refused NOTIFY changed something");
    if (p.call_id == o.call) o.refused++;
  }
  notifier_.answered(p, a);
}

void Watchers::taken(const Packet& p) {
  Owner& o = owner(p.key);
  if (o.call != p.call_id) return fail(o, "a NOTIFY of another dialog was taken");
  auto [at, made] = dialogs_.try_emplace(p.call_id, Dialog{p.remote_tag, p.contact, p.route_set});
  Dialog& d = at->second;
  if (d.ended) fail(o, "a NOTIFY was taken in a dialog that had ended");
  if (d.remote_tag != p.remote_tag) fail(o, "a NOTIFY of another branch was taken");
  if (!made && p.cseq < d.cseq) fail(o, "a NOTIFY with an old CSeq was taken");
  if (d.cseq == p.cseq) {   // a repetition, which the engine may count as refused
    o.refused++;
    return;
  }
  o.refused = 0;
  d.cseq = p.cseq;
  d.target = p.contact;
  tell(p.call_id, d);
  bool stale = false;
  if (p.version) {
    bool gap = p.partial && (!d.has_doc || p.version > d.version + 1);
    stale = p.partial && d.has_doc && p.version <= d.version;
    if (!stale) d.version = p.version, d.has_doc = !gap;
    if (gap && o.wanted && o.gap_at == kNever) o.gap_at = stage_.now_;
    if (gap && d.asked) d.gaps = std::min(d.gaps + 1, 6);
    if (gap) d.missed = true, d.asked = false;
    if (!p.partial) o.gap_at = kNever, d.missed = d.asked = false, d.gaps = 0;
  }
  if (!stale) expected_.push_back({p.key, p.state, p.body});
  if (p.state != "terminated") return;
  d.ended = true;
  bool for_good = p.reason == "rejected" || p.reason == "noresource" || p.reason == "invariant";
  // A notifier that counts in whole seconds may end the subscription up to one second early.
  bool ran_out = (p.reason.empty() || p.reason == "timeout") && o.wanted && o.wanted_end <= stage_.now_ + 1000;
  bool at_once = p.reason == "deactivated" || p.reason == "timeout";   // retry-after does not count (RFC 6665 section 4.1.3)
  if (for_good || (ran_out && !o.out)) ended(o);
  else if (!at_once && (!o.out || o.out_expires)) hold(o, p.retry_after);
  // After these a pause is due: no less than the shortest back-off with its jitter, which is 1.5 s.
  if ((p.reason == "probation" || p.reason == "giveup") && o.wanted && !o.out) o.pause_until = stage_.now_ + 1400;
}

void Watchers::handled(const NotifyView& v) {
  int key = atoi(std::string(v.record.watcher_uri.substr(6)).c_str());
  Owner& o = owner(key);
  if (expected_.empty()) return fail(o, "a handler ran for a NOTIFY that nobody took");
  Expected e = std::move(expected_.front());
  expected_.pop_front();
  if (e.key != key || e.state != v.state || e.body != v.body)
    return fail(o, "a handler was told something else: " + std::string(v.body));
  if (v.gap) o.seen = -1;
  else if (!v.body.empty()) o.seen = state_in(v.body);
}

// --- what else happens -----------------------------------------------------------------------------------------------

void Watchers::change_moods() {
  NotifierMood& m = notifier_.mood;
  Random& random = stage_.random_;
  m = NotifierMood{};
  auto some = [&](int p) { return random.below(3) == 0 ? p : 0; };
  switch (random.below(6)) {
    case 0: break;
    case 1:
      m.lose_request = some(40), m.lose_reply = some(40), m.transport = some(30), m.slow = some(50);
      break;
    case 2:
      m.transient = some(40), m.forbidden = some(20), m.auth = some(10), m.fatal = some(15), m.too_brief = some(30);
      m.dialog_ends = some(20), m.digest = some(50), m.lose_reply = some(10), m.retry_after = 50;
      break;
    case 3:
      m.forget = some(30), m.no_tag = some(20), m.no_expires = some(20), m.zero_grant = some(10), m.boast = some(30);
      m.fork = some(50);
      m.moved = some(30), m.lose_reply = some(10), m.slow = some(30), m.too_brief = some(20);
      break;
    case 4:
      m.silent = some(50), m.lose_notify = some(40), m.lose_answer = some(30), m.repeat = some(40), m.late = some(40);
      m.keeps = some(100), m.skip_version = some(30), m.slow = some(20);
      break;
    case 5:
      m.pending = 50, m.no_state_expires = some(50), m.slow = some(70), m.late = some(70), m.fork = some(20);
      m.too_brief = some(20);
      break;
  }
  if (random.below(12) == 0) m.lose_request = 100;   // the notifier does not answer at all
  static constexpr uint32_t grants[] = {3600, 3600, 600, 60, 7200};
  m.max_grant = grants[random.below(5)];
}

void Watchers::heal() {
  NotifierMood& m = notifier_.mood = NotifierMood{};
  m.max_grant = 1200;
  if (stage_.random_.below(2)) m.no_expires = 100;   // only its NOTIFYs say how much it grants,
  else m.no_state_expires = 100;                     // ... or only its answers do
}

// A host has received a request with a new Contact on its own socket.
void Watchers::update_contact() {
  const ServerDialog* d = notifier_.some_dialog();
  if (!d) return;
  Owner& o = owner(d->key);
  const SubscriptionRecord* s = find(o);
  bool ours = s && s->m->dialog == sub::Dialog::Confirmed && s->call_id() == d->call_id && s->remote_tag() == d->remote_tag;
  DialogQuery q;
  q.call_id = d->call_id, q.local_tag = d->local_tag, q.remote_tag = d->remote_tag;
  Status done = stage_.engine_->update_contact(q, d->contact, stage_.now_);
  stage_.say("update_contact w%d %s: %s", d->key, d->contact.c_str(), done ? "ok" : done.error().message.c_str());
  if (done.ok() != ours) fail(o, "update_contact and the dialog disagree");
  auto at = dialogs_.find(d->call_id);
  if (!done || at == dialogs_.end()) return;
  at->second.target = d->contact;
  tell(d->call_id, at->second);
}

void Watchers::random_input() {
  uint64_t what = stage_.random_.below(100);
  int key = static_cast<int>(stage_.random_.below(kKeys));
  if (what < 50) {
    request(key);
  } else if (what < 72) {
    stage_.say("change w%d", key);
    notifier_.change(key);
  } else if (what < 80) {
    notifier_.terminate_one();
  } else if (what < 84) {
    notifier_.move_one();
  } else if (what < 86) {
    update_contact();
  } else if (what < 92) {
    notifier_.send_bogus();
  } else if (what < 94) {
    stage_.say("notifier restart");
    notifier_.restart();
  } else {
    stage_.say("notifier mood");
    change_moods();
  }
}

void Watchers::booted() {
  loaded_at_ = kNever;
  stage_.engine_->observe_notifies(64, [this](const NotifyView& v) { handled(v); });
}

}  // namespace sim
