// InboundServer: who comes in, who has to go, and when.
#include "sip/inbound_server.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/descriptors.h"
#include "base/log.h"
#include "base/watchdog.h"

namespace pua {
namespace {

constexpr int kAcceptsATurn = 32;
constexpr int64_t kPauseMs = 1000;
constexpr MonoMs kLongestWait = 60000;   // libevent's clock stands still while the machine sleeps
// Octets of unfinished messages and unread answers of all connections together. A NOTIFY is rarely over 16 KB, and nearly
// always whole after one or two reads.
constexpr size_t kMostHeld = 4u << 20;
constexpr size_t kLongUnfinished = 16384;
constexpr size_t kChunk = 16384;         // of one read

std::string text_of(const Peer& p) {
  char text[INET6_ADDRSTRLEN] = "?";
  const void* octets = p.address.ss_family == AF_INET6
                           ? static_cast<const void*>(&reinterpret_cast<const sockaddr_in6&>(p.address).sin6_addr)
                           : &reinterpret_cast<const sockaddr_in&>(p.address).sin_addr;
  inet_ntop(p.address.ss_family, octets, text, sizeof text);
  return text;
}

// Of accept(): the connection is gone, not the listening socket (accept(2): Linux passes errors of the network on).
bool of_the_connection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ETIMEDOUT: return true;
    default: return false;
  }
}

size_t most_held(size_t max_message) { return std::max(kMostHeld, 4 * max_message); }

timeval to_timeval(int64_t ms) {
  timeval tv{};
  tv.tv_sec = static_cast<time_t>(ms / 1000);
  tv.tv_usec = static_cast<suseconds_t>(ms % 1000 * 1000);
  return tv;
}

}  // namespace

InboundServer::InboundServer(event_base* base, const SipSettings& s, Log& log, Watchdog* watchdog, std::function<MonoMs()> now)
    : base_(base), log_(log), watchdog_(watchdog), now_(std::move(now)), times_{s.tcp_silence_ms, s.tcp_idle_ms},
      max_message_(s.max_message), most_held_(most_held(s.max_message)),
      reserve_(static_cast<int>(s.descriptor_reserve)), seats_(s.max_connections, s.max_connections_per_address),
      // Messages and octets of a turn. A message costs about 10 us; a handshake with an RSA key a millisecond.
      shares_{{16, 64u << 10}, {3, 64u << 10}, {32, 256u << 10}, {96, 512u << 10}}, chunk_(kChunk) {
  if (getrandom(&key_, sizeof key_, 0) != static_cast<ssize_t>(sizeof key_))
    key_ = {reinterpret_cast<uintptr_t>(this), static_cast<uint64_t>(now_())};
}

InboundServer::~InboundServer() {
  retire();
  graves_.clear();
  for (event* e : {timer_, turn_end_, work_})
    if (e) event_free(e);
}

Status InboundServer::open() {
  timer_ = evtimer_new(base_, [](evutil_socket_t, short, void* s) {
    auto* self = static_cast<InboundServer*>(s);
    self->armed_ = kNever;
    self->run_due();
  }, this);
  turn_end_ = evtimer_new(base_, [](evutil_socket_t, short, void* s) { static_cast<InboundServer*>(s)->end_turn(); }, this);
  work_ = evtimer_new(base_, [](evutil_socket_t, short, void* s) { static_cast<InboundServer*>(s)->work(); }, this);
  if (!timer_ || !turn_end_ || !work_) return {Errc::no_memory, "no event for connections from outside"};
  int limit = descriptor_limit(), free = limit - descriptor_reserve(limit, reserve_);
  if (static_cast<size_t>(free) < seats_.most())
    log_.notice("sip: max_connections is %zu, but the limit of open files is %d, of which %d are kept for other things",
                seats_.most(), limit, limit - free);
  return success();
}

void InboundServer::set_max_message(size_t octets) {
  max_message_ = octets;
  most_held_ = most_held(octets);
  all_.for_each([&](InboundConnection& c) { c.framing.most(octets); });
}

Status InboundServer::load_tls(const std::string& dir) {
  if (tls_) return success();
  auto tls = TlsServer::load(dir);
  if (!tls) return tls.error();
  tls_ = std::move(*tls);
  return success();
}

