"""What every end-to-end test stands on: a folder of its own, ports, processes that never outlive it, result lines.

A test file makes a Suite, marks functions with @suite.test and ends with suite.main(). Each function gets a Context:
everything started through it is stopped, by process id, when the function ends in whatever way.
"""
import argparse
import contextlib
import ctypes
import fcntl
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PUA_BUILD", ROOT / "build" / os.environ.get("V", "release")))
HOST = "127.0.0.1"


class Failure(Exception):
    """A check did not hold; the text says which."""


class Skip(Exception):
    """This machine cannot run the test; the text says why."""


def check(condition, why):
    if not condition:
        raise Failure(why)


def equal(got, wanted, what):
    if got != wanted:
        raise Failure(f"{what}: got {short(got)}, wanted {short(wanted)}")


def short(value, limit=300):
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


def wait_for(condition, timeout, what, step=0.02):
    """Polls until condition() is true and returns its value; a Failure after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise Failure(f"{what}: not within {timeout:g} s")
        time.sleep(step)


_prctl = ctypes.CDLL(None).prctl      # found before a child needs it: other threads may hold the loader's lock at the fork


def _die_with_parent():
    _prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class Process:
    """A child with its output in a file, in a process group of its own, stopped by id."""

    def __init__(self, name, argv, log, env=None, preexec=None, cwd=None):
        def setup():
            _die_with_parent()
            if preexec:
                preexec()

        self.name, self.log = name, pathlib.Path(log)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                          env=env, cwd=cwd, start_new_session=True, preexec_fn=setup)
        self.pid = self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def wait(self, timeout):
        """The exit status (negative: the signal that ended it); a Failure if it goes on."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} did not end within {timeout:g} s") from None

    def kill(self):
        """SIGKILL to the process and to what it forked; returns when it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, timeout=5):
        self.signal(signal.SIGTERM)
        try:
            self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def cpu_seconds(self):
        """User and system time used so far."""
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Ports:
    """Port numbers below the kernel's own range. A locked octet per port, in one file that all test runs of this user
    share, keeps runs beside each other apart; the lock ends with the process at the latest."""
    file = None
    taken = set()   # by this process, for which the locks are no obstacle

    def __init__(self):
        self.mine = []
        if Ports.file is None:
            path = pathlib.Path(tempfile.gettempdir()) / f"pua-e2e-ports.{os.getuid()}.lock"
            Ports.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def take(self):
        for port in random.sample(range(20000, 32000), 500):
            if port in Ports.taken:
                continue
            try:
                fcntl.lockf(Ports.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind((HOST, port))
            except OSError:
                fcntl.lockf(Ports.file, fcntl.LOCK_UN, 1, port)   # no harm where another process holds it
                continue
            Ports.taken.add(port)
            self.mine.append(port)
            return port
        raise Failure("no free port")

    def close(self):
        for port in self.mine:
            fcntl.lockf(Ports.file, fcntl.LOCK_UN, 1, port)
            Ports.taken.discard(port)
        self.mine.clear()


class Context(contextlib.ExitStack):
    """What one test owns. ctx.dir is its folder; closers run in reverse order of making."""

    def __init__(self, name, keep=False):
        super().__init__()
        self.name, self.keep = name, keep
        self.ports = Ports()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"pua-{name[:24]}-"))
        self.processes = []
        self.callback(self._remove)
        self.callback(self.ports.close)

    def _remove(self):
        if self.keep:
            print(f"# kept: {self.dir}", flush=True)
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def start(self, name, argv, **more):
        """A process that is stopped with this context at the latest."""
        process = Process(name, argv, self.dir / f"{name}.log", **more)
        self.processes.append(process)
        self.callback(process.stop)
        return process

    def port(self):
        return self.ports.take()

    def tails(self, lines=15):
        """The last lines of each log, for a failure's report."""
        for log in sorted(self.dir.glob("*.log")):
            text = log.read_text(errors="replace").splitlines()[-lines:]
            if text:
                yield f"--- {log.name}"
                yield from text


def program(name):
    """Path of a built program; a Failure if it was not built."""
    path = BUILD / name
    if not path.exists():
        raise Failure(f"{path} is not built: run make")
    return path


def stop_on_signals():
    """SIGTERM and SIGHUP unwind like ctrl-C, so that everything started is stopped."""
    def unwind(number, _frame):
        raise KeyboardInterrupt(signal.Signals(number).name)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, unwind)


class Suite:
    """Collects tests and prints one line for each: ok, not ok, skip. Exit status 1 if one failed."""

    def __init__(self):
        self.tests = []

    def test(self, function):
        self.tests.append(function)
        return function

    def main(self):
        options = argparse.ArgumentParser(description="End-to-end tests; without names, all.")
        options.add_argument("--keep", action="store_true", help="keep the folder of each test")
        options.add_argument("--list", action="store_true", help="print the names")
        options.add_argument("names", nargs="*")
        args = options.parse_args()
        if args.list:
            print("\n".join(t.__name__ for t in self.tests))
            return 0
        unknown = set(args.names) - {t.__name__ for t in self.tests}
        if unknown:
            options.error(f"no such test: {', '.join(sorted(unknown))}")
        stop_on_signals()
        failed = 0
        try:
            for test in self.tests:
                if not args.names or test.__name__ in args.names:
                    failed += not self._run(test, args.keep)
        except KeyboardInterrupt as why:
            print(f"# interrupted {why}", flush=True)
            return 130
        return 1 if failed else 0

    @staticmethod
    def _run(test, keep):
        begin = time.monotonic()
        with Context(test.__name__, keep) as ctx:
            try:
                test(ctx)
            except Skip as why:
                print(f"skip - {test.__name__}: {why}", flush=True)
                return True
            except Failure as why:
                print(f"not ok - {test.__name__}: {why}", flush=True)
                for line in ctx.tails():
                    print(f"# {line}", flush=True)
                return False
            except Exception as why:  # a broken test is a failed test, and the next one still runs
                print(f"not ok - {test.__name__}: {type(why).__name__}: {why}", flush=True)
                for line in traceback.format_exc().splitlines() + list(ctx.tails()):
                    print(f"# {line}", flush=True)
                return False
        print(f"ok - {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        return True


def main_is(suite):
    sys.exit(suite.main())
