#!/usr/bin/env python3
"""A SQLite file and its write-ahead log that others have touched: killed checkpoints, copies of both or of one of them, links.

What was reported as durable before is there after a SIGKILL, and what was removed stays away; where a copy was brought back while
puad was dead, exactly what the copy holds is there. No log is ever played into a file that it does not go on from, whatever the lock file
says.
"""
import os
import shutil
import time

from harness import Suite, check, equal, main_is, wait_for
from sqlite_life import Life

suite = Suite()


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
        life.writes_all()
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
