"""Rows that nobody waits for, written behind: new ones, and ones that exist already, a second. MariaDB and SQLite."""
import time

from databases import SqliteFile
from kamailio_side import Kamailio
from measure import client, run_json


def kamailio_passes(run, db, folder, n):
    """Rows per second of a pass of Kamailio's timer with n new rows, and of one that updates them."""
    limit = 60 + n / 50  # seconds: it commits row by row
    # A pass comes a period after the end of the last: by then everything was asked for.
    k = Kamailio(run.sink, folder, db=db, period=max(8, n // 1500))
    run.sink.tell("!reset")
    k.start()

    def asked(first):
        r = run_json(client("publish", socket=k.sock, dialect="kamailio", sink=run.sink.port, count=n, first=first))
        assert r["errors"] == 0, r
        time.sleep(0.3)  # its answers came when the requests left

    def one_pass(step):
        for i in range(3):
            before = db.changed()
            asked(i * step)
            if db.changed() == before:
                return n / db.pass_seconds(n, limit)
            time.sleep(k.period / 2)  # a pass came between and took some of the rows: the next one is measured
        raise RuntimeError("Kamailio's write pass never waited for all requests")

    try:
        new = one_pass(n)
        had, seen = db.count(), run.sink.stats()
        again = one_pass(0)
        changed = run.sink.stats()["modify"] - seen["modify"]
        assert had >= n and db.count() == had and changed >= n, (n, had, db.count(), changed)
    finally:
        k.stop()
    return new, again


def measured(run, our_db, kamailio_db, rounds, suffix=""):
    n = 20000
    kamailio_n = 2000 if run.opt.quick else n
    mine, theirs = [], []
    for i in range(rounds):
        flush_ms = run.flush_ms()
        d = run.folder()
        db = our_db(d)
        w = run.ours("writeback", db.url, count=n)
        assert w["failed"] == 0 and db.count() == n, (w, db.count())
        mine.append((n / w["new_s"], n / w["again_s"]))
        db.drop()
        run.clean(d)

        kamailio_flush_ms = run.flush_ms()
        d = run.folder()
        db = kamailio_db(d)
        db.schema_of_kamailio()
        theirs.append(kamailio_passes(run, db, d, kamailio_n))
        db.drop()
        run.clean(d)
        run.info(f"writeback{suffix}_pair", pair=i + 1, rows=n, ours=round(mine[-1][0]), ours_updates=round(mine[-1][1]),
                 cpu_us=w["new_cpu_us"], updates_cpu_us=w["again_cpu_us"], flush_max_ms=w["flush_max_ms"],
                 kamailio_rows=kamailio_n, kamailio=round(theirs[-1][0]), kamailio_updates=round(theirs[-1][1]),
                 disk_flush_ms=flush_ms, kamailio_disk_flush_ms=kamailio_flush_ms)
    for j, (what, bar) in enumerate((("rows", None if suffix else 10), ("updates", None))):
        run.pairs(f"writeback_{what}{suffix}", [m[j] for m in mine], [t[j] for t in theirs], bar, least=True)


def on_mariadb(run):
    measured(run, run.our_database, lambda folder: run.server().database(), min(run.pair_count, 3))


def on_sqlite(run):
    measured(run, SqliteFile, lambda folder: SqliteFile(folder, journal="wal"), min(run.pair_count, 3), "_sqlite")
