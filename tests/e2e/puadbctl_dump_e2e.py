#!/usr/bin/env python3
"""puadbctl dump and load: octet by octet, from either kind of database into either kind."""
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time

from harness import Suite, check, equal, main_is, wait_for
from mariadb import MariaDb
from places import SCRIPT, MariaPlace, SqlitePlace, contents, create_text, expect, insert, on_both

suite = Suite()
both = on_both(suite)

COLUMNS = """id pres_uri pres_id event expires desired_expires flag etag tuple_id watcher_uri to_uri call_id to_tag from_tag cseq
  record_route contact remote_contact version extra_headers sharing_tag body content_type outbound_proxy event_id target
  record_version owner_epoch node updated_at intent intent_expires""".split()

ODD = [b"", b"sip:a@b ", b"\0", b"a\0b", b"'", b'"', b"\\", b"\\'; DROP TABLE pua; --", b"\xff\xfe\x80", b"NULL", b"%s",
       b"\r\n\t", "\u00e9\U0001f600".encode(), b"A", b"a", b"`", bytes(range(256)), b"X'41'", b"/* */", b"-- x"]


def odd_rows():
    for number, value in enumerate(ODD, 1):
        text = {name: value for name in ("pres_id", "etag", "tuple_id", "call_id", "record_route", "contact", "extra_headers",
                                         "body", "sharing_tag", "content_type")}
        if len(value) > 255:
            text = {"record_route": value, "body": value * 200}
        yield {"id": number * 10 ** 6, "pres_uri": b"sip:x" + value, "watcher_uri": value, "event": 1 << number % 9, "flag": 64,
               "expires": 0, "cseq": -number, "version": 2 ** 32 + number, "updated_at": 10 ** 15, **text}


def clock(place):
    """The name of the clock's state: in MariaDB each host has one."""
    return f"clock@{socket.gethostname()[:40]}" if place.kind == "mysql" else "clock"


def values(place):
    """What stands beside the rows."""
    return {bytes.fromhex(name).decode(): bytes.fromhex(value).decode()
            for name, value in contents(place, "pua_meta", ["name", "value"], "name")}


def as_blob(place, script):
    """SQLite keeps bodies as blobs."""
    return script if place.kind == "mysql" else script + "UPDATE pua SET body = CAST(body AS BLOB);"


@suite.test
def a_dump_is_exact_from_either_kind_into_either_kind(ctx):
    server = MariaDb(ctx)
    sources = [SqlitePlace(ctx, "from"), MariaPlace(server, "from")]
    targets = [SqlitePlace(ctx, "to"), MariaPlace(server, "to")]
    wanted = None
    for source in sources:
        expect(0, "create", "--url", source.url)
        insert(source, "pua", *odd_rows())
        source.run(as_blob(source, f"INSERT INTO pua_meta (name, value) VALUES ('{clock(source)}', '- 0 0 0');"))
        wanted = wanted or contents(source, "pua", COLUMNS)
        equal(contents(source, "pua", COLUMNS), wanted, f"rows as they were put into {source.kind}")
        file = ctx.dir / f"{source.kind}.sql"
        expect(0, "dump", "--url", source.url, file)
        equal(file.stat().st_mode & 0o777, 0o600, "mode of the dump")
        for target in targets:
            expect(0, "load", "--url", target.url, "--replace", file, holds=f"{len(ODD)} rows loaded")
            equal(contents(target, "pua", COLUMNS), wanted, f"rows from {source.kind} to {target.kind}")
            equal(values(target), {clock(target): "- 0 0 0"}, "meta")
            if target.kind == "sqlite":
                equal(target.rows("SELECT DISTINCT typeof(pres_uri), typeof(etag) FROM pua WHERE etag IS NOT NULL"),
                      [["text", "text"]], "how text is stored")
            expect(2, "load", "--url", target.url, file, holds="--replace removes them")
            expect(0, "load", "--url", target.url, "--table", "third", stdin=file.read_text())
            equal(contents(target, "third", COLUMNS), wanted, "rows under another name")
            expect(0, "drop", "--yes", "--url", target.url, "--table", "third")
        # By hand, into its own kind.
        by_hand = SqlitePlace(ctx, "hand") if source.kind == "sqlite" else MariaPlace(server, "hand")
        by_hand.run(create_text(source.kind))
        by_hand.run(file.read_text())
        equal(contents(by_hand, "pua", COLUMNS), wanted, f"rows of {source.kind} by hand")


