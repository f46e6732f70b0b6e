// SipStack::Core: what comes back for a request, and what comes by itself.
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_status.h>

#include <algorithm>
#include <cstring>

#include "sip/reply.h"
#include "sip/stack_core.h"

namespace pua {

// --- of the lane -----------------------------------------------------------------------------------------------------

void SipStack::Core::on_plain_reply(uint64_t token, SipReply& reply) {
  Txn* t = txns_.find(token);
  if (!t) return;
  Call call(*this);
  digest_->accepted(t->trail);   // only a 2xx is read without a parser
  if (t->servers->size() > 1) locator_->works((*t->servers)[t->server]);
  complete(*t, reply);
}

void SipStack::Core::on_parsed_reply(uint64_t token, const sip_s* sip, msg_s* msg) {
  Txn* t = txns_.find(token);
  if (!t) return;
  Call call(*this);
  parsed(*t, sip, msg);
}

void SipStack::Core::on_no_reply(uint64_t token, ReplyOrigin origin, std::string_view reason) {
  Txn* t = txns_.find(token);
  if (!t) return;
  Call call(*this);
  if (!try_next(*t, 0)) complete_synthetic(*t, origin == ReplyOrigin::Timeout ? 408 : 503, origin, reason);
}

void SipStack::Core::on_request(std::string_view message, NetAddress& from, MonoMs now, std::string& out) {
  if (state_ != State::Open) return;
  Call call(*this);
  incoming_->take(message, from, true, now, out);
}

// The same over a connection.
void SipStack::Core::take(std::string_view message, const Peer& from, MonoMs now, std::string& out) {
  if (state_ != State::Open) return;
  Call call(*this);
  NetAddress to(from.address);
  incoming_->take(message, to, false, now, out);
}

bool SipStack::Core::take_head(std::string_view head, uint64_t left_out, const Peer& from, MonoMs now, std::string& out) {
  if (state_ != State::Open) return false;
  Call call(*this);
  NetAddress to(from.address);
  return incoming_->take_head(head, left_out, to, now, out);
}

void SipStack::Core::turned_away(std::string_view head, const Peer& from, int status, const char* reason, MonoMs now) {
  if (state_ != State::Open) return;
  Call call(*this);
  incoming_->turned_away(head, NetAddress(from.address), status, reason, now);
}

NotifyAnswer SipStack::Core::on_notify(const NotifyRequest& request, MonoMs now) {
  Call call(*this);
  if (!notifies_) return {481, "Subscription Does Not Exist", ""};
  return notifies_->on_notify(request, now);
}

void SipStack::Core::on_unreadable(const NotifyRequest& request, const NotifyAnswer& answer, MonoMs now) {
  Call call(*this);
  if (notifies_) notifies_->on_unreadable(request, answer, now);
}

// --- of sofia --------------------------------------------------------------------------------------------------------

void SipStack::Core::on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg, bool ours) {
  Txn* t = txns_.find(token);
  if (!t) return;
  Call call(*this);
  if (sip && msg && !nta_sip_is_internal(sip)) {
    sockaddr_storage from{};
    memcpy(&from, &msg_addr(msg)->su_sa, std::min(sizeof from, sizeof(su_sockaddr_t)));
    if (from.ss_family == AF_INET || from.ss_family == AF_INET6) on_server(NetAddress(from));
    parsed(*t, sip, msg);
  } else if (status == 408) {
    if (!try_next(*t, 0)) complete_synthetic(*t, 408, ReplyOrigin::Timeout, "Request Timeout");
  } else if (status >= 700) {   // sofia's own codes: the request could not be made
    complete_synthetic(*t, 500, ReplyOrigin::Local, phrase ? phrase : "");
  } else {
    if (!try_next(*t, 0)) complete_synthetic(*t, 503, ReplyOrigin::Transport, phrase ? phrase : "", ours);
  }
}

// --- for both --------------------------------------------------------------------------------------------------------

void SipStack::Core::parsed(Txn& t, const sip_s* sip, msg_s* msg) {
  int status = sip->sip_status->st_status;
  if (Digest::reads(status) && answer_challenge(t, sip)) return;
  if (status < 300) digest_->accepted(t.trail);
  SipReply reply;
  read_reply(msg, sip, reply);
  // 503 is the server's way to say that another one is to be asked (RFC 3261 section 21.5.4).
  if (status == 503 && try_next(t, reply.retry_after)) return;
  if (status != 503 && t.servers && t.servers->size() > 1) locator_->works((*t.servers)[t.server]);
  complete(t, reply);
}

// A reply that may be about credentials. true: sent again.
bool SipStack::Core::answer_challenge(Txn& t, const sip_s* sip) {
  if (state_ != State::Open) return false;
  if (!digest_->has_credentials()) {
    digest_->challenge(sip, {}, t.trail, now_());  // for what it says of it in the log
    return false;
  }
  if (t.kept.view().uri.empty()) return false;     // it was sent before there were credentials
  auto way = way_of(t.kept.view());
  if (!way || digest_->challenge(sip, {way->target, way->hop}, t.trail, now_()) != Digest::Verdict::Retry) return false;
  let_go(t);
  t.tries++;
  if (!again(t, t.cseq + 1)) return false;
  counters_.auth_retries++;
  return true;
}

void SipStack::Core::let_go(Txn& t) {
  if (t.lane) lane_->drop(t.lane);
  if (t.locating) locator_->cancel(txns_.token(t));
  if (t.out) Listener::drop(t.out);
  if (t.handle.nh) t.endpoint->drop(t.handle);
  t.lane = 0;
  t.locating = false;
  t.out = nullptr;
  t.handle = {};
}

void SipStack::Core::complete(Txn& t, SipReply& reply) {
  TxnId id = t.id;
  // How far digest took the CSeq: the caller goes on from there.
  if (t.first_cseq != t.cseq) reply.cseq = t.cseq;
  let_go(t);
  txns_.remove(t);
  sink_->on_reply(id, reply, now_());
}

void SipStack::Core::complete_synthetic(Txn& t, int status, ReplyOrigin origin, std::string_view reason, bool ours) {
  SipReply reply;
  reply.ours = ours;
  reply.status = status;
  reply.origin = origin;
  reply.reason = reason;
  complete(t, reply);
}

}  // namespace pua
