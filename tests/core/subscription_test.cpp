// The subscription machine as a table: every legal pair of state and input, and what comes of it. Pure, without an engine.
// Over 600 lines because it is one table.
#include <array>
#include <string>
#include <vector>

#include "core/subscription.h"

#include <CppUTest/TestHarness.h>

using namespace pua::sub;
using pua::kNever;
using pua::MonoMs;
using pua::Random;
using pua::ReplyOrigin;
using pua::SipReply;
using pua::Write;

namespace {

constexpr MonoMs kNow = 5000000;
constexpr MonoMs kSecond = 1000;
enum { kDefault = -2 };

// A subscription in this state, wanted for ever, whose dialog was made 100 s ago and is granted for another 1000 s.
struct Given {
  State state;
  Dialog dialog = Dialog::Confirmed;
  Wanted wanted = Wanted::Something;
  Notified notified = Notified::Active;
  Op op = Op::None;                    // of the request that is out; None: the one that follows from the other fields
  MonoMs wanted_end = kNever;
  MonoMs grant = 1000 * kSecond;       // what is left of it
  MonoMs hold = 0;                     // what is left of Retry-After
  bool quick_try = false;
  uint8_t attempts = 0;

  Subscription machine() const {
    Subscription m;
    m.state = state;
    m.dialog = dialog;
    m.wanted = wanted;
    m.notified = dialog == Dialog::Confirmed ? notified : Notified::No;
    m.asked = 3600;
    m.sent_at = kNow - 100;
    m.since = dialog == Dialog::Confirmed ? kNow - 100 * kSecond : 0;
    m.grant_end = dialog == Dialog::Confirmed ? kNow + grant : 0;
    m.wanted_end = wanted_end;
    m.hold_until = hold ? kNow + hold : 0;
    bool timed = state == State::Waiting || state == State::Live || state == State::Backoff || state == State::Ending;
    m.deadline = timed ? kNow + 100 * kSecond : kNever;
    m.quick_try = quick_try;
    m.attempts = attempts;
    Op next = next_op(m);
    m.op = op == Op::None ? next : op;
    return m;
  }
};

// A line of the table. fx: n new names, t take dialog, q enqueue, i intent, w row, c complete.
struct Line {
  const char* name;
  Given given;
  Event event;
  State becomes;
  std::string fx = "";
  int status = 0;
  Note outcome = Note::No;
};

std::string flags(const Effects& fx) {
  std::string s;
  if (fx.new_names) s += 'n';
  if (fx.take_dialog) s += 't';
  if (fx.enqueue) s += 'q';
  if (fx.write == Write::Intent) s += 'i';
  if (fx.write == Write::Bulk) s += 'w';
  if (fx.complete) s += 'c';
  return s;
}

Event terminated(Reason r, int64_t retry_after = -1) {
  return {.input = Input::Terminated, .retry_after = retry_after, .reason = r};
}
Event notify(int64_t expires = 600) {
  return {.input = Input::Notify, .expires = expires, .notified = Notified::Active};
}

using S = State;
using W = Wanted;
using D = Dialog;

const std::vector<Line>& lines() {
  static const std::vector<Line> all = {
      // --- Request
      {"one that comes while the table is being loaded waits", {S::Idle, D::None}, {.input = Input::Request},
       S::Idle},
      {"a first one is queued", {S::Gone, D::None}, {.input = Input::Request}, S::Queued, "nqw"},
      {"a fetch is queued", {S::Gone, D::None, W::Once}, {.input = Input::Request}, S::Queued, "nq"},
      {"a removal that waited behind the one that ended it", {S::Gone, D::None, W::Nothing}, {.input = Input::Request, .waited = true},
       S::Gone, "c", 200},
      {"a removal of what is not there is a fetch", {S::Gone, D::None, W::Leaving}, {.input = Input::Request}, S::Queued, "nq"},
      {"the table has been loaded, and there is no row", {S::Idle, D::None}, {.input = Input::Request, .no_row = true}, S::Idle},
      {"a live one is refreshed", {S::Live}, {.input = Input::Request}, S::Queued, "q"},
      {"a live one is removed: its intent first", {S::Live, D::Confirmed, W::Nothing}, {.input = Input::Request},
       S::Intent, "i"},
      {"wanted again before its intent is committed", {S::Intent}, {.input = Input::Request}, S::Queued, "q"},
      {"removed twice", {S::Intent, D::Confirmed, W::Nothing}, {.input = Input::Request}, S::Intent, "i"},
      {"another one before the first has left", {S::Queued, D::None}, {.input = Input::Request}, S::Queued, "q"},
      {"a removal before the first has left", {S::Queued, D::None, W::Nothing}, {.input = Input::Request}, S::Gone,
       "nwc", 200, Note::NeverSent},
      {"a removal instead of a refresh", {S::Queued, D::Confirmed, W::Nothing}, {.input = Input::Request}, S::Intent,
       "i"},
      {"a refresh while the first NOTIFY is awaited", {S::Waiting}, {.input = Input::Request}, S::Queued, "q"},
      {"a removal while the first NOTIFY is awaited", {S::Waiting, D::Confirmed, W::Nothing},
       {.input = Input::Request}, S::Intent, "i"},
      {"another one ends the back-off", {S::Backoff}, {.input = Input::Request}, S::Queued, "q"},
      {"a new dialog ends the back-off", {S::Backoff, D::None}, {.input = Input::Request}, S::Queued, "q"},
      {"... but not under Retry-After", {.state = S::Backoff, .dialog = D::None, .hold = 60 * kSecond},
       {.input = Input::Request}, S::Backoff, "wc", 503},
      {"a removal during back-off", {S::Backoff, D::Confirmed, W::Nothing}, {.input = Input::Request}, S::Intent,
       "i"},
      {"a removal during back-off, without a dialog", {S::Backoff, D::None, W::Nothing}, {.input = Input::Request},
       S::Gone, "nwc", 200, Note::NeverSent},
      {"subscribed again while the old dialog ends", {S::Ending}, {.input = Input::Request}, S::Queued, "nqw"},
      {"fetched while the old dialog ends", {S::Ending, D::Confirmed, W::Once}, {.input = Input::Request}, S::Queued,
       "nq"},
      {"removed while it ends", {S::Ending, D::Confirmed, W::Leaving}, {.input = Input::Request}, S::Ending, "c",
       200},

      // --- Proceed, Slot
      {"the intent is committed", {S::Intent, D::Confirmed, W::Nothing}, {.input = Input::Proceed}, S::Queued, "q"},
      {"an initial request leaves", {S::Queued, D::None}, {.input = Input::Slot}, S::Sending},
      {"a refresh leaves", {S::Queued}, {.input = Input::Slot}, S::Sending},

      // --- Due
      {"the table takes long to load", {S::Idle, D::None}, {.input = Input::Due}, S::Idle, "c", 503},
      {"it ends before it could leave", {.state = S::Queued, .dialog = D::None, .wanted_end = kNow},
       {.input = Input::Due}, S::Gone, "nwc", 480, Note::Expired},
      {"a removal that could not leave in time", {.state = S::Queued, .wanted = W::Leaving, .grant = 0},
       {.input = Input::Due}, S::Ending, "wc", 200, Note::Removed},
      {"its lifetime ends while its refresh is queued", {.state = S::Queued, .wanted_end = kNow},
       {.input = Input::Due}, S::Queued, "qwc", 480, Note::Expired},
      {"no NOTIFY came within timer N", {.state = S::Waiting, .notified = Notified::No}, {.input = Input::Due},
       S::Backoff, "nw", 0, Note::NotifyMissing},
      {"its lifetime ends while the first NOTIFY is awaited",
       {.state = S::Waiting, .notified = Notified::No, .wanted_end = kNow}, {.input = Input::Due}, S::Queued, "qw", 0,
       Note::Expired},
      {"a refresh is due", {S::Live}, {.input = Input::Due}, S::Queued, "q"},
      {"its lifetime ends", {.state = S::Live, .wanted_end = kNow}, {.input = Input::Due}, S::Queued, "qw", 0,
       Note::Expired},
      {"its lifetime and its grant end", {.state = S::Live, .wanted_end = kNow, .grant = 0}, {.input = Input::Due},
       S::Ending, "wc", 480, Note::Expired},
      {"its lifetime ends, and there is no dialog", {.state = S::Backoff, .dialog = D::None, .wanted_end = kNow},
       {.input = Input::Due}, S::Gone, "nwc", 480, Note::Expired},
      {"its grant ended", {.state = S::Live, .grant = 0}, {.input = Input::Due}, S::Queued, "nqw", 0,
       Note::DialogLost},
      {"the next try", {S::Backoff}, {.input = Input::Due}, S::Queued, "q"},
      {"the next try of a new dialog", {S::Backoff, D::None}, {.input = Input::Due}, S::Queued, "q"},
      {"its grant ended during back-off", {.state = S::Backoff, .grant = 0}, {.input = Input::Due}, S::Queued, "nqw",
       0, Note::DialogLost},
      {"its removal was never answered", {.state = S::Backoff, .wanted = W::Leaving, .grant = 0},
       {.input = Input::Due}, S::Ending, "wc", 200, Note::Removed},
      {"its last NOTIFY never came", {S::Ending, D::Confirmed, W::Leaving}, {.input = Input::Due}, S::Gone, "nw", 0,
       Note::Removed},
      {"nothing was fetched", {.state = S::Ending, .wanted = W::Once, .notified = Notified::No},
       {.input = Input::Due}, S::Gone, "nw", 0, Note::NotifyMissing},

      // --- Success
      {"the 2xx makes the dialog", {S::Sending, D::Early},
       {.input = Input::Success, .has_dialog = true, .expires = 600}, S::Waiting, "twc"},
      {"the 2xx names no dialog: a NOTIFY will", {S::Sending, D::Early}, {.input = Input::Success, .expires = 600},
       S::Waiting, "wc"},
      {"a NOTIFY had made the dialog", {.state = S::Sending, .op = Op::Initial},
       {.input = Input::Success, .has_dialog = true, .expires = 600}, S::Live, "wc"},
      {"refreshed", {S::Sending}, {.input = Input::Success, .has_dialog = true, .expires = 600}, S::Live, "twc"},
      {"removed", {S::Sending, D::Confirmed, W::Nothing}, {.input = Input::Success, .expires = 0}, S::Ending, "wc"},
      {"fetched", {S::Sending, D::Early, W::Once}, {.input = Input::Success, .has_dialog = true, .expires = 0},
       S::Ending, "wc"},
      {"fetched, and its NOTIFY came first",
       {.state = S::Sending, .dialog = D::None, .wanted = W::Once, .op = Op::Fetch},
       {.input = Input::Success, .expires = 0}, S::Gone, "nwc", 0, Note::Removed},
      {"taken and ended in one breath", {S::Sending, D::Early},
       {.input = Input::Success, .has_dialog = true, .expires = 0}, S::Backoff, "ntwc"},
      {"refreshed, but a NOTIFY had ended it", {.state = S::Sending, .dialog = D::None, .op = Op::Refresh},
       {.input = Input::Success, .expires = 600}, S::Queued, "nqwc"},
      {"refreshed, but a NOTIFY had ended it for good",
       {.state = S::Sending, .dialog = D::None, .wanted = W::Leaving, .op = Op::Refresh},
       {.input = Input::Success, .expires = 600}, S::Gone, "nwc", 603, Note::No},
      {"removed, and its last NOTIFY came first",
       {.state = S::Sending, .dialog = D::None, .wanted = W::Nothing, .op = Op::Remove},
       {.input = Input::Success, .expires = 0}, S::Gone, "nwc", 0, Note::Removed},
      {"its lifetime ended while its refresh was out", {.state = S::Sending, .wanted_end = kNow},
       {.input = Input::Success, .expires = 600}, S::Queued, "tqwc", 0, Note::Expired},

      // --- the dialog is not there any more
      {"481 to a refresh", {S::Sending}, {.input = Input::DialogLost}, S::Queued, "nqw", 0, Note::DialogLost},
      {"481 to a refresh again, too soon", {.state = S::Sending, .quick_try = true},
       {.input = Input::DialogLost, .retry_after = 60}, S::Backoff, "nwc", 0, Note::DialogLost},
      {"481 to a removal", {S::Sending, D::Confirmed, W::Nothing}, {.input = Input::DialogLost}, S::Gone, "nwc", 200,
       Note::Removed},

      // --- failures
      {"423 to an initial request: at once with Min-Expires", {S::Sending, D::Early},
       {.input = Input::TooBrief, .ask = {.most = 86400}, .min_expires = 7200}, S::Queued, "q"},
      {"423 to a refresh", {S::Sending}, {.input = Input::TooBrief, .ask = {.most = 86400}, .min_expires = 7200},
       S::Queued, "q"},
      {"423 again", {.state = S::Sending, .attempts = 1},
       {.input = Input::TooBrief, .ask = {.most = 86400}, .min_expires = 7200}, S::Backoff, "wc"},
      {"423 with more than we may ask for", {S::Sending},
       {.input = Input::TooBrief, .ask = {.most = 86400}, .min_expires = 90000}, S::Backoff, "wc"},
      {"423 that does not say what it wants: twice as much", {S::Sending},
       {.input = Input::TooBrief, .ask = {.most = 86400}}, S::Queued, "q"},
      {"423 to as much as we may ask for", {S::Sending}, {.input = Input::TooBrief, .ask = {.most = 3600}},
       S::Backoff, "wc"},
      {"an initial request fails", {S::Sending, D::Early}, {.input = Input::Transient}, S::Backoff, "nwc"},
      {"a refresh fails: the dialog stays", {S::Sending}, {.input = Input::Transient}, S::Backoff, "wc"},
      {"a removal fails: it is tried again", {S::Sending, D::Confirmed, W::Nothing}, {.input = Input::Transient},
       S::Backoff, "wc"},
      {"a fetch fails: that was it", {S::Sending, D::Early, W::Once}, {.input = Input::Transient}, S::Gone, "nwc", 0,
       Note::Refused},
      {"an initial request fails whose dialog a NOTIFY made", {.state = S::Sending, .op = Op::Initial},
       {.input = Input::Transient}, S::Live, "wc"},
      {"a refresh fails whose dialog a NOTIFY ended", {.state = S::Sending, .dialog = D::None, .op = Op::Refresh},
       {.input = Input::Transient}, S::Queued, "nqwc"},
      {"403 to an initial request", {S::Sending, D::Early}, {.input = Input::Forbidden}, S::Backoff, "nwc"},
      {"403 to a refresh", {S::Sending}, {.input = Input::Forbidden}, S::Backoff, "wc"},
      {"401 without credentials", {S::Sending}, {.input = Input::Auth}, S::Backoff, "wc"},
      {"489 to an initial request", {S::Sending, D::Early}, {.input = Input::Fatal}, S::Gone, "nwc", 0,
       Note::Refused},
      {"400 to a removal", {S::Sending, D::Confirmed, W::Nothing}, {.input = Input::Fatal}, S::Gone, "nwc", 0,
       Note::Refused},
      {"400 from a branch, and another made the dialog", {.state = S::Sending, .op = Op::Initial},
       {.input = Input::Fatal}, S::Live, "wc"},
      {"we go down while a request is out", {S::Sending}, {.input = Input::Shutdown}, S::Sending, "c"},

      // --- NOTIFY
      {"a NOTIFY before the 2xx makes the dialog", {S::Sending, D::Early}, notify(), S::Sending, "w"},
      {"a NOTIFY while a refresh is out", {S::Sending}, notify(1000), S::Sending},
      {"the first NOTIFY", {.state = S::Waiting, .notified = Notified::No}, notify(1000), S::Live},
      {"the first NOTIFY makes the dialog", {S::Waiting, D::Early}, notify(), S::Live, "w"},
      {"a NOTIFY with the same grant", {S::Live}, notify(1000), S::Live},
      {"a NOTIFY with another grant", {S::Live}, notify(60), S::Live, "w"},
      {"a NOTIFY to a request of the last run", {S::Queued, D::Early}, notify(), S::Queued, "w"},
      {"a NOTIFY while a removal waits", {S::Queued, D::Confirmed, W::Leaving}, notify(1000), S::Queued},
      {"a NOTIFY while a removal is committed", {S::Intent, D::Confirmed, W::Nothing}, notify(1000), S::Intent},
      {"a NOTIFY during back-off", {S::Backoff}, notify(1000), S::Backoff},
      {"a late NOTIFY", {S::Ending, D::Confirmed, W::Leaving}, notify(1000), S::Ending},

      // --- NOTIFY, terminated
      {"deactivated", {S::Live}, terminated(Reason::Deactivated), S::Queued, "nqw"},
      {"timeout", {S::Live}, terminated(Reason::Timeout), S::Queued, "nqw"},
      {"timeout at the wanted end, before our timer", {.state = S::Live, .wanted_end = kNow},
       terminated(Reason::Timeout), S::Gone, "nwc", 480, Note::Expired},
      {"timeout a second before the wanted end", {.state = S::Live, .wanted_end = kNow + kSecond},
       terminated(Reason::Timeout), S::Gone, "nwc", 480, Note::Expired},
      {"no reason a second before the wanted end", {.state = S::Live, .wanted_end = kNow + kSecond},
       terminated(Reason::None), S::Gone, "nwc", 480, Note::Expired},
      {"timeout more than a second before the wanted end", {.state = S::Live, .wanted_end = kNow + kSecond + 1},
       terminated(Reason::Timeout), S::Queued, "nqw"},
      {"deactivated a second before the wanted end", {.state = S::Live, .wanted_end = kNow + kSecond},
       terminated(Reason::Deactivated), S::Queued, "nqw"},
      {"deactivated at the wanted end", {.state = S::Live, .wanted_end = kNow}, terminated(Reason::Deactivated),
       S::Gone, "nwc", 480, Note::Expired},
      {"probation", {S::Live}, terminated(Reason::Probation), S::Backoff, "nw"},
      {"probation with retry-after", {S::Live}, terminated(Reason::Probation, 60), S::Backoff, "nw"},
      {"giveup", {S::Live}, terminated(Reason::Giveup), S::Backoff, "nw"},
      {"no reason", {S::Live}, terminated(Reason::None), S::Queued, "nqw"},
      {"no reason, with retry-after", {S::Live}, terminated(Reason::None, 60), S::Backoff, "nw"},
      {"a reason nobody knows", {S::Live}, terminated(Reason::Unknown), S::Queued, "nqw"},
      {"rejected", {S::Live}, terminated(Reason::Rejected), S::Gone, "nwc", 603, Note::Rejected},
      {"noresource", {S::Live}, terminated(Reason::Noresource), S::Gone, "nwc", 603, Note::Rejected},
      {"invariant", {S::Live}, terminated(Reason::Invariant), S::Gone, "nwc", 603, Note::Rejected},
      {"deactivated for the second time, too soon", {.state = S::Live, .quick_try = true},
       terminated(Reason::Deactivated), S::Queued, "nqw"},
      {"ended with its first NOTIFY", {.state = S::Waiting, .notified = Notified::No}, terminated(Reason::Rejected),
       S::Gone, "nwc", 603, Note::Rejected},
      {"ended while a refresh is queued", {S::Queued}, terminated(Reason::Timeout), S::Queued, "nqw"},
      {"ended for now while a refresh is queued", {S::Queued}, terminated(Reason::Probation, 60), S::Backoff, "nwc",
       480},
      {"ended while a refresh is out: its reply decides", {S::Sending}, terminated(Reason::Timeout), S::Sending},
      {"rejected while a refresh is out", {S::Sending}, terminated(Reason::Rejected), S::Sending, "w", 0,
       Note::Rejected},
      {"ended while a removal is committed", {S::Intent, D::Confirmed, W::Nothing}, terminated(Reason::Timeout),
       S::Gone, "nwc", 200, Note::Removed},
      {"ended during back-off", {S::Backoff}, terminated(Reason::Deactivated), S::Queued, "nqw"},
      {"ended during the back-off of its removal", {S::Backoff, D::Confirmed, W::Leaving},
       terminated(Reason::Timeout), S::Gone, "nwc", 200, Note::Removed},
      {"the last NOTIFY", {S::Ending, D::Confirmed, W::Leaving}, terminated(Reason::Timeout), S::Gone, "nw", 0,
       Note::Removed},
      {"what was fetched", {S::Ending, D::Confirmed, W::Once}, terminated(Reason::Timeout), S::Gone, "nw", 0,
       Note::Removed},

      // --- NOTIFYs that were refused
      {"refused while a removal is committed", {S::Intent, D::Confirmed, W::Nothing}, {.input = Input::Refused}, S::Intent},
      {"refused while a refresh is queued", {S::Queued}, {.input = Input::Refused}, S::Queued},
      {"refused while a refresh is out", {S::Sending}, {.input = Input::Refused}, S::Sending},
      {"refused while the first one is awaited", {S::Waiting}, {.input = Input::Refused}, S::Waiting},
      {"refused in place of an answer", {S::Live}, {.input = Input::Refused}, S::Live},
      {"refused during back-off", {S::Backoff}, {.input = Input::Refused}, S::Backoff},
      {"refused while it ends", {S::Ending, D::Confirmed, W::Leaving}, {.input = Input::Refused}, S::Ending},

      // --- what the engine tells
      {"its destination is held back", {S::Queued}, {.input = Input::Told, .status = 503}, S::Queued, "c", 503},
      {"it exists already", {S::Live}, {.input = Input::Told, .status = 200}, S::Live, "c", 200},
      {"it exists already, and is to be made anew", {S::Backoff, D::None}, {.input = Input::Told, .status = 200}, S::Backoff, "c", 200},

      // --- rows
      {"a row without a dialog", {S::Idle, D::None}, {.input = Input::Restored}, S::Idle, "n"},
      {"a dialog comes back", {S::Idle}, {.input = Input::Loaded, .due = kNow + 5 * kSecond}, S::Live},
      {"a dialog comes back and was asked for meanwhile", {S::Idle}, {.input = Input::Loaded}, S::Queued, "q"},
      {"its grant ended meanwhile: a new dialog in its turn", {S::Idle, D::None},
       {.input = Input::Loaded, .due = kNow + 5 * kSecond}, S::Backoff},
      {"no row, and it was asked for", {S::Idle, D::None}, {.input = Input::Loaded}, S::Queued, "q"},
      {"a dialog comes back that was to be removed", {S::Idle, D::Confirmed, W::Leaving}, {.input = Input::Loaded},
       S::Intent, "i"},
      {"nothing to remove", {S::Idle, D::None, W::Leaving}, {.input = Input::Loaded}, S::Gone, "nwc", 404,
       Note::NeverSent},
      {"its lifetime ended meanwhile", {.state = S::Idle, .wanted_end = kNow}, {.input = Input::Loaded, .due = kNow},
       S::Queued, "qw", 0, Note::Expired},
      {"its lifetime and its grant ended meanwhile", {.state = S::Idle, .wanted_end = kNow, .grant = 0},
       {.input = Input::Loaded, .due = kNow}, S::Gone, "nwc", 480, Note::Expired},
      {"the row of an ended one is gone", {S::Gone, D::None, W::Leaving}, {.input = Input::Stored}, S::Gone},
      {"the row of an ending one is gone", {S::Ending, D::Confirmed, W::Leaving}, {.input = Input::Stored},
       S::Ending},
  };
  return all;
}

}  // namespace

