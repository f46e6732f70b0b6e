#include "sip/notify_scan.h"

#include <algorithm>

#include "core/validate.h"
#include "sip/header_text.h"
#include "sip/notify_parse.h"
#include "sip/scan.h"

namespace pua {
namespace {

std::string_view first_word(std::string_view list) { return trimmed(list.substr(0, list.find(';'))); }

bool short_token(std::string_view s) { return s.size() <= kMaxToken && is_token(s); }

// The case of these words does not matter, and the engine has them in small letters. `text` is used only where they came in
// others.
std::string_view lowered(std::string_view word, std::string& text) {
  for (char c : word) {
    if (c < 'A' || c > 'Z') continue;
    text.assign(word);
    for (char& d : text)
      if (d >= 'A' && d <= 'Z') d = static_cast<char>(d + 32);
    return text;
  }
  return word;
}

bool read_event(std::string_view v, NotifyRequest& out) {
  if (!plain_params(v) || !param_of(v, "id", out.event_id)) return false;
  // Other parameters may belong to the name ("dialog;sla"): core/notify_fields.h.
  if (std::count(v.begin(), v.end(), ';') > (out.event_id.empty() ? 0 : 1)) return false;
  out.event = first_word(v);
  return short_token(out.event) && (out.event_id.empty() || short_token(out.event_id));
}

bool read_state(std::string_view v, PlainNotifyText& text, NotifyRequest& out) {
  std::string_view reason, expires, retry_after;
  if (!plain_params(v) || !param_of(v, "reason", reason) || !param_of(v, "expires", expires) ||
      !param_of(v, "retry-after", retry_after))
    return false;
  out.state = lowered(first_word(v), text.state);
  out.reason = lowered(reason, text.reason);
  return short_token(out.state) && (reason.empty() || short_token(reason)) &&
         (expires.empty() || read_number(expires, out.expires)) &&
         (retry_after.empty() || read_number(retry_after, out.retry_after));
}

bool read_type(const Scan& s, NotifyRequest& out) {
  out.body = s.body;
  if (!s.has(Field::ContentType)) return out.body.empty();
  std::string_view type = s[Field::ContentType];
  if (!out.body.empty()) out.content_type = type;   // without a body the field says nothing
  // sofia prints types without blanks around ';' and '/': one that has none is the same either way.
  std::string_view name = type.substr(0, type.find(';'));
  size_t slash = std::min(name.find('/'), name.size() - 1);
  return is_word(type, kMaxType) && is_token(name.substr(0, slash)) && is_token(name.substr(slash + 1)) && plain_params(type);
}

}  // namespace

bool read_plain_notify(const Scan& s, PlainNotifyText& text, NotifyRequest& out) {
  if (s.kind != Scan::Kind::Request || s.method != "NOTIFY") return false;
  std::string_view method;
  out.call_id = s[Field::CallId];
  if (!is_word(out.call_id, kMaxCallId) || !read_cseq(s[Field::CSeq], out.cseq, method) || method != "NOTIFY") return false;
  if (!read_tag(s[Field::To], out.local_tag) || out.local_tag.empty() || !read_tag(s[Field::From], out.remote_tag) ||
      out.remote_tag.empty())
    return false;
  if (!read_event(s[Field::Event], out) || !read_state(s[Field::SubscriptionState], text, out)) return false;
  if (s.has(Field::Contact) && !read_contact(s[Field::Contact], out.contact)) return false;
  return read_type(s, out);
}

}  // namespace pua
