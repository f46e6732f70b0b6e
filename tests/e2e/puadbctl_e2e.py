#!/usr/bin/env python3
"""puadbctl: tables made, checked, removed and upgraded, on SQLite and MariaDB."""
import itertools
import re
import subprocess
import time

from esc import Esc
from harness import HOST, ROOT, Failure, Suite, check, equal, main_is, wait_for
from mariadb import MariaDb
from places import MariaPlace, SqlitePlace, create_text, expect, insert, make_old_table, make_place, on_both
from puad import Puad, pidf

suite = Suite()
both = on_both(suite)

NOW = int(time.time())


def publication(number, **more):
    return {"id": number, "pres_uri": b"sip:p%d@example.com" % number, "event": 1, "flag": 64, "expires": NOW + 600,
            "desired_expires": NOW + 3600, "etag": b"a.1", **more}


def subscription(number, **more):
    return {"id": number, "pres_uri": b"sip:s%d@example.com" % number, "event": 1, "flag": 256, "expires": NOW + 600,
            "desired_expires": 0, "watcher_uri": b"sip:w@example.com", "call_id": b"c%d" % number, "to_tag": b"t",
            "from_tag": b"f", "cseq": 5, "contact": b"sip:w@192.0.2.1", "remote_contact": b"sip:n@192.0.2.2", **more}


# What the library leaves aside, by the column that its log names.
BAD_PUBLICATIONS = [("flag", 0), ("expires", -1), ("desired_expires", 10 ** 12), ("pres_uri", b"alice"),
                    ("pres_uri", b"sip:a b@x"), ("pres_uri", b"sip:a@x:65536"), ("pres_uri", b"sip:a@x?y=1"),
                    ("pres_uri", b"sip:%s@x"), ("pres_uri", b"sip:a@x^"), ("pres_uri", b"sip:a@x:y"), ("pres_uri", b"sip:a@x;y@z"),
                    ("pres_uri", b"sip:a@b@c"), ("pres_uri", b"sip:a@[::1"), ("pres_uri", b"tel:a@b"),
                    ("pres_uri", "sip:a@\u00e9".encode()),
                    ("pres_uri", b"sip:" + b"a" * 1015 + b"@xyz.example"),
                    ("pres_id", b"a\nb"), ("etag", b"a\nb"), ("tuple_id", b"\x7f"), ("content_type", b"a\0b"),
                    ("extra_headers", b"X: 1"), ("extra_headers", b"Event: presence\r\n"), ("extra_headers", b"no colon\r\n"),
                    ("outbound_proxy", b"http://x")]
BAD_SUBSCRIPTIONS = [("watcher_uri", b"w"), ("to_uri", b"x"), ("contact", b"<sip:x>"), ("remote_contact", b"sip:"),
                     ("target", b"sip:a@;x"), ("outbound_proxy", b"mailto:x"), ("event_id", b"a;b"), ("call_id", b"a\r\nb"),
                     ("from_tag", b"a b"), ("to_tag", b"\xff"), ("to_tag", b"a;b"),
                     ("record_route", b"<sip:a;lr>\r\n"), ("pres_id", b"\x01")]
GOOD = [publication(1), subscription(2), publication(6, pres_uri=b"sip:a%2f;b@[::1]:5060;x=%41"),
        publication(7, pres_uri=b"sip:a\\b{@x"),
        publication(3, pres_uri=b"tel:+49123", extra_headers=b"X-A : b\tc\r\nx:\r\n", etag=None),
        publication(4, pres_uri="PRES:j\u00f6rg@e".encode(), pres_id=b"a b'\"\xff", call_id=b"a\r\n"),
        *(publication(10 + n, pres_uri=uri) for n, uri in enumerate((b"sip:@x", b"sip:a%41^@x", b"tel:%41", b"sip:;a@x", b"sip:a?b@x"))),
        subscription(5, pres_uri=b"sips:host", to_tag=b"[2001:db8::1]@x",
                     call_id=b"<a b>@x", record_route=b"<sip:p;lr>, <sip:q;lr>", event_id=b"e1")]


