"""CPU per PUBLISH: initial ones, by the C API and over the control socket, and refreshes that fall due at once."""
import time

from kamailio_side import Kamailio
from measure import client, run_json
from our_side import Puad


def driven(sink, peer, dialect, count, tail):
    """CPU in us per initial PUBLISH asked for through the peer's socket, its clean-up after the last included."""
    sink.tell("!reset")
    warm = run_json(client("publish", socket=peer.sock, dialect=dialect, sink=sink.port, count=500, first=9000000))
    assert warm["errors"] == 0, warm
    time.sleep(1)
    before, c0 = sink.stats(), peer.cpu()
    r = run_json(client("publish", socket=peer.sock, dialect=dialect, sink=sink.port, count=count))
    assert r["errors"] == 0, r
    time.sleep(tail)
    c1, after = peer.cpu(), sink.stats()
    sent = after["initial"] - before["initial"]
    assert sent == count, (type(peer).__name__, sent, count, before, after, r)
    r.update(cpu_us=(c1 - c0) * 1e6 / count, repeats=after["repeats"] - before["repeats"], body=after["body_max"])
    return r


def publish_cpu(run):
    n = 10000 if run.opt.quick else 30000
    api, control, kam = [], [], []
    for i in range(run.pair_count):
        d = run.folder()
        a = run.ours("publish", d, count=n)
        assert a["failed"] == 0, a
        api.append(a["cpu_us"])
        run.clean(d)

        d = run.folder()
        p = Puad(run.sink, d)
        p.start()
        c = driven(run.sink, p, "pua", n, 2)
        control.append(c["cpu_us"])
        p.stop()
        run.clean(d)

        d = run.folder()
        k = Kamailio(run.sink, d)
        k.start()
        m = driven(run.sink, k, "kamailio", n, 6)
        kam.append(m["cpu_us"])
        k.stop()
        run.clean(d)
        run.info("publish_cpu_pair", pair=i + 1, api_us=f"{a['cpu_us']:.1f}", control_us=f"{c['cpu_us']:.1f}",
                 kamailio_us=f"{m['cpu_us']:.1f}", durable=a["durable"], api_per_s=int(n / a["wall_s"]),
                 control_per_s=int(n / c["wall_s"]), kamailio_per_s=int(n / m["wall_s"]), kamailio_repeats=m["repeats"],
                 control_repeats=c["repeats"])
    run.pairs("publish_cpu_api", api, kam, 0.3)
    run.pairs("publish_cpu_control", control, kam, 0.45)


def refresh_cpu(run):
    n = 2000 if run.opt.quick else 10000
    mine, on_server, kam = [], [], []
    for i in range(run.pair_count):
        d = run.folder()
        a = run.ours("refresh", d, count=n)
        mine.append(a["cpu_us"])
        run.clean(d)

        d = run.folder()
        db = run.our_database(d)
        on_server.append(run.ours("refresh", db.url, count=n)["cpu_us"])
        db.drop()
        run.clean(d)

        # Kamailio's clean pass comes update_period - 5 s after the start and refreshes what ends within
        # update_period; its write pass comes at update_period, and is left out of the sum.
        d = run.folder()
        k = Kamailio(run.sink, d, period=12, rows=(n, 18), wt_ms=1000)
        run.sink.tell("!reset")
        run.sink.tell("!grant 3600")
        k.start()
        c0 = k.cpu()
        end = time.monotonic() + 30
        while run.sink.stats()["refresh"] < n and time.monotonic() < end:
            time.sleep(0.2)
        time.sleep(2.5)  # until the transactions are freed
        c1, seen = k.cpu(), run.sink.stats()
        run.sink.tell("!grant 0")
        k.stop()
        run.clean(d)
        assert seen["refresh"] >= n, seen
        kam.append((c1 - c0) * 1e6 / n)
        run.info("refresh_burst_pair", pair=i + 1, ours_us=f"{a['cpu_us']:.1f}", ours_db_us=f"{on_server[-1]:.1f}", kamailio_us=f"{kam[-1]:.1f}",
                 ours_wall_s=a["wall_s"], ours_repeats=a["repeats"], kamailio_repeats=seen["repeats"])
    run.pairs("refresh_burst_cpu", mine, kam, 0.4)
    run.pairs("refresh_burst_cpu_db", on_server, kam, 0.5)


def steady(run):
    """A million records at 20,000 refreshes a second for a minute, on SQLite and on MariaDB."""
    for tag in ("sqlite", "db"):
        d = run.folder()
        db = run.our_database(d) if tag == "db" else None
        r = run.ours("steady", db.url if db else d, timeout=900, tick_ms=1)
        ok = (r["per_s"] >= 19000 and r["oldest_ms"] <= 1000 and r["turns_over_10ms_cpu"] == 0 and r["p99_ms"] <= 10
              and r["failed"] == 0)
        run.line(f"steady_1m_{tag}_per_s", r["per_s"], ok=ok, bar=20000)
        run.info(f"steady_1m_{tag}", **r)
        if db:
            db.drop()
        run.clean(d)
