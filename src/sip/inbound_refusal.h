// The answer to a request whose head is whole but whose end cannot be found: made of its head alone (RFC 3261 section 8.2.6).
#pragma once

#include <string>
#include <string_view>

namespace pua {

// Appends the response to `out`. to_tag: for a To without one. false, and nothing appended: it is not a request, it is an
// ACK, or what an answer needs (Via, and From, To, Call-ID, CSeq once each) is not there.
bool write_refusal(std::string_view head, int status, std::string_view reason, std::string_view to_tag, std::string& out);

}  // namespace pua
