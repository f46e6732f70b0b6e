// What the calls of the C ABI check about their arguments before the engine sees them.
#pragma once

#include "api/handle.h"

namespace pua {

// A string argument as a view. false: it has a negative length, or is NULL with a length; the error (bad_argument, which names
// the field) is then kept for pua_last_error().
bool take(pua_s& h, const char* field, const pua_str_t& s, std::string_view& out);
bool take(pua_s& h, const char* field, const pua_str_t* s, std::string_view& out);  // NULL: empty

inline bool one_bit(int v) { return v > 0 && (v & (v - 1)) == 0; }

// The `flag` of both request structures. PUA_OK, or the error, which is kept as above.
int take_type(pua_s& h, int flag, RequestType& out);

// The documented API of the pua modules marks the first request of an XMPP subscription by a source bit of its own; the record
// is that of XMPP_SUBSCRIBE.
inline int32_t source_of(int flag) { return flag == XMPP_INITIAL_SUBS ? XMPP_SUBSCRIBE : flag; }
inline int32_t sources_of(int mask) { return mask & XMPP_INITIAL_SUBS ? mask | XMPP_SUBSCRIBE : mask; }

}  // namespace pua
