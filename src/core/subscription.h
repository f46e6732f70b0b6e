// The subscription machine (RFC 6665). It is pure: (fields, input, now) -> fields, effects.
//
// As with publications, what the owner wants (`wanted`) and what is known of the other side (`dialog`) are kept apart, and the
// machine only closes the gap between them. What to send follows from the two (next_op): nothing wanted -> Remove where there
// is a dialog; no dialog -> Initial (or Fetch); else Refresh.
//
// Where each state leads, made from the list of rules in subscription_rules.cpp (docs/machines.md has them with their guards):
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
// A NOTIFY makes the dialog where there is none yet (RFC 6665 section 4.1.2.4), and its Subscription-State says how long the
// grant lasts, though no longer than what was asked for. Where changes are missing before its document, a refresh is to fetch
// full state: 5 s after the last request, and after twice the time whenever only partial documents follow again, up to some
// minutes. A full document ends that.
//
// A NOTIFY of this dialog that is refused changes nothing but a count. After kDeaf of them in a row, or after one that came in
// place of an answer to our request, a refresh asks for full state, at most every 5 s. If still nothing comes that can be
// taken, the subscription is deaf: its dialog is ended, and after the reply a new one is made. Anybody who has seen our Call-ID
// can send us NOTIFYs that are refused, but cannot keep the notifier's own from coming: once one of these is taken the
// refreshes for this reason stop, and the next one waits twice as long.
//
// A subscription leaves Sending by exactly one reply: SipPort::send() promises one.
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

constexpr int kDeaf = 3;            // after so many refused NOTIFYs in a row a refresh asks for full state

// What the owner asked for last. Once: a fetch (Expires: 0 outside a dialog, RFC 6665 section 4.4.3). Leaving: nothing, and the
// owner was told so.
enum class Wanted : uint8_t { Something, Once, Nothing, Leaving };

// What is known of the other side. Early: a request went out, and neither answer nor NOTIFY has come. Confirmed: the remote tag
// is known.
enum class Dialog : uint8_t { None, Early, Confirmed };

// The Subscription-State of the last NOTIFY of this dialog.
enum class Notified : uint8_t { No, Pending, Active, Other };

// Whether changes are missing between the documents of this dialog. Missed: yes. Asked: yes, and a request has left since. A
// full document ends that.
enum class Gap : uint8_t { No, Missed, Asked };

// The next initial request. Fresh: made anew. Replay: the one that the row of the last run describes, equal to it octet by
// octet.
enum class Build : uint8_t { Fresh, Replay };

enum class Reason : uint8_t { None, Deactivated, Timeout, Probation, Giveup, Rejected, Noresource, Invariant, Unknown };
Reason reason_of(std::string_view);             // the reason of Subscription-State (RFC 6665 section 4.1.3); empty: None

enum class Input : uint8_t { Request, Proceed, Slot, Due, Success, DialogLost, TooBrief, Transient, Forbidden, Auth, Fatal,
                             Shutdown, Notify, Refused, Terminated, Restored, Loaded, Stored, Told };
constexpr int kInputs = 19;
const char* input_name(Input);
// What a final reply means for a subscription whose request was `op`. removal_waits: its owner has asked for its end meanwhile.
Input input_of(const SipReply&, Op op, bool removal_waits);
// Whether this input can happen in this state; all other pairs are errors of the caller. The simulation shows that each legal
// pair does happen.
bool legal(State, Input);

// What the row of an earlier run says of a subscription.
struct RestoredDialog {
  bool wanted = true;               // false: the subscription was being ended
  bool dialog = false;              // the row has a dialog
  bool replay = false;              // the first request may have been out when that run ended: the same one goes out again
  uint32_t asked = 0;               // with replay: Expires of that request
  MonoMs wanted_end = kNever, grant_end = 0;
  bool requested = false;           // an owner has asked for the subscription while the table was being loaded,
  bool existing = false;            // ... but only wants it to exist (keep_existing): what the row says counts
};

