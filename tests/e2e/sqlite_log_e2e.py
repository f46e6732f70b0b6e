#!/usr/bin/env python3
"""A SQLite file and its write-ahead log that others have touched: killed checkpoints, copies of both or of one of them, links.

What was reported as durable before is there after a SIGKILL, and what was removed stays away; where a copy was brought back while
puad was dead, exactly what the copy holds is there. No log is ever played into a file that it does not go on from, whatever the lock file
says.
"""
import contextlib
import os
import shutil
import sqlite3
import struct
import time

from esc import Esc
from harness import Suite, check, equal, main_is, wait_for
from puad import Puad, pidf

suite = Suite()
PAGE = 4096


def uri(name):
    return f"sip:{name}@example.com"


class Life:
    """A puad, what it has said to be durable, and its files."""

    def __init__(self, ctx, name="life"):
        self.dir = ctx.dir / name
        self.dir.mkdir()
        self.puad = Puad(ctx, Esc(ctx).uri, name=name)
        self.db = self.dir / "puad.db"
        self.wal = self.dir / "puad.db-wal"
        self.puad.set("pua", db_url=f"sqlite:///{self.db}")
        self.name, self.starts, self.wanted, self.control = name, 0, set(), None

    def start(self):
        self.starts += 1
        self.puad.name = f"{self.name}{self.starts}"      # a log of its own
        self.puad.start()
        self.control = self.puad.control()
        self.control.wait_loaded()

    def publish(self, *names):
        for name in names:
            wait_for(lambda n=name: self.control.publish(uri(n), pidf(uri(n), n * 60), -1)["durable"], 10, f"{name} is durable")
            self.wanted.add(uri(name))

    def remove(self, *names):
        for name in names:
            check(self.control.remove(uri(name))["durable"], f"the removal of {name} is not durable")
            self.wanted.discard(uri(name))

    def fill(self):
        """Rows, some of them in the file already, and some in the log alone."""
        self.publish(*(f"a{i}" for i in range(40)))
        with contextlib.closing(sqlite3.connect(self.db)) as other:
            other.execute("PRAGMA wal_checkpoint(RESTART)")
        time.sleep(0.5)                                   # that is looked at
        self.publish(*(f"b{i}" for i in range(5)))
        self.remove("a0", "a1")

    def records(self):
        return sorted(r["uri"] if "uri" in r else r["presentity_uri"] for r in self.control.list(kind="publication"))

    def notices(self, what):
        """... that something else stands there, and has made it equal to what it knows."""
        wait_for(lambda: "record stands for are removed" in self.puad.log(), 15, f"{what}: it is noticed", step=0.01)
        wait_for(lambda: self.control.call("pua_stats", {"pattern": "store_backlog"})["store_backlog"] == 0, 10, "all is written", step=0.01)

    def is_whole(self, what, wanted=None):
        """After a SIGKILL."""
        self.puad.sigkill()
        self.start()
        equal(self.records(), sorted(self.wanted if wanted is None else wanted), what)
        with contextlib.closing(sqlite3.connect(self.db)) as other:
            equal(other.execute("PRAGMA integrity_check").fetchall(), [("ok",)], f"{what}: integrity")

    def copy(self, into):
        """As puad.8 wants it: the file, and its log."""
        into.mkdir()
        for f in (self.db, self.wal):
            shutil.copy(f, into)

    def older(self, sql, into):
        into.mkdir()
        with contextlib.closing(sqlite3.connect(self.db)) as other:
            if sql:
                other.execute(sql.format(into / "puad.db"))
            else:
                with contextlib.closing(sqlite3.connect(into / "puad.db")) as to:
                    other.backup(to)

    def half_a_checkpoint(self, part):
        """What a checkpoint leaves that is killed: the first pages of the log, in their order, are in the file."""
        log, pages = self.wal.read_bytes(), {}
        for at in range(32, len(log) - PAGE - 23, PAGE + 24):
            if log[at + 8:at + 16] != log[16:24]:
                break
            pages[struct.unpack(">I", log[at:at + 4])[0]] = log[at + 24:at + 24 + PAGE]
        with self.db.open("r+b") as f:
            for number in sorted(pages)[:max(1, int(len(pages) * part))]:
                f.seek((number - 1) * PAGE)
                f.write(pages[number])


@suite.test
def a_killed_checkpoint_of_another_program_costs_nothing(ctx):
    for part in (0.1, 0.5, 0.9):
        life = Life(ctx, f"dead{int(part * 10)}")
        life.start()
        life.fill()
        life.puad.sigkill()
        life.half_a_checkpoint(part)
        life.is_whole(f"killed at {part} of it")
        life.puad.terminate()


@suite.test
def a_killed_checkpoint_of_another_program_costs_nothing_while_puad_runs(ctx):
    life = Life(ctx)
    life.start()
    life.fill()
    for turn in range(3):
        life.half_a_checkpoint(0.5)
        life.publish(f"c{turn}")
        life.remove(f"b{turn}")
    check("is not the one that was written to" not in life.puad.log(), life.puad.log()[-500:])
    life.is_whole("after three of them")
    life.puad.terminate()


@suite.test
def a_copy_of_file_and_log_is_the_truth_with_its_log(ctx):
    """Over both of them after a SIGKILL: the inodes, and the note in the lock file, are those of the life that was killed."""
    life = Life(ctx)
    life.start()
    life.fill()
    life.copy(ctx.dir / "copy")
    truth = set(life.wanted)
    life.publish(*(f"d{i}" for i in range(60)))
    life.remove("a2", "b0")
    life.puad.sigkill()
    for f in (life.db, life.wal):
        shutil.copyfile(ctx.dir / "copy" / f.name, f)
    life.is_whole("what the copy holds", truth)
    check(not os.path.exists(f"{life.wal}.stale"), "its log was set aside")
    life.puad.terminate()


