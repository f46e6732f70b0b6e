// The actions of the subscription machine's rules. They write its fields, so that they stand beside step(), in
// subscription.cpp; the list of rules (subscription_rules.cpp) names them.
#pragma once

#include "core/subscription_step.h"

namespace pua::sub::act {

void tell_reply(SubscriptionStep&);
void queue(SubscriptionStep&);
void subscribe_anew(SubscriptionStep&);
void ask_for_state(SubscriptionStep&);
void wait_for_row(SubscriptionStep&);
void ended_already(SubscriptionStep&);
void ending_already(SubscriptionStep&);
void never_sent(SubscriptionStep&);
void no_subscription(SubscriptionStep&);
void keep_for_later(SubscriptionStep&);
void commit_first(SubscriptionStep&);
void send_now(SubscriptionStep&);
void await_reply(SubscriptionStep&);
void give_up_waiting(SubscriptionStep&);
void last_notify_missing(SubscriptionStep&);
void expire(SubscriptionStep&);
void expire_by_itself(SubscriptionStep&);
void withdraw_later(SubscriptionStep&);
void withdraw(SubscriptionStep&);
void lapse(SubscriptionStep&);
void lapse_by_itself(SubscriptionStep&);
void end_deaf_dialog(SubscriptionStep&);
void notify_missing(SubscriptionStep&);
void dialog_lapsed_anew(SubscriptionStep&);
void dialog_lapsed_later(SubscriptionStep&);
void stay_queued(SubscriptionStep&);
void anew_later(SubscriptionStep&);
void ended_anew_later(SubscriptionStep&);
void ended_anew_later_as_asked(SubscriptionStep&);
void anew_told(SubscriptionStep&);
void anew_later_as_asked(SubscriptionStep&);
void removed(SubscriptionStep&);
void await_last_notify(SubscriptionStep&);
void terminated_by_notifier(SubscriptionStep&);
void ended_meanwhile(SubscriptionStep&);
void ends_by_itself_meanwhile(SubscriptionStep&);
void withdraw_at_once(SubscriptionStep&);
void await_notify(SubscriptionStep&);
void be_live(SubscriptionStep&);
void had_ended(SubscriptionStep&);
void dialog_lost_anew(SubscriptionStep&);
void dialog_lost_later(SubscriptionStep&);
void ask_for_longer(SubscriptionStep&);
void back_off_as_asked(SubscriptionStep&);
void refused(SubscriptionStep&);
void withdraw_made(SubscriptionStep&);
void live_made(SubscriptionStep&);
void fail(SubscriptionStep&);
void after_notify(SubscriptionStep&);
void first_notify(SubscriptionStep&);
void shorter_removal(SubscriptionStep&);
void terminated_while_out(SubscriptionStep&);
void ended_as_told(SubscriptionStep&);
void rejected(SubscriptionStep&);
void pause_queued(SubscriptionStep&);
void stay_queued_anew(SubscriptionStep&);
void anew_after_pause(SubscriptionStep&);
void live_until_due(SubscriptionStep&);
void make_when_due(SubscriptionStep&);
void tell_as_said(SubscriptionStep&);

}  // namespace pua::sub::act
