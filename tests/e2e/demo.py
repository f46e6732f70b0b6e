#!/usr/bin/env python3
"""The main job from end to end: puad publishes to a real presence server (Kamailio), on the embedded store.

Prints a timeline; each step is checked. Last line: "demo: ok", or what failed and exit status 1. About 50 s.
"""
import argparse
import sys
import time

from harness import Context, Failure, Skip, check, equal, stop_on_signals, wait_for
from kamailio import Kamailio
from puad import Puad, pidf, puactl

GRANT = 8   # s: what the server grants, however much is asked
BEGIN = time.monotonic()
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


def change_one(ctx, puad, server):
    say("change one: bob hangs up")
    before = server.one("bob")
    publish(ctx, puad, "bob", "Back again", 3600)
    after = server.one("bob")
    check("Back again" in after.body and "On the phone" not in after.body, "the server has not the new state of bob")
    check(before.etag != after.etag, "the server gave bob no new entity-tag")
    equal(kinds(server, "bob", 0)[-1], "modify", "bob's last request")
    show_server(server)


def kill_and_restart(puad, server):
    say("kill puad with SIGKILL, start it again on the same database")
    before, requests = {user: server.one(user) for user in PEOPLE}, counts(server)
    puad.sigkill()
    puad.start()
    control = puad.control()
    for user in PEOPLE:
        equal(control.record(uri(user))["etag"], before[user].etag, f"entity-tag of {user} after the restart")
    say("    puad holds the same entity-tags; wait for its refreshes")
    wait_for(lambda: all(kinds(server, user, requests[user]) for user in PEOPLE), 2 * GRANT, "refreshes after the restart")
    wait_for(lambda: all(server.rows(u) and server.one(u).etag != before[u].etag for u in PEOPLE), 2, "refreshed rows")
    for user in PEOPLE:
        equal(set(kinds(server, user, requests[user])), {"refresh"}, f"requests for {user} after the restart")
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
    before, requests = {user: server.one(user) for user in ("alice", "bob")}, counts(server)
    server.restart(empty=True)
    show_server(server)
    for user in before:
        wait_for(lambda u=user: server.rows(u), 2 * GRANT, f"full state of {user} appears again")
        equal(kinds(server, user, requests[user])[:2], ["refresh", "initial"], f"requests for {user} (412 to the first)")
        equal(server.one(user).body, before[user].body, f"document of {user}")
    show_server(server)
    say("    each refresh got 412, and full state was published once")
    equal(len(server.rows()), 2, "publications at the server")


def end(puad):
    status, took = puad.terminate()
    equal(status, 0, "exit status of puad after SIGTERM")
    say(f"puad ended {took:.1f} s after SIGTERM")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--keep", action="store_true", help="keep the folder with configurations, logs and databases")
    keep = options.parse_args().keep
    stop_on_signals()
    with Context("demo", keep) as ctx:
        try:
            server = Kamailio(ctx, max_expires=GRANT)
            say(f"Kamailio presence server on {server.uri}, grants {GRANT} s")
            puad = Puad(ctx, server.uri).start()
            say(f"puad (process {puad.process.pid}) with a fresh SQLite file")
            show_server(server)
            publish_three(ctx, puad, server)
            change_one(ctx, puad, server)
            kill_and_restart(puad, server)
            short_one(ctx, puad, server)
            remove_one(puad, server)
            server_loses_all(server)
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
    return 0


if __name__ == "__main__":
    sys.exit(main())
