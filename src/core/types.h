// What goes into the engine and comes out of it: requests, outcomes, views, counters, policy settings.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "core/sip_port.h"

namespace pua {

enum class RequestType : uint8_t { Auto, Insert, Update };  // flag 0, INSERT_TYPE, UPDATE_TYPE

constexpr int64_t kForEver = -1;  // wanted lifetime without an end

// Source bits of the control interface: its publications have MI_PUBLISH; rows that were migrated may have MI_ASYN_PUBLISH.
constexpr int32_t kMiPublish = 1 << 6, kControlSources = kMiPublish | (1 << 7);

// A publication as its owner asks for it (RFC 3903). The call that accepts the request copies all views.
struct PublishRequest {
  int32_t source = 0;                  // source bit, part of the key
  int32_t event = 0;                   // event bit, part of the key
  std::string_view pres_uri, id;       // rest of the key
  int64_t expires = kForEver;          // > 0 wanted lifetime in s, 0 remove, < 0 for ever
  RequestType type = RequestType::Auto;
  std::optional<std::string_view> body;   // none: refresh
  std::string_view content_type;       // empty: the event's default
  std::string_view etag;               // empty: any; else must be the confirmed one
  std::string_view extra_headers;      // lines, each ending in CRLF
  // Next hop; empty: the configured one, or none. A removal that names no next hop goes where the publication went.
  std::string_view outbound_proxy;
  void* cb_param = nullptr;            // kept with the record, shown to observers
  const void* publ_info = nullptr;     // for body processors of the C API
};

// A subscription as its owner asks for it (RFC 6665). Key: source, event, pres_uri, id, watcher_uri, to_uri.
struct SubscribeRequest {
  int32_t source = 0, event = 0;       // one bit each
  std::string_view pres_uri, id;       // id: tells several subscriptions of a watcher apart; that of Event is event_id
  std::string_view watcher_uri;        // From
  std::string_view to_uri;             // To; empty: pres_uri
  // Each request but a removal names contact, target and next hop anew: a field that it leaves empty gets its default again,
  // whatever an earlier request said.
  std::string_view contact;            // where NOTIFYs are to come; empty: the listener's address
  std::string_view remote_target;      // Request-URI of the initial request; empty: pres_uri
  std::string_view event_id;           // id parameter of Event; empty: none
  int64_t expires = kForEver;          // > 0 wanted lifetime in s; 0 end it, or fetch once if there is none; < 0 for ever
  RequestType type = RequestType::Auto;
  bool keep_existing = false;          // internal_update_flag: do nothing if it exists
  std::string_view extra_headers, outbound_proxy;
  // Goes with each SUBSCRIBE but a removal: a filter (RFC 4660) or a list (RFC 5367); empty: the body of an earlier request
  // stays.
  std::string_view body, content_type;
  void* cb_param = nullptr;
};

// A question for a dialog. Empty fields and 0 match any dialog, but call_id or pres_uri must be given.
struct DialogQuery {
  std::string_view call_id = {}, local_tag = {}, remote_tag = {};
  std::string_view pres_uri = {}, watcher_uri = {}, id = {};
  int32_t event = 0, source = 0;
};
enum class DialogFound : uint8_t { No, Unknown, BeingMade, Established };  // Unknown: it may still be loaded

// How a request ended. The views are valid during the callback; the message may be kept for longer, because it is shared.
struct Outcome {
  int status = 0;                      // final SIP status, or one made here (origin says which)
  std::string_view reason;
  ReplyOrigin origin = ReplyOrigin::Wire;
  std::string_view etag;               // entity-tag now confirmed, empty: none
  int64_t granted = 0;                 // seconds granted by the server
  bool durable = false;                // the row with this state was committed before this call
  bool superseded = false;             // a newer request replaced this one and went out instead
  bool by_timer = false;               // observers only: a refresh, not an owner's request
  bool kept = false;                   // it failed for now, or nothing stands there after a 2xx; the wish is kept and goes on
  std::shared_ptr<const ReplyMessage> message;
};

using RequestDone = std::function<void(const Outcome&)>;

enum class Kind : uint8_t { Publication, Subscription };

// The names of the states that records of this kind can be in, as RecordView::state shows them; without a kind, those of both
// kinds.
std::vector<std::string_view> state_names(std::optional<Kind> kind);

// A record as lists and observers see it. The views are valid during the call that shows them. Fields that the other kind alone
// has are empty.
struct RecordView {
  Kind kind = Kind::Publication;
  int64_t id = 0;                      // record number, as in the database
  int32_t source = 0, event = 0;
  std::string_view event_name, pres_uri, pres_id, etag, tuple_id, content_type, body, extra_headers, outbound_proxy, call_id;
  std::string_view state;              // "live", "sending" ...: state_name() of core/publication.h, core/subscription.h
  int64_t expires_in = 0;              // s until the server's grant ends (<= 0: none)
  int64_t wanted_in = 0;               // s until the wanted end, kForEver: none
  int64_t next_in_ms = 0;              // until its own deadline, -1: none
  uint32_t cseq = 0, version = 0;
  uint32_t attempts = 0;               // failures in a row
  int last_status = 0;                 // of the last final reply
  uint32_t waiters = 0;
  bool removing = false;               // wanted: nothing
  bool stored = false;                 // the row of this state has been committed
  // Subscriptions:
  std::string_view watcher_uri, to_uri, from_tag, to_tag, contact, remote_target, route_set, event_id;
  std::string_view dialog;             // "none", "early", "confirmed" (by a 2xx alone), "pending", "active"
  std::string_view notify_state, notify_reason, notify_content_type, notify_body;  // of the last NOTIFY
  int64_t notify_ago_ms = -1;          // since it came, -1: none in this run
  uint32_t notify_cseq = 0, notifies = 0;
  uint32_t refused = 0;                // NOTIFYs of this dialog in a row that could not be taken
  void* cb_param = nullptr;
};

// What is wrong with the document of a NOTIFY that was taken.
enum class BadDocument : uint8_t { No, TooLarge, NoType, OtherType, Malformed };  // the values are those of PUA_DOC_* in pua.h

constexpr const char* bad_document_name(BadDocument b) {
  constexpr const char* names[] = {"", "too_large", "no_content_type", "other_content_type", "malformed"};
  return names[static_cast<int>(b)];
}

// A NOTIFY as handlers get it. The views are valid during the call.
struct NotifyView {
  const RecordView& record;            // the subscription as it was just after the NOTIFY had been taken
  std::string_view state, reason;      // Subscription-State: "active", "pending", "terminated", other; reason
  int64_t expires = -1, retry_after = -1;  // s, -1: not said
  std::string_view content_type, body; // empty: none
  bool gap = false;                    // the document is partial and changes before it are missing; full state is asked for
  std::string_view headers = {};       // header fields, unfolded, whole lines; at most kMaxShownOctets (core/notify_fields.h)
  BadDocument bad = BadDocument::No;   // if not No: the body is left out, or shown flagged (EngineSettings::bad_documents)
};
using NotifyObserver = std::function<void(const NotifyView&)>;

struct ListFilter {
  std::string_view pres_uri;           // empty: any; a trailing '*' matches any rest
  int32_t event = 0;                   // 0: any
  int32_t source = 0;                  // 0: any
  std::string_view state;              // empty: any
  std::optional<Kind> kind = {};       // none: any

