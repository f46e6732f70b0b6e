#!/usr/bin/env python3
"""puadbctl and the write-ahead log that a killed puad has left beside its SQLite file: played in where it belongs to the file there, set
aside where it does not, as a start of puad does it; then puad goes on from exactly those rows."""
import contextlib
import shutil
import sqlite3

from harness import Suite, check, equal, main_is
from places import expect
from sqlite_life import Life

suite = Suite()


def url(life):
    return f"sqlite://{life.db}"


def stale(life):
    return sorted(path.name for path in life.dir.glob("puad.db-wal.stale*"))


def rows(life):
    """Who is in the table, as whoever opens it now finds it."""
    with contextlib.closing(sqlite3.connect(life.db)) as db:
        equal(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)], "integrity")
        return sorted(uri for uri, in db.execute("SELECT pres_uri FROM pua_rows"))


def killed(ctx, name):
    """A life that was killed with a log; and, in a folder, a copy of the file from before the last of it. Returns what that holds, too."""
    life = Life(ctx, name)
    life.start()
    life.fill()
    life.older("", ctx.dir / f"{name}-copy")
    truth = set(life.wanted)
    life.publish(*(f"d{i}" for i in range(40)))
    life.remove("a2", "b0")
    life.puad.sigkill()
    check(life.wal.stat().st_size > 0, "puad has left no log")
    return life, ctx.dir / f"{name}-copy/puad.db", truth


def lock_note(life):
    return (life.dir / "puad.db.lock").read_text().partition("\n")[2]


@suite.test
def the_log_of_a_killed_puad_is_played_in(ctx):
    life, _, _ = killed(ctx, "life")
    noted = lock_note(life)
    check(noted.startswith("file ") and " folding " in noted, f"puad has noted {noted!r}")
    expect(0, "create", "--url", url(life), holds="there already")
    equal(lock_note(life), noted, "what puad has noted, after puadbctl")
    equal(rows(life), sorted(life.wanted), "after a command that has nothing to write")
    life.start()
    life.publish("late")
    life.remove("a3")
    life.puad.sigkill()
    expect(0, "downgrade", "--url", url(life))
    expect(0, "upgrade", "--url", url(life))
    equal(rows(life), sorted(life.wanted), "after commands that write")
    equal(stale(life), [], "logs that were set aside")
    life.is_whole("then")
    life.puad.terminate()


@suite.test
def a_killed_checkpoint_and_a_copy_with_its_log_cost_nothing(ctx):
    life, _, _ = killed(ctx, "half")
    life.half_a_checkpoint(0.5)
    expect(0, "downgrade", "--url", url(life))
    expect(0, "upgrade", "--url", url(life))
    equal(rows(life), sorted(life.wanted), "half of the log was in the file")
    life, _, _ = killed(ctx, "both")
    life.copy(ctx.dir / "copy")
    for file in (life.db, life.wal):                      # other inodes, other times
        file.unlink()
        shutil.copyfile(ctx.dir / "copy" / file.name, file)
    expect(0, "create", "--url", url(life))
    equal(rows(life), sorted(life.wanted), "file and log were copied")
    equal(stale(life), [], "logs that were set aside")


@suite.test
def the_log_is_not_played_into_an_older_copy_whatever_the_lock_file_says(ctx):
    for n, (command, spoil) in enumerate((("create", lambda lock: None), ("downgrade", lambda lock: lock.unlink()),
                                          ("downgrade", lambda lock: lock.write_text("")))):
        life, copy, truth = killed(ctx, f"older{n}")
        spoil(life.dir / "puad.db.lock")
        log = life.wal.read_bytes()
        shutil.copyfile(copy, life.db)
        expect(0, command, "--url", url(life), holds=f"puadbctl: {life.db}: the write-ahead log there belongs to another file than this "
               f"one: set aside as {life.wal}.stale\n")
        equal(stale(life), ["puad.db-wal.stale"], "logs that were set aside")
        check((life.dir / "puad.db-wal.stale").read_bytes() == log, "it is not the one that was there")
        if command == "downgrade":
            expect(0, "upgrade", "--url", url(life))
        equal(rows(life), sorted(truth), "rows after it")
        life.is_whole("what the copy holds", truth)
        equal(stale(life), ["puad.db-wal.stale"], "logs after a start of puad")
        life.puad.terminate()


@suite.test
def the_log_of_another_database_is_not_played_in(ctx):
    life, _, _ = killed(ctx, "ours")
    other, _, _ = killed(ctx, "other")
    expect(0, "create", "--url", url(life))               # the log is in the file now
    shutil.copyfile(other.wal, life.wal)
    expect(0, "downgrade", "--url", url(life), holds="set aside as")
    expect(0, "upgrade", "--url", url(life))
    equal(rows(life), sorted(life.wanted), "rows")
    # A file that is not there yet: SQLite would throw the log away.
    life.db.unlink()
    shutil.copyfile(other.wal, life.wal)
    expect(0, "create", "--url", url(life), holds=[f"set aside as {life.wal}.stale2", "table pua made"])
    equal(rows(life), [], "rows of a new table")


@suite.test
def commands_that_only_read_show_no_rows_of_another_file(ctx):
    life, copy, truth = killed(ctx, "life")
    shutil.copyfile(copy, life.db)
    before = {path.name: path.read_bytes() for path in life.dir.glob("puad.db*")}
    for command in (["check"], ["dump"], ["migrate", "--from", "opensips", "--dry-run"]):
        expect(2, *command, "--url", url(life), holds=["the write-ahead log there belongs to another file than this one: puad sets it aside",
                                                       f"move {life.wal} away by hand"])
    check(before == {path.name: path.read_bytes() for path in life.dir.glob("puad.db*")}, "something was changed")
    life.wal.rename(ctx.dir / "away")
    dump = expect(0, "dump", "--url", url(life))
    for uri in ("a2@", "b0@"):
        check(f"sip:{uri}example.com".encode().hex().upper() in dump, f"{uri} is not in the dump of the copy")
    check(b"sip:d1@example.com".hex().upper() not in dump, "a row of the log is in the dump of the copy")
    # A log that belongs there, and one that puad is writing to, are read.
    life.start()
    life.publish("late")
    expect(0, "check", "--url", url(life))
    equal(dump.count("\n") + 1, expect(0, "dump", "--url", url(life)).count("\n"), "lines of a dump beside puad")
    life.puad.sigkill()
    before = life.db.read_bytes(), life.wal.read_bytes()
    expect(0, "check", "--url", url(life), holds=f"{len(truth) + 1} rows")
    check(before == (life.db.read_bytes(), life.wal.read_bytes()), "a look has changed the file or its log")


@suite.test
def where_the_log_cannot_be_set_aside_nothing_is_done(ctx):
    life, copy, _ = killed(ctx, "life")
    shutil.copyfile(copy, life.db)
    for n in range(1, 11):
        (life.dir / f"puad.db-wal.stale{n if n > 1 else ''}/x").mkdir(parents=True)
    before = life.db.read_bytes(), life.wal.read_bytes()
    expect(2, "downgrade", "--url", url(life), holds=[f"cannot be set aside as {life.wal}.stale", f"move {life.wal} away by hand"])
    check(before == (life.db.read_bytes(), life.wal.read_bytes()), "something was changed")


main_is(suite)
