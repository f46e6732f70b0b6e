// CommandSpec: one row of the command table: names, parameters, help, handler.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "control/call.h"
#include "control/context.h"

namespace pua {

class Params;

enum class ParamType : uint8_t {
  String,
  Int,     // 32 bits; a string of digits counts, as OpenSIPS and Kamailio clients send it
  Long,    // 64 bits, not negative
  Scalar,  // string or integer, read as text
  Strings, // a string, or an array of them
};

struct ParamSpec {
  const char* name;
  const char* other_name;  // second name it is known by, or nullptr
  ParamType type;
  bool optional;           // null counts as left out
  const char* help;
};

constexpr size_t kMaxParams = 16;
constexpr size_t kMaxStrings = 100;  // of one Strings

struct CommandSpec {
  const char* name;
  const char* other_name;                    // or nullptr
  std::span<const ParamSpec> params;         // in positional order
  const char* help;
  void (*run)(ControlContext&, const Params&, const CallPtr&);
  bool dot_is_none = false;                  // Kamailio: "." stands for a parameter left out
  // Positions of `count` positional values, as indexes into params; nullptr: the same order, from the first on.
  // An empty answer: that many values can be read in more than one way, or in none.
  std::span<const uint8_t> (*positions)(size_t count) = nullptr;
};

}  // namespace pua
