// UdpLane: what the network says of datagrams that were sent. Anybody can forge that (ICMP): only what names a branch of ours counts.
#include <cerrno>
#include <cstring>
#include <ctime>

#include <linux/errqueue.h>  // wants <ctime>

#include "sip/lane_batch.h"

namespace pua {
namespace {

constexpr unsigned kErrorBatches = 4;      // a turn
constexpr size_t kLongestUdp = 65507;

// Whether this may be of an earlier datagram: what ICMP messages are turned into.
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

int error_of(msghdr& h) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&h); c; c = CMSG_NXTHDR(&h, c))
    if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) || (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR))
      return static_cast<int>(reinterpret_cast<sock_extended_err*>(CMSG_DATA(c))->ee_errno);
  return 0;
}

}  // namespace

// Sends the first n of the batch. How many have left; negative: none, and errno says why, of the first one itself. 0: the first one is lost
// on the way, and its timers go on.
//
// An error of an earlier datagram is told to whoever sends next (the queue of errors has it, too), and where somebody forges them there
// is always one. Asking again shows whose it is; where that does not, a socket that has sent nothing does.
int UdpLane::push(Watched& w, unsigned n) {
  for (int i = 0; i < 4; i++) {
    int sent = sendmmsg(w.socket->fd(), batch_->out, n, 0);
    if (sent >= 0 || !may_be_told(errno)) return sent;
  }
  int error = errno;
  const auto& to = *static_cast<const NetAddress*>(batch_->out[0].msg_hdr.msg_name);
  bool own = error == EMSGSIZE ? batch_->out_part[0].iov_len > kLongestUdp : !has_way(to);
  if (!own) return 0;
  errno = error;
  return -1;
}

void UdpLane::send_failed(Waiting& q, int error) {
  counters_.network_errors++;
  if (!q.txn.alive()) return;
  fail(*q.txn.txn, ReplyOrigin::Transport, error == EMSGSIZE ? "the request is longer than UDP takes" : strerror(error));
}

// What ICMP said of datagrams of ours. Each error brings the beginning of the datagram back, and with it the branch.
void UdpLane::read_errors(Watched& w) {
  alignas(cmsghdr) char control[kLaneBatch][256];
  NetAddress to[kLaneBatch];
  mmsghdr in[kLaneBatch];
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
      take_error(w, {static_cast<char*>(batch_->in_part[i].iov_base), in[i].msg_len}, error_of(in[i].msg_hdr), to[i]);
      if (closed_) return;
    }
    if (n < static_cast<int>(kLaneBatch)) return;
  }
}

// sent: the beginning of a datagram to `to`.
void UdpLane::take_error(Watched& w, std::string_view sent, int error, const NetAddress& to) {
  if (error == 0 || error == EMSGSIZE) return;   // too long for one packet: it goes out in pieces the next time
  counters_.network_errors++;
  size_t at = sent.find(";branch=");
  if (at == std::string_view::npos) return;
  sent.remove_prefix(at + 8);
  LaneTxn* t = txns_.find(txns_.key_of(sent.substr(0, sent.find(';'))));
  if (t && t->socket == w.number && t->to.same_host(to)) fail(*t, ReplyOrigin::Transport, strerror(error));
}

}  // namespace pua
