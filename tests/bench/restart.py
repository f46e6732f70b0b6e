"""At a size: octets of heap per publication, and the time from the start of the program until all are armed again."""
import os
import statistics
import time

from kamailio_side import Kamailio
from measure import client, drop_from_cache, run_json, spread


def kamailio_heap(run, n):
    d = run.folder()
    k = Kamailio(run.sink, d, shm_mb=4096)
    before = k.start()
    run_json(client("publish", socket=k.sock, dialect="kamailio", sink=run.sink.port, count=n))
    time.sleep(8)
    after = k.shm()
    k.stop()
    run.clean(d)
    return (after["used"] - before["used"]) / n, (after["real_used"] - before["real_used"]) / n


def kamailio_restart(run, n, cold):
    d = run.folder()
    pkg = 4000 if n > 500000 else 1000  # db_sqlite holds the whole table in private memory while it loads
    k0 = Kamailio(run.sink, d, shm_mb=4096, pkg_mb=pkg)
    before = k0.start()
    k0.stop()
    k = Kamailio(run.sink, d, rows=(n, 3600), shm_mb=4096, pkg_mb=pkg)
    if cold:
        drop_from_cache(k.db.path)
    after = k.start(wait=300)
    k.stop()
    run.clean(d)
    return k.ready_s, (after["used"] - before["used"]) / n, (after["real_used"] - before["real_used"]) / n


def at_size(run, tag, n, kamailio):
    heap, again = f"heap_per_publication_{tag}", f"restart_{tag}_s"
    d = run.folder()
    h = run.ours("heap", d, count=n)
    assert h["live"] >= n, h
    used = None
    if kamailio:
        used, run.kamailio_real["publication"] = kamailio_heap(run, n)
    real = run.kamailio_real.get("publication")
    run.info(heap, rss=h["rss"], rss_trimmed=h["rss_trimmed"], sqlite_kb=h["sqlite_kb"], uri=h["uri"],
             body=h["body_max"], fill_s=h["fill_s"], kamailio_used=used and round(used), turn_cpu_max_ms=h["turn_cpu_max_ms"],
             turn_wall_max_ms=h["turn_wall_max_ms"])
    run.line(f"idle_wake_ups_{tag}", h["wake_ups"], bar=0, ok=h["wake_ups"] == 0)
    if not run.wanted(again):
        run.line(heap, h["heap"], real, bar=600, ok=h["heap"] <= 600)
        return
    db = os.path.join(d, "pua.db")
    warm = []
    for _ in range(3 if n <= 100000 else 1):
        warm.append(run.ours("restart", d, count=n))
    turns = [run.ours("restart", d, count=n, turns=1)]  # measuring turns delays timers: not in the times above
    drop_from_cache(db, db + "-wal")
    cold = run.ours("restart", d, count=n)
    drop_from_cache(db, db + "-wal")
    turns.append(run.ours("restart", d, count=n, turns=1))
    kwarm, kused, kreal = kamailio_restart(run, n, False)
    kcold = kamailio_restart(run, n, True)[0]
    # Where Kamailio was not driven by requests in this run, its figure is that of records loaded from its table.
    run.line(heap, h["heap"], real if real is not None else kreal, bar=600, ok=h["heap"] <= 600)
    ready = statistics.median(w["ready_s"] for w in warm)
    turn_cpu, turn_wall = turns[0]["turn_cpu_max_ms"], turns[0]["turn_wall_max_ms"]
    ok = None if n > 100000 else ready <= 0.5 and turn_cpu <= 10
    run.line(again, ready, kwarm, ready / kwarm, spread([w["ready_s"] for w in warm]), 0.5 if n <= 100000 else None, ok)
    run.info(again, cold_s=cold["ready_s"], kamailio_cold_s=f"{kcold:.3f}", turn_cpu_max_ms=turn_cpu,
             turn_wall_max_ms=turn_wall, cold_turn_cpu_max_ms=turns[1]["turn_cpu_max_ms"],
             cold_turn_wall_max_ms=turns[1]["turn_wall_max_ms"], first_answer_s=warm[-1]["first_answer_s"],
             rss_mb=warm[-1]["rss_mb"], kamailio_loaded_used=round(kused), kamailio_loaded_real=round(kreal))
    run.clean(d)


def on_mariadb(run, tag, n, rounds, bar=None):
    name = f"restart_db_{tag}"
    d = run.folder()
    mine, theirs = run.our_database(d), run.server().database()
    theirs.schema_of_kamailio()
    filled = run.ours("heap", mine.url, timeout=1800, count=n)
    ours, kam = [], []
    for i in range(rounds):
        theirs.fill_for_kamailio(n, 3600)
        ours.append(run.ours("restart", mine.url, count=n, ask=9999999 - i))
        f = run.folder()
        k = Kamailio(run.sink, f, db=theirs, shm_mb=4096, pkg_mb=4000 if n > 500000 else 1000)
        k.start(wait=300)
        kam.append(k.ready_s)
        k.stop()
        theirs.clear()
        run.clean(f)
    last = ours[-1]
    run.pairs(name, [r["ready_s"] for r in ours], kam, bar)
    run.info(name, first_answer_s=last["first_answer_s"], peak_mb=last["peak_mb"], rss_mb=last["rss_mb"], cpu_s=last["cpu_s"],
             fill_s=filled["fill_s"])
    for db in (mine, theirs):
        db.drop()
    run.clean(d)
