// Listener: SUBSCRIBEs that leave from the socket that their NOTIFYs come to. A server that sends NOTIFYs back to where the
// SUBSCRIBE came from, instead of to the Contact, or over the same connection, reaches us all the same.
#include <sofia-sip/nta.h>
#include <sofia-sip/nta_tag.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_tag.h>
#include <sofia-sip/su_wait.h>
#include <strings.h>

#include "sip/listener.h"
#include "sip/raw_message.h"

namespace pua {

struct Listener::Out {
  Listener* owner;
  uint64_t token;
  nta_outgoing_t* orq = nullptr;  // null: in the middle of its making
};

struct ListenerOut {
  static int call(nta_outgoing_magic_t* magic, nta_outgoing_t* orq, sip_t const* sip) {
    auto* out = reinterpret_cast<Listener::Out*>(magic);
    int status = nta_outgoing_status(orq);
    if (status < 200) return 0;
    if (!out->orq) {
      later(out, status);
      return 0;
    }
    msg_t* msg = nta_outgoing_getresponse(orq);
    const char* phrase = sip && sip->sip_status ? sip->sip_status->st_phrase : nullptr;
    out->owner->out_sink_->on_final(out->token, status, phrase, sip, msg);  // the sink drops `out`
    if (msg) msg_destroy(msg);
    return 0;
  }

  // Ended while it was being made (a socket that refused at once): nobody wants to hear of it inside send().
  struct Late {
    Listener* owner;
    uint64_t token;
    int status;
  };
  static void later(Listener::Out* out, int status) {
    su_msg_r msg = SU_MSG_R_INIT;
    su_root_t* root = out->owner->root_;
    if (su_msg_create(msg, su_root_task(root), su_root_task(root), tell, sizeof(Late)) != 0) return;  // the guard ends it
    *reinterpret_cast<Late*>(su_msg_data(msg)) = {out->owner, out->token, status};
    su_msg_send(msg);
  }
  static void tell(su_root_magic_t*, su_msg_r msg, su_msg_arg_t*) {
    // The owner is there: its own end is a message behind this one.
    const Late* l = reinterpret_cast<const Late*>(su_msg_data(msg));
    l->owner->out_sink_->on_final(l->token, l->status, nullptr, nullptr, nullptr);
  }
};

bool Listener::fits(const Target& t) const {
  return secure_ == t.secure && (t.family == Target::Family::Any || family_ == Target::Family::Any || family_ == t.family);
}

bool Listener::serves(const Target& t) const {
  if (!fits(t) || secure_) return fits(t);
  std::string_view transport = uri_param(t, "transport");
  auto is = [&](const char* name) { return transport.size() == 3 && strncasecmp(transport.data(), name, 3) == 0; };
  if (transport.empty()) return udp_ && (tcp_ || t.family != Target::Family::Any);  // of a name the DNS may say TCP
  return (is("udp") && udp_) || (is("tcp") && tcp_);
}

Listener::Out* Listener::send(const Endpoint::Request& r) {
  msg_t* msg = nta_msg_create(agent_, 0);
  sip_t* sip = msg ? sip_object(msg) : nullptr;
  if (!sip) return nullptr;
  sip_payload_t payload[1];
  sip_payload_init(payload);
  payload->pl_data = const_cast<char*>(r.body.data());
  payload->pl_len = r.body.size();
  RawMessage raw(r.uri, r.headers);
  sip_request_t* line = sip_request_create(msg_home(msg), sip_method_code(r.method), r.method, raw.uri(), nullptr);
  if (!line || msg_header_insert(msg, reinterpret_cast<msg_pub_t*>(sip), reinterpret_cast<msg_header_t*>(line)) < 0 ||
      sip_add_tl(msg, sip, SIPTAG_MAX_FORWARDS_STR("70"), TAG_IF(!r.body.empty(), SIPTAG_PAYLOAD(payload)), TAG_NEXT(raw.tags())) < 0 ||
      sip_add_tl(msg, sip, TAG_IF(!user_agent_.empty() && !sip->sip_user_agent, SIPTAG_USER_AGENT_STR(user_agent_.c_str())), TAG_END()) < 0) {
    msg_destroy(msg);
    return nullptr;
  }
  auto* out = new Out{this, r.token};
  std::string branch(r.branch);
  out->orq = nta_outgoing_mcreate(agent_, ListenerOut::call, reinterpret_cast<nta_outgoing_magic_t*>(out),
                                  URL_STRING_MAKE(r.proxy), msg,
                                  TAG_IF(!branch.empty(), NTATAG_BRANCH_KEY(branch.c_str())), TAG_END());
  if (out->orq) return out;
  msg_destroy(msg);  // nta takes it only with the transaction
  delete out;
  return nullptr;
}

void Listener::drop(Out* out) {
  nta_outgoing_destroy(out->orq);
  delete out;
}

}  // namespace pua
