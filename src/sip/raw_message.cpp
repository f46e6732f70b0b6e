#include "sip/raw_message.h"

#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_tag.h>

#include <algorithm>
#include <cstring>

#include "core/uri.h"

namespace pua {
namespace {

// The '<' that is not in a quoted display name. null: there is none.
char* find_open(char* s) {
  for (; *s && *s != '<'; s++) {
    if (*s != '"') continue;
    for (s++; *s && *s != '"'; s++)
      if (*s == '\\' && s[1]) s++;
    if (!*s) return nullptr;
  }
  return *s ? s : nullptr;
}

void cut_url(char* text, url_t& out) {
  memset(&out, 0, sizeof out);
  out.url_type = url_unknown;
  out.url_host = text;
  if (char* colon = strchr(text, ':')) {
    *colon = 0;
    out.url_scheme = text;
    out.url_host = colon + 1;
  }
}

}  // namespace

// Cuts it into the scheme and all the rest. In a URL of a kind whose parts sofia has no names for, it changes nothing, not even
// the case of the scheme.
void url_in_one_piece(std::string& text, url_t& out) { cut_url(text.data(), out); }

// Several addresses in one value ("<sip:a;lr>, <sip:b>;x=1") are given to sofia as one: the text from the first bracket to the
// last. false, and nothing is cut: sofia would not print it as it is.
bool RawMessage::cut_address(char* value, Address& out) {
  char* open = find_open(value);
  char* close = open ? strrchr(open, '>') : nullptr;
  if (!close || !memchr(open, ':', static_cast<size_t>(close - open))) return false;
  if (close[1] && (close[1] != ';' || !close[2])) return false;
  bool named = open > value;
  if (named && (open[-1] != ' ' || open - value < 2 || open[-2] == ' ')) return false;   // sofia writes one blank there
  if (named) open[-1] = 0;
  out.display = named ? value : "";   // an empty display name makes sofia write the brackets
  *close = 0;
  cut_url(open + 1, out.url);
  if (close[1]) out.params[0] = close + 2;
  return true;
}

RawMessage::RawMessage(std::string_view uri, std::string_view headers) : uri_text_(uri), text_(headers) {
  url_in_one_piece(uri_text_, uri_);
  sip_route_init(&route_);
  sip_from_init(&from_);
  sip_to_init(&to_);
  sip_contact_init(&contact_);
  sip_accept_init(&accept_);
  sip_event_init(&event_);
  sip_allow_events_init(&allow_events_);
  sip_if_match_init(&if_match_);
  sip_content_type_init(&content_type_);
  others_.reserve(static_cast<size_t>(std::count(headers.begin(), headers.end(), '\n')));   // the list points into it
  for (char* at = text_.data(); *at;) {
    char* end = strstr(at, "\r\n");
    if (!end) break;
    *end = 0;
    if (char* colon = strchr(at, ':')) {
      *colon = 0;
      line(at, colon + 1 + strspn(colon + 1, " \t"));
    }
    at = end + 2;
  }
  auto add = [this](bool there, tagi_t tag) {
    if (there) tags_.push_back(tag);
  };
  add(route_.r_display, {SIPTAG_ROUTE(&route_)});
  add(from_.a_display, {SIPTAG_FROM(&from_)});
  add(to_.a_display, {SIPTAG_TO(&to_)});
  add(true, {SIPTAG_HEADER_STR(known_.c_str())});
  add(contact_.m_display, {SIPTAG_CONTACT(&contact_)});
  add(accept_.ac_type, {SIPTAG_ACCEPT(&accept_)});
  add(event_.o_type, {SIPTAG_EVENT(&event_)});
  add(allow_items_[0], {SIPTAG_ALLOW_EVENTS(&allow_events_)});
  add(if_match_.g_string, {SIPTAG_IF_MATCH(&if_match_)});
  add(content_type_.c_type, {SIPTAG_CONTENT_TYPE(&content_type_)});
  add(!others_.empty(), {SIPTAG_UNKNOWN(others_.data())});
  tags_.push_back({TAG_END()});
}

void RawMessage::line(char* name, char* value) {
  if (take(name, value)) return;
  sip_unknown_t& u = others_.emplace_back();
  sip_unknown_init(&u);
  u.un_name = name;
  u.un_value = value;
  if (others_.size() > 1) others_[others_.size() - 2].un_next = &u;
}

// true: it has a place of its own. A second field of a name goes to the others.
bool RawMessage::take(char* name, char* value) {
  auto is = [name](const char* other) { return same_word(name, other); };
  auto address = [&](Address& a, const char*& display, url_t& url, auto& params) {
    if (display || !cut_address(value, a)) return false;
    display = a.display;
    url = a.url;
    if (a.params[0]) params = a.params;
    return true;
  };
  auto word = [value](const char*& place) { return !place && (place = value); };
  if (is("Route")) return address(addresses_[0], route_.r_display, *route_.r_url, route_.r_params);
  auto party = [&](Address& a, sip_addr_s& out) {
    if (!address(a, out.a_display, *out.a_url, out.a_params)) return false;
    if (a.params[0] && strncmp(a.params[0], "tag=", 4) == 0) out.a_tag = a.params[0] + 4;
    return true;
  };
  if (is("From")) return party(addresses_[1], from_);
  if (is("To")) return party(addresses_[2], to_);
  if (is("Contact")) return address(addresses_[3], contact_.m_display, *contact_.m_url, contact_.m_params);
  if (is("Accept")) return word(accept_.ac_type);
  if (is("Event")) return word(event_.o_type);
  if (is("SIP-If-Match")) return word(if_match_.g_string);
  if (is("Content-Type")) return word(content_type_.c_type);
  if (is("Allow-Events")) {
    if (allow_items_[0]) return false;
    allow_items_[0] = value;
    allow_events_.k_items = allow_items_;
    return true;
  }
  for (const char* read : {"Call-ID", "CSeq", "Expires", "User-Agent"})
    if (is(read)) {
      known_.append(read).append(": ").append(value).append("\r\n");
      return true;
    }
  return false;
}

}  // namespace pua
