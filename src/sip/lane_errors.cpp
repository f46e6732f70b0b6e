// UdpLane: errors of the network (ICMP) that come back for datagrams. Anybody can forge them: only those that bring a branch of
// ours back count.
#include <cerrno>
#include <cstring>
#include <ctime>

#include <linux/errqueue.h>  // wants <ctime>
#include <linux/icmp.h>
#include <linux/icmpv6.h>

#include "sip/lane_batch.h"

namespace pua {
namespace {

constexpr unsigned kErrorBatches = 4;      // of errors that are read in a turn
constexpr size_t kLongestUdp = 65507;
constexpr MonoMs kDeafMs = 1000;
// How often a datagram is tried. After kTries it is found out whether the errors are its own; if not, it is tried on.
constexpr unsigned kTries = 4, kMostTries = 64;

// Whether this errno may be about an earlier datagram: the system turns ICMP messages into these.
bool may_be_told(int error) {
  switch (error) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPROTO:
    case EACCES:
    case EMSGSIZE: return true;
    default: return false;
  }
}

// Whether it says that a host or a port cannot be reached. A datagram that was too long for one packet (EMSGSIZE) goes out in
// fragments the next time; time exceeded and source quench are to be ignored (RFC 3261 section 18.4).
bool is_failure(const sock_extended_err& e) {
  if (e.ee_errno == EMSGSIZE) return false;
  if (e.ee_origin == SO_EE_ORIGIN_ICMP) return e.ee_type != ICMP_TIME_EXCEEDED && e.ee_type != ICMP_SOURCE_QUENCH;
  return e.ee_origin != SO_EE_ORIGIN_ICMP6 || e.ee_type != ICMPV6_TIME_EXCEED;
}

// The errno of a queued error, 0: it does not count.
int error_of(msghdr& h) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
    if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
        (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
      if (auto* e = reinterpret_cast<sock_extended_err*>(CMSG_DATA(c)); is_failure(*e)) return static_cast<int>(e->ee_errno);
  return 0;
}

}  // namespace

// Sends the first n of the batch. Returns how many have left; negative: none, and errno is the error of the first one itself;
// 0: the first one counts as lost on the way, and its timers go on.
//
// The system reports an error of an earlier datagram to whoever sends next (it is in the queue of errors, too), and where
// somebody forges them there is always one. Sending again shows whose it is; if that does not, a socket that has sent nothing
// does (has_way). At half a million forged errors a second every second try fails: a try takes a microsecond, and a request
// that is given up here waits half a second for its repetition.
int UdpLane::push(Watched& w, unsigned n) {
  hear_again(w, now_());
  for (unsigned tries = 1; tries <= kMostTries; tries++) {
    int sent = sendmmsg(w.socket->fd(), batch_->out, n, 0);
    if (sent >= 0 || !may_be_told(errno)) return sent;
    if (tries != kTries) continue;
    int error = errno;
    const auto& to = *static_cast<const NetAddress*>(batch_->out[0].msg_hdr.msg_name);
    bool own = error == EMSGSIZE ? batch_->out_part[0].iov_len > kLongestUdp : !has_way(to);
    errno = error;
    if (own) return -1;
  }
  return 0;
}

void UdpLane::send_failed(Waiting& q, int error) {
  counters_.network_errors++;
  LaneTxn* t = txns_.of(q.txn);
  if (!t) return;
  fail(*t, ReplyOrigin::Transport,
       error == EMSGSIZE ? "the request is longer than UDP takes" : q.to.text() + ": " + strerror(error));
}

// The network device takes no more. The datagram counts as lost on the way, and its timers go on: waiting for the socket to be
// writable would not help, for it always is then.
void UdpLane::no_room(Watched& w) {
  counters_.network_errors++;
  MonoMs now = now_();
  if (w.full.begins(now))
    log_.warning("sip: %s: the network device takes no more datagrams, they are lost", w.socket->local().text().c_str());
  look_for_calm(w, now);
}

// Reads the queue of errors (ICMP). Each error brings the beginning of the datagram back, and with it the branch.
void UdpLane::read_errors(Watched& w) {
  alignas(cmsghdr) char control[kLaneBatch][256];
  NetAddress to[kLaneBatch];
  mmsghdr in[kLaneBatch];
  bool any_ours = false;
  for (unsigned turn = 0; turn < kErrorBatches; turn++) {
    for (unsigned i = 0; i < kLaneBatch; i++) {
      in[i] = {};
      in[i].msg_hdr.msg_name = &to[i].any;
      in[i].msg_hdr.msg_namelen = sizeof to[i].v6;
      in[i].msg_hdr.msg_iov = &batch_->in_part[i];
      in[i].msg_hdr.msg_iovlen = 1;
      in[i].msg_hdr.msg_control = control[i];
      in[i].msg_hdr.msg_controllen = sizeof control[i];
    }
    int n = recvmmsg(w.socket->fd(), in, kLaneBatch, MSG_ERRQUEUE | MSG_DONTWAIT, nullptr);
    for (int i = 0; i < n; i++) {
      any_ours |=
          take_error(w, {static_cast<char*>(batch_->in_part[i].iov_base), in[i].msg_len}, error_of(in[i].msg_hdr), to[i]);
      if (closed_) return;
    }
    if (n < static_cast<int>(kLaneBatch)) return;
  }
  if (!any_ours) stop_hearing(w);
}

// Somebody forges errors faster than they are read, and each is reported to whoever sends or receives next. For a while none is
// looked at: requests to hosts that cannot be reached then end by their timers.
void UdpLane::stop_hearing(Watched& w) {
  w.socket->tell_errors(false);
  MonoMs now = now_();
  w.deaf_until = now + kDeafMs;
  counters_.errors_unheard++;
  if (w.forged.begins(now))
    log_.warning(
        "sip: %s: too many errors of the network (ICMP) belong to no request of ours, they are ignored a second at a time",
        w.socket->local().text().c_str());
  look_for_calm(w, now);
}

void UdpLane::hear_again(Watched& w, MonoMs now) {
  if (!w.deaf_until || now < w.deaf_until) return;
  w.deaf_until = 0;
  w.socket->tell_errors(true);
}

// sent: the beginning of a datagram to `to`. Returns whether it was one of ours.
bool UdpLane::take_error(Watched& w, std::string_view sent, int error, const NetAddress& to) {
  counters_.network_errors++;
  size_t at = sent.find(";branch=");
  if (at == std::string_view::npos) return false;
  sent.remove_prefix(at + 8);
  LaneTxn* t = txns_.find(txns_.key_of(sent.substr(0, sent.find(';'))));
  if (!t || t->socket != w.number || !t->to.same_host(to)) return false;
  if (error) fail(*t, ReplyOrigin::Transport, t->to.text() + ": " + strerror(error));
  return true;
}

}  // namespace pua
