"""Answer times at a steady rate, alone and beside many other rows, and the longest turns of the loop."""
import os
import statistics
import time

from databases import CommitProbe
from kamailio_side import Kamailio
from measure import BIN, OURS, client, pinned, probed, run_json, spread
from our_side import Puad


def until(condition, seconds, what):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def answer(run):
    seconds = 6 if run.opt.quick else 20
    rows = []
    for _ in range(1 if run.opt.quick else 3):
        d = run.folder()
        argv = pinned(OURS, os.path.join(BIN, "bench"), "rate", "--sink", run.sink.port, "--db", os.path.join(d, "pua.db"),
                      "--rate", 1000, "--seconds", seconds, "--tick_ms", 1)
        a, pa = probed(argv, run.sink, seconds)
        run.clean(d)

        d = run.folder()
        p = Puad(run.sink, d)
        p.start()
        c, pc = probed(client("publish", socket=p.sock, dialect="pua", sink=run.sink.port, count=1000 * seconds,
                              rate=1000), run.sink, seconds)
        p.stop()
        run.clean(d)

        d = run.folder()
        # Over HTTP: the one way in which Kamailio, like ours, answers after the server's final reply.
        k = Kamailio(run.sink, d, period=6, http=True)
        k.start()
        argv = client("publish", http=k.http, dialect="kamailio", sink=run.sink.port, count=1000 * seconds, rate=1000)
        m, pm = probed(argv, run.sink, seconds)
        k.stop()
        run.clean(d)
        rows.append((a, pa, c, pc, m, pm))
        for who, r, pr in (("api", a, pa), ("control", c, pc), ("kamailio", m, pm)):
            run.info("answer", who=who, p50=r["p50_ms"], p99=r["p99_ms"], max=r["max_ms"], probe_p50=pr["p50_ms"],
                     probe_p99=pr["p99_ms"], probe_max=pr["max_ms"], durable=r.get("durable", "-"),
                     failed=r.get("failed", r.get("errors")))
    med = lambda f: statistics.median(f(r) for r in rows)
    extra = med(lambda r: r[2]["p99_ms"] - r[3]["p99_ms"])
    s = spread([r[2]["p99_ms"] - r[3]["p99_ms"] for r in rows])
    bar = med(lambda r: r[3]["p99_ms"]) + 5
    run.line("answer_p99_ms", med(lambda r: r[2]["p99_ms"]), med(lambda r: r[4]["p99_ms"]), None, s, bar, extra - s <= 5)
    run.line("answer_max_ms", med(lambda r: r[2]["max_ms"]), med(lambda r: r[4]["max_ms"]), None,
             spread([r[2]["max_ms"] for r in rows]))
    api_extra = med(lambda r: r[0]["p99_ms"] - r[1]["p99_ms"])
    run.info("answer_p99_api_ms", ours=med(lambda r: r[0]["p99_ms"]), above_probe=f"{api_extra:.3f}",
             verdict="ok" if api_extra <= 5 else "MISS")
    if api_extra > 5:
        run.missed.append("answer_p99_ms (api)")


def beside_ours(run, others, seconds):
    """Our answer times while the rows of `others` refreshes, which the database did not take so far, are written."""
    d = run.folder()
    db = run.our_database(d)
    p = Puad(run.sink, d, db_url=db.url)
    p.start()
    run.sink.tell("!reset")
    run.sink.tell("!grant 60")  # refreshed 14 to 20 s after it was given (core/policy.h)
    r = run_json(client("publish", socket=p.sock, dialect="pua", sink=run.sink.port, count=others))
    assert r["errors"] == 0, r
    db.hold()
    run.sink.tell("!grant 0")
    until(lambda: run.sink.stats()["refresh"] >= others, 60, "refreshes")
    before = p.stats()
    assert before["store_backlog"] >= 0.9 * others, before
    db.release()
    until(lambda: p.stats()["store_rows_written"] > before["store_rows_written"], 60, "writes")
    r = at_rate(run, seconds, socket=p.sock, dialect="pua")
    after = p.stats()
    p.stop()
    r.update(waiting=before["store_backlog"], left=after["store_backlog"],
             not_durable=after["completed_not_durable"] - before["completed_not_durable"])
    db.drop()
    run.clean(d)
    return r


