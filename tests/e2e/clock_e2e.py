#!/usr/bin/env python3
"""The wall clock of puad steps by an hour both ways (libfaketime; CLOCK_MONOTONIC stays true): nothing is disturbed."""
import os
import pathlib
import time

from churn import Churn, settle
from harness import Skip, Suite, check, equal, main_is, wait_for
from kamailio import Kamailio
from puad import Puad, pidf

suite = Suite()
GRANT = 20                                     # s
SEED = int(os.environ.get("SEED", "20261124"))
KILLS = int(os.environ.get("KILLS", "50"))


class Clock:
    """The wall clock that puad sees, changed while it runs."""

    def __init__(self, ctx):
        found = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if not found:
            raise Skip("libfaketime is not installed")
        self.file = ctx.dir / "faketime"
        self.env = {"LD_PRELOAD": str(found[0]), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1",
                    "NO_FAKE_STAT": "1"}      # a step of the real clock changes the time of no file
        self.set(0)

    def set(self, offset):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{offset:+d}\n")
        fresh.rename(self.file)   # never half written when it is read


@suite.test
def steps_of_an_hour_and_fifty_kills_leave_exactly_the_wanted_set(ctx):
    server, clock = Kamailio(ctx, max_expires=GRANT), Clock(ctx)
    puad = Puad(ctx, server.uri, env=clock.env)
    churn = Churn(ctx, puad, server, SEED)
    print(f"# SEED={SEED}", flush=True)
    offsets = [0, 3600, -3600]
    for number in range(KILLS):
        puad.start()
        churn.connect()
        if churn.random.random() < 0.5:       # else requests meet the load
            churn.verify_puad()
        life = churn.random.uniform(0.5, 2.5)
        churn.run_until(time.monotonic() + life)
        clock.set(churn.random.choice(offsets))       # in mid-flight
        churn.run_until(time.monotonic() + life)
        puad.sigkill()
        churn.lose()
        if number % 3 == 0:
            clock.set(churn.random.choice(offsets))   # while it is down
    clock.set(3600)
    puad.start()
    churn.connect()
    churn.verify_puad()
    clock.set(-3600)
    churn.report(KILLS)
    check(churn.durable > 5 * KILLS, f"only {churn.durable} durable answers: the test did not test much")
    settle(GRANT + 5, churn)
    churn.verify()


@suite.test
def a_step_neither_hurries_nor_delays_refresh_and_end(ctx):
    grant, people = 20, 20           # nothing is due in the first 8 s
    server, clock = Kamailio(ctx, max_expires=grant), Clock(ctx)
    puad = Puad(ctx, server.uri, env=clock.env).start()
    control = puad.control()
    for n in range(people):
        control.publish(f"sip:q{n}@example.com", pidf(f"sip:q{n}@example.com", "here"), -1)
    begin = time.monotonic()
    control.publish("sip:short@example.com", pidf("sip:short@example.com", "here"), 14)
    for offset in (3600, -3600, 0):
        clock.set(offset)
        before = len(list(server.seen()))
        time.sleep(2)
        equal(len(list(server.seen())) - before, 0, f"requests that followed the step to {offset:+d} s")
        equal(len({r.user for r in server.rows() if r.user != "short"}), people, "publications held")
    wait_for(lambda: not server.rows("short"), 15, "the short publication ends")
    took = time.monotonic() - begin
    check(12.5 <= took <= 15.5, f"a publication of 14 s ended after {took:.1f} s")
    clock.set(-3600)
    time.sleep(grant + 2)
    equal(len(server.rows()), people, "publications held after more than one grant")
    equal({s.kind for s in server.seen() if s.user != "short"}, {"initial", "refresh"}, "kinds of requests")
    equal(len([s for s in server.seen() if s.kind == "initial"]), people + 1, "initial requests")
    check(len([s for s in server.seen() if s.kind == "refresh"]) <= people * 5, "more refreshes than the grants call for")


main_is(suite)
