// Just enough SIP for the sink: the header fields of a message, and texts put together in a buffer.
#pragma once

#include <strings.h>

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace bench {

inline uint64_t fnv(std::string_view s, uint64_t h) {
  for (unsigned char c : s) h = (h ^ c) * 1099511628211u;
  return h;
}

struct Request {
  std::string_view uri, via[8], from, to, call_id, cseq, expires, if_match, event, contact;
  unsigned vias = 0;
  size_t body = 0;
};

inline bool is(std::string_view name, const char* full, char compact) {
  if (compact && name.size() == 1) return (name[0] | 32) == compact;
  return name.size() == strlen(full) && strncasecmp(name.data(), full, name.size()) == 0;
}

// The few header fields that the sink needs. Folded lines are not expected: both peers send none.
inline bool parse(std::string_view m, Request& r) {
  size_t eol = m.find("\r\n");
  if (eol == m.npos) return false;
  std::string_view line = m.substr(0, eol);
  size_t a = line.find(' '), b = line.rfind(' ');
  if (a == line.npos || a == b) return false;
  r.uri = line.substr(a + 1, b - a - 1);
  size_t at = eol + 2;
  for (;;) {
    eol = m.find("\r\n", at);
    if (eol == m.npos) return false;
    if (eol == at) break;
    line = m.substr(at, eol - at);
    at = eol + 2;
    size_t colon = line.find(':');
    if (colon == line.npos) return false;
    std::string_view name = line.substr(0, colon), value = line.substr(colon + 1);
    while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (name.empty()) return false;
    switch (name[0] | 32) {
      case 'v':
        if (is(name, "via", 'v') && r.vias < 8) r.via[r.vias++] = value;
        break;
      case 'f':
        if (is(name, "from", 'f')) r.from = value;
        break;
      case 't':
        if (is(name, "to", 't')) r.to = value;
        break;
      case 'i':
        if (is(name, "call-id", 'i')) r.call_id = value;
        break;
      case 'c':
        if (is(name, "call-id", 0)) r.call_id = value;
        else if (is(name, "cseq", 0)) r.cseq = value;
        else if (is(name, "contact", 0)) r.contact = value;
        break;
      case 'm':
        if (is(name, "contact", 'm')) r.contact = value;
        break;
      case 'e':
        if (is(name, "expires", 0)) r.expires = value;
        else if (is(name, "event", 0)) r.event = value;
        break;
      case 'o':
        if (is(name, "event", 'o')) r.event = value;
        break;
      case 's':
        if (is(name, "sip-if-match", 0)) r.if_match = value;
        break;
      default: break;
    }
  }
  r.body = m.size() - at - 2;
  return r.vias && !r.from.empty() && !r.to.empty() && !r.call_id.empty() && !r.cseq.empty();
}

struct Text {
  char* p;
  char* end;
  bool ok = true;
  Text& operator<<(std::string_view s) { add(s); return *this; }
  Text& operator<<(unsigned long n) {
    char b[24];
    return *this << std::string_view(b, size_t(std::to_chars(b, b + sizeof b, n).ptr - b));
  }
  void add(std::string_view s) {
    if (size_t(end - p) < s.size()) { ok = false; return; }
    memcpy(p, s.data(), s.size());
    p += s.size();
  }
};

}  // namespace bench
