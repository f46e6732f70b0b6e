"""Debian's Kamailio as publisher and subscriber at its best settings."""
import json
import os
import signal
import socket
import subprocess
import time

from databases import SqliteFile
from measure import HERE, OURS, call, cpu_of, free_port, pinned, start, stop, tree


class Kamailio:
    """hash_size 16, -x fm, few processes, no log. db: with Kamailio's tables in it; none: a SQLite file in the folder."""

    def __init__(self, sink, folder, period=3600, rows=None, shm_mb=3072, pkg_mb=512, wt_ms=5000, http=False, db=None):
        self.dir, self.sink, self.port, self.period = folder, sink, free_port(), period
        os.makedirs(folder, exist_ok=True)
        self.sock = os.path.join(folder, "rpc.sock")
        if not db:
            db = SqliteFile(folder)
            if not os.path.exists(db.path):
                db.schema_of_kamailio()
        self.db = db
        if rows:
            db.fill_for_kamailio(*rows)
        text = open(os.path.join(HERE, "kamailio-pua.cfg.in")).read()
        for k, v in (("DIR", folder), ("PORT", self.port), ("SINK", sink.port), ("PERIOD", period),
                     ("WT", wt_ms), ("DBMODULE", db.module), ("DBURL", db.url)):
            text = text.replace(f"@{k}@", str(v))
        self.http = free_port() if http else 0
        text = text.replace("#H " if http else "#D ", "").replace("@HTTP@", str(self.http))
        if db.module == "db_mysql":
            text = text.replace("#M ", "")
        self.cfg = os.path.join(folder, "kamailio.cfg")
        with open(self.cfg, "w") as f:
            f.write(text)
        self.shm_mb, self.pkg_mb = shm_mb, pkg_mb

    def start(self, wait=120):
        self.p = start(pinned(OURS, "kamailio", "-f", self.cfg, "-DD", "-E", "-x", "fm", "-m", str(self.shm_mb), "-M",
                              str(self.pkg_mb), "-Y", self.dir),
                       stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.dir, "log"), "w"), start_new_session=True)
        t0 = time.monotonic()
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(self.sock + ".up")
        s.settimeout(0.5)
        reply, asked = None, False
        while reply is None:
            if self.p.poll() is not None or time.monotonic() - t0 > wait:
                raise RuntimeError("kamailio did not start: " + open(os.path.join(self.dir, "log")).read()[-800:])
            try:
                if not asked:
                    s.sendto(b'{"jsonrpc":"2.0","method":"core.shmmem","id":1}', self.sock)
                    asked = True  # its socket is made before the table is loaded, and read after
                reply = json.loads(s.recv(65536))
            except socket.timeout:
                pass
            except OSError:
                time.sleep(0.002)
        self.ready_s = time.monotonic() - t0
        s.close()
        os.unlink(self.sock + ".up")
        self.pids = tree(self.p.pid)
        return reply["result"]

    def shm(self):
        return call(self.sock, "core.shmmem")["result"]

    def cpu(self):
        self.pids = tree(self.p.pid)
        return cpu_of(self.pids)

    def stop(self):
        # A session of its own (start): its group is exactly what we started, with workers that were forked late.
        try:
            os.killpg(self.p.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        stop(self.p)
