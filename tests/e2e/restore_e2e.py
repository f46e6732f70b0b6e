#!/usr/bin/env python3
"""Backup and restore beside a running puad: by mariadb-dump and a cold copy, by cp and mv. The table becomes what puad knows.

Each round takes a copy before this life of puad, within it, or after the one before, changes and removes what the copy holds, brings the
copy back while puad runs, and kills puad once the copy was noticed and outdone, ten times at ten moments. Then what was reported as
durable is there, and what was removed stays away.
"""
import contextlib
import filecmp
import itertools
import os
import shutil
import sqlite3
import subprocess
import time

from esc import Esc
from harness import Suite, check, equal, main_is, wait_for
from mariadb import MariaDb, tool
from db_load import SCHEMA
from puad import Puad, note_of, pidf

suite = Suite()
ROUNDS = 10
DONE = "rows of the table that no record stands for are removed"
WHEN = ("before", "within", "after")


def uri(name):
    return f"sip:{name}@example.com"


class Sqlite:
    def __init__(self, ctx, puad, way):
        self.path, self.copy, self.way = puad.db, ctx.dir / "copy.db", way

    def take(self):
        """The file alone, as cp has it; what its log holds may be missing."""
        shutil.copy(self.path, self.copy)

    def bring_back(self):
        if self.way == "mv":
            self.copy.replace(self.path)
            return True
        other = not filecmp.cmp(self.copy, self.path, shallow=False)   # else all that was written since is in the log, and stays
        shutil.copy(self.copy, self.path)
        return other

    def rows(self):
        """What the next puad will find."""
        with contextlib.closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            return dict(db.execute("SELECT pres_uri, CAST(body AS TEXT) FROM pua_rows WHERE desired_expires <> 1"))


class Dump:
    def __init__(self, ctx, server):
        self.server, self.file = server, ctx.dir / "copy.sql"

    def _run(self, program, *arguments, **more):
        done = subprocess.run([program, "--no-defaults", f"--socket={self.server.socket}", "--user=root", *arguments], timeout=30, check=False,
                              stderr=subprocess.PIPE, **more)
        equal(done.returncode, 0, f"{program}: {done.stderr[-300:]}")

    def take(self):
        with self.file.open("wb") as out:
            self._run(tool("mariadb-dump", "mysqldump"), "--single-transaction", "--hex-blob", "presence", stdout=out)

    def bring_back(self):
        with self.file.open("rb") as text:
            self._run(tool("mariadb", "mysql"), "presence", stdin=text, stdout=subprocess.DEVNULL)
        return True

    def rows(self):
        return {u: bytes.fromhex(b or "").decode() for u, b in
                self.server.sql("SELECT pres_uri, HEX(body) FROM pua WHERE desired_expires <> 1", "presence")}


class Cold(Dump):
    """The folder of a server that was stopped."""

    def take(self):
        self.server.stop()
        shutil.rmtree(self.file, ignore_errors=True)
        shutil.copytree(self.server.data, self.file)
        self.server.start()

    def bring_back(self):
        self.server.stop()
        shutil.rmtree(self.server.data)
        shutil.copytree(self.file, self.server.data)
        self.server.start()
        return True


def rounds(ctx, puad, store, count=ROUNDS):
    wanted, number, when = {}, itertools.count(), itertools.cycle(WHEN)
    control = None

    def publish(name):
        body = pidf(uri(name), f"{name}-{next(number)}")
        wait_for(lambda: control.publish(uri(name), body, -1)["durable"], 10, f"{name} is durable")
        wanted[uri(name)] = note_of(body)

    def remove(name):
        check(control.remove(uri(name))["durable"], f"the removal of {name} is not durable")
        del wanted[uri(name)]

    def start():
        nonlocal control
        puad.name = f"puad{next(number)}"      # a log of its own
        puad.start()
        control = puad.control()
        control.wait_loaded()

    start()
    publish("kept")
    for turn, moment in zip(range(count), when):
        if moment == "before":
            puad.terminate()
            store.take()
            start()
        publish("kept")
        publish(f"lamp{turn}")
        if moment == "within":
            store.take()
        elif moment == "after":
            puad.sigkill()
            store.take()
            start()
        publish("kept")
        remove(f"lamp{turn}")
        publish(f"new{turn}")
        if turn:
            remove(f"new{turn - 1}")
        other = store.bring_back()
        if turn % 2:                 # else it is noticed where nothing is written
            publish("kept")
        if other:
            wait_for(lambda: DONE in puad.log(), 15, f"round {turn} ({moment}): the copy is noticed", step=0.005)
        wait_for(lambda: control.call("pua_stats", {"pattern": "store_backlog"})["store_backlog"] == 0, 10, "all is written", step=0.005)
        time.sleep(turn * 0.01)
        puad.sigkill()
        start()
        found = {r["uri"] if "uri" in r else r["presentity_uri"] for r in control.list(kind="publication")}
        equal(sorted(found), sorted(wanted), f"round {turn} ({moment}): records")
        equal({u: note_of(b) for u, b in store.rows().items()}, wanted, f"round {turn} ({moment}): rows")
    puad.terminate()


