// SIP port: a request as the engine wants it sent, and its final outcome as the engine gets it back.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace pua {

using TxnId = uint64_t;  // the record is looked up by it when the reply comes: no callback holds a pointer that may dangle

// A PUBLISH (RFC 3903) or SUBSCRIBE (RFC 6665). All views are valid only during the call. URIs were checked when they
// were accepted. Fields from `from` to `allow_events` are a SUBSCRIBE's; empty: the header field is left out.
struct SipRequest {
  TxnId txn = 0;
  std::string_view method;        // "PUBLISH", "SUBSCRIBE"
  std::string_view uri;           // Request-URI: the presentity, in a dialog the remote target
  std::string_view from, to;      // URIs; empty: uri
  std::string_view to_tag;        // remote tag of the dialog
  std::string_view route_set;     // Route values in the order they go out: "<sip:a;lr>, <sip:b;lr>"
  std::string_view contact;       // URI, without angle brackets
  std::string_view accept, allow_events;
  std::string_view from_tag, call_id, branch;  // branch: the value we would like, without "branch="; the stack may take another
  uint32_t cseq = 0;
  std::string_view event;         // Event header field value, parameters included
  int64_t expires = -1;           // seconds; -1: no Expires header
  std::string_view if_match;      // SIP-If-Match, empty: none
  std::string_view content_type, body;   // no body: both empty
  std::string_view extra_headers; // whole lines, each ending in CRLF; checked
  std::string_view proxy;         // next hop URI, empty: route by the Request-URI
};

enum class ReplyOrigin : uint8_t { Wire, Timeout, Transport, Shutdown, Local };  // all but Wire: the status was made here

// The header fields of a reply that came over the wire; they live as long as somebody holds this.
struct ReplyMessage {
  virtual ~ReplyMessage() = default;
  // First value of the named header field, case-insensitive, as text; false if there is none.
  virtual bool header(std::string_view name, std::string& out) const = 0;
};

struct SipReply {
  int status = 0;                 // 200 ... 699; synthetic: 408 timeout, 503 transport, 487 shutdown
  std::string_view reason;
  ReplyOrigin origin = ReplyOrigin::Wire;
  bool unsent = false;            // Transport: the request was refused here before anything was tried
  bool ours = false;              // Transport: the failure is ours, not the server's (no such transport, no address found)
  int64_t expires = -1;           // -1: no Expires header
  std::string_view etag;          // SIP-ETag; empty: there was none, or
  bool etag_unusable = false;     // there was one that could not be sent back (core/etag.h)
  std::string_view to_tag;        // empty: none
  std::string_view contact;       // URI of the first Contact, empty: none
  std::string_view route_set;     // of the Record-Route of a 2xx, as SipRequest::route_set wants it, empty: none
  int64_t min_expires = -1;       // 423
  int64_t retry_after = -1;       // seconds
  uint32_t cseq = 0;              // the last CSeq on the wire, where a repetition with credentials has raised it; 0: as asked
  std::shared_ptr<const ReplyMessage> message;  // null for synthetic ones
};

struct SipPort {
  virtual ~SipPort() = default;
  // Send. On success exactly one SipSink::on_reply with this txn follows, never inside this call, whatever happens.
  // On error nothing follows.
  virtual Status send(const SipRequest&) = 0;
};

struct SipSink {  // implemented by the engine
  virtual ~SipSink() = default;
  virtual void on_reply(TxnId, const SipReply&, MonoMs now) = 0;  // final replies only
};

}  // namespace pua