@both
def a_dump_that_is_not_whole_changes_nothing(ctx, place):
    expect(0, "create", "--url", place.url)
    insert(place, "pua", *({"id": number, "pres_uri": b"sip:p%d@example.com" % number, "event": 1, "flag": 64, "etag": b"a.1"}
                           for number in (1, 2)))
    whole = expect(0, "dump", "--url", place.url)
    before = contents(place, "pua", COLUMNS)
    lines = whole.splitlines(keepends=True)
    for broken, said in (("".join(lines[:-1]), "cut off"), ("".join(lines[:3]), "cut off"),
                         (whole.replace("(2,", "(2.", 1), "the value of"),
                         ("".join(lines[:3] + lines[4:]), "what its last line says"), (whole.replace("(2,", "(1,", 1), ""),
                         (whole.replace("table pua", "table other", 1), ""), ("hello\n", "not a dump"), ("", "not a dump"),
                         (whole.replace("version 12", "version 9", 1), "version 9"),
                         (whole.replace("id, pres_uri", "pres_uri, id", 1), ":3: other columns"),
                         (whole.replace("COMMIT;", "DROP TABLE pua;", 1), "no line of a dump"),
                         (whole.replace(" 64,", " 64, 5,", 1), ":3:")):
        expect(2, "load", "--url", place.url, "--replace", stdin=broken, holds=said)
        equal(contents(place, "pua", COLUMNS), before, f"rows after a load that failed with {said!r}")
    expect(0, "load", "--url", place.url, "--replace", stdin=whole)


# --- what stands beside the rows -------------------------------------------------------------------------------------


KEY = "0123456789abcdef" * 2
NAMES = "512 vq-rtcpxr"


@suite.test
def clock_key_and_names_of_events_go_along_into_the_other_kind_and_who_may_write_does_not(ctx):
    """An hour that the wall clock is ahead: forgotten, each row would seem to be long past. The key: stored intents go out again. The
    names: a bit stands for one event package."""
    server = MariaDb(ctx)
    file, maria = SqlitePlace(ctx, "file"), MariaPlace(server)
    for place in (file, maria):
        expect(0, "create", "--url", place.url)
    now, state = int(time.time()), "- 0 7200000 0"
    insert(file, "pua", {"id": 1, "pres_uri": b"sip:a@example.com", "event": 1, "flag": 64, "expires": now - 7200 + 600,
                         "desired_expires": now - 7200 + 600, "etag": b"a.1"})
    file.run(as_blob(file, f"INSERT INTO pua_meta (name, value) VALUES ('clock', '{state}'), ('clock@other', '- 0 1000 0'), "
                           f"('branch', '{KEY}'), ('events', '{NAMES}');"))
    expect(0, "check", "--url", file.url, holds="no findings")

    expect(0, "load", "--url", maria.url, stdin=expect(0, "dump", "--url", file.url))
    branch = clock(maria).replace("clock", "branch")
    events = clock(maria).replace("clock", "events")
    equal(values(maria), {clock(maria): state, branch: KEY, events: NAMES}, "from SQLite to MariaDB")
    maria.run("INSERT INTO pua_meta (name, value) VALUES ('clock', '- 0 0 0'), ('clock@other', '- 0 0 0'), "
              f"('{clock(maria).replace('clock', 'writer')}', 'libpua.1')")
    expect(0, "check", "--url", maria.url, holds="no findings")        # it goes by the line of this host
    whole = expect(0, "dump", "--url", maria.url)
    check("777269746572" in whole, "the dump has no line of a writer")
    expect(0, "load", "--replace", "--url", maria.url, stdin=whole)
    equal(values(maria), {branch: KEY, "clock": "- 0 0 0", clock(maria): state, "clock@other": "- 0 0 0", events: NAMES}, "from MariaDB to MariaDB")
    expect(0, "load", "--replace", "--url", file.url, stdin=expect(0, "dump", "--url", maria.url))
    equal(values(file), {"branch": KEY, "clock": state, "events": NAMES}, "from MariaDB to SQLite")
    equal(file.rows("SELECT DISTINCT typeof(name) FROM pua_meta"), [["text"]], "how the name is stored")


# --- the file of a dump ----------------------------------------------------------------------------------------------


def with_rows(ctx, count=200):
    place = SqlitePlace(ctx)
    expect(0, "create", "--url", place.url)
    insert(place, "pua", *({"id": number, "pres_uri": b"sip:p%d@example.com" % number, "event": 1, "flag": 64, "etag": b"a.1"}
                           for number in range(1, count + 1)))
    return place


def limited(octets):
    """To be run in the child: a file may have so many, as if the disk were full."""
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (octets, octets))
    return limit


@suite.test
def a_dump_replaces_the_older_one_when_it_is_whole_and_is_nobody_elses_to_read(ctx):
    place, folder = with_rows(ctx), ctx.dir / "dumps"
    folder.mkdir()
    file, link = folder / "rows.sql", folder / "latest"
    file.write_text("yesterday's\n")
    file.chmod(0o644)
    link.symlink_to(file.name)
    for path in (file, link):
        done = subprocess.run([sys.executable, str(SCRIPT), "dump", "--url", place.url, str(path)], capture_output=True,
                              text=True, check=False, preexec_fn=limited(4096))
        equal((done.returncode, done.stderr), (2, f"puadbctl: {path}: File too large\n"), "a dump for which there is no room")
        equal(file.read_text(), "yesterday's\n", "the older dump")
        equal(sorted(os.listdir(folder)), ["latest", "rows.sql"], "files left")
    expect(2, "dump", "--url", place.url, "--table", "none", file, holds="no table none")
    equal(file.read_text(), "yesterday's\n", "the older dump")
    for path in (file, link):
        file.chmod(0o644)
        expect(0, "dump", "--url", place.url, path, holds="200 rows written")
        equal((file.stat().st_mode & 0o777, file.read_text()), (0o600, expect(0, "dump", "--url", place.url)), "the new dump")
        equal(sorted(os.listdir(folder)), ["latest", "rows.sql"], "files")
    expect(2, "dump", "--url", place.url, folder / "none" / "x.sql", holds="none/x.sql: No such file or directory")
    expect(2, "load", "--url", place.url, folder, holds="dumps: Is a directory")


