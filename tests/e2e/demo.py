#!/usr/bin/env python3
"""The main job from end to end: puad publishes to a real presence server (Kamailio) and watches there, on the embedded store.

Prints a timeline; each step is checked. Last line: "demo: ok", or what failed and exit status 1. Under a minute.
"""
import argparse
import re
import signal
import sys
import time

import presence_server
from harness import Context, Failure, Skip, check, equal, program, stop_on_signals, wait_for
from kamailio import Kamailio
from puad import NOTE, Puad, pidf, puactl

GRANT = 8   # s: what the server grants, however much is asked
BEGIN = time.monotonic()
WATCHED, WATCHER = "bob", "sip:eve@example.com"
PEOPLE = {"alice": "At her desk", "bob": "On the phone", "carol": "Out for lunch"}


def say(text=""):
    print(f"{time.monotonic() - BEGIN:6.1f} s  {text}" if text else "", flush=True)


def uri(user):
    return f"sip:{user}@example.com"


def show_server(server):
    rows = server.rows()
    for row in rows:
        note = row.body.partition("<note")[2].partition(">")[2].partition("<")[0]
        say(f"    server: {row.user:6} {row.etag:28} ends in {row.expires - time.time():4.1f} s  \"{note}\"")
    if not rows:
        say("    server: nothing")


class Watcher:
    """puactl subscribe --watch in the background: each NOTIFY that it prints goes into the timeline."""
    HEAD = re.compile(r"^\d\d:\d\d:\d\d\.\d+ (\w+) +(sip:\S+)")

    def __init__(self, ctx, puad):
        self.process = ctx.start("watch", [program("puactl"), "-s", puad.socket, "subscribe", uri(WATCHED), "--watcher", WATCHER,
                                           "--event", "presence", "--expires", "3600", "--watch", "--end-on-exit"])
        self.taken, self.last = 0, None

    def notifies(self):
        """(state, note) of each NOTIFY so far."""
        found = []
        for line in self.process.output().splitlines():
            head, note = self.HEAD.match(line), NOTE.search(line)
            if head:
                found.append((head.group(1), ""))
            elif note and found:
                found[-1] = (found[-1][0], note.group(1))
        return found

    def show(self):
        """What has come since the last look; NOTIFYs that repeat a state (answers to refreshes) are left out."""
        for got, said in self.notifies()[self.taken:]:
            self.taken += 1
            if (got, said) != self.last:
                self.last = got, said
                say(f"    NOTIFY to {WATCHER}: {WATCHED} {got}, " + (f'"{said}"' if said else "no state"))

    def wait(self, state, note, timeout=5):
        """Until a NOTIFY says this."""
        wait_for(lambda: (state, note) in self.notifies()[self.taken:], timeout, f'a NOTIFY to {WATCHER}: {state}, "{note}"')
        self.show()


def publish(ctx, puad, user, note, expires):
    body = ctx.dir / f"{user}.xml"
    body.write_text(pidf(uri(user), note))
    done = puactl(puad, "publish", uri(user), "--event", "presence", "--body-file", body, "--expires", expires)
    check(done.returncode == 0, f"puactl publish {user}: exit {done.returncode}: {done.stderr or done.stdout}")
    say(f"    puactl publish {uri(user)} --expires {expires}: " + " ".join(done.stdout.split()))


def kinds(server, user, since):
    return [seen.kind for seen in server.seen(user)][since:]


def counts(server):
    return {user: len(list(server.seen(user))) for user in PEOPLE}


def publish_three(ctx, puad, server):
    say("publish three people")
    for user, note in PEOPLE.items():
        publish(ctx, puad, user, note, 3600)
    show_server(server)
    for user, note in PEOPLE.items():
        check(note in server.one(user).body, f"the server's document of {user} lacks the note")


def watch_one(ctx, puad, server):
    say(f"watch one: {WATCHER} subscribes to bob through the same server")
    watcher = Watcher(ctx, puad)
    watcher.wait("active", PEOPLE[WATCHED])
    row, = server.watchers(WATCHED)
    say(f"    server: watched by {row['watcher']}, Call-ID {row['callid']}")
    return watcher


def change_one(ctx, puad, server, watcher):
    say("change one: bob hangs up")
    before = server.one("bob")
    publish(ctx, puad, "bob", "Back again", 3600)
    after = server.one("bob")
    check("Back again" in after.body and "On the phone" not in after.body, "the server has not the new state of bob")
    check(before.etag != after.etag, "the server gave bob no new entity-tag")
    equal(kinds(server, "bob", 0)[-1], "modify", "bob's last request")
    watcher.wait("active", "Back again")
    show_server(server)


