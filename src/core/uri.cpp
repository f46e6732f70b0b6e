#include "core/uri.h"

#include <algorithm>
#include <array>

namespace pua {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool digit(char c) { return c >= '0' && c <= '9'; }
bool hex(char c) { return digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }
bool alnum(char c) { return digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

constexpr CharSet kNotInHost("/%[]@");   // of those that may stand raw in other parts
constexpr std::array<bool, 256> kRaw = [] {
  std::array<bool, 256> t{};
  for (unsigned c = '0'; c <= '9'; c++) t[c] = true;
  for (unsigned c = 'a'; c <= 'z'; c++) t[c] = t[c - 32] = true;
  for (char c : std::string_view("-_.!~*'();/?:@&=+$,%[]")) t[static_cast<unsigned char>(c)] = true;
  return t;
}();

const char* bad_octets(std::string_view text) {
  for (size_t i = 0; i < text.size(); i++) {
    char c = text[i];
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '<' || c == '>' || c == '"')
      return " holds a control character, blank, quote or angle bracket";
    if (c == '%' && (i + 2 >= text.size() || !hex(text[i + 1]) || !hex(text[i + 2])))
      return " holds '%' without two hexadecimal digits behind it";
  }
  return nullptr;
}

Scheme scheme_of(std::string_view s) {
  if (same_word(s, "sip")) return Scheme::Sip;
  if (same_word(s, "sips")) return Scheme::Sips;
  if (same_word(s, "pres")) return Scheme::Pres;
  return same_word(s, "tel") ? Scheme::Tel : Scheme::Other;
}

// host [ ":" port ]
const char* read_host(std::string_view s, Uri& out) {
  size_t end = std::min(s.find(':'), s.size());
  if (s.starts_with('[')) {
    end = s.find(']');
    if (end == s.npos || end == 1 || s.substr(1, end - 1).find_first_not_of("0123456789abcdefABCDEF:.") != s.npos)
      return " has an IPv6 address that is none";
    end++;
  } else if (std::any_of(s.begin(), s.begin() + static_cast<std::ptrdiff_t>(end), [](char c) {
               return !raw_in_uri(c) || kNotInHost.has(c);
             })) {
    return s.find('@') != s.npos ? " holds more than one '@'" : " has a host that is none";
  }
  out.host = s.substr(0, end);
  if (out.host.empty()) return " has no host";
  if (end == s.size()) return nullptr;
  if (s[end] != ':') return " has a host that is none";
  out.port = s.substr(end + 1);
  if (out.port == "*") return nullptr;
  unsigned n = 0;
  for (char c : out.port) {
    if (!digit(c)) return " has a port that is no number";
    n = std::min(n * 10 + static_cast<unsigned>(c - '0'), 65536u);
  }
  return out.port.empty() || n > 65535 ? " has a port that is no number" : nullptr;
}

}  // namespace

bool raw_in_uri(char c) { return kRaw[static_cast<unsigned char>(c)]; }

const char* read_uri(std::string_view text, Uri& out) {
  out = Uri{};
  if (const char* why = bad_octets(text)) return why;
  size_t colon = text.find(':');
  if (colon == text.npos || colon == 0) return " has no scheme";
  out.scheme = text.substr(0, colon);
  bool word = std::all_of(out.scheme.begin(), out.scheme.end(),
                          [](char c) { return alnum(c) || c == '+' || c == '-' || c == '.'; });
  if (!word || digit(out.scheme[0])) return " has no scheme";
  out.kind = scheme_of(out.scheme);
  out.bare = text;
  std::string_view rest = text.substr(colon + 1);
  if (out.kind == Scheme::Other) {
    out.user = rest;
    return nullptr;
  }
  bool tel = out.kind == Scheme::Tel;
  if (size_t at = tel ? rest.npos : rest.find('@'); at != rest.npos) {
    out.has_user = true;
    out.user = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    if (size_t c = out.user.find(':'); c != out.user.npos) {
      out.has_password = true;
      out.password = out.user.substr(c + 1);
      out.user = out.user.substr(0, c);
    }
  }
  if (size_t q = rest.find('?'); q != rest.npos) {
    out.has_headers = true;
    out.headers = rest.substr(q + 1);
    out.bare.remove_suffix(out.headers.size() + 1);
    rest = rest.substr(0, q);
  }
  size_t semicolon = std::min(rest.find(';'), rest.size());
  if (semicolon < rest.size()) out.params = rest.substr(semicolon + 1);
  if (tel) {
    out.user = rest.substr(0, semicolon);
    out.tail = rest.substr(semicolon);
    if (out.user.empty() || out.user.find_first_of("/:@[]") != rest.npos) return " has a number that is none";
    return nullptr;
  }
  if (const char* why = read_host(rest.substr(0, semicolon), out)) return why;
  out.tail = rest.substr(out.host.size());
  return out.params.find('@') == rest.npos ? nullptr : " holds more than one '@'";
}

