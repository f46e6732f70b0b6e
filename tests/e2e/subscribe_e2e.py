#!/usr/bin/env python3
"""The subscription's life against a notifier that does what real ones do: how a dialog is made, goes on, ends (RFC 6665)."""
import os
import time

from documents import mark_of
from harness import HOST, Suite, check, equal, main_is, wait_for
from notifier import Answer
from puad import WATCHER, subscribe_params
from sipmsg import uri_of
from watching import BOB, cseqs, gone, no_violations, one_dialog, seen_mark, start, wait_kinds

suite = Suite()


# --- the usual life --------------------------------------------------------------------------------------


@suite.test
def one_dialog_from_the_first_request_to_the_last(ctx):
    """SUBSCRIBE -> 200, NOTIFY <- ; refreshes within the grant; a change; SUBSCRIBE Expires: 0 -> 200, NOTIFY terminated <-"""
    notifier, puad, control = start(ctx, grant=4)
    notifier.marks[BOB] = "one"
    answer = control.subscribe(BOB, 3600)
    equal((answer["reply"], answer["Expires"]), ("200 OK", 4), "answer")
    dialog = notifier.one(BOB)
    first = notifier.requests(BOB)[0].message
    equal((first.uri, uri_of(first.get("to")), uri_of(first.get("from")), first.get("event"), uri_of(first.get("contact"))),
          (BOB, BOB, WATCHER, "presence", puad.contact.replace("sip:", "sip:watcher@")), "Request-URI, To, From, Event, Contact")
    check("application/pidf+xml" in first.get("accept") and "presence" in first.get("allow-events"), "Accept or Allow-Events lacks what we take")
    notifier.change(BOB, "two")
    wait_for(lambda: seen_mark(control) == "two", 2, "the change")
    wait_kinds(notifier, ["initial", "refresh", "refresh"])
    asked = [r.expires for r in notifier.requests(BOB)]
    check(all(3580 <= e <= 3600 for e in asked), f"Expires asked for: {asked}")
    record = control.subscription(BOB)
    equal((record["call_id"], record["from_tag"], record["to_tag"], record["remote_target"], record["dialog"], record["notify_state"]),
          (dialog.call_id, dialog.remote_tag, dialog.tag, notifier.contact, "active", "active"), "what puad shows")
    one_dialog(notifier)
    equal(control.unsubscribe(BOB)["reply"], "200 OK", "answer to the unsubscribe")
    wait_for(lambda: gone(control), 3, "the record is gone")
    time.sleep(3)
    equal(notifier.kinds(BOB)[-1], "unsubscribe", "last request")
    numbers = cseqs(notifier)
    equal(numbers, list(range(numbers[0], numbers[0] + len(numbers))), "CSeq")
    equal((set(notifier.answers(dialog)), len(notifier.made())), ({200}, 1), "answers to the NOTIFYs, dialogs")
    no_violations(notifier)


@suite.test
def the_wanted_end_is_kept(ctx):
    notifier, _, control = start(ctx, grant=4)
    begin = time.monotonic()
    control.subscribe(BOB, 6)
    wait_for(lambda: gone(control), 9, "the record is gone at the wanted end")
    took = time.monotonic() - begin
    check(5.5 <= took <= 8, f"it went after {took:.1f} s")
    # The last grant ends within a second of it: where either side is late by that, there is nothing left to unsubscribe.
    check(notifier.kinds(BOB)[-1] == "unsubscribe" or notifier.made(BOB)[0].ended == "expired", f"requests {notifier.kinds(BOB)}")
    equal((notifier.live(), len(notifier.made())), ([], 1), "dialogs")
    no_violations(notifier)


@suite.test
def a_fetch_leaves_nothing_behind(ctx):
    notifier, _, control = start(ctx)
    notifier.marks[BOB] = "now"
    answer = control.subscribe(BOB, 0)
    equal(answer["reply"], "200 OK", "answer")
    dialog = wait_for(lambda: notifier.made(BOB), 2, "a dialog")[0]
    wait_for(lambda: notifier.answers(dialog) == [200], 2, "the NOTIFY is taken")
    wait_for(lambda: gone(control), 3, "the record is gone")
    equal(notifier.kinds(BOB), ["fetch"], "requests")
    no_violations(notifier)


