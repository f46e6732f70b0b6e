#include "sip/listener.h"

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_tag.h>
#include <strings.h>
#include <sys/random.h>

#include "sip/notify_parse.h"
#include "sip/su_streams.h"

namespace pua {
namespace {

// About 0.5 MB; at 1,000 NOTIFYs a second the repetitions after 0.5, 1.5 and 3.5 s find their answer.
constexpr size_t kMaxAnswers = 4096;
constexpr const char* kAllow = "Allow: NOTIFY\r\n";

bool same(const char* a, const char* b) { return a && b && strcasecmp(a, b) == 0; }

// A field that goes into our answer: one line.
std::string phrase_of(const std::string& reason) {
  std::string out = reason;
  for (char& c : out)
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  return out;
}

}  // namespace

Listener::Listener(const SipSettings& s, NotifySink& sink, std::function<MonoMs()> now)
    : sink_(&sink), now_(std::move(now)), answers_(kMaxAnswers, 64 * static_cast<int64_t>(s.t1_ms)) {
  if (getrandom(&key_, sizeof key_, 0) != static_cast<ssize_t>(sizeof key_))
    key_ = {reinterpret_cast<uintptr_t>(this), static_cast<uint64_t>(now_())};
}

Result<std::unique_ptr<Listener>> Listener::create(su_root_s* root, const SipSettings& s, const std::string& uri,
                                                   NotifySink& sink, EndpointSink& out_sink, std::function<MonoMs()> now) {
  std::unique_ptr<Listener> l(new Listener(s, sink, std::move(now)));
  l->secure_ = uri.size() > 5 && strncasecmp(uri.c_str(), "sips:", 5) == 0;
  auto agent = SofiaAgent::create(root, s, l->secure_ ? "" : uri, l->secure_ ? uri : "", *l, out_sink);
  if (!agent) return agent.error();
  l->agent_ = std::move(*agent);
  l->read_address(uri);
  return l;
}

void Listener::read_address(const std::string& uri) {
  Target asked = *parse_target(uri);
  const SofiaAgent::Address& a = secure_ ? agent_->secure() : agent_->plain();
  contact_ = "sip:" + a.host + (a.port.empty() ? "" : ":" + a.port);
  if (secure_) contact_ += ";transport=tls";
  else if (std::string_view t = uri_param(asked, "transport"); t.size() == 3 && strncasecmp(t.data(), "tcp", 3) == 0)
    contact_ += ";transport=tcp";
  family_ = a.host.find(':') != std::string::npos ? Target::Family::V6 : asked.family;
}

bool Listener::fits(const Target& t) const {
  return secure_ == t.secure && (t.family == Target::Family::Any || family_ == Target::Family::Any || family_ == t.family);
}

bool Listener::serves(const Target& t) const {
  if (!fits(t) || secure_) return fits(t);
  std::string_view transport = uri_param(t, "transport");
  auto is = [&](const char* name) { return transport.size() == 3 && strncasecmp(transport.data(), name, 3) == 0; };
  bool udp = agent_->udp(), tcp = agent_->tcp();
  if (transport.empty()) return udp && (tcp || t.family != Target::Family::Any);  // of a name the DNS may say TCP
  return (is("udp") && udp) || (is("tcp") && tcp);
}

// --- requests -----------------------------------------------------------------------------------------------------------

void Listener::on_request(nta_agent_s* nta, msg_s* msg, const sip_s* sip) {
  if (state_ != State::Open || sip->sip_request->rq_method == sip_method_ack) {
    nta_msg_discard(nta, msg);
    return;
  }
  NotifyAnswer a;
  switch (sip->sip_request->rq_method) {
    case sip_method_notify: a = notified(sip, peer_text(&msg_addr(msg)->su_sa)); break;
    case sip_method_options: a = {200, "OK", kAllow}, others_++; break;
    case sip_method_cancel: a = refuse(481, "Call/Transaction Does Not Exist"); break;
    case sip_method_unknown: a = refuse(501, "Not Implemented"); break;
    default: a = refuse(405, "Method Not Allowed"); break;
  }
  if (sip->sip_request->rq_method != sip_method_notify && !agent_->may_answer(nta, msg)) {
    nta_msg_discard(nta, msg);
    return;
  }
  std::string phrase = phrase_of(a.reason);
  nta_msg_treply(nta, msg, a.status, phrase.c_str(),
                 TAG_IF(!a.headers.empty(), SIPTAG_HEADER_STR(a.headers.c_str())), TAG_END());
}

NotifyAnswer Listener::refuse(int status, const char* reason) {
  others_++;
  return {status, reason, status == 481 ? "" : kAllow};
}

NotifyAnswer Listener::notified(const sip_s* sip, const std::string& sender) {
  MonoMs now = now_();
  // Over a connection nothing is repeated (timer J is 0 there).
  bool may_repeat = sip->sip_via && same(sip->sip_via->v_protocol, "SIP/2.0/UDP");
  NotifyText text;
  NotifyRequest request;
  request.sender = sender;
  if (auto answer = read_notify(sip, text, request)) {
    refused_++;
    if (!request.call_id.empty()) sink_->on_unreadable(request, *answer, now);
    return std::move(*answer);
  }
  uint64_t key = may_repeat ? key_of(sip) : 0;
  if (may_repeat)
    if (const NotifyAnswer* known = answers_.find(key, now)) {
      repeated_++;
      return *known;
    }
  NotifyAnswer a = sink_->on_notify(request, now);
  if (may_repeat && state_ == State::Open) answers_.keep(key, a, now);
  return a;
}

// Two requests are the same one where all of this is (RFC 3261 section 17.2.3, and of RFC 2543 what the branch may lack).
uint64_t Listener::key_of(const sip_s* sip) const {
  auto text = [](const char* s) { return s ? std::string_view(s) : std::string_view(); };
  const sip_via_t* v = sip->sip_via;
  SipHash h(key_);
  h.add(text(v->v_branch)).add(text(v->v_host)).add(text(v->v_port)).add(text(sip->sip_call_id->i_id));
  h.add(text(sip->sip_from->a_tag)).add(text(sip->sip_to->a_tag)).add(sip->sip_cseq->cs_seq);
  return h.finish();
}

// --- the end ------------------------------------------------------------------------------------------------------------

void Listener::retire(std::unique_ptr<Listener> l, std::function<void()> gone) {
  if (!l) return;
  Listener* self = l.release();
  self->state_ = State::Retiring;
  self->agent_->end([self, gone = std::move(gone)] {
    delete self;
    if (gone) gone();
  });
}

}  // namespace pua
