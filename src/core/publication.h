// The publication machine (RFC 3903). Pure: (fields, input, now) -> effects.
//
// wanted and confirmed are two things; the machine only closes the gap between them. What to send is never stored, it
// follows from the two (next_op): nothing wanted -> Remove; no entity-tag -> Initial; the server holds another
// body -> Modify; else Refresh.
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
// A publication leaves Sending by exactly one reply: the SIP port promises it. In every state but Sending and Idle a
// newer request takes effect at once, because nothing is out.
//
// A 2xx whose SIP-ETag is missing (and none is known), or cannot be sent back, leaves a state that nobody can refresh or remove: Live
// without an entity-tag, Initial again at the refresh point. A removal then ends the record and says what stays (LeftBehind).
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

enum class Wanted : uint8_t { Something, Nothing, Leaving };  // Leaving: nothing, and the owner was told so, or its
                                                             // lifetime is over: only a new body brings it back
enum class Known : uint8_t { Never, Current, Changed };  // what the server last confirmed of our body: no entity-tag;
                                                         // as wanted; another body than wanted
// The next request: a new one; one whose Expires the row in the database names already; the one that stands there, to the octet.
enum class Build : uint8_t { Fresh, Named, Replay };

enum class Input : uint8_t { Request, Proceed, Slot, Due, Success, LostState, TooBrief, Transient, Forbidden, Auth, Fatal,
                             Shutdown, Restored, Loaded, Stored, Told };
constexpr int kInputs = 16;
const char* input_name(Input);
Input input_of(ReplyClass);

enum class Tag : uint8_t { Missing, Usable, Unusable };  // SIP-ETag of a 2xx; Unusable: no header field can carry it back

// What a row says of a publication that an earlier run wrote.
struct RestoredPublication {
  bool wanted = true;             // else it was on its way out
  bool etag = false;              // the server had confirmed it
  bool state = false;             // all that an initial request needs is in the row
  MonoMs wanted_end = kNever, grant_end = 0;
  Op intent = Op::None;
  uint32_t asked = 0;             // Expires of the intent, 0: not known
  bool named = false;             // Call-ID and tag of the intent are known
  bool requested = false;         // an owner has asked for it while the table was being loaded
};

struct Event {                    // an input with what it carries
  Input input;
  bool owner = false;             // somebody waits for the request under way
  bool has_row = false;           // the record has a row, or may have one soon
  bool removal = false;           // Request
  bool new_body = false;          // Request: it brings a body (already stored in the record)
  MonoMs wanted_end = kNever;     // Request, but for a removal
  MonoMs patience = 0;            // Request, Loaded: how long an intent may take to be committed
  ExpiresRule ask = {};           // Request, Loaded, Slot, TooBrief: what may be asked for
  Tag etag = Tag::Missing;        // Success
  bool answered = true;           // failures: a reply came over the wire
  int64_t expires = -1;           // Success: granted s, -1 missing
  int64_t min_expires = -1;       // TooBrief: the server's lower bound
  int64_t retry_after = -1;       // failures, s
  MonoMs due = -1;                // Loaded: when to refresh, -1: as soon as there is a slot
  const RestoredPublication* row = nullptr;  // Restored
  bool no_row = false;            // Loaded: there is none; Request: nor will one come, the table has been loaded
  int status = 0;                 // Told
  const char* phrase = "";        // Told
};

enum class Ending : uint8_t { No, Removed, Expired, GivenUp, StateLost, Refused, NeverSent, LeftBehind };

struct Effects : CommonEffects {
  bool forget_etag = false;
  bool take_etag = false;         // from the reply
  bool take_row = false;          // Restored: document and header fields that nobody has said anew
  Ending ending = Ending::No;     // with state Gone: why
  bool orphan = false;            // a state may live on at the server under an entity-tag nobody knows
};

struct Publication {
  State state = State::Idle;
  Wanted wanted = Wanted::Something;
  Known known = Known::Never;
  Op op = Op::None;               // of the request out (Sending), last out, or stored as intent (Build::Replay)
  Build build = Build::Fresh;
  bool publishable = false;       // full state is at hand (a body, or an event that needs none)
  bool full_tried = false;        // full state was sent because of a 412, and no 2xx came since
  uint8_t attempts = 0;           // failures in a row
  uint32_t asked = 0;             // Expires of the request out
  uint32_t server_min = 0;        // Min-Expires learned from a 423
  MonoMs deadline = kNever;       // own timer
  MonoMs wanted_end = kNever;     // kNever: for ever
  MonoMs grant_end = 0;           // end of what the server granted
  MonoMs sent_at = 0;
  MonoMs hold_until = 0;          // Retry-After: nothing leaves before

  // One step. Precondition: legal(p.state, e.input).
  static Effects step(Publication& p, const Event& e, Random& random, MonoMs now);
};

// The pairs that can happen; all others are programming errors. The simulation shows that each of these is met.
bool legal(State, Input);

// Op that would close the gap now; None: nothing to send.
Op next_op(const Publication&);
// Whether this op's intent must be committed before the request leaves.
bool needs_intent(Op);

struct PublicationStep;           // publication.cpp
std::span<const Rule<State, Input, PublicationStep>> publication_rules();

// A request that came while the table is being loaded is answered after this long at the latest; it is kept.
constexpr MonoMs kIdlePatience = 5000;

// A removal is worth sending until this long after the end of the grant: servers clean up late.
constexpr MonoMs kRemovalGrace = 5000;

}  // namespace pua
