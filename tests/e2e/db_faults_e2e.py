#!/usr/bin/env python3
"""Everything that can go wrong with a MariaDB server, while puad is under load.

SIP goes on in time, every request is answered once and soon, nothing that was reported durable is lost and nothing whose
end was comes back; what is unwritten drains when the database is there again.
"""
import signal
import threading
import time

from db_load import ACK_WAIT, DB_TIMEOUT, Load, client, database, host, under_load
from harness import HOST, ROOT, Suite, check, equal, main_is, wait_for
from puad import RpcError, pidf, puactl, publish_params, run
from tcpproxy import Proxy

suite = Suite()
OURS = "SELECT id FROM information_schema.processlist WHERE user='pua'"


def uri(name):
    return f"sip:{name}@example.com"


def puadbctl(command, url, *more):
    done = run(ROOT / "scripts/puadbctl", command, "--url", url, *more)
    equal(done.returncode, 0, f"puadbctl {command}: {done.stderr[-300:]}")


def fault(load, what, begin, seconds, end, **more):
    """The load goes on for a while, then through the fault, then for a while after it. Its requests during the fault."""
    time.sleep(0.6)
    since = time.monotonic()
    begin()
    time.sleep(seconds)
    times = load.check_in_time(what, since, time.monotonic(), **more)
    end()
    time.sleep(0.5)
    return times


def recovered(load, stopped=False):
    """Ends the load; the last answers are durable again. stopped: we have stopped puad for a while, so its loop stood."""
    load.end()
    print(f"# drained {load.drained():.1f} s after the end; {load.durable} of {load.answered} answers were durable", flush=True)
    wait_for(lambda: load.control.publish(uri("after"), pidf(uri("after"), "after"), -1)["durable"], 2, "an answer is durable again")
    load.control.remove(uri("after"))
    if not stopped:
        load.check_loop()


# --- the start ---------------------------------------------------------------------------------------

def refused(ctx, url, *words, seconds=3.0, **pua):
    puad, _ = client(ctx, url, **pua)
    puad.name = f"puad{len(ctx.processes)}"
    began = time.monotonic()
    puad.start(ready=False)
    equal(puad.process.wait(10), 1, "exit status")
    took, log = time.monotonic() - began, puad.log()
    check(took < seconds, f"{took:.1f} s to find out that {url} is no good")
    for word in words:
        check(word in log, f"no {word!r} in: {log[-400:]}")
    check("puapw" not in log, "the log shows the password")


@suite.test
def where_it_cannot_be_used_at_start_puad_says_why_and_ends(ctx):
    db, nobody = database(ctx), ctx.port()
    refused(ctx, host(nobody), f"{HOST}:{nobody}: Can't connect to server on '{HOST}'")
    refused(ctx, host(nobody, ctx.port()), "next server", "onnect")
    refused(ctx, f"mysql://pua:puapw@nobody.invalid:{db.port}/presence", "nobody.invalid", "name", seconds=6)
    refused(ctx, f"mysql://pua:wrong@{HOST}:{db.port}/presence", "Access denied", f"{HOST}:{db.port}")
    refused(ctx, db.url("nowhere"), "nowhere")
    refused(ctx, db.url(), "other", "puadbctl create", db_table="other")
    refused(ctx, db.url(), "no TLS", db_tls="on")
    db.freeze()
    refused(ctx, db.url(), f"{HOST}:{db.port}", "answer", seconds=5)
    db.thaw()


@suite.test
def puad_can_wait_for_it_at_start_and_goes_on_with_earlier_records(ctx):
    db = database(ctx)
    puad, server = client(ctx, db.url(), db_start="wait")
    puad.start()
    old = [uri(f"old{n}") for n in range(40)]
    control = puad.control()
    for number in [control.submit("pua_publish", publish_params(u, pidf(u, "first"), -1)) for u in old]:
        check("result" in control.wait(number), "a publication failed")
    control.call("pua_flush")
    etags = {s.uri: etag for etag, s in server.live()}
    puad.sigkill()
    db.kill()
    puad.start()
    control = puad.control()
    early = {control.submit("pua_publish", publish_params(u, pidf(u, "second"), -1)): u for u in [*old[:5], uri("new")]}
    began = time.monotonic()
    for number, u in early.items():
        answer = control.wait(number)
        equal(answer.get("error", {}).get("code"), 503, f"answer of {u} before the records are loaded")
    print(f"# refused after {time.monotonic() - began:.1f} s", flush=True)
    check("being loaded" in puactl(puad, "list").stdout, "puactl list does not say that it is not complete")
    check("being loaded" in puactl(puad, "show", old[9]).stderr, "puactl show does not say that it may still come")
    db.start()
    began = time.monotonic()
    wait_for(lambda: len(control.list()) == 41, 5, "41 records")
    wait_for(lambda: control.stats()["store_backlog"] == 0 and len(server.live()) == 41, 5, "all is written")
    print(f"# loaded {time.monotonic() - began:.1f} s after the server was there", flush=True)
    listed = {r["presentity_uri"]: r["etag"] for r in control.list()}
    equal([u for u in old[5:] if listed[u] != etags[u]], [], "records with another entity-tag")
    equal({t.status for t in server.requests()}, {200}, "replies: an entity-tag was used twice, or not at all")
    equal(len(server.requests(old[0])), 2, "requests of a record that was changed early")
    equal(server.violations, [], "violations")


