"""Our daemon as a process, as shipped but for its ports and paths. (The library in-process: Run.ours.)"""
import os
import subprocess
import time

from measure import BUILD, OURS, call, cpu_of, free_port, pinned, start, stop


class Puad:
    def __init__(self, sink, folder, listens=False, db_url=None):
        os.makedirs(folder, exist_ok=True)
        self.dir = folder
        self.sock = os.path.join(folder, "puad.sock")
        self.cfg = os.path.join(folder, "pua.conf")
        db_url = db_url or f"sqlite:///{folder}/pua.db"
        with open(self.cfg, "w") as f:
            f.write(f'modparam("pua", "db_url", "{db_url}")\n'
                    f'modparam("pua", "sip_listen", "sip:127.0.0.1:{free_port()}")\n'
                    + (f'modparam("pua", "listen", "sip:127.0.0.1:{free_port()}")\n'
                       f'modparam("pua", "outbound_proxy", "sip:127.0.0.1:{sink.port}")\n' if listens else "") +
                    f'modparam("pua_mi", "dgram_socket", "{self.sock}")\n'
                    f'modparam("pua_mi", "presence_server", "sip:127.0.0.1:{sink.port}")\n')
        os.chmod(self.cfg, 0o600)

    def start(self):
        self.p = start(pinned(OURS, os.path.join(BUILD, "puad"), "-f", self.cfg, "-F"),
                       stdout=subprocess.DEVNULL, stderr=open(os.path.join(self.dir, "log"), "w"))
        t0 = time.monotonic()
        while not os.path.exists(self.sock):
            if self.p.poll() is not None or time.monotonic() - t0 > 20:
                raise RuntimeError("puad did not start: " + open(os.path.join(self.dir, "log")).read()[-800:])
            time.sleep(0.01)
        self.pids = [self.p.pid]

    def stats(self):
        return call(self.sock, "pua_stats")["result"]

    def cpu(self):
        return cpu_of(self.pids)

    def stop(self):
        stop(self.p)
