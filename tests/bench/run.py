"""One run: its options, its folders, the sink that all metrics share, its report, and the library in-process."""
import os
import shutil

from measure import BIN, OURS, Sink, pinned, run_json
from report import Report

SIZED = ("heap", "restart", "subheap")  # modes whose longest turns are told apart by the number of records


class Run(Report):
    def __init__(self, opt, top):
        super().__init__()
        self.opt, self.top, self.n = opt, top, 0
        self.sink = Sink()
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

    def ours(self, mode, folder, **kw):
        """What `bench MODE` (tests/bench/bench.cpp) says, with the SQLite file of that folder."""
        argv = [os.path.join(BIN, "bench"), mode, "--sink", self.sink.port, "--db", os.path.join(folder, "pua.db")]
        for k, v in kw.items():
            argv += ["--" + k, v]
        r = run_json(pinned(OURS, *argv))
        if r.get("turns"):
            self.turns.append((mode + (f"_{r['count']}" if mode in SIZED else ""), r["turn_cpu_max_ms"], r["turn_wall_max_ms"]))
        return r
