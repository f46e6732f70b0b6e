#!/usr/bin/env python3
"""Stands in for systemctl where no systemd runs: as much of it as the README types.

It finds the unit where systemd looks, makes its folders, runs it as its user and waits until it says that it is ready. Of what keeps
the service in its cage (ProtectSystem and so on) it does nothing.
"""
import configparser
import os
import pathlib
import pwd
import shlex
import signal
import socket
import subprocess
import sys
import time

SEARCHED = ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system"]
NOTIFY, PID, LOG = (pathlib.Path("/run") / f"fake-systemctl.{kind}" for kind in ("notify", "pid", "log"))


def service(name):
    """The [Service] section; a key given twice has its last value."""
    for folder in SEARCHED:
        file = pathlib.Path(folder) / f"{name}.service"
        if file.exists():
            unit = configparser.RawConfigParser(strict=False, delimiters="=", comment_prefixes="#")
            unit.optionxform = str
            unit.read(file)
            return unit["Service"]
    sys.exit(f"Unit {name}.service could not be found.")


def as_user(unit):
    return ["setpriv", f"--reuid={unit['User']}", f"--regid={unit['Group']}", "--init-groups", "--reset-env"]


def enable(name):
    unit = service(name)
    user = pwd.getpwnam(unit["User"])
    for base, kind in (("/run", "Runtime"), ("/var/lib", "State")):
        folder = pathlib.Path(base) / unit[f"{kind}Directory"]
        folder.mkdir(exist_ok=True)
        folder.chmod(int(unit[f"{kind}DirectoryMode"], 8))
        os.chown(folder, user.pw_uid, user.pw_gid)
    os.umask(int(unit["UMask"], 8))
    with open(LOG, "ab") as log:
        if subprocess.run(as_user(unit) + shlex.split(unit["ExecStartPre"]), stdout=log, stderr=log, check=False).returncode != 0:
            sys.exit(f"Job for {name}.service failed: {LOG.read_text()}")
        NOTIFY.unlink(missing_ok=True)
        ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        ready.bind(str(NOTIFY))
        NOTIFY.chmod(0o666)
        ready.settimeout(10)
        process = subprocess.Popen([*as_user(unit), "env", f"NOTIFY_SOCKET={NOTIFY}", *shlex.split(unit["ExecStart"])],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        PID.write_text(str(process.pid))
        try:
            while b"READY=1" not in ready.recv(4096):
                pass
        except TimeoutError:
            sys.exit(f"Job for {name}.service timed out: {LOG.read_text()}")


def disable(_name):
    process = int(PID.read_text())
    os.kill(process, signal.SIGTERM)
    for _ in range(200):
        if not pathlib.Path(f"/proc/{process}").exists() or "State:\tZ" in pathlib.Path(f"/proc/{process}/status").read_text():
            return
        time.sleep(0.05)
    sys.exit("it does not end")


match sys.argv[1:]:
    case ["daemon-reload"]:
        pass
    case ["enable", "--now", unit_name]:
        enable(unit_name)
    case ["disable", "--now", unit_name]:
        disable(unit_name)
    case other:
        sys.exit(f"what is this for: {other}")