@suite.test
def no_log_is_played_into_an_older_copy_whatever_the_lock_file_says(ctx):
    lock = "puad.db.lock"
    for n, spoil in enumerate((lambda p: p.unlink(), lambda p: p.write_text(""), lambda p: p.write_text(p.read_text().replace("boot ", "boot 0")))):
        life = Life(ctx, f"older{n}")
        life.start()
        life.fill()
        life.older("", ctx.dir / f"copy{n}")
        truth = set(life.wanted)
        life.publish(*(f"d{i}" for i in range(60)))
        life.remove("a2", "b0")
        life.puad.sigkill()
        spoil(life.dir / lock)
        shutil.copyfile(ctx.dir / f"copy{n}/puad.db", life.db)
        life.is_whole("what the copy holds", truth)
        check(os.path.exists(f"{life.wal}.stale"), "no log was set aside")
        life.puad.terminate()


@suite.test
def where_the_log_cannot_be_set_aside_puad_does_not_start(ctx):
    life = Life(ctx)
    life.start()
    life.fill()
    life.older("", ctx.dir / "copy")
    life.publish(*(f"d{i}" for i in range(60)))
    life.puad.sigkill()
    shutil.copyfile(ctx.dir / "copy/puad.db", life.db)
    for n in range(1, 11):
        (life.dir / f"puad.db-wal.stale{n if n > 1 else ''}/x").mkdir(parents=True)
    before = life.db.read_bytes(), life.wal.read_bytes()
    life.puad.start(ready=False)
    equal(life.puad.process.wait(5), 1, "exit status")
    check(f"move {life.wal} away by hand" in life.puad.log(), life.puad.log()[-500:])
    check(before == (life.db.read_bytes(), life.wal.read_bytes()), "something was changed")


@suite.test
def a_copy_over_file_and_log_is_noticed_while_puad_runs(ctx):
    """In place, so that inodes and sizes stay: the file first, the log first, the log alone."""
    for n, order in enumerate((("puad.db", "puad.db-wal"), ("puad.db-wal", "puad.db"), ("puad.db-wal",))):
        life = Life(ctx, f"both{n}")
        life.start()
        life.fill()
        life.copy(ctx.dir / f"copy{n}")
        life.remove("a3", "a4", "b1")
        life.publish("late")
        for name in order:
            with (life.dir / name).open("r+b") as f:
                f.write((ctx.dir / f"copy{n}" / name).read_bytes())
        life.notices(order)
        life.publish("later")
        life.remove("b2")
        life.is_whole(f"{order}")
        life.puad.terminate()


@suite.test
def a_log_that_comes_after_its_file_is_not_played_into_what_puad_made_of_that(ctx):
    life = Life(ctx)
    life.start()
    life.fill()
    life.copy(ctx.dir / "copy")
    life.remove("a3", "b1")
    (ctx.dir / "copy/puad.db").replace(life.db)
    life.publish(*(f"d{i}" for i in range(60)))
    (ctx.dir / "copy/puad.db-wal").replace(life.wal)
    life.publish("late")
    life.remove("b2")
    life.is_whole("file, then log")
    life.puad.terminate()


@suite.test
def a_copy_with_the_same_rows_on_other_pages_is_another_file(ctx):
    for alive in (False, True):
        life = Life(ctx, f"vacuum{int(alive)}")
        life.start()
        life.publish(*(f"a{i}" for i in range(60)))
        life.remove(*(f"a{i}" for i in range(0, 60, 2)))
        time.sleep(0.3)
        life.older("VACUUM INTO '{}'", ctx.dir / f"copy{int(alive)}")
        if not alive:
            life.puad.sigkill()
        shutil.copyfile(ctx.dir / f"copy{int(alive)}/puad.db", life.db)
        if alive:
            life.notices("the copy")
            life.publish("late")
            life.remove("a1")
        life.is_whole("as before")
        life.puad.terminate()


@suite.test
def a_link_that_is_turned_to_another_place_is_noticed(ctx):
    life = Life(ctx)
    (life.dir / "v1").mkdir()
    (life.dir / "now").symlink_to("v1")
    life.db = life.dir / "now/puad.db"
    life.puad.set("pua", db_url=f"sqlite:///{life.db}")
    life.start()
    life.publish("a", "b", "c")
    life.older("", life.dir / "v2")
    life.remove("a")
    (life.dir / "next").symlink_to("v2")
    (life.dir / "next").replace(life.dir / "now")
    life.notices("the copy")
    life.publish("d")
    life.remove("b")
    life.is_whole("in the new place")
    life.puad.terminate()


@suite.test
def why_a_copy_is_not_opened_is_said_once(ctx):
    life = Life(ctx)
    life.start()
    life.publish("a", "b")
    life.older("", ctx.dir / "copy")
    life.remove("a")
    with life.db.open("r+b"):                             # as a sqlite3 shell has it
        shutil.copyfile(ctx.dir / "copy/puad.db", life.db)
        wait_for(lambda: "somebody has it open for writing" in life.puad.log(), 10, "it is said", step=0.01)
        time.sleep(1)
        equal(life.puad.log().count("somebody has it open for writing"), 1, "lines")
    life.notices("when it is closed")
    life.publish("c")
    life.is_whole("then")
    life.puad.terminate()


main_is(suite)