@suite.test
def pending_becomes_active(ctx):
    notifier, _, control = start(ctx)
    notifier.new_state = "pending"
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    equal(control.subscription(BOB)["dialog"], "pending", "dialog")
    dialog.state = "active"
    notifier.change(BOB, "allowed")
    wait_for(lambda: control.subscription(BOB)["dialog"] == "active", 2, "it becomes active")
    equal(seen_mark(control), "allowed", "document")
    one_dialog(notifier)


@suite.test
def two_watchers_have_a_dialog_each(ctx):
    notifier, _, control = start(ctx)
    watchers = ["sip:w1@example.com", "sip:w2@example.com"]
    for watcher in watchers:
        control.subscribe(BOB, 600, watcher=watcher)
    wait_for(lambda: all(n.status for d in notifier.live() for n in d.notifies) and len(notifier.live()) == 2, 3, "two dialogs")
    notifier.change(BOB, "both")
    wait_for(lambda: all(mark_of(control.subscription(BOB, watcher=w)["body"]) == "both" for w in watchers), 2, "the change at both")
    control.unsubscribe(BOB, watcher=watchers[0])
    wait_for(lambda: [d.watcher for d in notifier.live()] == [watchers[1]], 3, "only the other watcher is left")
    no_violations(notifier)


@suite.test
def a_subscription_asked_for_again_goes_on_in_its_dialog(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    notifier.one(BOB)
    control.subscribe(BOB, 900)
    equal(notifier.kinds(BOB), ["initial", "refresh"], "requests")
    equal([r.expires for r in notifier.requests(BOB)], [600, 900], "Expires asked for")
    one_dialog(notifier)


@suite.test
def a_burst_of_calls_makes_one_dialog(ctx):
    """Subscribe and unsubscribe, many times without waiting: in order, one request open at a time, the last one counts."""
    notifier, _, control = start(ctx)
    numbers = [control.submit("pua_subscribe", subscribe_params(BOB, 600 if n % 3 else 0)) for n in range(1, 30)]
    for number in numbers:
        control.wait(number)
    wait_for(lambda: len(notifier.live(BOB)) == 1, 5, "one dialog in the end")
    time.sleep(0.5)
    equal(len(notifier.live(BOB)), 1, "live dialogs")
    no_violations(notifier)


@suite.test
def the_same_over_tcp(ctx):
    notifier, puad, control = start(ctx, grant=4, transport="tcp")
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    check(dialog.target == puad.contact.replace("sip:", "sip:watcher@") and dialog.notifies[0].where[0] == "tcp", f"the Contact is {dialog.target}")
    notifier.change(BOB, "x" * 9000)
    wait_for(lambda: control.subscription(BOB)["notifies"] == 2, 2, "a long document")
    notifier.change(BOB, "short")
    wait_for(lambda: seen_mark(control) == "short", 2, "a short one")
    wait_kinds(notifier, ["initial", "refresh"])
    one_dialog(notifier)
    control.unsubscribe(BOB)
    wait_for(lambda: gone(control), 3, "the record is gone")
    no_violations(notifier)


# --- how the dialog comes about ---------------------------------------------------------------------------


@suite.test
def a_notify_before_the_2xx_makes_the_dialog(ctx):
    """SUBSCRIBE ->, NOTIFY <-, 200 ->, and only then the 200 to the SUBSCRIBE."""
    notifier, _, control = start(ctx, grant=4)
    notifier.marks[BOB] = "early"
    notifier.script = lambda r: None if r.in_dialog else Answer(notify_first=True, hold=True)
    number = control.submit("pua_subscribe", subscribe_params(BOB, 600))
    dialog = notifier.one(BOB)
    equal((notifier.requests(BOB)[0].answered, notifier.answers(dialog)), (0.0, [200]), "reply so far, answer to the NOTIFY")
    record = control.subscription(BOB)
    equal((record["dialog"], record["to_tag"], mark_of(record["body"])), ("active", dialog.tag, "early"), "what puad shows")
    notifier.release(notifier.requests(BOB)[0])
    equal(control.wait(number)["result"]["reply"], "200 OK", "answer")
    wait_kinds(notifier, ["initial", "refresh"])
    one_dialog(notifier)


@suite.test
def a_2xx_that_is_lost_costs_a_retransmission(ctx):
    notifier, _, control = start(ctx)
    notifier.script = lambda r: Answer(lose=1, notify=False) if not r.in_dialog else None
    control.subscribe(BOB, 600)
    equal(notifier.kinds(BOB), ["initial"], "requests")
    check(notifier.requests(BOB)[0].copies >= 2, "the request was not repeated")
    notifier.notify(notifier.made(BOB)[0])
    one_dialog(notifier)


@suite.test
def a_2xx_that_never_comes_is_no_matter_where_a_notify_did(ctx):
    notifier, _, control = start(ctx, grant=3600, sip_t1=20)
    notifier.script = lambda r: Answer(lose=-1) if not r.in_dialog else None
    number = control.submit("pua_subscribe", subscribe_params(BOB, 600))
    notifier.one(BOB)
    control.wait(number)                      # however it is answered: the reply was lost, the dialog stands
    time.sleep(3)
    equal(notifier.kinds(BOB), ["initial"], "requests")
    equal(control.subscription(BOB)["dialog"], "active", "dialog")
    control.unsubscribe(BOB)
    equal(notifier.kinds(BOB), ["initial", "unsubscribe"], "requests")
    no_violations(notifier)


@suite.test
def further_forks_are_ended_and_leave_nothing(ctx):
    """The first dialog stays; a NOTIFY with another From tag gets 481."""
    notifier, _, control = start(ctx, grant=4)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    for _ in range(3):
        fork, notify = notifier.fork(dialog)
        equal(notify.wait(), 481, "answer to the fork's NOTIFY")
    equal(control.subscription(BOB)["to_tag"], dialog.tag, "remote tag")
    wait_kinds(notifier, ["initial", "refresh"])
    control.unsubscribe(BOB)
    fork, notify = notifier.fork(dialog)
    equal(notify.wait(), 481, "answer to a fork after the end")
    wait_for(lambda: gone(control), 3, "the record is gone")
    equal(len(control.list()), 0, "records")
    no_violations(notifier)


@suite.test
def the_branch_that_notified_first_is_kept_though_the_2xx_is_anothers(ctx):
    """NOTIFY <- with tag F, then 200 with tag N, then NOTIFY <- with tag N: it gets 481, and F is refreshed."""
    notifier, _, control = start(ctx, grant=4)
    notifier.script = lambda r: None if r.in_dialog else Answer(hold=True)
    number = control.submit("pua_subscribe", subscribe_params(BOB, 600))
    other = wait_for(lambda: notifier.made(BOB), 2, "the SUBSCRIBE")[0]
    fork, notify = notifier.fork(other)
    equal(notify.wait(), 200, "answer to the first NOTIFY")
    notifier.release(notifier.requests(BOB)[0])
    control.wait(number)
    wait_for(lambda: other.ended, 3, "the other branch is told")
    equal((other.ended, control.subscription(BOB)["to_tag"]), ("481 to a NOTIFY", fork.tag), "the other's end, remote tag")
    wait_kinds(notifier, ["initial", "refresh"])
    equal(notifier.requests(BOB)[1].dialog.tag, fork.tag, "tag refreshed")
    no_violations(notifier)


@suite.test
def no_notify_within_timer_n_backs_off_and_names_the_contact(ctx):
    notifier, puad, control = start(ctx, sip_t1=20)
    notifier.script = lambda r: Answer(notify=False)
    control.subscribe(BOB, 600)
    equal(control.subscription(BOB)["state"], "waiting", "state")
    wait_for(lambda: control.stats()["notifies_missing"] == 1, 4, "timer N")
    equal(control.subscription(BOB)["state"], "backoff", "state")
    check(puad.contact in puad.log(), f"the log does not name the Contact: {puad.log()[-400:]}")
    notifier.forget()
    notifier.script = None
    wait_for(lambda: notifier.live(BOB), 8, "the next try")
    notifier.one(BOB)
    equal(notifier.kinds(BOB), ["initial", "initial"], "requests")
    one_dialog(notifier, made=2)


@suite.test
def notifies_sent_to_the_source_instead_of_the_contact_are_taken(ctx):
    """A NAT fix-up: the NOTIFY goes to where the SUBSCRIBE came from. That is our listener too."""
    notifier, _, control = start(ctx, grant=4)
    notifier.to_source = True
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    wait_kinds(notifier, ["initial", "refresh"])
    wait_for(lambda: notifier.answers(dialog) == [200, 200], 2, "both NOTIFYs are taken")
    one_dialog(notifier)


@suite.test
def notifies_that_go_elsewhere_than_to_a_contact_of_the_hosts_own_are_diagnosed(ctx):
    notifier, puad, control = start(ctx, sip_t1=20)
    elsewhere = f"sip:{HOST}:{ctx.port()}"      # nobody is there
    control.subscribe(BOB, 600, contact=elsewhere)
    wait_for(lambda: control.stats()["notifies_missing"] == 1, 4, "timer N")
    check(elsewhere in puad.log(), f"the log does not name the Contact: {puad.log()[-400:]}")
    control.unsubscribe(BOB)
    wait_for(lambda: gone(control), 3, "the record is gone")
    no_violations(notifier)


@suite.test
def notifies_that_go_to_where_the_subscribe_left_from_are_taken_if_udp_is_ours(ctx):
    notifier, puad, control = start(ctx, sip_t1=20)
    notifier.to_source = True       # as behind a NAT fix-up of the Contact
    control.subscribe(BOB, 600, contact=f"sip:{HOST}:{ctx.port()}")
    if os.environ.get("PUA_TEST_LANE") == "no":      # sofia's socket there takes no NOTIFYs
        dialog = notifier.made(BOB)[0]
        wait_for(lambda: dialog.ended, 3, "a refusal of the NOTIFY")
    else:
        wait_for(lambda: control.stats()["subs_live"] == 1, 3, "the NOTIFY")
        equal(control.stats()["notifies_missing"], 0, "NOTIFYs missed")
    control.unsubscribe(BOB)
    wait_for(lambda: gone(control), 3, "the record is gone")
    no_violations(notifier)


@suite.test
def a_silent_notifier_gets_one_dialog_when_it_comes_back(ctx):
    notifier, _, control = start(ctx, sip_t1=20)
    notifier.mode = "deaf"
    error = control.error("pua_subscribe", subscribe_params(BOB, 600))
    equal(error.code, 408, "code")
    notifier.mode = "answer"
    wait_for(lambda: notifier.live(BOB), 10, "the next try")
    notifier.one(BOB)
    time.sleep(2)
    equal(notifier.kinds(BOB), ["initial"], "requests that came through")
    one_dialog(notifier)


# --- replies other than 2xx --------------------------------------------------------------------------------


@suite.test
def a_423_is_repeated_with_min_expires(ctx):
    notifier, _, control = start(ctx, grant=40, min_expires=30)
    equal(control.subscribe(BOB, 10)["Expires"], 30, "granted")
    first, second = notifier.requests(BOB)
    equal((first.expires, second.expires, first.call_id == second.call_id, second.cseq - first.cseq), (10, 30, True, 1),
          "Expires asked for, same Call-ID, CSeq step")
    notifier.one(BOB)
    one_dialog(notifier)


@suite.test
def a_423_to_a_refresh_stays_in_the_dialog(ctx):
    notifier, _, control = start(ctx, grant=4)
    control.subscribe(BOB, 20)
    notifier.one(BOB)
    notifier.min_expires, notifier.grant = 40, 60
    wait_kinds(notifier, ["initial", "refresh", "refresh"])
    asked = [r.expires for r in notifier.requests(BOB)]
    check(asked[0] == 20 and asked[1] <= 20 and asked[2] == 40, f"Expires asked for: {asked}")
    time.sleep(0.3)
    one_dialog(notifier)


@suite.test
def a_481_to_a_refresh_makes_one_new_dialog(ctx):
    """The notifier has restarted without its table."""
    notifier, _, control = start(ctx, grant=4)
    control.subscribe(BOB, 600)
    old = notifier.one(BOB)
    notifier.forget()
    wait_kinds(notifier, ["initial", "refresh", "initial"])
    new = notifier.one(BOB)
    check(new.call_id != old.call_id, "the new dialog has the old Call-ID")
    notifier.change(BOB, "again")
    wait_for(lambda: seen_mark(control) == "again", 2, "the change")
    wait_kinds(notifier, ["initial", "refresh", "initial", "refresh"])
    one_dialog(notifier, made=2)


@suite.test
def a_481_to_an_unsubscribe_is_success(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    notifier.one(BOB)
    notifier.forget()
    answer = control.unsubscribe(BOB)
    check(answer["reply"].split()[0] in ("200", "481"), f"answer: {answer}")
    wait_for(lambda: gone(control), 3, "the record is gone")
    time.sleep(3)
    equal(notifier.kinds(BOB), ["initial", "unsubscribe"], "requests, with nothing after the unsubscribe")
    no_violations(notifier)


@suite.test
def a_challenge_is_answered_in_and_outside_the_dialog(ctx):
    notifier, puad, control = start(ctx, grant=4, credential="example.com:watcher:open sesame")
    notifier.password = ("example.com", "watcher", "open sesame")
    control.subscribe(BOB, 600)
    notifier.one(BOB)
    wait_for(lambda: [r.status for r in notifier.requests(BOB) if r.kind == "refresh"][-1:] == [200], 6, "a refresh")
    numbers = cseqs(notifier)
    equal(numbers, sorted(set(numbers)), "CSeq")
    equal(len({r.call_id for r in notifier.requests(BOB)}), 1, "Call-IDs")
    check("open sesame" not in puad.log(), "the log shows the password")
    puad.sigkill()
    notifier.subscriber_restarted()
    puad.start()
    count = len(numbers)
    wait_for(lambda: [r.status for r in notifier.requests(BOB)[count:]][-1:] == [200], 6, "a refresh after the restart")
    one_dialog(notifier)


@suite.test
def a_503_to_a_refresh_waits_for_retry_after_and_keeps_the_dialog(ctx):
    notifier, _, control = start(ctx, grant=12)
    control.subscribe(BOB, 600)
    notifier.one(BOB)
    notifier.script = lambda r: Answer(503, (("Retry-After", 3),))
    wait_kinds(notifier, ["initial", "refresh"])
    notifier.script = None
    wait_kinds(notifier, ["initial", "refresh", "refresh"])
    _, second, third = notifier.requests(BOB)
    check(2.9 <= third.at - second.at <= 5, f"the next try came after {third.at - second.at:.1f} s")
    one_dialog(notifier)


@suite.test
def a_503_to_the_first_request_is_told_and_tried_again(ctx):
    notifier, _, control = start(ctx)
    notifier.script = lambda r: Answer(503, (("Retry-After", 2),))
    error = control.error("pua_subscribe", subscribe_params(BOB, 600))
    equal(error.code, 503, "code")
    notifier.script = None
    wait_kinds(notifier, ["initial", "initial"])
    first, second = notifier.requests(BOB)
    check(1.9 <= second.at - first.at <= 4, f"the next try came after {second.at - first.at:.1f} s")
    notifier.one(BOB)
    one_dialog(notifier)


@suite.test
def a_489_ends_the_subscription(ctx):
    notifier, _, control = start(ctx)
    notifier.script = lambda r: Answer(489, (("Allow-Events", "dialog"),))
    error = control.error("pua_subscribe", subscribe_params(BOB, 600))
    equal(error.code, 489, "code")
    wait_for(lambda: gone(control), 3, "the record is gone")
    time.sleep(2.5)
    equal(notifier.kinds(BOB), ["initial"], "requests")


@suite.test
def a_refresh_that_nobody_answers_does_not_end_the_dialog(ctx):
    """The notifier restarts with its table: it is silent while a refresh falls due."""
    notifier, _, control = start(ctx, grant=20, sip_t1=20, min_expires=0)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    notifier.mode = "deaf"
    control.submit("pua_subscribe", subscribe_params(BOB, 700))
    time.sleep(2.5)
    notifier.mode = "answer"
    wait_for(lambda: "refresh" in notifier.kinds(BOB), 8, "a refresh in the same dialog")
    equal(notifier.requests(BOB)[-1].dialog, dialog, "dialog")
    time.sleep(0.3)
    one_dialog(notifier)


main_is(suite)
