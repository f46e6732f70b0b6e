#include "sip/endpoint.h"

#include <sofia-sip/nta_stateless.h>
#include <sofia-sip/sip_protos.h>
#include <sofia-sip/su_tag.h>
namespace pua {

Result<std::unique_ptr<Endpoint>> Endpoint::create(su_root_s* root, const SipSettings& s, const std::string& sip_uri,
                                                   const std::string& sips_uri, EndpointSink& sink) {
  std::unique_ptr<Endpoint> e(new Endpoint);
  auto agent = SofiaAgent::create(root, s, sip_uri, sips_uri, *e, sink);
  if (!agent) return agent.error();
  e->agent_ = std::move(*agent);
  e->plain_ = !sip_uri.empty();
  e->secure_ = !sips_uri.empty();
  e->family_ = parse_target(e->plain_ ? sip_uri : sips_uri)->family;
  return e;
}

bool Endpoint::serves(const Target& t) const {
  if (t.secure ? !secure_ : !plain_) return false;
  return t.family == Target::Family::Any || family_ == Target::Family::Any || t.family == family_;
}

// A server that sends a NOTIFY here believes in a subscription that does not exist: the 481 makes it end that.
void Endpoint::on_request(nta_agent_s* nta, msg_s* msg, const sip_s* sip) {
  strays_++;
  if (sip->sip_request->rq_method != sip_method_ack && agent_->may_answer(nta, msg)) {
    bool notify = sip->sip_request->rq_method == sip_method_notify;
    nta_msg_treply(nta, msg, notify ? 481 : 405, notify ? "Subscription Does Not Exist" : "Method Not Allowed",
                   TAG_END());
  } else {
    nta_msg_discard(nta, msg);
  }
}

void Endpoint::retire(std::unique_ptr<Endpoint> e, std::function<void()> gone) {
  if (!e) return;
  Endpoint* self = e.release();
  self->agent_->end([self, gone = std::move(gone)] {
    delete self;
    if (gone) gone();
  });
}

}  // namespace pua