TEST_GROUP(SubscriptionMachine) {
  Random random{1};
  Subscription m;
  Effects fx;
  void step(const Given& g, const Event& e) {
    m = g.machine();
    CHECK(legal(m.state, e.input));
    fx = Subscription::step(m, whole(e), random, kNow);
  }
  // An owner's request wants the subscription; all records but a new one have a row.
  Event whole(Event e) const {
    static const RestoredDialog row;
    e.has_row = m.state != S::Gone || e.input == Input::Stored;
    if (e.input == Input::Request) e.removal = m.wanted != W::Something, e.wanted_end = m.wanted_end;
    if (e.input == Input::Restored && !e.row) e.row = &row;
    return e;
  }
  void due_within(MonoMs low, MonoMs high) {
    CHECK(m.deadline >= kNow + low);
    CHECK(m.deadline <= kNow + high);
  }
};

TEST(SubscriptionMachine, each_line_of_the_table) {
  for (const Line& l : lines()) {
    step(l.given, l.event);
    auto text = [&](State s, const std::string& effects, int status, Note o) {
      return std::string(l.name) + ": " + state_name(s) + " '" + effects + "' " + std::to_string(status) + " outcome " +
             std::to_string(static_cast<int>(o));
    };
    std::string want = text(l.becomes, l.fx, l.status, l.outcome);
    STRCMP_EQUAL(want.c_str(), text(m.state, flags(fx), fx.local_status, fx.note).c_str());
  }
}

