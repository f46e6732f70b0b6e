#include "sip/notify_parse.h"

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/sip_util.h>
#include <strings.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "core/notify_fields.h"
#include "core/uri.h"
#include "core/validate.h"
#include "sip/header_text.h"
#include "sip/inbound_frame.h"
#include "sip/settings.h"

namespace pua {
namespace {

constexpr size_t kMaxMessage = (1u << 20) + kMessageHead;  // octets: the largest max_notify_body, and a head

NotifyAnswer refusal(int status, std::string reason, std::string headers = {}) {
  return {status, std::move(reason), std::move(headers)};
}

bool same(const char* a, const char* b) { return a && strcasecmp(a, b) == 0; }

std::string_view text_of(const char* s) { return s ? std::string_view(s) : std::string_view(); }

// Name of a header field that is there twice or cannot be read, if we need it. Others (Date, Accept ...) do not matter.
const char* unreadable(const sip_t* sip) {
  static const char* const needed[] = {
      "Via", "From", "To", "Call-ID", "CSeq", "Require", "Content-Length"};
  for (const auto* h = reinterpret_cast<const sip_header_t*>(sip->sip_error); h; h = h->sh_next) {
    const char* name = h->sh_class == sip_error_class ? h->sh_error->er_name : h->sh_class ? h->sh_class->hc_name : nullptr;
    for (const char* n : needed)
      if (same(name, n)) return n;
  }
  return nullptr;
}

// Reads Call-ID and tags. Empty: all of them can be read; else what is wrong, and what can be read is filled in all the same,
// of a field that is there twice the first one.
std::string read_dialog(const sip_t* sip, std::string_view& call_id, std::string_view& local, std::string_view& remote) {
  std::string_view id = sip->sip_call_id ? text_of(sip->sip_call_id->i_id) : std::string_view();
  std::string_view ours = sip->sip_to ? text_of(sip->sip_to->a_tag) : std::string_view();
  std::string_view theirs = sip->sip_from ? text_of(sip->sip_from->a_tag) : std::string_view();
  if (is_word(id, kMaxCallId)) call_id = id;
  if (is_tag(ours)) local = ours;
  if (is_tag(theirs)) remote = theirs;
  if (const char* bad = unreadable(sip)) return std::string(bad) + ": not readable, or there twice";
  if (!sip->sip_call_id) return "Call-ID: missing";
  if (!sip->sip_from || !sip->sip_from->a_tag) return sip->sip_from ? "From: no tag" : "From: missing";
  if (!sip->sip_to) return "To: missing";
  if (!sip->sip_cseq) return "CSeq: missing";
  if (!same(sip->sip_cseq->cs_method_name, sip->sip_request->rq_method_name)) return "CSeq: another method";
  if (call_id.empty()) return "Call-ID: not usable";
  if (remote.empty()) return "From: tag not usable";
  if (local.empty() && !ours.empty()) return "To: tag not usable";
  return {};
}

// Extensions that the notifier wants understood (RFC 3261 section 8.2.2.3). Lists (RFC 4662) go to the owner as they are.
std::string unknown_extensions(const sip_t* sip) {
  std::string out;
  for (const sip_require_t* r = sip->sip_require; r; r = r->k_next)
    for (const msg_param_t* p = r->k_items; p && *p; p++) {
      if (strcasecmp(*p, "eventlist") == 0 || !is_word(*p, kMaxToken)) continue;
      out.append(out.empty() ? "" : ", ").append(*p);
    }
  return out;
}

// Reads Event and Subscription-State from the fields as they came, for sofia takes them apart in its own way.
std::optional<NotifyAnswer> read_event(const sip_t* sip, NotifyText& text, NotifyRequest& out) {
  std::string value;
  if (!field_values(sip, "Event", 'o', value)) return {};   // the engine refuses it, and says which events there are
  if (!parse_event_value(value, text.event, text.event_id)) return refusal(400, "Event: not usable");
  // Of the parameters only id counts (RFC 3265 section 7.2.1); which of them belong to the name of a package the engine knows.
  out.event = text.event;
  out.event_id = text.event_id;
  if (!is_word(out.event, kMaxToken) || (!out.event_id.empty() && !is_word(out.event_id, kMaxToken)))
    return refusal(400, "Event: not usable");
  return {};
}

std::optional<NotifyAnswer> read_state(const sip_t* sip, NotifyText& text, NotifyRequest& out) {
  std::string value;
  if (!field_values(sip, "Subscription-State", 0, value)) return {};   // the engine knows whether it is needed
  SubscriptionState state;
  if (!parse_subscription_state(value, state)) return refusal(400, "Subscription-State: not usable");
  out.state = text.state = std::move(state.state);
  out.reason = text.reason = std::move(state.reason);
  if (!is_word(out.state, kMaxToken) || (!out.reason.empty() && !is_word(out.reason, kMaxToken)))
    return refusal(400, "Subscription-State: not usable");
  out.expires = state.expires;
  out.retry_after = state.retry_after;
  return {};
}

// A document that cannot be read is no reason to refuse what the NOTIFY says of the subscription.
void read_body(const sip_t* sip, NotifyText& text, NotifyRequest& out) {
  if (!sip->sip_payload || sip->sip_payload->pl_len == 0) return;
  out.body = {sip->sip_payload->pl_data, sip->sip_payload->pl_len};
  if (sip->sip_content_type) {
    bool ok = field_text(reinterpret_cast<const msg_header_t*>(sip->sip_content_type), text.content_type);
    bool clean = std::all_of(text.content_type.begin(), text.content_type.end(),
                             [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
    if (ok && clean && text.content_type.size() <= kMaxType) out.content_type = text.content_type;
    else out.body_problem = "its Content-Type cannot be read";
  }
  std::string coding;
  if (field_values(sip, "Content-Encoding", 'e', coding) && strcasecmp(coding.c_str(), "identity") != 0)
    out.body_problem = "it is encoded (Content-Encoding)";
}

struct MsgEnd {
  void operator()(msg_t* msg) const { msg_destroy(msg); }
};
using MsgPtr = std::unique_ptr<msg_t, MsgEnd>;

// null: it is no request at all.
MsgPtr parse_request(std::string_view message) {
  if (message.size() > kMaxMessage) return nullptr;
  MsgPtr msg(msg_make(message_class(), 0, message.data(), static_cast<ssize_t>(message.size())));
  const sip_t* sip = msg ? sip_object(msg.get()) : nullptr;
  return sip && sip->sip_request ? std::move(msg) : nullptr;
}

}  // namespace

std::optional<NotifyAnswer> read_notify(const sip_s* sip, NotifyText& text, NotifyRequest& out) {
  std::string bad = read_dialog(sip, out.call_id, out.local_tag, out.remote_tag);
  if (sip->sip_flags & MSG_FLG_TOOLARGE) return refusal(413, "Request Entity Too Large");
  if (!bad.empty()) return refusal(400, std::move(bad));
  size_t body = sip->sip_payload ? sip->sip_payload->pl_len : 0;
  if ((sip->sip_flags & MSG_FLG_TRUNC) || (sip->sip_content_length && sip->sip_content_length->l_length > body))
    return refusal(400, "Content-Length: longer than the message");
  if (!sip->sip_separator) return refusal(400, "Bad Request: no empty line behind the header fields");
  if (sip->sip_flags & MSG_FLG_ERROR) return refusal(400, "Bad Request: not readable");
  if (std::string unknown = unknown_extensions(sip); !unknown.empty())
    return refusal(420, "Bad Extension", "Unsupported: " + unknown + "\r\n");
  out.cseq = sip->sip_cseq->cs_seq;
  if (auto no = read_event(sip, text, out)) return no;
  if (auto no = read_state(sip, text, out)) return no;
  out.contact = text.contact = contact_uri(sip);
  if (out.local_tag.empty()) {
    std::string value;
    if (field_values(sip, "To", 't', value)) out.to_uri = text.to = first_contact_uri(value);
    if (field_values(sip, "From", 'f', value)) out.from_uri = text.from = first_contact_uri(value);
  }
  if (record_route(sip, RouteOrder::AsCame, text.route_set)) out.route_set = text.route_set;
  else out.route_problem = "its Record-Route cannot be used";
  read_body(sip, text, out);
  return {};
}

struct ParsedNotify::Storage {
  MsgPtr msg;
  NotifyText text;
  std::string head;
  NotifyRequest request;
  std::optional<NotifyAnswer> refusal;
};

ParsedNotify::ParsedNotify(std::unique_ptr<Storage> s) : storage_(std::move(s)) {}
ParsedNotify::ParsedNotify(ParsedNotify&&) noexcept = default;
ParsedNotify& ParsedNotify::operator=(ParsedNotify&&) noexcept = default;
ParsedNotify::~ParsedNotify() = default;
const NotifyRequest& ParsedNotify::request() const { return storage_->request; }
const std::optional<NotifyAnswer>& ParsedNotify::refusal() const { return storage_->refusal; }

// Up to the empty line, with it; nothing where that is too far away.
static std::string_view head_of(std::string_view message) {
  message = message.substr(0, kMessageHead);
  for (size_t at = message.find('\n'); at != message.npos; at = message.find('\n', at + 1)) {
    if (message.substr(at + 1).starts_with("\r\n")) return message.substr(0, at + 3);
    if (message.substr(at + 1).starts_with("\n")) return message.substr(0, at + 2);
  }
  return {};
}

// The head without its Content-Length: else the parser would refuse the message for the body that is not there.
static std::string without_length(std::string_view head) {
  HeadLines lines(head);
  std::string out(head.substr(0, head.find('\n') + 1));
  for (HeadLines::Line line; lines.next(line);)
    if (!names(line.name, "Content-Length", 'l')) out.append(line.text);
  return out.append("\r\n");
}

Result<ParsedNotify> parse_notify_head(std::string_view head, uint64_t left_out) {
  auto notify = parse_any_notify(without_length(head));
  if (!notify) return notify;
  notify->storage_->head = header_block(head);
  notify->storage_->request.headers = notify->storage_->head;
  notify->storage_->request.left_out = left_out;
  return notify;
}

Result<ParsedNotify> parse_any_notify(std::string_view message) {
  if (message.size() > kMaxMessage) {
    std::string_view head = head_of(message);
    if (head.empty()) return {Errc::bad_argument, "the message is not a SIP request"};
    return parse_notify_head(head, message.size() - head.size());
  }
  auto storage = std::make_unique<ParsedNotify::Storage>();
  storage->msg = parse_request(message);
  if (!storage->msg) return {Errc::bad_argument, "the message is not a SIP request"};
  const sip_t* sip = sip_object(storage->msg.get());
  if (!same(sip->sip_request->rq_method_name, "NOTIFY")) return {Errc::bad_argument, "the message is not a NOTIFY"};
  if (!same(sip->sip_request->rq_version, "SIP/2.0")) return {Errc::bad_argument, "the message is not of SIP/2.0"};
  storage->head = header_block(message);
  storage->request.headers = storage->head;
  storage->refusal = read_notify(sip, storage->text, storage->request);
  return ParsedNotify(std::move(storage));
}

Result<ParsedNotify> parse_notify(std::string_view message) {
  auto notify = parse_any_notify(message);
  if (!notify) return notify;
  if (Status s = readable(*notify); !s) return s.error();
  return notify;
}

Status readable(const ParsedNotify& notify) {
  const auto& no = notify.refusal();
  if (!no || (no->status != 400 && no->status != 413)) return success();
  return {Errc::bad_argument, "NOTIFY: " + no->reason};
}

Result<InDialog> parse_in_dialog(std::string_view message) {
  MsgPtr msg = parse_request(message);
  if (!msg) return {Errc::bad_argument, "the message is not a SIP request"};
  const sip_t* sip = sip_object(msg.get());
  std::string_view call_id, local, remote;
  if (std::string bad = read_dialog(sip, call_id, local, remote); !bad.empty()) return {Errc::bad_argument, bad};
  InDialog out{std::string(call_id), std::string(local), std::string(remote), contact_uri(sip)};
  if (local.empty()) return {Errc::bad_argument, "To: no tag"};
  if (out.contact.empty()) return {Errc::bad_argument, has_contact(sip) ? "Contact: not usable" : "Contact: missing"};
  return out;
}

}  // namespace pua
