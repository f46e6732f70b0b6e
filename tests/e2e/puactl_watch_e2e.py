#!/usr/bin/env python3
"""puactl subscribe --watch against a running puad: NOTIFYs as they come, how it ends, exit statuses."""
import json
import signal
import socket
import threading
import time

from harness import Suite, check, equal, main_is, program, wait_for
from notifier import Answer
from puad import WATCHER, puactl
from watching import BOB, gone, start

suite = Suite()


class Watching:
    """A puactl that stays."""

    def __init__(self, ctx, puad, *options, name="watching", uri=BOB):
        self.process = ctx.start(name, [program("puactl"), "-s", puad.socket, *(["--json"] if "--json" in options else []),
                                        "subscribe", uri, "--watcher", WATCHER, "--event", "presence", "--watch",
                                        *(o for o in options if o != "--json")])

    def sees(self, *texts, timeout=4):
        wait_for(lambda: all(t in self.process.output() for t in texts), timeout,
                 f"{texts} in the output (so far {self.process.output()!r})")

    def ends(self, status, timeout=5):
        equal(self.process.wait(timeout), status, f"exit status (output {self.process.output()!r})")


@suite.test
def each_notify_is_shown_and_the_subscription_outlives_an_interrupt(ctx):
    notifier, puad, control = start(ctx)
    notifier.marks[BOB] = "mark-one"
    watching = Watching(ctx, puad)
    watching.sees("200 OK", "active  " + BOB, "mark-one")
    notifier.change(BOB, "mark-two")
    watching.sees("mark-two")
    watching.process.signal(signal.SIGINT)
    watching.ends(0)
    equal(len(control.subscriptions(BOB)), 1, "subscriptions after the interrupt")
    equal(len(notifier.live(BOB)), 1, "dialogs after the interrupt")
    equal(control.call("pua_unwatch")["watches"], 0, "watches of another client")
    table = puactl(puad, "list", "--kind", "subscription").stdout
    check(all(word in table for word in ("WATCHER", "DIALOG", BOB, WATCHER, "active")), f"list: {table!r}")
    check("ETAG" not in table, f"list shows publications: {table!r}")
    details = puactl(puad, "show", BOB, "--kind", "subscription").stdout
    check(all(word in details for word in ("to_tag", "remote_target", "last notify", "mark-two")), f"show: {details!r}")
    ended = puactl(puad, "unsubscribe", BOB, "--watcher", WATCHER, "--event", "presence")
    equal(ended.returncode, 0, f"exit status of unsubscribe ({ended.stderr!r})")
    wait_for(lambda: gone(control), 3, "the record is gone")
    again = puactl(puad, "unsubscribe", BOB, "--watcher", WATCHER, "--event", "presence")
    equal((again.returncode, again.stderr), (1, "puactl: 404 No such subscription\n"), "a second unsubscribe")


@suite.test
def an_interrupt_ends_the_subscription_if_so_asked(ctx):
    notifier, puad, control = start(ctx)
    watching = Watching(ctx, puad, "--end-on-exit")
    watching.sees("active")
    watching.process.signal(signal.SIGTERM)
    watching.ends(0)
    watching.sees("terminated")
    wait_for(lambda: gone(control), 3, "the record is gone")
    equal(notifier.live(BOB), [], "dialogs at the notifier")


@suite.test
def a_script_gets_a_line_of_json_for_each(ctx):
    notifier, puad, _ = start(ctx)
    notifier.marks[BOB] = "mark-one"
    fetched = puactl(puad, "--json", "subscribe", BOB, "--watcher", WATCHER, "--event", "presence", "--expires", "0", "--watch")
    equal(fetched.returncode, 0, f"exit status of a fetch ({fetched.stderr!r})")
    answer, *notifies = [json.loads(line) for line in fetched.stdout.splitlines()]
    equal((answer["code"], answer["Expires"]), (200, 0), "answer")
    last = notifies[-1]
    equal((last["presentity_uri"], last["watcher_uri"], last["event"], last["state"], last["content_type"]),
          (BOB, WATCHER, "presence", "terminated", "application/pidf+xml"), "last NOTIFY")
    check("mark-one" in last["body"] and "T" in last["time"], f"NOTIFY: {last}")