TEST(SubscriptionMachine, the_table_has_every_legal_pair_and_no_other) {
  std::array<std::array<bool, kInputs>, kStates> met{};
  for (const Line& l : lines()) met[static_cast<int>(l.given.state)][static_cast<int>(l.event.input)] = true;
  for (int s = 0; s < kStates; s++) {
    for (int i = 0; i < kInputs; i++) {
      if (met[s][i] != legal(static_cast<State>(s), static_cast<Input>(i)))
        FAIL((std::string(state_name(static_cast<State>(s))) + " x " + input_name(static_cast<Input>(i))).c_str());
    }
  }
}

TEST(SubscriptionMachine, the_legal_pairs_are_these_and_no_others) {
  // states: idle intent queued sending waiting live backoff ending gone
  const char* table[kInputs] = {
      /* Request    */ "xxx.xxxxx",  // not while a request is out, when it waits in the engine
      /* Proceed    */ ".x.......",
      /* Slot       */ "..x......",
      /* Due        */ "x.x.xxxx.",
      /* Success    */ "...x.....",
      /* DialogLost */ "...x.....",
      /* TooBrief   */ "...x.....",
      /* Transient  */ "...x.....",
      /* Forbidden  */ "...x.....",
      /* Auth       */ "...x.....",
      /* Fatal      */ "...x.....",
      /* Shutdown   */ "...x.....",
      /* Notify     */ ".xxxxxxx.",
      /* Refused    */ ".xxxxxxx.",
      /* Terminated */ ".xxxxxxx.",
      /* Restored   */ "x........",
      /* Loaded     */ "x........",
      /* Stored     */ ".......xx",
      /* Told       */ "..x..xx..",
  };
  for (int i = 0; i < kInputs; i++) {
    for (int s = 0; s < kStates; s++) {
      if (legal(static_cast<State>(s), static_cast<Input>(i)) != (table[i][s] == 'x'))
        FAIL((std::string(state_name(static_cast<State>(s))) + " x " + input_name(static_cast<Input>(i))).c_str());
    }
  }
}

