#!/usr/bin/env python3
"""puadbctl and what puad has not folded into the rows yet: seen by each command; the step to the schema that has a journal, and back."""
import re

from esc import Esc
from harness import HOST, Suite, check, equal, main_is, wait_for
from places import SqlitePlace, contents, create_text, expect, insert, make_old_table, on_both
from puad import Puad, pidf

suite = Suite()
both = on_both(suite)

JOURNAL = "id seq expires desired_expires etag call_id from_tag cseq record_version owner_epoch node updated_at intent intent_expires".split()
COLUMNS = [*(name for name in JOURNAL if name != "seq"), "pres_uri", "body", "tuple_id"]


def version_11(kind):
    """The text that made the tables before there was a journal."""
    text = create_text(kind).replace("('pua', 12)", "('pua', 11)").replace("table_version = 12", "table_version = 11")
    return re.sub(r'-- Changes of rows(.|\n)*?(?=INSERT OR REPLACE)', "", text)


def row(number, **more):
    return {"id": number, "pres_uri": b"sip:p%d@example.com" % number, "event": 1, "flag": 64, "expires": 2000000000,
            "desired_expires": 0, "etag": b"old%d" % number, "call_id": b"c", "from_tag": b"f", "cseq": 1, "record_version": 5,
            "body": b"<presence/>", "tuple_id": b"t%d" % number, **more}


def line(seq, number, version, **more):
    return {"seq": seq, "id": number, "expires": 2000000900, "desired_expires": 0, "etag": b"new%d" % version, "call_id": b"C",
            "from_tag": None, "cseq": 1000 + version, "record_version": version, "owner_epoch": 0, "node": 0,
            "updated_at": 1900000000, "intent": 0, "intent_expires": 0, **more}


def fill(place):
    """Rows, and a journal in which everything occurs: several lines of a row, void ones, lines of rows that are gone. Returns the
    rows as they are."""
    insert(place, "pua", *(row(number) for number in (1, 2, 3, 4)))
    insert(place, "pua_journal", line(1, 1, 6), line(2, 2, 4), line(3, 1, 7), line(4, 9, 8), line(5, 3, 5), line(6, 4, 9, etag=None))
    equal([(number, etag and bytes.fromhex(etag)) for number, etag in place_rows(place, "id", "etag")],
          [("1", b"new7"), ("2", b"old2"), ("3", b"old3"), ("4", None)], "rows as they are")
    return contents(place, "pua_rows", COLUMNS)


def place_rows(place, *columns):
    shown = ", ".join("id" if c == "id" else f"hex({c})" for c in columns)
    return [(number, value or None) for number, value in place.rows(f"SELECT {shown} FROM pua_rows ORDER BY id")]


@suite.test
def a_dump_has_the_rows_as_they_are_and_a_load_leaves_nothing_beside_them(ctx):
    place, other = SqlitePlace(ctx), SqlitePlace(ctx, "other")
    expect(0, "create", "--url", place.url)
    wanted = fill(place)
    expect(0, "check", "--url", place.url, "--event", "1", holds="4 rows, 6 changes in its journal, no findings")
    dump = expect(0, "dump", "--url", place.url)
    expect(0, "load", "--url", other.url, stdin=dump, holds="4 rows loaded")
    equal(contents(other, "pua", COLUMNS), wanted, "rows that were loaded")
    # The ids of the dump are those of the lines: none of them may reach a row of the dump.
    older = dump.replace("'6E657737'", "'6F6C64'")
    check(older != dump, "the dump has no etag to change")
    expect(0, "load", "--replace", "--url", place.url, stdin=older)
    equal(place.rows("SELECT count(*) FROM pua_journal"), [["0"]], "lines after a load")
    equal(contents(place, "pua", COLUMNS), contents(place, "pua_rows", COLUMNS), "rows after a load")


@suite.test
def check_names_a_line_that_nobody_could_fold(ctx):
    place = SqlitePlace(ctx)
    expect(0, "create", "--url", place.url)
    fill(place)
    place.run("UPDATE pua_journal SET record_version = 'x' WHERE seq = 3")
    expect(1, "check", "--url", place.url, holds="line 3 of pua_journal: its id or version is no number")


@suite.test
def rows_that_are_carried_over_meet_no_line_of_former_ones(ctx):
    place, source = SqlitePlace(ctx), SqlitePlace(ctx, "source")
    expect(0, "create", "--url", place.url)
    wanted = fill(place)
    make_old_table(source, "opensips")
    insert(source, "pua", {"id": 9, "pres_uri": b"sip:nine@example.com", "pres_id": b"", "event": 1, "expires": 2000000000,
                           "desired_expires": 0, "flag": 64, "etag": b"e9", "tuple_id": b"", "watcher_uri": b"", "to_uri": b"",
                           "cseq": 0, "version": 0})
    expect(0, "migrate", "--from", "opensips", "--source", source.url, "--url", place.url)
    equal(place.rows("SELECT count(*) FROM pua_journal"), [["0"]], "lines")
    equal(contents(place, "pua_rows", COLUMNS)[:4], wanted, "rows of before")
    equal(place.rows("SELECT id, etag FROM pua_rows WHERE id = 9"), [["9", "e9"]], "the row that was carried over")