@suite.test
def the_other_side_ends_it(ctx):
    notifier, puad, _ = start(ctx)
    watching = Watching(ctx, puad)
    watching.sees("active")
    notifier.terminate(notifier.one(BOB), "deactivated")
    watching.sees("terminated (deactivated)")
    wait_for(lambda: len(notifier.made(BOB)) == 2, 4, "a new dialog")
    check(watching.process.running(), "it ended with a dialog that is made anew")
    notifier.terminate(notifier.one(BOB), "rejected")
    watching.ends(5)
    watching.sees("terminated (rejected)")


@suite.test
def the_wanted_end_is_no_error(ctx):
    _, puad, _ = start(ctx)
    watching = Watching(ctx, puad, "--expires", "2")
    watching.ends(0, timeout=9)
    watching.sees("terminated", "the subscription has ended")


@suite.test
def a_refusal_is_an_error(ctx):
    notifier, puad, _ = start(ctx)
    notifier.script = lambda request: Answer(403)
    done = puactl(puad, "subscribe", BOB, "--watcher", WATCHER, "--event", "presence", "--watch")
    equal(done.returncode, 1, "exit status")
    check("403 Forbidden" in done.stderr, f"stderr: {done.stderr!r}")


class ScriptedDaemon:
    """Answers as puad does, in states that a real one passes through too fast."""

    def __init__(self, ctx):
        self.socket, self.loading, self.shown = str(ctx.dir / "scripted"), True, 0
        self.fd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.fd.bind(self.socket)
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        ctx.callback(lambda: (self.fd.sendto(b"{}", self.socket), thread.join(5)))

    def record(self, watcher, body):
        return {"watcher_uri": watcher, "presentity_uri": BOB, "event": "presence", "state": "live", "notify_ago_ms": 5,
                "notify_state": "active", "body": body}

    def run(self):
        while "method" in (request := json.loads((got := self.fd.recvfrom(65536))[0])):
            self.shown += request["method"] == "pua_show"
            records = [self.record("sip:other@example.com", "theirs")] + ([] if self.loading else [self.record(WATCHER, "ours")])
            result = {"pua_watch": {"watch": 1, "new": self.shown < 2},
                      "pua_show": {"records": records, "loading": self.loading}}.get(request["method"], {"code": 200})
            self.fd.sendto(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode(), got[1])


@suite.test
def a_daemon_that_has_loaded_other_rows_first_has_not_lost_ours(ctx):
    puad = ScriptedDaemon(ctx)
    watching = Watching(ctx, puad)
    wait_for(lambda: puad.shown >= 2, 5, "puactl looks for its record")
    puad.loading = False
    watching.sees("ours")
    equal(watching.process.output().count("ours"), 1, "times it is shown")
    check("theirs" not in watching.process.output(), "it shows what another one watches")
    watching.process.signal(signal.SIGINT)
    watching.ends(0)


@suite.test
def a_daemon_that_is_killed_and_comes_back_is_found_again(ctx):
    notifier, puad, _ = start(ctx)
    notifier.marks[BOB] = "mark-one"
    watching = Watching(ctx, puad)
    watching.sees("mark-one")
    puad.sigkill()
    watching.sees("trying again")
    notifier.subscriber_restarted()
    puad.start()
    watching.sees("the daemon is back")
    time.sleep(1)
    notifier.change(BOB, "mark-two")
    watching.sees("mark-two", timeout=8)
    equal(len(notifier.made(BOB)), 1, "dialogs made")
    watching.process.signal(signal.SIGINT)
    watching.ends(0)


main_is(suite)
