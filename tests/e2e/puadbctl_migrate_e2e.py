#!/usr/bin/env python3
"""puadbctl migrate: tables of OpenSIPS and Kamailio, with rows of every kind, become ours; what cannot be carried is told."""
import re
import time

from harness import ROOT, Suite, check, equal, main_is
from mariadb import MariaDb
from places import MariaPlace, SqlitePlace, contents, create_text, expect, insert, make_old_table, make_place

suite = Suite()

NOW = int(time.time())
GRANT, WANTED, PAST = NOW + 600, NOW + 7200, NOW - 600
FULL = b"Call-Info: <sip:x>;appearance-state=idle\r\n"

# Bits of both forks and ours; None: no value here.
EVENTS = {"opensips": {bit: bit for bit in (1, 2, 4, 8, 16, 32, 64, 128, 256)} | {512: None, 3: None, 0: None, -1: None},
          "kamailio": {1: 1, 2: 2, 4: 4, 8: 8, 16: 16, 32: 64, 64: 256, 128: 32, 256: None, 512: None, 33: None}}
SOURCES = {"opensips": {1 << n: 1 << n for n in range(14)} | {32: 16, 128: 64, 1 << 14: None, 3: None, 0: None},
           "kamailio": {1 << n: 1 << n for n in range(11)} | {32: 16, 128: 64, 2048: None, 4096: 8192, 8192: 4096, 1 << 14: None,
                                                                       1 << 15: None, 1 << 16: None, 1 << 17: None, 0: None}}
NAMED = {("kamailio", "event", 256): "as-feature-event", ("kamailio", "flag", 2048): "PURPLE_PUBLISH",
         ("kamailio", "flag", 1 << 17): "DFKS_SUBSCRIBE"}

SHOWN = ("id", "event", "flag", "expires", "desired_expires", "cseq", "version", "record_version", "owner_epoch", "node",
         "intent",
         "intent_expires")
TEXTS = ("pres_uri", "pres_id", "watcher_uri", "to_uri", "etag", "tuple_id", "call_id", "to_tag", "from_tag", "record_route",
         "contact",
         "remote_contact", "extra_headers", "sharing_tag", "body", "content_type", "outbound_proxy", "event_id", "target")


def old_row(fork, number, **more):
    """As that fork writes it: Kamailio has no NULL where OpenSIPS has."""
    empty = {} if fork == "opensips" else {name: b"" for name in ("etag", "tuple_id", "watcher_uri", "call_id", "to_tag",
                                                                  "from_tag",
                                                                  "contact", "remote_contact", "extra_headers")} | {"cseq": 0}
    return {**empty, "id": number, "pres_uri": b"sip:u%d@example.com" % number, "pres_id": b"", "event": 1, "expires": GRANT,
            "desired_expires": WANTED, "flag": 64, "version": 3, **more}


def publication(fork, number, **more):
    return old_row(fork, number, **{"etag": b"a.%d" % number, **more})


def subscription(fork, number, **more):
    uris = {"to_uri": b"sip:u%d@example.com" % number} if fork == "opensips" else {}
    return old_row(fork, number, **{
        **uris, "flag": 256, "watcher_uri": b"sip:w@example.com", "call_id": b"c%d@host" % number, "to_tag": b"their",
        "from_tag": b"mine",
        "cseq": 17, "record_route": b"<sip:first;lr>,<sip:second;lr;ftag=1>", "contact": b"sip:w@192.0.2.1:5060",
        "remote_contact": b"sip:n@192.0.2.2", "extra_headers": b"X-Reason: a\r\n", **more})


def rows_of(place, table="pua"):
    """{id: {column: value}}; texts as octets, empty ones as NULL."""
    found = {}
    for numbers, texts in zip(place.rows(f"SELECT {', '.join(SHOWN)} FROM {table} ORDER BY id"), contents(place, table, TEXTS)):
        row = dict(zip(SHOWN, map(int, numbers))) | {name: bytes.fromhex(text or "") or None for name, text in zip(TEXTS, texts)}
        found[row["id"]] = row
    return found


