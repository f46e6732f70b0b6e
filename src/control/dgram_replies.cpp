#include "control/dgram_replies.h"

#include <event2/event.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace pua {

namespace {

constexpr int kSendBuffer = 4 << 20;            // octets asked for: what clients have not read counts in it
constexpr size_t kMaxReply = 256 * 1024;        // octets, whatever the send buffer allows
constexpr size_t kOverhead = 64;                // of the send buffer, per datagram
constexpr size_t kMaxPerClient = 512;           // replies that wait
constexpr size_t kMaxPushes = 64;               // of these that may wait when another message of a watch comes
constexpr size_t kMaxOctets = 8 * 1024 * 1024;  // of all replies that wait
constexpr size_t kMaxPushOctets = kMaxOctets / 2;  // of all that waits, for messages of watches: replies come first
constexpr auto kPatience = std::chrono::seconds(5);
constexpr int kFirstPause = 1, kLongestPause = 50;  // ms between tries, doubling while nobody reads

}  // namespace

Result<std::shared_ptr<DgramReplies>> DgramReplies::open(event_base* base, int socket, ControlCounters& counters, Log& log) {
  std::shared_ptr<DgramReplies> r(new DgramReplies(socket, counters, log));
  int size = kSendBuffer;
  setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);  // less is fine: largest_ knows
  socklen_t length = sizeof size;
  if (getsockopt(socket, SOL_SOCKET, SO_SNDBUF, &size, &length) != 0) size = 0;
  r->largest_ = std::min(kMaxReply, static_cast<size_t>(size) - std::min(static_cast<size_t>(size), kOverhead));
  r->timer_ = evtimer_new(base, &DgramReplies::try_again, r.get());
  if (r->timer_ == nullptr) return Error{Errc::no_memory, "control socket: no event"};
  return r;
}

DgramReplies::~DgramReplies() {
  for (auto& [address, queue] : waiting_) drop(address, queue, queue.size(), 0);
  if (timer_ != nullptr) event_free(timer_);
  close(socket_);
}

// 0, or why not.
static int send_from(int socket, const std::string& address, const std::string& text) {
  auto* to = reinterpret_cast<const sockaddr*>(address.data());
  auto size = static_cast<socklen_t>(address.size());
  return sendto(socket, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL, to, size) < 0 ? errno : 0;
}

int DgramReplies::send_now(const std::string& address, const std::string& text) const {
  int why = send_from(socket_, address, text);
  if (why != EAGAIN) return why;
  // What clients leave unread counts in our send buffer: one that does not read at all must not silence us for the
  // others. A socket of its own has a buffer of its own; it reaches every client that has not connect()ed.
  int own = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (own < 0) return why;
  why = send_from(own, address, text);
  close(own);
  return why == EPERM || why == EMSGSIZE ? EAGAIN : why;  // of that socket only
}

int DgramReplies::send_now(const std::string& address, const Waiting& w) const {
  if (!w.line) return send_now(address, w.text);
  return ::send(w.line->fd, w.text.data(), w.text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? errno : 0;
}

bool DgramReplies::send(const std::string& address, std::string&& text) {
  if (text.size() > largest_) return false;
  if (address.empty()) {
    count_lost(address, nullptr, ENOTCONN);
    return true;
  }
  return hand_over(address, {std::move(text), {}, nullptr, nullptr});
}

DgramReplies::Line::~Line() { close(fd); }

Result<PushLinePtr> DgramReplies::line_to(const std::string& address) {
  int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error{Errc::no_memory, strerror(errno)};
  auto line = std::make_shared<Line>(fd, address);
  int size = kSendBuffer;
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  if (connect(fd, reinterpret_cast<const sockaddr*>(address.data()), static_cast<socklen_t>(address.size())) != 0) {
    if (errno == EPERM) return Error{Errc::not_supported, "the client has connected its socket: sendto(2) is the way"};
    return Error{Errc::not_supported, strerror(errno)};
  }
  return PushLinePtr(std::move(line));
}

bool DgramReplies::push(const PushLinePtr& to, std::string&& text, const std::shared_ptr<PushState>& state) {
  auto line = std::static_pointer_cast<Line>(to);   // there are no others: line_to made it
  if (text.size() > largest_) return false;
  const std::string address = line->address;
  return hand_over(address, {std::move(text), {}, state, std::move(line)});
}

// Asks for the address. Where another client has taken it, that the first one has gone is found out when something is sent.
bool DgramReplies::anybody_at(const PushLine& to) const {
  const std::string& address = static_cast<const Line&>(to).address;
  int probe = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) return true;  // not known
  int rc = connect(probe, reinterpret_cast<const sockaddr*>(address.data()), static_cast<socklen_t>(address.size()));
  bool nobody = rc != 0 && (errno == ECONNREFUSED || errno == ENOENT);
  close(probe);
  return !nobody;
}

