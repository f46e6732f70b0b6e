// Filters that commands take: names that are known, and patterns. What is mistyped is answered with an error that names what
// there is.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/call.h"
#include "control/context.h"
#include "control/params.h"

namespace pua {

// A shell pattern over a name; an empty one matches all. Those with many stars match nothing: they would cost too much time.
bool matches_pattern(std::string_view pattern, std::string_view name);

// "known are a, b", or "did you mean "b"? Known are a, b". separated: names with ", " between them.
std::string known_names(std::string_view typed, std::string_view separated);

// All of these: false: answered with an error. A parameter left out matches any.

// Event bit of an event parameter.
bool read_event(ControlContext&, std::string_view name, Call&, int32_t& out);
// The error for an event that nobody registered.
void unknown_event(const ControlContext&, Call&, std::string_view name);
// Source bit: a name in any case, or a number that is one bit.
bool read_source(const Params&, size_t index, Call&, int32_t& out);
bool read_kind(const Params&, size_t index, Call&, std::optional<Kind>& out);
// A state of records of that kind.
bool read_state(const Params&, size_t index, std::optional<Kind>, Call&, std::string_view& out);
// A URI, or the beginning of URIs with a '*' behind it. param: what the parameter is called.
bool read_pattern(std::string_view param, std::string_view text, Call&);

}  // namespace pua
