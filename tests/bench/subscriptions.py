"""CPU per SUBSCRIBE and per NOTIFY, and what a subscription takes in memory."""
import statistics
import time

from kamailio_side import Kamailio
from measure import client, run_json, spread
from our_side import Puad


def wait_for(sink, name, value, seconds=60):
    """Until the sink's counter has that value; its counters then."""
    end = time.monotonic() + seconds
    while True:
        seen = sink.stats()
        if seen[name] == value or time.monotonic() > end:
            return seen
        time.sleep(0.02)


def subscribed(sink, peer, dialect, count, tail, notifies=0, bare=0):
    """CPU in us, asked for through the peer's socket: per SUBSCRIBE whose first NOTIFY was answered, per further
    NOTIFY, per SUBSCRIBE that brings none; its clean-up after the last included."""
    # Up to 50 are open: more NOTIFYs and answers than fit into a socket's usual buffer would be lost on their way.
    kw = dict(socket=peer.sock, dialect=dialect, sink=sink.port, made=50)
    if dialect == "kamailio":
        kw["watcher"] = f"sip:watcher@127.0.0.1:{peer.port}"  # its pua.subscribe makes the watcher the Contact

    def asked(n, first):
        r = run_json(client("subscribe", count=n, first=first, **kw))
        assert r["errors"] == 0, r
        return r

    sink.tell("!reset")
    sink.tell("!notify 2")
    asked(500, 900000)
    time.sleep(1)
    before, c0 = sink.stats(), peer.cpu()
    r = asked(count, 0)
    after = wait_for(sink, "notify_ok", before["notify_ok"] + count, 5)
    time.sleep(tail)
    c1, after = peer.cpu(), sink.stats()
    got = {k: after[k] - before[k] for k in after}
    assert got["subscribed"] >= count and got["notify_ok"] >= 0.99 * count, (type(peer).__name__, count, got, r)
    r.update(cpu_us=(c1 - c0) * 1e6 / count, repeats=got["subscribe_repeats"], notify_ok=got["notify_ok"])
    if notifies:
        sink.tell("!burst 500 50")
        wait_for(sink, "notify_left", 0)
        before, c0 = sink.stats(), peer.cpu()
        sink.tell(f"!burst {notifies} 50")
        wait_for(sink, "notify_left", 0)
        c1, after = peer.cpu(), sink.stats()
        got = {k: after[k] - before[k] for k in after}
        assert got["notify_ok"] >= 0.99 * notifies, (type(peer).__name__, notifies, got)
        r.update(notify_us=(c1 - c0) * 1e6 / got["notify_ok"], notify_lost=got["notify_lost"])
    sink.tell("!notify 0")
    if bare:
        before, c0 = sink.stats(), peer.cpu()
        asked(bare, count)
        time.sleep(tail)
        c1, after = peer.cpu(), sink.stats()
        assert after["subscribed"] - before["subscribed"] >= bare, (bare, before, after)
        r.update(bare_us=(c1 - c0) * 1e6 / bare)
    return r


def subscribe_cpu(run):
    n = 5000 if run.opt.quick else 15000
    notifies = 2 * n
    api, control, kam, note, knote, made, kmade = [], [], [], [], [], [], []
    for i in range(run.pair_count):
        d = run.folder()
        a = run.ours("subscribe", d, count=n, notifies=notifies)
        assert a["failed"] == 0 and a["odd"] == 0 and a["durable"] == n, a
        run.clean(d)

        d = run.folder()
        p = Puad(run.sink, d, listens=True)
        p.start()
        c = subscribed(run.sink, p, "pua", n, 2, 0, n)
        p.stop()
        run.clean(d)

        d = run.folder()
        k = Kamailio(run.sink, d, wt_ms=1000)
        k.start()
        m = subscribed(run.sink, k, "kamailio", n, 2.5, notifies, n)
        k.stop()
        run.clean(d)
        for values, v in ((api, a["bare_us"]), (control, c["bare_us"]), (kam, m["bare_us"]), (note, a["notify_us"]),
                          (knote, m["notify_us"]), (made, a["cpu_us"]), (kmade, m["cpu_us"])):
            values.append(v)
        run.info("subscribe_cpu_pair", pair=i + 1, api_us=f"{api[-1]:.1f}", control_us=f"{control[-1]:.1f}",
                 kamailio_us=f"{kam[-1]:.1f}", notify_us=f"{note[-1]:.1f}", kamailio_notify_us=f"{knote[-1]:.1f}",
                 durable=a["durable"], rows=a["rows"], api_per_s=int(n / a["wall_s"]), control_per_s=int(n / c["wall_s"]),
                 notify_per_s=int(notifies / a["notify_wall_s"]), kamailio_repeats=m["repeats"],
                 control_repeats=c["repeats"], kamailio_first_notifies=m["notify_ok"],
                 kamailio_notifies_lost=m["notify_lost"])
    run.pairs("subscribe_cpu_api", api, kam, 0.5)
    run.pairs("subscribe_cpu_control", control, kam, 0.8)
    run.pairs("notify_cpu", note, knote, 0.8)
    run.pairs("subscribe_cpu_with_first_notify", made, kmade, 0.55)


def kamailio_heap(run, n):
    d = run.folder()
    k = Kamailio(run.sink, d, shm_mb=4096, wt_ms=1000)
    before = k.start()
    subscribed(run.sink, k, "kamailio", n, 4)
    after = k.shm()
    k.stop()
    run.clean(d)
    n += 500  # the warm-up's
    return (after["used"] - before["used"]) / n, (after["real_used"] - before["real_used"]) / n


def heap(run, tag, n, kamailio):
    name = f"heap_per_subscription_{tag}"
    d = run.folder()
    h = run.ours("subheap", d, count=n)
    run.clean(d)
    assert h["subs_live"] == n, h
    used = None
    if kamailio:
        used, run.kamailio_real["subscription"] = kamailio_heap(run, n)
    run.line(name, h["heap"], run.kamailio_real.get("subscription"), bar=700, ok=h["heap"] <= 700)
    run.info(name, rss=h["rss"], rss_trimmed=h["rss_trimmed"], sqlite_kb=h["sqlite_kb"], uri=h["uri"], fill_s=h["fill_s"],
             kamailio_used=used and round(used), turn_cpu_max_ms=h["turn_cpu_max_ms"],
             turn_wall_max_ms=h["turn_wall_max_ms"], **{k: h[k] for k in h if k.startswith("part_")})