// Whatever is wanted and known, after any legal step the record has a deadline, stands in a queue, has a request out, or has
// ended: it is never forgotten.
TEST(SubscriptionMachine, no_legal_pair_leaves_a_state_without_a_way_out) {
  for (int s = 0; s < kStates; s++) {
    for (int i = 0; i < kInputs; i++) {
      for (int d = 0; d < 3; d++) {
        for (int w = 0; w < 4; w++) {
          for (MonoMs grant : {MonoMs{0}, 1000 * kSecond}) {
            Given g{static_cast<State>(s), static_cast<Dialog>(d), static_cast<Wanted>(w)};
            g.grant = grant;
            m = g.machine();
            Input input = static_cast<Input>(i);
            if (!legal(m.state, input)) continue;
            // These cannot be: a record is never sent if there is nothing to send, and a fetch is never live.
            bool moving = m.state == State::Sending || m.state == State::Queued;
            bool standing = m.state == State::Live || m.state == State::Waiting || m.state == State::Backoff;
            if ((moving && next_op(m) == Op::None) || (standing && m.wanted == Wanted::Once)) continue;
            fx = Subscription::step(m, whole({.input = input, .patience = kNow + 100, .has_dialog = true, .expires = 600}), random, kNow);
            bool way_out = m.state == State::Gone || m.state == State::Sending || fx.write == Write::Intent ||
                           m.state == State::Idle || m.state == State::Queued || m.deadline != kNever ||
                           (m.state == State::Intent && g.state == State::Intent);
            if (!way_out) FAIL((std::string(state_name(g.state)) + " x " + input_name(input)).c_str());
            if (m.state == State::Queued && g.state != State::Queued) CHECK(fx.enqueue);
            if (m.state == State::Gone) CHECK(row_over(m));
          }
        }
      }
    }
  }
}