def bad_rows(first):
    makers = [(publication, pair) for pair in BAD_PUBLICATIONS] + [(subscription, pair) for pair in BAD_SUBSCRIPTIONS]
    return [(column, maker(first + n, **{column: value})) for n, (maker, (column, value)) in enumerate(makers)]


# --- tables ----------------------------------------------------------------------------------------------------------


@both
def tables_are_made_checked_and_removed(ctx, place):
    expect(2, "check", "--url", f"sqlite://{ctx.dir}/none.db", holds="no such file")
    expect(0, "create", "--url", place.url, holds="table pua made")
    expect(0, "create", "--url", place.url, holds="there already")
    expect(0, "create", "--url", place.url, "--table", "other")
    journal = ["_journal"] if place.kind == "sqlite" else []
    equal(place.tables(), sorted([*(name + end for name in ("other", "pua") for end in ("", "_meta", *journal)), "version"]), "tables")
    equal(place.rows("SELECT table_name, table_version FROM version ORDER BY 1"), [["other", "12"], ["pua", "12"]], "versions")
    for table in ("pua", "other"):
        expect(0, "check", "--url", place.url, "--table", table, holds="no findings")
    insert(place, "pua", publication(1))
    expect(0, "check", "--url", place.url, holds="1 rows, no findings")
    expect(1, "drop", "--url", place.url, stdin="y\n", holds=["with 1 rows?", "nothing done"])
    expect(0, "drop", "--url", place.url, stdin="yes\n", holds="removed")
    equal(place.tables(), ["other", *("other" + end for end in journal), "other_meta", "version"], "tables left")
    equal(place.rows("SELECT table_name FROM version"), [["other"]], "versions left")
    expect(2, "drop", "--url", place.url, "--yes", holds="there is no table pua")
    expect(1, "check", "--url", place.url, holds="there is no table pua")
    if place.kind == "sqlite":
        place.run("DROP VIEW other_rows")       # whatever is left of the journal goes, too
    expect(0, "drop", "--url", place.url, "--table", "other", "--yes")
    equal(place.tables(), ["version"], "tables left")


@both
def the_version_table_of_another_program_is_used_as_it_is(ctx, place):
    for fork, version in (("opensips", "9"), ("kamailio", "7")):
        make_old_table(place, fork)
        for command in ("create", "drop", "upgrade", "dump", "load") if fork == "opensips" else ["drop"]:
            expect(2, command, "--url", place.url, *(["--yes"] if command == "drop" else []),
                   stdin=f"-- puadbctl dump 1: table pua, schema version 12, from {place.kind}\n", holds="table pua")
        expect(1, "check", "--url", place.url, holds=[f"version {version}", "migrate"])
        expect(0, "create", "--url", place.url, "--table", "pua11")
        expect(0, "check", "--url", place.url, "--table", "pua11")
        expect(0, "drop", "--url", place.url, "--table", "pua11", "--yes")
        equal(place.rows("SELECT table_name, table_version FROM version ORDER BY 1"), [["presentity", "5"], ["pua", version]],
              "versions")
        place.run("DROP TABLE pua; DROP TABLE version")


@suite.test
def a_half_made_table_is_completed_mariadb(ctx):
    place = make_place(ctx, "mysql")
    place.run(create_text("mysql").partition("-- Small values")[0])
    expect(1, "check", "--url", place.url, holds=["no row for pua", "pua_meta"])
    expect(0, "create", "--url", place.url, holds="made")
    expect(0, "check", "--url", place.url)


def setup_of_the_manual():
    """(what the administrator of the server runs, what gives puad its rights), with the users coming from everywhere."""
    text = (ROOT / "man" / "puadbctl.8").read_text().partition(".Sh SETTING UP MARIADB")[2].partition("\n.Sh ")[0]
    text = re.sub(r"@('192[^']*'|localhost\b(?!/))", "@'%'", text)
    statements = re.findall(r"^(?:CREATE|GRANT) [^;]*;", text, re.MULTILINE)
    return statements[:4], statements[4:]


@suite.test
def it_tells_its_version(ctx):
    header = re.search(r'PUA_VERSION_STRING "(.*)"', (ROOT / "include/pua/pua.h").read_text()).group(1)
    for option in ("-V", "--version"):
        equal(expect(0, option), f"puadbctl {header}\n", option)


