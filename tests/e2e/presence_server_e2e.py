#!/usr/bin/env python3
"""The presence server of `make demo KEEP=1`: what keeps one from starting is told before the demo, and whose one runs."""
import contextlib
import fcntl
import io
import os
import socket
import types
import unittest.mock

import presence_server
from harness import HOST, ROOT, Suite, equal, main_is
from puad import run

suite = Suite()


@contextlib.contextmanager
def state_files_in(folder):
    before = presence_server.STATE
    presence_server.STATE = folder / "pua-presence-server.4711"
    try:
        yield
    finally:
        presence_server.STATE = before


def named(name):
    """All users have this name."""
    return unittest.mock.patch("pwd.getpwuid", return_value=types.SimpleNamespace(pw_name=name))


def stopped():
    """(exit status, what it says) of stop()."""
    with contextlib.redirect_stdout(io.StringIO()) as said:
        return presence_server.stop(), said.getvalue()


@suite.test
def a_port_that_is_taken_is_told_before_the_demo_runs(ctx):
    port = ctx.port()             # no other test takes it, also where it is free again
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken, state_files_in(ctx.dir):
        taken.bind((HOST, port))
        why = f"presence server: {HOST}:{port}: Address already in use. Another port: make demo KEEP=1 DEMO_PORT=5062"
        equal(presence_server.obstacle(port), why, "the reason")
        equal(run(ROOT / "tests/e2e/demo.py", "--serve", port, env={**os.environ, "TMPDIR": str(ctx.dir)}).stdout, f"demo: FAILED: {why}\n", "all that the demo says")
    with state_files_in(ctx.dir):
        equal(presence_server.obstacle(port), "", "a port that is free")


@suite.test
def the_server_of_another_user_is_not_taken_for_none(ctx):
    with state_files_in(ctx.dir):
        equal(stopped(), (0, "presence server: none of yours runs\n"), "none at all")
        theirs = ctx.dir / "pua-presence-server.12"
        theirs.write_text("1234\nsip:127.0.0.1:5060\n")
        equal(stopped(), (0, "presence server: none of yours runs\n"), "left by one that was killed")
        with open(theirs, encoding="ascii") as held, named("hugo"):
            fcntl.flock(held, fcntl.LOCK_EX)
            equal(stopped(), (1, "presence server: none of yours runs; hugo must end their own\n"), "one that runs")
            with unittest.mock.patch("pwd.getpwuid", side_effect=KeyError):
                equal(stopped(), (1, f"presence server: none of yours runs; {os.geteuid()} must end their own\n"), "of a user without a name")


@suite.test
def a_lock_is_known_on_file_systems_whose_device_has_another_number(ctx):
    """As on btrfs: /proc/locks names the device of the file system, stat that of the subvolume."""
    theirs = ctx.dir / "pua-presence-server.12"
    theirs.write_text("1234\nsip:127.0.0.1:5060\n")
    inode, locks = theirs.stat().st_ino, ctx.dir / "locks"
    with state_files_in(ctx.dir), named("hugo"), unittest.mock.patch.object(presence_server, "LOCKS", locks):
        for line, status in ((f"1: FLOCK  ADVISORY  WRITE {os.getpid()} ff:ff:{inode} 0 EOF\n", 1),
                             (f"1: FLOCK  ADVISORY  WRITE 99999999 ff:ff:{inode} 0 EOF\n", 0),          # of nobody who is there
                             (f"1: FLOCK  ADVISORY  WRITE {os.getpid()} ff:ff:{inode}1 0 EOF\n", 0),
                             (f"1: POSIX  ADVISORY  WRITE {os.getpid()} ff:ff:{inode} 0 EOF\n", 0)):
            locks.write_text("9: OFDLCK ADVISORY  READ  -1 00:06:12 0 EOF\n" + line)
            equal(stopped()[0], status, line)


main_is(suite)