def beside_kamailios(run, others, seconds):
    """Kamailio's, over HTTP as above, while its write pass brings as many new rows."""
    d = run.folder()
    db = run.server().database()
    db.schema_of_kamailio()
    k = Kamailio(run.sink, d, db=db, period=max(10, others // 4000), http=True)
    k.start()
    before = db.changed()
    r = run_json(client("publish", socket=k.sock, dialect="kamailio", sink=run.sink.port, count=others))
    assert r["errors"] == 0, r
    until(lambda: db.changed() > before, 60, "write pass")
    r = at_rate(run, seconds, http=k.http, dialect="kamailio")
    r.update(waiting=others, left=others - db.count(), not_durable="-")
    k.stop()
    db.drop()
    run.clean(d)
    return r


def at_rate(run, seconds, **peer):
    """1,000 new PUBLISH a second, with the probe of the network and one of the database server's commits beside them."""
    commits = CommitProbe(run.server())
    r, probe = probed(client("publish", sink=run.sink.port, count=1000 * seconds, rate=1000, first=5000000, **peer), run.sink,
                      seconds)
    r["commit_p50_ms"], r["commit_p99_ms"] = commits.end()
    r.update({f"probe_{k}": probe[k] for k in ("p50_ms", "p99_ms", "max_ms")})
    return r


def answer_db(run):
    others, seconds = (40000, 1) if run.opt.quick else (100000, 3)
    mine, theirs = [], []
    for _ in range(1 if run.opt.quick else 3):
        mine.append(beside_ours(run, others, seconds))
        theirs.append(beside_kamailios(run, others, seconds))
        for who, r in (("control", mine[-1]), ("kamailio", theirs[-1])):
            run.info("answer_db", who=who, p50=r["p50_ms"], p99=r["p99_ms"], max=r["max_ms"], probe_p50=r["probe_p50_ms"],
                     probe_p99=r["probe_p99_ms"], probe_max=r["probe_max_ms"], commit_p50=f"{r['commit_p50_ms']:.3f}",
                     commit_p99=f"{r['commit_p99_ms']:.3f}", rows_waiting=r["waiting"], rows_left=r["left"],
                     not_durable=r["not_durable"], failed=r["errors"])
    p99 = lambda rows, name="p99_ms": statistics.median(r[name] for r in rows)
    extra = [r["p99_ms"] - r["probe_p99_ms"] for r in mine]
    s = spread(extra)
    run.line("answer_p99_db_ms", p99(mine), p99(theirs), None, s, p99(mine, "probe_p99_ms") + 5,
             statistics.median(extra) - s <= 5)


TURN_ROUNDS = 5
# What a round does: the options of each mode, in full and with --quick.
TURN_MODES = (("rate", dict(rate=1000, seconds=10, tick_ms=1), dict(rate=1000, seconds=5, tick_ms=1)),
              ("publish", dict(count=30000, window=2000), dict(count=5000, window=2000)),
              ("refresh", dict(count=10000), dict(count=2000)),
              ("heap", dict(count=1000000), dict(count=20000)))
# Touches of memory that lay idle as long as before the refresh burst. Taking out 32 deadlines is as many.
WAKE = dict(mb=64, touches=256, idle=4)


def loop_turn(run):
    """The longest turn of each round, and what the machine takes from a program of five lines that wakes up."""
    quick, longest, control = run.opt.quick, [], []
    for _ in range(1 if quick else TURN_ROUNDS):
        first = len(run.turns)
        for mode, full, short in TURN_MODES:
            d = run.folder()
            run.ours(mode, d, **(short if quick else full), turns=1)
            run.clean(d)
        longest.append(max(c for _, c, _ in run.turns[first:]))
        control.append(run_json(pinned(OURS, os.path.join(BIN, "client"), "wake", *(x for k, v in WAKE.items() for x in ("--" + k, v))))["cpu_ms"])
    worst = {}
    for what, c, w in run.turns:
        worst[what] = (max(c, worst.get(what, (0, 0))[0]), max(w, worst.get(what, (0, 0))[1]))
    for what, (c, w) in sorted(worst.items()):
        run.info("loop_turn", during=what, cpu_max_ms=c, wall_max_ms=w)
    run.info("loop_turn_rounds", longest_ms=longest, wake_up_ms=control)
    middle, s = statistics.median(longest), spread(longest)
    run.line("loop_turn_max_ms", middle, None, None, s, 20, middle - s <= 20)


def floor(run):
    """What the machine itself takes: the same datagrams, no SIP stack."""
    v = [run_json(pinned(OURS, os.path.join(BIN, "client"), "floor", "--sink", run.sink.port))["cpu_us"] for _ in range(5)]
    run.info("floor", cpu_us=f"{statistics.median(v):.2f}", spread=f"{spread(v):.2f}")