Status InboundServer::add_door(int fd, bool tls, IncomingPort& port) {
  auto door = std::make_unique<Door>(Door{fd, nullptr, tls, &port, this});
  door->acceptable = event_new(base_, fd, EV_READ | EV_PERSIST, [](evutil_socket_t, short, void* d) {
    auto* self = static_cast<Door*>(d);
    self->server->accept_some(*self);
  }, door.get());
  bool fine = door->acceptable && event_add(door->acceptable, nullptr) == 0;
  doors_.push_back(std::move(door));  // closed by retire()
  return fine ? success() : Status(Errc::no_memory, "no event for connections from outside");
}

void InboundServer::retire() {
  if (phase_ == Phase::Retired) return;
  phase_ = Phase::Retired;
  while (InboundConnection* c = all_.front()) close(*c, InboundEnd::shutdown);
  for (auto& d : doors_) {
    if (d->acceptable) event_free(d->acceptable);
    ::close(d->fd);
    d->acceptable = nullptr;
  }
  for (event* e : {timer_, turn_end_, work_})
    if (e) event_del(e);
  if (depth_ == 0) graves_.clear();
}

InboundCounters InboundServer::counters() const {
  InboundCounters c = counters_;
  c.open = seats_.taken();
  c.known = seats_.known();
  return c;
}

// --- in ------------------------------------------------------------------------------------------------------------------

void InboundServer::accept_some(Door& d) {
  Frame frame(*this);
  Watchdog::Scope scope(watchdog_, "sip.accept");
  for (int i = 0; i < kAcceptsATurn; i++) {
    Peer from;
    from.transport = d.tls ? Peer::Transport::Tls : Peer::Transport::Tcp;
    from.length = sizeof from.address;
    int fd = accept4(d.fd, reinterpret_cast<sockaddr*>(&from.address), &from.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0 && !admit(d, fd, from)) break;
    if (fd >= 0 || of_the_connection(errno)) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) break;
    // None left, or an error that nothing is known of. A stranger that goes makes room for one who waits.
    bool shortage = out_of_descriptors(errno);
    MonoMs now = now_();
    short_of_descriptors(now);
    Seat* stranger = shortage ? seats_.first_stranger() : nullptr;
    if (!stranger) {
      pause(now);
      break;
    }
    close(static_cast<InboundConnection&>(*stranger), InboundEnd::descriptors);
  }
  arm();
}

// false: not taken, and no more are to be accepted now.
bool InboundServer::admit(Door& d, int fd, const Peer& from) {
  MonoMs now = now_();
  counters_.accepted++;
  if (in_descriptor_reserve(fd, reserve_)) {
    short_of_descriptors(now);
    Seat* stranger = seats_.first_stranger();
    if (!stranger) {
      ::close(fd);
      counters_.of(InboundEnd::descriptors)++;
      pause(now);
      return false;
    }
    close(static_cast<InboundConnection&>(*stranger), InboundEnd::descriptors);
    // The connection moves to the descriptor that has become free, else those kept in reserve would be used up one by one.
    if (int low = fcntl(fd, F_DUPFD_CLOEXEC, 0); low >= 0) {
      ::close(fd);
      fd = low;
    }
  }
  make_room(from, now);
  int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);   // an answer is whole when it is written
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);   // a host that is gone says nothing
  auto* c = new InboundConnection(*this, fd, d.tls ? tls_.get() : nullptr, *d.port, from, max_message_, now);
  all_.push_back(*c);
  seats_.sit(*c, from.address);
  deadlines_.set(*c, c->due(times_));
  if (!c->open_events(base_)) close(*c, InboundEnd::memory);
  return true;
}

void InboundServer::make_room(const Peer& from, MonoMs now) {
  Seats::Room room = seats_.room_for(from.address);
  if (!room.leaves) return;
  auto& leaves = static_cast<InboundConnection&>(*room.leaves);
  if (room.full == Seats::Full::Address) {
    if (address_short_.begins(now))
      log_.warning("sip: %s has as many connections as max_connections_per_address allows: its oldest ones give way to new "
                   "ones", text_of(from).c_str());
    close(leaves, InboundEnd::address_limit);
  } else {
    if (seats_short_.begins(now))
      log_.warning("sip: there are %zu connections from outside, as many as max_connections allows: those that brought no "
                   "NOTIFY of ours give way to new ones", seats_.taken());
    close(leaves, InboundEnd::limit);
  }
}

void InboundServer::short_of_descriptors(MonoMs now) {
  if (!descriptors_short_.begins(now)) return;
  int limit = descriptor_limit();
  log_.warning("sip: short of descriptors (the limit is %d, %d of them are kept for other things): connections from outside "
               "give way or wait", limit, descriptor_reserve(limit, reserve_));
}

