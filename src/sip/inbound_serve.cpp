// InboundServer: what comes over a connection, and the answers. However much comes, a turn of the loop stays short.
#include <event2/event.h>

#include <algorithm>
#include <cstdio>
#include <iterator>

#include "base/log.h"
#include "base/watchdog.h"
#include "sip/inbound_refusal.h"
#include "sip/inbound_server.h"

namespace pua {
namespace {

using State = InboundConnection::State;
using Io = InboundSocket::Io;

// Of one connection, before the next one has its turn.
constexpr size_t kVisitMessages = 16, kKnownReads = 4, kStrangersReads = 1;
constexpr size_t kLeastCharge = 256;     // octets that a read costs, however few came
constexpr size_t kHandshakeCharge = 8;   // messages that a step of a handshake costs among strangers

}  // namespace

// --- whose turn it is ------------------------------------------------------------------------------------------------------

// The shares are those of one turn of the loop. What this call makes active runs after everything that is ready in this turn.
void InboundServer::open_turn() {
  if (in_turn_) return;
  in_turn_ = true;
  for (Share& s : shares_) s.renew();
  event_active(turn_end_, EV_TIMEOUT, 0);
}

void InboundServer::end_turn() {
  in_turn_ = false;
  if (phase_ != Phase::Open) return;
  if (std::none_of(std::begin(shares_), std::end(shares_), [](const Share& s) { return s.waiting > 0; })) return;
  timeval at_once{0, 0};
  evtimer_add(work_, &at_once);
}

void InboundServer::work() {
  Frame frame(*this);
  Watchdog::Scope scope(watchdog_, "sip.inbound");
  open_turn();
  for (Share* s : {&shares_[kKnown], &shares_[kNewcomers], &shares_[kHandshakes], &shares_[kStrangers]}) {
    for (size_t n = s->waiting; n > 0 && s->left(); n--) {
      InboundConnection* c = s->line.pop_front();
      if (!c) break;
      s->waiting--;
      c->ready = false;
      visit(*c);
      if (phase_ != Phase::Open) return;
    }
  }
  arm();
}

// What decides changes only while it is visited, not while it stands in line.
InboundServer::Line InboundServer::line_of(const InboundConnection& c) const {
  if (c.known()) return kKnown;
  if (!c.newcomer()) return kStrangers;
  return c.socket.tls() && c.state() != State::Open ? kHandshakes : kNewcomers;
}

void InboundServer::wait_in_line(InboundConnection& c) {
  if (c.ready) return;
  open_turn();   // at the end of the turn the next ones in line are served
  Share& s = share_of(c);
  bool newest_first = &s == &shares_[kNewcomers] || &s == &shares_[kHandshakes];
  newest_first ? s.line.push_front(c) : s.line.push_back(c);
  s.waiting++;
  c.ready = true;
}

void InboundServer::readable(InboundConnection& c) {
  if (c.ready || c.state() == State::Dead) return;
  Frame frame(*this);
  Watchdog::Scope scope(watchdog_, "sip.inbound");
  open_turn();
  Share& s = share_of(c);
  if (s.waiting > 0 || !s.left()) return wait_in_line(c);
  visit(c);
  arm();
}

void InboundServer::writable(InboundConnection& c) {
  if (c.state() == State::Dead) return;
  Frame frame(*this);
  Watchdog::Scope scope(watchdog_, "sip.inbound");
  MonoMs now = now_();
  bool was_blocked = c.blocked();
  bool was_stuck = c.wants_write;
  c.wants_write = false;
  answers_.clear();
  settle(c, now);
  if (c.state() == State::Dead) return;
  if (was_blocked && !c.blocked() && c.begun_at != kNever) c.begun_at = now;   // the time that we did not read does not count
  if (was_stuck || (was_blocked && !c.blocked())) wait_in_line(c);
  arm();
}

// --- one connection --------------------------------------------------------------------------------------------------------

void InboundServer::visit(InboundConnection& c) {
  MonoMs now = now_();
  answers_.clear();
  if ((c.state() == State::Fresh || c.state() == State::Handshake) && !shake_hands(c, now)) return;
  Visit v{share_of(c), kVisitMessages, c.known() ? kKnownReads : kStrangersReads, now};
  Step s = Step::Again;
  while (s == Step::Again) s = step(c, v);
  if (s == Step::Gone) return;
  settle(c, now);
  if (s == Step::Later && c.state() != State::Dead) wait_in_line(c);
}

// true: octets may be read.
bool InboundServer::shake_hands(InboundConnection& c, MonoMs now) {
  c.state(State::Handshake);
  if (c.socket.tls()) {
    Share& s = share_of(c);
    if (!s.left()) {
      wait_in_line(c);
      return false;
    }
    s.messages -= std::min(s.messages, &s == &shares_[kHandshakes] ? size_t{1} : kHandshakeCharge);
    c.steps = static_cast<uint8_t>(std::min(c.steps + 1, 255));
  }
  Io io = c.socket.handshake();
  if (io == Io::Done) {
    c.state(State::Open);
    return true;
  }
  c.wants_write = io == Io::WantWrite;
  if (io != Io::Failed && io != Io::End) {
    settle(c, now);
    return false;
  }
  uint64_t left_out = 0;
  if (tls_gate_.pass(now, left_out))
    log_.info("sip: a TLS handshake with a client failed: %s (%llu more were not logged)", c.socket.tls_error().c_str(),
              static_cast<unsigned long long>(left_out));
  close(c, InboundEnd::tls);
  return false;
}

InboundServer::Step InboundServer::step(InboundConnection& c, Visit& v) {
  if (c.state() == State::Lingering) {
    size_t n = 0;
    Io io = c.socket.discard(chunk_.data(), chunk_.size(), n);
    v.share.octets -= std::min(v.share.octets, chunk_.size());
    v.reads--;
    c.discarded += n;
    if (io == Io::Done && c.discarded <= InboundConnection::kMostLinger) return v.left() ? Step::Again : Step::Later;
    if (io == Io::WantRead) return Step::Wait;
    close(c, c.end);
    return Step::Gone;
  }
  if (c.state() != State::Open || c.blocked()) return Step::Wait;
  if (!v.left()) return Step::Later;
  if (c.unread_in) return received(c, v, {});
  size_t n = 0;
  Io io = c.socket.read(chunk_.data(), chunk_.size(), n);
  v.reads--;
  v.share.octets -= std::min(v.share.octets, std::max(n, kLeastCharge));
  switch (io) {
    case Io::Done: c.looked_at = true; break;
    case Io::WantRead: return Step::Wait;
    case Io::WantWrite: c.wants_write = true; return Step::Wait;
    case Io::Failed: close(c, InboundEnd::peer); return Step::Gone;
    case Io::End:   // what was whole is answered
      c.peer_ended = true;
      tell_unfinished(c, v.now);
      finish(c, InboundEnd::peer);
      return Step::Wait;
  }
  Step s = received(c, v, {chunk_.data(), n});
  // For the rest of a plain connection another event comes. TLS may hold octets that no event tells of.
  return s == Step::Again && !c.socket.tls() && !c.unread_in && n < chunk_.size() ? Step::Wait : s;
}

InboundServer::Step InboundServer::received(InboundConnection& c, Visit& v, std::string_view octets) {
  c.unread_in = false;
  if (c.in.empty()) {
    size_t used = take_messages(c, v, octets);
    if (c.state() == State::Open) c.in.assign(octets.substr(used));
  } else {
    c.in.append(octets);
    size_t used = take_messages(c, v, c.in);
    if (c.state() == State::Open) c.in.erase(0, used);
  }
  if (phase_ != Phase::Open) return Step::Gone;
  if (c.in.empty() || c.in.capacity() > 4096 + 4 * c.in.size()) c.in.shrink_to_fit();
  if (!c.flush(answers_, v.now)) {
    close(c, InboundEnd::peer);
    return Step::Gone;
  }
  return Step::Again;
}

// The whole messages of `in`, as many as there is time for; how many octets they were.
size_t InboundServer::take_messages(InboundConnection& c, Visit& v, std::string_view in) {
  size_t used = 0;
  while (c.state() == State::Open) {
    // Answers to keep-alives count, too: where too many wait that nobody reads, reading stops.
    if (used < in.size() && (v.messages == 0 || v.share.messages == 0 || answers_.size() >= InboundConnection::kMostOut)) {
      c.unread_in = true;
      break;
    }
    Framing::Found f = c.framing.next(in.substr(used));
    std::string_view octets = in.substr(used, f.length);
    used += f.length;
    switch (f.kind) {
      case Framing::Kind::More:
        if (!c.framing.begun()) c.begun_at = kNever;
        else if (c.begun_at == kNever) c.begun_at = v.now;
        return used;
      case Framing::Kind::Skip: continue;
      case Framing::Kind::Ping:
        counters_.pings++;
        c.active_at = v.now;
        answers_.append("\r\n");
        continue;
      case Framing::Kind::Message:
        v.messages--;
        v.share.messages--;
        c.begun_at = kNever;
        take_message(c, octets, v.now);
        continue;
      case Framing::Kind::Long:
        v.messages--;
        v.share.messages--;
        c.begun_at = kNever;
        take_head(c, octets, f, v.now);
        continue;
      case Framing::Kind::Refuse: refuse(c, octets, f); continue;
      case Framing::Kind::Endless: finish(c, InboundEnd::too_large); continue;
      case Framing::Kind::NotSip: finish(c, InboundEnd::unparsable); continue;
    }
  }
  return used;
}

void InboundServer::take_message(InboundConnection& c, std::string_view message, MonoMs now) {
  size_t before = answers_.size();
  counters_.messages++;
  c.greeted = true;
  c.active_at = now;
  c.port->take(message, c.from, now, answers_);
  if (phase_ != Phase::Open) return;   // the sink has ended the server
  if (message.starts_with("NOTIFY ") && taken(before)) took_notify(c);
}

// The body is too long to be held. What a NOTIFY of ours says of its subscription counts all the same: it is answered by its
// head, and its body is read without being kept. Any other request is refused, and the connection ends.
void InboundServer::take_head(InboundConnection& c, std::string_view head, const Framing::Found& f, MonoMs now) {
  size_t before = answers_.size();
  bool known = c.port->take_head(head, f.body, c.from, now, answers_);
  if (phase_ != Phase::Open) return;
  if (!known) return refuse(c, head, f);
  counters_.messages++;
  c.greeted = true;
  c.active_at = now;
  if (!taken(before)) return finish(c, InboundEnd::too_large);
  c.framing.skip_body(f.body);
  took_notify(c);
}

bool InboundServer::taken(size_t answer) const { return std::string_view(answers_).substr(answer).starts_with("SIP/2.0 2"); }

void InboundServer::took_notify(InboundConnection& c) {
  if (Seat* leaves = seats_.took_notify(c)) close(static_cast<InboundConnection&>(*leaves), InboundEnd::limit);
}

void InboundServer::refuse(InboundConnection& c, std::string_view head, const Framing::Found& f) {
  SipHash h(key_);
  h.add(head);
  char tag[24];
  snprintf(tag, sizeof tag, "%016llx", static_cast<unsigned long long>(h.finish()));
  write_refusal(head, f.status, f.reason, tag, answers_);
  c.port->turned_away(head, c.from, f.status, f.reason, now_());
  finish(c, f.status == 413 ? InboundEnd::too_large : InboundEnd::length);
}

// Tells the sink of a message that will not become whole any more. If a notifier counts its octets wrong, each of its messages
// ends like that.
void InboundServer::tell_unfinished(InboundConnection& c, MonoMs now) {
  if (!c.framing.headed()) return;
  c.port->turned_away(c.in, c.from, 400, "Content-Length: longer than the message", now);
}

// Reads no more messages: answers that wait are sent, then the connection is closed.
void InboundServer::finish(InboundConnection& c, InboundEnd why) {
  c.end = why;
  c.state(State::Closing);
}

// Called after anything that was done with a connection: sends what waits, and brings its events, its deadline and the count of
// octets that it holds up to date.
void InboundServer::settle(InboundConnection& c, MonoMs now) {
  if (c.state() != State::Handshake && !c.flush(answers_, now))
    return close(c, c.state() == State::Closing ? c.end : InboundEnd::peer);
  if (c.state() == State::Closing) {
    std::string().swap(c.in);
    if (!c.unsent()) {
      c.socket.finish();
      if (c.peer_ended) return close(c, c.end);
      c.state(State::Lingering);   // closed with octets unread, the answer might be lost on its way
      c.since = now;
    }
  }
  c.watch();
  MonoMs due = c.due(times_);
  if (due < deadlines_.due(c) || c.heap_index == kNotInHeap) deadlines_.set(c, due);
  counters_.held += c.held() - c.counted;
  c.counted = c.held();
  if (counters_.held > most_held_) hold_less();
}

}  // namespace pua
