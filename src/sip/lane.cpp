#include "sip/lane.h"

#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "base/watchdog.h"
#include "sip/lane_batch.h"
#include "sip/reply.h"
#include "sip/reply_scan.h"
#include "sip/scan.h"
#include "sip/su_driver.h"

namespace pua {
namespace {

constexpr unsigned kBatch = kLaneBatch;
constexpr unsigned kBatchesATurn = 4;        // system calls of one turn, then other sockets have theirs
constexpr size_t kOctetsATurn = 256 << 10;   // a turn also ends after so many octets
constexpr unsigned kFewer = 8;               // datagrams of a system call where they are long
constexpr unsigned kMaxWaiting = 16384;      // answers beyond are dropped: their senders repeat
constexpr size_t kMaxWaitingOctets = 4 << 20;  // likewise
constexpr size_t kKeptOctets = 4096;         // memory of longer answers is given back
constexpr uint8_t kMaxOdd = 32;              // responses to one request that are given to the parser
constexpr std::string_view kCookie = "z9hG4bK";
constexpr CharSet kBehindBranch("; \t,\r\n\"");

}  // namespace

UdpLane::UdpLane(SuDriver& driver, uint32_t t1_ms, LaneSink& sink, Log& log, std::function<MonoMs()> now, HashKey key)
    : driver_(driver), sink_(&sink), log_(log), now_(std::move(now)), txns_(t1_ms, key), batch_(std::make_unique<Batch>()),
      timer_(std::make_unique<SuTimer>(driver, on_timer, this)) {
  sockets_.reserve(64);   // events point into it
  event_assign(&flush_, driver.base(), -1, 0, on_flush, this);
}

UdpLane::~UdpLane() { close(); }

Result<std::shared_ptr<UdpLane>> UdpLane::create(SuDriver& driver, uint32_t t1_ms, LaneSink& sink, Log& log,
                                                 std::function<MonoMs()> now) {
  HashKey key;
  if (getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key))
    return {Errc::no_memory, "the system gives no random numbers"};
  return std::shared_ptr<UdpLane>(new UdpLane(driver, t1_ms, sink, log, std::move(now), key));
}

unsigned UdpLane::add(std::unique_ptr<UdpSocket> socket) {
  sockets_.emplace_back();
  Watched& w = sockets_.back();
  w.lane = this;
  w.number = static_cast<unsigned>(sockets_.size() - 1);
  w.socket = std::move(socket);
  event_assign(&w.read, driver_.base(), w.socket->fd(), EV_READ | EV_PERSIST, on_read, &w);
  event_assign(&w.write, driver_.base(), w.socket->fd(), EV_WRITE, on_write, &w);
  w.calm = std::make_unique<SuTimer>(driver_, on_calm, &w);
  event_add(&w.read, nullptr);
  return w.number;
}

void UdpLane::close() {
  if (closed_) return;
  closed_ = true;
  for (Watched& w : sockets_) {
    event_del(&w.read);
    event_del(&w.write);
    w.calm.reset();
    if (!reading_) w.socket.reset();
  }
  event_del(&flush_);
  timer_.reset();
  waiting_ = 0;
}

// --- out -------------------------------------------------------------------------------------------------------------

UdpLane::Waiting& UdpLane::enqueue(unsigned socket, const NetAddress& to) {
  if (waiting_ == queue_.size()) queue_.emplace_back();
  Waiting& w = queue_[waiting_++];
  w.txn = 0;
  w.socket = socket;
  w.to = to;
  w.answer.clear();
  if (!flush_pending_) {
    flush_pending_ = true;
    event_active(&flush_, EV_TIMEOUT, 0);
  }
  return w;
}

