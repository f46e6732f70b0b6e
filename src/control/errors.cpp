#include "control/errors.h"

#include "base/errc.h"

namespace pua {

void answer_failure(Call& call, const Outcome& o) {
  static constexpr std::string_view kOrigins[] = {"", "timeout", "transport", "shutdown", "local"};
  std::string detail(kOrigins[static_cast<size_t>(o.origin)]);
  // Whoever reads "503" takes the request for lost, and would repeat it again and again.
  if (o.kept) detail += detail.empty() ? "kept and tried again" : "; kept and tried again";
  if (o.status >= 300) return call.error(o.status, o.reason, detail);
  call.error(503, "Nothing granted (" + std::to_string(o.status) + " " + std::string(o.reason) + ")", detail);
}

void answer_error(Call& call, const Error& error, std::string_view failed) {
  std::string_view text =
      error.message.empty() ? std::string_view(errc_text(error.code)) : std::string_view(error.message);
  switch (error.code) {
    case Errc::bad_uri:  // the message begins with the field's name
      if (text.starts_with("outbound_proxy")) return call.error(400, "Bad outbound proxy URI", text);
      return call.error(404, "Bad presentity URI", text);
    case Errc::unknown_event: call.error(400, "Unknown event", text); return;
    case Errc::bad_etag: call.error(418, "Wrong ETag", text); return;
    case Errc::no_record:
    case Errc::not_found: call.error(404, text); return;
    case Errc::no_body:
    case Errc::bad_argument:
    case Errc::bad_header:
    case Errc::bad_body: call.error(400, text); return;
    case Errc::too_large: call.error(413, text); return;
    case Errc::too_many_waiters: call.error(429, text); return;
    case Errc::backlog_full:
    case Errc::loading:
    case Errc::too_many_records:
    case Errc::shutting_down: call.error(503, text); return;
    case Errc::not_supported: call.error(501, text); return;
    case Errc::ok:
    case Errc::generic:
    case Errc::no_memory:
    case Errc::wrong_thread:
    case Errc::after_fork:
    case Errc::bad_config:
    case Errc::store_failed:
    case Errc::sip_failed: break;
  }
  call.error(500, failed, text);
}

void answer_not_here(ControlContext& context, Call& call, std::string_view text) {
  if (context.pua.stats().loading != 0) return call.error(503, "The stored records are being loaded: try again");
  call.error(404, text);
}

}  // namespace pua
