#!/usr/bin/env python3
"""What NOTIFYs do to a subscription, good and bad ones (RFC 6665); target refresh, route set, restarts of puad."""
import time

from harness import HOST, Suite, check, equal, main_is, wait_for
from notifier import Answer
from puad import subscribe_params
from watching import BOB, gone, no_violations, one_dialog, seen_mark, start, wait_kinds

suite = Suite()


# --- NOTIFY ------------------------------------------------------------------------------------------------


def terminated(reason, retry_after, at_least, at_most):
    """A NOTIFY that ends the dialog for this reason; a new one is made so many seconds later. None: never."""
    def run(ctx):
        notifier, _, control = start(ctx)
        control.subscribe(BOB, 600)
        dialog = notifier.one(BOB)
        last = notifier.terminate(dialog, reason, retry_after)
        equal(last.wait(), 200, "answer to the NOTIFY")
        if at_least is None:
            wait_for(lambda: gone(control), 3, "the record is gone")
            time.sleep(3)
            equal(notifier.kinds(BOB), ["initial"], "requests")
            no_violations(notifier)
            return
        wait_kinds(notifier, ["initial", "initial"])
        took = notifier.requests(BOB)[1].at - last.at
        check(at_least <= took <= at_most, f"the new subscription came after {took:.1f} s, wanted {at_least} to {at_most}")
        new = notifier.one(BOB)
        check(new.call_id != dialog.call_id, "the new dialog has the old Call-ID")
        one_dialog(notifier, made=2)
    run.__name__ = f"terminated_{reason or 'without_reason'}" + ("" if retry_after is None else "_with_retry_after")
    suite.test(run)


terminated("deactivated", None, 0, 1)
terminated("timeout", None, 0, 1)
terminated("probation", 2, 1.9, 4)
terminated("probation", None, 0.5, 5)
terminated("giveup", 2, 1.9, 4)
terminated("giveup", None, 0.5, 5)
terminated("rejected", None, None, None)
terminated("noresource", None, None, None)
terminated("invariant", None, None, None)
terminated("", None, 0, 5)
terminated("", 2, 1.9, 4)
terminated("weather", None, 0, 5)