@suite.test
def the_rights_that_the_manual_gives_are_enough_for_puad_and_for_puadbctl(ctx):
    server, esc = MariaDb(ctx), Esc(ctx)
    first, rights = setup_of_the_manual()
    equal((len(first), len(rights)), (4, 3), "statements in the manual")

    def url(user, number):
        return f"mysql://{user}:change-me-{number}@{HOST}:{server.port}/presence"

    server.sql("".join(first))
    admin, daemon = url("puadmin", 1), url("puad", 2)
    expect(2, "create", "--url", daemon, holds=["denied", "--url @FILE with the administrator's URL"])
    expect(0, "create", "--url", admin)
    server.sql("".join(rights))

    puad = Puad(ctx, server=esc.uri, db_url=daemon, ack_wait=3000).start()
    control = puad.control()

    def durable(number, note):
        uri = f"sip:p{number}@{HOST}"
        check(control.publish(uri, pidf(uri, note))["durable"], f"{uri} with {note} is not durable")

    for number, note in ((0, "first"), (1, "first"), (2, "first"), (1, "second")):
        durable(number, note)
    control.remove(f"sip:p2@{HOST}")
    wait_for(lambda: server.value("SELECT COUNT(*) FROM presence.pua") == "2", 5, "the row of the removed one is gone")
    sessions = [row[0] for row in server.sql("SELECT id FROM information_schema.processlist WHERE user = 'puad'")]
    check(1 < len(sessions) <= 4, f"{len(sessions)} connections")
    killed = subprocess.run([server.client, "--no-defaults", f"--host={HOST}", f"--port={server.port}", "--user=puad",
                             "--password=change-me-2", f"--execute=KILL {sessions[0]}"], capture_output=True, check=False)
    equal((killed.returncode, killed.stderr), (0, b""), "the user ends one of its own sessions")
    durable(3, "first")
    equal(puad.terminate()[0], 0, "puad's status")

    expect(0, "check", "--url", daemon, holds="3 rows, no findings")
    expect(0, "load", "--replace", "--url", daemon, stdin=expect(0, "dump", "--url", daemon))
    expect(2, "drop", "--yes", "--url", daemon, holds=["denied", "--url @FILE with the administrator's URL"])
    expect(0, "upgrade", "--url", admin)
    expect(0, "drop", "--yes", "--url", admin)
    server.sql("DROP DATABASE presence")
    make_old_table(MariaPlace(server), "opensips")
    expect(0, "migrate", "--from", "opensips", "--url", admin, holds="kept as pua_old_v9")


@both
def each_fault_of_a_schema_is_named(ctx, place):
    maria = place.kind == "mysql"
    faults = [(r"^  etag .*\n", "", "column etag is missing"),
              (r"cseq( +)\w+,", r"cseq\1" + ("VARCHAR(9)," if maria else "TEXT,"), "cseq is"),
              (r"(\n +pres_id.*) NOT NULL( DEFAULT '')", r"\1\2", "pres_id may be NULL"),
              (r"(?<= target)( +\w+)(\(\d+\))?", r"\1" + ("(200)" if maria else " NOT NULL DEFAULT ''"),
               "VARBINARY(200)" if maria else "target may not be NULL"),
              (r"(\n +cseq)", r"\n  more INT NOT NULL DEFAULT 0,\1", "more is unknown"),
              (r"UNIQUE (KEY pua_key|INDEX)", r"\1" if maria else "INDEX", "no unique key"),
              (r"\('pua', 12\)", "('pua', 13)", "version 13"), (r"INSERT [^;]*'pua', 12[^;]*;", "", "no row for pua"),
              (r"INTO .version. .*", "INTO version VALUES ('puaa', 12);", "no row for pua"),
              ("pua_meta", "pua_other", "pua_meta")]
    if not maria:
        faults += [(r"INTEGER PRIMARY KEY NOT NULL", "INTEGER NOT NULL", "primary key"),
                   (r"(INDEX .*pres_uri)", r"\1 COLLATE NOCASE", "no unique key"),
                   (r'CREATE TABLE "pua_journal" \((.|\n)*?\);', "", "no table pua_journal"),
                   (r'("pua_journal" \((.|\n)*?)  cseq .*\n', r"\1", "table pua_journal has no column cseq"),
                   (r'CREATE VIEW "pua_rows" (.|\n)*?;', "", "view pua_rows is missing"),
                   (r"max\(seq\)", "min(seq)", "view pua_rows is another one")]
    for pattern, replacement, said in faults:
        text = re.sub(pattern, replacement, create_text(place.kind), count=1, flags=re.MULTILINE)
        check(text != create_text(place.kind), f"{pattern} changes nothing")
        place.run(text)
        out = expect(1, "check", "--url", place.url, holds=["schema: ", said])
        equal(out.count("schema: "), 1, f"findings for {pattern}: {out}")
        if not maria:
            place.run("DROP VIEW IF EXISTS pua_rows; DROP TABLE IF EXISTS pua_journal")
        place.run("DROP TABLE pua; DROP TABLE version; DROP TABLE IF EXISTS pua_meta; DROP TABLE IF EXISTS pua_other")


