#!/usr/bin/env python3
"""puad as a process: SIGTERM, SIGHUP, daemon mode, pid file, restarts with rows that live and rows that expired."""
import os
import signal
import sqlite3
import time

from esc import Esc
from harness import Suite, check, equal, main_is, program, wait_for
from kamailio import Kamailio
from puad import Puad, note_of, pidf, run

suite = Suite()


def uri(user):
    return f"sip:{user}@example.com"


def publish_many(control, count, expires=3600):
    numbers = [control.submit("pua_publish", {"presentity_uri": uri(f"u{n}"), "expires": expires, "event_package": "presence",
                                              "content_type": "application/pidf+xml", "body": pidf(uri(f"u{n}"), f"n{n}")})
               for n in range(count)]
    for number in numbers:
        check("result" in control.wait(number), "a publication failed")


@suite.test
def sigterm_writes_everything_and_the_next_start_goes_on(ctx):
    server = Kamailio(ctx)
    puad = Puad(ctx, server.uri, update_period=30).start()
    publish_many(puad.control(), 200)
    before = {r.uri: r.etag for r in server.rows()}
    status, took = puad.terminate()
    equal(status, 0, "exit status")
    check(took < 5.5, f"it took {took:.1f} s")
    check(not puad.socket.exists(), "the control socket was left behind")
    equal(len(server.rows()), 200, "publications at the server: a shutdown does not un-publish")
    puad.start()
    equal({r["presentity_uri"]: r["etag"] for r in puad.control().list()}, before, "records and entity-tags after the restart")


@suite.test
def sigterm_ends_in_time_while_the_server_is_silent(ctx):
    esc = Esc(ctx)
    puad = Puad(ctx, esc.uri, shutdown_timeout=2).start()
    control = puad.control()
    esc.mode = "deaf"
    number = control.submit("pua_publish", {"presentity_uri": uri("a"), "expires": 600, "event_package": "presence",
                                            "content_type": "application/pidf+xml", "body": pidf(uri("a"), "x")})
    wait_for(esc.requests, 5, "the request is out")
    status, took = puad.terminate()
    equal(status, 0, "exit status")
    check(took < 4.5, f"it took {took:.1f} s with shutdown_timeout 2, not the 5 of the default")
    answer = control.wait(number, 2)
    check("error" in answer, f"the open request was answered {answer}")


@suite.test
def unpublish_on_shutdown_removes_everything(ctx):
    server = Kamailio(ctx)
    puad = Puad(ctx, server.uri, unpublish_on_shutdown=1).start()
    publish_many(puad.control(), 50)
    equal(len(server.rows()), 50, "publications before")
    equal(puad.terminate()[0], 0, "exit status")
    equal(server.rows(), [], "publications after")
    puad.start()
    equal(puad.control().list(), [], "records after the next start")


@suite.test
def a_restart_keeps_what_lives_and_drops_what_expired(ctx):
    server = Kamailio(ctx, max_expires=6)
    puad = Puad(ctx, server.uri).start()
    control = puad.control()
    for user, lifetime in (("long", 3600), ("ever", -1), ("short", 4)):
        control.publish(uri(user), pidf(uri(user), user), lifetime)
    puad.sigkill()
    time.sleep(7.5)       # every grant has run out, and short's wanted lifetime too
    equal(server.rows(), [], "publications while puad is down")
    puad.start()
    for user in ("long", "ever"):
        wait_for(lambda u=user: server.rows(u), 10, f"{user} is published again")
        equal(note_of(server.one(user).body), user, f"document of {user}")
    time.sleep(1)
    equal(server.rows("short"), [], "publications of short, which had ended")
    check(uri("short") not in {r["presentity_uri"] for r in puad.control().list()}, "short is still a record")
    sent = [seen.kind for seen in server.seen("short")]
    check(sent[-1] in ("initial", "remove"), f"requests for short: {sent}")   # a late removal does no harm


@suite.test
def a_quick_restart_repeats_the_request_whose_answer_it_missed(ctx):
    """The server did what it was asked, the answer was lost, puad was killed: the same request again, and no orphan."""
    esc = Esc(ctx)
    puad = Puad(ctx, esc.uri).start()

    def lose_answer(body, expires):
        before = len(esc.requests(uri("a")))
        esc.mode = "mute"
        puad.control().submit("pua_publish", {"presentity_uri": uri("a"), "expires": expires, "event_package": "presence",
                                              **({"content_type": "application/pidf+xml", "body": body} if body else {})})
        wait_for(lambda: len(esc.requests(uri("a"))) > before, 5, "the request is out")
        puad.control().call("pua_flush")      # what it wants is in the database now
        puad.sigkill()
        esc.mode = "answer"
        puad.start()
        wait_for(lambda: all(t.answered for t in esc.requests(uri("a"))), 10, "the same transaction is answered")
        equal(len(esc.requests(uri("a"))), before + 1, "transactions, the repeated one not counted twice")
        wait_for(lambda: puad.control().stats()["sending"] == 0, 5, "the answer is taken")

    for what, body, expires in (("initial", pidf(uri("a"), "one"), 600), ("modify", pidf(uri("a"), "two"), 600)):
        lose_answer(body, expires)
        (etag, state), = esc.live(uri("a"))
        equal(note_of(state.body.decode()), note_of(body), f"document after the {what}")
        equal(puad.control().record(uri("a"))["etag"], etag, f"entity-tag after the {what}")
    lose_answer(None, 0)
    equal(esc.live(uri("a")), [], "publications after the removal")
    wait_for(lambda: puad.control().stats()["records"] == 0, 5, "the record is gone")
    equal(esc.violations, [], "what a client must never do")


