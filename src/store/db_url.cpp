#include "store/db_url.h"

#include <algorithm>
#include <cctype>

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
  return DbUrl{DbKind::Sqlite, std::string(rest)};
}

}  // namespace

Result<DbUrl> parse_db_url(std::string_view url) {
  size_t colon = url.find(':');
  if (colon == std::string_view::npos || colon == 0) {
    return {Errc::bad_config, "db_url: no scheme; sqlite:///path or memory: expected"};
  }
  std::string scheme = lower(url.substr(0, colon));
  std::string_view rest = url.substr(colon + 1);
  if (scheme == "sqlite") return parse_sqlite(rest);
  if (scheme == "memory") {
    if (!rest.empty()) return {Errc::bad_config, "db_url: nothing may follow memory:"};
    return DbUrl{};
  }
  if (scheme == "mysql") {
    return {Errc::store_failed, "db_url: mysql:// is not in this build; use sqlite:///path or memory:"};
  }
  // What stands before the first ':' may be part of a secret when somebody left the scheme out.
  bool plain = scheme.size() <= 16 && url.substr(colon, 3) == "://" &&
               std::all_of(scheme.begin(), scheme.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)); });
  return {Errc::bad_config, "db_url: unknown scheme" + (plain ? " '" + scheme + "://'" : std::string()) +
                                "; sqlite:///path or memory: expected"};
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
