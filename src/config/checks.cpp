#include "config/checks.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "base/utf8.h"
#include "base/words.h"
#include "config/addresses.h"

namespace pua {

namespace {

Status bad(std::string what) { return Status(Errc::bad_config, std::move(what)); }

std::string quoted(const Param& p) { return "parameter \"" + std::string(p.name) + "\""; }

// A value as messages show it.
std::string shown(std::string_view v) { return shortened(v, 60); }

bool alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

bool all_digits(std::string_view s) {
  return !s.empty() && std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// Up to 12 digits: no overflow, and more than any bound.
bool to_number(std::string_view s, int64_t& out) {
  if (!all_digits(s) || s.size() > 12) return false;
  out = 0;
  for (char c : s) out = out * 10 + (c - '0');
  return true;
}

// Nothing in a config value may carry a line break or another control character into a header field, a log or a path, or look
// like something else than it is. none: it is no UTF-8.
std::optional<bool> has_control(std::string_view s) {
  auto* p = reinterpret_cast<const unsigned char*>(s.data());
  bool control = false;
  for (size_t i = 0; i < s.size();) {
    size_t n = p[i] < 0x80 ? 1 : utf8_sequence(p + i, s.size() - i);
    if (n == 0) return {};
    control |= misleading(utf8_character(p + i, n));
    i += n;
  }
  return control;
}

std::string number_text(const Param& p, int64_t v) {
  char buf[32];
  snprintf(buf, sizeof buf, p.type == ParamType::Mode && v >= 0 ? "0%llo" : "%lld", static_cast<long long>(v));
  return buf;
}

Status assign_number(Settings& s, const Param& p, int64_t v) {
  if (v < p.min || v > p.max) return bad(quoted(p) + " is " + number_text(p, v) + ", out of range: " + param_range_text(p));
  s.*std::get<int64_t Settings::*>(p.field) = v;
  return success();
}

Status assign_int(Settings& s, const Param& p, const Literal& l) {
  if (l.is_string) return bad(quoted(p) + " takes an integer, not a string");
  return assign_number(s, p, l.number);
}

Status assign_size(Settings& s, const Param& p, const Literal& l) {
  if (!l.is_string) return assign_number(s, p, l.number);
  std::string_view t = l.text;
  int64_t unit = 1;
  if (!t.empty()) {
    char last = t.back();
    if (last == 'K' || last == 'k') unit = 1024;
    if (last == 'M' || last == 'm') unit = 1024 * 1024;
    if (unit != 1) t.remove_suffix(1);
  }
  int64_t v = 0;
  if (!to_number(t, v))
    return bad(quoted(p) + " takes a number of octets or a string like \"16K\", not \"" + shown(l.text) + "\"");
  return assign_number(s, p, v * unit);
}

Status assign_bool(Settings& s, const Param& p, const Literal& l) {
  bool& field = s.*std::get<bool Settings::*>(p.field);
  if (l.is_string ? l.text == "yes" : l.number == 1) field = true;
  else if (l.is_string ? l.text == "no" : l.number == 0) field = false;
  else
    return bad(quoted(p) + " takes 0, 1, \"no\" or \"yes\", not " +
               (l.is_string ? "\"" + shown(l.text) + "\"" : number_text(p, l.number)));
  return success();
}

Status assign_expires(Settings& s, const Param& p, const Literal& l) {
  std::string text = l.is_string ? l.text : std::to_string(l.number);
  if (!l.is_string && (l.number < p.min || l.number > p.max)) {
    return bad(quoted(p) + " is " + text + ", out of range: " + param_range_text(p));
  }
  if (std::string what = p.check(text); !what.empty()) return bad(quoted(p) + " " + what);
  s.*std::get<std::string Settings::*>(p.field) = text;
  return success();
}

Status assign_string(Settings& s, const Param& p, const Literal& l) {
  if (!l.is_string) return bad(quoted(p) + " takes a string, not an integer");
  if (!p.choices.empty()) {
    std::string_view rest = p.choices;
    bool found = false;
    while (!rest.empty() && !found) {
      size_t bar = std::min(rest.find('|'), rest.size());
      found = rest.substr(0, bar) == l.text;
      rest.remove_prefix(std::min(bar + 1, rest.size()));
    }
    if (!found) return bad(quoted(p) + " is \"" + shown(l.text) + "\", not one of: " + param_range_text(p));
  }
  if (p.check) {
    if (std::string what = p.check(l.text); !what.empty()) return bad(quoted(p) + " " + what);
  }
  if (auto* list = std::get_if<std::vector<std::string> Settings::*>(&p.field)) (s.**list).push_back(l.text);
  else if (auto* creds = std::get_if<std::vector<Credential> Settings::*>(&p.field))
    (s.**creds).push_back(*parse_credential(l.text));
  else s.*std::get<std::string Settings::*>(p.field) = l.text;
  return success();
}

}  // namespace

Status assign(Settings& s, const Param& p, const Literal& l) {
  if (l.octal && p.type != ParamType::Mode) {
    return bad(quoted(p) + " is no file mode: a number must not begin with 0 (that would be octal)");
  }
  if (l.decimal && l.number > 0 && p.type == ParamType::Mode) {
    std::string digits = std::to_string(l.number);
    return bad(quoted(p) + " is " + digits + ": a file mode is octal, and begins with 0" +
               (digits.find_first_of("89") == digits.npos ? ": write 0" + digits : ""));
  }
  std::optional<bool> control = has_control(l.is_string ? std::string_view(l.text) : std::string_view());
  if (!control) return bad(quoted(p) + " is not valid UTF-8");
  if (*control) return bad(quoted(p) + " must not hold control characters");
  switch (p.type) {
    case ParamType::Int:
    case ParamType::Mode: return assign_int(s, p, l);
    case ParamType::Size: return assign_size(s, p, l);
    case ParamType::Bool: return assign_bool(s, p, l);
    case ParamType::Expires: return assign_expires(s, p, l);
    case ParamType::String:
    case ParamType::List: return assign_string(s, p, l);
  }
  return bad("unknown parameter type");
}

Result<MaxExpires> parse_max_expires(std::string_view text) {
  MaxExpires out;
  bool all_given = false;
  std::string_view rest = text;
  for (bool more = true; more;) {
    size_t comma = rest.find(',');
    std::string_view part = rest.substr(0, comma);
    more = comma != std::string_view::npos;
    if (more) rest.remove_prefix(comma + 1);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    size_t eq = part.rfind('=');
    std::string_view number = eq == std::string_view::npos ? part : part.substr(eq + 1);
    std::string event(eq == std::string_view::npos ? std::string_view() : part.substr(0, eq));
    int64_t v = 0;
    if (!to_number(number, v) || (eq != std::string_view::npos && event.empty())) {
      return {Errc::bad_config, "has a part \"" + shown(part) + "\" that is neither seconds nor event=seconds"};
    }
    if (v < 1 || v > kMaxLifetime) {
      return {Errc::bad_config, "has a part \"" + shown(part) + "\" out of range: 1 to " + std::to_string(kMaxLifetime) + " s"};
    }
    if (event.empty()) {
      if (all_given) return {Errc::bad_config, "gives the bound of all events twice"};
      all_given = true;
      out.all = static_cast<uint32_t>(v);
      continue;
    }
    if (!std::all_of(event.begin(), event.end(),
                     [](char c) { return alnum(c) || c == '-' || c == '.' || c == ';' || c == '_'; })) {
      return {Errc::bad_config, "has a part \"" + shown(part) + "\" with a bad event name"};
    }
    for (const auto& e : out.by_event) {
      if (e.first == event) return {Errc::bad_config, "gives the bound of event \"" + shown(event) + "\" twice"};
    }
    out.by_event.emplace_back(std::move(event), static_cast<uint32_t>(v));
  }
  return out;
}

std::optional<Misfit> fit_lifetimes(Settings& s, bool min_set, bool default_set) {
  Result<MaxExpires> max = parse_max_expires(s.max_expires);
  if (!max) return Misfit{"max_expires", max.error().message};
  int64_t min = s.min_expires;
  auto below = [&](const std::string& bound, int64_t v) {
    return Misfit{"max_expires", bound + " is " + std::to_string(v) + " s, below min_expires, " + std::to_string(min) + " s" +
                                     (min_set ? "" : " if not set")};
  };
  if (max->all < min) return below("max_expires", max->all);
  for (const auto& [event, v] : max->by_event) {
    if (v < min) return below("max_expires of event \"" + event + "\"", v);
  }
  if (!default_set) {
    s.default_expires = std::clamp<int64_t>(s.default_expires, std::max<int64_t>(min, 1), max->all);
  } else if (s.default_expires < min || s.default_expires > max->all) {
    return Misfit{"default_expires", "default_expires is " + std::to_string(s.default_expires) +
                                         " s, not between min_expires and max_expires, " + std::to_string(min) + " and " +
                                         std::to_string(max->all) + " s"};
  }
  return {};
}

// Where the password stands in "...user:password@...", behind the scheme: from, length. It reaches up to the last '@', because
// a password may hold one.
static std::pair<size_t, size_t> password_in(std::string_view uri, size_t scheme) {
  size_t at = uri.rfind('@'), colon = uri.find(':', scheme);
  if (at == uri.npos || colon == uri.npos || colon > at) return {0, 0};
  return {colon + 1, at - colon - 1};
}

static std::pair<size_t, size_t> sip_password_in(std::string_view uri) {
  size_t colon = uri.find(':');
  return colon == uri.npos ? std::pair<size_t, size_t>{0, 0} : password_in(uri, colon + 1);
}

static std::pair<size_t, size_t> url_password_in(std::string_view url) {
  constexpr std::string_view kScheme = "mysql://";
  return url.starts_with(kScheme) ? password_in(url, kScheme.size()) : std::pair<size_t, size_t>{0, 0};
}

static std::string hidden(std::string_view text, std::pair<size_t, size_t> password) {
  if (password.first == 0) return std::string(text);
  return std::string(text.substr(0, password.first))
      .append(kHiddenPassword)
      .append(text.substr(password.first + password.second));
}

std::string hide_sip_password(std::string_view uri) { return hidden(uri, sip_password_in(uri)); }
std::string hide_url_password(std::string_view url) { return hidden(url, url_password_in(url)); }

std::optional<Misfit> fit_passwords(const Settings& s) {
  auto misfit = [](const char* name) {
    return Misfit{name, "the password of \"" + std::string(name) +
                            "\" is \"***\", which is what --dump-config shows in its place: "
                            "write the real one there"};
  };
  auto is_hidden = [](std::string_view text, std::pair<size_t, size_t> at) {
    return at.first != 0 && text.substr(at.first, at.second) == kHiddenPassword;
  };
  if (is_hidden(s.db_url, url_password_in(s.db_url))) return misfit("db_url");
  for (const Credential& c : s.credentials) {
    if (c.password == kHiddenPassword) return misfit("credential");
  }
  for (auto [name, uri] :
       {std::pair{"outbound_proxy", &s.outbound_proxy}, {"contact", &s.contact}, {"presence_server", &s.presence_server}}) {
    if (is_hidden(*uri, sip_password_in(*uri))) return misfit(name);
  }
  return {};
}

bool holds_password(const Settings& s) {
  static const std::string kDefaultUrl = Settings{}.db_url;   // whose password everybody knows
  if (!s.credentials.empty() || (s.db_url != kDefaultUrl && url_password_in(s.db_url).first != 0)) return true;
  for (const std::string* uri : {&s.outbound_proxy, &s.contact, &s.presence_server})
    if (sip_password_in(*uri).first != 0) return true;
  return false;
}

Result<Credential> parse_credential(std::string_view text) {
  size_t a = text.find(':');
  size_t b = a == std::string_view::npos ? a : text.find(':', a + 1);
  // The message never repeats the text: it holds a password.
  if (b == std::string_view::npos || a == 0 || b == a + 1)
    return {Errc::bad_config, "is not of the form \"realm:user:password\""};
  return Credential{std::string(text.substr(0, a)), std::string(text.substr(a + 1, b - a - 1)),
                    std::string(text.substr(b + 1))};
}

Result<EventPackage> parse_event_package(std::string_view text) {
  size_t a = std::min(text.find(','), text.size()), b = std::min(text.find(',', a + 1), text.size());
  std::string_view bit = a < text.size() ? trimmed(text.substr(a + 1, b - a - 1)) : std::string_view();
  EventPackage out{std::string(trimmed(text.substr(0, a))), std::string(trimmed(text.substr(std::min(b + 1, text.size())))), 0};
  auto [end, error] = std::from_chars(bit.data(), bit.data() + bit.size(), out.flag);
  if (out.name.empty() || bit.empty() || error != std::errc() || end != bit.data() + bit.size())
    return {Errc::bad_config, "is not of the form \"name,bit,content type\""};
  if (out.flag <= 0 || (out.flag & (out.flag - 1)) != 0)
    return {Errc::bad_config, std::to_string(out.flag) + " is not one bit: 1, 2, 4 ... 1073741824"};
  return out;
}

std::string check_event_package(std::string_view v) {
  auto r = parse_event_package(v);
  return r ? "" : r.error().message;
}

std::string check_credential(std::string_view v) {
  auto r = parse_credential(v);
  return r ? "" : r.error().message;
}

std::string check_max_expires(std::string_view v) {
  auto r = parse_max_expires(v);
  return r ? "" : r.error().message;
}

// The messages do not repeat the URL: it may hold a password.
std::string check_db_url(std::string_view v) {
  if (v.starts_with("sqlite://")) {
    return v.size() > 10 && v[9] == '/' ? "" : "is not of the form \"sqlite:///path\" with an absolute path";
  }
  if (v.starts_with("mysql://")) {
    std::string_view rest = v.substr(8);
    size_t at = rest.rfind('@');
    if (at != std::string_view::npos) rest.remove_prefix(at + 1);
    size_t slash = rest.find('/');
    bool fine = slash != std::string_view::npos && slash > 0 && slash + 1 < rest.size();
    return fine ? "" : "is not of the form \"mysql://user:password@host/database\"";
  }
  if (v == "memory:") return "";
  return "is none of sqlite:///path, mysql://user:password@host/database and memory:";
}

std::string check_identifier(std::string_view v) {
  bool fine = !v.empty() && v.size() <= 60 && !(v[0] >= '0' && v[0] <= '9') &&
              std::all_of(v.begin(), v.end(), [](char c) { return alnum(c) || c == '_'; });
  return fine ? "" : "is \"" + shown(v) + "\", not a name of letters, digits and underscores (60 at most)";
}

std::string check_tag(std::string_view v) {
  bool fine = v.size() <= 64 &&
              std::all_of(v.begin(), v.end(), [](char c) { return alnum(c) || c == '_' || c == '-' || c == '.'; });
  return fine ? "" : "is \"" + shown(v) + "\", not a name of letters, digits, '_', '-' and '.' (64 at most)";
}

static std::string_view after_sip_scheme(std::string_view v) {
  std::string low(v.substr(0, 5));
  std::transform(low.begin(), low.end(), low.begin(),
                 [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
  if (low.starts_with("sips:")) return v.substr(5);
  if (low.starts_with("sip:")) return v.substr(4);
  return {};
}

static std::string faulty(std::string_view v, const std::string& fault) {
  return fault.empty() ? "" : "is \"" + shown(hide_sip_password(v)) + "\": " + fault;
}

std::string check_next_hop(std::string_view v) {
  std::string what = check_sip_uri(v);
  return v.empty() || !what.empty() ? what : faulty(v, place_fault(v, false));
}

std::string check_sip_uri(std::string_view v) {
  if (v.empty()) return "";
  std::string_view rest = after_sip_scheme(v);
  bool fine = !rest.empty() && v.size() <= 255 && std::all_of(rest.begin(), rest.end(), [](unsigned char c) {
    return c > 0x20 && c < 0x7f && c != '<' && c != '>' && c != '"' && c != '\\';
  });
  return fine ? "" : "is \"" + shown(hide_sip_password(v)) + "\", not a sip: or sips: URI";
}

std::string check_contact(std::string_view v) {
  if (std::string what = check_sip_uri(v); v.empty() || !what.empty()) return what;
  std::string_view rest = after_sip_scheme(v);
  if (size_t at = rest.rfind('@'); at != std::string_view::npos) rest.remove_prefix(at + 1);
  bool fine = !rest.empty() && rest.find_first_of(":;") != 0 && rest.find('?') == std::string_view::npos;
  return fine ? "" : "is \"" + shown(hide_sip_password(v)) + "\", not an address like \"sip:pua@192.0.2.1:5080\"";
}

std::string check_listen(std::string_view v) {
  std::string_view rest = after_sip_scheme(v);
  bool fine = !rest.empty() && check_sip_uri(v).empty() && rest.find('@') == std::string_view::npos;
  return fine ? faulty(v, place_fault(v, true))
              : "is \"" + shown(hide_sip_password(v)) + "\", not an address like \"sip:192.0.2.1:5070;transport=udp\"";
}

std::string check_path(std::string_view v) {
  bool fine = v.empty() || (v[0] == '/' && v.size() < 4096);
  return fine ? "" : "is \"" + shown(v) + "\", not an absolute path";
}

std::string check_socket_path(std::string_view v) {
  if (std::string what = check_path(v); !what.empty()) return what;
  return v.size() <= 107 ? "" : "is too long for a unix socket (107 octets at most)";
}

std::string check_http_listen(std::string_view v) {
  if (v.empty()) return "";
  auto at = parse_host_port(v);
  bool fine = at && at->port != 0;
  return fine ? "" : "is \"" + shown(v) + "\", not an address with a port like \"127.0.0.1:8088\" or \"[::1]:8088\"";
}

std::string check_user_agent(std::string_view v) {
  return v.size() <= 255 ? "" : "is longer than 255 octets";
}

}  // namespace pua