std::string_view first_contact_uri(std::string_view value) {
  std::string_view uri;
  bool bracket = false;
  for (size_t i = 0; i < value.size() && !bracket; i++) {
    switch (value[i]) {
      case '"':
        for (i++; i < value.size() && value[i] != '"'; i++)
          if (value[i] == '\\') i++;
        break;
      case '<':
        bracket = true;
        if (size_t end = value.find('>', i); end != value.npos) uri = value.substr(i + 1, end - i - 1);
        break;
      case ',': value = value.substr(0, i); break;
      default: break;
    }
  }
  uri = trimmed(bracket ? uri : value);
  // Without angle brackets the parameters belong to the header field, and not to the URI (RFC 3261 section 20).
  if (!bracket) uri = uri.substr(0, uri.find_first_of(";? \t"));
  if (uri == "*") return {};
  Uri u;
  return read_uri(uri, u) ? uri : u.bare;
}

void write_uri(std::string_view uri, std::string& out) {
  size_t from = 0;
  for (size_t i = 0; i < uri.size(); i++) {
    if (raw_in_uri(uri[i])) continue;
    auto c = static_cast<unsigned char>(uri[i]);
    out.append(uri.substr(from, i - from));
    out.push_back('%');
    out.push_back("0123456789ABCDEF"[c >> 4]);
    out.push_back("0123456789ABCDEF"[c & 15]);
    from = i + 1;
  }
  out.append(uri.substr(from));
}

void write_routes(std::string_view routes, std::string& out) {
  bool quoted = false;
  for (size_t i = 0; i < routes.size(); i++) {
    char c = routes[i];
    out.push_back(c);
    if (quoted && c == '\\' && i + 1 < routes.size()) {
      out.push_back(routes[++i]);
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == '<' && !quoted) {
      size_t end = std::min(routes.find('>', i), routes.size());
      std::string_view uri = routes.substr(i + 1, end - i - 1);
      size_t blanks = std::min(uri.find_first_not_of(" \t"), uri.size()), last = uri.find_last_not_of(" \t") + 1;
      out.append(uri.substr(0, blanks));
      if (blanks < last) write_uri(uri.substr(blanks, last - blanks), out);
      out.append(uri.substr(std::max(blanks, last)));
      i = end - 1;
    }
  }
}

namespace {

// The parameter: its name, '=' and value. Empty: it is not there.
std::string_view find_param(std::string_view params, std::string_view name) {
  while (!params.empty()) {
    std::string_view one = params.substr(0, params.find(';'));
    if (same_word(one.substr(0, one.find('=')), name)) return one;
    params.remove_prefix(std::min(one.size() + 1, params.size()));
  }
  return {};
}

}  // namespace

std::string_view param_value(std::string_view params, std::string_view name) {
  std::string_view one = find_param(params, name);
  return one.size() > name.size() ? one.substr(name.size() + 1) : std::string_view();
}

bool has_param(std::string_view params, std::string_view name) { return !find_param(params, name).empty(); }

}  // namespace pua
