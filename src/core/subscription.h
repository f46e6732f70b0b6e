// The subscription machine (RFC 6665). Pure: (machine, input, now) -> effects.
//
// As with publications, wanted and confirmed are two things and the machine only closes the gap. What to send follows from
// the two (next_op): nothing wanted -> Remove where there is a dialog; no dialog -> Initial (or Fetch); else Refresh.
//
// Where each state leads, made from the list of rules in subscription.cpp (docs/machines.md has them with their guards):
// BEGIN TABLE
//  idle     request: idle; due: idle; restored: idle; loaded: gone, ending, queued, live, backoff, intent
//  intent   request: gone, intent, queued; proceed: queued; notify: intent; refused: intent; terminated: gone, queued, backoff
//  queued   request: gone, intent, queued; slot: sending; due: gone, ending, queued; notify: queued; refused: queued;
//           terminated: gone, backoff, queued; told: queued
//  sending  success: queued, backoff, gone, ending, waiting, live; dialog_lost: gone, queued, backoff;
//           too_brief: gone, queued, backoff; transient: backoff, gone, queued, live; forbidden: backoff, gone, queued, live;
//           auth: backoff, gone, queued, live; fatal: backoff, queued, live, gone; shutdown: sending; notify: sending;
//           refused: sending; terminated: sending
//  waiting  request: gone, intent, queued; due: gone, ending, queued, backoff; notify: live; refused: waiting;
//           terminated: gone, queued, backoff
//  live     request: gone, intent, queued; due: gone, ending, queued, backoff; notify: live; refused: live;
//           terminated: gone, queued, backoff; told: live
//  backoff  request: gone, backoff, intent, queued; due: gone, ending, backoff, queued; notify: backoff; refused: backoff;
//           terminated: gone, queued, backoff; told: backoff
//  ending   request: ending, queued; due: gone; notify: ending; refused: ending; terminated: gone; stored: ending
//  gone     request: gone, queued; stored: gone
// END TABLE
//
// A NOTIFY makes the dialog where there is none yet, and its Subscription-State says how long the grant lasts, though no longer than
// what was asked for. Where its document came with a gap before it, full state is asked for, 5 s after the last request, and twice as
// long each time that partial ones come again, up to some minutes; a full one ends that.
//
// A NOTIFY that is refused (it is of this dialog, and cannot be taken) changes nothing. But after kDeaf of them in a row, or where it
// came in place of an answer to our request, full state is asked for, at most every 5 s. Where nothing comes then that can be taken, the
// subscription is deaf: the dialog is ended, and the reply makes room for a new one. Anybody who has seen our Call-ID can send such
// NOTIFYs, but not keep the notifier's from coming: one of these ends the asking, and the next time it waits twice as long.
//
// A subscription leaves Sending by exactly one reply: the SIP port promises it.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.h"
#include "base/time.h"
#include "core/machine.h"
#include "core/policy.h"
#include "core/types.h"