TEST(SubscriptionMachine, what_to_send_follows_from_wanted_and_the_dialog) {
  struct { Wanted wanted; Dialog dialog; Op want; } rows[] = {
      {W::Something, D::None, Op::Initial}, {W::Something, D::Early, Op::Initial},
      {W::Something, D::Confirmed, Op::Refresh},
      {W::Once, D::None, Op::Fetch},   {W::Once, D::Early, Op::Fetch},   {W::Once, D::Confirmed, Op::None},
      {W::Nothing, D::None, Op::None}, {W::Nothing, D::Early, Op::None}, {W::Nothing, D::Confirmed, Op::Remove},
      {W::Leaving, D::None, Op::None}, {W::Leaving, D::Early, Op::None}, {W::Leaving, D::Confirmed, Op::Remove},
  };
  for (auto& r : rows) {
    Subscription q;
    q.wanted = r.wanted;
    q.dialog = r.dialog;
    LONGS_EQUAL(static_cast<int>(r.want), static_cast<int>(next_op(q)));
  }
}

TEST(SubscriptionMachine, the_row_of_one_that_is_to_end_is_kept_only_as_long_as_there_is_a_dialog_to_end) {
  CHECK_FALSE(row_over((Given{S::Live}.machine())));
  CHECK_FALSE(row_over((Given{S::Queued, D::None}.machine())));
  CHECK_FALSE(row_over((Given{S::Sending, D::Confirmed, W::Nothing}.machine())));
  CHECK_FALSE(row_over((Given{S::Backoff, D::Confirmed, W::Leaving}.machine())));
  CHECK_FALSE(row_over((Given{S::Idle, D::None, W::Leaving}.machine())));
  CHECK(row_over((Given{S::Sending, D::None, W::Nothing}.machine())));
  CHECK(row_over((Given{S::Sending, D::Early, W::Once}.machine())));
  CHECK(row_over((Given{S::Ending, D::Confirmed, W::Leaving}.machine())));
  CHECK(row_over((Given{S::Gone, D::None, W::Leaving}.machine())));
}

