// The subscribe commands, with OpenSIPS's and Kamailio's parameters, which are the same. Answered after the final SIP reply.
#include "control/commands.h"
#include "control/errors.h"
#include "control/filters.h"
#include "control/json_writer.h"
#include "control/params.h"

namespace pua {

namespace {

constexpr int32_t kMiSubscribe = 1 << 8;  // source bit MI_SUBSCRIBE, part of the record's key

enum Sub : size_t {
  kUri, kWatcher, kEvent, kExpires, kContact, kId, kProxy, kHeaders, kEventId, kTo, kTarget, kBody, kContentType
};

constexpr ParamSpec kSubscribeParams[] = {
    {"presentity_uri", "uri", ParamType::String, false, "whose state: a SIP, SIPS, PRES or TEL URI"},
    {"watcher_uri", "watcher", ParamType::String, false, "who subscribes: goes into From"},
    {"event_package", "event", ParamType::String, false, "event package, for example presence"},
    {"expires", nullptr, ParamType::Int, true,
     "wanted lifetime in seconds; 0 ends it, or fetches once; -1 for ever; none: default_expires"},
    {"contact", nullptr, ParamType::String, true, "where NOTIFYs are to come; none: parameters contact, listen"},
    {"id", nullptr, ParamType::Scalar, true, "distinguishes several subscriptions of one watcher; is not sent"},
    {"outbound_proxy", nullptr, ParamType::String, true, "next hop, a SIP or SIPS URI"},
    {"extra_headers", nullptr, ParamType::String, true, "header lines, each ending in CR LF"},
    {"event_id", nullptr, ParamType::Scalar, true, "id parameter of the Event header field"},
    {"to_uri", nullptr, ParamType::String, true, "To; none: the presentity"},
    {"remote_target", nullptr, ParamType::String, true, "Request-URI of the first request; none: the presentity"},
    {"body", nullptr, ParamType::String, true, "goes with the SUBSCRIBEs: a filter, a list of presentities"},
    {"content_type", nullptr, ParamType::String, true, "of body"},
};

enum Unsub : size_t { kEndUri, kEndWatcher, kEndEvent, kEndId, kEndTo };

constexpr ParamSpec kUnsubscribeParams[] = {
    {"presentity_uri", "uri", ParamType::String, false, "as it was subscribed to"},
    {"watcher_uri", "watcher", ParamType::String, false, "who subscribed"},
    {"event_package", "event", ParamType::String, false, "event package, for example presence"},
    {"id", nullptr, ParamType::Scalar, true, "id that it was given"},
    {"to_uri", nullptr, ParamType::String, true, "To that it was given"},
};

}  // namespace

// The presentity as To is the same as none: one key, not two.
static std::string_view other_than(std::string_view to_uri, std::string_view pres_uri) {
  return to_uri == pres_uri ? std::string_view() : to_uri;
}

static void answer_outcome(Call& call, const Outcome& o, bool end) {
  // 481 to the end of a subscription: the other side has none, which is what was wanted.
  bool nothing_there = end && !o.superseded && o.status == 481 && o.origin == ReplyOrigin::Wire;
  bool success = nothing_there || (o.status >= 200 && o.status <= 299 && !o.kept);
  if (!success) return answer_failure(call, o);
  std::string result, call_id;
  result.reserve(192);
  JsonWriter w(result);
  std::string reply = std::to_string(o.status);
  reply += ' ';
  reply += o.reason;
  w.begin_object().member("reply", reply).member("code", static_cast<int64_t>(o.status)).member("reason", o.reason);
  w.member("Expires", o.granted);
  if (o.message && o.message->header("Call-ID", call_id)) w.member("Call-ID", call_id);
  w.member("durable", o.durable);
  if (o.superseded) w.member("superseded", true);
  w.end_object();
  call.result(result);
}

// What the engine refused.
static void refuse(Call& call, const Error& error) {
  if (error.code == Errc::bad_uri) return call.error(400, "Bad uri", error.message);
  answer_error(call, error, "MI/SUBSCRIBE failed");
}

// The three that every subscription has, checked. false: answered with an error.
static bool read_key(ControlContext& context, const Params& p, Call& call, SubscribeRequest& r) {
  r.pres_uri = p.text(kUri);
  r.watcher_uri = p.text(kWatcher);
  const EventInfo* event = context.events.by_name(p.text(kEvent));
  const char* wrong = r.pres_uri.empty()       ? "Empty presentity URI"
                      : r.watcher_uri.empty()  ? "Empty watcher URI"
                      : p.text(kEvent).empty() ? "Empty event parameter"
                                               : nullptr;
  if (wrong != nullptr) {
    call.error(r.pres_uri.empty() ? 404 : 400, wrong);
    return false;
  }
  if (event == nullptr) {
    unknown_event(context, call, p.text(kEvent));
    return false;
  }
  r.source = kMiSubscribe;
  r.event = event->flag;
  return true;
}

static void subscribe(ControlContext& context, const SubscribeRequest& r, const CallPtr& call) {
  Status accepted =
      context.pua.subscribe(r, [call, end = r.expires == 0](const Outcome& o) { answer_outcome(*call, o, end); });
  if (!accepted) refuse(*call, accepted.error());
}

// --- subscribe -----------------------------------------------------------------------------------

static void run_subscribe(ControlContext& context, const Params& p, const CallPtr& call) {
  SubscribeRequest r;
  if (!read_key(context, p, *call, r)) return;
  if (p.has(kHeaders) && p.text(kHeaders).empty()) return call->error(400, "Empty extra_headers");
  int64_t expires = p.number(kExpires, context.default_expires);
  r.expires = expires < 0 ? kForEver : expires;
  r.contact = p.text(kContact);
  r.id = p.text(kId);
  r.outbound_proxy = p.text(kProxy);
  r.event_id = p.text(kEventId);
  r.to_uri = other_than(p.text(kTo), r.pres_uri);
  r.remote_target = p.text(kTarget);
  r.body = p.text(kBody);
  r.content_type = p.text(kContentType);
  // One header without its line end is what people type; anything else that is not whole lines is refused below.
  std::string with_end;
  r.extra_headers = p.text(kHeaders);
  if (p.has(kHeaders) && r.extra_headers.back() != '\n' && r.extra_headers.back() != '\r') {
    with_end.assign(r.extra_headers).append("\r\n");
    r.extra_headers = with_end;
  }
  subscribe(context, r, call);
}

const CommandSpec kPuaSubscribe = {
    .name = "pua_subscribe",
    .other_name = "pua_mi:subscribe",
    .params = kSubscribeParams,
    .help = "Subscribes, goes on, ends or fetches once; answered after the final SIP reply. NOTIFYs: pua_watch.",
    .run = run_subscribe,
};

const CommandSpec kKamailioSubscribe = {
    .name = "pua.subscribe",
    .other_name = "pua.send_subscribe",
    .params = kSubscribeParams,
    .help = "The same; \".\" stands for a parameter left out.",
    .run = run_subscribe,
    .dot_is_none = true,
};

// --- unsubscribe ---------------------------------------------------------------------------------

static void run_unsubscribe(ControlContext& context, const Params& p, const CallPtr& call) {
  SubscribeRequest r;
  static_assert(size_t{kEndUri} == kUri && size_t{kEndWatcher} == kWatcher && size_t{kEndEvent} == kEvent);
  if (!read_key(context, p, *call, r)) return;
  r.expires = 0;
  r.id = p.text(kEndId);
  r.to_uri = other_than(p.text(kEndTo), r.pres_uri);
  // Without a subscription, Expires: 0 would fetch the state: not what is meant here.
  bool found = false;
  Status shown = context.pua.show(r.pres_uri, r.event, r.source, [&](const RecordView& v) {
    found |= v.kind == Kind::Subscription && v.watcher_uri == r.watcher_uri && v.pres_id == r.id &&
             other_than(v.to_uri, v.pres_uri) == r.to_uri;
  });
  if (!shown || !found) return answer_not_here(context, *call, "No such subscription");
  subscribe(context, r, call);
}

const CommandSpec kPuaUnsubscribe = {
    .name = "pua_unsubscribe",
    .other_name = "pua_mi:unsubscribe",
    .params = kUnsubscribeParams,
    .help = "Ends a subscription of this interface; answered after the final SIP reply.",
    .run = run_unsubscribe,
};

const CommandSpec kKamailioUnsubscribe = {
    .name = "pua.unsubscribe",
    .other_name = nullptr,
    .params = kUnsubscribeParams,
    .help = "The same; \".\" stands for a parameter left out.",
    .run = run_unsubscribe,
    .dot_is_none = true,
};

}  // namespace pua
