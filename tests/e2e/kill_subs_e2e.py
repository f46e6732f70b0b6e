#!/usr/bin/env python3
"""1,000 subscriptions live on through 50 kills of puad while NOTIFYs flow: the same dialogs, no second one, no state lost."""
import os
import random
import time

from documents import mark_of
from harness import Failure, Suite, check, equal, main_is, wait_for
from notifier import Notifier
from puad import Puad, subscribe_params

suite = Suite()
SEED = int(os.environ.get("SEED", "20261124"))
KILLS = int(os.environ.get("KILLS", "50"))
SUBSCRIPTIONS = int(os.environ.get("SUBSCRIPTIONS", "1000"))
CHANGES = 150                                  # a second
GRANTS = (40, 90, 600)                         # s


def presentity(n):
    return f"sip:p{n}@example.com"


def grant_of(uri, asked):
    return min(asked, GRANTS[int(uri[5:].partition("@")[0]) % len(GRANTS)])


def subscribe_all(control):
    wanted = [control.submit("pua_subscribe", subscribe_params(presentity(n), -1)) for n in range(SUBSCRIPTIONS)]
    for number in wanted:
        answer = control.wait(number, 30)
        check("result" in answer, f"a subscription failed: {answer.get('error')}")


class Changes:
    """New states at random presentities, at a steady rate."""

    def __init__(self, notifier, seed):
        self.notifier, self.random, self.count, self.last = notifier, random.Random(seed), 0, {}

    def run_for(self, seconds):
        begin = time.monotonic()
        made = 0
        while time.monotonic() < begin + seconds:
            while made < (time.monotonic() - begin) * CHANGES:
                made += 1
                self.one(self.random.randrange(SUBSCRIPTIONS))
            time.sleep(0.002)

    def one(self, n):
        self.count += 1
        self.last[n] = f"n{n}v{self.count}"
        self.notifier.change(presentity(n), self.last[n])


def behind(control, changes):
    """Presentities whose watcher has not the last state, with what it has."""
    wrong, asked = [], []
    for n, mark in changes.last.items():
        asked.append((n, mark, control.submit("pua_show", {"presentity_uri": presentity(n), "kind": "subscription"})))
        while len(control.answers) < len(asked) - 100:
            control.receive(1)
    for n, mark, number in asked:
        records = control.wait(number).get("result", {}).get("records", [])
        got = [mark_of(r["body"]) for r in records]
        if got != [mark]:
            wrong.append(f"p{n}: {got}, wanted {mark}")
    return wrong


@suite.test
def fifty_kills_leave_the_same_thousand_dialogs(ctx):
    print(f"# SEED={SEED}", flush=True)
    notifier = Notifier(ctx, grant=grant_of, lean=True, t1=0.5, patience=60)
    puad = Puad(ctx, notifier.uri).listen().start()
    subscribe_all(puad.control())
    wait_for(lambda: sum(bool(d.version >= 0 and not d.open) for d in notifier.live()) == SUBSCRIPTIONS, 20, "a NOTIFY for each")
    changes = Changes(notifier, SEED)
    moments, slowest = random.Random(SEED), 0.0
    for n in range(SUBSCRIPTIONS):
        changes.one(n)
    for _ in range(KILLS):
        # Many short lives, in which loading, refreshing and changes overlap.
        changes.run_for(moments.choice([0.05, 0.2, 0.5, 1.0, 2.0]) * moments.uniform(0.5, 1.5))
        puad.sigkill()
        notifier.subscriber_restarted()
        changes.run_for(moments.choice([0.0, 0.0, 0.1, 0.5]))       # states that nobody is there to take
        begin = time.monotonic()
        puad.start()
        slowest = max(slowest, time.monotonic() - begin)
    check(slowest < 5, f"a restart took {slowest:.1f} s")
    control = puad.control()
    wait_for(lambda: not any(d.open or d.queue for d in notifier.live()), 60, "an answer to every NOTIFY", step=0.1)
    try:
        wait_for(lambda: not behind(control, changes), 40, "the last state of each presentity", step=0.5)
    except Failure as why:
        wrong = behind(control, changes)
        raise Failure(f"{why}; {len(wrong)} are behind: {'; '.join(wrong[:4])}") from None
    print(f"# {KILLS} kills, {changes.count} changes, requests {dict(notifier.counts)}, slowest start {slowest:.2f} s", flush=True)
    made, ended = notifier.made(), [d for d in notifier.made() if not d.live]
    equal((len(made), len({d.uri for d in made}), [f"{d.uri}: {d.ended}" for d in ended][:5]), (SUBSCRIPTIONS, SUBSCRIPTIONS, []),
          "dialogs made, presentities, dialogs that ended")
    equal(notifier.violations[:5], [], "what the notifier objects to")       # a CSeq that went back is among it
    # 503 with Retry-After: it came while the rows were being loaded.
    check({s for s in notifier.counts if isinstance(s, int)} <= {200, 503}, f"answers to NOTIFYs: {dict(notifier.counts)}")
    check(notifier.counts[503] < notifier.counts[200] / 20, f"too many NOTIFYs were refused: {dict(notifier.counts)}")
    check(notifier.counts["refresh"] > SUBSCRIPTIONS, f"only {notifier.counts['refresh']} refreshes: the test did not test much")
    live = control.stats()
    equal((live["subscriptions"], live["records"]), (SUBSCRIPTIONS, 0), "subscriptions and publications in puad")
    equal(len({r["presentity_uri"] for r in control.list()}), SUBSCRIPTIONS, "subscriptions that puad lists, page by page")


main_is(suite)