struct Event {                      // an input with what it carries
  Input input;
  bool owner = false;               // an owner waits for the request under way
  bool has_row = false;             // EngineCommon::has_row
  bool removal = false;             // Request
  bool first = false;               // Request: the record is new
  bool waited = false;              // Request: it waited while another one was out
  MonoMs wanted_end = kNever;       // Request, but for a removal
  MonoMs patience = 0;              // Request, Loaded: how long an intent may take to be committed
  ExpiresRule ask = {};             // Slot, TooBrief, Notify: what may be asked for
  bool has_dialog = false;          // Success: the 2xx has a To tag
  int64_t expires = -1;             // Success: granted s; Notify: of Subscription-State; -1 missing
  int64_t min_expires = -1;         // TooBrief: the other side's bound
  int64_t retry_after = -1;         // failures, Terminated: s
  Notified notified = Notified::No; // Notify
  bool ended = false;               // Refused: the NOTIFY said that the subscription is over
  bool refetch = false;             // Notify: changes are missing before its document: full state is needed
  bool full = false;                // Notify, Terminated: its document is the whole state
  Reason reason = Reason::None;     // Terminated
  MonoMs timer_n = 32000;           // 64 T1: how long a first or last NOTIFY may take (RFC 6665 section 4.1.2.4)
  MonoMs due = -1;                  // Loaded: when to refresh; -1: an owner has asked for it, so at once
  bool no_row = false;              // Loaded: the table has no row of it; Request: the table has been loaded, no row will come
  const RestoredDialog* row = nullptr;   // Restored
  int status = 0;                   // Told
  const char* phrase = "";          // Told
};

// What counters and the log are told after a step. EndsAgain: the notifier has ended a dialog soon after it was made, and the
// one before it too. Stands: a dialog has stood for a while again.
enum class Note : uint8_t {
  No, Removed, Expired, Refused, NeverSent, Rejected, NotifyMissing, DialogLost, Deaf, EndsAgain, Stands
};

struct Effects : CommonEffects {
  bool dialog_changed = false;      // `dialog` has changed; remote tag, target and route set are in the row if it is confirmed
  bool take_dialog = false;         // the reply brings remote tag, target and route set
  bool skip_cseqs = false;          // CSeqs that the last run may have used under these names are not used again
  Note note = Note::No;             // for counters and the log
};

struct Subscription {
  State state = State::Idle;
  Wanted wanted = Wanted::Something;
  Dialog dialog = Dialog::None;
  Notified notified = Notified::No;
  Op op = Op::None;                 // of the request that is out, or was out last
  Build build = Build::Fresh;
  bool quick_try = false;           // a new dialog was tried at once after one was lost, and none has stood since (kStood)
  bool refetch = false;             // full state is needed, and no request has left since that was found
  Gap gap = Gap::No;
  uint8_t gaps = 0;                 // how often in a row a gap came again after a request for full state
  bool looping = false;             // its dialogs end soon after they are made, and the log was told (Note::EndsAgain)
  bool renew = false;               // deaf: the dialog is to be ended, so that a new one can be made
  uint8_t refused = 0;              // NOTIFYs of this dialog in a row that were refused
  bool heard = false;               // a NOTIFY was taken since the last request left
  bool ask = false;                 // because of refused NOTIFYs the next request leaves sooner
  bool probe = false;               // the last request left for that reason
  uint8_t useless = 0;              // such requests in a row after which a NOTIFY was taken: they were not needed
  bool told = false;                // since the last request left, a NOTIFY said how long the grant lasts
  uint8_t attempts = 0;             // failures in a row
  uint32_t asked = 0;               // Expires of the request that is out, or was out last; 0: there was none in this run
  uint32_t server_min = 0;          // Min-Expires learned from a 423
  uint32_t beyond = 0;              // s above what was asked, where the other side granted more
  MonoMs deadline = kNever;         // when the input Due comes, or, in state Intent, Proceed
  MonoMs wanted_end = kNever;
  MonoMs grant_end = 0;             // until when we count on the other side's subscription, 0: there is none
  MonoMs sent_at = 0;               // when the last request left
  MonoMs since = 0;                 // when the dialog was made
  MonoMs notify_by = 0;             // when timer N ends; 0: the first NOTIFY has come, or the dialog is of an earlier run
  MonoMs hold_until = 0;            // the other side asked for quiet until then (Retry-After)

  // One step. Precondition: legal(m.state, e.input).
  static Effects step(Subscription& m, const Event& e, Random& random, MonoMs now);
};

// The request that would close the gap between `wanted` and `dialog` now; None: there is nothing to send.
Op next_op(const Subscription&);
// Until when the notifier may have something that can be ended: if it granted more than was asked, until the end of that.
MonoMs removal_end(const Subscription&);
// Whether the row is to be deleted, because nothing of the subscription may come back after a restart.
bool row_over(const Subscription&);

struct SubscriptionStep;                // a step under way: subscription_step.h
std::span<const Rule<State, Input, SubscriptionStep>> subscription_rules();

}  // namespace pua::sub
