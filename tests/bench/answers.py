"""Answer times at a steady rate, alone and beside many other rows, and the longest turns of the loop."""
import os
import statistics
import time

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
    db.release()
    until(lambda: p.stats()["store_rows_written"] > before["store_rows_written"], 60, "writes")
    r, probe = probed(client("publish", socket=p.sock, dialect="pua", sink=run.sink.port, count=1000 * seconds, rate=1000,
                             first=5000000), run.sink, seconds)
    after = p.stats()
    p.stop()
    r.update(waiting=before["store_backlog"], left=after["store_backlog"], not_durable=after["completed_not_durable"] - before["completed_not_durable"])
    db.drop()
    run.clean(d)
    return r, probe


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
    r, probe = probed(client("publish", http=k.http, dialect="kamailio", sink=run.sink.port, count=1000 * seconds,
                             rate=1000, first=5000000), run.sink, seconds)
    r.update(waiting=others, left=before + others - db.changed(), not_durable="-")
    k.stop()
    db.drop()
    run.clean(d)
    return r, probe


def answer_db(run):
    others, seconds = (20000, 1) if run.opt.quick else (100000, 3)
    rows = []
    for _ in range(1 if run.opt.quick else 3):
        rows.append((beside_ours(run, others, seconds), beside_kamailios(run, others, seconds)))
        for who, (r, probe) in zip(("control", "kamailio"), rows[-1]):
            run.info("answer_db", who=who, p50=r["p50_ms"], p99=r["p99_ms"], max=r["max_ms"], probe_p50=probe["p50_ms"],
                     probe_p99=probe["p99_ms"], probe_max=probe["max_ms"], rows_waiting=r["waiting"], rows_left=r["left"],
                     not_durable=r["not_durable"], failed=r["errors"])
    med = lambda f: statistics.median(f(*r) for r in rows)
    extra = [mine[0]["p99_ms"] - mine[1]["p99_ms"] for mine, _ in rows]
    run.line("answer_p99_db_ms", med(lambda mine, _: mine[0]["p99_ms"]), med(lambda _, theirs: theirs[0]["p99_ms"]), None,
             spread(extra), med(lambda mine, _: mine[1]["p99_ms"]) + 5, statistics.median(extra) - spread(extra) <= 5)


def loop_turn(run):
    """The longest turn of any run so far, and of a steady rate, a burst of publishes and one of refreshes."""
    d = run.folder()
    run.ours("rate", d, rate=1000, seconds=5 if run.opt.quick else 20, turns=1, tick_ms=1)
    run.clean(d)
    d = run.folder()
    run.ours("publish", d, count=5000 if run.opt.quick else 30000, turns=1, window=2000)
    run.clean(d)
    d = run.folder()
    run.ours("refresh", d, count=2000 if run.opt.quick else 10000, turns=1)
    run.clean(d)
    worst = {}
    for what, c, w in run.turns:
        worst[what] = (max(c, worst.get(what, (0, 0))[0]), max(w, worst.get(what, (0, 0))[1]))
    for what, (c, w) in sorted(worst.items()):
        run.info("loop_turn", during=what, cpu_max_ms=c, wall_max_ms=w)
    top = max(c for c, _ in worst.values())
    run.line("loop_turn_max_ms", top, bar=20, ok=top <= 20)


def floor(run):
    """What the machine itself takes: the same datagrams, no SIP stack."""
    v = [run_json(pinned(OURS, os.path.join(BIN, "client"), "floor", "--sink", run.sink.port))["cpu_us"] for _ in range(5)]
    run.info("floor", cpu_us=f"{statistics.median(v):.2f}", spread=f"{spread(v):.2f}")