@suite.test
def what_puad_accepts_before_its_table_is_there_counts_as_unwritten(ctx):
    db = database(ctx)
    puad, _ = client(ctx, db.url(), db_start="wait", shutdown_timeout=1)
    db.kill()
    puad.start()
    control = puad.control()
    number = control.submit("pua_publish", publish_params(uri("early"), pidf(uri("early"), "kept"), -1))
    equal(control.wait(number).get("error", {}).get("message"), "Table not loaded yet, kept", "answer to the request")
    equal(control.stats()["store_backlog"], 1, "records that are in no row")
    flushed = puactl(puad, "flush")
    check(flushed.returncode != 0 and "Not everything could be written" in flushed.stderr, f"a flush says {flushed}")
    equal(puad.terminate()[0], 1, "exit status")
    lines = puad.log().splitlines()
    check(any("shutdown: 1 records could not be written in time" in line for line in lines), f"the log: {lines[-5:]}")
    check("puad ends with status 1" in lines[-1], f"the last line is {lines[-1]}")


# --- gone, and back ----------------------------------------------------------------------------------

@suite.test
def it_dies_and_comes_back(ctx):
    db = database(ctx)
    load = under_load(ctx, db)
    times = fault(load, "server dead", db.kill, 1.5, db.start, waits=0)
    equal([m.uri for m, _, _ in times if m.durable and m.asked > times[0][0].asked + 0.5], [], "durable without a server")
    recovered(load)
    load.check_all(db)


@suite.test
def it_stands_still_and_goes_on(ctx):
    db = database(ctx)
    load = under_load(ctx, db)
    fault(load, "server frozen", db.freeze, 2.5, db.thaw)

    def stutter():
        for _ in range(4):
            db.freeze()
            time.sleep(DB_TIMEOUT / 2000)
            db.thaw()
            time.sleep(0.1)

    fault(load, "frozen for less than db_timeout, four times", stutter, 0.1, lambda: None)
    recovered(load)
    load.check_all(db)


@suite.test
def puad_is_killed_while_it_stands_still(ctx):
    db = database(ctx)
    puad, server = client(ctx, db.url())
    # Many are removed twice: what has ended has a row until the database has deleted it.
    load = Load(ctx, puad, server, people=60, rate=300, removals=0.6)
    for _ in range(3):
        puad.start()
        load.begin()
        time.sleep(0.5)
        db.freeze()
        time.sleep(0.39)
        load.kill_puad()
        db.thaw()
    puad.start()
    load.connect()
    load.verify_puad()
    load.begin()
    time.sleep(0.5)
    load.end()
    load.unanswered = 0       # those of the kills
    load.check_all(db, orphans=True)


@suite.test
def it_turns_read_only_and_back(ctx):
    db = database(ctx)
    load = under_load(ctx, db)
    fault(load, "read-only", lambda: db.sql("SET GLOBAL read_only=1"), 1.5, lambda: db.sql("SET GLOBAL read_only=0"))
    recovered(load)
    check("read" in load.puad.log(), "the log does not say that it is read-only")
    load.check_all(db)