def kill_and_restart(ctx, puad, server, watcher):
    say("kill puad with SIGKILL in mid-subscription, start it again on the same database")
    dialog, = server.watchers(WATCHED)
    before, requests = {user: server.one(user) for user in PEOPLE}, counts(server)
    puad.sigkill()
    puad.start()
    control = puad.control()
    for user in PEOPLE:
        equal(control.record(uri(user))["etag"], before[user].etag, f"entity-tag of {user} after the restart")
    publish(ctx, puad, WATCHED, "Gone fishing", 3600)
    watcher.wait("active", "Gone fishing")
    before[WATCHED] = server.one(WATCHED)
    wait_for(lambda: server.watchers(WATCHED)[0]["remote_cseq"] > dialog["remote_cseq"], 5, "the refresh of the subscription")
    after, = server.watchers(WATCHED)
    equal(after["callid"], dialog["callid"], "Call-ID of the subscription after the restart")
    say(f"    server: the same subscription, {after['callid']}; CSeq {dialog['remote_cseq']}, now {after['remote_cseq']}")
    say("    puad holds the same entity-tags; wait for its refreshes")
    wait_for(lambda: all("refresh" in kinds(server, u, requests[u]) for u in PEOPLE), 2 * GRANT, "refreshes after the restart")
    wait_for(lambda: all(server.rows(u) and server.one(u).etag != before[u].etag for u in PEOPLE), 2, "refreshed rows")
    for user in PEOPLE:
        wanted = {"modify", "refresh"} if user == WATCHED else {"refresh"}
        equal(set(kinds(server, user, requests[user])), wanted, f"requests for {user} after the restart")
        equal(server.one(user).body, before[user].body, f"document of {user} after the refresh")
    show_server(server)
    say("    refreshed with SIP-If-Match: no second publication at the server")


def short_one(ctx, puad, server):
    wanted = 2 * GRANT - 3
    say(f"a short one: dave wants {wanted} s, the server grants {GRANT} s at a time")
    begin = time.monotonic()
    publish(ctx, puad, "dave", "Just passing", wanted)
    time.sleep(GRANT + 2)
    check(server.rows("dave"), "dave was not refreshed")
    check("refresh" in kinds(server, "dave", 0), "no refresh of dave was seen")
    say("    still there after the first grant has run out: it was refreshed")
    wait_for(lambda: not server.rows("dave"), wanted, "dave's publication ends")
    took = time.monotonic() - begin
    check(wanted - 1 <= took <= wanted + 1.5, f"dave ended after {took:.1f} s, wanted {wanted} s")
    # The server counts in whole seconds, so its grant may be over a moment before our removal comes.
    wait_for(lambda: kinds(server, "dave", 0)[-1] == "remove", 2, "a removal is dave's last request")
    say(f"    ended {took:.1f} s after it was published, by a removal")


def remove_one(puad, server):
    say("remove one: carol goes home")
    done = puactl(puad, "publish", uri("carol"), "--event", "presence", "--expires", "0")
    check(done.returncode == 0, f"removal of carol: exit {done.returncode}: {done.stderr or done.stdout}")
    equal(server.rows("carol"), [], "carol's rows after the removal")
    equal(kinds(server, "carol", 0)[-1], "remove", "carol's last request")
    show_server(server)


def server_loses_all(server):
    say("restart the presence server with an empty table")
    before = {user: server.one(user) for user in ("alice", "bob")}
    server.stop()
    requests = counts(server)
    server.restart(empty=True)
    show_server(server)
    for user in before:
        wait_for(lambda u=user: server.rows(u), 2 * GRANT, f"full state of {user} appears again")
        equal(kinds(server, user, requests[user])[:2], ["refresh", "initial"], f"requests for {user} (412 to the first)")
        equal(server.one(user).body, before[user].body, f"document of {user}")
    show_server(server)
    say("    each refresh got 412, and full state was published once")
    equal(len(server.rows()), 2, "publications at the server")


def watch_no_more(server, watcher):
    say(f"{WATCHER} has seen enough: puactl is interrupted")
    watcher.process.signal(signal.SIGINT)
    equal(watcher.process.wait(5), 0, "exit status of puactl")
    wait_for(lambda: not server.watchers(WATCHED), 2, "the server's subscription is gone")
    shown = watcher.notifies()
    say(f"    server: nobody watches; {len(shown)} NOTIFYs were shown")


def end(puad):
    status, took = puad.terminate()
    equal(status, 0, "exit status of puad after SIGTERM")
    say(f"puad ended {took:.1f} s after SIGTERM")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", action="store_true", help="keep the folder with configurations, logs and databases")
    options.add_argument("--serve", type=int, metavar="PORT", help="leave a presence server running on this port")
    arguments = options.parse_args()
    stop_on_signals()
    why = arguments.serve and presence_server.obstacle(arguments.serve)
    if why:                 # said before the whole demo has run, not behind it
        print(f"demo: FAILED: {why}")
        return 1
    with Context("demo", arguments.keep) as ctx:
        try:
            server = Kamailio(ctx, max_expires=GRANT)
            say(f"Kamailio presence server on {server.uri}, grants {GRANT} s")
            puad = Puad(ctx, server.uri).listen().start()
            say(f"puad (process {puad.process.pid}) with a fresh SQLite file")
            show_server(server)
            publish_three(ctx, puad, server)
            watcher = watch_one(ctx, puad, server)
            change_one(ctx, puad, server, watcher)
            kill_and_restart(ctx, puad, server, watcher)
            short_one(ctx, puad, server)
            remove_one(puad, server)
            server_loses_all(server)
            watcher.show()
            publish(ctx, puad, WATCHED, "Home again", 3600)
            watcher.wait("active", "Home again")
            watch_no_more(server, watcher)
            end(puad)
        except (Failure, Skip) as why:
            for line in ctx.tails(6):
                print(f"        | {line}")
            print(f"demo: FAILED: {why}")
            return 1
        except KeyboardInterrupt:
            print("demo: interrupted")
            return 1
    print("demo: ok")
    return presence_server.start(arguments.serve) if arguments.serve else 0


if __name__ == "__main__":
    sys.exit(main())
