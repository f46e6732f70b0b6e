// libFuzzer target: the scanner beside sofia's parser. Whatever both understand, as a response or as a NOTIFY, they must understand
// alike, to the octet; what the scanner leaves to the parser may be anything.
#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/su_log.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "sip/answer_text.h"
#include "sip/notify_parse.h"
#include "sip/notify_scan.h"
#include "sip/reply.h"
#include "sip/reply_scan.h"
#include "sip/scan.h"

namespace {

void same(const char* what, std::string_view scanned, std::string_view parsed) {
  if (scanned == parsed) return;
  fprintf(stderr, "%s: scanned \"%.*s\", parsed \"%.*s\"\n", what, static_cast<int>(scanned.size()), scanned.data(),
          static_cast<int>(parsed.size()), parsed.data());
  abort();
}

void same(const char* what, int64_t scanned, int64_t parsed) {
  if (scanned == parsed) return;
  fprintf(stderr, "%s: scanned %lld, parsed %lld\n", what, static_cast<long long>(scanned), static_cast<long long>(parsed));
  abort();
}

std::string_view text(const char* s) { return s ? std::string_view(s) : std::string_view(); }

void response(std::string_view bytes, const pua::Scan& s) {
  uint32_t cseq = 0;
  std::string_view method, branch;
  if (s.kind != pua::Scan::Kind::Response || s.via_count != 1 || s.vias[0].find(',') != std::string_view::npos || !pua::plain_params(s.vias[0]) ||
      !pua::param_of(s.vias[0], "branch", branch) || !pua::read_cseq(s[pua::Field::CSeq], cseq, method))
    return;
  pua::SipReply scanned;
  bool plain = s.status >= 200 && s.status < 300 && pua::read_plain_reply(s, method, scanned);
  msg_t* msg = pua::parse_reply(bytes);
  if (!msg) return;
  const sip_t* sip = sip_object(msg);
  // What decides to which request it belongs.
  if (sip->sip_via && sip->sip_call_id && sip->sip_cseq) {
    same("status", s.status, sip->sip_status->st_status);
    same("branch", branch, text(sip->sip_via->v_branch));
    same("call-id", s[pua::Field::CallId], text(sip->sip_call_id->i_id));
    same("cseq", cseq, sip->sip_cseq->cs_seq);
    same("method", method, text(sip->sip_cseq->cs_method_name));
    if (plain) {
      pua::SipReply parsed;
      pua::read_reply(msg, sip, parsed);
      same("reason", scanned.reason, parsed.reason);
      same("expires", scanned.expires, parsed.expires);
      same("etag", scanned.etag, parsed.etag);
      same("min-expires", scanned.min_expires, parsed.min_expires);
      same("retry-after", scanned.retry_after, parsed.retry_after);
      if (sip->sip_to) same("to tag", scanned.to_tag, parsed.to_tag);
      same("contact", scanned.contact, parsed.contact);
      same("route set", scanned.route_set, parsed.route_set);
    }
  }
  msg_destroy(msg);
}

void notify(std::string_view bytes, const pua::Scan& s) {
  pua::PlainNotifyText words;
  pua::NotifyRequest scanned;
  if (!pua::read_plain_notify(s, words, scanned)) return;
  auto n = pua::parse_any_notify(bytes);
  if (!n || n->refusal()) return;
  const pua::NotifyRequest& parsed = n->request();
  same("call-id", scanned.call_id, parsed.call_id);
  same("local tag", scanned.local_tag, parsed.local_tag);
  same("remote tag", scanned.remote_tag, parsed.remote_tag);
  same("cseq", scanned.cseq, parsed.cseq);
  same("event", scanned.event, parsed.event);
  same("event id", scanned.event_id, parsed.event_id);
  same("state", scanned.state, parsed.state);
  same("reason", scanned.reason, parsed.reason);
  same("expires", scanned.expires, parsed.expires);
  same("retry-after", scanned.retry_after, parsed.retry_after);
  same("contact", scanned.contact, parsed.contact);
  same("route set", scanned.route_set, parsed.route_set);
  same("content type", scanned.content_type, parsed.content_type);
  same("body", scanned.body, parsed.body);
}

// An answer is whole lines, whatever it was made from.
void answer(std::string_view bytes) {
  std::string head = pua::plain_head(bytes), out;
  for (std::string_view message : {bytes, std::string_view(head)}) {
    pua::Scan s;
    pua::scan(message, s);
    pua::NetAddress to = *pua::NetAddress::literal("192.0.2.1", 5060);
    out.clear();
    if (!pua::append_answer(s, {400, "Reason", ""}, pua::HashKey{1, 2}, true, to, out)) continue;
    std::string_view rest = out;
    while (rest != "\r\n") {
      size_t end = rest.find_first_of("\r\n");
      if (end == 0 || end == std::string_view::npos || rest.substr(end, 2) != "\r\n") abort();
      rest.remove_prefix(end + 2);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  su_log_set_level(su_log_default, 0);
  if (size > 65535) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  pua::Scan s;
  pua::scan(bytes, s);
  response(bytes, s);
  notify(bytes, s);
  answer(bytes);
  return 0;
}