@suite.test
def the_table_is_dropped_and_made_again(ctx):
    db = database(ctx)
    load = under_load(ctx, db)

    def unseen(how):
        """While puad does not look, and its connections are gone when it looks again."""
        load.puad.process.signal(signal.SIGSTOP)
        for [number] in db.sql(OURS):
            db.client_run(f"KILL {number}")
        how()
        load.puad.process.signal(signal.SIGCONT)

    def dropped():
        puadbctl("drop", db.url(), "--yes")

    def again():
        puadbctl("create", db.url())

    def database_again():
        db.sql("CREATE DATABASE presence")
        again()

    def drop_database():
        db.sql("DROP DATABASE presence")

    def all_there():
        return int(db.value("SELECT COUNT(*) FROM pua", "presence")) >= len(load.server.live())

    for what, begin, end in [("table dropped", lambda: db.sql("DROP TABLE pua", "presence"), again),
                             ("all tables dropped unseen", lambda: unseen(dropped), again),
                             ("made anew unseen", lambda: unseen(lambda: (dropped(), again())), lambda: None),
                             ("database dropped", drop_database, database_again),
                             ("database dropped unseen", lambda: unseen(drop_database), database_again)]:
        seen = load.puad.log().count("records are written again")
        begin()
        fault(load, what, lambda: None, 0.4, end)
        # A table that is there and empty is noticed when a row that was in it is written to: so work goes on until then.
        wait_for(lambda: load.puad.log().count("records are written again") > seen, 15, f"{what}: it is noticed")
        load.end()
        load.drained()
        wait_for(all_there, 15, f"{what}: all rows again")
        load.check_table(db)
        load.begin()
    recovered(load, stopped=True)
    load.check_all(db)


@suite.test
def it_has_no_space_left(ctx):
    db = database(ctx, options=["--innodb-file-per-table=0", "--innodb-data-file-path=ibdata1:12M:autoextend:max:18M"])
    db.options = (db.options[0], "--innodb-data-file-path=ibdata1:12M:autoextend")     # of the next start
    puad, server = client(ctx, db.url())
    load = Load(ctx, puad, server)
    load.padding = "<!-- " + "x" * 3000 + " -->"
    puad.start()
    load.begin()

    def fill():
        db.sql("CREATE TABLE filler (b LONGBLOB) ENGINE=InnoDB", "presence")
        for size in (1 << 20, 1 << 16, 1 << 13, 1 << 10):
            while db.client_run(f"INSERT INTO filler VALUES (REPEAT('x',{size}))", database="presence").returncode == 0:
                pass

    def more_room():
        db.kill()       # an orderly shutdown of a server without space can take for ever
        db.start()

    time.sleep(0.8)
    fill()
    fault(load, "no space", lambda: None, 1.5, more_room)
    check("full" in puad.log(), "the log does not say that it is full")
    recovered(load)
    load.check_all(db)


# --- slow, and in the way ----------------------------------------------------------------------------

@suite.test
def it_answers_slowly(ctx):
    db = database(ctx)
    proxy = Proxy(ctx, db.port)
    load = under_load(ctx, db, host(proxy.port))

    def slow(seconds):
        proxy.delay = seconds

    times = fault(load, "2 ms each way", lambda: slow(0.002), 1.0, lambda: None)
    check(sum(m.durable for m, _, _ in times) > len(times) * 0.9, "not durable, though it was in time")
    fault(load, "20 ms each way", lambda: slow(0.02), 1.0, lambda: None)
    times = fault(load, "150 ms each way", lambda: slow(0.15), 1.5, lambda: slow(0))
    check(not any(m.durable for m, _, _ in times if m.asked > times[0][0].asked + 0.5), "durable, though it was late")
    recovered(load)
    load.check_all(db)


@suite.test
def it_is_a_black_hole_and_delivers_all_of_it_later(ctx):
    db = database(ctx)
    proxy = Proxy(ctx, db.port)
    load = under_load(ctx, db, host(proxy.port))
    fault(load, "black hole", proxy.hold, 2.5, proxy.release)
    fault(load, "old connections are a black hole", lambda: proxy.hold(new=False), 1.5, proxy.release)
    recovered(load)
    load.check_all(db)


def late_write(ctx, db, first, second=None):
    """A change is swallowed on its way through `first`; its record is removed on another connection (through `second`, if
    that is another proxy); then the change arrives. What the table has in the end."""
    puad, server = client(ctx, host(first.port, *([second.port] if second else [])))
    puad.start()
    control = puad.control()
    control.publish(uri("lamp"), pidf(uri("lamp"), "on"), -1)
    control.call("pua_flush")
    first.hold(new=False)
    check(not control.publish(uri("lamp"), pidf(uri("lamp"), "still on"), -1)["durable"], "durable in a black hole")
    check(first.held_octets() > 200, "the change is not on its way")
    wait_for(lambda: control.stats()["store_backlog"] == 0, 5, "it is written on another connection")
    control.remove(uri("lamp"))
    control.call("pua_flush")
    equal(db.sql("SELECT pres_uri FROM pua", "presence"), [], "rows after the removal")
    first.release()
    time.sleep(0.4)
    rows = db.sql("SELECT pres_uri FROM pua", "presence")
    puad.sigkill()
    puad.start()
    time.sleep(0.2)
    return rows, puad.control().list()


