#!/usr/bin/env python3
"""The password of the database is never shown to a server that has not earned it, by puad and by puadbctl, whatever db_tls is."""
import os
import signal
import subprocess
import sys
import time

from fake_mysql import FakeMysql, packet
from harness import Suite, check, equal, main_is
from mariadb import MariaDb
from places import SCRIPT, expect, puadbctl
from puad import Puad

suite = Suite()
CA = "/etc/ssl/certs/ca-certificates.crt"
PASSWORD = b"s3cret-pass"
SERVERS = [("mysql_native_password", "mysql_clear_password"), ("mysql_clear_password", "mysql_clear_password"),
           ("mysql_native_password", "dialog"), ("mysql_native_password", "caching_sha2_password"),
           ("mysql_native_password", "sha256_password")]


def checked(server, tls, said, where):
    check(server.met > 0, f"{where}: it did not come to the server")
    check(PASSWORD not in server.told, f"{where}: the password was sent")
    if tls in ("on", "verify"):
        equal(server.told, b"", f"{where}: what was told to a server without TLS")
        check("TLS" in said, f"{where}: {said[-300:]}")
    check(PASSWORD.decode() not in said, f"{where}: the password is shown")


@suite.test
def puad_tells_it_to_nobody(ctx):
    for number, (tls, (first, then)) in enumerate((tls, server) for tls in ("off", "on", "verify") for server in SERVERS):
        server = FakeMysql(ctx, first, then)
        puad = Puad(ctx, name=f"puad{number}", db_url=server.url(), db_tls=tls, db_tls_ca=CA if tls == "verify" else None, db_timeout=500)
        puad.start(ready=False)
        equal(puad.process.wait(10), 1, "exit status")
        checked(server, tls, puad.log(), f"db_tls={tls}, {first}, then {then}")


@suite.test
def puadbctl_tells_it_to_nobody(ctx):
    for tls in ("", "off", "on", "verify"):
        for first, then in SERVERS:
            server = FakeMysql(ctx, first, then)
            options = (*(("--tls", tls) if tls else ()), *(("--tls-ca", CA) if tls == "verify" else ()))
            done = puadbctl("check", "--url", server.url(), *options)
            equal(done.returncode, 2, f"status: {done.stderr}")
            checked(server, tls, done.stdout + done.stderr, f"--tls {tls or 'not said'}, {first}, then {then}")


@suite.test
def what_is_no_greeting_is_named_and_crashes_nobody(ctx):
    for number, (tls, first) in enumerate((tls, first) for tls in ("off", "on")
                                          for first in (packet(0, b"\xff\xff\xff\x01\x01\x01\x10\0\0\x03abc"), packet(0, b"\x09" + b"3.23"), b"HTTP/1.0 400 no\r\n")):
        server = FakeMysql(ctx, first=first)
        puad = Puad(ctx, name=f"puad{number}", db_url=server.url(), db_tls=tls, db_timeout=500)
        puad.start(ready=False)
        equal(puad.process.wait(10), 1, f"exit status with db_tls={tls} and {first}")
        check(f"127.0.0.1:{server.port}" in puad.log(), f"the log does not name the server: {puad.log()[-300:]}")


@suite.test
def a_clear_password_without_tls_is_a_mistake_in_the_configuration(ctx):
    server = FakeMysql(ctx)
    puad = Puad(ctx, db_url=server.url(), db_clear_password="yes")
    puad.start(ready=False)
    check(puad.process.wait(10) != 0, "it starts")
    check("db_clear_password needs db_tls" in puad.log(), puad.log()[-300:])
    expect(2, "check", "--url", server.url(), "--tls", "off", "--clear-password", "yes", holds="would give it away")
    check(PASSWORD not in server.told, "the password was sent")


@suite.test
def puadbctl_leaves_no_secret_behind_when_it_is_killed(ctx):
    server = MariaDb(ctx)
    server.create_database()
    temporary = ctx.dir / "tmp"
    temporary.mkdir()
    url = ctx.dir / "url"
    url.write_text(server.url() + "\n")
    for turn in range(10):
        process = subprocess.Popen([sys.executable, str(SCRIPT), "create" if turn % 2 else "check", "--url", f"@{url}"], start_new_session=True,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ, TMPDIR=str(temporary)))
        time.sleep(0.05 + turn * 0.02)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(5)
        for path in temporary.rglob("*"):
            check(not path.is_file() or b"puapw" not in path.read_bytes(), f"{path} holds the password")


@suite.test
def tables_are_readable_whatever_the_servers_character_set_is(ctx):
    for charset in ("utf16", "utf32"):
        server = MariaDb(ctx, name=charset, options=[f"--character-set-server={charset}", f"--collation-server={charset}_general_ci"])
        server.create_database()
        expect(0, "create", "--url", server.url())
        expect(0, "check", "--url", server.url(), holds="no findings")
        puad = Puad(ctx, name=f"puad-{charset}", db_url=server.url()).start()
        puad.terminate()
        # Another program's table of versions, as that server makes it.
        server.sql("DROP TABLE version; CREATE TABLE version (table_name VARCHAR(64) NOT NULL PRIMARY KEY, table_version INT NOT NULL); "
                   "INSERT INTO version VALUES ('pua', 12)", "presence")
        expect(0, "check", "--url", server.url(), holds="no findings")
        puad.start()
        puad.terminate()
        server.stop()


main_is(suite)
