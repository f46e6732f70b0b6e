#include "sip/header_text.h"

#include <sofia-sip/msg_parser.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_mclass.h>
#include <sofia-sip/sip_extra.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/url.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <vector>

#include "base/words.h"
#include "core/uri.h"
#include "core/validate.h"
#include "sip/route.h"

namespace pua {
namespace {

constexpr size_t kMaxHops = 64;   // nobody has that many proxies on the way

}  // namespace

bool is_word(std::string_view s, size_t max) {
  return !s.empty() && s.size() <= max && std::all_of(s.begin(), s.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

bool is_tag(std::string_view s) { return !s.empty() && check_tag("tag", s).ok(); }

void unfold(std::string& s) {
  size_t w = 0;
  for (size_t i = 0; i < s.size();) {
    if (s[i] != '\r' && s[i] != '\n') {
      s[w++] = s[i++];
      continue;
    }
    while (i < s.size() && (s[i] == '\r' || s[i] == '\n' || s[i] == ' ' || s[i] == '\t')) i++;
    while (w > 0 && (s[w - 1] == ' ' || s[w - 1] == '\t')) w--;
    if (i < s.size()) s[w++] = ' ';
  }
  s.resize(w);
}

bool field_text(const union msg_header_u* h, std::string& out) {
  char small[256];
  issize_t n = msg_header_field_e(small, sizeof small, h, 0);
  if (n < 0) return false;
  if (static_cast<size_t>(n) < sizeof small) {
    out.assign(small, static_cast<size_t>(n));
  } else {
    out.resize(static_cast<size_t>(n) + 1);
    n = msg_header_field_e(out.data(), out.size(), h, 0);
    out.resize(n < 0 ? 0 : static_cast<size_t>(n));
  }
  unfold(out);
  return true;
}

bool readable_url(std::string_view uri) {
  char copy[kMaxUri + 1];
  url_t url;
  if (uri.size() > kMaxUri) return false;
  copy[uri.copy(copy, kMaxUri)] = 0;
  return url_d(&url, copy) == 0;
}

namespace {

// MSG_FLG_EXTRACT_COPY is what makes sofia keep the octets. Set from the start it spoils the first line where empty lines stand
// before it, as they may on a connection: so it is set when that line has been read. (The message is its own su_home, so the
// cast leads from one to the other.)
issize_t first_line(msg_hclass_t* c, su_home_t* home, msg_header_t* h, char* s, isize_t n) {
  msg_object(reinterpret_cast<msg_t*>(home))->msg_flags |= MSG_FLG_EXTRACT_COPY;
  return c->hc_parse(home, h, s, n);
}
issize_t request_line(su_home_t* home, msg_header_t* h, char* s, isize_t n) {
  return first_line(sip_request_class, home, h, s, n);
}
issize_t status_line(su_home_t* home, msg_header_t* h, char* s, isize_t n) {
  return first_line(sip_status_class, home, h, s, n);
}

// A header class like that one, with another function to parse it. (Its members are const: no assignment.)
struct Class {
  alignas(msg_hclass_t) unsigned char octets[sizeof(msg_hclass_t)];
  Class(const msg_hclass_t* like, msg_parse_f* parse) {
    memcpy(octets, like, sizeof octets);
    memcpy(octets + offsetof(msg_hclass_t, hc_parse), &parse, sizeof parse);
  }
  msg_hclass_t* get() { return reinterpret_cast<msg_hclass_t*>(octets); }
};

}  // namespace

const msg_mclass_s* message_class() {
  static msg_mclass_t* made = [] {
    static Class request(sip_request_class, request_line), status(sip_status_class, status_line);
    static Class etag(sip_etag_class, msg_generic_d);
    msg_mclass_t* m = msg_mclass_clone(sip_default_mclass(), 0, 0);
    if (m) {
      m->mc_request[0].hr_class = request.get();
      m->mc_status[0].hr_class = status.get();
      for (int i = 0; i < m->mc_hash_size; i++)
        if (m->mc_hash[i].hr_class == sip_etag_class) m->mc_hash[i].hr_class = etag.get();
    }
    return m;
  }();
  return made ? made : sip_default_mclass();
}

namespace {

// The line of a header field as it came. Of several fields that came in one line, the first one has it. false: sofia did not
// keep the line, or another field has it.
bool line_of(const msg_header_t* h, std::string_view& name, std::string_view& value) {
  std::string_view line(static_cast<const char*>(h->sh_data), h->sh_data ? h->sh_len : 0);
  size_t colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  name = trimmed(line.substr(0, colon), kWhite);
  value = trimmed(line.substr(colon + 1), kWhite);
  return true;
}

// The value of a field whose octets were not kept.
bool printed(const msg_header_t* h, std::string_view name, std::string& out) {
  return !h->sh_data && h->sh_class->hc_name && same_word(h->sh_class->hc_name, name) && field_text(h, out);
}

}  // namespace

bool field_as_came(const msg_header_t* h, std::string& out) {
  std::string_view name, value;
  if (!line_of(h, name, value)) return field_text(h, out);
  // Several elements in one line: sofia has made a header of each.
  if (h->sh_next && h->sh_next == h->sh_succ && h->sh_next->sh_data && h->sh_next->sh_len == 0)
    if (auto all = split_routes(value); !all.empty()) value = all[0];
  out.assign(value);
  unfold(out);
  return true;
}

bool field_values(const sip_s* sip, std::string_view name, char compact, std::string& out) {
  const auto* first = reinterpret_cast<const msg_header_t*>(sip->sip_request);
  if (!first) first = reinterpret_cast<const msg_header_t*>(sip->sip_status);
  out.clear();
  bool there = false;
  std::string one;
  // The body stands in the same chain, behind the empty line.
  for (const msg_header_t* h = first ? first->sh_succ : nullptr;
       h && h->sh_class != sip_separator_class && h->sh_class != sip_payload_class; h = h->sh_succ) {
    std::string_view called, value;
    if (line_of(h, called, value)) {
      if (!same_word(called, name) && !(compact && called.size() == 1 && (called[0] | 0x20) == compact)) continue;
      one.assign(value);
      unfold(one);
    } else if (!printed(h, name, one)) {
      continue;
    }
    if (there) out.append(", ");
    out.append(one);
    there = true;
  }
  return there;
}

std::string contact_uri(const sip_s* sip) {
  std::string value;
  if (!field_values(sip, "Contact", 'm', value)) return {};
  std::string_view uri = first_contact_uri(value);
  return check_uri("Contact", uri).ok() ? std::string(uri) : std::string();
}

bool has_contact(const sip_s* sip) {
  std::string value;
  return field_values(sip, "Contact", 'm', value);
}

bool record_route(const sip_s* sip, RouteOrder order, std::string& out) {
  std::string value;
  out.clear();
  if (!field_values(sip, "Record-Route", 0, value)) return true;
  auto all = split_routes(value);
  if (all.empty() || all.size() > kMaxHops) return false;
  if (order == RouteOrder::Reversed) std::reverse(all.begin(), all.end());
  for (std::string_view one : all) {
    Uri u;
    if (read_uri(route_uri(one), u)) return false;
    if (std::any_of(one.begin(), one.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
      return false;
    if (!out.empty()) out.append(", ");
    out.append(one);
  }
  return out.size() <= kMaxRoutes;
}

}  // namespace pua
