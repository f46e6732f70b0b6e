// Identifiers: Call-ID, From tag and Via branch of our requests. Nobody can compute one of them, however many others he has
// seen.
//
// Call-ID and From tag are random numbers of the system (RFC 3261 sections 8.1.1.4, 19.3), each drawn for itself and used as it
// is. The Via branch is a MAC of the request, because a request that is repeated after a restart must have the same branch
// again; the key of the MAC is kept beside the rows (docs/adr/0012).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/hash.h"
#include "core/sip_port.h"

namespace pua {

constexpr size_t kMaxIdHost = 200;                    // octets of a host name in a Call-ID
constexpr size_t kCallIdSize = 16 + 1 + kMaxIdHost;   // octets of a Call-ID of ours, at most

struct CallNumbers {
  uint64_t call = 0;
  uint32_t tag = 0;
};

// Call-ID ("0123456789abcdef@host") and From tag ("01234567") of a call, each with a NUL at its end.
void write_names(CallNumbers, std::string_view host, char (&call_id)[kCallIdSize + 1], char (&from_tag)[9]);
// Reads the numbers out of both. false: write_names() would not write them so (they have another host name, or are not ours).
bool read_names(std::string_view call_id, std::string_view from_tag, std::string_view host, CallNumbers& out);

// The Via branch of a request as it leaves. The same request has the same branch; if anything of it differs, so does the
// branch.
constexpr size_t kBranchSize = 7 + 16 + 8;
std::string_view write_branch(HashKey key, const SipRequest&, char (&out)[kBranchSize]);

// The key as text, as it is kept beside the rows.
std::string branch_key_text(HashKey);
bool read_branch_key(std::string_view text, HashKey& out);   // false: the text is no key

}  // namespace pua
