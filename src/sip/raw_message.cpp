#include "sip/raw_message.h"

#include <sofia-sip/sip_header.h>

#include <algorithm>
#include <cstring>

#include "core/uri.h"

namespace pua {
namespace {

// "<uri>;tag=x", cut into C strings.
void address(char* value, sip_addr_s& out, const char* params[2]) {
  char* open = strchr(value, '<');
  char* close = open ? strchr(open, '>') : nullptr;
  if (!close) return;
  *close = 0;
  out.a_display = "";   // there, if empty: so sofia writes the brackets
  out.a_url->url_type = url_unknown;
  if (char* colon = strchr(open + 1, ':')) {
    *colon = 0;
    out.a_url->url_scheme = open + 1;
    out.a_url->url_host = colon + 1;
  }
  if (strncmp(close + 1, ";tag=", 5) != 0) return;
  params[0] = close + 2;
  out.a_params = params;
  out.a_tag = close + 6;
}

}  // namespace

// Scheme and all the rest: of a kind without names for its parts sofia changes nothing, the case of the scheme included.
void url_in_one_piece(std::string& text, url_t& out) {
  memset(&out, 0, sizeof out);
  out.url_type = url_unknown;
  size_t colon = text.find(':');
  if (colon == text.npos) {   // no URI: as a host alone
    out.url_host = text.c_str();
    return;
  }
  text[colon] = 0;
  out.url_scheme = text.c_str();
  out.url_host = text.c_str() + colon + 1;
}

RawMessage::RawMessage(std::string_view uri, std::string_view headers) : uri_text_(uri), text_(headers) {
  url_in_one_piece(uri_text_, uri_);
  sip_from_init(&from_);
  sip_to_init(&to_);
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
}

void RawMessage::line(char* name, char* value) {
  if (same_word(name, "From")) return address(value, from_, from_params_);
  if (same_word(name, "To")) return address(value, to_, to_params_);
  for (const char* needed : {"Call-ID", "CSeq", "User-Agent"})
    if (same_word(name, needed)) {
      known_.append(needed).append(": ").append(value).append("\r\n");
      return;
    }
  sip_unknown_t& u = others_.emplace_back();
  sip_unknown_init(&u);
  u.un_name = name;
  u.un_value = value;
  if (others_.size() > 1) others_[others_.size() - 2].un_next = &u;
}

}  // namespace pua