// Sends it at once, or queues it behind what waits for that client already. false: too large.
bool DgramReplies::hand_over(const std::string& address, Waiting&& w) {
  int why = waiting_.contains(address) ? EAGAIN : send_now(address, w);
  if (why == EMSGSIZE) return false;
  if (why == EAGAIN) {
    keep(address, std::move(w));
  } else if (why == 0) {
    count_sent(w.push != nullptr);
  } else {
    count_lost(address, w.push.get(), why);
  }
  return true;
}

void DgramReplies::count_sent(bool push) { push ? counters_.pushed++ : counters_.replies++; }

// why: an errno; EAGAIN: the client had no room; 0: the transport ends, which is not logged.
void DgramReplies::count_lost(const std::string& address, PushState* push, int why) {
  if (push == nullptr) {
    counters_.replies_dropped++;
  } else {
    counters_.pushes_lost++;
    push->lost++;
    push->gone |= why != 0 && why != EAGAIN && why != EMSGSIZE;
  }
  if (why != 0) undelivered_.to_socket(push ? UndeliveredLog::What::Notify : UndeliveredLog::What::Reply, address, why);
}

bool DgramReplies::has_room(const std::string& address, size_t size, bool push) const {
  auto found = waiting_.find(address);
  size_t queued = found == waiting_.end() ? 0 : found->second.size();
  if (push) return queued < kMaxPushes && octets_ + size <= kMaxPushOctets;
  return queued < kMaxPerClient && octets_ + size <= kMaxOctets;
}

void DgramReplies::keep(const std::string& address, Waiting&& w) {
  if (!has_room(address, w.text.size(), w.push != nullptr)) return count_lost(address, w.push.get(), EAGAIN);
  octets_ += w.text.size();
  w.until = std::chrono::steady_clock::now() + kPatience;
  waiting_[address].push_back(std::move(w));
  if (pause_ms_ == 0) {
    pause_ms_ = kFirstPause;
    arm();
  }
}

void DgramReplies::arm() {
  timeval tv = {0, pause_ms_ * 1000};
  evtimer_add(timer_, &tv);
}

void DgramReplies::try_again(int, short, void* self) {
  auto* r = static_cast<DgramReplies*>(self);
  const Time now = std::chrono::steady_clock::now();
  bool moved = false;
  for (auto it = r->waiting_.begin(); it != r->waiting_.end();) {
    moved |= r->drain(it->first, it->second, now);
    it = it->second.empty() ? r->waiting_.erase(it) : std::next(it);
  }
  r->pause_ms_ = r->waiting_.empty() ? 0 : moved ? kFirstPause : std::min(r->pause_ms_ * 2, kLongestPause);
  if (r->pause_ms_ != 0) r->arm();
}

// Sends what this client takes; true: it took something.
bool DgramReplies::drain(const std::string& address, Queue& queue, Time now) {
  bool moved = false;
  while (!queue.empty()) {
    int why = send_now(address, queue.front());
    if (why == 0) {
      octets_ -= queue.front().text.size();
      count_sent(queue.front().push != nullptr);
      queue.pop_front();
      moved = true;
    } else if (why == EAGAIN) {
      size_t late = 0;
      while (late < queue.size() && queue[late].until <= now) late++;
      drop(address, queue, late, EAGAIN);
      break;
    } else {
      drop(address, queue, 1, why);   // what stands behind it may be for another client of that name
    }
  }
  return moved;
}

void DgramReplies::drop(const std::string& address, Queue& queue, size_t count, int why) {
  for (; count > 0; count--) {
    octets_ -= queue.front().text.size();
    count_lost(address, queue.front().push.get(), why);
    queue.pop_front();
  }
}

}  // namespace pua
