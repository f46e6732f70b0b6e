#!/usr/bin/env python3
"""200 publications change all the time while puad is killed 50 times: nothing durable is lost, nothing removed stays lit."""
import os
import time

from churn import Churn, settle
from harness import Suite, check, main_is
from kamailio import Kamailio
from puad import Puad

suite = Suite()
GRANT = 25                                     # s
SEED = int(os.environ.get("SEED", "20261123"))
KILLS = int(os.environ.get("KILLS", "50"))


@suite.test
def fifty_kills_at_random_moments_leave_exactly_the_wanted_set(ctx):
    server = Kamailio(ctx, max_expires=GRANT)
    puad = Puad(ctx, server.uri)
    churn = Churn(ctx, puad, server, SEED)
    print(f"# SEED={SEED}", flush=True)
    for _ in range(KILLS):
        puad.start()
        churn.connect()
        if churn.random.random() < 0.5:       # else requests meet the load
            churn.verify_puad()
        # Many short lives, in which loading and changing overlap; some long ones, in which refreshes fall due.
        life = churn.random.choice([0.05, 0.2, 0.5, 1.0, 2.0, 4.0]) * churn.random.uniform(0.5, 1.5)
        churn.run_until(time.monotonic() + life)
        puad.sigkill()
        churn.lose()
    puad.start()
    churn.connect()
    churn.verify_puad()
    churn.report(KILLS)
    check(churn.durable > 5 * KILLS, f"only {churn.durable} durable answers: the test did not test much")
    settle(GRANT + 5, churn)
    churn.verify()


main_is(suite)
