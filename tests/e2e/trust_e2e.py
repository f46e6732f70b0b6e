#!/usr/bin/env python3
"""Other users of the machine: none can answer in puad's place, none gets what a killed watcher was to get, none takes all watches."""
import json
import os
import re
import signal
import socket
import time

from harness import Skip, Suite, check, equal, main_is, program, wait_for
from puad import WATCHER, RpcError
from watching import BOB, start

suite = Suite()
NOBODY = 65534
ANSWER = {"jsonrpc": "2.0", "id": 1, "result": {"reply": "200 OK", "ETag": "forged", "Expires": 3600, "durable": True}}


def name_of(process):
    """The abstract name of the socket that this puactl has."""
    def found():
        links = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{process.pid}/fd")]
        inodes = {link[8:-1] for link in links if link.startswith("socket:[")}
        with open("/proc/net/unix", encoding="utf-8", errors="replace") as table:
            for line in table:
                fields = line.split()
                if len(fields) == 8 and fields[6] in inodes and fields[7].startswith("@"):
                    return fields[7][1:]
        return None
    return wait_for(found, 5, "puactl has a socket")


class SilentDaemon:
    """A control socket that takes requests, and answers when it is told to."""

    def __init__(self, ctx):
        self.path = str(ctx.dir / "silent.sock")
        self.fd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.fd.bind(self.path)
        self.fd.settimeout(5)
        ctx.callback(self.fd.close)

    def take(self):
        return self.fd.recvfrom(65536)[1]

    def answer(self, to, etag):
        self.fd.sendto(json.dumps({**ANSWER, "result": {**ANSWER["result"], "ETag": etag}}).encode(), to)


def as_nobody(work):
    """Has a child of this process, as another user, do that; returns its id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        work(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        status = 0
    finally:
        os._exit(status)


def forge(name, text):
    """An answer that another user sends there."""
    child = as_nobody(lambda s: s.sendto(text.encode(), "\0" + name))
    equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "exit of the attacker")


def flood(sock, name, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            sock.sendto(b"{}", "\0" + name)
        except OSError:
            return


def needs_root():
    if os.geteuid() != 0:
        raise Skip("needs root, to be another user")


def publishing(ctx, daemon, timeout, name):
    return ctx.start(name, [program("puactl"), "-s", daemon.path, "--timeout", str(timeout), "publish", "sip:a@example.com", "--event",
                            "presence", "--body", "<x/>"])


@suite.test
def another_user_cannot_answer_in_the_place_of_puad(ctx):
    needs_root()
    daemon = SilentDaemon(ctx)
    client = publishing(ctx, daemon, 3, "deceived")
    daemon.take()
    forge(name_of(client), json.dumps(ANSWER))
    equal(client.wait(10), 4, f"exit status ({client.output()!r})")
    check("forged" not in client.output() and "200 OK" not in client.output(), f"it believed {client.output()!r}")
    check("1 messages were ignored: they came from user 65534" in client.output(), f"it said {client.output()!r}")


@suite.test
def the_answer_of_puad_counts_whatever_others_sent_before(ctx):
    needs_root()
    daemon = SilentDaemon(ctx)
    client = publishing(ctx, daemon, 20, "served")
    address, name = daemon.take(), name_of(client)
    for _ in range(3):
        forge(name, json.dumps(ANSWER))
    daemon.answer(address, "genuine")
    equal(client.wait(10), 0, f"exit status ({client.output()!r})")
    check("genuine" in client.output() and "forged" not in client.output(), f"it said {client.output()!r}")


@suite.test
def a_flood_of_another_user_does_not_keep_puactl_beyond_its_time(ctx):
    needs_root()
    daemon = SilentDaemon(ctx)
    client = publishing(ctx, daemon, 2, "flooded")
    daemon.take()
    name = name_of(client)
    child = as_nobody(lambda s: flood(s, name, 6))
    ctx.callback(os.waitpid, child, 0)
    began = time.monotonic()
    equal(client.wait(10), 4, f"exit status ({client.output()!r})")
    check(time.monotonic() - began < 5, "it was kept")


@suite.test
def the_names_of_clients_cannot_be_guessed(ctx):
    daemon, seen = SilentDaemon(ctx), set()
    for n in range(3):
        client = publishing(ctx, daemon, 20, f"named{n}")
        address, name = daemon.take(), name_of(client)
        check(re.fullmatch(r"puactl/[0-9a-f]{32}", name), f"the name is {name!r}")
        seen.add(name)
        daemon.answer(address, "e")
        equal(client.wait(5), 0, "exit status")
    equal(len(seen), 3, "different names")


@suite.test
def whoever_takes_the_name_of_a_killed_watcher_gets_no_documents(ctx):
    notifier, puad, control = start(ctx)
    watching = ctx.start("watching", [program("puactl"), "-s", puad.socket, "subscribe", BOB, "--watcher", WATCHER, "--event", "presence",
                                      "--watch"])
    wait_for(lambda: "active" in watching.output(), 5, "a NOTIFY is shown")
    name = name_of(watching)
    watching.kill()
    heir = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ctx.callback(heir.close)
    heir.bind("\0" + name)
    heir.settimeout(1.5)
    notifier.change(BOB, "a-secret")
    wait_for(lambda: "a-secret" in control.subscription(BOB)["body"], 5, "the NOTIFY has come")
    try:
        got = heir.recv(65536)
    except TimeoutError:
        got = b""
    equal(got, b"", "what the heir of the name got")
    wait_for(lambda: control.stats()["control_pushes_lost"] == 1, 3, "the message is counted as lost")
    check("a NOTIFY for the watch of @puactl/" in puad.log() and "the client has gone" in puad.log(), f"log: {puad.log()[-500:]!r}")


@suite.test
def one_client_cannot_take_all_watches(ctx):
    _, puad, control = start(ctx)
    for n in range(16):
        check(control.call("pua_watch", {"presentity_uri": f"sip:u{n}@example.com"})["new"], "a watch is not new")
    error = control.error("pua_watch", {"presentity_uri": "sip:u16@example.com"})
    equal((error.code, error.data), (503, "this client has 16 watches already"), "the seventeenth")
    others = []
    for _ in range(60):
        try:
            other = puad.control()
            other.call("pua_watch", {"presentity_uri": "sip:x@example.com"})
            others.append(other)
        except RpcError:    # as many sockets as it likes: it is one process
            break
    equal(len(others), 0, "watches beyond by other sockets of the same process")
    watching = ctx.start("watching", [program("puactl"), "-s", puad.socket, "subscribe", BOB, "--watcher", WATCHER, "--event", "presence",
                                      "--watch"])
    wait_for(lambda: "active" in watching.output(), 5, "another client can watch")
    watching.signal(signal.SIGINT)
    equal(watching.wait(5), 0, "its exit status")
    check(control.stats()["control_watches_refused"] >= 2, "refused watches are not counted")


main_is(suite)