def is_row(found, wanted, what):
    """`found` has these values; every text that is not named is empty."""
    wanted = dict.fromkeys(TEXTS) | {"record_version": 1, "owner_epoch": 0, "node": 0, "intent": 0, "intent_expires": 0} | wanted
    for name, value in wanted.items():
        equal(found[name], value, f"{name} of {what}")


def line_of(out, number):
    lines = [line for line in out.splitlines() if line.startswith(f"row {number} ")]
    check(len(lines) <= 1, f"several lines about row {number}: {lines}")
    return lines[0] if lines else ""


def every_kind(fork):
    """(row, what becomes of it, words of its line). What becomes: a dict of the new row's values, "expired" or "refused"."""
    def pub(number, becomes, said="", **more):
        row = publication(fork, number, **more)
        if becomes is None:
            becomes = {"pres_uri": row["pres_uri"], "etag": row["etag"], "expires": GRANT, "desired_expires": WANTED, "cseq": 0,
                       "version": 3}
        return row, becomes, said

    def sub(number, changes, said="", **more):
        row = subscription(fork, number, **more)
        becomes = changes
        if isinstance(changes, dict):
            becomes = {name: row[name] for name in ("pres_uri", "watcher_uri", "call_id", "to_tag", "from_tag", "record_route",
                                                    "contact",
                                                    "remote_contact", "extra_headers", "expires", "desired_expires",
                                                    "cseq")} | changes
        return row, becomes, said

    anew = {"call_id": None, "to_tag": None, "from_tag": None, "record_route": None, "remote_contact": None, "cseq": 0,
            "expires": 0}
    narrow = 64 if fork == "opensips" else 128
    kinds = [
        pub(1, None), pub(2, {"pres_id": b"UL_PUBLISH.x", "pres_uri": b"sip:u2@example.com", "etag": b"a.2",
                              "desired_expires": 0},
                          pres_id=b"UL_PUBLISH.x", desired_expires=0),
        pub(3, "expired", expires=PAST), pub(4, "expired", expires=PAST, desired_expires=PAST), pub(5, "expired", expires=0),
        pub(6, {"pres_uri": b"sip:u6@example.com", "etag": b"a.6", "desired_expires": PAST}, desired_expires=PAST),
        # to be withdrawn
        pub(7, "refused", "without etag", etag=b""), pub(8, "refused", "etag is not one", etag=b"a\nb"),
        pub(9, "refused", "pres_uri is not one", pres_uri=b"u9@example.com"),
        pub(10, "refused", "extra_headers", extra_headers=b"Event: x\r\n"),
        pub(11, {"pres_uri": b"sip:u11@example.com", "etag": b"e" * narrow}, f"etag is as long as its column was ({narrow})",
            etag=b"e" * narrow),
        pub(12, {"pres_uri": b"tel:+4912", "etag": b"a.12", "extra_headers": b"X: y\r\n", "version": 0}, pres_uri=b"tel:+4912",
            extra_headers=b"X: y\r\n", version=-4, call_id=b"stray"),
        sub(21, {}), sub(22, {"desired_expires": 0}, desired_expires=0),
        sub(23, anew, "no answer had come", to_tag=b"", expires=NOW + 60), sub(24, anew, "its grant has ended", expires=PAST),
        sub(25, anew | {"desired_expires": 0}, "not named in full", call_id=b"", desired_expires=0),
        sub(26, anew, "its cseq is -5", cseq=-5), sub(27, "expired", expires=PAST, desired_expires=PAST),
        sub(28, "expired", to_tag=b"", desired_expires=PAST), sub(29, {}, desired_expires=PAST),
        # to be ended
        sub(30, {"remote_contact": b"sip:n@192.0.2.9", "contact": b"sip:me@192.0.2.8"},
            remote_contact=b'"N" <sip:n@192.0.2.9>;expires=5',
            contact=b"<sip:me@192.0.2.8>"),
        sub(31, "refused", "watcher_uri is not one", watcher_uri=b"w"),
        sub(32, "refused", "remote_contact is not one", remote_contact=b"sip:a?b=c"),
        sub(33, {"record_route": b"<sip:a;lr>, <sip:b;lr>"}, record_route=b"<sip:a;lr>,\r\n\t<sip:b;lr>"),
        sub(34, "refused", "record_route is not one", record_route=b"<sip:" + b"a" * 5000 + b">"),
        sub(35, {"call_id": b"c" * 255 if fork == "kamailio" else b"c" * 64}, "call_id is as long as",
            call_id=b"c" * 255 if fork == "kamailio" else b"c" * 64),
        sub(36, anew, "its cseq is 2147483000", cseq=2147483000)]
    if fork == "opensips":
        kinds += [
            pub(41, {"pres_uri": b"sip:u41@example.com", "event": 128, "extra_headers": FULL}, event=128, etag=b"",
                extra_headers=FULL),
            pub(42, {"pres_uri": b"sip:u42@example.com", "event": 128, "extra_headers": FULL, "expires": 0}, event=128,
                expires=PAST, extra_headers=FULL),
            pub(43, {"pres_uri": b"sip:u43@example.com", "etag": b"a.43", "sharing_tag": b"vip"}, sharing_tag=b"vip"),
            sub(44, {"to_uri": b"sip:list@example.com"}, to_uri=b"sip:list@example.com"),
            sub(45, anew, "its cseq is None", cseq=None)]
    else:
        kinds += [pub(51, {"pres_uri": b"sip:u51@example.com", "etag": b"a.51", "tuple_id": b"t1"}, tuple_id=b"t1")]
    # One row for each bit, with ids from 1000 on.
    for first, column, bits in ((1000, "event", EVENTS[fork]), (1100, "flag", SOURCES[fork])):
        for number, (bit, ours) in enumerate(bits.items(), first):
            name = NAMED.get((fork, column, bit))
            carried = {"pres_uri": b"sip:u%d@example.com" % number, "etag": b"a.%d" % number, column: ours}
            becomes, said = (carried, "") if ours else ("refused", f"{column} {bit} {f'({name})' if name else ''}")
            kinds.append(pub(number, becomes, said, **{column: bit}))
    return kinds


