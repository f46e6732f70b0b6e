#!/usr/bin/env python3
"""Where puadbctl and the library must say the same and no test of processes shows it: numbers, names, forms of db_url, the claim on a file,
the way of the journal into the rows. What they say of rows is compared in tests/e2e/puadbctl_e2e.py, of write-ahead logs in
puadb_wal_test.py."""
import contextlib
import io
import os
import pathlib
import random
import re
import shutil
import sqlite3
import sys
import unittest.mock

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/e2e")]
from harness import Suite, check, equal, main_is  # noqa: E402
from library import Library  # noqa: E402
from puadb import cli, config, rules, schema, url  # noqa: E402
from puadb import sqlite_stale_log as stale_log  # noqa: E402
from puadb.database import Problem  # noqa: E402
from puadb.sqlite_db import SqliteDb  # noqa: E402

suite = Suite()


def refused(call, *arguments):
    """What the Problem says; empty: there was none."""
    try:
        call(*arguments)
    except Problem as why:
        return str(why)
    return ""


# --- numbers and names -------------------------------------------------------------------------------------------------


@suite.test
def the_version_of_the_schema_and_the_bounds_of_rows_are_the_same(ctx):
    words = Library(ctx).ask("numbers").split()
    equal({name: int(value) for name, value in zip(words[::2], words[1::2])},
          {"schema": schema.VERSION, "id": rules.MAX_ID, "uri": rules.MAX_URI, "token": rules.MAX_TOKEN, "routes": rules.MAX_ROUTES}, "numbers")
    for kind in ("sqlite", "mysql"):
        text = (ROOT / "db" / kind / "pua-create.sql").read_text()
        written = re.findall(r"\('pua', (\d+)\)|table_version = (\d+)", text)
        equal({int(one or other) for one, other in written}, {schema.VERSION}, f"what db/{kind} writes into table version")
    check(schema.VERSION in schema.SAME_ROWS and not set(schema.FOREIGN) & set(schema.SAME_ROWS), "versions that dumps may have")


@suite.test
def the_text_of_the_sources_names_the_same_octets_events_and_defaults(ctx):
    def number(file, name):
        return int(re.search(rf"\b{name} = (\w+);", (ROOT / "src" / file).read_text())[1], 0)

    equal(number("store/sqlite_claim.cpp", "kOurOctet"), stale_log.OUR_OCTET, "the octet of the claim")
    equal(number("store/sqlite_stale_log.cpp", "kOpenOctet"), stale_log.OPEN_OCTET, "the octet of who has a log open")
    equal(number("store/sqlite_stale_log.cpp", "kMostAside"), stale_log.MOST_ASIDE, "logs that are kept")
    events = re.findall(r'^ +\{(\d+), "([^"]+)", [k"]', (ROOT / "src/events/registry.cpp").read_text(), re.MULTILINE)
    equal({int(bit): name for bit, name in events}, rules.EVENTS, "events")
    settings = (ROOT / "src/config/settings.h").read_text()
    for name in ("db_url", "db_table", "db_socket", "db_tls_ca"):
        found = re.search(rf'std::string {name}(?: = "([^"]*)")?;', settings)
        equal(found[1] or "", config.DEFAULTS[name], f"default of {name}")
    choices = re.search(r'\.name = "db_tls",[^\n]*\.choices = "([^"]*)"', (ROOT / "src/config/settings_table.cpp").read_text())
    equal(tuple(choices[1].split("|")), config.TLS, "values of db_tls")


@suite.test
def the_same_names_of_tables_are_taken(ctx):
    library = Library(ctx)
    for name in ("pua", "_x9", "PUA_2", "x" * 60, "x" * 61, "", "9a", "a b", 'a"b', "a;drop table pua", "a'b", "pua-2", "version", "Version",
                 "sqlite_x", "SQLite_x", "sqlite", "j\u00f6rg", "pua_", "a\u0301", "versions"):
        equal("no" if refused(schema.check_table_name, name) else "yes", library.ask("table", name), f"table {name!r}")


@suite.test
def the_same_forms_of_db_url_are_taken(ctx):
    library = Library(ctx)

    def ours(text):
        try:
            place = url.parse(text.decode("utf-8", "surrogateescape"))
        except Problem as why:
            return "memory" if "memory:" in str(why) and text.lower() == b"memory:" else "refused"
        if isinstance(place, url.SqliteUrl):
            return f"sqlite {place.path}"
        return (f"mysql user {place.user} password {place.password} database {place.database}"
                + "".join(f" host {name} {port}" for name, port in place.hosts))

    for text in ("sqlite:///a/b", "sqlite:////a/b", "sqlite:///a b%20?c#d", "SQLite:///a", "memory:", "sqlite:x", "sqlite://x", "sqlite:///",
                 "sqlite:///x/", "sqlite:/x", "sqlite:", "sqlite:///a\nb", "sqlite://///a", "mysql://u:p@h/d", "MySQL://u:p@h/d", "mysql://h/d",
                 "mysql://u@h/d", "mysql://u:@h/d", "mysql://u:p@h1,h2:3307/d", "mysql://u:p@h1:1,h2/d", "mysql://u:p@[::1]:3306/d", "mysql://u:p@[::1]/d",
                 "mysql://u:p@a@b/c@h/d", "mysql://u%40x:p%2f%25@h/d%20e", "mysql:u:p@h/d", "mysql://u:p@h", "mysql://u:p@h/", "mysql://u:p@/d",
                 "mysql://u:p@h:0/d", "mysql://u:p@h:99999/d", "mysql://u:p@h:65535/d", "mysql://u:p@a,,b/d", "mysql://u:p@,a/d", "mysql://u:p@a,/d",
                 "mysql://u:p%4@h/d", "mysql://u:p%zz@h/d", "mysql://:p@h/d", "mysql://u:p@h/d/e", "mysql://u:p@h:/d",
                 "mysql://u:p@h:x/d", "mysql://u:p@h:+1/d", "mysql://u:p@[::1/d", "mysql://u:p@::1/d", "mysql://u:p@[]/d", "mysql://@h/d",
                 "postgres://u:p@h/d", "x", "", ":", "mysql://u:p:q@h/d", "mysql://u:p@h:000001/d",
                 "mysql://:@h/d", "mysql://u:p@h h/d", "mysql://u:p@j\u00f6rg/d", "mysql://u:p@fe80::1%eth0/d", "mysql://u:p@[fe80::1%eth0]/d",
                 "mysql://u:p@h/a?b", "mysql://u:p@h/a%2fb", "mysql://u:p@h/a%60b", f"mysql://u:p@h/{'d' * 64}", f"mysql://u:p@h/{'d' * 65}",
                 f"mysql://u:p@{'h' * 255}/d", f"mysql://u:p@{'h' * 256}/d", "mysql://j\u00f6%c3%b6:p@h/d", "mysql://u:p@h_1-2.x/d"):
        equal(ours(text.encode()), library.ask("url", text.encode().hex()), f"URL {text!r}")


