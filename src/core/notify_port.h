// Notify port: a NOTIFY as it came in, and its answer. All NOTIFYs come this way, from our own listener and from the host's
// socket.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace pua {

// A NOTIFY (RFC 6665), parsed. Views are valid during the call. What the message does not hold is empty, or -1.
struct NotifyRequest {
  std::string_view call_id;
  std::string_view local_tag;      // of To; empty: it came outside of any dialog
  std::string_view remote_tag;     // of From
  uint32_t cseq = 0;
  std::string_view to_uri, from_uri;   // of To and From, where there is no local_tag
  std::string_view event, event_id;    // Event: package name; its id parameter
  std::string_view state, reason;      // Subscription-State: "active", "pending", "terminated", other; reason parameter
  int64_t expires = -1, retry_after = -1;  // its other parameters, s
  std::string_view contact;        // URI of the first Contact
  std::string_view route_set;      // of Record-Route, in the order it came, as we are the UAS (RFC 3261 section 12.1.1)
  std::string_view content_type, body;
  std::string_view headers;        // all header fields as they came, whole lines (core/notify_fields.h: header_block)
  bool unfolded = false;           // no line of `headers` goes on in the next one
  uint64_t left_out = 0;           // octets of a body that was too long to be held and is not here
  std::string_view body_problem;   // why the body cannot be used, without looking into it; empty: nothing is known against it
  std::string_view route_problem;  // why the Record-Route cannot be used; counts only where this NOTIFY makes the dialog
  std::string_view sender;         // where it came from ("192.0.2.1:5060"), for the log; empty: not known
};

struct NotifyAnswer {
  int status = 200;
  std::string reason;              // reason phrase; names what was wrong
  std::string headers;             // whole lines to be added to the answer (Allow-Events, Retry-After ...)
};

struct NotifySink {                // implemented by the engine
  virtual ~NotifySink() = default;
  // Never fails. Where the answer is not 2xx, nothing changes but counters and the count of refused NOTIFYs. Handlers run
  // later, in Engine::run().
  virtual NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) = 0;
  // Tells of a NOTIFY that the caller has answered by itself, with this answer, because something in it is missing or cannot be
  // read. It has a Call-ID; tags and sender are there as far as they could be read.
  virtual void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs /*now*/) {}
  // Whether a NOTIFY with this Call-ID may be for a subscription of ours. If so, it does not count towards the share of
  // requests that its sender has as a stranger. Call-IDs of rows that are not loaded yet are not expected: else every Call-ID
  // would be, until the table is loaded.
  virtual bool expects(std::string_view /*call_id*/) const { return true; }
};

}  // namespace pua
