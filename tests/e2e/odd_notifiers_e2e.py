#!/usr/bin/env python3
"""Notifiers as they are: what a NOTIFY says of its subscription counts, whatever its document is; a subscription that cannot be
heard any more is made anew. After each: one subscription at the notifier, or none, as it is wanted."""
import time

from harness import Suite, check, equal, main_is, wait_for
from puad import pidf
from watching import BOB, gone, no_violations, one_dialog, start

suite = Suite()


def latin(uri, note):
    """As FreeSWITCH writes it."""
    return pidf(uri, note).replace('encoding="UTF-8"', 'encoding="ISO-8859-1"').encode("latin-1")


def long(uri, note):
    return pidf(uri, note).replace("</presence>", "<!-- " + "x" * 20000 + " --></presence>").encode()


def malformed(uri, note):
    return pidf(uri, note).replace("</presence>", "").encode()


def documents(name, make, said, **pua):
    """A notifier whose documents are all of this kind. said: the log has it, None: it has nothing of documents."""
    for reason, wanted in (("noresource", False), ("deactivated", True), ("timeout", True)):
        def run(ctx, reason=reason, wanted=wanted):
            notifier, puad, control = start(ctx, **pua)
            control.subscribe(BOB, 600)
            dialog = notifier.one(BOB)
            for _ in range(5):
                equal(notifier.notify(dialog, body=make(BOB, "hier")).wait(), 200, f"answer to a NOTIFY with a {name} document")
            control.subscribe(BOB, 900)                 # and requests are heard all the same
            wait_for(lambda: notifier.kinds(BOB) == ["initial", "refresh"], 5, "the refresh")
            equal(len(notifier.made(BOB)), 1, "dialogs made")
            with notifier.lock:
                notifier._end(dialog, f"terminated {reason}")
                dialog.state = "terminated"
                last = notifier._notify(dialog, state="terminated", reason=reason, body=make(BOB, "weg"))
            equal(last.wait(), 200, "answer to the last NOTIFY")
            if wanted:
                wait_for(lambda: len(notifier.live(BOB)) == 1, 5, f"a new subscription after {reason}")
                check(notifier.one(BOB).call_id != dialog.call_id, "the new dialog has the old Call-ID")
                one_dialog(notifier, made=2)
            else:
                wait_for(lambda: gone(control), 5, "the record is gone")
                time.sleep(1)
                equal(len(notifier.live(BOB)), 0, "dialogs that live")
                no_violations(notifier)
            log = puad.log()
            equal("its document cannot be used" in log, said is not None, f"whether the log has something of documents: {log[-400:]}")
            check(said is None or said in log, f"the log does not say {said!r}: {log[-400:]}")
            stats = control.stats()
            check((stats["notifies_bad_document"] >= 5) == (said is not None), f"notifies_bad_document {stats['notifies_bad_document']}")
        run.__name__ = f"what_notifies_say_counts_with_documents_that_are_{name}_{reason}"
        suite.test(run)


documents("latin", latin, None)
documents("long", long, None)
documents("too_long", long, "max_notify_body is 8192", max_notify_body=8192)
documents("malformed", malformed, "taken, but its document cannot be used")


@suite.test
def a_notifier_whose_cseq_goes_back_is_heard_again_in_a_new_dialog(ctx):
    """It restarted, and kept the dialogs but not the numbers. Without that the lamp would stay as it was for ever."""
    notifier, puad, control = start(ctx)
    control.subscribe(BOB, 3600)
    dialog = notifier.one(BOB)
    for number in range(100, 103):
        equal(notifier.notify(dialog, cseq=number).wait(), 200, "answer to a NOTIFY")
    with notifier.lock:
        dialog.own_cseq = 0
    begin = time.monotonic()
    while dialog.live and time.monotonic() < begin + 40:
        notifier.change(BOB, "new")
        time.sleep(0.5)
    check(not dialog.live, "the deaf dialog lives on")
    equal(dialog.ended, "unsubscribed", "why it ended")
    wait_for(lambda: len(notifier.live(BOB)) == 1, 5, "a new dialog")
    notifier.change(BOB, "heard")
    wait_for(lambda: "heard" in control.subscription(BOB)["body"], 5, "its state is seen")
    equal((len(notifier.made(BOB)), len(notifier.live(BOB))), (2, 1), "dialogs made, and live")
    check("500 to NOTIFY from 127.0.0.1:" in puad.log() and " for sip:bob@example.com: Request Out Of Order" in puad.log(), f"the log does not say what was refused: {puad.log()[-500:]}")
    equal(control.stats()["dialogs_deaf"], 1, "dialogs_deaf")


main_is(suite)
