// Scan: one pass over the octets of a SIP message, which finds the few header fields that decide what becomes of it, as views.
// Pure. It understands the plain form that nearly every message has (RFC 3261 section 7). A message that it does not understand
// to the last octet is Odd, and is read by sofia's parser.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/uri.h"

namespace pua {

enum class Field : uint8_t {
  From, To, CallId, CSeq, Contact, Event, SubscriptionState, ContentType, ContentLength, Expires, Etag, MinExpires, RetryAfter,
  kCount
};

struct Scan {
  enum class Kind : uint8_t {
    Request,
    Response,
    Odd,      // perhaps a message; what was found before the odd place stands in the fields all the same
  };
  static constexpr unsigned kMaxVias = 32;

  Kind kind = Kind::Odd;
  std::string_view method, uri;      // of a request
  bool other_version = false;        // a request of another SIP than 2.0
  int status = 0;                    // of a response
  std::string_view reason;
  std::string_view vias[kMaxVias];   // one a header field, in order, trimmed
  unsigned via_count = 0;
  std::string_view field[static_cast<unsigned>(Field::kCount)];  // trimmed; without data: the field is not there
  std::string_view lines;            // of all header fields, where it is not Odd
  std::string_view body;

  std::string_view operator[](Field f) const { return field[static_cast<unsigned>(f)]; }
  bool has(Field f) const { return operator[](f).data() != nullptr; }
};

// Reads a whole message: a datagram, or what Content-Length ends. Octets behind the body are left out of it. The views point
// into the message.
//
// Odd are, among others: folded lines, a field twice that may be there once, a blank before the colon, line ends other than
// CRLF, a NUL octet, a Content-Length longer than the message, and the fields that change what the others mean (Require,
// Record-Route, Content-Encoding).
void scan(std::string_view message, Scan& out);
// By its beginning: "SIP/".
bool is_response(std::string_view message);

// --- what stands in the fields. false: odd ---------------------------------------------------------------------------

// Whether each parameter behind the first ';' is a token, or "token=value" with a token or host for a value, and blanks stand
// beside semicolons only.
bool plain_params(std::string_view list);
// The value of ";name=value". The list has no quotes in it. An absent one leaves `value` empty; one that is there twice is odd.
bool param_of(std::string_view list, std::string_view name, std::string_view& value);
// Digits only. Beyond 2^31 - 1 it is odd.
bool read_number(std::string_view text, int64_t& out);
// The tag of From or To. One that is not there leaves it empty.
bool read_tag(std::string_view address, std::string_view& tag);
// "7 NOTIFY".
bool read_cseq(std::string_view text, uint32_t& number, std::string_view& method);
// The URI of a Contact that is one "<uri>" with or without parameters, and has no header part.
bool read_contact(std::string_view text, std::string_view& uri);

}  // namespace pua
