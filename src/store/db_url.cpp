#include "store/db_url.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace pua {

namespace {

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

Result<DbUrl> parse_sqlite(std::string_view rest) {
  if (rest.substr(0, 2) != "//") return {Errc::bad_config, "db_url: sqlite:///path expected (three slashes)"};
  rest.remove_prefix(2);
  if (rest.empty() || rest[0] != '/') {
    return {Errc::bad_config, "db_url: the path of sqlite:///path must be absolute (three slashes)"};
  }
  while (rest.size() > 1 && rest[1] == '/') rest.remove_prefix(1);
  if (rest.back() == '/') return {Errc::bad_config, "db_url: sqlite:///path names a folder, not a file"};
  if (std::any_of(rest.begin(), rest.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return {Errc::bad_config, "db_url: control character in the path"};
  }
  DbUrl out;
  out.kind = DbKind::Sqlite;
  out.path = rest;
  return out;
}

Error bad_mysql(const std::string& what) {
  return {Errc::bad_config, "db_url: " + what + "; mysql://user:password@host[,host...][:port]/database expected"};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  char l = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

bool unescape(std::string_view in, std::string& out) {
  for (size_t i = 0; i < in.size(); i++) {
    int high = 0, low = 0;
    if (in[i] != '%') {
      out += in[i];
      continue;
    }
    if (i + 2 >= in.size() || (high = hex_digit(in[i + 1])) < 0 || (low = hex_digit(in[i + 2])) < 0) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out.find('\0') == out.npos;
}

// host, host:port, [v6], [v6]:port
bool parse_host(std::string_view text, DbHost& out) {
  std::string_view port;
  if (text.starts_with('[')) {
    size_t close = text.find(']');
    if (close == text.npos) return false;
    out.name = text.substr(1, close - 1);
    std::string_view rest = text.substr(close + 1);
    if (!rest.empty() && rest[0] != ':') return false;
    if (!rest.empty()) port = rest.substr(1);
    if (!rest.empty() && port.empty()) return false;
  } else {
    size_t colon = text.find(':');
    out.name = text.substr(0, colon);
    if (colon != text.npos && (port = text.substr(colon + 1)).empty()) return false;
  }
  auto fine = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '-' || c == '_' || c == ':' || c == '%';
  };
  if (out.name.empty() || out.name.size() > 255 || !std::all_of(out.name.begin(), out.name.end(), fine)) return false;
  if (port.empty()) return true;
  unsigned number = 0;
  auto [end, err] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (err != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535) return false;
  out.port = static_cast<uint16_t>(number);
  return true;
}

Result<DbUrl> parse_mysql(std::string_view rest) {
  DbUrl out;
  out.kind = DbKind::Mysql;
  if (rest.substr(0, 2) != "//") return bad_mysql("no // behind the scheme");
  rest.remove_prefix(2);
  if (size_t at = rest.rfind('@'); at != rest.npos) {
    std::string_view who = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    size_t colon = who.find(':');
    if (!unescape(who.substr(0, colon), out.user)) return bad_mysql("a % in the user is not followed by two hex digits");
    if (colon != who.npos && !unescape(who.substr(colon + 1), out.password))
      return bad_mysql("a % in the password is not followed by two hex digits");
  }
  size_t slash = rest.find('/');
  if (slash == rest.npos || slash + 1 == rest.size()) return bad_mysql("the database is missing");
  if (!unescape(rest.substr(slash + 1), out.database))
    return bad_mysql("a % in the database is not followed by two hex digits");
  bool odd = std::any_of(out.database.begin(), out.database.end(),
                         [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '/' || c == '?' || c == '`'; });
  if (odd || out.database.size() > 64) return bad_mysql("the name of the database is not one");
  std::string_view hosts = rest.substr(0, slash);
  for (;;) {
    size_t comma = hosts.find(',');
    DbHost host;
    if (!parse_host(hosts.substr(0, comma), host)) return bad_mysql("a host is not of the form name[:port]");
    out.hosts.push_back(std::move(host));
    if (comma == hosts.npos) break;
    hosts.remove_prefix(comma + 1);
  }
  for (DbHost& h : out.hosts) {
    if (h.port == 0) h.port = out.hosts.back().port;
  }
  return out;
}

}  // namespace

Result<DbUrl> parse_db_url(std::string_view url) {
  size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return {Errc::bad_config, "db_url: no scheme; sqlite:///path, mysql://... or memory: expected"};
  }
  std::string scheme = lower(url.substr(0, colon));
  std::string_view rest = url.substr(colon + 1);
  if (scheme == "sqlite") return parse_sqlite(rest);
  if (scheme == "memory") {
    if (!rest.empty()) return {Errc::bad_config, "db_url: nothing may follow memory:"};
    return DbUrl{};
  }
  if (scheme == "mysql") return parse_mysql(rest);
  // What stands before the first ':' may be part of a secret when somebody left the scheme out.
  bool plain = scheme.size() <= 16 && url.substr(colon, 3) == "://" &&
               std::all_of(scheme.begin(), scheme.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)); });
  return {Errc::bad_config, "db_url: unknown scheme" + (plain ? " '" + scheme + "://'" : std::string()) +
                                "; sqlite:///path, mysql://... or memory: expected"};
}

Status check_table_name(std::string_view name) {
  auto word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  if (name.empty() || name.size() > 60 || !std::all_of(name.begin(), name.end(), word) ||
      std::isdigit(static_cast<unsigned char>(name[0]))) {
    return {Errc::bad_config, "db_table: a name of letters, digits and '_' expected, at most 60"};
  }
  std::string l = lower(name);
  if (l == "version" || l.rfind("sqlite_", 0) == 0) {
    return {Errc::bad_config, "db_table: '" + std::string(name) + "' is used by the database itself"};
  }
  return success();
}

}  // namespace pua