// --- what replies mean -------------------------------------------------------------------------------------------

TEST(SubscriptionMachine, what_a_final_reply_means_in_and_outside_a_dialog) {
  struct { int status; Input initial, refresh; } rows[] = {
      {200, Input::Success, Input::Success},       {202, Input::Success, Input::Success},
      {300, Input::Transient, Input::Transient},   {400, Input::Fatal, Input::DialogLost},
      {401, Input::Auth, Input::Auth},             {403, Input::Forbidden, Input::Forbidden},
      {404, Input::Forbidden, Input::DialogLost},  {405, Input::Fatal, Input::DialogLost},
      {406, Input::Fatal, Input::DialogLost},           {407, Input::Auth, Input::Auth},
      {408, Input::Transient, Input::Transient},   {410, Input::Transient, Input::DialogLost},
      {412, Input::Transient, Input::Transient},   {413, Input::Fatal, Input::DialogLost},
      {415, Input::Fatal, Input::DialogLost},           {416, Input::Transient, Input::DialogLost},
      {420, Input::Fatal, Input::DialogLost},           {423, Input::TooBrief, Input::TooBrief},
      {480, Input::Transient, Input::DialogLost},  {481, Input::Transient, Input::DialogLost},
      {482, Input::Transient, Input::DialogLost},  {483, Input::Transient, Input::DialogLost},
      {484, Input::Transient, Input::DialogLost},  {485, Input::Transient, Input::DialogLost},
      {489, Input::Fatal, Input::DialogLost},      {500, Input::Transient, Input::Transient},
      {501, Input::Transient, Input::DialogLost},  {502, Input::Transient, Input::DialogLost},
      {503, Input::Transient, Input::Transient},
      {600, Input::Transient, Input::Transient},   {604, Input::Transient, Input::DialogLost},
  };
  for (auto& r : rows) {
    SipReply reply;
    reply.status = r.status;
    STRCMP_EQUAL(input_name(r.initial), input_name(input_of(reply, Op::Initial, false)));
    bool of_no_lifetime = r.initial == Input::TooBrief;   // a fetch and a removal ask for none that could be too brief
    STRCMP_EQUAL(input_name(of_no_lifetime ? Input::Transient : r.initial), input_name(input_of(reply, Op::Fetch, false)));
    STRCMP_EQUAL(input_name(r.refresh), input_name(input_of(reply, Op::Refresh, false)));
    bool refused = r.initial == Input::Fatal && r.status != 405 && r.status != 489;   // the removal, not what it removes
    Input to_removal = refused ? Input::Fatal : of_no_lifetime ? Input::Transient : r.refresh;
    STRCMP_EQUAL(input_name(to_removal), input_name(input_of(reply, Op::Remove, false)));
  }
  SipReply silence;
  silence.status = 481;
  silence.origin = ReplyOrigin::Timeout;
  STRCMP_EQUAL("transient", input_name(input_of(silence, Op::Refresh, false)));
  silence.origin = ReplyOrigin::Shutdown;
  STRCMP_EQUAL("shutdown", input_name(input_of(silence, Op::Refresh, false)));
}

