#include "sip/reply.h"

#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <strings.h>

#include <algorithm>
#include <cstring>

#include "sip/header_text.h"

namespace pua {
namespace {

bool same_name(std::string_view a, const char* b) {
  return b && a.size() == strlen(b) && strncasecmp(a.data(), b, a.size()) == 0;
}

// Longest lifetime that we believe: beyond, it is "very long" all the same, and sums of it cannot overflow.
int64_t seconds(unsigned long s) { return static_cast<int64_t>(std::min<unsigned long>(s, 0x7fffffff)); }

bool is_named(const msg_header_t* h, std::string_view name) {
  const msg_hclass_t* c = h->sh_class;
  if (!c) return false;
  if (sip_is_unknown(reinterpret_cast<const sip_header_t*>(h)))
    return same_name(name, reinterpret_cast<const sip_unknown_t*>(h)->un_name);
  if (same_name(name, c->hc_name)) return true;
  return name.size() == 1 && c->hc_short[0] && (name[0] | 0x20) == (c->hc_short[0] | 0x20);
}

}  // namespace

WireReply::WireReply(msg_s* msg) : msg_(msg_ref_create(msg)) {}
WireReply::~WireReply() { msg_destroy(msg_); }

bool WireReply::header(std::string_view name, std::string& out) const {
  const sip_t* sip = sip_object(msg_);
  if (!sip || name.empty()) return false;
  // The chain holds every header field in the order it came, known or not.
  const auto* first = reinterpret_cast<const msg_header_t*>(sip->sip_status);
  for (const msg_header_t* h = first; h; h = h->sh_succ) {
    if (h == first || !is_named(h, name)) continue;
    return field_as_came(h, out);
  }
  return false;
}

void WireReply::read_etag(SipReply& out) {
  const sip_t* sip = sip_object(msg_);
  if (!sip->sip_etag || !sip->sip_etag->g_string) return;
  std::string_view tag = sip->sip_etag->g_string;
  if (tag.find_first_of("\r\n") != tag.npos) {
    etag_ = tag;
    unfold(etag_);
    tag = etag_;
  }
  if (usable_etag(tag)) out.etag = tag;
  else out.etag_unusable = !tag.empty();
}

void WireReply::read_dialog(SipReply& out) {
  const sip_t* sip = sip_object(msg_);
  if (sip->sip_to && sip->sip_to->a_tag && is_tag(sip->sip_to->a_tag)) out.to_tag = sip->sip_to->a_tag;
  if (out.status < 200 || out.status >= 400) return;
  contact_ = contact_uri(sip);
  out.contact = contact_;
  if (out.status >= 300) return;
  if (!record_route(sip, RouteOrder::Reversed, route_set_)) {
    route_set_.clear();
    out.to_tag = {};   // no dialog rather than one that lacks its route set (RFC 3261 section 12.1.2)
  }
  out.route_set = route_set_;
}

void read_reply(msg_s* msg, const sip_s* sip, SipReply& out) {
  out.origin = ReplyOrigin::Wire;
  if (sip->sip_status) {
    out.status = sip->sip_status->st_status;
    if (sip->sip_status->st_phrase) out.reason = sip->sip_status->st_phrase;
  }
  if (const sip_expires_t* e = sip->sip_expires) {
    // The date form of RFC 2543 says when, not how long.
    sip_time_t now = sip_now();
    out.expires = e->ex_date ? seconds(e->ex_date > now ? e->ex_date - now : 0) : seconds(e->ex_delta);
  }
  if (sip->sip_min_expires) out.min_expires = seconds(sip->sip_min_expires->me_delta);
  if (sip->sip_retry_after) out.retry_after = seconds(sip->sip_retry_after->af_delta);
  auto message = std::make_shared<WireReply>(msg);
  message->read_etag(out);
  if (sip->sip_cseq && sip->sip_cseq->cs_method == sip_method_subscribe) message->read_dialog(out);
  out.message = std::move(message);
}

msg_s* parse_reply(std::string_view bytes) {
  if (bytes.size() > 65535) return nullptr;
  msg_t* msg = msg_make(message_class(), 0, bytes.data(), static_cast<ssize_t>(bytes.size()));
  sip_t* sip = msg ? sip_object(msg) : nullptr;
  if (sip && sip->sip_status && !msg_has_error(msg)) return msg;
  if (msg) msg_destroy(msg);
  return nullptr;
}

}  // namespace pua
