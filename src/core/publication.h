// The publication machine (RFC 3903). Pure: (publication, input, now) -> effects.
//
// wanted and confirmed are two things; the machine only closes the gap between them. What to send is never stored, it
// follows from the two (next_op): nothing wanted -> Remove; no entity-tag -> Initial; the server holds another
// body -> Modify; else Refresh.
//
//  state    | Request            | Proceed (intent committed, or not waited for) | Slot      | Due                    | Reply
//  ---------+--------------------+---------------------------+-----------+------------------------+-----------------------
//  Idle     | stay (loading)     | -                         | -         | stay, owner told       | -       Loaded: Intent/Queued/Live/Gone
//  Intent   | Intent, again      | Queued                    | -         | -                      | -
//  Queued   | Intent or Queued   | stay                      | Sending   | Queued (remove), Gone  | -
//  Sending  | (waits, engine)    | stay                      | -         | -                      | Live, Backoff, Queued, Gone
//  Live     | Intent or Queued   | stay                      | -         | Queued (refresh/remove), Gone | -
//  Backoff  | Intent, Queued; or stay under Retry-After | stay | -       | Queued, Gone           | -
//  Gone     | Queued (a new one) | stay                      | -         | -                      | -       Stored: freed
//
// A publication leaves Sending by exactly one Reply: the SIP port promises it. In every state but Sending and Idle a
// newer request takes effect at once, because nothing is out.
//
// A 2xx whose SIP-ETag is missing (and none is known), or cannot be sent back, leaves a state that nobody can refresh or remove: Live
// without an entity-tag, Initial again at the refresh point. A removal then ends the record and says what stays (LeftBehind).
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"
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
enum class Build : uint8_t { Fresh, Replay };            // next request: a new one; the stored intent, to the octet

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
};

enum class Input : uint8_t { Request, Proceed, Slot, Due, Success, LostState, TooBrief, Transient, Forbidden, Auth, Fatal,
                             Shutdown, Loaded, Stored };
constexpr int kInputs = 14;
const char* input_name(Input);
Input input_of(ReplyClass);
// The pairs that can happen; all others are programming errors. The simulation shows that each of these is met.
bool legal(State, Input);

enum class Tag : uint8_t { Missing, Usable, Unusable };  // SIP-ETag of a 2xx; Unusable: no header field can carry it back

struct Event {                    // an input with what it carries
  Input input;
  bool new_body = false;          // Request: it brings a body (already stored in the record)
  Tag etag = Tag::Missing;        // Success
  bool answered = true;           // failures: a reply came over the wire
  int64_t expires = -1;           // Success: granted s, -1 missing
  int64_t min_expires = -1;       // TooBrief: the server's lower bound ...
  int64_t max_expires = 0;        // ... and our upper one
  int64_t retry_after = -1;       // failures, s
  MonoMs due = -1;                // Loaded: when to refresh, -1: as soon as there is a slot
};

enum class Ending : uint8_t { No, Removed, Expired, GivenUp, StateLost, Refused, NeverSent, LeftBehind };

// What the engine must do, in this order.
struct Effects {
  bool forget_etag = false;
  bool take_etag = false;         // from the reply
  bool enqueue = false;           // into the outbox (it leaves the outbox whenever the state is not Queued)
  bool commit_intent = false;     // write the row in the fast lane; Proceed when committed or not waited for any longer
  bool write_row = false;         // state worth storing changed
  bool complete = false;          // callers of the request under way get this outcome
  int local_status = 0;           // with complete, where no reply says it: synthetic status
  const char* local_reason = "";
  Ending ending = Ending::No;     // with state Gone: why
  bool orphan = false;            // a state may live on at the server under an entity-tag nobody knows
};

// Op that would close the gap now; None: nothing to send.
Op next_op(const Publication&);
// Whether this op's intent must be committed before the request leaves.
bool needs_intent(Op);

// One step. Precondition: legal(p.state, e.input). Changes p, returns the effects.
Effects step(Publication& p, const Event& e, Random& random, MonoMs now);

// A request that came while the table is being loaded is answered after this long at the latest; it is kept.
constexpr MonoMs kIdlePatience = 5000;

// A removal is worth sending until this long after the end of the grant: servers clean up late.
constexpr MonoMs kRemovalGrace = 5000;

}  // namespace pua
