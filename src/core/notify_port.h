// Notify port: a NOTIFY as it came in, and what is answered. One way in, whether our own listener got it or the host.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/time.h"

namespace pua {

// A NOTIFY (RFC 6665), parsed. Views are valid during the call. What is not there is empty, or -1.
struct NotifyRequest {
  std::string_view call_id;
  std::string_view local_tag;      // of To; empty: it came outside of any dialog
  std::string_view remote_tag;     // of From
  uint32_t cseq = 0;
  std::string_view to_uri, from_uri;   // where there is no local_tag: whom it is for, and of whom
  std::string_view event, event_id;    // Event: package name; its id parameter
  std::string_view state, reason;      // Subscription-State: "active", "pending", "terminated", other; reason parameter
  int64_t expires = -1, retry_after = -1;  // its other parameters, s
  std::string_view contact;        // URI of the first Contact
  std::string_view route_set;      // of Record-Route in the order it came (the NOTIFY's receiver is the UAS of it)
  std::string_view content_type, body;
  std::string_view headers;        // all header fields as they came, whole lines (core/notify_fields.h: header_block)
  bool unfolded = false;           // no line of `headers` goes on in the next one
  uint64_t left_out = 0;           // octets of a body that is not here, for it was too long to be held
  std::string_view body_problem;   // why the body cannot be used, whatever is in it; empty: it can be looked at
  std::string_view route_problem;  // why the Record-Route cannot; it counts only where the NOTIFY makes the dialog
  std::string_view sender;         // where it came from ("192.0.2.1:5060"), for the log; empty: nobody knows
};

struct NotifyAnswer {
  int status = 200;
  std::string reason;              // reason phrase; names what was wrong
  std::string headers;             // whole lines to be added to the answer (Accept, Allow-Events ...)
};

struct NotifySink {                // implemented by the engine
  virtual ~NotifySink() = default;
  // Never fails; changes nothing where the answer is not 2xx, but for a counter. Handlers run later, from run().
  virtual NotifyAnswer on_notify(const NotifyRequest&, MonoMs now) = 0;
  // One that is refused so without being shown, for something in it is missing or cannot be read. It has a Call-ID; of tags and sender there
  // is what could be read.
  virtual void on_unreadable(const NotifyRequest&, const NotifyAnswer&, MonoMs /*now*/) {}
  // Whether a NOTIFY with this Call-ID may be for a subscription of ours: other strangers then do not use up its sender's share. What is
  // not known yet, because the table is being loaded, is not: else everything would be until then.
  virtual bool expects(std::string_view /*call_id*/) const { return true; }
};

}  // namespace pua
