#!/usr/bin/env python3
"""puadbctl and the library judge a write-ahead log beside a SQLite file alike: the same files, made octet by octet or by SQLite itself, are
shown to both."""
import contextlib
import os
import pathlib
import random
import re
import shutil
import sqlite3
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/e2e")]
from harness import Skip, Suite, check, equal, main_is  # noqa: E402
from library import Library  # noqa: E402
from puadb import sqlite_stale_log as stale_log  # noqa: E402
from puadb.database import Problem  # noqa: E402
from puadb.sqlite_wal import Line, Log, fit  # noqa: E402

suite = Suite()
PAGE = 1024
A, B, C = ("%016x" % mark for mark in (0xaa, 0xbb, 0xcc))


def line(mark, number, rest=" 77.4"):
    """A line of a mark; 77.4: how the pages are laid out."""
    return f"{mark} {number}{rest}"


# --- logs and files made octet by octet, as in tests/store/wal_image.h -------------------------------------------------


def first_page(number=77, cookie=4, size=PAGE):
    page = bytearray(PAGE)
    page[:16] = b"SQLite format 3\0"
    struct.pack_into(">H", page, 16, size)
    struct.pack_into(">I", page, 40, cookie)
    struct.pack_into(">I", page, 60, number)
    return bytes(page)


def varint(number):
    return bytes([0x80 | number >> 7, number & 0x7f]) if number >= 128 else bytes([number])


def meta_page(text):
    """A leaf of the meta table: some other value, and the line; none where the text is empty."""
    page, at, cells = bytearray(PAGE), PAGE, []
    page[0] = 0x0a
    for name, value in ((b"clock", b"1700000000"), *([(b"writes", text.encode())] if text else ())):
        kinds = varint(13 + 2 * len(name)) + varint(12 + 2 * len(value))
        record = varint(len(kinds) + 1) + kinds + name + value
        cell = varint(len(record)) + record
        at -= len(cell)
        page[at:at + len(cell)] = cell
        cells.append(at)
    struct.pack_into(f">H3x{len(cells)}H", page, 3, len(cells), *cells)
    return bytes(page)


class WalImage:
    def __init__(self, big=False, salt=7):
        self.order, self.sum = ">" if big else "<", (0, 0)
        head = struct.pack(">IIIIII", 0x377f0683 if big else 0x377f0682, 3007000, PAGE, 0, salt, salt + 1)
        self._add(head)
        self.octets = head + struct.pack(">II", *self.sum)

    def frame(self, number, page, commit):
        head = struct.pack(">II", number, 10 if commit else 0)
        self._add(head)
        self._add(page)
        self.octets += head + self.octets[16:24] + struct.pack(">II", *self.sum) + page
        return self

    def write(self, text, page=5):
        """A transaction of puad's: some row, and the line."""
        return self.frame(9, b"r" * PAGE, False).frame(page, meta_page(text), True)

    def _add(self, octets):
        a, b = self.sum
        words = struct.unpack(f"{self.order}{len(octets) // 4}I", octets)
        for i in range(0, len(words), 2):
            a = (a + words[i] + b) % 2 ** 32
            b = (b + words[i + 1] + a) % 2 ** 32
        self.sum = a, b


def counts(first, last, rest=" 77.4"):
    image = WalImage()
    for number in range(first, last + 1):
        image.write(line(A, number, rest))
    return image


def file_of(pages):
    """The octets of a file with these pages, by number; the others hold nothing of ours."""
    return b"".join(pages.get(number, bytes(PAGE)) for number in range(1, max(pages, default=0) + 1))


class Both:
    """The two judges."""

    def __init__(self, ctx):
        self.cpp, self.file, self.log = Library(ctx), ctx.dir / "file", ctx.dir / "log"

    def say(self, file, log, what):
        """What both find, the same."""
        self.file.write_bytes(file)
        self.log.write_bytes(log)
        found = Log.read(self.log)

        def read(at, n):
            return file[at:at + n] if at + n <= len(file) else None

        ours = f"{fit(found, read).value}: {found}"
        equal(ours, self.cpp.ask("log", self.file, self.log), what)
        return ours

    def fits(self, file, image, what):
        return self.say(file, image.octets, what).partition(":")[0]