@both
def each_bad_row_is_named(ctx, place):
    expect(0, "create", "--url", place.url)
    insert(place, "pua", *GOOD)
    expect(0, "check", "--url", place.url, holds=f"{len(GOOD)} rows, no findings")
    bad = [(f": {column} cannot be read", row) for column, row in bad_rows(100)
           if place.kind == "sqlite" or len(row["pres_uri"]) <= 1023]      # longer ones do not fit there
    insert(place, "pua", *(row for _, row in bad))
    for number, row, said in ((90, publication(90, event=512), "event 512 is known to nobody"),
                              (91, publication(91, expires=NOW - 9000, desired_expires=NOW - 8000), "long past"),
                              (92, subscription(92, expires=0, desired_expires=1), "long past")):
        insert(place, "pua", row)
        bad.append((said, row))
    insert(place, "pua", subscription(93, expires=NOW - 9000),
           publication(94, desired_expires=NOW - 9000))   # still wanted; still granted
    out = expect(1, "check", "--url", place.url).splitlines()
    for what, row in bad:
        lines = [line for line in out if line.startswith(f"row {row['id']} ")]
        check(len(lines) == 1 and what in lines[0], f"row {row['id']}, {what}: {lines}")
    equal(len(out), len(bad) + 1, "lines")
    check("event 512" not in expect(1, "check", "--url", place.url, "--event", "512"), "a registered event is reported")


@suite.test
def the_unique_key_of_mariadb_is_exact_in_every_character_set(ctx):
    server = MariaDb(ctx)
    odd = [b"", b"a", b"A", b"a ", b"a\0", b"'", b'"', b"\\", b"\xff\xfe", "\u00e9".encode(), b"e\xcc\x81", b"1:a", b"x" * 1000]
    sets = ("SET NAMES latin1;", "SET NAMES sjis;", "SET character_set_connection = utf32;",
            "SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH';")
    for number, making in enumerate(sets):
        place = MariaPlace(server, f"made{number}")
        place.run(making + create_text("mysql"))
        for writing in sets:
            rows = [{"id": n, "pres_uri": uri, "pres_id": uri[:9], "watcher_uri": watcher, "to_uri": uri[::-1], "event": n % 2,
                     "flag": -n % 3}
                    for n, (uri, watcher) in enumerate(itertools.product(odd, odd[:5]), 1)]
            script = "".join(f"INSERT INTO pua ({', '.join(row)}) VALUES ({', '.join(map(place.literal, row.values()))});"
                             for row in rows)
            place.run(f"FLUSH TABLES; {writing} BEGIN; DELETE FROM pua; {script} COMMIT")
            out = expect(1, "check", "--url", place.url, holds=f"{len(rows)} rows")     # none is a URI, and that is all
            check("key" not in out, f"made with {making} written with {writing}: {out[:300]}")
            try:
                place.run(writing + script.replace("VALUES (", "VALUES (1000 + ", 1).split(";")[0])
            except Failure as why:
                check("Duplicate entry" in str(why), str(why))
            else:
                raise Failure(f"made with {making} written with {writing}: a second row of one key was taken")