@suite.test
def sighup_takes_over_what_can_change_and_names_the_rest(ctx):
    puad = Puad(ctx).start()
    control = puad.control()
    equal(control.call("log_level")["level"], "notice", "log level before")
    puad.set("puad", log_level="debug")
    puad.set("pua", hash_size=12)
    puad.write_config()
    puad.process.signal(signal.SIGHUP)
    wait_for(lambda: control.call("log_level")["level"] == "debug", 5, "the new log level")
    check("hash_size" in puad.log(), "the log does not say that hash_size needs a restart")
    puad.config.write_text('modparam("pua", "no_such_thing", 1)\n')
    puad.process.signal(signal.SIGHUP)
    wait_for(lambda: f"{puad.config}:1:17" in puad.log(), 5, "the mistake is logged with its place")
    equal(control.call("log_level")["level"], "debug", "log level after a broken file")


@suite.test
def reload_answers_what_needs_a_restart(ctx):
    puad = Puad(ctx).start()
    puad.set("pua", hash_size=12, max_body=2048)
    puad.write_config()
    control = puad.control()
    answer = control.call("pua_reload")
    check(any("hash_size" in name for name in answer["needs_restart"]), f"answer: {answer}")
    check(not any("max_body" in name for name in answer["needs_restart"]), f"answer: {answer}")
    equal(control.error("pua_publish", {"presentity_uri": uri("a"), "expires": 60, "event_package": "presence",
                                        "content_type": "application/pidf+xml", "body": pidf(uri("a"), "x" * 3000)}).code, 413,
          "code for a body over the new max_body")
    puad.config.write_text("nonsense\n")
    equal(control.error("pua_reload").code, 500, "code for a broken file")
    control.stats()


@suite.test
def daemon_mode_pid_file_and_foreground(ctx):
    puad = Puad(ctx)
    pid_file = ctx.dir / "puad.pid"
    puad.set("puad", pid_file=str(pid_file), log_to="syslog")
    puad.write_config()
    started = run(program("puad"), "-f", puad.config, "--daemon", timeout=10)
    pid = None
    try:
        equal(started.returncode, 0, f"exit of the parent ({started.stderr})")
        # The parent ends when the daemon is ready, so no waiting here.
        pid = int(pid_file.read_text())
        puad.control().stats()
        equal(os.getsid(pid), os.getpgid(pid), "session of the daemon")
        check(os.getsid(pid) != os.getsid(0), "the daemon is still in our session")
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not os.path.exists(f"/proc/{pid}"), 8, "the daemon ends")
        check(not pid_file.exists(), "the pid file was left behind")
    finally:
        if pid and os.path.exists(f"/proc/{pid}"):
            os.kill(pid, signal.SIGKILL)


@suite.test
def a_daemon_that_cannot_start_says_so_before_it_lets_go(ctx):
    puad = Puad(ctx)
    puad.set("pua", db_url=f"sqlite:///{ctx.dir}/none/x.db")
    puad.write_config()
    started = run(program("puad"), "-f", puad.config, "--daemon", timeout=10)
    equal(started.returncode, 1, "exit of the parent")
    check("none" in started.stderr + started.stdout, f"it said {started.stderr!r}")


@suite.test
def a_stale_socket_and_a_stale_pid_file_are_replaced(ctx):
    puad = Puad(ctx)
    pid_file = ctx.dir / "puad.pid"
    puad.set("puad", pid_file=str(pid_file))
    puad.start().sigkill()
    check(puad.socket.exists() and pid_file.exists(), "SIGKILL left nothing behind")
    puad.start()
    equal(int(pid_file.read_text()), puad.process.pid, "process id in the file")


@suite.test
def idle_means_idle(ctx):
    """With 100,000 records and no deadline near, the process does not wake up."""
    esc = Esc(ctx)
    puad = Puad(ctx, esc.uri).start()
    publish_many(puad.control(), 1)
    puad.terminate()
    with sqlite3.connect(puad.db) as db:      # one real row, and 99,999 like it that are good for a day
        columns = [c[1] for c in db.execute("pragma table_info(pua)")]
        copied = {"id": "n.i", "pres_uri": "'sip:u' || n.i || '@example.com'", "expires": str(int(time.time()) + 86400)}
        db.execute("with recursive n(i) as (select 2 union all select i + 1 from n where i < 100000) "
                   f"insert into pua ({', '.join(columns)}) select {', '.join(copied.get(c, 'pua.' + c) for c in columns)} from pua, n")
        db.execute("update pua set expires = ?", (int(time.time()) + 86400,))
        db.execute("update pua set desired_expires = 0")
    puad.start()
    control = puad.control()
    wait_for(lambda: control.call("pua_stats")["records"] == 100000, 20, "100,000 rows are loaded")

    def wakeups():
        for line in open(f"/proc/{puad.process.pid}/status"):
            if line.startswith("voluntary_ctxt_switches"):
                return int(line.split()[1])

    def tidied():
        """What follows the load, a checkpoint for one, has come to its end."""
        so_far = puad.process.cpu_seconds()
        time.sleep(2)
        return puad.process.cpu_seconds() - so_far <= 0.01
    wait_for(tidied, 20, "puad is quiet after the load")
    before, cpu = wakeups(), puad.process.cpu_seconds()
    time.sleep(5)
    woke, used = wakeups() - before, puad.process.cpu_seconds() - cpu
    print(f"# idle for 5 s with 100,000 records: {woke} wake-ups, {used * 1000:.0f} ms of CPU", flush=True)
    check(woke <= 25, f"{woke} wake-ups in 5 s")
    check(used <= 0.03, f"{used * 1000:.0f} ms of CPU in 5 s")


main_is(suite)
