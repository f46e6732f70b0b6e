// Value checks: turns a number or a string into a field of Settings, or says what is wrong with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "config/settings.h"
#include "config/settings_table.h"

namespace pua {

constexpr int64_t kMaxLifetime = 31536000;  // s, a year. RFC 3261 allows more, but nobody would mean that

// A literal as it stands in the file.
struct Literal {
  bool is_string = false;
  bool octal = false;       // number with a leading 0: only file modes may have one
  bool decimal = false;     // number that stands in a file without one: no file mode
  int64_t number = 0;
  std::string text;         // string: unescaped, any octets
};

// Puts the value into the parameter's field (a List: adds it). Errors (bad_config), named for people, without position:
// wrong type, out of range, not one of the choices, forbidden characters, whatever the parameter's check says.
Status assign(Settings&, const Param&, const Literal&);

// max_expires taken apart: the bound for all events and those of single events, in the order given.
struct MaxExpires {
  uint32_t all = 86400;
  std::vector<std::pair<std::string, uint32_t>> by_event;
};
// "86400", "3600,dialog=600", "dialog=600" (all others: 86400). Error (bad_config): says which part is wrong.
// Event names are compared by whoever knows the event packages.
Result<MaxExpires> parse_max_expires(std::string_view text);

// What does not fit together, and the parameter at which to say so.
struct Misfit {
  const char* name;
  std::string what;
};
// min_expires <= default_expires <= max_expires, also that of single events. A default_expires that nobody set is moved
// within. min_set: whether min_expires is what somebody wrote, for the message.
std::optional<Misfit> fit_lifetimes(Settings&, bool min_set, bool default_set);

// What stands in the place of a password that is not to be seen.
constexpr std::string_view kHiddenPassword = "***";
// "sip:user:password@host" with the password hidden; anything else as it is.
std::string hide_sip_password(std::string_view uri);
// "mysql://user:password@host/database": the same.
std::string hide_url_password(std::string_view url);
// Whether there is a password among them.
bool holds_password(const Settings&);
// A password that is kHiddenPassword comes from a dump, and is not the real one.
std::optional<Misfit> fit_passwords(const Settings&);

// "realm:user:password"; the password may hold colons. Error: bad_config.
Result<Credential> parse_credential(std::string_view text);

// "name,bit,content type": "vq-rtcpxr,512,application/vq-rtcpxr". The type may be missing. Whether name and bit are free is for
// the registry to say.
struct EventPackage {
  std::string name, content_type;
  int32_t flag = 0;
};
Result<EventPackage> parse_event_package(std::string_view text);

// The checks of string parameters; the table names them. Empty answer: the value is fine.
std::string check_db_url(std::string_view);
std::string check_identifier(std::string_view);       // a table name: letters, digits, '_'
std::string check_tag(std::string_view);              // a sharing tag; may be empty
std::string check_sip_uri(std::string_view);          // sip: or sips:, no blanks; may be empty
std::string check_next_hop(std::string_view);         // the same, with a host, port and transport that a request can go to
std::string check_contact(std::string_view);          // sip: or sips:, with a host, without headers; may be empty
std::string check_listen(std::string_view);           // sip: or sips:, no user part
std::string check_path(std::string_view);             // absolute; may be empty
std::string check_socket_path(std::string_view);      // as check_path, and short enough for a unix socket
std::string check_user_agent(std::string_view);
std::string check_http_listen(std::string_view);      // 192.0.2.1:8088, [2001:db8::1]:8088; may be empty
std::string check_max_expires(std::string_view);
std::string check_credential(std::string_view);
std::string check_event_package(std::string_view);

}  // namespace pua