// Accepts nothing for a while: those who want to connect wait in the system's queue.
void InboundServer::pause(MonoMs now) {
  if (resume_at_ == kNever) {
    counters_.pauses++;
    for (auto& d : doors_) event_del(d->acceptable);
  }
  resume_at_ = now + kPauseMs;
}

void InboundServer::resume(MonoMs now) {
  resume_at_ = kNever;
  for (auto& d : doors_)
    if (event_add(d->acceptable, nullptr) != 0) return pause(now);
}

void InboundServer::end_spells(MonoMs now) {
  if (descriptors_short_.over(now)) log_.notice("sip: there are enough descriptors again for connections from outside");
  if (seats_short_.over(now)) log_.notice("sip: there is room again for connections from outside");
  if (address_short_.over(now)) log_.notice("sip: no address has too many connections any more");
  if (octets_short_.over(now)) log_.notice("sip: unfinished messages are few again");
}

// --- out -----------------------------------------------------------------------------------------------------------------

void InboundServer::run_due() {
  Frame frame(*this);
  Watchdog::Scope scope(watchdog_, "sip.inbound");
  if (phase_ != Phase::Open) return;
  MonoMs now = now_();
  while (deadlines_.next() <= now) {
    InboundConnection& c = *deadlines_.top();
    MonoMs due = c.due(times_);   // it may have moved on since
    if (due > now) deadlines_.set(c, due);
    else expire(c, now);
  }
  if (resume_at_ <= now) resume(now);
  end_spells(now);
  arm();
}

void InboundServer::expire(InboundConnection& c, MonoMs now) {
  using S = InboundConnection::State;
  bool unread = c.state() == S::Closing || (c.unsent() && c.moved_at + times_.silence_ms <= now);
  InboundEnd why = c.state() == S::Lingering ? c.end
                   : unread                  ? InboundEnd::unread
                   : !c.greeted || c.begun_at != kNever ? InboundEnd::silent
                                                        : InboundEnd::idle;
  if (why == InboundEnd::silent) tell_unfinished(c, now);
  close(c, why);
}

// Frees memory: the stranger with the longest unfinished message goes, if that is long; else the oldest stranger that holds
// anything (a newcomer in the middle of its handshake is not to be pushed out by those who idle after theirs); only then known
// ones.
void InboundServer::hold_less() {
  while (counters_.held > most_held_) {
    InboundConnection *fat = nullptr, *oldest = nullptr, *known = nullptr;
    all_.for_each([&](InboundConnection& c) {
      if (c.counted == 0) return;
      InboundConnection*& most = c.known() ? known : fat;
      if (!most || c.held_text() > most->held_text()) most = &c;
      if (!c.known() && !oldest) oldest = &c;
    });
    InboundConnection* goes = fat && fat->held_text() > kLongUnfinished ? fat : oldest ? oldest : known;
    if (!goes) return;
    if (octets_short_.begins(now_()))
      log_.warning("sip: unfinished messages, unread answers and TLS of connections from outside take more than %zu octets: "
                   "those that hold most, or are oldest, are closed", most_held_);
    close(*goes, InboundEnd::memory);
  }
}

void InboundServer::close(InboundConnection& c, InboundEnd why) {
  if (c.state() == InboundConnection::State::Dead) return;
  c.state(InboundConnection::State::Dead);
  c.watch();
  c.socket.close();
  counters_.of(why)++;
  counters_.held -= c.counted;
  c.counted = 0;
  if (c.ready) {
    List<InboundConnection, InReadyConnections>::erase(c);
    share_of(c).waiting--;
    c.ready = false;
  }
  seats_.leave(c);
  deadlines_.remove(c);
  List<InboundConnection, InAllConnections>::erase(c);
  graves_.emplace_back(&c);
}

MonoMs InboundServer::next_due() const {
  MonoMs next = std::min(deadlines_.next(), resume_at_);
  for (const Spell* s : {&descriptors_short_, &seats_short_, &address_short_, &octets_short_}) next = std::min(next, s->due());
  return next;
}

// Where a deadline has moved to a later time, the timer stays as it is and finds out when it fires.
void InboundServer::arm() {
  if (phase_ != Phase::Open) return;
  MonoMs next = next_due();
  if (next >= armed_) return;
  MonoMs now = now_();
  armed_ = std::min(next, now + kLongestWait);
  timeval tv = to_timeval(std::max<int64_t>(armed_ - now, 0) + 1);
  evtimer_add(timer_, &tv);
}

}  // namespace pua
