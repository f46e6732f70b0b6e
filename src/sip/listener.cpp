#include "sip/listener.h"

#include <sofia-sip/nta.h>
#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/nta_tport.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/sresolv.h>
#include <sofia-sip/su_wait.h>
#include <sofia-sip/tport.h>
#include <sofia-sip/tport_tag.h>
#include <strings.h>
#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "sip/header_text.h"
#include "sip/notify_parse.h"

namespace pua {
namespace {

// About 0.5 MB; at 1,000 NOTIFYs a second the repetitions after 0.5, 1.5 and 3.5 s find their answer.
constexpr size_t kMaxAnswers = 4096;
constexpr unsigned kPreload = 3000;    // first block of a message's memory
constexpr unsigned kTcpQueue = 1024;   // messages that wait for a connection that does not take them
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

struct ListenerCallback {
  static int call(nta_agent_magic_t* magic, nta_agent_t*, msg_t* msg, sip_t* sip) {
    reinterpret_cast<Listener*>(magic)->take(msg, sip);
    return 0;
  }

  static void end(su_root_magic_t*, su_msg_r msg, su_msg_arg_t*) {
    std::unique_ptr<Listener> owner(*reinterpret_cast<Listener**>(su_msg_data(msg)));  // retire() gave it to this message
    auto gone = std::move(owner->gone_);
    owner.reset();
    if (gone) gone();
  }
};

Listener::Listener(const SipSettings& s, NotifySink& sink, EndpointSink& out_sink, std::function<MonoMs()> now)
    : sink_(&sink), out_sink_(&out_sink), user_agent_(s.user_agent), now_(std::move(now)),
      answers_(kMaxAnswers, 64 * static_cast<int64_t>(s.t1_ms)) {
  if (getrandom(&key_, sizeof key_, 0) != static_cast<ssize_t>(sizeof key_))
    key_ = {reinterpret_cast<uintptr_t>(this), static_cast<uint64_t>(now_())};
}

Listener::~Listener() {
  if (end_) su_msg_destroy(&end_);
  if (agent_) nta_agent_destroy(agent_);
}

Result<std::unique_ptr<Listener>> Listener::create(su_root_s* root, const SipSettings& s, const std::string& uri,
                                                   NotifySink& sink, EndpointSink& out_sink, std::function<MonoMs()> now) {
  std::unique_ptr<Listener> l(new Listener(s, sink, out_sink, std::move(now)));
  if (auto st = l->open(root, s, uri); !st) return st.error();
  return l;
}

Status Listener::open(su_root_s* root, const SipSettings& s, const std::string& uri) {
  secure_ = uri.size() > 5 && strncasecmp(uri.c_str(), "sips:", 5) == 0;
  if (auto st = Endpoint::check_address(s, uri, secure_); !st) return st;
  root_ = root;
  // Made now, so that the end cannot fail.
  if (su_msg_create(&end_, su_root_task(root), su_root_task(root), ListenerCallback::end, sizeof(Listener*)) != 0)
    return {Errc::no_memory, "no memory for a SIP listener"};
  errno = 0;
  agent_ = nta_agent_create(
      root, URL_STRING_MAKE(uri.c_str()), ListenerCallback::call, reinterpret_cast<nta_agent_magic_t*>(this),
      TAG_IF(secure_, TPTAG_CERTIFICATE(s.tls_dir.c_str())),
      TPTAG_TLS_VERIFY_POLICY(s.tls_verify ? TPTLS_VERIFY_SUBJECTS_OUT : TPTLS_VERIFY_NONE),
      TPTAG_UDP_RMEM(s.udp_buffer), TPTAG_UDP_WMEM(s.udp_buffer), TPTAG_QUEUESIZE(kTcpQueue), TPTAG_LOG(0),
      TPTAG_STUN_SERVER(0),
      NTATAG_UA(1), NTATAG_MAXSIZE(s.max_message), NTATAG_PRELOAD(kPreload),
      NTATAG_BAD_REQ_MASK(0),  // what cannot be read is named by us
      NTATAG_MCLASS(message_class()),
      // The rest is for what goes out; reasons are in endpoint.
      NTATAG_BAD_RESP_MASK(sip_mask_response), NTATAG_CLIENT_RPORT(1), NTATAG_SIP_T1(s.t1_ms), NTATAG_SIP_T2(8 * s.t1_ms),
      NTATAG_SIP_T1X64(64 * s.t1_ms), NTATAG_SIP_T4(Endpoint::kT4Ms), NTATAG_TIMEOUT_408(0),
      NTATAG_UDP_MTU(Endpoint::kUdpMtu),
      TAG_IF(!s.resolv_conf.empty(), SRESTAG_RESOLV_CONF(s.resolv_conf.c_str())), TAG_END());
  if (!agent_) {
    int e = errno;
    return {Errc::sip_failed, "cannot listen on " + uri + (e ? std::string(": ") + strerror(e) : "")};
  }
  read_address(*parse_target(uri));
  return success();
}

void Listener::read_address(const Target& asked) {
  std::string host, port;
  for (tport_t* tp = tport_primaries(nta_agent_tports(agent_)); tp; tp = tport_next(tp)) {
    const tp_name_t* name = tport_name(tp);
    if (same(name->tpn_proto, "udp")) udp_ = true;
    if (same(name->tpn_proto, "tcp")) tcp_ = true;
    port = name->tpn_port ? name->tpn_port : "";
    host = name->tpn_canon ? name->tpn_canon : name->tpn_host;
  }
  contact_ = "sip:" + host + (port.empty() ? "" : ":" + port);
  if (secure_) contact_ += ";transport=tls";
  else if (!udp_) contact_ += ";transport=tcp";
  family_ = host.find(':') != std::string::npos ? Target::Family::V6 : asked.family;
}

// --- requests -----------------------------------------------------------------------------------------------------------

void Listener::take(msg_s* msg, const sip_s* sip) {
  if (state_ != State::Open || !sip->sip_request || sip->sip_request->rq_method == sip_method_ack) {
    nta_msg_discard(agent_, msg);
    return;
  }
  NotifyAnswer a;
  switch (sip->sip_request->rq_method) {
    case sip_method_notify: a = notified(sip); break;
    case sip_method_options: a = {200, "OK", kAllow}; break;
    case sip_method_cancel: a = refuse(481, "Call/Transaction Does Not Exist"); break;
    case sip_method_unknown: a = refuse(501, "Not Implemented"); break;
    default: a = refuse(405, "Method Not Allowed"); break;
  }
  std::string phrase = phrase_of(a.reason);
  nta_msg_treply(agent_, msg, a.status, phrase.c_str(), TAG_IF(!a.headers.empty(), SIPTAG_HEADER_STR(a.headers.c_str())),
                 TAG_END());
}

NotifyAnswer Listener::refuse(int status, const char* reason) {
  refused_++;
  return {status, reason, status == 481 ? "" : kAllow};
}

uint64_t Listener::refused() const {
  usize_t by_sofia = 0;
  nta_agent_get_stats(agent_, NTATAG_S_BAD_REQUEST_REF(by_sofia), TAG_END());
  return refused_ + by_sofia;
}

NotifyAnswer Listener::notified(const sip_s* sip) {
  MonoMs now = now_();
  // Over a connection nothing is repeated (timer J is 0 there).
  bool may_repeat = sip->sip_via && same(sip->sip_via->v_protocol, "SIP/2.0/UDP");
  NotifyText text;
  NotifyRequest request;
  if (auto answer = read_notify(sip, text, request)) {
    refused_++;
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
  Listener* self = l.release();  // ListenerCallback::end() takes it back
  self->state_ = State::Retiring;
  self->gone_ = std::move(gone);
  *reinterpret_cast<Listener**>(su_msg_data(&self->end_)) = self;
  su_msg_send(&self->end_);  // as a message: the agent may be on the stack
}

}  // namespace pua
