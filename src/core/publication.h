// The publication machine (RFC 3903). It is pure: (fields, input, now) -> fields, effects.
//
// What the owner wants (`wanted`) and what the server has confirmed (`known`) are kept apart, and the machine only closes the
// gap between them. What to send is never stored; it follows from the two (next_op): nothing wanted -> Remove; no entity-tag,
// or one that the server refuses -> Initial; the server holds another body -> Modify; else Refresh.
//
// Where each state leads, made from the list of rules in publication.cpp (docs/machines.md has them with their guards):
// BEGIN TABLE
//  idle     request: idle; due: idle; restored: idle; loaded: gone, queued, live, intent
//  intent   request: gone, intent, queued; proceed: queued
//  queued   request: gone, intent, queued; slot: sending; due: gone, queued; told: queued
//  sending  success: gone, backoff, queued, live; lost_state: gone, backoff, queued; too_brief: backoff, queued;
//           transient: backoff; forbidden: backoff; auth: backoff; fatal: gone, queued; shutdown: sending
//  live     request: gone, intent, queued; due: gone, queued
//  backoff  request: gone, backoff, intent, queued; due: gone, backoff, queued
//  gone     request: gone, queued; stored: gone; told: gone
// END TABLE
//
// A publication leaves Sending by exactly one reply: SipPort::send() promises one. In every state but Sending and Idle a newer
// request of an owner takes effect at once, because no request is out.
//
// After a 2xx without a SIP-ETag (where none is known yet), or with one that cannot be sent back, the server holds a state that
// nobody can refresh or remove. The publication is then Live without an entity-tag, and publishes in full again (Initial) when
// the refresh is due. A removal ends such a record at once and tells its owner that the state stays until its grant ends
// (LeftBehind).
//
// A 400 to a refresh may say that the server cannot read the entity-tag, or be about something else in the request, so that the
// state may still stand there (Known::Refused). Full state is published once. The entity-tag is kept until that has its 2xx: if
// it is refused as well, or nothing is wanted any more, the removal goes out by it (docs/adr/0005).
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "core/machine.h"
#include "core/policy.h"
#include "core/types.h"

