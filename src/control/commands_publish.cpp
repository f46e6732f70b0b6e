// The publish commands: pua_publish with OpenSIPS's parameters, pua.publish with Kamailio's. Both are answered after
// the final SIP reply, with the object that OpenSIPS gives asynchronously.
#include "control/commands.h"
#include "control/errors.h"
#include "control/filters.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

namespace {

struct PublishArgs {
  std::string_view uri, event;
  int64_t expires = 0;
  std::string_view id, proxy;
  std::string_view content_type, etag, headers, body;
  bool has_content_type = false, has_etag = false, has_headers = false, has_body = false;
};

}  // namespace

static void answer_outcome(Call& call, const Outcome& o, bool removal) {
  // 412 to a removal: the server holds no such state, which is what was wanted.
  bool nothing_there = removal && !o.superseded && o.status == 412 && o.origin == ReplyOrigin::Wire;
  bool success = nothing_there || (o.status >= 200 && o.status <= 299 && !o.kept);
  if (!success) return answer_failure(call, o);
  std::string result;
  result.reserve(128);
  JsonWriter w(result);
  std::string reply = std::to_string(o.status);
  reply += ' ';
  reply += o.reason;
  w.begin_object().member("reply", reply);
  if (!o.etag.empty()) w.member("ETag", o.etag);
  w.member("Expires", o.granted).member("durable", o.durable);
  if (o.superseded) w.member("superseded", true);
  w.end_object();
  call.result(result);
}

static void publish(ControlContext& context, const PublishArgs& a, const CallPtr& call) {
  if (a.uri.empty()) return call->error(404, "Empty presentity URI");
  if (a.event.empty()) return call->error(400, "Empty event parameter");
  const EventInfo* event = context.events.by_name(a.event);
  if (event == nullptr) return unknown_event(context, *call, a.event);
  if (a.has_content_type && a.content_type.empty()) return call->error(400, "Empty content type parameter");
  if (a.has_body && a.body.empty()) return call->error(400, "Empty body parameter");
  if (a.has_etag && a.etag.empty()) return call->error(400, "Empty etag parameter");
  if (a.has_headers && a.headers.empty()) return call->error(400, "Empty extra_headers");

  PublishRequest r;
  r.source = kMiPublish;
  r.event = event->flag;
  r.pres_uri = a.uri;
  r.id = a.id;
  r.expires = a.expires < 0 ? kForEver : a.expires;
  if (a.has_body) r.body = a.body;
  r.content_type = a.content_type;
  r.etag = a.etag;
  r.outbound_proxy = a.proxy;   // none: the engine knows presence_server, as it is when a request leaves
  // One header without its line end is what people type; anything else that is not whole lines is refused below.
  std::string with_end;
  r.extra_headers = a.headers;
  if (a.has_headers && a.headers.back() != '\n' && a.headers.back() != '\r') {
    with_end.assign(a.headers).append("\r\n");
    r.extra_headers = with_end;
  }
  Status accepted =
      context.pua.publish(r, [call, removal = r.expires == 0](const Outcome& o) { answer_outcome(*call, o, removal); });
  if (!accepted) answer_error(*call, accepted.error());
}

// --- OpenSIPS ------------------------------------------------------------------------------------

enum Mi : size_t { kMiUri, kMiExpires, kMiEvent, kMiEtag, kMiHeaders, kMiType, kMiBody };

static constexpr ParamSpec kMiParams[] = {
    {"presentity_uri", "uri", ParamType::String, false, "whose state: a SIP, SIPS, PRES or TEL URI"},
    {"expires", nullptr, ParamType::Int, true,
     "wanted lifetime in seconds; 0 removes, -1 for ever; none: default_expires"},
    {"event_package", "event", ParamType::String, false, "event package, for example presence"},
    {"etag", nullptr, ParamType::String, true, "the entity-tag that must be the confirmed one"},
    {"extra_headers", nullptr, ParamType::String, true, "header lines, each ending in CR LF"},
    {"content_type", nullptr, ParamType::String, true, "content type of body; needs body"},
    {"body", nullptr, ParamType::String, true, "the document; needs content_type; none: refresh"},
};

