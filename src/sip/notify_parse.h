// Requests from outside, read: a NOTIFY as the engine wants it, the dialog of any request. The same for octets that the host
// received and for what our own listener gets from sofia.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/notify_port.h"

struct msg_s;
struct sip_s;

namespace pua {

// Octets: longer ones are refused, by whichever reader.
constexpr size_t kMaxCallId = 1023;
constexpr size_t kMaxType = 1023;         // a Content-Type with its parameters

// Text that sofia keeps in pieces only, for the views of a NotifyRequest.
struct NotifyText {
  std::string contact, route_set, content_type, event, event_id, state, reason, to, from;
};

// Reads a NOTIFY (RFC 6665 section 4.1.3, 8.2). The views of `out` point into sip and text. Nothing: it can be read; else
// the answer to it, whose reason names the field: 400 (a field is missing, there twice, or not readable), 413 (too long),
// 420 (an extension is required). Of `out` then as much of call_id and tags is there as can be read.
std::optional<NotifyAnswer> read_notify(const sip_s* sip, NotifyText& text, NotifyRequest& out);

// A NOTIFY with what its views point to.
class ParsedNotify {
 public:
  ParsedNotify(ParsedNotify&&) noexcept;
  ParsedNotify& operator=(ParsedNotify&&) noexcept;
  ~ParsedNotify();
  const NotifyRequest& request() const;
  // Where it is a NOTIFY that must not be taken: the answer to it. After parse_notify() that is a 415, 420 or 489 of
  // read_notify(), and the dialog and CSeq of the request are filled in; after parse_any_notify() any answer of read_notify().
  const std::optional<NotifyAnswer>& refusal() const;

 private:
  struct Storage;
  friend Result<ParsedNotify> parse_any_notify(std::string_view);
  friend Result<ParsedNotify> parse_notify_head(std::string_view, uint64_t);
  explicit ParsedNotify(std::unique_ptr<Storage>);
  std::unique_ptr<Storage> storage_;
};

// message: from the request line to the end of the body; copied. One of more than 1 MB and 64 KB is read by its head. Errors:
// bad_argument (no request, another method, or what read_notify answers with 400 or 413; the message names the field).
Result<ParsedNotify> parse_notify(std::string_view message);
// What parse_notify says of a NOTIFY that parse_any_notify has read. Errors: bad_argument (its refusal is 400 or 413).
Status readable(const ParsedNotify&);

// For listeners of our own: what read_notify answers with 400 or 413 is a refusal, too. Errors: bad_argument (no request,
// another method, another version).
Result<ParsedNotify> parse_any_notify(std::string_view message);

// The same by its head, from the request line to the empty line, for a body of `left_out` octets that is not there.
Result<ParsedNotify> parse_notify_head(std::string_view head, uint64_t left_out);

// The dialog that a request came in, as its receiver sees it, and the Contact it brought.
struct InDialog {
  std::string call_id, local_tag, remote_tag, contact;
};

// Errors: bad_argument (no request; Call-ID, To tag, From tag or Contact missing or not usable; the message names it).
Result<InDialog> parse_in_dialog(std::string_view message);

}  // namespace pua
