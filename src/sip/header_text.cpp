#include "sip/header_text.h"

#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/url.h>

#include <algorithm>
#include <vector>

#include "core/validate.h"
#include "sip/request.h"

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

std::string contact_uri(const sip_contact_s* m) {
  if (!m) return {};
  url_t url = *m->m_url;
  url.url_headers = nullptr;  // not allowed in a Request-URI (RFC 3261 section 19.1.1)
  url.url_fragment = nullptr;
  char text[kMaxUri + 1];
  issize_t n = url_e(text, sizeof text, &url);
  if (n <= 0 || static_cast<size_t>(n) >= sizeof text) return {};
  std::string out(text, static_cast<size_t>(n));
  return is_word(out, kMaxUri) && parse_target(out) ? out : std::string();
}

bool route_text(const sip_route_s* r, RouteOrder order, std::string& out) {
  std::vector<const sip_route_t*> all;
  for (; r; r = r->r_next) {
    if (all.size() == kMaxHops) return false;
    all.push_back(r);
  }
  if (order == RouteOrder::Reversed) std::reverse(all.begin(), all.end());
  out.clear();
  std::string one;
  for (const sip_route_t* e : all) {
    if (!field_text(reinterpret_cast<const msg_header_t*>(e), one) || one.find('<') == std::string::npos ||
        std::any_of(one.begin(), one.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
      return false;
    if (!out.empty()) out.append(", ");
    out.append(one);
  }
  return out.size() <= kMaxRoutes;
}

}  // namespace pua