  bool matches(Kind k, int32_t of_event, int32_t of_source, std::string_view of_state, std::string_view of_uri) const {
    if ((kind && *kind != k) || (event && event != of_event) || (source && source != of_source)) return false;
    if (!state.empty() && state != of_state) return false;
    if (pres_uri.empty()) return true;
    if (pres_uri.back() == '*') return of_uri.starts_with(pres_uri.substr(0, pres_uri.size() - 1));
    return of_uri == pres_uri;
  }
};

struct ListPage {
  uint64_t next = 0;                   // cursor for the next call, 0: that was all
  uint32_t scanned = 0;                // records looked at
};

// Counters since the start, and gauges. The C ABI, the control interface and the man page all take the names from this list.
// X(name, kind: c counter or g gauge, help)
#define PUA_STATS(X)                                                                                   \
  X(records, g, "publications in memory")                                                              \
  X(live, g, "publications confirmed by the server")                                                   \
  X(sending, g, "records with a request out")                                                          \
  X(queued, g, "records whose request waits for a slot")                                               \
  X(intent, g, "records whose intent is being committed")                                              \
  X(backoff, g, "records that wait before the next try")                                               \
  X(gone, g, "ended records whose row is being deleted")                                               \
  X(in_flight, g, "requests out")                                                                      \
  X(requests_initial, c, "initial PUBLISH requests sent")                                              \
  X(requests_refresh, c, "refreshes sent")                                                             \
  X(requests_modify, c, "modifies sent")                                                               \
  X(requests_remove, c, "removals sent")                                                               \
  X(replies_2xx, c, "final replies 2xx")                                                               \
  X(replies_3xx, c, "final replies 3xx")                                                               \
  X(replies_4xx, c, "final replies 4xx")                                                               \
  X(replies_5xx, c, "final replies 5xx")                                                               \
  X(replies_6xx, c, "final replies 6xx")                                                               \
  X(timeouts, c, "requests without a final reply")                                                     \
  X(transport_errors, c, "requests that could not be sent")                                            \
  X(replies_412, c, "412: the server had lost the state")                                              \
  X(replies_423, c, "423: the server wanted a longer lifetime")                                        \
  X(refused_403_404, c, "403 or 404: records kept, and loudly logged")                                 \
  X(refused_final, c, "replies that ended a record (400, 405, 406, 413, 415, 420, 489)")               \
  X(auth_failures, c, "401 or 407 that credentials could not answer")                                  \
  X(missing_etag, c, "2xx without SIP-ETag")                                                           \
  X(unusable_etag, c, "2xx with a SIP-ETag that cannot be sent back")                                      \
  X(missing_expires, c, "2xx without Expires")                                                         \
  X(grants_too_long, c, "2xx and NOTIFYs that grant more than was asked, which count as asked")             \
  X(orphans_suspected, c, "requests that may have left a state nobody knows the entity-tag of")        \
  X(accepted, c, "requests taken from owners")                                                         \
  X(rejected, c, "requests refused at the call")                                                       \
  X(completed, c, "owners' requests completed")                                                        \
  X(superseded, c, "owners' requests replaced by newer ones")                                          \
  X(completed_not_durable, c, "completions delivered before their row was committed")                  \
  X(tables_lost, c, "times that the table turned out to be another one, or an older copy, and was made equal again")  \
  X(expired, c, "records that reached their wanted end")                                               \
  X(given_up, c, "records given up at their wanted end while the server did not answer")               \
  X(subscriptions, g, "subscriptions in memory")                                                       \
  X(subs_live, g, "subscriptions with a dialog that brought a NOTIFY")                                 \
  X(subs_waiting, g, "subscriptions whose first NOTIFY is awaited")                                    \
  X(subs_backoff, g, "subscriptions that wait before the next try")                                    \
  X(subscribes_initial, c, "SUBSCRIBE requests sent outside a dialog")                                 \
  X(subscribes_refresh, c, "SUBSCRIBE requests sent in a dialog to go on")                             \
  X(subscribes_remove, c, "SUBSCRIBE requests sent to end a dialog")                                   \
  X(subscribes_fetch, c, "SUBSCRIBE requests sent to fetch state once")                                \
  X(dialogs_lost, c, "dialogs lost: the other side knew them no more (481 and the like), or refused a refresh (400 ...)") \
  X(notifies, c, "NOTIFYs taken")                                                                      \
  X(notifies_repeated, c, "NOTIFYs that had been taken before")                                        \
  X(notifies_unknown, c, "NOTIFYs of no subscription, answered 481")                                   \
  X(notifies_bad, c, "NOTIFYs refused otherwise: 400, 415, 489, 500")                                  \
  X(notifies_unsolicited, c, "NOTIFYs outside of any subscription that somebody had asked for")         \
  X(notifies_gap, c, "partial documents with changes missing before them")                             \
  X(notifies_stale, c, "partial documents that came late: older than what is known")                   \
  X(notifies_bad_document, c, "NOTIFYs whose document could not be used")                              \
  X(dialogs_deaf, c, "dialogs given up because their NOTIFYs were refused, one after the other")       \
  X(notifies_terminated, c, "NOTIFYs that ended a subscription we wanted")                             \
  X(notifies_missing, c, "subscriptions that brought no NOTIFY in time (timer N)")                     \
  X(loading, g, "1 while the table is being loaded: lists are not complete yet")                       \
  X(loaded, c, "rows loaded at start")                                                                 \
  X(load_expired, c, "rows dropped at start: expired")                                                 \
  X(load_bad, c, "rows refused at start: not readable")                                                \
  X(parked, g, "rows kept aside: their event is not registered")                                       \
  X(breaker_open, g, "destinations that do not answer")                                                \
  X(breaker_trips, c, "times a destination was found not to answer")                                   \
  X(servers_quiet, g, "destinations that asked for quiet (503 with Retry-After)")                          \
  X(server_holds, c, "times a destination asked for quiet")                                               \
  X(store_backlog, g, "records with something that is in no row yet")                                  \
  X(store_oldest_ms, g, "age of the oldest unwritten change")                                          \
  X(store_rows_written, c, "rows written")                                                             \
  X(store_errors, c, "failed writes")                                                                  \
  X(store_set_aside, g, "rows that were refused on their own and are retried slowly")                  \
  X(store_journal, g, "changes that are committed in the journal, and not in their rows yet")           \
  X(store_flush_max_ms, g, "longest write so far")                                                     \
  X(loop_slow, c, "callbacks that ran longer than 10 ms")                                              \
  X(loop_max_ms, g, "longest callback so far")

struct Stats {
#define X(name, kind, help) int64_t name = 0;
  PUA_STATS(X)
#undef X
};

// What configuration can set in the engine. The numbers that are fixed stand in core/policy.h, with their reasons.
struct EngineSettings {
  uint32_t hash_size = 9;              // the first table has 2 to this power buckets
  uint32_t min_expires = 300;
  uint32_t max_expires = 86400;
  std::vector<std::pair<int32_t, uint32_t>> max_expires_by_event;  // event bit, s
  uint32_t default_expires = 3600;
  uint32_t max_records = 2000000;
  uint32_t max_backlog = 500000;       // rows that may wait while the store takes none
  uint32_t max_waiters = 32;           // per record
  uint32_t max_body = 16384;           // octets
  uint32_t max_notify_body = 262144;   // octets
  bool bad_documents = false;          // true: handlers see documents that cannot be used, flagged; false: they are left out
  uint32_t notify_keep = 1000;         // documents of NOTIFYs that are kept for lists and views
  uint32_t max_headers = 4096;         // octets of extra_headers
  uint32_t max_in_flight = 2000;
  uint32_t ack_wait_ms = 100;
  uint32_t t1_ms = 500;                // T1 of RFC 3261; timer N (RFC 6665 section 4.1.2.4) is 64 times as long
  uint32_t load_page = 500;            // rows a page
  std::string outbound_proxy;
  std::string presence_server;         // next hop of publications of kControlSources; empty: outbound_proxy
  std::string contact;                 // of subscriptions that name no contact; empty: they must name one
  std::string sharing_tag;
  std::string host = "localhost";      // right side of our Call-IDs
};

}  // namespace pua
