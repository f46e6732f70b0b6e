"""What every measurement stands on: processes on their cores, CPU time, statistics, the sink and the client."""
import json
import os
import signal
import socket
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build", "release")
BIN = os.path.join(BUILD, "tests", "bench")
OURS, AIDE = 0, 1  # cores: the measured program's, and everything else's
TICK = os.sysconf("SC_CLK_TCK")
children = []
ports = iter(range(20000 + os.getpid() % 100 * 100, 32000))


def say(text):
    print(text, flush=True)


def pinned(core, *argv):
    return ["taskset", "-c", str(core), *[str(a) for a in argv]]


def start(argv, **kw):
    p = subprocess.Popen(argv, **kw)
    children.append(p)
    return p


def stop(p, sig=signal.SIGTERM, wait=10):
    if p.poll() is None:
        p.send_signal(sig)
        try:
            p.wait(wait)
        except subprocess.TimeoutExpired:
            p.kill()
            p.wait()
    if p in children:
        children.remove(p)


def stop_all():
    for p in list(children):
        if p.poll() is None and os.getsid(p.pid) == p.pid:  # one of the sessions we made: with its workers
            os.killpg(p.pid, signal.SIGKILL)
        stop(p)


def run_json(argv, timeout=600, may_fail=False):
    p = start(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, err = p.communicate(timeout=timeout)
    finally:
        stop(p)
    lines = out.strip().splitlines()
    if not lines or (p.returncode and not may_fail):
        raise RuntimeError(f"{' '.join(argv)}: exit {p.returncode}: {err.strip()[-600:]} {out.strip()[-300:]}")
    return json.loads(lines[-1])


def free_port():
    """A port that is free for UDP and TCP, each once, below those that the kernel gives to sockets of others meanwhile."""
    for port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as u, socket.socket(socket.AF_INET, socket.SOCK_STREAM) as t:
            t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                u.bind(("127.0.0.1", port))
                t.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise RuntimeError("no port is free")


def spread(values):
    """Half the interquartile range."""
    if len(values) < 2:
        return 0.0
    q = statistics.quantiles(values, n=4, method="inclusive")
    return (q[2] - q[0]) / 2


class Sink:
    def __init__(self):
        self.p = start(pinned(AIDE, os.path.join(BIN, "sink"), "--core", AIDE), stdout=subprocess.PIPE, text=True)
        self.port = int(self.p.stdout.readline().split()[1])
        self.s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.s.settimeout(3)
        self.s.connect(("127.0.0.1", self.port))

    def tell(self, text):
        self.s.send(text.encode())
        return json.loads(self.s.recv(4096))

    def stats(self):
        return self.tell("!stats")


def cpu_of(pids):
    """utime + stime of the processes with all their threads, in seconds."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICK


def tree(pid):
    found, todo = [], [pid]
    while todo:
        p = todo.pop()
        found.append(p)
        for t in os.listdir(f"/proc/{p}/task"):
            with open(f"/proc/{p}/task/{t}/children") as f:
                todo += [int(c) for c in f.read().split()]
    return found


def client(mode, **kw):
    argv = [os.path.join(BIN, "client"), mode]
    for k, v in kw.items():
        argv += ["--" + k, str(v)]
    return pinned(AIDE, *argv)


def call(sock, method, params=None, timeout=5):
    request = {"jsonrpc": "2.0", "id": 1, "method": method}
    if params is not None:
        request["params"] = params
    return run_json(client("call", socket=sock, request=json.dumps(request), timeout_ms=int(timeout * 1000)))


def probed(argv, sink, seconds):
    """What that program says, and what a bare datagram to the sink took in the same seconds."""
    p = start(client("probe", sink=sink.port, rate=100, seconds=seconds), stdout=subprocess.PIPE, text=True)
    r = run_json(argv)
    probe = json.loads(p.communicate(timeout=60)[0])
    stop(p)
    return r, probe


def drop_from_cache(*paths):
    for path in paths:
        if os.path.exists(path):
            fd = os.open(path, os.O_RDONLY)
            os.fsync(fd)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def flush_times(folder, count=100):
    """Milliseconds of an fdatasync after a small write, one by one."""
    path, times = os.path.join(folder, "flush"), []
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.pwrite(fd, bytes(512 * count), 0)
    os.fsync(fd)
    for i in range(count):
        t0 = time.monotonic()
        os.pwrite(fd, b"x" * 512, 512 * i)
        os.fdatasync(fd)
        times.append((time.monotonic() - t0) * 1000)
    os.close(fd)
    os.unlink(path)
    return times