def carried_as_it_should(place, fork, kinds, out, would=False):
    """The report and the new table say the same, and what the old rows call for."""
    found = {} if would else rows_of(place)
    wanted = {row["id"]: becomes for row, becomes, _ in kinds if isinstance(becomes, dict)}
    if not would:
        equal(sorted(found), sorted(wanted), "ids in the new table")
    for row, becomes, said in kinds:
        line, what = line_of(out, row["id"]), f"row {row['id']} of {fork}"
        check(said in line and bool(said) == bool(line), f"{what}: wanted {said!r}, the report says {line!r}")
        check((becomes == "refused") == ("not carried" in line), f"{what}: {line}")
        if isinstance(becomes, dict) and not would:
            is_row(found[row["id"]], becomes, what)
    count = {kind: sum(1 for _, becomes, _ in kinds if becomes == kind) for kind in ("expired", "refused")}
    subscriptions = sum(1 for row, becomes, _ in kinds if isinstance(becomes, dict) and row.get("watcher_uri"))
    done = "would carry" if would else "carried"
    for text in (f"{len(kinds)} rows of table",
                 f"{done} {len(wanted)} ({len(wanted) - subscriptions} publications, {subscriptions} subscriptions)",
                 f"there already 0, expired {count['expired']}, not carried {count['refused']}"):
        check(text in out, f"{text!r} is not in {out[-400:]!r}")