namespace pua {

enum class State : uint8_t { Idle, Intent, Queued, Sending, Live, Backoff, Gone };
constexpr int kStates = 7;
const char* state_name(State);

enum class Op : uint8_t { None, Initial, Refresh, Modify, Remove };  // values stand in the database (`intent`)
const char* op_name(Op);

// What the owner asked for last. Leaving: nothing, and the owner knows that (it was told, or the lifetime has ended): from then
// on only a request with a body can bring the publication back.
enum class Wanted : uint8_t { Something, Nothing, Leaving };
// What the server holds, as far as it has confirmed it. Never: nothing that we know an entity-tag of. Current: the body that is
// wanted. Changed: an older body. Refused: it may hold something under an entity-tag by which it took no refresh.
enum class Known : uint8_t { Never, Current, Changed, Refused };
// How the next request is made. Fresh: anew. Named: anew, with the Expires that the intent in the row names. Replay: as the row
// describes a request of the last run, equal to it octet by octet.
enum class Build : uint8_t { Fresh, Named, Replay };

enum class Input : uint8_t { Request, Proceed, Slot, Due, Success, LostState, TooBrief, Transient, Forbidden, Auth, Fatal,
                             Shutdown, Restored, Loaded, Stored, Told };
constexpr int kInputs = 16;
const char* input_name(Input);
Input input_of(ReplyClass);

enum class Tag : uint8_t { Missing, Usable, Unusable };  // SIP-ETag of a 2xx; Unusable: it cannot be sent back (core/etag.h)

// What the row of an earlier run says of a publication.
struct RestoredPublication {
  bool wanted = true;             // false: the publication was being removed
  bool etag = false;              // the row has an entity-tag: the server had confirmed the publication
  bool state = false;             // the row holds all that an initial request needs
  MonoMs wanted_end = kNever, grant_end = 0;
  Op intent = Op::None;
  uint32_t asked = 0;             // Expires of the intent, 0: not known
  bool named = false;             // Call-ID and From tag of the row are ones that we can write again (core/identifiers.h)
  bool requested = false;         // an owner has asked for the publication while the table was being loaded,
  MonoMs requested_at = 0;        // ... when it was first asked for what counts now: a lifetime that ended later was extended
};

struct Event {                    // an input with what it carries
  Input input;
  bool owner = false;             // an owner waits for the request under way
  bool has_row = false;           // EngineCommon::has_row
  bool removal = false;           // Request
  bool new_body = false;          // Request: it brings a body (which stands in the record already)
  MonoMs wanted_end = kNever;     // Request, but for a removal
  bool extended = false;          // replies: an owner's request that waits wants it for longer
  MonoMs patience = 0;            // Request, Loaded: how long an intent may take to be committed
  ExpiresRule ask = {};           // Request, Loaded, Slot, TooBrief: what may be asked for
  Tag etag = Tag::Missing;        // Success
  bool tag_refused = false;       // LostState: it took no refresh by the entity-tag, and may hold the state all the same
  bool answered = true;           // failures: a reply came over the wire
  int64_t expires = -1;           // Success: granted s, -1: the 2xx has no Expires
  int64_t min_expires = -1;       // TooBrief: the server's lower bound
  int64_t retry_after = -1;       // failures, s
  MonoMs due = -1;                // Loaded: when to refresh, -1: as soon as there is a slot
  const RestoredPublication* row = nullptr;  // Restored
  bool no_row = false;            // Loaded: the table has no row of it; Request: the table has been loaded, no row will come
  bool asked = false;             // Loaded: an owner has asked for it during the load, as for each that has no row (no_row)
  int status = 0;                 // Told
  const char* phrase = "";        // Told
};

enum class Ending : uint8_t { No, Removed, Expired, GivenUp, StateLost, Refused, NeverSent, LeftBehind };

struct Effects : CommonEffects {
  bool forget_etag = false;
  bool take_etag = false;         // from the reply
  bool take_row = false;          // Restored: the row's document, and its header fields where the owner's request brings none
  Ending ending = Ending::No;     // why the record ends, or goes on only to be withdrawn (Refused)
  bool orphan = false;            // the server may hold a state whose entity-tag nobody knows
  bool tag_refused = false;       // full state is published next, because the server took no refresh by the entity-tag
};

struct Publication {
  State state = State::Idle;
  Wanted wanted = Wanted::Something;
  Known known = Known::Never;
  Op op = Op::None;               // of the request that is out, or was out last; with Build::Replay of the intent in the row
  Build build = Build::Fresh;
  bool publishable = false;       // full state is at hand (a body, or an event that needs none)
  bool full_tried = false;        // full state was sent because of a 412 or a refused entity-tag, and no 2xx came since
  uint8_t attempts = 0;           // failures in a row
  uint32_t asked = 0;             // Expires of the request that is out or was out last, or that the row names (Build)
  uint32_t server_min = 0;        // Min-Expires learned from a 423
  uint32_t beyond = 0;            // s above what was asked, where the server granted more: it may hold the state so much longer
  MonoMs deadline = kNever;       // when the input Due comes, or, in state Intent, Proceed
  MonoMs wanted_end = kNever;     // kNever: for ever
  MonoMs grant_end = 0;           // end of what the server granted
  MonoMs sent_at = 0;
  MonoMs hold_until = 0;          // the server asked for quiet until then (Retry-After)

  // One step. Precondition: legal(p.state, e.input).
  static Effects step(Publication& p, const Event& e, Random& random, MonoMs now);
};

// Whether this input can happen in this state; all other pairs are errors of the caller. The simulation shows that each legal
// pair does happen.
bool legal(State, Input);

// Until when the server may hold what it has granted.
MonoMs held_until(const Publication&);
// The request that would close the gap between `wanted` and `known` now; None: there is nothing to send.
Op next_op(const Publication&);
// Whether the row must say that such a request may be out (its intent) before it leaves.
bool needs_intent(Op);

struct PublicationStep;           // a step under way: publication.cpp
std::span<const Rule<State, Input, PublicationStep>> publication_rules();

// A removal is worth sending until this long after the end of the grant, because servers clean up late.
constexpr MonoMs kRemovalGrace = 5000;

}  // namespace pua
