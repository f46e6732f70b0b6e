// libFuzzer target: bytes as they might come from a server or a host, through the code that reads NOTIFYs and other requests
// of a dialog, and what it read through the code that sends it out again.
#include <sofia-sip/su_log.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "sip/notify_parse.h"
#include "sip/request.h"
#include "sip/route.h"

namespace {

void require(bool ok) {
  if (!ok) abort();
}

bool one_line(std::string_view s) { return s.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos; }
bool one_word(std::string_view s) { return one_line(s) && s.find_first_of(" \t") == std::string_view::npos; }

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  su_log_set_level(su_log_default, 0);
  std::string_view bytes(reinterpret_cast<const char*>(data), size);

  auto in = pua::parse_in_dialog(bytes);
  if (in) {
    require(one_word(in->call_id) && one_word(in->local_tag) && one_word(in->remote_tag));
    require(pua::parse_target(in->contact).ok());
  } else {
    require(in.code() == pua::Errc::bad_argument && !in.error().message.empty());
  }

  auto n = pua::parse_notify(bytes);
  if (!n) {
    require(n.code() == pua::Errc::bad_argument && !n.error().message.empty() && one_line(n.error().message));
    return 0;
  }
  const pua::NotifyRequest& r = n->request();
  if (n->refusal()) {
    require(n->refusal()->status > 400 && one_line(n->refusal()->reason) && one_word(r.call_id));
    return 0;
  }
  require(!r.call_id.empty() && !r.remote_tag.empty());
  for (std::string_view s : {r.call_id, r.local_tag, r.remote_tag, r.event, r.event_id, r.state, r.reason, r.contact})
    require(one_word(s));
  require(one_line(r.route_set) && one_line(r.content_type));
  require(r.expires >= -1 && r.expires <= 0xffffffff && r.retry_after >= -1 && r.retry_after <= 0xffffffff);
  require(r.body.size() <= size);

  // The dialog that this NOTIFY makes: its target and route set go out with the next SUBSCRIBE.
  pua::SipRequest q;
  q.method = "SUBSCRIBE";
  q.uri = r.contact.empty() ? std::string_view("sip:a@b") : r.contact;
  q.to_tag = r.remote_tag;
  q.from_tag = r.local_tag.empty() ? std::string_view("x") : r.local_tag;
  q.call_id = r.call_id;
  q.route_set = r.route_set;
  q.event = r.event;
  q.cseq = 1;
  require(pua::check_request(q).ok());
  pua::RoutedRequest routed;
  if (!r.route_set.empty() && !pua::follow_routes(q.uri, r.route_set, routed)) return 0;
  require(one_line(routed.uri) && one_line(routed.routes) && one_line(routed.hop));
  std::string lines;
  pua::write_headers(q, 1, routed.routes, "sip:c@d", lines);
  size_t count = 0;
  for (size_t end; (end = lines.find("\r\n")) != std::string::npos; count++) {
    require(end > 0 && one_line(std::string_view(lines).substr(0, end)));
    lines.erase(0, end + 2);
  }
  require(count == 5u + !q.event.empty() + !routed.routes.empty() && lines.empty());
  return 0;
}