def in_place(ctx, fork, kind):
    place = make_place(ctx, kind)
    make_old_table(place, fork)
    kinds = every_kind(fork)
    insert(place, "pua", *(row for row, _, _ in kinds))
    number = {"opensips": 9, "kamailio": 7}[fork]
    old = f"pua_old_v{number}"
    columns = list(subscription(fork, 1))
    before, tables = contents(place, "pua", columns), place.tables()

    out = expect(1, "migrate", "--from", fork, "--url", place.url, "--dry-run")
    carried_as_it_should(place, fork, kinds, out, would=True)
    equal((contents(place, "pua", columns), place.tables()), (before, tables), "the database after a dry run")

    out = expect(1, "migrate", "--from", fork, "--url", place.url, holds=f"table pua is kept as {old}")
    carried_as_it_should(place, fork, kinds, out)
    equal(contents(place, old, columns), before, "the old table")
    equal(place.rows("SELECT table_name, table_version FROM version ORDER BY 1"),
          [["presentity", "5"], ["pua", "12"], [old, str(number)]], "versions")
    expect(0, "check", "--url", place.url, holds="no findings")

    # A second run says what is there; rows that are gone come back, those that have changed stay.
    place.run("UPDATE pua SET etag = 'newer', record_version = 7 WHERE id = 1; DELETE FROM pua WHERE id = 21")
    count = sum(1 for _, becomes, _ in kinds if isinstance(becomes, dict))
    for more, done in ((["--dry-run"], "would carry"), ([], "carried")):
        expect(1, "migrate", "--from", fork, "--url", place.url, *more,
               holds=f"{done} 1 (0 publications, 1 subscriptions); there already {count - 1},")
    equal(rows_of(place)[1]["etag"], b"newer", "etag of a row that the library has changed")
    expect(0, "check", "--url", place.url)


for _fork in ("opensips", "kamailio"):
    for _kind in ("sqlite", "mysql"):
        def _one(ctx, fork=_fork, kind=_kind):
            in_place(ctx, fork, kind)
        _one.__name__ = f"a_table_of_{_fork}_becomes_ours_in_place_{'mariadb' if _kind == 'mysql' else 'sqlite'}"
        suite.test(_one)


@suite.test
def a_table_of_another_database_is_carried_over_and_stays(ctx):
    server = MariaDb(ctx)
    for fork, source, target in (("opensips", MariaPlace(server, "opensips"), SqlitePlace(ctx, "a")),
                                 ("kamailio", SqlitePlace(ctx, "kamailio"), MariaPlace(server, "b"))):
        make_old_table(source, fork)
        kinds = every_kind(fork)
        insert(source, "pua", *(row for row, _, _ in kinds))
        before, tables = contents(source, "pua", ["id", "etag"]), source.tables()
        url = ctx.dir / "source"
        url.write_text(source.url)
        arguments = ("migrate", "--from", fork, "--url", target.url, "--source", f"@{url}")
        out = expect(1, *arguments, "--dry-run")
        carried_as_it_should(target, fork, kinds, out, would=True)
        check(not getattr(target, "path", ctx.dir / "none").exists() if target.kind == "sqlite" else not target.tables(),
              "a dry run made tables")
        carried_as_it_should(target, fork, kinds, expect(1, *arguments))
        expect(0, "check", "--url", target.url)
        equal((contents(source, "pua", ["id", "etag"]), source.tables()), (before, tables), "the source")
        expect(1, *arguments, holds="carried 0 (")


def two_tables(ctx, kind="sqlite"):
    """(place with our table pua, the old rows go to table `theirs`)"""
    place = make_place(ctx, kind)
    make_old_table(place, "opensips")
    place.run("ALTER TABLE pua RENAME TO theirs; DELETE FROM version")
    expect(0, "create", "--url", place.url)
    return place, ("migrate", "--from", "opensips", "--url", place.url, "--source-table", "theirs")


