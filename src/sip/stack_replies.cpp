// SipStack::Core: what comes back for a request, and what comes by itself.
#include <sofia-sip/nta.h>
#include <sofia-sip/sip.h>

#include "sip/reply.h"
#include "sip/stack_core.h"

namespace pua {

// --- of the lane ------------------------------------------------------------------------------------------------------------------

void SipStack::Core::on_plain_reply(uint64_t token, SipReply& reply) {
  Txn* t = txns_.find(token);
  if (!t) return;
  Call call(*this);
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
  if (!incoming_ || state_ != State::Open) return;
  Call call(*this);
  incoming_->take(message, from, true, now, out);
}

NotifyAnswer SipStack::Core::on_notify(const NotifyRequest& request, MonoMs now) {
  Call call(*this);
  if (!notifies_) return {481, "Subscription Does Not Exist", ""};
  return notifies_->on_notify(request, now);
}

// --- of sofia ---------------------------------------------------------------------------------------------------------------------

void SipStack::Core::on_final(uint64_t token, int status, const char* phrase, const sip_s* sip, msg_s* msg) {
  Txn* t = txns_.find(token);
  if (!t) return;
  Call call(*this);
  if (sip && msg && !nta_sip_is_internal(sip)) {
    parsed(*t, sip, msg);
  } else if (status == 408) {
    if (!try_next(*t, 0)) complete_synthetic(*t, 408, ReplyOrigin::Timeout, "Request Timeout");
  } else if (status >= 700) {   // nua's own codes: the request could not be made
    log_.warning("sip: a request could not be sent: %d %s", status, phrase ? phrase : "");
    complete_synthetic(*t, 500, ReplyOrigin::Local, phrase ? phrase : "");
  } else {
    if (status == 416) log_.warning("sip: a request could not be sent: %d %s", status, phrase ? phrase : "");   // sips: without TLS
    if (!try_next(*t, 0)) complete_synthetic(*t, 503, ReplyOrigin::Transport, phrase ? phrase : "");
  }
}

// --- for both ---------------------------------------------------------------------------------------------------------------------

void SipStack::Core::parsed(Txn& t, const sip_s* sip, msg_s* msg) {
  int status = sip->sip_status->st_status;
  if ((status == 401 || status == 407) && answer_challenge(t, sip)) return;
  SipReply reply;
  read_reply(msg, sip, reply);
  // 503 is the server's way to say that another one is to be asked (RFC 3261 section 21.5.4).
  if (status == 503 && try_next(t, reply.retry_after)) return;
  if (status != 503 && t.servers && t.servers->size() > 1) locator_->works((*t.servers)[t.server]);
  complete(t, reply);
}

// 401 or 407. true: sent again.
bool SipStack::Core::answer_challenge(Txn& t, const sip_s* sip) {
  if (!digest_->has_credentials() || t.kept.view().uri.empty() || state_ != State::Open) return false;
  auto way = way_of(t.kept.view());
  if (!way) return false;
  auto verdict = digest_->challenge(sip, {way->target.host, way->hop.host}, t.trail);
  if (verdict != Digest::Verdict::Retry) {
    log_.info("sip: %.*s asks for credentials: %s", static_cast<int>(way->hop.host.size()), way->hop.host.data(),
              verdict == Digest::Verdict::Rejected ? "ours were refused" : "none fit");
    return false;
  }
  let_go(t);
  t.tries++;
  if (!again(t, t.cseq + 1)) return false;
  counters_.auth_retries++;
  return true;
}

void SipStack::Core::let_go(Txn& t) {
  if (t.lane.alive()) lane_->drop(t.lane);
  if (t.locating) locator_->cancel(txns_.token(t));
  if (t.out) Listener::drop(t.out);
  if (t.handle.nh) t.endpoint->drop(t.handle);
  t.lane = {};
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

void SipStack::Core::complete_synthetic(Txn& t, int status, ReplyOrigin origin, std::string_view reason) {
  SipReply reply;
  reply.status = status;
  reply.origin = origin;
  reply.reason = reason;
  complete(t, reply);
}

}  // namespace pua