TEST(SubscriptionMachine, the_reasons_of_a_terminated_subscription) {
  CHECK(reason_of("") == Reason::None);
  CHECK(reason_of("deactivated") == Reason::Deactivated);
  CHECK(reason_of("timeout") == Reason::Timeout);
  CHECK(reason_of("probation") == Reason::Probation);
  CHECK(reason_of("giveup") == Reason::Giveup);
  CHECK(reason_of("rejected") == Reason::Rejected);
  CHECK(reason_of("noresource") == Reason::Noresource);
  CHECK(reason_of("invariant") == Reason::Invariant);
  CHECK(reason_of("whatever") == Reason::Unknown);
}

// --- deadlines ---------------------------------------------------------------------------------------------------

TEST(SubscriptionMachine, timer_n_runs_from_when_the_request_left) {
  step({S::Sending, D::Early}, {.input = Input::Success, .has_dialog = true, .timer_n = 32000});
  LONGLONGS_EQUAL(kNow - 100 + 32000, m.deadline);
}

TEST(SubscriptionMachine, a_refresh_is_due_before_the_grant_ends) {
  step({S::Waiting, D::Confirmed, W::Something, Notified::No}, notify(1000));
  due_within(700 * kSecond, 800 * kSecond);   // a fifth of the grant before its end, less a jitter of a tenth
  step({S::Waiting, D::Confirmed, W::Something, Notified::No}, notify(60));
  due_within(24 * kSecond, 30 * kSecond);     // half of a short grant
}