@suite.test
def a_change_that_arrives_late_brings_nothing_back(ctx):
    db = database(ctx)
    equal(late_write(ctx, db, Proxy(ctx, db.port)), ([], []), "what came back")


@suite.test
def a_change_that_arrives_late_by_another_way_brings_nothing_back(ctx):
    db = database(ctx)
    equal(late_write(ctx, db, Proxy(ctx, db.port), Proxy(ctx, db.port)), ([], []), "what came back")


@suite.test
def a_change_of_a_killed_puad_that_arrives_late_brings_nothing_back(ctx):
    db = database(ctx)
    proxy = Proxy(ctx, db.port)
    puad, _ = client(ctx, host(proxy.port))
    puad.start()
    control = puad.control()
    control.publish(uri("lamp"), pidf(uri("lamp"), "on"), -1)
    control.call("pua_flush")
    proxy.hold(new=False)
    control.publish(uri("lamp"), pidf(uri("lamp"), "still on"), -1)
    check(proxy.held_octets() > 200, "the change is not on its way")
    puad.sigkill()
    puad.start()
    control = puad.control()
    wait_for(lambda: control.list(), 3, "the record")
    control.remove(uri("lamp"))
    control.call("pua_flush")
    proxy.release()
    time.sleep(0.4)
    equal(db.sql("SELECT pres_uri FROM pua", "presence"), [], "rows after the removal")


@suite.test
def others_hold_locks(ctx):
    db = database(ctx)
    load = under_load(ctx, db)
    time.sleep(1.0)
    mine = [row[0] for row in db.sql("SELECT pres_uri FROM pua ORDER BY id LIMIT 3", "presence")]
    holder = threading.Thread(target=lambda: db.client_run(
        "BEGIN; SELECT id FROM pua ORDER BY id LIMIT 3 FOR UPDATE; SELECT SLEEP(3); ROLLBACK", database="presence"))
    times = fault(load, "three rows locked", holder.start, 2.8, holder.join)
    others = [t[0].durable for t in times if t[0].uri not in mine]
    locked = [t[0].durable for t in times if t[0].uri in mine]
    print(f"# durable: {sum(others)} of {len(others)} others, {sum(locked)} of {len(locked)} locked", flush=True)
    check(sum(others) > len(others) * 0.5, f"only {sum(others)} of {len(others)} answers about other rows were durable")
    recovered(load)
    load.check_all(db)


def counted(db):
    return int(db.value("SELECT VARIABLE_VALUE FROM information_schema.global_status WHERE VARIABLE_NAME='Innodb_deadlocks'"))


@suite.test
def deadlocks(ctx):
    db = database(ctx)
    load = under_load(ctx, db)
    time.sleep(0.8)
    before = counted(db)
    end = time.monotonic() + 2

    def rival(order):
        while time.monotonic() < end:
            db.client_run("BEGIN;" + "".join(f"UPDATE pua SET updated_at=updated_at+1 WHERE id={n};" for n in ids[::order])
                          + "ROLLBACK", database="presence")

    ids = [row[0] for row in db.sql("SELECT id FROM pua ORDER BY id", "presence")]
    rivals = [threading.Thread(target=rival, args=(order,)) for order in (-1, 1)]
    fault(load, "rivals for the rows", lambda: [r.start() for r in rivals], 1.5, lambda: [r.join() for r in rivals])
    found = counted(db) - before
    print(f"# {found} deadlocks", flush=True)
    check(found > 0, "no deadlock was brought about")
    recovered(load)
    load.check_all(db)


@suite.test
def connections_are_killed_again_and_again(ctx):
    db = database(ctx)
    load = under_load(ctx, db)
    killed = []

    def kill_all():
        end = time.monotonic() + 2
        while time.monotonic() < end:
            numbers = [row[0] for row in db.sql(OURS)]
            killed.extend(numbers)
            db.client_run("".join(f"KILL {n};" for n in numbers), "--force")
            time.sleep(0.03)

    killer = threading.Thread(target=kill_all)
    fault(load, "connections killed", killer.start, 2, killer.join)
    print(f"# {len(killed)} connections killed", flush=True)
    check(len(killed) > 10, f"only {len(killed)} connections killed")
    recovered(load)
    load.check_all(db)


