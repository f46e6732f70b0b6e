// The rules of the subscription machine: guards, and the list. What writes its fields (what an input says by itself, and the
// actions of the rules) is in subscription.cpp.
#include <algorithm>

#include "core/subscription_actions.h"

namespace pua::sub {
namespace {

using Step = SubscriptionStep;
using namespace act;

constexpr MonoMs kMoment = 1000;         // a notifier that counts in whole seconds ends a subscription up to this early

// --- guards ----------------------------------------------------------------------------------------------------------

bool not_wanted(const Step& s) { return !wanted(s); }
bool confirmed(const Step& s) { return s.m.dialog == Dialog::Confirmed; }
bool over_there(const Step& s) { return removal_end(s.m) <= s.now; }
bool nothing_to_send(const Step& s) { return next_op(s.m) == Op::None; }
bool intent_first(const Step& s) { return next_op(s.m) == Op::Remove && not_wanted(s); }

bool loaded(const Step& s) { return s.e.no_row; }
bool removal_of_what_ended(const Step& s) { return s.e.removal && (s.e.has_row || s.e.waited); }

bool at_end(const Step& s) { return wanted(s) && s.m.wanted_end <= s.now; }
bool at_end_no_dialog(const Step& s) { return at_end(s) && !confirmed(s); }
bool at_end_over_there(const Step& s) { return at_end(s) && over_there(s); }
bool at_end_quiet(const Step& s) { return at_end(s) && quiet(s); }
bool lapsed_no_dialog(const Step& s) { return to_end(s) && over_there(s) && !confirmed(s); }
bool lapsed(const Step& s) { return to_end(s) && over_there(s); }
bool deaf_from_the_start(const Step& s) { return s.m.refused > 0 && wanted(s) && confirmed(s); }
bool deaf(const Step& s) { return s.m.probe && !s.m.heard && s.m.refused >= kDeaf && wanted(s); }

// Whether a new dialog may be tried at once: not if one was tried at once a moment ago, and not if the other side has asked for
// a pause.
bool at_once(const Step& s, int64_t retry_after) {
  return (!s.m.quick_try || stood(s.m, s.now)) && !quiet(s) && retry_after <= 0;
}
bool dialog_lapsed(const Step& s) { return confirmed(s) && wanted(s) && s.m.grant_end <= s.now; }
bool dialog_lapsed_at_once(const Step& s) { return dialog_lapsed(s) && at_once(s, -1); }

bool was_removal(const Step& s) { return s.m.op == Op::Remove; }
bool was_end(const Step& s) { return s.m.op == Op::Remove || s.m.op == Op::Fetch; }
bool was_fetch(const Step& s) { return s.m.op == Op::Fetch; }
bool deaf_dialog_ended(const Step& s) { return was_removal(s) && wanted(s); }
bool deaf_dialog_ended_at_once(const Step& s) {
  return deaf_dialog_ended(s) && s.m.notified != Notified::No && at_once(s, -1);
}
bool was_end_terminated(const Step& s) { return was_end(s) && terminated(s.m); }
bool terminated_not_wanted(const Step& s) { return terminated(s.m) && not_wanted(s); }
bool terminated_at_once(const Step& s) { return terminated(s.m) && at_once(s, -1); }
bool was_terminated(const Step& s) { return terminated(s.m); }
bool granted_nothing(const Step& s) { return (s.e.expires < 0 ? int64_t{s.m.asked} : s.e.expires) == 0 && wanted(s); }
bool not_wanted_any_more(const Step& s) { return s.m.wanted_end <= s.now || not_wanted(s); }
bool not_wanted_no_dialog(const Step& s) { return not_wanted_any_more(s) && !confirmed(s); }
bool not_wanted_over_there(const Step& s) { return not_wanted_any_more(s) && over_there(s); }
bool notify_awaited(const Step& s) { return s.m.notify_by != 0; }

bool not_wanted_after_end(const Step& s) { return not_wanted(s) && was_end(s); }
bool lost_at_once(const Step& s) { return at_once(s, s.e.retry_after); }
bool no_dialog_not_wanted_after_end(const Step& s) { return s.m.dialog == Dialog::None && not_wanted_after_end(s); }
bool no_dialog_not_wanted(const Step& s) { return s.m.dialog == Dialog::None && not_wanted(s); }
bool no_dialog_at_once(const Step& s) { return s.m.dialog == Dialog::None && at_once(s, s.e.retry_after); }
bool no_dialog(const Step& s) { return s.m.dialog == Dialog::None; }
bool longer_at_once(const Step& s) { return longer_expires(s) && s.m.attempts == 0; }
bool made_by_notify(const Step& s) { return s.m.op == Op::Initial && confirmed(s); }
bool made_by_notify_not_wanted(const Step& s) { return made_by_notify(s) && not_wanted(s); }

bool grant_moved(const Step& s) { return std::abs(s.m.grant_end - s.grant_end) > 2000; }
bool asks_now(const Step& s) {
  bool in_place_of_an_answer = !s.m.heard && s.now < s.m.sent_at + kRefetchEvery;
  return wanted(s) && (s.m.refused >= kDeaf || in_place_of_an_answer || s.e.ended);
}
bool at_end_by_notifier(const Step& s) {
  MonoMs early = s.e.reason == Reason::Timeout || s.e.reason == Reason::None ? kMoment : 0;
  return s.m.wanted_end - early <= s.now;   // the NOTIFY may come before our own timer
}
bool pause_asked(const Step& s) { return asks_for_a_pause(s.e.reason) || pause_of(s.e) > 0; }
bool anew_at_once(const Step& s) { return !asks_for_a_pause(s.e.reason) && at_once(s, pause_of(s.e)); }

bool as_it_stands(const Step& s) { return next_op(s.m) == Op::Refresh && s.e.due >= 0; }
bool to_be_made_anew(const Step& s) { return next_op(s.m) == Op::Initial && s.e.due >= 0 && s.m.build == Build::Fresh; }

// --- the rules -------------------------------------------------------------------------------------------------------

constexpr State Idle = State::Idle, Intent = State::Intent, Queued = State::Queued, Sending = State::Sending,
                Waiting = State::Waiting, Live = State::Live, Backoff = State::Backoff, Ending = State::Ending,
                Gone = State::Gone, Stay = State{kStay};
constexpr uint32_t kStanding = states(Intent, Queued, Waiting, Live, Backoff);   // no request is out, and it has not ended

using SubscriptionRule = Rule<State, Input, Step>;

constexpr SubscriptionRule kRules[] = {
    // Request: an owner wants something else. It does not come in Sending: Keeper lets it wait until the reply is there.
    {states(Idle), on(Input::Request), "the table has been loaded", loaded, Idle, nullptr, ""},   // the input Loaded follows
    {states(Idle), on(Input::Request), "", nullptr, Idle, wait_for_row, ""},
    {states(Gone), on(Input::Request), "a removal, and its row is still to be deleted",
     removal_of_what_ended, Gone, ended_already, ""},
    {states(Ending), on(Input::Request), "it is still not wanted", to_end, Ending, ending_already, ""},
    {kStanding, on(Input::Request), "nothing to send", nothing_to_send, Gone, never_sent, ""},
    {states(Backoff), on(Input::Request), "the other side asked for quiet", quiet, Backoff, keep_for_later, "RFC 3261 20.33"},
    {kStanding, on(Input::Request), "a removal", intent_first, Intent, commit_first, "RFC 6665 4.1.2.3"},
    {kStanding | states(Ending, Gone), on(Input::Request), "", nullptr, Queued, send_now, "RFC 6665 4.1.2"},

    {states(Intent), on(Input::Proceed), "", nullptr, Queued, queue, ""},
    {states(Queued), on(Input::Slot), "", nullptr, Sending, await_reply, "RFC 6665 4.1.2"},

    // Due: the record's own deadline has come.
    {states(Idle), on(Input::Due), "", nullptr, Idle, give_up_waiting, ""},
    {states(Ending), on(Input::Due), "", nullptr, Gone, last_notify_missing, "RFC 6665 4.1.2.4"},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "at the wanted end, without a dialog",
     at_end_no_dialog, Gone, expire, ""},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "at the wanted end, and it has ended at the notifier",
     at_end_over_there, Ending, expire_by_itself, "RFC 6665 4.4.1"},
    {states(Backoff), on(Input::Due), "at the wanted end, and the other side asked for quiet",
     at_end_quiet, Backoff, withdraw_later, "RFC 3261 20.33"},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "at the wanted end", at_end, Queued, withdraw, "RFC 6665 4.1.2.3"},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "not wanted, ended at the notifier, without a dialog",
     lapsed_no_dialog, Gone, lapse, ""},
    {states(Queued, Waiting, Live, Backoff), on(Input::Due), "not wanted, and it has ended at the notifier",
     lapsed, Ending, lapse_by_itself, "RFC 6665 4.4.1"},
    {states(Waiting), on(Input::Due), "NOTIFYs came, and were refused", deaf_from_the_start, Queued, end_deaf_dialog, ""},
    {states(Waiting), on(Input::Due), "", nullptr, Backoff, notify_missing, "RFC 6665 4.1.2.4"},
    {states(Live, Backoff), on(Input::Due), "the grant has ended",
     dialog_lapsed_at_once, Queued, dialog_lapsed_anew, "RFC 6665 4.1.2.2"},
    {states(Live, Backoff), on(Input::Due), "the grant has ended, and a new dialog was tried a moment ago",
     dialog_lapsed, Backoff, dialog_lapsed_later, "RFC 6665 4.1.2.2"},
    {states(Live), on(Input::Due), "deaf: full state was asked for, and nothing came that could be taken",
     deaf, Queued, end_deaf_dialog, ""},
    {states(Live, Backoff), on(Input::Due), "", nullptr, Queued, queue, "RFC 6665 4.1.2.2"},
    {states(Queued), on(Input::Due), "", nullptr, Queued, stay_queued, ""},

    // Replies.
    {states(Sending), on(Input::Success), "the deaf dialog is ended", deaf_dialog_ended_at_once, Queued, subscribe_anew, ""},
    {states(Sending), on(Input::Success), "the deaf dialog is ended, which brought no NOTIFY, or was made a moment ago",
     deaf_dialog_ended, Backoff, anew_later, ""},
    {states(Sending), on(Input::Success), "to a removal or fetch, and the last NOTIFY has come",
     was_end_terminated, Gone, removed, "RFC 6665 4.1.2.3, 4.4.3"},
    {states(Sending), on(Input::Success), "to a removal or fetch",
     was_end, Ending, await_last_notify, "RFC 6665 4.1.2.3, 4.4.3"},
    {states(Sending), on(Input::Success), "a NOTIFY has ended it for good",
     terminated_not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Success), "a NOTIFY has ended the dialog",
     terminated_at_once, Queued, anew_told, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Success), "a NOTIFY has ended the dialog, and a pause is due",
     was_terminated, Backoff, ended_anew_later, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Success), "it grants nothing", granted_nothing, Backoff, anew_later, ""},
    {states(Sending), on(Input::Success), "not wanted any more, without a dialog",
     not_wanted_no_dialog, Gone, ended_meanwhile, ""},
    {states(Sending), on(Input::Success), "not wanted any more, and it has ended at the notifier",
     not_wanted_over_there, Ending, ends_by_itself_meanwhile, "RFC 6665 4.4.1"},
    {states(Sending), on(Input::Success), "not wanted any more",
     not_wanted_any_more, Queued, withdraw_at_once, "RFC 6665 4.1.2.3"},
    {states(Sending), on(Input::Success), "the first NOTIFY has not come",
     notify_awaited, Waiting, await_notify, "RFC 6665 4.1.2.4"},
    {states(Sending), on(Input::Success), "", nullptr, Live, be_live, "RFC 6665 4.1.2.1"},
    {states(Sending), on(Input::DialogLost), "not wanted, to a removal", not_wanted_after_end, Gone, had_ended, "RFC 5057 5.1"},
    {states(Sending), on(Input::DialogLost), "a NOTIFY has ended it for good",
     not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::DialogLost), "a new dialog may be tried at once",
     lost_at_once, Queued, dialog_lost_anew, "RFC 6665 4.1.2.2"},
    {states(Sending), on(Input::DialogLost), "a new dialog was tried a moment ago, or a pause is due",
     nullptr, Backoff, dialog_lost_later, "RFC 6665 4.1.2.2"},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended it for good",
     no_dialog_not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended the dialog",
     no_dialog_at_once, Queued, anew_told, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::TooBrief), "a NOTIFY has ended the dialog, and a pause is due",
     no_dialog, Backoff, ended_anew_later_as_asked, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::TooBrief), "for the first time", longer_at_once, Queued, ask_for_longer, "RFC 3261 21.4.17"},
    {states(Sending), on(Input::TooBrief), "nothing longer may be asked for, or again",
     nullptr, Backoff, back_off_as_asked, "RFC 3261 21.4.17"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "to the end of a deaf dialog",
     deaf_dialog_ended, Backoff, anew_later_as_asked, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "to a fetch", was_fetch, Gone, refused, ""},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has made the dialog, which is not wanted",
     made_by_notify_not_wanted, Queued, withdraw_made, "RFC 6665 4.1.2.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has made the dialog",
     made_by_notify, Live, live_made, "RFC 6665 4.1.2.4"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended it, to a removal",
     no_dialog_not_wanted_after_end, Gone, had_ended, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended it for good",
     no_dialog_not_wanted, Gone, terminated_by_notifier, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended the dialog",
     no_dialog_at_once, Queued, anew_told, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "a NOTIFY has ended the dialog, and a pause is due",
     no_dialog, Backoff, ended_anew_later_as_asked, "RFC 6665 4.1.3"},
    {states(Sending), on(Input::Transient, Input::Forbidden, Input::Auth), "", nullptr, Backoff, fail, "RFC 6665 4.1.2.2"},
    {states(Sending), on(Input::Fatal), "to the end of a deaf dialog", deaf_dialog_ended, Backoff, anew_later_as_asked, ""},
    {states(Sending), on(Input::Fatal), "a NOTIFY has made the dialog, which is not wanted",
     made_by_notify_not_wanted, Queued, withdraw_made, "RFC 6665 4.1.2.3"},
    {states(Sending), on(Input::Fatal), "a NOTIFY has made the dialog", made_by_notify, Live, live_made, "RFC 6665 4.1.2.4"},
    {states(Sending), on(Input::Fatal), "", nullptr, Gone, refused, "RFC 3261 21.4"},
    {states(Sending), on(Input::Shutdown), "", nullptr, Sending, tell_reply, ""},

    // NOTIFYs.
    {states(Waiting), on(Input::Notify), "", nullptr, Live, first_notify, "RFC 6665 4.1.2.4"},
    {states(Live), on(Input::Notify), "the grant is another one", grant_moved, Live, first_notify, "RFC 6665 4.1.2.1"},
    {states(Live), on(Input::Notify), "", nullptr, Live, after_notify, "RFC 6665 4.1.3"},
    {states(Queued), on(Input::Notify), "", nullptr, Queued, stay_queued, "RFC 6665 4.1.3"},
    {states(Backoff), on(Input::Notify), "", nullptr, Backoff, shorter_removal, "RFC 6665 4.1.3"},
    {states(Intent, Sending, Ending), on(Input::Notify), "", nullptr, Stay, nullptr, "RFC 6665 4.1.3"},
    {states(Live), on(Input::Refused), "too many in a row, one in place of an answer, or the last one",
     asks_now, Live, ask_for_state, ""},
    {kStanding | states(Sending, Ending), on(Input::Refused), "", nullptr, Stay, nullptr, ""},
    {states(Sending), on(Input::Terminated), "", nullptr, Sending, terminated_while_out, "RFC 6665 4.1.3"},
    {states(Ending), on(Input::Terminated), "", nullptr, Gone, ended_as_told, "RFC 6665 4.1.2.3"},
    {kStanding, on(Input::Terminated), "not wanted", not_wanted, Gone, had_ended, "RFC 6665 4.1.3"},
    {kStanding, on(Input::Terminated), "at the wanted end", at_end_by_notifier, Gone, expire, "RFC 6665 4.1.3"},
    {kStanding, on(Input::Terminated), "rejected, noresource, invariant", ended_for_good, Gone, rejected, "RFC 6665 4.1.3"},
    {states(Queued), on(Input::Terminated), "probation, giveup, or retry-after",
     pause_asked, Backoff, pause_queued, "RFC 6665 4.1.3"},
    {states(Queued), on(Input::Terminated), "", nullptr, Queued, stay_queued_anew, "RFC 6665 4.1.3"},
    {states(Intent, Waiting, Live, Backoff), on(Input::Terminated), "deactivated, timeout, or without a reason",
     anew_at_once, Queued, subscribe_anew, "RFC 6665 4.1.3"},
    {states(Intent, Waiting, Live, Backoff), on(Input::Terminated),
     "probation, giveup, retry-after, or a new dialog was tried a moment ago",
     nullptr, Backoff, anew_after_pause, "RFC 6665 4.1.3"},

    // Rows.
    {states(Idle), on(Input::Restored), "", nullptr, Idle, nullptr, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end, without a dialog", at_end_no_dialog, Gone, expire, ""},
    {states(Idle), on(Input::Loaded), "at the wanted end, and it has ended at the notifier",
     at_end_over_there, Ending, expire_by_itself, "RFC 6665 4.4.1"},
    {states(Idle), on(Input::Loaded), "at the wanted end", at_end, Queued, withdraw, "RFC 6665 4.1.2.3"},
    {states(Idle), on(Input::Loaded), "nothing to send", nothing_to_send, Gone, no_subscription, ""},
    {states(Idle), on(Input::Loaded), "its dialog stands", as_it_stands, Live, live_until_due, ""},
    {states(Idle), on(Input::Loaded), "its dialog has ended meanwhile", to_be_made_anew, Backoff, make_when_due, ""},
    {states(Idle), on(Input::Loaded), "a removal", intent_first, Intent, commit_first, "RFC 6665 4.1.2.3"},
    {states(Idle), on(Input::Loaded), "", nullptr, Queued, send_now, "RFC 6665 4.1.2"},
    {states(Ending, Gone), on(Input::Stored), "", nullptr, Stay, nullptr, ""},

    // Told: the engine has decided on the outcome of the request under way (Keeper::tell).
    {states(Queued, Live, Backoff), on(Input::Told), "", nullptr, Stay, tell_as_said, ""},
};

}  // namespace

std::span<const SubscriptionRule> subscription_rules() { return kRules; }

bool legal(State s, Input i) {
  for (const auto& r : kRules)
    if (is_for(r, s, i)) return true;
  return false;
}

}  // namespace pua::sub