@suite.test
def of_two_rows_of_one_key_the_later_stays(ctx):
    for kind in ("sqlite", "mysql"):
        place, arguments = two_tables(ctx, kind)
        same = {"pres_uri": b"sip:same@example.com"}
        insert(place, "theirs", publication("opensips", 1, **same), publication("opensips", 2, expires=GRANT + 5, **same),
               publication("opensips", 3, expires=GRANT + 5, event=1 << 2, **same),
               publication("opensips", 4, expires=GRANT + 9, etag=b"", **same),
               publication("opensips", 5, pres_id=b"x", **same), publication("opensips", 6, expires=PAST, **same),
               subscription("opensips", 7, to_uri=b"", **same), subscription("opensips", 8, to_uri=same["pres_uri"], **same),
               subscription("opensips", 9, flag=16, to_uri=b"", **same),
               subscription("opensips", 10, flag=32, to_uri=b"", expires=GRANT + 1, **same))
        out = expect(1, *arguments, holds="not carried 4")
        equal(sorted(rows_of(place)), [2, 3, 5, 8, 10], "ids")
        for number, other in ((1, 2), (7, 8), (9, 10)):
            check(f"row {other} has the same key" in line_of(out, number), f"row {number}: {line_of(out, number)}")


@suite.test
def ids_stay_where_nobody_has_them(ctx):
    place, arguments = two_tables(ctx)
    insert(place, "pua", *({"id": number, "pres_uri": b"sip:ours%d@example.com" % number, "event": 1, "flag": 64, "cseq": 0,
                            "version": 0} for number in (2, 90)))
    insert(place, "theirs", *(publication("opensips", number) for number in (1, 2, 70, 90)))
    out = expect(0, *arguments, holds="carried 4 (")
    found = {row["pres_uri"]: number for number, row in rows_of(place).items()}
    equal((found[b"sip:u1@example.com"], found[b"sip:u70@example.com"]), (1, 70), "ids that were free")
    new = sorted(found[uri] for uri in (b"sip:u2@example.com", b"sip:u90@example.com"))
    equal(new, [91, 92], "new ids")
    check("as row 91" in line_of(out, 2) and "as row 92" in line_of(out, 90), out)
    expect(0, *arguments, holds="there already 4")


@suite.test
def times_follow_the_clock_of_the_table_and_contacts_may_be_left_out(ctx):
    place, arguments = two_tables(ctx)
    # The wall clock is an hour ahead of the rows.
    place.run("INSERT INTO pua_meta (name, value) VALUES ('clock', '- 0 3600000 0')")
    insert(place, "theirs", publication("opensips", 1), subscription("opensips", 2, desired_expires=0),
           publication("opensips", 3, desired_expires=PAST))
    expect(0, *arguments, "--own-contact")
    found = rows_of(place)
    equal([(found[n]["expires"], found[n]["desired_expires"]) for n in (1, 2, 3)],
          [(GRANT - 3600, WANTED - 3600), (GRANT - 3600, 0), (GRANT - 3600, PAST - 3600)], "times")
    equal((found[2]["contact"], found[2]["remote_contact"]), (None, b"sip:n@192.0.2.2"), "contacts")
    expect(0, "check", "--url", place.url)


@suite.test
def a_migration_that_was_interrupted_goes_on(ctx):
    for kind in ("sqlite", "mysql"):
        place = make_place(ctx, kind)
        make_old_table(place, "kamailio")
        insert(place, "pua", publication("kamailio", 1), subscription("kamailio", 2))
        place.run("ALTER TABLE pua RENAME TO pua_old_v7")        # and no further
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, "--dry-run", holds="would carry 2")
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, holds="carried 2")
        place.run("DELETE FROM pua")                             # or this far
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, holds="carried 2")
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, holds="there already 2")


