#!/usr/bin/env python3
"""Servers that db_url names by a host name: files, name servers that are silent or change, names with several addresses."""
import ctypes
import os
import socket
import struct
import threading
import time

from db_load import client, database
from harness import HOST, Failure, Skip, Suite, check, equal, main_is, wait_for
from puad import RpcError, pidf

suite = Suite()
CLONE_NEWNS, MS_BIND, MS_PRIVATE = 0x20000, 0x1000, 0x44000     # <sched.h>, <sys/mount.h>; private: with all below
DEAF, RIGHT, OTHER_HOST = "127.0.53.53", "127.0.53.54", "127.0.0.2"
TYPE_A = 1
OURS = "SELECT COUNT(*) FROM information_schema.processlist WHERE user='pua'"


def uri(name):
    return f"sip:{name}@example.com"


def name_server(ctx, address):
    """A socket where that name server is; nobody answers yet."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ctx.callback(s.close)
    try:
        s.bind((address, 53))
    except OSError as why:
        raise Skip(f"no name server of our own: {why}") from None
    return s


def serve_names(s, addresses):
    """Answers each question for an A record with these addresses, another one first each time; AAAA: there is none."""
    def answers():
        turn = 0
        while True:
            try:
                query, peer = s.recvfrom(512)
            except OSError:
                return
            end = query.index(0, 12) + 5           # behind name, type and class
            kind = struct.unpack("!H", query[end - 4:end - 2])[0]
            listed = addresses[turn % len(addresses):] + addresses[:turn % len(addresses)] if kind == TYPE_A else []
            turn += kind == TYPE_A
            records = b"".join(struct.pack("!HHHIH", 0xc00c, TYPE_A, 1, 0, 4) + socket.inet_aton(a) for a in listed)
            s.sendto(query[:2] + struct.pack("!HHHHH", 0x8180, 1, len(listed), 0, 0) + query[12:end] + records, peer)

    threading.Thread(target=answers, daemon=True).start()


def own_resolv_conf(ctx, server):
    """A file that a process sees as /etc/resolv.conf, and what makes it do so: a view of the files of its own, for root."""
    resolv = ctx.dir / "resolv.conf"
    resolv.write_text(f"nameserver {server}\n")
    libc = ctypes.CDLL(None, use_errno=True)

    def own_files():
        if libc.unshare(CLONE_NEWNS) or libc.mount(b"none", b"/", None, MS_PRIVATE, None) or \
                libc.mount(os.fsencode(resolv), b"/etc/resolv.conf", None, MS_BIND, None):
            os._exit(77)

    return resolv, own_files


def durable(control):
    try:
        return control.publish(uri("try"), pidf(uri("try"), str(time.monotonic())), -1)["durable"]
    except RpcError:                               # 503 before the records are loaded
        return False


def start_with(puad, files):
    puad.start(ready=False, preexec=files)
    try:
        puad.wait_ready()
    except Failure:
        if puad.process.popen.returncode == 77:
            raise Skip("no view of the files of its own") from None
        raise


@suite.test
def a_name_of_etc_hosts_is_found(ctx):
    db = database(ctx)
    puad, _ = client(ctx, f"mysql://pua:puapw@localhost:{db.port}/presence", ack_wait=3000)
    puad.start()
    check(puad.control().publish(uri("a"), pidf(uri("a"), "1"), -1)["durable"], "not durable")


@suite.test
def a_name_server_that_is_silent_holds_up_nothing(ctx):
    db, _, (_, files) = database(ctx), name_server(ctx, DEAF), own_resolv_conf(ctx, DEAF)
    puad, _ = client(ctx, f"mysql://pua:puapw@db.example.com:{db.port},{HOST}:{db.port}/presence", ack_wait=3000)
    began = time.monotonic()
    start_with(puad, files)
    took = time.monotonic() - began
    print(f"# the second server was there after {took:.1f} s", flush=True)
    check(took < 4, f"{took:.1f} s until the second server was tried")
    check("db.example.com" in puad.log() and "name servers" in puad.log(), f"log: {puad.log()[-300:]}")
    check(puad.control().publish(uri("a"), pidf(uri("a"), "1"), -1)["durable"], "not durable")


# puad starts before the machine has a name server. The one that comes gives two addresses in turn, and behind each of them
# stands another server: what one connection writes the others must see.
@suite.test
def a_name_server_that_comes_later_is_asked_and_all_connections_go_to_the_same_address(ctx):
    here = database(ctx)
    there = database(ctx, "other", options=(f"--bind-address={OTHER_HOST}", f"--port={here.port}"))
    servers = {HOST: here, OTHER_HOST: there}
    name_server(ctx, DEAF)
    serve_names(name_server(ctx, RIGHT), [HOST, OTHER_HOST])
    resolv, files = own_resolv_conf(ctx, DEAF)
    puad, _ = client(ctx, f"mysql://pua:puapw@db.example.com:{here.port}/presence", db_start="wait", ack_wait=3000)
    start_with(puad, files)
    check("name servers" in puad.log(), f"log: {puad.log()[-300:]}")
    resolv.write_text(f"nameserver {RIGHT}\n")
    control = puad.control()
    wait_for(lambda: durable(control), 20, "the server is found")

    def used():
        return [a for a, s in servers.items() if int(s.value(OURS)) > 0]

    def exercise(tag):
        for n in range(5):
            check(control.publish(uri(f"{tag}{n}"), pidf(uri(f"{tag}{n}"), "1"), -1)["durable"], "not durable")
        wait_for(lambda: control.stats()["store_backlog"] == 0, 5, "all is written")

    exercise("a")
    for _ in range(6):                             # each time a connection is made anew, the other address comes first
        [address] = used()
        ids = servers[address].sql("SELECT id FROM information_schema.processlist WHERE user='pua'")
        servers[address].sql(f"KILL {ids[0][0]}")
        exercise("b")
    equal(len(used()), 1, "servers in use")
    [address] = used()
    servers[address].kill()
    [rest] = [a for a in servers if a != address]
    wait_for(lambda: durable(control), 20, "the other address is taken")
    check(int(servers[rest].value(OURS)) > 0, "no connection to it")


main_is(suite)