// RFC 6665 section 4.1.2.1: what is granted is what was asked, or less.
TEST(SubscriptionMachine, a_grant_above_what_was_asked_counts_as_asked) {
  for (int64_t granted : {int64_t{3601}, int64_t{7200}, int64_t{4294967295}}) {
    step({S::Sending, D::Early}, {.input = Input::Success, .has_dialog = true, .expires = granted});
    LONGLONGS_EQUAL(kNow - 100 + 3600 * kSecond, m.grant_end);
    step({S::Sending}, {.input = Input::Success, .expires = granted});
    LONGLONGS_EQUAL(kNow - 100 + 3600 * kSecond, m.grant_end);
    due_within(2500 * kSecond, 2900 * kSecond);
    step({S::Live}, notify(granted));
    LONGLONGS_EQUAL(kNow + 3600 * kSecond, m.grant_end);
    due_within(2500 * kSecond, 2900 * kSecond);
  }
  step({S::Live}, notify(3600));
  LONGLONGS_EQUAL(kNow + 3600 * kSecond, m.grant_end);
}

TEST(SubscriptionMachine, in_a_restored_dialog_a_grant_counts_up_to_what_we_ever_ask) {
  m = Given{S::Live}.machine();
  m.asked = 0;   // the dialog is of the last run
  Event e = notify(4294967295);
  e.ask.most = 7200;
  fx = Subscription::step(m, e, random, kNow);
  LONGLONGS_EQUAL(kNow + 7200 * kSecond, m.grant_end);
}

TEST(SubscriptionMachine, a_subscription_that_ends_within_its_grant_is_not_refreshed) {
  step({S::Waiting, D::Confirmed, W::Something, Notified::No, Op::None, kNow + 500 * kSecond}, notify(1000));
  LONGLONGS_EQUAL(kNow + 500 * kSecond, m.deadline);
}

TEST(SubscriptionMachine, back_off_ends_with_the_grant_at_the_latest) {
  Given g{S::Sending};
  g.attempts = 7;
  g.grant = 20 * kSecond;
  step(g, {.input = Input::Transient});
  LONGLONGS_EQUAL(kNow + 20 * kSecond, m.deadline);
}

TEST(SubscriptionMachine, retry_after_of_a_reply_and_of_a_notify_count) {
  step({S::Sending, D::Early}, {.input = Input::Transient, .retry_after = 90});
  LONGLONGS_EQUAL(kNow + 90 * kSecond, m.deadline);
  step({S::Live}, terminated(Reason::Giveup, 90));
  LONGLONGS_EQUAL(kNow + 90 * kSecond, m.deadline);
  step({S::Live}, terminated(Reason::None, 90));
  LONGLONGS_EQUAL(kNow + 90 * kSecond, m.deadline);
}

// RFC 6665 section 4.1.3: these two mean that a new subscription is welcome at once.
TEST(SubscriptionMachine, retry_after_does_not_count_with_deactivated_and_timeout) {
  for (Reason reason : {Reason::Deactivated, Reason::Timeout}) {
    step({S::Live}, terminated(reason, 90));
    CHECK(m.state == S::Queued);
  }
}

TEST(SubscriptionMachine, full_state_is_asked_for_at_most_once_in_5_s) {
  Event e = notify(1000);
  e.refetch = true;
  step({S::Live}, e);
  LONGLONGS_EQUAL(kNow - 100 + 5 * kSecond, m.deadline);
  Given g{S::Live};
  m = g.machine();
  m.sent_at = kNow - 60 * kSecond;
  Subscription::step(m, e, random, kNow);
  CHECK(m.deadline <= kNow);
}

TEST(SubscriptionMachine, the_grant_is_what_subscription_state_says) {
  step({S::Live}, notify(60));
  LONGLONGS_EQUAL(kNow + 60 * kSecond, m.grant_end);
  step({S::Live}, notify(-1));
  LONGLONGS_EQUAL(kNow + 1000 * kSecond, m.grant_end);   // the NOTIFY said nothing of it, so that it is as it was
}

TEST(SubscriptionMachine, a_2xx_without_expires_grants_what_was_asked_for) {
  step({S::Sending, D::Early}, {.input = Input::Success, .has_dialog = true});
  LONGLONGS_EQUAL(kNow - 100 + 3600 * kSecond, m.grant_end);
}
