#include "sip/notify_address.h"

#include "sip/scan.h"

namespace pua {
namespace {

bool is_any(std::string_view host) { return host == "*" || host == "0.0.0.0" || host == "[::]"; }

int family_of(const Target& t) {
  if (t.family == Target::Family::V6) return AF_INET6;
  return t.family == Target::Family::V4 ? AF_INET : AF_UNSPEC;
}

}  // namespace

NotifyAddress::NotifyAddress(const std::string& uri, uint16_t port, std::vector<LaneSocket> sockets,
                             std::unique_ptr<Listener> agent)
    : sockets_(std::move(sockets)), agent_(std::move(agent)), port_(port) {
  Target asked = *parse_target(uri);
  transports_ = transports_of(asked);
  family_ = family_of(asked);
  any_ = is_any(asked.host);
  if (family_ == AF_UNSPEC && asked.host != "*" && !sockets_.empty()) family_ = sockets_.front().local.family();   // a name
  if (any_) host_ = machine_address(family_ == AF_INET6 ? AF_INET6 : AF_INET).host();
  else if (!sockets_.empty()) host_ = sockets_.front().local.host();
  else host_ = agent_ ? parse_target(agent_->contact())->host : asked.host;
  contact_ = any_ || !agent_ || !sockets_.empty() ? write(host_) : agent_->contact();
}

std::string NotifyAddress::write(const std::string& host) const {
  return "sip:" + host + ":" + std::to_string(port_) +
         (transports_.tls   ? ";transport=tls"
          : transports_.udp ? ""
                            : ";transport=tcp");
}

void NotifyAddress::contact_toward(const NetAddress& to, std::string& out) const {
  if (any_ && port_ && reaches(to.family())) out = write(source_toward(to).host());
  else out = contact_;
}

bool NotifyAddress::fits(const Target& t) const {
  if (transports_.tls != t.secure) return false;
  return t.family == Target::Family::Any || family_ == AF_UNSPEC || family_of(t) == family_;
}

bool NotifyAddress::serves(const Target& t) const {
  if (!fits(t) || transports_.tls) return fits(t);
  std::string_view transport = uri_param(t, "transport");
  if (transport.empty())
    return transports_.udp && (transports_.tcp || t.family != Target::Family::Any);  // of a name the DNS may say TCP
  return (same_word(transport, "udp") && transports_.udp) || (same_word(transport, "tcp") && transports_.tcp);
}

}  // namespace pua
