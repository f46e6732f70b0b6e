"""One run: its options, its folders, sink and database server that all metrics share, its report, the library in-process."""
import os
import shutil
import statistics

from databases import Server, SqliteFile
from measure import BIN, OURS, Sink, flush_times, pinned, run_json
from report import Report

SIZED = ("heap", "restart", "subheap")  # modes whose longest turns are told apart by the number of records


class Run(Report):
    def __init__(self, opt, top):
        super().__init__()
        self.opt, self.top, self.n = opt, top, 0
        self.sink = Sink()
        self.started_server = None
        self.turns = []  # (what, cpu ms, wall ms)
        self.pair_count = opt.pairs or (3 if opt.quick else 5)
        self.kamailio_real = {}  # octets of its records as driven at 100,000: a million requests of it take minutes

    def folder(self):
        self.n += 1
        d = os.path.join(self.top, str(self.n))
        os.makedirs(d)
        return d

    def clean(self, folder):
        shutil.rmtree(folder, ignore_errors=True)

    def wanted(self, *names):
        return not self.opt.only or any(n in self.opt.only for n in names)

    def flush_ms(self):
        """What the disk takes now to make a small change durable: a commit's part that is nobody's doing."""
        return round(statistics.median(flush_times(self.top)), 3)

    def server(self):
        """The MariaDB server, started when it is first needed."""
        if not self.started_server:
            self.started_server = Server()
        return self.started_server

    def our_database(self, folder):
        """An empty one for ours where Kamailio has one on the MariaDB server: there too, unless --our-db says otherwise."""
        db = self.server().database() if self.opt.our_db == "mariadb" else SqliteFile(folder)
        db.schema_of_ours()
        return db

    def ours(self, mode, where, timeout=600, **kw):
        """What `bench MODE` (tests/bench/bench.cpp) says, with that db_url, or the SQLite file of that folder."""
        db = where if "://" in where else os.path.join(where, "pua.db")
        argv = [os.path.join(BIN, "bench"), mode, "--sink", self.sink.port, "--db", db]
        for k, v in kw.items():
            argv += ["--" + k, v]
        r = run_json(pinned(OURS, *argv), timeout)
        if r.get("turns"):
            self.turns.append((mode + (f"_{r['count']}" if mode in SIZED else ""), r["turn_cpu_max_ms"], r["turn_wall_max_ms"]))
        return r

    def close(self):
        if self.started_server:
            self.started_server.close()