@suite.test
def it_takes_no_more_connections(ctx):
    db = database(ctx, options=["--max-connections=10"])
    load = under_load(ctx, db)
    db.client_run("CREATE USER crowd@localhost")
    time.sleep(0.5)
    load.puad.process.signal(signal.SIGSTOP)
    for [number] in db.sql(OURS):
        db.client_run(f"KILL {number}")
    for n in range(12):
        ctx.start(f"crowd{n}", [db.client, "--no-defaults", f"--socket={db.socket}", "--user=crowd", "-e", "SELECT SLEEP(20)"])

    def crowd():
        """Their connections, as root sees them by the one that is kept for it; None while somebody has that one."""
        done = db.client_run("SELECT id FROM information_schema.processlist WHERE user='crowd'")
        return None if done.returncode else done.stdout.decode().split()

    wait_for(lambda: len(crowd() or []) >= 10, 15, "a crowd")
    load.puad.process.signal(signal.SIGCONT)

    def leave():
        left = crowd()
        while left != []:
            for number in left or []:
                db.client_run(f"KILL {number}")
            left = crowd()

    fault(load, "too many connections", lambda: None, 1.0, leave)
    recovered(load, stopped=True)
    check("oo many connections" in load.puad.log(), "the log does not say it")
    load.check_all(db)


# --- several servers, and too much -------------------------------------------------------------------

@suite.test
def several_servers(ctx):
    db = database(ctx)
    first, second = Proxy(ctx, db.port), Proxy(ctx, db.port)   # ways to one database: two servers that are always equal
    first.cut()
    load = under_load(ctx, db, host(first.port, second.port))
    time.sleep(0.5)
    first.restore()
    times = fault(load, "the second of two dies", second.cut, 1.0, lambda: None)
    # What was asked right after the cut was perhaps on its way already, and durable; what waits is not, until the other is there.
    cut = times[0][0].asked
    after = sorted((m.asked, m.answered, m.durable) for m, _, _ in times)
    lost = next((asked for asked, _, durable in after if not durable), cut)
    took = next((answered for asked, answered, durable in after if durable and asked >= lost), float("inf")) - cut
    print(f"# fail-over after {took * 1000:.0f} ms", flush=True)
    check(took < 0.5, "fail-over took long")
    fault(load, "both dead", first.cut, 1.0, second.restore)
    fault(load, "the other one hangs", second.hold, 1.0, first.restore)
    second.release()
    recovered(load)
    load.check_all(db)


@suite.test
def max_backlog_bounds_what_waits(ctx):
    db = database(ctx)
    puad, server = client(ctx, db.url(), max_backlog=100)
    puad.start()
    control = puad.control()
    for n in range(20):
        control.publish(uri(f"a{n}"), pidf(uri(f"a{n}"), "1"), -1)
    db.kill()
    codes = {}
    for n in range(200):
        try:
            control.publish(uri(f"b{n}"), pidf(uri(f"b{n}"), "1"), -1)
        except RpcError as error:
            codes.setdefault(error.code, []).append(str(error.data or error.message))
    equal(set(codes), {503}, "codes of refused ones")
    print(f"# {len(codes[503])} of 200 refused: {codes[503][0]}", flush=True)
    check(len(codes[503]) in range(95, 125), f"{len(codes[503])} of 200 were refused")
    check("max_backlog" in codes[503][0], f"message: {codes[503][0]}")
    for n in range(20):
        equal(control.publish(uri(f"a{n}"), pidf(uri(f"a{n}"), "2"), -1)["durable"], False, "durable")
    control.remove(uri("a0"))
    check(control.stats()["store_backlog"] <= 130, "the backlog grows on")
    db.start()
    wait_for(lambda: control.stats()["store_backlog"] == 0, 5, "the backlog drains")
    wait_for(lambda: control.publish(uri("c"), pidf(uri("c"), "1"), -1)["durable"], 2, "an answer is durable again")
    equal({r[0] for r in db.sql("SELECT pres_uri FROM pua", "presence")}, {s.uri for _, s in server.live()}, "rows")


main_is(suite)