@suite.test
def a_notifier_that_ends_every_dialog_gets_no_loop(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        for dialog in notifier.live(BOB):
            if notifier.answers(dialog):
                notifier.terminate(dialog, "deactivated")
        time.sleep(0.02)
    count = len(notifier.kinds(BOB))
    check(2 <= count <= 5, f"{count} subscriptions in 6 s")
    no_violations(notifier)


@suite.test
def a_late_notify_after_the_unsubscribe_gets_481(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    control.unsubscribe(BOB)
    wait_for(lambda: gone(control), 3, "the record is gone")
    equal(notifier.notify(dialog, state="active", expires=500).wait(), 481, "answer to a NOTIFY that comes too late")
    time.sleep(1)
    equal((notifier.kinds(BOB), len(control.list())), (["initial", "unsubscribe"], 0), "requests, records")
    no_violations(notifier)


@suite.test
def a_notify_that_crosses_the_unsubscribe_is_taken_and_changes_nothing(ctx):
    """SUBSCRIBE Expires: 0 ->, NOTIFY active <- , 200 <-, NOTIFY terminated <-"""
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    notifier.script = lambda r: Answer(hold=True)
    number = control.submit("pua_subscribe", subscribe_params(BOB, 0))
    wait_for(lambda: "unsubscribe" in notifier.kinds(BOB), 2, "the unsubscribe")
    equal(notifier.notify(dialog, state="active", expires=500).wait(), 200, "answer to the NOTIFY that crosses it")
    notifier.release(notifier.requests(BOB)[-1])
    check("result" in control.wait(number), "the unsubscribe failed")
    wait_for(lambda: gone(control), 3, "the record is gone")
    time.sleep(1)
    equal(notifier.kinds(BOB), ["initial", "unsubscribe"], "requests")
    no_violations(notifier)


@suite.test
def an_old_cseq_gets_500_and_changes_nothing(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    notifier.marks[BOB] = "newest"
    equal(notifier.notify(dialog, cseq=10).wait(), 200, "answer to CSeq 10")
    notifier.marks[BOB] = "old"
    equal(notifier.notify(dialog, cseq=9).wait(), 500, "answer to CSeq 9")
    equal(notifier.notify(dialog, cseq=9, state="terminated", reason="rejected").wait(), 500, "answer to an old end")
    equal((seen_mark(control), control.subscription(BOB)["dialog"]), ("newest", "active"), "document and dialog")
    equal(notifier.notify(dialog, cseq=11).wait(), 200, "answer to CSeq 11")
    one_dialog(notifier)


@suite.test
def broken_notifies_are_refused_and_harm_nothing(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    notifier.marks[BOB] = "harm"
    before = control.subscription(BOB)
    for wanted, what in ((481, {"to_tag": "nobody"}), (481, {"from_tag": "nobody"}), (481, {"call_id": "nobody@nowhere"}),
                         (481, {"event": "dialog"}), (481, {"event": "presence;id=7"}), (489, {"event": "unheard-of"}),
                         (400, {"subscription_state": ""}), (400, {"event": ""}), (400, {"subscription_state": ";;expires"}),
                         (400, {"to_tag": ""})):
        status = notifier.notify(dialog, **what).wait()
        check(status == wanted or (status, wanted) == (481, 400) and "to_tag" in what or (status, wanted) == (489, 400) and "event" in what,
              f"answer to a NOTIFY with {what}: got {status}, wanted {wanted}")
    after = control.subscription(BOB)
    for field in ("call_id", "from_tag", "to_tag", "dialog", "body", "notify_state", "notifies"):
        equal(after[field], before[field], field)
    notifier.change(BOB, "well")
    wait_for(lambda: seen_mark(control) == "well", 2, "a good NOTIFY is taken")
    one_dialog(notifier)


@suite.test
def a_bad_document_is_no_reason_to_lose_the_dialog(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    for body in (b"<presence", b"", b"\xff\xfe\x00", b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><presence>&b;</presence>"):
        status = notifier.notify(dialog, body=body, content_type="application/pidf+xml").wait()
        check(status in (200, 400), f"answer to the document {body[:20]}: {status}")
    notifier.change(BOB, "well")
    wait_for(lambda: seen_mark(control) == "well", 2, "a good NOTIFY is taken")
    one_dialog(notifier)


@suite.test
def a_retransmitted_notify_counts_once(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    before = control.subscription(BOB)["notifies"]
    notify = notifier.notify(dialog)
    notify.wait()
    for _ in range(3):
        notifier.repeat(notify)
    time.sleep(0.3)
    equal(control.subscription(BOB)["notifies"], before + 1, "NOTIFYs taken")
    one_dialog(notifier)


@suite.test
def a_shorter_expiry_in_subscription_state_is_obeyed(ctx):
    notifier, _, control = start(ctx, grant=3600)
    control.subscribe(BOB, 3600)
    dialog = notifier.one(BOB)
    equal(notifier.notify(dialog, expires=4).wait(), 200, "answer")
    wait_kinds(notifier, ["initial", "refresh"], 5)
    time.sleep(0.3)
    one_dialog(notifier)


@suite.test
def a_partial_document_with_changes_missing_before_it_makes_one_refresh(ctx):
    notifier, _, control = start(ctx)
    control.subscribe(BOB, 600, event="presence.winfo")
    dialog = notifier.one(BOB)

    def partial(version):
        body = (f'<?xml version="1.0"?>\n<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="{version}" state="partial">'
                f'<watcher-list resource="{BOB}" package="presence"/></watcherinfo>\n').encode()
        return notifier.notify(dialog, body=body, content_type="application/watcherinfo+xml").wait()
    equal(partial(dialog.version + 1), 200, "answer to the next version")
    time.sleep(0.5)
    equal(notifier.kinds(BOB), ["initial"], "requests")
    dialog.version += 4
    equal(partial(dialog.version), 200, "answer to a version with a gap before it")
    equal(control.stats()["notifies_gap"], 1, "gaps counted")
    wait_kinds(notifier, ["initial", "refresh"], 8)
    time.sleep(0.5)
    equal(notifier.kinds(BOB), ["initial", "refresh"], "requests")
    one_dialog(notifier)


@suite.test
def a_changed_contact_in_a_notify_is_where_the_next_request_goes(ctx):
    notifier, _, control = start(ctx, grant=4, direct=True)
    control.subscribe(BOB, 600, remote_target=notifier.uri)
    notifier.one(BOB)
    target = notifier.move(ctx)
    notifier.change(BOB, "moved")
    wait_for(lambda: control.subscription(BOB)["remote_target"] == target, 2, "the new target")
    wait_kinds(notifier, ["initial", "refresh"])
    time.sleep(0.2)
    equal(notifier.requests(BOB)[1].message.uri, target, "Request-URI")
    one_dialog(notifier)


@suite.test
def a_changed_contact_in_a_2xx_is_where_the_next_request_goes(ctx):
    notifier, _, control = start(ctx, grant=4, direct=True)
    control.subscribe(BOB, 600, remote_target=notifier.uri)
    notifier.one(BOB)
    target = notifier.move(ctx)
    notifier.script = lambda r: Answer(notify=False)
    wait_kinds(notifier, ["initial", "refresh", "refresh"], 10)
    equal([r.message.uri for r in notifier.requests(BOB)], [notifier.uri, notifier.uri, target], "Request-URIs")
    one_dialog(notifier)


# --- routes and restarts -------------------------------------------------------------------------------------


def route_set(repeat):
    def run(ctx):
        notifier, puad, control = start(ctx, grant=4)
        notifier.record_route = [f"sip:far@{HOST}:{notifier.port};lr", f"sip:near@{HOST}:{notifier.port};lr"]
        notifier.repeat_record_route = repeat
        control.subscribe(BOB, 600)
        notifier.one(BOB)
        wait_kinds(notifier, ["initial", "refresh", "refresh"])
        puad.sigkill()
        notifier.subscriber_restarted()
        puad.start()
        wait_kinds(notifier, ["initial", "refresh", "refresh", "refresh", "refresh"], 10)
        control.unsubscribe(BOB)
        # That each of them carried the route set, in order, is among what the notifier looks at.
        equal([len(r.message.all("route")) for r in notifier.requests(BOB)][1:], [2] * 5, "Route values after the first request")
        equal(len(notifier.made(BOB)), 1, "dialogs")
        no_violations(notifier)
    run.__name__ = f"the_route_set_stays_where_later_replies_{'repeat' if repeat else 'omit'}_record_route"
    suite.test(run)


route_set(True)
route_set(False)


@suite.test
def after_a_sigkill_the_same_dialog_goes_on(ctx):
    notifier, puad, control = start(ctx, grant=600)
    people = [f"sip:p{n}@example.com" for n in range(20)]
    for uri in people:
        control.subscribe(uri, -1)
    dialogs = {uri: notifier.one(uri) for uri in people}
    time.sleep(0.5)
    puad.sigkill()
    notifier.subscriber_restarted()
    for uri in people:
        notifier.change(uri, "while it was dead")
    time.sleep(1)
    puad.start()
    control = puad.control()
    wait_for(lambda: all(seen_mark(control, u) == "while it was dead" for u in people), 10, "the newest states")
    wait_for(lambda: all("refresh" in notifier.kinds(u) for u in people), 35, "one refresh each")
    time.sleep(1)
    for uri in people:
        equal(notifier.kinds(uri), ["initial", "refresh"], f"requests for {uri}")
        equal(one_dialog(notifier, uri).call_id, dialogs[uri].call_id, "Call-ID")
        record = control.subscription(uri)
        equal((record["call_id"], record["from_tag"], record["to_tag"]),
              (dialogs[uri].call_id, dialogs[uri].remote_tag, dialogs[uri].tag), f"what puad shows of {uri}")
    equal({s for d in dialogs.values() for s in notifier.answers(d)}, {200}, "answers to NOTIFYs")


@suite.test
def a_notify_is_taken_right_after_a_restart(ctx):
    """Before the first refresh of the restored dialog."""
    notifier, puad, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    time.sleep(0.5)
    puad.sigkill()
    notifier.subscriber_restarted()
    notifier.script = lambda r: Answer(0)            # its refresh is not answered
    puad.start(ready=False)
    notifier.change(BOB, "at once")                  # repeated until somebody takes it
    wait_for(lambda: dialog.notifies[-1].status, 10, "an answer to the NOTIFY", step=0.005)
    equal(notifier.answers(dialog)[-1], 200, "answer to the NOTIFY")
    equal(seen_mark(puad.control()), "at once", "document")
    notifier.script = None
    wait_for(lambda: any(r.kind == "refresh" for r in notifier.requests(BOB)), 10, "the refresh")
    time.sleep(0.5)
    one_dialog(notifier)


@suite.test
def each_run_fetches_the_state_though_the_one_before_died_at_once(ctx):
    """Killed as soon as its refresh is out, before the row says so: the next run's refresh is a request of its own."""
    notifier, puad, control = start(ctx)
    control.subscribe(BOB, 600)
    dialog = notifier.one(BOB)
    time.sleep(0.5)
    for life in range(5):
        puad.sigkill()
        notifier.subscriber_restarted()
        notifier.marks[BOB] = f"life{life}"      # told to who asks
        before = len(notifier.requests(BOB))
        puad.start(ready=False)
        wait_for(lambda: len(notifier.requests(BOB)) > before, 5, f"a refresh by run {life}", step=0.001)
    puad.wait_ready()
    control = puad.control()
    wait_for(lambda: control.subscriptions(BOB) and seen_mark(control) == "life4", 10, "the last state")
    wait_for(lambda: not dialog.open, 3, "an answer to each NOTIFY")
    one_dialog(notifier)


@suite.test
def an_unsubscribe_that_a_sigkill_met_is_carried_out_after_the_restart(ctx):
    notifier, puad, control = start(ctx)
    control.subscribe(BOB, 600)
    notifier.one(BOB)
    time.sleep(0.3)
    notifier.mode = "deaf"
    control.submit("pua_subscribe", subscribe_params(BOB, 0))
    control.call("pua_flush")                        # read after it: what it wants is in the database now
    puad.sigkill()
    notifier.subscriber_restarted()
    notifier.mode = "answer"
    puad.start()
    wait_for(lambda: "unsubscribe" in notifier.kinds(BOB), 10, "the unsubscribe")
    control = puad.control()
    wait_for(lambda: gone(control), 5, "the record is gone")
    time.sleep(1)
    equal((notifier.kinds(BOB), notifier.live(BOB)), (["initial", "unsubscribe"], []), "requests, live dialogs")
    no_violations(notifier)


@suite.test
def sigterm_keeps_subscriptions_and_a_start_goes_on_with_them(ctx):
    notifier, puad, control = start(ctx)
    control.subscribe(BOB, 600)
    notifier.one(BOB)
    equal(puad.terminate()[0], 0, "exit status")
    notifier.subscriber_restarted()
    puad.start()
    wait_kinds(notifier, ["initial", "refresh"], 10)
    time.sleep(0.3)
    one_dialog(notifier)


main_is(suite)