# --- the line ----------------------------------------------------------------------------------------------------------


@suite.test
def the_same_lines_are_read(ctx):
    library = Library(ctx)
    good = [line(A, 7, ""), line(A, 7), line(A, 1, " 4294967295.0 after -"), line(B, 1) + " after " + line(A, 7, "") + " after -",
            line(A, 2 ** 64 - 1), line("F" * 16, 7), line(A, "0" * 40 + "7")]
    bad = ["", "7", A, f"{A} ", f"{A} x", "aa 7", line(A, 7, " "), line(A, 7, " 77"), line(A, 7, " 77."), line(A, 7, " 77.4 "),
           line(A, 7, " 77.4 after "), line(A, 7, " 77.4 after x"), line(A, 7, " after -"), line(A, 7, " 99999999999.4"),
           line(A, 2 ** 64), line(A, "9" * 6000), line(A, -7), line(A, "+7"), line(A + "0", 7), line("0x" + A[2:], 7), line(A, 7) + "\n",
           line(A, 7, " 77.4294967296"), line(A, 7) + " after " + line(B, 2 ** 64, ""), line(A, "\u0667")]
    for text in good + bad:
        read = Line.of(text.encode())
        equal(str(read) if read else "none", library.ask("line", text.encode().hex()), text)
        equal(bool(read), text in good, text)


@suite.test
def what_a_line_may_follow(ctx):
    def follows(text, before):
        return Line.of(text.encode()).may_follow(Line.of(before.encode()).at if before else None)

    check(follows(line(A, 7), line(A, 6)), "the one before")
    check(not follows(line(A, 7), line(A, 7)), "itself")
    check(not follows(line(A, 7), line(B, 6)), "another mark")
    check(not follows(line(A, 7), ""), "none")
    check(follows(line(B, 1) + " after " + line(A, 7, ""), line(A, 7)), "the one that it names")
    check(not follows(line(B, 1) + " after " + line(A, 7, ""), line(A, 6)), "one before that")
    check(follows(line(B, 1) + " after -", ""), "none, as it says")
    check(not Line.of(line(A, 0, "").encode()).before_known(), "an older program's first one")


# --- the log -----------------------------------------------------------------------------------------------------------


@suite.test
def the_same_frames_count(ctx):
    both, file = Both(ctx), file_of({1: first_page(), 5: meta_page(line(A, 7))})
    runs = f"run 5: {A} 7-8, run 6: {B} 1-1"
    for big in (False, True):
        image = WalImage(big).write(line(A, 7)).write(line(A, 8)).write(line(B, 1) + " after -", 6)
        check(f": 6 frames, {runs}, first 5" in both.say(file, image.octets, f"big {big}"), runs)
    whole = WalImage().write(line(A, 7)).write(line(A, 8)).octets
    for cut in (*range(1, PAGE + 24, 100), 2 * (PAGE + 24), len(whole) - 20, len(whole)):
        both.say(file, whole[:-cut], f"{cut} octets are cut off")
    for at in range(0, len(whole), 7):
        both.say(file, whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:], f"a bit of octet {at}")
    both.say(file, WalImage().write(line(A, 7)).frame(5, meta_page(line(A, 8)), False).octets, "no commit follows")
    both.say(file, b"", "nothing")


@suite.test
def what_is_remembered_has_the_same_bound(ctx):
    image = WalImage()
    for n in range(300):
        image.frame(5 + n, meta_page(line(A, n, f" {n}.1")), True)
    check("too_many" in Both(ctx).say(file_of({1: first_page(0, 1)}), image.octets, "300 pages"), "more than it remembers")


@suite.test
def no_log_and_one_that_cannot_be_read(ctx):
    library = Library(ctx)
    (ctx.dir / "file").write_bytes(first_page())
    check(library.ask("log", ctx.dir / "file", ctx.dir / "none").endswith(": 0 frames"), "the library has found a log")
    equal(Log.read(ctx.dir / "none").frames, 0, "frames of no log")
    equal(library.ask("log", ctx.dir / "file", ctx.dir), "cannot be read", "a folder")
    with contextlib.suppress(OSError):
        Log.read(ctx.dir)
        check(False, "a folder was read")