namespace pua::sub {

enum class State : uint8_t { Idle, Intent, Queued, Sending, Waiting, Live, Backoff, Ending, Gone };
constexpr int kStates = 9;
const char* state_name(State);

enum class Op : uint8_t { None, Initial, Refresh, Fetch, Remove };  // values stand in the database (`intent`)

constexpr int kDeaf = 3;            // refused NOTIFYs in a row that make us ask

// Once: a fetch (Expires: 0 outside a dialog). Leaving: nothing, and the owner was told so.
enum class Wanted : uint8_t { Something, Once, Nothing, Leaving };

// What is known of the other side. Early: a request went out, nobody answered. Confirmed: remote tag and target are known.
enum class Dialog : uint8_t { None, Early, Confirmed };

// Of the last NOTIFY of this dialog.
enum class Notified : uint8_t { No, Pending, Active, Other };

// Of the documents in this dialog: one was missed; a request has left since. A full one ends that.
enum class Gap : uint8_t { No, Missed, Asked };

enum class Build : uint8_t { Fresh, Replay };   // next initial request: a new dialog; the stored one, to the octet

enum class Reason : uint8_t { None, Deactivated, Timeout, Probation, Giveup, Rejected, Noresource, Invariant, Unknown };
Reason reason_of(std::string_view);             // of Subscription-State; empty: None

enum class Input : uint8_t { Request, Proceed, Slot, Due, Success, DialogLost, TooBrief, Transient, Forbidden, Auth, Fatal,
                             Shutdown, Notify, Refused, Terminated, Restored, Loaded, Stored, Told };
constexpr int kInputs = 19;
const char* input_name(Input);
// What a final reply means for a subscription whose request was `op`.
Input input_of(const SipReply&, Op op);
// The pairs that can happen; all others are programming errors. The simulation shows that each of these is met.
bool legal(State, Input);

// What a row says of a subscription that an earlier run wrote.
struct RestoredDialog {
  bool wanted = true;               // else it was on its way out
  bool dialog = false;              // there is one
  bool replay = false;              // its first request may have been out when that run ended, and goes out again, to the octet
  uint32_t asked = 0;               // with replay: Expires of that request
  MonoMs wanted_end = kNever, grant_end = 0;
  bool requested = false;           // an owner has asked for it while the table was being loaded
  bool existing = false;            // ... and wants nothing done where it exists
};

struct Event {                      // an input with what it carries
  Input input;
  bool owner = false;               // somebody waits for the request under way
  bool has_row = false;             // the record has a row, or may have one soon
  bool removal = false;             // Request
  bool first = false;               // Request: the record is new
  bool waited = false;              // Request: behind one that was out
  MonoMs wanted_end = kNever;       // Request, but for a removal
  MonoMs patience = 0;              // Request, Loaded: how long an intent may take to be committed
  ExpiresRule ask = {};             // Slot, TooBrief, Notify: what may be asked for
  bool has_dialog = false;          // Success: it names a remote tag
  int64_t expires = -1;             // Success: granted s; Notify: of Subscription-State; -1 missing
  int64_t min_expires = -1;         // TooBrief: the other side's bound
  int64_t retry_after = -1;         // failures, Terminated: s
  Notified notified = Notified::No; // Notify
  bool ended = false;               // Refused: it said that the subscription is over
  bool refetch = false;             // Notify: something was missed, full state is needed
  bool full = false;                // Notify, Terminated: its document is the whole state
  Reason reason = Reason::None;     // Terminated
  MonoMs timer_n = 32000;           // 64 T1: how long a first or last NOTIFY may take
  MonoMs due = -1;                  // Loaded: when to refresh
  bool no_row = false;              // Loaded: there is none; Request: nor will one come, the table has been loaded
  const RestoredDialog* row = nullptr;   // Restored
  int status = 0;                   // Told
  const char* phrase = "";          // Told
};

// EndsAgain: the notifier ended a dialog as soon as it was made, and the one before it; Stands: that is over.
enum class Note : uint8_t { No, Removed, Expired, Refused, NeverSent, Rejected, NotifyMissing, DialogLost, Deaf, EndsAgain, Stands };

struct Effects : CommonEffects {
  bool dialog_changed = false;      // which is all that decides whether its tag, target and route set stand in the row
  bool take_dialog = false;         // remote tag, target and route set come from the reply
  bool skip_cseqs = false;          // the run before may have used them: the request that was repeated is done
  Note note = Note::No;       // for counters and the log
};

struct Subscription {
  State state = State::Idle;
  Wanted wanted = Wanted::Something;
  Dialog dialog = Dialog::None;
  Notified notified = Notified::No;
  Op op = Op::None;                 // of the request out, or last out
  Build build = Build::Fresh;
  bool quick_try = false;           // a new dialog was tried at once after one was lost, and none stood since
  bool refetch = false;             // a NOTIFY was missed since the last request left: full state is to be asked for soon
  Gap gap = Gap::No;
  uint8_t gaps = 0;                 // in a row that were asked about and came again
  bool looping = false;             // its dialogs end as soon as they are made, and that was told
  bool renew = false;               // deaf: the dialog is to be ended, for the sake of a new one
  uint8_t refused = 0;              // NOTIFYs of this dialog in a row that could not be taken
  bool heard = false;               // a NOTIFY was taken since the last request left
  bool ask = false;                 // refused ones have brought the next request forward
  bool probe = false;               // the last request left because of that
  uint8_t useless = 0;              // such requests in a row that were answered by a NOTIFY that could be taken
  bool told = false;                // a NOTIFY said how long the grant lasts since the last request left
  uint8_t attempts = 0;             // failures in a row
  uint32_t asked = 0;               // Expires of the request out
  uint32_t server_min = 0;          // Min-Expires learned from a 423
  uint32_t beyond = 0;              // s above what was asked, where the other side granted more
  MonoMs deadline = kNever;         // own timer
  MonoMs wanted_end = kNever;
  MonoMs grant_end = 0;             // how long we count on the other side's subscription, 0: none
  MonoMs sent_at = 0;               // of the last request
  MonoMs since = 0;                 // when the dialog was made
  MonoMs notify_by = 0;             // when timer N ends, 0: its first NOTIFY has come, or the dialog is of an earlier run
  MonoMs hold_until = 0;            // the other side asked for quiet until then

  // One step. Precondition: legal(m.state, e.input).
  static Effects step(Subscription& m, const Event& e, Random& random, MonoMs now);
};

Op next_op(const Subscription&);
// Until when there may be something to end over there: a grant above what was asked counts for that.
MonoMs removal_end(const Subscription&);
// Whether the row is to be deleted: nothing of it may come back after a restart.
bool row_over(const Subscription&);

struct SubscriptionStep;                // subscription.cpp
std::span<const Rule<State, Input, SubscriptionStep>> subscription_rules();

}  // namespace pua::sub