Result<UdpLane::Handle> UdpLane::send(const Out& o) {
  if (closed_) return {Errc::shutting_down, "the UDP lane is closed"};
  char made[40];
  std::string_view branch = o.branch;
  if (branch.empty()) {
    uint64_t random[2];
    if (getrandom(random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
      return {Errc::bad_argument, "the system gives no random numbers"};
    snprintf(made, sizeof made, "z9hG4bK%016llx%016llx", static_cast<unsigned long long>(random[0]),
             static_cast<unsigned long long>(random[1]));
    branch = made;
  }
  MonoMs now = now_();
  LaneTxn* t = txns_.add(txns_.key_of(branch), now);
  if (!t) return {Errc::bad_argument, "a request with this branch is out already"};
  t->token = o.token;
  t->socket = o.socket;
  t->to = o.to;
  std::string& s = t->octets;
  s.append(o.method)
      .append(" ")
      .append(o.uri)
      .append(" SIP/2.0\r\nVia: SIP/2.0/UDP ")
      .append(socket(o.socket).source(o.to, now));
  s.append(";branch=").append(branch).append(";rport\r\n");
  size_t headers = s.size();
  s.append(o.headers).append("\r\n").append(o.body);
  t->call_at = static_cast<uint32_t>(s.find("Call-ID: ", headers));
  Handle h = txns_.handle(*t);
  t->waiting = true;
  enqueue(o.socket, o.to).txn = h;
  counters_.sent++;
  arm();
  return h;
}

void UdpLane::drop(Handle h) {
  if (LaneTxn* t = txns_.of(h)) txns_.remove(*t);
}

void UdpLane::on_flush(evutil_socket_t, short, void* lane) {
  auto self = static_cast<UdpLane*>(lane)->shared_from_this();
  self->flush_pending_ = false;
  self->flush();
}

void UdpLane::on_write(evutil_socket_t, short, void* watched) {
  Watched& w = *static_cast<Watched*>(watched);
  auto self = w.lane->shared_from_this();
  w.blocked = false;
  self->flush();
}

// Sends what waits, but for sockets that have no room; that stays in its order.
void UdpLane::flush() {
  unsigned kept = 0;
  for (unsigned i = 0; i < waiting_ && !closed_;) {
    if (sockets_[queue_[i].socket].blocked) {
      if (kept != i) std::swap(queue_[kept], queue_[i]);
      kept++;
      i++;
      continue;
    }
    i += flush_some(i);
  }
  size_t octets = 0;
  for (unsigned i = 0; i < waiting_; i++) {
    if (i < kept) octets += queue_[i].answer.size();
    else if (queue_[i].answer.capacity() > kKeptOctets) std::string().swap(queue_[i].answer);
  }
  waiting_ = closed_ ? 0 : kept;
  waiting_octets_ = closed_ ? 0 : octets;
}

// One system call for the entries from `first` on that have the same socket. Returns how many of them are done with, at least
// one unless the socket has no room.
unsigned UdpLane::flush_some(unsigned first) {
  Watched& w = sockets_[queue_[first].socket];
  unsigned n = 0, taken = 0;
  unsigned entry[kBatch];
  for (unsigned i = first; i < waiting_ && n < kBatch && queue_[i].socket == w.number; i++) {
    taken++;
    Waiting& q = queue_[i];
    const LaneTxn* t = txns_.of(q.txn);
    if (q.txn && !t) continue;   // dropped before it left
    const std::string& octets = t ? t->octets : q.answer;
    batch_->out_part[n] = {const_cast<char*>(octets.data()), octets.size()};
    batch_->out[n].msg_hdr.msg_name = &q.to.any;
    batch_->out[n].msg_hdr.msg_namelen = q.to.length();
    entry[n++] = i;
  }
  if (n == 0) return taken;
  int sent = push(w, n);
  auto done_with = [&](unsigned count) {
    for (unsigned i = 0; i < count; i++)
      if (LaneTxn* t = txns_.of(queue_[entry[i]].txn)) t->waiting = false;
  };
  if (sent > 0) {
    done_with(static_cast<unsigned>(sent));
    return sent == static_cast<int>(n) ? taken : entry[sent] - first;
  }
  int error = sent == 0 ? 0 : errno;
  if (error == EAGAIN || error == EWOULDBLOCK) {
    w.blocked = true;
    event_add(&w.write, nullptr);
    return 0;
  }
  if (error == ENOBUFS) no_room(w);
  else if (error) send_failed(queue_[entry[0]], error);
  done_with(1);
  return entry[0] + 1 - first;
}

void UdpLane::fail(LaneTxn& t, ReplyOrigin origin, std::string_view reason) {
  uint64_t token = t.token;
  txns_.remove(t);
  sink_->on_no_reply(token, origin, reason);
}

// --- timers ----------------------------------------------------------------------------------------------------------

void UdpLane::arm() {
  MonoMs due = txns_.next_due();
  if (due >= armed_) return;      // it fires before that anyway, and looks again
  armed_ = due;
  timer_->arm(due - now_());
  driver_.kick();
}

void UdpLane::on_timer(void* lane) {
  auto self = static_cast<UdpLane*>(lane)->shared_from_this();
  self->armed_ = kNever;
  self->run_timers();
  if (!self->closed_) self->arm();
}

void UdpLane::run_timers() {
  Watchdog::Scope scope(driver_.watchdog(), "sip.lane.timer");
  MonoMs now = now_();
  while (!closed_) {
    LaneTxn* t = txns_.overdue(now);
    if (!t) break;
    fail(*t, ReplyOrigin::Timeout, "Request Timeout");
  }
  while (!closed_) {
    LaneTxn* t = txns_.resend(now);
    if (!t) break;
    if (t->waiting) continue;   // the request itself has not left yet
    t->waiting = true;
    enqueue(t->socket, t->to).txn = txns_.handle(*t);
    counters_.resent++;
  }
}

// --- in --------------------------------------------------------------------------------------------------------------

void UdpLane::on_read(evutil_socket_t, short, void* watched) {
  Watched& w = *static_cast<Watched*>(watched);
  auto self = w.lane->shared_from_this();   // the sink may let go of us
  Watchdog::Scope scope(self->driver_.watchdog(), "sip.lane");
  self->reading_ = true;
  self->read_some(w);
  self->reading_ = false;
  if (!self->closed_) return;
  for (Watched& each : self->sockets_) each.socket.reset();
}

void UdpLane::read_some(Watched& w) {
  size_t octets = 0;
  for (unsigned turn = 0; turn < kBatchesATurn && octets < kOctetsATurn; turn++) {
    unsigned most = turn_batch_;
    int n = receive(w, most);
    if (n <= 0) return;
    MonoMs now = now_();
    size_t these = 0;
    for (int i = 0; i < n; i++) {
      these += batch_->in[i].msg_len;
      take(w, {static_cast<char*>(batch_->in_part[i].iov_base), batch_->in[i].msg_len}, batch_->in_from[i], now);
      if (closed_) return;
    }
    watch_flood(w, now);
    octets += these;
    // Long datagrams are the work of many short ones: fewer of them at a time, so that a turn stays short.
    turn_batch_ = these > kOctetsATurn / 4 ? kFewer : kBatch;
    if (n < static_cast<int>(most)) return;
  }
}

// One system call. The system reports an error of the network (ICMP) before it hands over what came in, and where somebody
// forges such errors there is always one: the call is made again, so that they keep nothing away.
int UdpLane::receive(Watched& w, unsigned most) {
  for (int i = 0; i < 4 && !closed_; i++) {
    for (unsigned k = 0; k < most; k++) batch_->in[k].msg_hdr.msg_namelen = sizeof(sockaddr_in6);
    int n = recvmmsg(w.socket->fd(), batch_->in, most, MSG_DONTWAIT, nullptr);
    if (n >= 0 || errno == EINTR) return n;
    bool nothing = errno == EAGAIN || errno == EWOULDBLOCK;
    read_errors(w);   // also where nothing but errors made the socket ready
    if (nothing) return 0;
  }
  return 0;
}

void UdpLane::take(Watched& w, std::string_view datagram, NetAddress& from, MonoMs now) {
  // Some send line ends before a message, as they may over a stream (RFC 3261 section 7.5).
  while (datagram.size() > 4 && (datagram[0] == '\r' || datagram[0] == '\n')) datagram.remove_prefix(1);
  if (is_response(datagram)) {
    take_response(w, datagram, from, now);
    return;
  }
  // Shorter than any request (RFC 5626 keep-alives among them), or none at all: a method begins with a letter.
  if (datagram.size() < 16 || (datagram[0] | 0x20) < 'a' || (datagram[0] | 0x20) > 'z') {
    counters_.stray++;
    w.flood.useless++;
    return;
  }
  counters_.requests++;
  answer_.clear();
  sink_->on_request(datagram, from, now, answer_);
  if (answer_.empty()) {
    if (!datagram.starts_with("NOTIFY")) w.flood.useless++;   // a NOTIFY comes in even where a flood is kept out
    return;
  }
  if (closed_) {   // inside the sink: the request that did it gets its answer all the same
    sendto(w.socket->fd(), answer_.data(), answer_.size(), 0, &from.any, from.length());
  } else if (waiting_ < kMaxWaiting && waiting_octets_ + answer_.size() <= kMaxWaitingOctets) {
    waiting_octets_ += answer_.size();
    std::swap(enqueue(w.number, from).answer, answer_);
  } else {
    counters_.answers_dropped++;
  }
}

void UdpLane::take_response(Watched& w, std::string_view datagram, const NetAddress& from, MonoMs now) {
  LaneTxn* meant = nullptr;
  if (Branch b = branch_in(datagram, now, meant); b != Branch::Out) {   // a flood of responses costs no more than this look
    (b == Branch::Done ? counters_.repeated : counters_.stray)++;
    return;
  }
  Scan s;
  scan(datagram, s);
  std::string_view branch, method;
  uint32_t cseq = 0;
  if (s.kind != Scan::Kind::Response || s.via_count != 1 || s.vias[0].find(',') != std::string_view::npos ||
      !plain_params(s.vias[0]) || !param_of(s.vias[0], "branch", branch) || !read_cseq(s[Field::CSeq], cseq, method)) {
    take_odd_response(w, datagram, *meant, from, now);
    return;
  }
  LaneTxn* t = match(w, txns_.key_of(branch), s[Field::CallId], cseq, method, from, now);
  if (!t) return;
  if (s.status < 200) {
    txns_.proceed(*t);
    return;
  }
  SipReply reply;
  if (s.status < 300 && read_plain_reply(s, method, reply)) {
    counters_.scanned++;
    reply.message = keep_octets(datagram);
    uint64_t token = t->token;
    txns_.complete(*t, now);
    sink_->on_plain_reply(token, reply);
    return;
  }
  msg_s* msg = t->odd < kMaxOdd ? parse_reply(datagram) : nullptr;
  if (!msg) {
    t->odd = static_cast<uint8_t>(std::min<int>(t->odd + 1, kMaxOdd));
    counters_.stray++;
    return;
  }
  finish_parsed(*t, sip_object(msg), msg, now);
  msg_destroy(msg);
}

// Whether a branch of ours stands in it somewhere, and which request has it.
UdpLane::Branch UdpLane::branch_in(std::string_view datagram, MonoMs now, LaneTxn*& out) const {
  bool done = false;
  size_t at = 0;
  for (int i = 0; i < 4; i++) {
    at = datagram.find(kCookie, at);
    if (at == std::string_view::npos) break;
    size_t end = kBehindBranch.first_in(datagram, at);
    uint64_t key = txns_.key_of(datagram.substr(at, end == std::string_view::npos ? end : end - at));
    out = txns_.find(key);
    if (out) return Branch::Out;
    done = done || txns_.recent(key, now);
    at += kCookie.size();
  }
  return done ? Branch::Done : Branch::None;
}

// sofia's parser is expensive: it reads only what the host that was asked sends, and at most kMaxOdd times for one request.
void UdpLane::take_odd_response(Watched& w, std::string_view datagram, LaneTxn& meant, const NetAddress& from, MonoMs now) {
  if (!meant.to.same_host(from)) {
    count_foreign(meant, from, now);
    return;
  }
  msg_s* msg = meant.socket == w.number && meant.odd < kMaxOdd ? parse_reply(datagram) : nullptr;
  meant.odd = static_cast<uint8_t>(std::min<int>(meant.odd + 1, kMaxOdd));
  if (!msg) {
    counters_.stray++;
    return;
  }
  const sip_t* sip = sip_object(msg);
  const sip_via_t* via = sip->sip_via;
  LaneTxn* t = nullptr;
  // More than one Via: it is on its way to somebody else (RFC 3261 section 8.1.3.3).
  if (via && !via->v_next && via->v_branch && sip->sip_call_id && sip->sip_cseq && sip->sip_status->st_status < 700 &&
      sip->sip_status->st_version && same_word(sip->sip_status->st_version, "SIP/2.0"))
    t = match(w, txns_.key_of(via->v_branch), sip->sip_call_id->i_id, sip->sip_cseq->cs_seq, sip->sip_cseq->cs_method_name,
              from, now);
  else
    counters_.stray++;
  if (t && sip->sip_status->st_status < 200) txns_.proceed(*t);
  else if (t) finish_parsed(*t, sip, msg, now);
  msg_destroy(msg);
}

void UdpLane::finish_parsed(LaneTxn& t, const sip_s* sip, msg_s* msg, MonoMs now) {
  counters_.parsed++;
  uint64_t token = t.token;
  txns_.complete(t, now);
  sink_->on_parsed_reply(token, sip, msg);
}

// The transaction that a response belongs to. All that identifies the request must be in it (RFC 3261 section 17.1.3 asks for
// branch and method only), and it must come from the host that was asked.
LaneTxn* UdpLane::match(Watched& w, uint64_t key, std::string_view call_id, uint32_t cseq, std::string_view method,
                        const NetAddress& from, MonoMs now) {
  LaneTxn* t = txns_.find(key);
  if (!t) {
    (txns_.recent(key, now) ? counters_.repeated : counters_.stray)++;
    return nullptr;
  }
  char wanted[32];
  char* end = std::to_chars(wanted, wanted + 16, cseq).ptr;
  std::string_view octets = t->octets, rest = octets.substr(t->call_at);
  auto next = [&rest](std::string_view text) {
    if (!rest.starts_with(text)) return false;
    rest.remove_prefix(text.size());
    return true;
  };
  bool same = t->socket == w.number && next("Call-ID: ") && next(call_id) && next("\r\nCSeq: ") &&
              next({wanted, static_cast<size_t>(end - wanted)}) && next(" ") && next(method) && next("\r\n") &&
              octets.starts_with(method);
  if (!same) {
    counters_.stray++;
    return nullptr;
  }
  if (!t->to.same_host(from)) {
    count_foreign(*t, from, now);
    return nullptr;
  }
  sink_->on_server(from);
  return t;
}

void UdpLane::count_foreign(const LaneTxn& t, const NetAddress& from, MonoMs now) {
  counters_.foreign++;
  uint64_t left_out = 0;
  if (foreign_gate_.pass(now, left_out))
    log_.warning(
        "sip: a response to a request to %s came from %s and was dropped; a server must answer from the address it was asked "
        "at%s",
        t.to.text().c_str(), from.text().c_str(), left_out ? " (more like this were not written)" : "");
}

}  // namespace pua