@suite.test
def sqlite_by_mv(ctx):
    puad = Puad(ctx, Esc(ctx).uri)
    rounds(ctx, puad, Sqlite(ctx, puad, "mv"))


@suite.test
def sqlite_by_cp(ctx):
    puad = Puad(ctx, Esc(ctx).uri)
    rounds(ctx, puad, Sqlite(ctx, puad, "cp"))


def with_mariadb(ctx):
    server = MariaDb(ctx)
    server.create_database()
    server.sql(SCHEMA, "presence")
    return server, Puad(ctx, Esc(ctx).uri, db_url=server.url(), update_period=1)


@suite.test
def mariadb_by_mariadb_dump(ctx):
    server, puad = with_mariadb(ctx)
    rounds(ctx, puad, Dump(ctx, server))


@suite.test
def mariadb_by_a_cold_copy(ctx):
    server, puad = with_mariadb(ctx)
    rounds(ctx, puad, Cold(ctx, server), 4)


@suite.test
def killed_before_the_copy_was_noticed_puad_starts_on_what_is_there(ctx):
    """Nobody knows better then; but no log of one file is played into another one."""
    for way in ("mv", "cp"):
        puad = Puad(ctx, Esc(ctx).uri, name=f"early-{way}")
        store = Sqlite(ctx, puad, way)
        for turn in range(5):
            puad.name = f"early-{way}{turn}"
            puad.start()
            control = puad.control()
            control.wait_loaded()
            control.publish(uri("a"), pidf(uri("a"), f"a{turn}"), -1)
            puad.terminate()
            store.take()
            puad.start()
            for n in range(5):
                control.publish(uri(f"n{n}"), pidf(uri(f"n{n}"), "n"), -1)
            store.bring_back()
            puad.sigkill()
            puad.start()
            control.wait_loaded()
            check(f"a{turn}" in store.rows()[uri("a")], "what the copy holds is not there")
            puad.sigkill()
            puad.db.unlink()


@suite.test
def a_second_puad_gets_in_neither_by_a_hard_link_nor_without_the_lock_file(ctx):
    first = Puad(ctx, Esc(ctx).uri).start()
    (ctx.dir / "other.db").hardlink_to(first.db)
    first.db.with_name(first.db.name + ".lock").unlink()
    for number, db in enumerate((ctx.dir / "other.db", first.db)):
        second = Puad(ctx, first.settings["pua", "outbound_proxy"], name=f"second{number}", db_url=f"sqlite://{db}")
        second.start(ready=False)
        equal(second.process.wait(5), 1, "exit status")
        check("in use by another process" in second.log(), second.log()[-300:])
    check(first.control().publish(uri("a"), pidf(uri("a"), "1"), -1)["durable"], "not durable")


@suite.test
def an_index_that_is_cut_off_costs_nothing_that_was_durable(ctx):
    """The file that ends in -shm is memory: whoever reaches for a part that is gone is ended by the kernel."""
    puad = Puad(ctx, Esc(ctx).uri).start()
    control = puad.control()
    wanted = {}
    for n in range(20):
        wanted[uri(f"n{n}")] = "n"
        check(control.publish(uri(f"n{n}"), pidf(uri(f"n{n}"), "n"), -1)["durable"], f"n{n} is not durable")
    check(control.remove(uri("n7"))["durable"], "the removal is not durable")
    del wanted[uri("n7")]
    os.truncate(f"{puad.db}-shm", 0)
    wait_for(lambda: control.publish(uri("late"), pidf(uri("late"), "n"), -1)["durable"], 10, "it is durable again")
    check("the index of its write-ahead log (-shm) was" in puad.log(), puad.log()[-500:])
    wanted[uri("late")] = "n"
    puad.sigkill()
    puad.name = "again"
    puad.start()
    control = puad.control()
    control.wait_loaded()
    found = {r["uri"] if "uri" in r else r["presentity_uri"] for r in control.list(kind="publication")}
    equal(sorted(found), sorted(wanted), "records")
    puad.terminate()


@suite.test
def memory_is_never_durable(ctx):
    control = Puad(ctx, Esc(ctx).uri, db_url="memory:").start().control()
    equal([control.publish(uri("a"), pidf(uri("a"), "1"), -1)["durable"], control.remove(uri("a"))["durable"]], [False, False], "durable")
    equal(control.stats()["completed_not_durable"], 0, "completed_not_durable")


main_is(suite)