@both
def rows_of_one_key_are_found_where_nothing_keeps_them_apart(ctx, place):
    expect(0, "create", "--url", place.url)
    place.run("ALTER TABLE pua DROP KEY pua_key" if place.kind == "mysql" else "DROP INDEX pua_key")
    insert(place, "pua", publication(1), publication(2, pres_uri=b"sip:p1@example.com"),
           publication(3, pres_uri=b"sip:P1@example.com"), publication(4, pres_uri=b"sip:p1@example.com", pres_id=b" "))
    out = expect(1, "check", "--url", place.url, holds=["row 2 ", "the same key as row 1", "no unique key"])
    equal(out.count("the same key"), 1, "rows with the same key")


@suite.test
def values_of_another_kind_are_found_sqlite(ctx):
    place = SqlitePlace(ctx)
    expect(0, "create", "--url", place.url)
    place.run("INSERT INTO pua (id, pres_uri, event, flag, cseq) VALUES (1, 'sip:a@b', 1, 64, 'x'), "
              "(2, X'7369703A614062', 1, 64, 1), (3, 'sip:a@b', 1, 128, 1), (4, 'sip:a@b', 4294967297, 64, 1)")
    expect(1, "check", "--url", place.url, holds=["row 1 (sip:a@b): cseq is not a number",
                                                  "row 2 (sip:a@b): pres_uri is stored as a blob",
                                                 "row 4 (sip:a@b): event is not a number that fits", "4 rows"])


@suite.test
def the_library_takes_the_rows_that_check_takes(ctx):
    place = SqlitePlace(ctx, "puad")
    expect(0, "create", "--url", place.url)
    bad = bad_rows(100)
    insert(place, "pua", *GOOD, *(row for _, row in bad))
    found = expect(1, "check", "--url", place.url).count(" cannot be read ")
    puad = Puad(ctx, server=f"sip:{HOST}:{ctx.port()}").start()
    control = puad.control()
    stats = wait_for(lambda: (s := control.stats())["load_bad"] + s["loaded"] == len(GOOD) + len(bad) and s, 10,
                     "all rows are loaded")
    equal((found, stats["load_bad"], stats["loaded"]), (len(bad), len(bad), len(GOOD)),
          "refused by check, by puad; taken by puad")
    for command in ("create", "drop", "load", "upgrade", "migrate"):     # puad has the file
        more = {"drop": ["--yes"], "migrate": ["--from", "opensips"]}.get(command, [])
        expect(2, command, "--url", place.url, *more, holds=f"in use by process {puad.process.pid}",
               stdin="-- puadbctl dump 1: table pua, schema version 12, from sqlite\n")
    expect(1, "check", "--url", place.url)
    check(expect(0, "dump", "--url", place.url).count("INSERT INTO pua ") >= len(bad), "rows are missing in a dump beside puad")


@suite.test
def upgrades_go_step_by_step(ctx):
    for kind in ("sqlite", "mysql"):
        place = make_place(ctx, kind)
        expect(0, "create", "--url", place.url)
        expect(0, "upgrade", "--url", place.url, holds="nothing to do")
        place.run("UPDATE version SET table_version = 13")
        expect(2, "upgrade", "--url", place.url, holds="from a later libpua")
        place.run("UPDATE version SET table_version = 9")
        expect(2, "upgrade", "--url", place.url, holds=["version 9", "no way"])
        sql = ctx.dir / f"sql-{kind}"
        for folder in ("sqlite", "mysql"):
            (sql / folder).mkdir(parents=True)
            (sql / folder / "pua-create.sql").write_text(create_text(folder))
        quote = '"' if kind == "sqlite" else "`"
        for step in (9, 10, 11):
            (sql / kind / f"upgrade-{step}.sql").write_text(
                f"-- a step; with a comment\nINSERT INTO {quote}pua_meta{quote} (name, value) VALUES ('step{step}', 'x');\n")
        expect(0, "upgrade", "--url", place.url, "--sql", sql, holds=["version 10 now", "version 11 now", "version 12 now"])
        equal(place.rows("SELECT name FROM pua_meta ORDER BY 1"), [["step10"], ["step11"], ["step9"]], "steps done")
        expect(0, "check", "--url", place.url)


main_is(suite)
