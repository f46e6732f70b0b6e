#!/usr/bin/env python3
"""A presence server (Kamailio) that stays when the command has ended, for whoever tries libpua by hand.

    presence_server.py start [PORT]      on 127.0.0.1, port 5060 if none is named; one for each user
    presence_server.py stop

Behind `make demo KEEP=1` and `make demo-stop`. A process stays with it, and takes it and its folder away at the end.
"""
import fcntl
import os
import pathlib
import pwd
import re
import signal
import socket
import sys
import tempfile
import time

from harness import HOST, Context, Failure, Skip, stop_on_signals
from kamailio import Kamailio

# Its first line is the process, its second the address; locked as long as that process lives.
STATE = pathlib.Path(tempfile.gettempdir()) / f"pua-presence-server.{os.getuid()}"
LOCKS = pathlib.Path("/proc/locks")


def running():
    """(process, address) of the one that runs, or None."""
    try:
        state = os.open(STATE, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return None                     # nobody holds it: left by one that was killed
    except BlockingIOError:
        process, address = (os.read(state, 200).decode().split() + ["0", ""])[:2]    # empty: it is about to start
        return int(process), address
    finally:
        os.close(state)


def taken(port):
    """Why nothing can be served there; "" if it can."""
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as why:
                return f"{HOST}:{port}: {why.strerror}"
    return ""


def obstacle(port):
    """Why start(port) would fail; "" if it would not, or one runs already."""
    why = "" if running() else taken(port)
    return f"presence server: {why}. Another port: make demo KEEP=1 DEMO_PORT={5062 if port != 5062 else 5064}" if why else ""


def of_others():
    """Users who have one running, too: their state files, that somebody holds."""
    owners = (holder(path) for path in STATE.parent.glob("pua-presence-server.*") if path != STATE)
    return sorted(name_of(user) for user in owners if user is not None)


def holder(path):
    """The number of the user of whom a living process has this file locked, or None. The kernel shows locks to everybody. The device that
    it names there is not always that of stat (btrfs has one for each subvolume): inode and user tell as well."""
    try:
        there = path.lstat()
        locks = LOCKS.read_text()
    except OSError:
        return None
    device = f"{os.major(there.st_dev):02x}:{os.minor(there.st_dev):02x}"
    for process, where, inode in re.findall(r" FLOCK +\w+ +\w+ +(\d+) (\w+:\w+):(\d+) ", locks):
        if int(inode) == there.st_ino and (where == device or user_of(process) == there.st_uid):
            return there.st_uid
    return None


def user_of(process):
    try:
        return os.stat(f"/proc/{process}").st_uid
    except OSError:
        return None


def name_of(user):
    """A container may have users without a name."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def hold(port, answer):
    """The process that stays: starts the server, says how that went through the pipe `answer`, and waits for its end."""
    os.setsid()
    if os.fork() > 0:
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    stop_on_signals()
    state = os.open(STATE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(state, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with Context("presence-server") as ctx:
            server = Kamailio(ctx, port=port, max_expires=3600)
            os.ftruncate(state, 0)
            os.write(state, f"{os.getpid()}\n{server.uri}\n".encode())
            os.write(answer, b"ok " + server.uri.encode())
            os.close(answer)
            while server.process.running():
                time.sleep(0.5)
    except (Failure, Skip, OSError) as why:
        os.write(answer, str(why).encode())
    except KeyboardInterrupt:
        pass
    finally:
        STATE.unlink(missing_ok=True)
        os._exit(0)


def start(port):
    there = running()
    if there:
        print(f"presence server: one runs already, at {there[1]} (make demo-stop ends it)")
        return 0
    why = obstacle(port)
    if why:
        print(why)
        return 1
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        hold(port, theirs)
    os.close(theirs)
    os.waitpid(child, 0)
    answer = b""
    while part := os.read(ours, 4096):
        answer += part
    if not answer.startswith(b"ok "):
        print(f"presence server: {answer.decode(errors='replace') or 'it ended'}")
        return 1
    print(f"presence server: Kamailio, at {answer[3:].decode()}, until `make demo-stop`")
    return 0


def stop():
    there = running()
    if not there:
        others = of_others()
        print("presence server: none of yours runs" + (f"; {', '.join(others)} must end their own" if others else ""))
        return 1 if others else 0
    if there[0] <= 1:
        print("presence server: it is about to start")
        return 1
    os.kill(there[0], signal.SIGTERM)
    for _ in range(200):
        if not running():
            print(f"presence server: ended, {there[1]}")
            return 0
        time.sleep(0.05)
    print(f"presence server: process {there[0]} does not end")
    return 1


def main():
    match sys.argv[1:]:
        case ["start"]:
            return start(5060)
        case ["start", port] if port.isdigit() and 0 < int(port) < 65536:
            return start(int(port))
        case ["stop"]:
            return stop()
    print(__doc__)
    return 2


if __name__ == "__main__":
    sys.exit(main())
