#!/usr/bin/env python3
"""The disk under the database is full: SIP goes on, completions tell it, and everything is written when there is space."""
import contextlib
import os
import resource
import signal
import sqlite3
import subprocess
import time

from esc import Esc
from harness import HOST, Suite, check, equal, main_is, wait_for
from kamailio import Kamailio
from puad import Puad, note_of, pidf, publish_params

suite = Suite()
FILLER = "<!-- " + "x" * 2000 + " -->"


class TinyDisk:
    """A filesystem of 1 MB of its own, for root."""

    def __init__(self, ctx):
        self.path = ctx.dir / "disk"
        self.path.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", self.path], capture_output=True).returncode:
            raise OSError("no mount")
        ctx.callback(subprocess.run, ["umount", "-l", self.path], capture_output=True)
        self.preexec = None

    def make_space(self, _pid):
        subprocess.run(["mount", "-o", "remount,size=64m", self.path], check=True)


class FileLimit:
    """The same effect without rights: no file of the process may grow beyond 700 KB."""

    def __init__(self, ctx):
        self.path = ctx.dir / "disk"
        self.path.mkdir(exist_ok=True)

    @staticmethod
    def preexec():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, resource.RLIM_INFINITY))

    @staticmethod
    def make_space(pid):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def full_disk(ctx):
    try:
        disk = TinyDisk(ctx) if os.geteuid() == 0 else FileLimit(ctx)
    except OSError:
        disk = FileLimit(ctx)
    print(f"# {type(disk).__name__}", flush=True)
    return disk


def uri(n):
    return f"sip:u{n}@example.com"


def document(n, mark):
    return pidf(uri(n), f"{mark}{n}").replace("</presence>", FILLER + "</presence>")


def publish(control, numbers, mark):
    """Publishes these; returns those whose answer said durable."""
    open_requests = {control.submit("pua_publish", publish_params(uri(n), document(n, mark), 86400)): n for n in numbers}
    durable = set()
    for request, n in open_requests.items():
        answer = control.wait(request, 20)
        check("result" in answer, f"u{n} failed: {answer.get('error')}")
        if answer["result"]["durable"]:
            durable.add(n)
    return durable


def fill(control, step=50, most=2000):
    """Publishes until the disk is full: two steps without a durable answer. Returns (all, durable)."""
    count, durable, dry = 0, set(), 0
    while dry < 2:
        check(count < most, f"{most} publications of 2 KB fit into 1 MB")
        done = publish(control, range(count, count + step), "first")
        count += step
        durable |= done
        dry = 0 if done else dry + 1
    return count, durable


@suite.test
def sip_goes_on_and_the_backlog_drains_when_there_is_space(ctx):
    disk, server = full_disk(ctx), Kamailio(ctx)
    puad = Puad(ctx, server.uri, update_period=1)
    puad.set("pua", db_url=f"sqlite:///{disk.path}/puad.db")
    puad.start(preexec=disk.preexec)
    control = puad.control()
    count, durable = fill(control)
    equal(len(server.rows()), count, "publications at the server")
    print(f"# {count} published, {len(durable)} durable", flush=True)
    equal(publish(control, range(10), "second"), set(), "changes on a full disk that claim to be durable")
    equal({note_of(server.one(f"u{n}").body) for n in range(10)}, {f"second{n}" for n in range(10)}, "documents")
    stats = control.stats()
    check(stats["store_backlog"] > 0 and stats["store_errors"] > 0 and stats["completed_not_durable"] > 0,
          f"the counters do not tell it: {[stats[k] for k in ('store_backlog', 'store_errors', 'completed_not_durable')]}")
    log = puad.log()
    check("full" in log.lower(), "the log does not say what is wrong")
    check(log.count("\n") < 200, f"{log.count(chr(10))} lines in the log")

    disk.make_space(puad.process.pid)
    began = time.monotonic()
    wait_for(lambda: control.stats()["store_backlog"] == 0, 15, "the backlog drains")
    print(f"# drained {time.monotonic() - began:.1f} s after there was space", flush=True)
    equal(publish(control, range(10, 20), "third"), set(range(10, 20)), "durable answers with space")
    puad.sigkill()
    etags = {r.uri: r.etag for r in server.rows()}
    puad.start()
    equal({r["presentity_uri"]: r["etag"] for r in puad.control().list()}, etags, "records after SIGKILL and restart")


@suite.test
def killed_on_a_full_disk_nothing_durable_is_lost(ctx):
    disk, server = full_disk(ctx), Kamailio(ctx)
    puad = Puad(ctx, server.uri, update_period=1)
    puad.set("pua", db_url=f"sqlite:///{disk.path}/puad.db")
    puad.start(preexec=disk.preexec)
    count, durable = fill(puad.control())
    puad.sigkill()
    with sqlite3.connect(f"file:{disk.path}/puad.db?mode=ro", uri=True) as db:
        rows = dict(db.execute("select pres_uri, etag from pua_rows"))
    db.close()
    etags = {r.uri: r.etag for r in server.rows()}
    equal([n for n in durable if rows.get(uri(n)) != etags[uri(n)]][:5], [], f"durable ones of {count} not in the table")
    puad.start(preexec=disk.preexec)
    listed = {r["presentity_uri"] for r in puad.control().list()}
    equal([n for n in durable if uri(n) not in listed][:5], [], "durable ones not loaded, still on a full disk")


@suite.test
def room_that_comes_back_is_first_for_what_is_in_the_log(ctx):
    """Rows of the journal that are folded into their pages go through SQLite's log: that must not eat the room that it needs itself."""
    if os.geteuid() != 0:
        print("skip - room_that_comes_back_is_first_for_what_is_in_the_log: no mount", flush=True)
        return
    disk, esc = TinyDisk(ctx), Esc(ctx)
    subprocess.run(["mount", "-o", "remount,size=16m", disk.path], check=True)
    puad = Puad(ctx, esc.uri, db_url=f"sqlite:///{disk.path}/puad.db").start()
    control = puad.control()
    people = [f"sip:p{n}@{HOST}" for n in range(500)]

    def refresh(seconds):
        """Refreshes as fast as they are answered, so many are durable."""
        durable, end, at = 0, time.monotonic() + seconds, 0
        while time.monotonic() < end:
            some = [control.submit("pua_publish", publish_params(people[(at + n) % 500], None, 86400)) for n in range(50)]
            at += 50
            durable += sum(control.wait(one, 20)["result"]["durable"] for one in some)
        return durable

    for person in people:
        control.submit("pua_publish", publish_params(person, pidf(person, "first"), 86400))
    wait_for(lambda: control.stats()["store_rows_written"] >= 500, 20, "all are written")
    check(refresh(2) > 0, "no refresh is durable")
    with open(disk.path / "other", "wb", buffering=0) as other:
        with contextlib.suppress(OSError):
            while other.write(b"x" * 4096):
                pass
    refresh(2)
    wait_for(lambda: "the disk is full" in puad.log(), 10, "the disk is full")
    (disk.path / "other").unlink()
    wait_for(lambda: refresh(0.2) > 0, 15, "refreshes are durable again")
    refresh(2)
    log = (disk.path / "puad.db-wal").stat().st_size
    check(log < 4 << 20, f"SQLite's log has {log / (1 << 20):.1f} MB")
    control.call("pua_flush")
    puad.terminate()


main_is(suite)