@suite.test
def a_dump_that_is_told_to_end_or_killed_leaves_the_older_one_and_nothing_else(ctx):
    """It waits for a lock meanwhile, and has written to its new file."""
    server = MariaDb(ctx)
    place, folder = MariaPlace(server), ctx.dir / "dumps"
    folder.mkdir()
    expect(0, "create", "--url", place.url)
    file = folder / "rows.sql"
    file.write_text("yesterday's\n")
    holder = subprocess.Popen([server.client, "--no-defaults", f"--socket={server.socket}", "-uroot", "presence"],
                              stdin=subprocess.PIPE)
    holder.stdin.write(b"LOCK TABLES pua_meta WRITE; SELECT SLEEP(20);\n")
    holder.stdin.flush()
    wait_for(lambda: server.value("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT SLEEP%'") == "1",
             5, "the lock is held")
    temporary = ctx.dir / "tmp"
    temporary.mkdir()
    waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for table%' AND info LIKE '%pua_meta%'"
    for number in (signal.SIGTERM, signal.SIGKILL):
        dumping = subprocess.Popen([sys.executable, str(SCRIPT), "dump", "--url", place.url, str(file)],
                                   env=dict(os.environ, TMPDIR=str(temporary)))
        wait_for(lambda: server.value(waiting) == "1", 5, "the dump has come to the lock")
        dumping.send_signal(number)
        equal(dumping.wait(5), 128 + number if number == signal.SIGTERM else -number, "status")
        equal((os.listdir(folder), os.listdir(temporary)), (["rows.sql"], []), "files left")
        wait_for(lambda: server.value(waiting) == "0", 5, "the server knows that it has gone")
    holder.kill()
    holder.wait()
    holder.stdin.close()
    equal((os.listdir(folder), file.read_text()), (["rows.sql"], "yesterday's\n"), "files")


@suite.test
def pipes_and_devices_take_a_dump_as_it_comes(ctx):
    place = with_rows(ctx)
    with open("/dev/full", "w") as full:
        for file, where in (("-", ""), ("/dev/full", "")):
            done = subprocess.run([sys.executable, str(SCRIPT), "dump", "--url", place.url, file], stdout=full,
                                  stderr=subprocess.PIPE, text=True, check=False)
            equal((done.returncode, done.stderr), (2, f"puadbctl: {where}No space left on device\n"), f"dump to {file}")
    pipe = ctx.dir / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True)
    expect(0, "dump", "--url", place.url, pipe)
    equal(len(re.findall("^INSERT", reader.communicate(timeout=5)[0], re.MULTILINE)), 200, "rows through a pipe")
    check(pipe.is_fifo(), "the pipe was replaced by a file")


@suite.test
def numbers_without_end_are_dumped_and_loaded(ctx):
    """SQLite takes them in any column; a row that holds one is damaged, and goes over as it is."""
    place, other = SqlitePlace(ctx), SqlitePlace(ctx, "y")
    for one in (place, other):
        expect(0, "create", "--url", one.url)
    place.run("INSERT INTO pua (id, pres_uri, event, flag, expires, cseq, version) VALUES (1, 'sip:a@b', 1, 64, 9e999, -9e999, 1.5)")
    dump = ctx.dir / "rows.sql"
    expect(0, "dump", "--url", place.url, dump)
    wanted = [["Inf", "-Inf", "1.5"]]
    read = "SELECT printf('%f', expires), printf('%f', cseq), printf('%.1f', version) FROM pua"
    equal(place.rows(read), wanted, "the numbers")
    expect(0, "load", "--url", other.url, dump, holds="1 rows loaded")
    equal(other.rows(read), wanted, "the numbers loaded")
    dump.write_text(dump.read_text().replace("-9e999", "-inf").replace("9e999", "inf"))     # as they were written once
    expect(0, "load", "--replace", "--url", other.url, dump)
    equal(other.rows(read), wanted, "the numbers of an older dump")
    other.run("DELETE FROM pua")
    other.run("\n".join(line for line in expect(0, "dump", "--url", place.url).splitlines() if line.startswith("INSERT INTO pua (")))
    equal(other.rows(read), wanted, "the numbers by hand")


main_is(suite)