@suite.test
def a_mistake_of_puadbctl_itself_is_no_finding(ctx):
    said = io.StringIO()
    with contextlib.redirect_stderr(said), unittest.mock.patch.object(cli, "place_of", side_effect=ValueError("odd")):
        equal(cli.main(["check", "--url", "sqlite:///x"], ROOT / "db", ctx.dir / "none", "0"), cli.CANNOT, "status")
    check("ValueError: odd" in said.getvalue(), said.getvalue())


# --- the claim on a file -----------------------------------------------------------------------------------------------


def made(ctx, name):
    """A file with the tables in it."""
    path = ctx.dir / name
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript((ROOT / "db/sqlite/pua-create.sql").read_text())
    return path


@suite.test
def each_keeps_the_other_out_of_a_file_by_its_name_and_by_the_file_itself(ctx):
    library = Library(ctx)

    def without_its_lock(path):
        pathlib.Path(f"{path}.lock").unlink()
        return path

    def under_another_name(path):
        other = path.with_name("link.db")
        other.hardlink_to(path)
        return other

    for name, spoil, says in (("named.db", lambda path: path, "in use by process {}"),
                              ("unlocked.db", without_its_lock, "in use by another process"),
                              ("linked.db", under_another_name, "in use by another process")):
        path = made(ctx, name)
        equal(library.ask("hold", path), "held", name)
        said = refused(SqliteDb, url.SqliteUrl(str(spoil(path))), True)
        check(says.format(library.process.pid) in said, f"{name}: puadbctl says {said!r}")
        check(stale_log.is_owned(path), f"{name}: nobody seems to have it")
        equal(library.ask("hold", made(ctx, f"other-{name}")), "held", "another file")
        check(not stale_log.is_owned(path), f"{name}: somebody seems to have it")
    path = made(ctx, "back.db")
    with SqliteDb(url.SqliteUrl(str(path)), True):
        equal(library.ask("hold", path), f"{path}: in use by process {os.getpid()}", "what the library says")
        pathlib.Path(f"{path}.lock").unlink()
        said = library.ask("hold", path)
        check("in use by another process, under another name" in said, f"the library says {said!r}")
    equal(library.ask("hold", path), "held", "after puadbctl")


# --- the journal -------------------------------------------------------------------------------------------------------


def fold(path):
    with SqliteDb(url.SqliteUrl(str(path)), True) as db, db.transaction() as change:
        db.fold(change, "pua")
    return "0 lines left"


def contents(path, table):
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.text_factory = bytes
        return db.execute(f"SELECT * FROM {table} ORDER BY id").fetchall()


@suite.test
def both_fold_the_same_journal_into_the_same_rows(ctx):
    """Rows and lines by chance: several lines of a row, older than the row, equal to it, of rows that are gone."""
    library, chance = Library(ctx), random.Random(12)
    for turn in range(10):
        path = made(ctx, f"{turn}.db")
        with contextlib.closing(sqlite3.connect(path)) as db, db:
            for number in range(1, 30):
                db.execute("INSERT INTO pua (id, pres_uri, event, flag, etag, call_id, body, record_version, owner_epoch, node, "
                           "expires, updated_at) VALUES (?, ?, 1, 64, ?, 'c', 'x', ?, ?, ?, 100, 200)",
                           (number, f"sip:p{number}@x", f"old{number}", *(chance.randint(0, 3) for _ in range(3))))
            for seq in sorted(chance.sample(range(1, 500), 60)):
                db.execute("INSERT INTO pua_journal VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                           (seq, chance.randint(1, 35), seq, seq + 1, chance.choice((None, f"e{seq}")), f"c{seq}", chance.choice((None, "f")), seq,
                            *(chance.randint(0, 3) for _ in range(3)), seq + 2, chance.randint(0, 1), seq + 3))
        by_library, wanted, before = ctx.dir / f"{turn}-library.db", contents(path, "pua_rows"), contents(path, "pua")
        shutil.copyfile(path, by_library)
        equal(library.ask("fold", by_library), fold(path), f"turn {turn}")
        check(wanted != before, f"turn {turn}: nothing was to be folded")
        for folded in (by_library, path):
            check(contents(folded, "pua_journal") == [], f"turn {turn}: lines are left in {folded.name}")
            check(contents(folded, "pua_rows") == wanted, f"turn {turn}: {folded.name} has other rows than the view has shown before")
        check(contents(by_library, "pua") == contents(path, "pua"), f"turn {turn}: other rows")


main_is(suite)
