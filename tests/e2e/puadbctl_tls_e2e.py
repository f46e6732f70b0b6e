#!/usr/bin/env python3
"""puadbctl and TLS: as encrypted as puad, by the same parameters or by options."""
import subprocess

from harness import HOST, Suite, check, main_is
from mariadb import MariaDb
from places import expect, puadbctl

suite = Suite()


def certificates(folder):
    """Two issuers, and a server's certificate of the first for the name "localhost". Returns the server's options."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "other-ca"):
        openssl("req", "-x509", *new, "-days", "2", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN=Test {name}")
    openssl("req", *new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost")
    (folder / "san.cnf").write_text("subjectAltName=DNS:localhost\n")
    openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
            "-extfile", "san.cnf", "-out", "server.pem")
    return [f"--ssl-ca={folder}/ca.pem", f"--ssl-cert={folder}/server.pem", f"--ssl-key={folder}/server.key"]


def with_tls(ctx):
    """(server, {name of a way to it: URL}); its user must come encrypted."""
    server = MariaDb(ctx, options=certificates(ctx.dir))
    server.create_database()
    server.sql("ALTER USER pua@'%', pua@localhost REQUIRE SSL")
    return server, {"address": server.url(), "name": server.url().replace(HOST, "localhost"),
                    "socket": "mysql://pua:puapw@localhost/presence"}


def config(ctx, **values):
    path = ctx.dir / "pua.conf"
    path.write_text("".join(f'modparam("pua", "{name}", "{value}")\n' for name, value in values.items()))
    return path


def expect_failure(*arguments):
    done = puadbctl(*arguments)
    check(done.returncode == 2 and "Traceback" not in done.stderr, f"status {done.returncode}: {done.stdout}{done.stderr}")
    return done.stderr


@suite.test
def a_user_who_must_come_encrypted_can(ctx):
    server, urls = with_tls(ctx)
    local = ("--socket", server.socket)
    for url, more in ((urls["address"], ()), (urls["name"], ()), (urls["socket"], local)):
        expect(2, "check", "--url", url, *more, "--tls", "off", holds="Access denied")
        expect(0, "create", "--url", url, *more, "--tls", "on")
        expect(0, "check", "--tls", "on", *more, "--url", url)


@suite.test
def a_certificate_is_verified_with_the_name_of_the_host(ctx):
    server, urls = with_tls(ctx)
    ca, other = ctx.dir / "ca.pem", ctx.dir / "other-ca.pem"
    verify, local = ("--tls", "verify", "--tls-ca"), ("--socket", server.socket)
    expect(0, "create", "--url", urls["name"], *verify, ca)
    expect(0, "check", "--url", urls["socket"], *local, *verify, ca)
    expect(2, "check", "--url", urls["name"], "--tls", "verify", holds="no file with certificates")
    for url, more in ((urls["address"], (*verify, ca)),                    # which the certificate does not name
                      (urls["name"], (*verify, other)), (urls["socket"], (*local, *verify, other)),
                      (urls["name"], ("--tls", "on", "--tls-ca", other)), (urls["name"], (*verify, ctx.dir / "none.pem"))):
        said = expect_failure("check", "--url", url, *more)
        check("SSL" in said or "certificate" in said, f"{more}: {said}")


@suite.test
def parameters_of_the_config_file_say_the_same_and_options_win(ctx):
    server, urls = with_tls(ctx)
    ca, other = ctx.dir / "ca.pem", ctx.dir / "other-ca.pem"
    expect(0, "create", "-f", config(ctx, db_url=urls["name"], db_tls="verify", db_tls_ca=ca))
    expect(0, "check", "-f", config(ctx, db_url=urls["socket"], db_socket=server.socket, db_tls="on"))
    expect(0, "check", "-f", config(ctx, db_url=urls["socket"], db_socket="/none", db_tls="off"), "--socket", server.socket,
           "--tls", "on")
    conf = config(ctx, db_url=urls["name"], db_tls="verify", db_tls_ca=other)
    check("SSL" in expect_failure("check", "-f", conf), "another issuer's certificate is taken")
    expect(0, "check", "-f", conf, "--tls-ca", ca)
    expect(2, "check", "-f", config(ctx, db_url=urls["name"], db_tls="maybe"),
           holds='pua.conf:2: parameter "db_tls" is off, on or verify')


@suite.test
def a_server_without_tls_is_refused_where_it_was_asked_for(ctx):
    server = MariaDb(ctx, options=["--skip-ssl"])
    server.create_database()
    expect(0, "create", "--url", server.url())
    for more in (("--url", server.url(), "--tls", "on"), ("-f", config(ctx, db_url=server.url(), db_tls="on"))):
        said = expect_failure("check", *more)
        check("TLS" in said or "SSL" in said, said)
    expect(0, "check", "--url", server.url())
    expect(0, "check", "--url", server.url(), "--tls", "off")


@suite.test
def the_source_of_a_migration_is_reached_in_the_same_way(ctx):
    server, urls = with_tls(ctx)
    expect(0, "create", "--url", urls["address"], "--tls", "on")
    target = f"sqlite://{ctx.dir}/new.db"
    expect(2, "migrate", "--from", "opensips", "--source", urls["address"], "--url", target, "--tls", "off",
           holds="Access denied")
    expect(2, "migrate", "--from", "opensips", "--source", urls["address"], "--url", target, "--tls", "on",
           holds="table pua has version 12; of OpenSIPS, version 9")


main_is(suite)