# --- whether it belongs ------------------------------------------------------------------------------------------------


@suite.test
def by_what_the_file_says(ctx):
    both = Both(ctx)
    from_7_to_9 = counts(7, 9)
    a_new_mark = WalImage().write(line(B, 1) + " after " + line(A, 6, "")).write(line(B, 2))
    old = WalImage().write(line(A, 0, "")).write(line(A, 1, ""))
    within = WalImage().write(line(A, 7)).frame(1, first_page(77, 5), True).write(line(A, 8, " 77.5"))
    before = WalImage().frame(1, first_page(77, 5), True).write(line(A, 7, " 77.5"))
    for what, wanted, log, text, layout in (
            ("right before the log: nothing is folded", "belongs", from_7_to_9, line(A, 6), (77, 4)),
            ("within it: a checkpoint, whole or killed", "belongs", from_7_to_9, line(A, 8), (77, 4)),
            ("at its end: all is folded", "belongs", from_7_to_9, line(A, 9), (77, 4)),
            ("an older copy", "foreign", from_7_to_9, line(A, 5), (77, 4)),
            ("the log is the older one", "foreign", from_7_to_9, line(A, 10), (77, 4)),
            ("of another life", "foreign", from_7_to_9, line(C, 8), (77, 4)),
            ("no line there", "unsure", from_7_to_9, "", (77, 4)),
            ("VACUUM: the same line, another cookie", "foreign", from_7_to_9, line(A, 8), (77, 5)),
            ("a dump: no number of ours", "foreign", from_7_to_9, line(A, 8), (0, 4)),
            ("of the connection before, which a new one goes on from", "belongs", a_new_mark, line(A, 6), (77, 4)),
            ("... and an older one of it", "foreign", a_new_mark, line(A, 5), (77, 4)),
            ("... and the new one", "belongs", a_new_mark, line(B, 1), (77, 4)),
            ("a log of an older program", "unsure", old, line(A, 1, ""), (0, 4)),
            ("... whose first line says nothing of what was before", "unsure", old, line(C, 5, ""), (0, 4)),
            ("... whose first line does", "foreign", WalImage().write(line(A, 3, "")), line(C, 5, ""), (0, 4)),
            ("the schema was changed within: the old cookie", "belongs", within, line(A, 7), (77, 4)),
            ("... the new cookie", "belongs", within, line(A, 7), (77, 5)),
            ("... a third one", "foreign", within, line(A, 7), (77, 6)),
            ("the schema was changed before", "unsure", before, line(A, 6), (77, 4)),
            ("no line of ours", "unsure", WalImage().frame(1, first_page(77, 5), True), line(A, 6), (77, 4))):
        equal(both.fits(file_of({1: first_page(*layout), 5: meta_page(text)}), log, what), wanted, what)


@suite.test
def by_pages_that_were_moved_and_heads_that_are_none(ctx):
    both, image = Both(ctx), WalImage().write(line(A, 7)).write(line(A, 8) + " after -", 6)
    pages = {1: first_page(), 5: meta_page(line(A, 6))}
    for page, wanted in ((None, "belongs"), (b"r" * PAGE, "belongs"), (meta_page(line(C, 1)), "foreign")):
        equal(both.fits(file_of(pages | ({6: page} if page else {})), image, "another page of lines"), wanted, f"{(page or b'')[:8]}")
    for octets, wanted in ((b"", "foreign"), (b"x" * PAGE, "no database"), (first_page()[:50], "no database"),
                           (first_page(size=2 * PAGE), "foreign"), (first_page(size=1), "foreign"), (first_page(size=700), "no database")):
        equal(both.fits(octets, counts(7, 9), f"a file that begins with {octets[:20]}"), wanted, f"a file of {len(octets)} octets")