// Values by position: those counts that can be read in one way only. Five are uri, expires, event, content type, body.
static std::span<const uint8_t> mi_positions(size_t count) {
  static constexpr uint8_t kAll[] = {kMiUri, kMiExpires, kMiEvent, kMiEtag, kMiHeaders, kMiType, kMiBody};
  static constexpr uint8_t kBody[] = {kMiUri, kMiExpires, kMiEvent, kMiType, kMiBody};
  if (count == 5) return kBody;
  if (count == 4 || count == 6) return {};
  return std::span<const uint8_t>(kAll).first(count);
}

static void run_mi_publish(ControlContext& context, const Params& p, const CallPtr& call) {
  if (p.has(kMiType) != p.has(kMiBody)) {
    context.counters.errors++;
    return call->error(rpc::kInvalidParams, p.has(kMiType) ? "Invalid params: body: missing, content_type needs it"
                                                           : "Invalid params: content_type: missing, body needs it");
  }
  PublishArgs a;
  a.uri = p.text(kMiUri);
  a.expires = p.number(kMiExpires, context.default_expires);
  a.event = p.text(kMiEvent);
  a.has_etag = p.has(kMiEtag), a.etag = p.text(kMiEtag);
  a.has_headers = p.has(kMiHeaders), a.headers = p.text(kMiHeaders);
  a.has_content_type = p.has(kMiType), a.content_type = p.text(kMiType);
  a.has_body = p.has(kMiBody), a.body = p.text(kMiBody);
  publish(context, a, call);
}

const CommandSpec kPuaPublish = {
    .name = "pua_publish",
    .other_name = "pua_mi:publish",
    .params = kMiParams,
    .help = "Publishes, modifies, refreshes or removes a state; answered after the final SIP reply.",
    .run = run_mi_publish,
    .positions = mi_positions,
};

// --- Kamailio ------------------------------------------------------------------------------------

enum Kam : size_t { kKamUri, kKamExpires, kKamEvent, kKamType, kKamId, kKamEtag, kKamProxy, kKamHeaders, kKamBody };

static constexpr ParamSpec kKamParams[] = {
    {"presentity_uri", "uri", ParamType::String, false, "whose state: a SIP, SIPS, PRES or TEL URI"},
    {"expires", nullptr, ParamType::Int, true,
     "wanted lifetime in seconds; 0 removes, -1 for ever; none: default_expires"},
    {"event", "event_package", ParamType::String, false, "event package, for example presence"},
    {"content_type", nullptr, ParamType::String, true, "content type of body; none: the event's"},
    {"id", nullptr, ParamType::Scalar, true, "distinguishes several publications of one presentity"},
    {"etag", nullptr, ParamType::String, true, "the entity-tag that must be the confirmed one"},
    {"outbound_proxy", nullptr, ParamType::String, true, "next hop, a SIP or SIPS URI"},
    {"extra_headers", nullptr, ParamType::String, true, "header lines, each ending in CR LF"},
    {"body", nullptr, ParamType::String, true, "the document; none: refresh"},
};

static void run_kamailio_publish(ControlContext& context, const Params& p, const CallPtr& call) {
  if (p.has(kKamType) && !p.has(kKamBody)) return call->error(400, "Body is missing");
  PublishArgs a;
  a.uri = p.text(kKamUri);
  a.expires = p.number(kKamExpires, context.default_expires);
  a.event = p.text(kKamEvent);
  a.has_content_type = p.has(kKamType), a.content_type = p.text(kKamType);
  a.id = p.text(kKamId);
  a.has_etag = p.has(kKamEtag), a.etag = p.text(kKamEtag);
  a.proxy = p.text(kKamProxy);
  a.has_headers = p.has(kKamHeaders), a.headers = p.text(kKamHeaders);
  a.has_body = p.has(kKamBody), a.body = p.text(kKamBody);
  publish(context, a, call);
}

const CommandSpec kKamailioPublish = {
    .name = "pua.publish",
    .other_name = "pua.send_publish",
    .params = kKamParams,
    .help = "The same with Kamailio's parameters; \".\" stands for one left out.",
    .run = run_kamailio_publish,
    .dot_is_none = true,
};

}  // namespace pua