@suite.test
def a_table_that_was_half_made_when_a_migration_was_interrupted_is_completed(ctx):
    """MariaDB keeps each statement that makes a table; the number of the schema comes last."""
    server = MariaDb(ctx)
    steps = [one for one in create_text("mysql").split(";\n") if one.strip()]
    equal(len(steps), 4, "statements")
    for done, numbered in (("nothing", True), *((done, True) for done in range(len(steps) + 1)), (2, False)):
        place = MariaPlace(server, f"after{done}{numbered}")
        make_old_table(place, "kamailio")
        insert(place, "pua", publication("kamailio", 1), subscription("kamailio", 2))
        place.run("INSERT INTO version (table_name, table_version) VALUES ('pua_old_v7', 7)" if numbered else
                  "DELETE FROM version WHERE table_name = 'pua'")
        if done != "nothing":
            for statement in ["RENAME TABLE pua TO pua_old_v7", *steps[:done]]:
                place.run(statement)
        if done == 2:
            expect(2, "dump", "--url", place.url, holds="half made")
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, "--dry-run", holds="would carry 2")
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, holds="carried 2")
        expect(0, "check", "--url", place.url, holds="2 rows, no findings")
        expect(0, "migrate", "--from", "kamailio", "--url", place.url, holds="there already 2")
    # create completes such a table, too.
    place = MariaPlace(server, "made")
    make_old_table(place, "kamailio")
    place.run("RENAME TABLE pua TO pua_old_v7;" + steps[1])
    expect(0, "create", "--url", place.url, holds="made")
    expect(0, "migrate", "--from", "kamailio", "--url", place.url, holds="carried 0")


@suite.test
def the_way_back_that_the_manual_shows_leaves_everything_as_it_was(ctx):
    manual = (ROOT / "man" / "puadbctl.8").read_text()
    shown = re.findall(r"^(?:ALTER TABLE pua_old_v9|UPDATE version) [^;]*;$", manual, re.MULTILINE)
    equal(len(shown), 2, "statements in the manual")
    for kind in ("sqlite", "mysql"):
        place = make_place(ctx, kind)
        make_old_table(place, "opensips")
        insert(place, "pua", publication("opensips", 1), subscription("opensips", 2))

        def all_of_it(place=place):
            return (place.tables(), contents(place, "pua", list(subscription("opensips", 1))),
                    place.rows("SELECT table_name, table_version FROM version ORDER BY 1"))

        before = all_of_it()
        for _ in range(2):                  # and it can be migrated again
            expect(0, "migrate", "--from", "opensips", "--url", place.url, holds="carried 2")
            expect(0, "drop", "--yes", "--url", place.url)
            place.run("".join(shown))
            equal(all_of_it(), before, f"{kind} after the way back")


@suite.test
def what_is_no_table_of_that_fork_is_refused(ctx):
    for kind in ("sqlite", "mysql"):
        place = make_place(ctx, kind)

        def refused(fork, *arguments, holds, place=place):
            tables = place.tables()
            for more in ((), ("--dry-run",)):
                expect(2, "migrate", "--from", fork, "--url", place.url, *arguments, *more, holds=holds)
            equal(place.tables(), tables, "tables")

        place.run("CREATE TABLE version (table_name VARCHAR(32) PRIMARY KEY, table_version INTEGER)")
        refused("opensips", holds="there is no table pua")
        refused("opensips", "--source-table", "none", holds="table none is not one of OpenSIPS: it has no column")
        place.run("DROP TABLE version")
        make_old_table(place, "kamailio")
        refused("opensips", holds=["not one of OpenSIPS", "no column sharing_tag, to_uri"])
        place.run("UPDATE version SET table_version = 6 WHERE table_name = 'pua'")
        refused("kamailio", holds="has version 6; of Kamailio, version 7")
        place.run("UPDATE version SET table_version = 7 WHERE table_name = 'pua'; CREATE TABLE pua_old_v7 (id INTEGER)")
        refused("kamailio", holds="kept as pua_old_v7, and that exists")
        refused("kamailio", "--source-table", "pua", "--table", "presentity_x", "--source", f"sqlite://{ctx.dir}/none.db",
                holds="no such file")
        place.run("DROP TABLE pua_old_v7; ALTER TABLE pua RENAME TO theirs; DELETE FROM version WHERE table_name = 'pua'")
        expect(0, "create", "--url", place.url)
        refused("kamailio", holds="is one of this library already")
        refused("kamailio", "--table", "theirs", "--source-table", "theirs2", holds="theirs2")


main_is(suite)