@suite.test
def whatever_octets_stand_there(ctx):
    """Pages and files with octets changed by chance: both find the same, and nothing ends."""
    both, chance = Both(ctx), random.Random(18)
    for turn in range(400):
        pages = []
        for _ in range(chance.randint(1, 6)):
            text = line(chance.choice((A, B)), chance.randint(0, 4), chance.choice(("", " 77.4", " 77.5 after -", f" 77.4 after {A} 2")))
            page = bytearray(chance.choice((meta_page(text), first_page(77, chance.randint(4, 5)), meta_page(""))))
            for _ in range(chance.choice((0, 0, 1, 3))):
                place = chance.choice((chance.randrange(PAGE), chance.randrange(16), PAGE - 1 - chance.randrange(80)))
                page[place] = chance.choice((0, 1, 0x7f, 0x80, 0xff, chance.randrange(256)))
            pages.append(bytes(page))
        image = WalImage(chance.random() < 0.3)
        for page in pages:
            image.frame(1 if page.startswith(b"SQLite") else chance.randint(0, 7), page, chance.random() < 0.7)
        file = file_of({1: first_page(), **{chance.randint(2, 6): page for page in pages}})
        both.say(file, image.octets, f"turn {turn}")


# --- what SQLite itself leaves -----------------------------------------------------------------------------------------


class Life:
    """A database that is written to as puad does it, with a copy of file and log whenever one is wanted."""

    def __init__(self, ctx, name="life", mark=A):
        self.path, self.mark, self.number = ctx.dir / f"{name}.db", mark, 0
        self.db = sqlite3.connect(self.path, isolation_level=None)
        ctx.callback(self.db.close)
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; PRAGMA user_version = 77;"
                              + (ROOT / "db/sqlite/pua-create.sql").read_text())
        self.write(1)

    def write(self, *ids):
        """Row after row, each with the line; negative: it is removed."""
        for number in ids:
            self.db.execute("BEGIN")
            self.db.execute("DELETE FROM pua WHERE id = ?", (abs(number),))
            if number > 0:
                self.db.execute("INSERT INTO pua (id, pres_uri, event, flag, body) VALUES (?, ?, 1, 64, ?)", (number, f"sip:p{number}@x", b"x" * 900))
            cookie, = self.db.execute("PRAGMA schema_version").fetchone()
            after = "" if self.number else " after -"
            self.number += 1
            self.db.execute("INSERT OR REPLACE INTO pua_meta VALUES ('writes', ?)", (line(self.mark, self.number, f" 77.{cookie}{after}"),))
            self.db.execute("COMMIT")

    def checkpoint(self):
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def file(self):
        return self.path.read_bytes()

    def log(self):
        return pathlib.Path(f"{self.path}-wal").read_bytes()

    def vacuumed(self, ctx, name):
        self.db.execute(f"VACUUM INTO '{ctx.dir / name}'")
        return (ctx.dir / name).read_bytes()


def pages_of(log):
    """The last content of each page in a log."""
    size = int.from_bytes(log[8:12], "big")
    return {int.from_bytes(log[at:at + 4], "big"): log[at + 24:at + 24 + size] for at in range(32, len(log) - size, size + 24)}


def with_pages(file, pages, count):
    """What a checkpoint leaves that is killed after so many pages."""
    octets = bytearray(file)
    for number in sorted(pages)[:count]:
        size = len(pages[number])
        octets.extend(bytes(max(0, number * size - len(octets))))
        octets[(number - 1) * size:number * size] = pages[number]
    return bytes(octets)