@suite.test
def drop_takes_the_journal_and_the_view_along(ctx):
    place = SqlitePlace(ctx)
    expect(0, "create", "--url", place.url)
    fill(place)
    expect(0, "drop", "--yes", "--url", place.url)
    equal(place.rows("SELECT name FROM sqlite_schema WHERE name LIKE 'pua%'"), [], "what is left")


@both
def the_schema_goes_one_step_up_and_one_back(ctx, place):
    place.run(version_11(place.kind))
    tables = place.tables()
    insert(place, "pua", *(row(number) for number in range(1, 4)))
    before = contents(place, "pua", COLUMNS)
    expect(1, "check", "--url", place.url, holds="version 11, and this library needs 12")
    for command in ("dump", "load", "create"):
        expect(2, command, "--url", place.url, holds="version 11", stdin=f"-- puadbctl dump 1: table pua, schema version 11, from {place.kind}\n")
    expect(0, "upgrade", "--url", place.url, holds="version 12 now")
    expect(0, "check", "--url", place.url, holds="3 rows, no findings")
    equal(contents(place, "pua", COLUMNS), before, "rows after the upgrade")
    if place.kind == "sqlite":
        insert(place, "pua_journal", line(1, 2, 6), line(2, 2, 7))
        place_is = contents(place, "pua_rows", COLUMNS)
    expect(0, "downgrade", "--url", place.url, holds="version 11 now")
    equal(place.tables(), tables, "tables after the downgrade")
    equal(place.rows("SELECT table_version FROM version"), [["11"]], "version")
    equal(contents(place, "pua", COLUMNS), place_is if place.kind == "sqlite" else before, "rows after the downgrade")
    expect(2, "downgrade", "--url", place.url, holds="version 11, this puadbctl is for 12")
    expect(0, "upgrade", "--url", place.url)
    expect(0, "check", "--url", place.url)


@both
def a_dump_of_the_schema_before_can_be_loaded(ctx, place):
    expect(0, "create", "--url", place.url)
    insert(place, "pua", row(1))
    dump = expect(0, "dump", "--url", place.url).replace("schema version 12", "schema version 11", 1)
    wanted = contents(place, "pua", COLUMNS)
    expect(0, "load", "--replace", "--url", place.url, stdin=dump)
    equal(contents(place, "pua", COLUMNS), wanted, "rows")


@both
def puad_refuses_tables_of_other_versions_and_leaves_them(ctx, place):
    place.run(version_11(place.kind))
    for version, said in ((11, "has schema version 11, this build needs 12: see puadbctl upgrade"),
                          (13, "has schema version 13, this build needs 12: a later libpua has made it"),
                          (9, "has schema version 9, this build needs 12: see puadbctl migrate")):
        place.run(f"UPDATE version SET table_version = {version}")
        puad = Puad(ctx, server=f"sip:{HOST}:{ctx.port()}", db_url=place.url, name=f"puad{version}")
        puad.start(ready=False)
        check(puad.process.wait(10) not in (0, None), "puad has started")
        check(said in puad.log(), f"puad said {puad.log()!r}")
        equal(place.rows("SELECT table_version FROM version"), [[str(version)]], "version")


@suite.test
def what_puad_has_not_folded_yet_is_in_a_dump_beside_it(ctx):
    place, esc = SqlitePlace(ctx, "puad"), Esc(ctx)
    puad = Puad(ctx, server=esc.uri, db_url=place.url).start()
    control = puad.control()
    uris = [f"sip:p{n}@{HOST}" for n in range(20)]
    for uri in uris:
        check(control.publish(uri, pidf(uri, "x"))["durable"], f"{uri} is not durable")
    def dumped():
        """A dump with lines in the journal before and behind it: they are folded after a second of quiet."""
        for uri in uris:
            check(control.publish(uri, None)["durable"], f"the refresh of {uri} is not durable")
        lines = place.rows("SELECT count(*) FROM pua_journal")
        dump = expect(0, "dump", "--url", place.url)
        return dump if [["0"]] not in (lines, place.rows("SELECT count(*) FROM pua_journal")) else None
    dump = wait_for(dumped, 60, "a dump while the journal has lines")
    etags = {r["presentity_uri"]: r["etag"] for r in control.list()}
    for uri, etag in etags.items():
        check(etag.encode().hex().upper() in dump, f"{uri}: {etag} is not in the dump")
    expect(0, "check", "--url", place.url)
    wait_for(lambda: control.stats()["store_journal"] == 0, 10, "the journal is folded")
    equal({uri: etag for uri, etag in place.rows("SELECT pres_uri, etag FROM pua")}, etags, "rows after the fold")
    equal(place.rows("SELECT count(*) FROM pua_journal"), [["0"]], "lines after the fold")


if __name__ == "__main__":
    main_is(suite)
