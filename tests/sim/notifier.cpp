#include "notifier.h"

namespace sim {

using namespace pua;

static constexpr MonoMs kTimeout = 32000;      // 64 T1: after this time a transaction is given up, or forgotten

// --- SUBSCRIBE -------------------------------------------------------------------------------------------------------

// Checks that CSeq grows (RFC 3261 section 12.2.1.1); only a repetition of a request may have its number again. false: it is
// one.
bool Notifier::count(const SipRequest& q, uint32_t cseq, const std::string& branch) {
  auto& seen = requests_[std::string(q.call_id)];
  if (auto same = seen.find(cseq); same != seen.end()) {
    if (same->second != branch)
      stage_.fail("CSeq " + std::to_string(cseq) + " used twice with different content: " + std::string(q.call_id));
    return false;
  }
  if (!seen.empty() && seen.rbegin()->first > cseq)
    stage_.fail("CSeq went back to " + std::to_string(cseq) + ": " + std::string(q.call_id));
  seen.emplace(cseq, branch);
  return true;
}

Answer Notifier::handle(const SipRequest& q, int key) {
  MonoMs now = stage_.now_;
  std::string branch(q.branch);
  bool first = count(q, q.cseq, branch);
  Answer a;
  MonoMs at = now + 1 + static_cast<MonoMs>(stage_.random_.below(stage_.chance(mood.slow) ? 20000 : 50));
  if (stage_.chance(mood.transport)) {
    a.at = at;
    a.status = 503;
    a.origin = ReplyOrigin::Transport;
    return a;
  }
  bool lost = stage_.chance(mood.lose_request);
  if (!lost) {
    uint32_t grown = 0;
    if (first && stage_.chance(mood.digest)) {
      grown = q.cseq + 1;
      count(q, grown, branch + "d");
    }
    auto again = transactions_.find(branch);
    if (again != transactions_.end() && now - again->second.at <= kTimeout) {
      a = again->second.answer;
    } else {
      a = process(q, key);
      a.cseq = grown;
      transactions_[branch] = {now, a};
    }
    a.at = at;
    lost = stage_.chance(mood.lose_reply);
  }
  if (lost) {
    uint32_t grown = a.cseq;
    a = Answer{};
    a.at = now + kTimeout;
    a.status = 408;
    a.origin = ReplyOrigin::Timeout;
    a.cseq = grown;
  }
  return a;
}

Answer Notifier::process(const SipRequest& q, int key) {
  expire();
  Answer a;
  auto below = [&](uint64_t n) { return stage_.random_.below(n); };
  auto fail = [&](int status) {
    a.status = status;
    if (stage_.chance(mood.retry_after)) a.retry_after = static_cast<int64_t>(below(90));
    return a;
  };
  if (stage_.chance(mood.transient)) {
    static constexpr int kinds[] = {302, 408, 429, 430, 480, 500, 503, 503, 600, 487};
    return fail(kinds[below(10)]);
  }
  if (stage_.chance(mood.forbidden)) return fail(403);
  if (stage_.chance(mood.auth)) return fail(below(2) ? 401 : 407);
  if (stage_.chance(mood.fatal)) {
    static constexpr int kinds[] = {400, 406, 413, 415, 420};
    return fail(kinds[below(5)]);
  }
  bool initial = q.to_tag.empty();
  if (stage_.chance(mood.dialog_ends)) {   // these end the dialog; some of them, to an initial request, the subscription
    static constexpr int kinds[] = {404, 405, 410, 416, 480, 482, 483, 484, 485, 489, 501, 502, 604};
    if (auto d = find(q.call_id, q.to_tag); d != dialogs_.end()) dialogs_.erase(d);
    return fail(kinds[below(13)]);
  }
  auto at = find(q.call_id, q.to_tag);
  if (!initial && at != dialogs_.end() && stage_.chance(mood.forget)) {
    dialogs_.erase(at);
    at = dialogs_.end();
  }
  if (!initial && at == dialogs_.end()) return fail(481);
  if (q.expires > 0 && stage_.chance(mood.too_brief)) {
    a.min_expires = below(4) ? q.expires + 600 : 60;
    return fail(423);
  }
  size_t first = initial ? dialogs_.size() : static_cast<size_t>(at - dialogs_.begin());
  if (initial && stage_.chance(mood.fork)) make(q, key);   // another branch has accepted it too, and its 2xx is lost
  ServerDialog& d = initial ? make(q, key) : *at;
  int64_t grant = stage_.chance(mood.zero_grant) ? 0 : std::min<int64_t>(q.expires, mood.max_grant);
  static constexpr int64_t boasts[] = {1, 600, 4294960000};
  int64_t boast = grant > 0 && stage_.chance(mood.boast) ? boasts[below(3)] : 0;
  if (stage_.chance(mood.moved)) d.contact = address();
  a.status = d.pending ? 202 : 200;
  a.expires = q.expires > 0 && stage_.chance(mood.no_expires) ? -1 : grant + boast;
  if (!initial || !stage_.chance(mood.no_tag)) a.to_tag = d.remote_tag;
  a.contact = d.contact;
  if (initial) a.route_set = d.route_set;
  size_t last = initial ? dialogs_.size() : first + 1;
  for (size_t i = last; i-- > first;) {   // each branch sends its state
    auto each = dialogs_.begin() + static_cast<std::ptrdiff_t>(i);
    each->expires = stage_.now_ + grant * 1000;
    each->boast = boast;
    if (!initial && each->pending && below(2)) each->pending = false;
    bool silent = stage_.chance(mood.silent);
    if (grant > 0) {
      if (!silent) send(packet(*each, true, each->pending ? "pending" : "active", ""));
    } else {
      if (!silent) send(packet(*each, true, below(8) || q.expires > 0 ? "terminated" : "active", "timeout"));
      dialogs_.erase(each);
    }
  }
  return a;
}

std::string Notifier::address() {
  return "sip:n" + std::to_string(next_++) + "@10.0.0." + std::to_string(1 + stage_.random_.below(2));
}

ServerDialog& Notifier::make(const SipRequest& q, int key) {
  ServerDialog d;
  d.key = key;
  d.call_id = q.call_id;
  d.local_tag = q.from_tag;
  d.remote_tag = "t" + std::to_string(next_++);
  size_t id = q.event.find(";id=");
  d.event = q.event.substr(0, id);
  if (id != q.event.npos) d.event_id = q.event.substr(id + 4);
  d.contact = address();
  static constexpr const char* routes[] = {"", "<sip:p1.example.com;lr>",
                                           "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>"};
  d.route_set = routes[stage_.random_.below(3)];
  d.cseq = static_cast<uint32_t>(stage_.random_.below(10) ? stage_.random_.below(1000) : -1);   // -1: its first CSeq is 0
  d.pending = stage_.chance(mood.pending);
  dialogs_.push_back(d);
  return dialogs_.back();
}

Notifier::Dialogs::iterator Notifier::find(std::string_view call_id, std::string_view remote_tag) {
  auto at = dialogs_.begin();
  while (at != dialogs_.end() && (at->call_id != call_id || at->remote_tag != remote_tag)) ++at;
  return at;
}

// --- NOTIFY ----------------------------------------------------------------------------------------------------------

// The next NOTIFY of this dialog. Where the package has partial documents, changes are sent as such, and SUBSCRIBEs are
// answered by full ones.
Packet Notifier::packet(ServerDialog& d, bool full, const char* state, const char* reason) {
  Packet p;
  p.key = d.key;
  p.call_id = d.call_id;
  p.local_tag = d.local_tag;
  p.remote_tag = d.remote_tag;
  p.event = d.event;
  p.event_id = d.event_id;
  p.state = state;
  p.reason = reason;
  p.contact = d.contact;
  p.route_set = d.route_set;
  p.cseq = ++d.cseq;
  bool ended = p.state == "terminated";
  if (!ended && !stage_.chance(mood.no_state_expires))
    p.expires = std::max<int64_t>(0, (d.expires - stage_.now_) / 1000) + d.boast;
  std::string seq = std::to_string(state_of(d.key));
  if (d.event == "presence") {
    p.content_type = "application/pidf+xml";
    p.body = "p " + seq;
  } else {
    d.version += stage_.chance(mood.skip_version) ? 2 : 1;
    p.version = d.version;
    p.partial = !full;
    p.content_type = "application/watcherinfo+xml";
    p.body = (full ? "full " : "part ") + std::to_string(d.version) + " " + seq;
  }
  return p;
}

void Notifier::send(Packet p) {
  p.sent = stage_.now_;
  MonoMs at = stage_.now_ + 1 + static_cast<MonoMs>(stage_.random_.below(stage_.chance(mood.late) ? 20000 : 50));
  bool lost = stage_.chance(mood.lose_notify);
  p.answer_lost = stage_.chance(mood.lose_answer);
  if (lost || p.answer_lost) {
    Packet none = p;
    none.timeout = true;
    network_.emplace(stage_.now_ + kTimeout, std::move(none));
    if (lost) return;
  }
  if (stage_.chance(mood.repeat)) network_.emplace(at + static_cast<MonoMs>(stage_.random_.below(4000)), p);
  network_.emplace(at, std::move(p));
}

Packet Notifier::take() {
  Packet p = std::move(network_.begin()->second);
  network_.erase(network_.begin());
  // It was sent while the subscriber was dead, and repeated until the transaction was given up.
  if (!p.timeout && !p.bogus && stage_.now_ - p.sent > kTimeout) p.timeout = true;
  return p;
}

// What an answer to a NOTIFY does to the subscription (RFC 6665 section 4.2.2).
void Notifier::answered(const Packet& p, const NotifyAnswer& a) {
  auto d = find(p.call_id, p.remote_tag);
  if (p.bogus || d == dialogs_.end()) return;
  if (p.timeout) {
    if (!stage_.chance(mood.keeps)) dialogs_.erase(d);
    return;
  }
  if (p.answer_lost) return;
  if (a.status == 481 || a.status == 489) dialogs_.erase(d);
  if (a.status != 503 || p.cseq != d->cseq) return;
  Packet again = packet(*d, !p.partial, p.state.c_str(), p.reason.c_str());   // after Retry-After the state is sent again
  again.sent = stage_.now_ + 1000;
  network_.emplace(again.sent, std::move(again));
}

void Notifier::change(int key) {
  expire();
  states_[static_cast<size_t>(key)]++;
  for (ServerDialog& d : dialogs_) {
    if (d.key != key) continue;
    if (d.pending && stage_.random_.below(3) == 0) d.pending = false;
    send(packet(d, false, d.pending ? "pending" : stage_.random_.below(40) ? "active" : "waiting", ""));
  }
}

void Notifier::end(Dialogs::iterator d, const char* reason, int64_t retry_after) {
  Packet p = packet(*d, false, "terminated", reason);
  p.retry_after = retry_after;
  if (stage_.random_.below(3)) p.body.clear(), p.content_type.clear(), p.partial = false;
  dialogs_.erase(d);
  send(std::move(p));
}

void Notifier::terminate_one() {
  expire();
  if (dialogs_.empty()) return;
  static constexpr const char* reasons[] = {"deactivated", "deactivated", "timeout",    "probation", "giveup",
                                            "rejected",    "noresource",  "invariant",  "",          "moon"};
  auto d = dialogs_.begin() + static_cast<std::ptrdiff_t>(stage_.random_.below(dialogs_.size()));
  int64_t retry_after = stage_.random_.below(3) ? -1 : static_cast<int64_t>(stage_.random_.below(200));
  end(d, reasons[stage_.random_.below(10)], retry_after);
}

void Notifier::move_one() {
  if (dialogs_.empty()) return;
  ServerDialog& d = dialogs_[stage_.random_.below(dialogs_.size())];
  d.contact = address();
  send(packet(d, true, d.pending ? "pending" : "active", ""));
}

const ServerDialog* Notifier::some_dialog() {
  return dialogs_.empty() ? nullptr : &dialogs_[stage_.random_.below(dialogs_.size())];
}

void Notifier::send_bogus() {
  if (dialogs_.empty()) return;
  ServerDialog copy = dialogs_[stage_.random_.below(dialogs_.size())];
  copy.contact = "sip:nobody@10.9.9.9";
  copy.cseq += 100000;
  Packet p = packet(copy, true, stage_.random_.below(3) ? "active" : "terminated", "rejected");
  p.bogus = true;
  switch (stage_.random_.below(9)) {
    case 0: p.local_tag += "x"; break;
    case 1: p.call_id += "x"; break;
    case 2: p.remote_tag += "x"; break;
    case 3: p.remote_tag.clear(); break;
    case 4: p.event = p.event == "presence" ? "presence.winfo" : "presence"; break;
    case 5: p.event = "weather"; break;
    case 6: p.event.clear(); break;
    case 7: p.event_id += "x"; break;
    case 8: p.state.clear(); break;
  }
  p.sent = stage_.now_;
  network_.emplace(stage_.now_ + static_cast<MonoMs>(stage_.random_.below(50)), std::move(p));
}

void Notifier::expire() {
  for (size_t i = dialogs_.size(); i-- > 0;) {
    if (dialogs_[i].expires > stage_.now_) continue;
    auto d = dialogs_.begin() + static_cast<std::ptrdiff_t>(i);
    if (stage_.random_.below(2)) end(d, "timeout", -1);
    else dialogs_.erase(d);
  }
}

}  // namespace sim