def situations(ctx):
    """(what it is, the file, the log that lies beside it, whether it is set aside, the rows that are there then)"""
    life, other = Life(ctx), Life(ctx, "other", B)
    life.write(2, 3)
    yield "all is in the log", b"", life.log(), True, None
    life.checkpoint()
    older, rows = life.file(), [1, 2, 3]
    yield "no log", older, None, False, rows
    life.write(4, 5, -1)
    log, rows = life.log(), [2, 3, 4, 5]
    yield "the log of this file", older, log, False, rows
    pages = pages_of(log)
    for count in range(len(pages) + 1):
        yield f"a checkpoint that was killed after {count} pages", with_pages(older, pages, count), log, False, rows
    yield "the log is torn in its last frame", older, log[:-100], False, None
    vacuumed = life.vacuumed(ctx, "vacuumed")
    yield "the same rows on other pages", vacuumed, log, True, rows
    life.checkpoint()
    life.write(6)
    yield "an older copy", older, life.log(), True, [1, 2, 3]
    yield "an older log", life.file(), log, False, None       # it goes on from an older state, and ends where this file begins
    newer = life.file()
    life.checkpoint()
    yield "a log that is older than the file", life.file(), log, True, [2, 3, 4, 5, 6]
    check(newer != life.file(), "the checkpoint has changed nothing")
    other.write(7, 8)
    other.checkpoint()
    other.write(9)
    yield "the log of another file", life.file(), other.log(), True, [2, 3, 4, 5, 6]
    yield "a log of which a page of the file is damaged", life.file()[:4096] + b"\xff" * 4096 + life.file()[8192:], other.log(), True, None
    with contextlib.closing(sqlite3.connect(ctx.dir / "stranger.db", isolation_level=None)) as stranger:
        stranger.executescript("PRAGMA journal_mode = WAL; CREATE TABLE t (a, b); CREATE INDEX i ON t (b); CREATE INDEX k ON t (a, b)")
        stranger.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 500) for n in range(200)])
        strange = pathlib.Path(f"{ctx.dir / 'stranger.db'}-wal").read_bytes()
        yield "a log of another program", life.file(), strange, None, None
    yield "no database", b"x" * 8192, log, None, None


NOTES = ("none", "this file", "this file, written to", "of another boot", "something else")


def note_of(kind, path):
    """What the lock file may say, in the words of puad."""
    now = stale_log.Note.now(path)
    boot = now.boot.decode() if kind != "of another boot" else "00000000-0000"
    text = (f"file {now.id[0]} {now.id[1]} size {now.size} changed {now.changed} status {now.status} "
            f"folding {int(kind == 'this file, written to')} boot {boot}")
    return {"none": "", "something else": "1 something"}.get(kind, text)


