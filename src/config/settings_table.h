// The table of all parameters: what the parser checks, what --dump-config prints and what pua.conf(5) lists.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/settings.h"

namespace pua {

enum class ParamType : uint8_t {
  Int,      // 30, 0x1e
  Size,     // octets: 16384, or a string with a unit: "16K", "1M"
  Bool,     // 0 or 1, or a string: "yes", "no"
  Mode,     // file mode, octal: 0660
  String,
  Expires,  // 86400, or a string: "3600,dialog=600"
  List,     // a string; each line adds one value
};

// Which part of a value is secret and never shown.
enum class Secret : uint8_t { No, UrlPassword, CredentialPassword, SipPassword };

struct Param {
  using Field = std::variant<int64_t Settings::*, bool Settings::*, std::string Settings::*,
                             std::vector<std::string> Settings::*, std::vector<Credential> Settings::*>;
  // Says what is wrong with a string value ("is not ..."), nothing if it is fine.
  using Check = std::string (*)(std::string_view value);

  std::string_view module, name;
  ParamType type = ParamType::String;
  Field field;                     // the default is this field of Settings{}
  int64_t min = 0, max = 0;        // numbers: range, both ends legal
  std::string_view unit = {};        // of a number, for people: "s", "ms", "octets"; empty: none
  std::string_view choices = {};     // strings: "a|b|c"; empty: any
  Check check = nullptr;           // strings: what else must hold
  bool reloadable = false;         // takes effect on SIGHUP
  Secret secret = Secret::No;
  std::string_view help;           // 1 to 3 sentences
};

std::span<const Param> settings_table();

// nullptr: no such parameter. Names are compared exactly.
const Param* find_param(std::string_view module, std::string_view name);
bool known_module(std::string_view module);

// For people: "integer", "string or integer" ...; "1 to 24", "normal or full", empty where anything goes.
std::string_view param_type_text(const Param&);
std::string param_range_text(const Param&);

}  // namespace pua