def left_in(folder):
    """What stands in a folder, by name: the octets; not those of an index."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if not path.name.endswith("-shm")}


def rows_in(path):
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [number for number, in db.execute("SELECT id FROM pua ORDER BY id")]


def open_as_puadbctl(path, note):
    handle = os.open(path, os.O_RDWR)
    try:
        return stale_log.set_aside(str(path)) if stale_log.is_foreign(str(path), stale_log.Note.of(note.encode()), handle) else ""
    except Problem as why:
        return str(why)
    finally:
        os.close(handle)


@suite.test
def both_do_the_same_with_what_sqlite_leaves(ctx):
    library, seen = Library(ctx), 0
    for n, (what, file, log, aside, rows) in enumerate(situations(ctx)):
        for kind in NOTES:
            said, left = [], []
            for who in ("library", "puadbctl"):
                folder = ctx.dir / f"{n}-{NOTES.index(kind)}-{who}"
                folder.mkdir()
                path = folder / "pua.db"
                path.write_bytes(file)
                if log is not None:
                    pathlib.Path(f"{path}-wal").write_bytes(log)
                note = note_of(kind, path)
                text = library.ask("aside", path, note) if who == "library" else open_as_puadbctl(path, note)
                said.append(text.replace(str(folder), ""))
                left.append(left_in(folder))
            equal(said[1], said[0], f"{what}, note {kind}: what is said")
            check(left[0] == left[1], f"{what}, note {kind}: {[(name, len(octets)) for side in left for name, octets in side.items()]}")
            if aside is not None:
                equal("pua.db-wal.stale" in left[1], aside, f"{what}, note {kind}: a log that was set aside")
                check(left[1]["pua.db"] == file, f"{what}, note {kind}: the file was changed")
            if rows is not None:
                equal(rows_in(path), rows, f"{what}, note {kind}: rows")
            shutil.rmtree(folder)
            seen += 1
    check(seen >= 80, f"only {seen} situations")


@suite.test
def the_note_of_the_lock_file_is_read_as_it_is_written(ctx):
    library, path = Library(ctx), ctx.dir / "file"
    path.write_bytes(b"x")
    text = library.ask("note", path)
    equal(stale_log.Note.of(text.encode()), stale_log.Note.now(path), "the note")
    equal(note_of("this file", path), text, "its words")

    def untouched(note, wanted, what):
        equal(stale_log.Note.of(note.encode()).untouched(path), wanted, what)
        equal(library.ask("untouched", path, note), "yes" if wanted else "no", what)

    folding = text.replace("folding 0", "folding 1")
    untouched(text, True, "as it was")
    untouched(re.sub("boot .*", "boot 0", text), False, "another boot")
    untouched("", False, "no note")
    untouched(text.partition(" boot")[0], False, "half a note")
    for change in (lambda: os.utime(path, ns=(0, 0)), lambda: path.write_bytes(b"xy")):
        change()
        untouched(text, False, "it was touched")
        untouched(folding, True, "puad was writing to it")
        text = library.ask("note", path)
    path.rename(ctx.dir / "kept")
    path.write_bytes(b"xy")
    untouched(folding, False, "another file")


@suite.test
def ten_logs_are_kept(ctx):
    library, left = Library(ctx), []
    for who in ("library", "puadbctl"):
        folder = ctx.dir / who
        folder.mkdir()
        path = folder / "pua.db"
        path.write_bytes(file_of({1: first_page(), 5: meta_page(line(A, 5))}))
        for number in range(1, 11):
            name = pathlib.Path(f"{path}-wal.stale{number if number > 1 else ''}")
            name.write_text(str(number))
            os.utime(name, (1000 * number if number != 7 else 10,) * 2)
        pathlib.Path(f"{path}-wal").write_bytes(counts(7, 9).octets)
        said = library.ask("aside", path, "") if who == "library" else open_as_puadbctl(path, "")
        check(said.endswith("set aside as " + str(path) + "-wal.stale7"), said)
        left.append(left_in(folder))
    check(left[0] == left[1], "other logs are kept")


def open_log_of_another_file(ctx):
    """An older copy was written over a file whose log this process has open."""
    life = Life(ctx)
    older = life.file()
    life.write(2)
    life.checkpoint()
    life.write(3)
    life.path.write_bytes(older)
    return life


def puadbctl_sets_aside(life, around=()):
    """What it says. Locks of a process are no obstacle to itself: this is another one."""
    script = ("import sys\nsys.path.insert(0, sys.argv[1])\nfrom puadb import sqlite_stale_log\n"
              "try: print(sqlite_stale_log.set_aside(sys.argv[2]))\nexcept Exception as why: print(why)")
    return subprocess.run([*around, sys.executable, "-c", script, str(ROOT / "scripts"), str(life.path)], capture_output=True, text=True,
                          check=False, timeout=20).stdout.strip()


def who_has_it_open(ctx, life, around=()):
    """What both say."""
    before = life.log()
    ours = puadbctl_sets_aside(life, around)
    check(life.log() == before, f"puadbctl has changed the log: {ours}")
    equal(ours, Library(ctx, around).ask("aside", life.path, ""), "what both say")
    check(life.log() == before, "the library has changed the log")
    return ours


@suite.test
def a_log_that_somebody_has_open_is_left(ctx):
    said = who_has_it_open(ctx, open_log_of_another_file(ctx))
    check(f"process {os.getpid()} has it open: end that first" in said, said)


@suite.test
def a_log_is_left_where_nobody_can_tell_who_has_it_open(ctx):
    life = open_log_of_another_file(ctx)
    index = pathlib.Path(f"{life.path}-shm")
    index.unlink()
    index.symlink_to(index)                   # root may read whatever can be opened
    said = who_has_it_open(ctx, life)
    check(f"and its index {index} cannot be looked at: Too many levels of symbolic links" in said, said)
    check(index.is_symlink(), "the index was removed")


@suite.test
def what_stands_in_the_place_of_the_index_holds_up_nobody(ctx):
    life = open_log_of_another_file(ctx)
    index = pathlib.Path(f"{life.path}-shm")
    index.unlink()
    os.mkfifo(index)
    said = puadbctl_sets_aside(life)
    check(said.endswith(f"set aside as {life.path}-wal.stale"), said)


@suite.test
def a_log_that_a_process_of_another_container_has_open_is_left(ctx):
    around = ["unshare", "--pid", "--fork"]
    if subprocess.run([*around, "true"], capture_output=True, check=False).returncode:
        raise Skip("needs the right to make a namespace of processes")
    said = who_has_it_open(ctx, open_log_of_another_file(ctx), around)
    check("another process has it open: end that first" in said, said)


main_is(suite)
