#!/usr/bin/env python3
"""Configurations and databases that do not fit: each is told clearly, with its place, and nothing starts."""
import os
import re
import socket
import sqlite3

from harness import HOST, Skip, Suite, check, equal, main_is, program
from puad import Puad, pidf, run

suite = Suite()

GOOD = 'modparam("pua", "db_url", "sqlite:///DIR/x.db")\nmodparam("pua_mi", "dgram_socket", "DIR/x.sock")\n'

# text (after the two good lines), line, column, what the message must hold
MISTAKES = {
    "unknown_module": ('modparam("puaa", "db_url", "x")', 3, 10, "puaa"),
    "unknown_name": ('modparam("pua", "db_ulr", "x")', 3, 17, "db_url"),
    "name_of_another_module": ('modparam("pua", "log_level", "info")', 3, 17, "puad"),
    "string_for_an_integer": ('modparam("pua", "min_expires", "many")', 3, 32, "integer"),
    "integer_for_a_string": ('modparam("pua", "db_table", 5)', 3, 29, "string"),
    "above_the_range": ('modparam("pua", "hash_size", 99)', 3, 30, "1 to 24"),
    "below_the_range": ('modparam("pua", "update_period", -1)', 3, 34, "range"),
    "number_too_long": ('modparam("pua", "update_period", 99999999999999999999)', 3, 34, ""),
    "not_one_of_the_choices": ('modparam("puad", "log_level", "loud")', 3, 31, "error, warning"),
    "no_such_db_scheme": ('\nmodparam("pua", "outbound_proxy", "http://x")', 4, 35, "URI"),
    "bad_listen_address": ('modparam("pua", "sip_listen", "127.0.0.1:5060")', 3, 31, "address"),
    "bad_bound_of_an_event": ('modparam("pua", "max_expires", "3600,dialog=")', 3, 32, "dialog="),
    "bounds_cross": ('modparam("pua", "min_expires", 100)\nmodparam("pua", "max_expires", 50)', 4, 32, "min_expires"),
    "set_twice": ('modparam("pua", "max_body", 500)\nmodparam("pua", "max_body", 600)', 4, 17, "3:"),
    "no_comma": ('modparam("pua" "max_body", 500)', 3, 16, "','"),
    "no_closing_parenthesis": ('modparam("pua", "max_body", 500\n', 4, 1, "')'"),
    "open_string": ('modparam("pua", "db_table, 5)\n', 3, 17, ""),
    "open_comment": ('  /* never closed\n', 3, 3, ""),
    "another_statement": ('loadmodule "pua.so"', 3, 1, "loadmodule"),
    "control_character": ('modparam("pua", "user_agent", "a\\r\\nVia: x")', 3, 31, ""),
    "stray_octet": ('modparam("pua", "max_body", 500) $', 3, 34, "$"),
    "bad_credential": ('modparam("pua", "credential", "secret-without-colons")', 3, 31, "realm:user:password"),
}


def config_with(ctx, text, mode=0o600):
    path = ctx.dir / "x.conf"
    path.write_text(GOOD.replace("DIR", str(ctx.dir)) + text)
    path.chmod(mode)
    return path


def refused(ctx, *arguments, status, fragments, env=None):
    """puad ends at once with that status and says these things, in one readable line, not by a signal."""
    done = run(program("puad"), *arguments, timeout=10, env=env)
    said = done.stderr + done.stdout
    check(done.returncode == status, f"exit {done.returncode}, wanted {status}: {said[-400:]!r}")
    for fragment in fragments:
        check(str(fragment) in said, f"{fragment!r} is not in what it said: {said[-400:]!r}")
    return said


@suite.test
def each_kind_of_mistake_names_its_place_and_nothing_starts(ctx):
    for name, (text, line, column, fragment) in MISTAKES.items():
        path = config_with(ctx, text)
        for arguments in (("-f", path, "--check"), ("-f", path)):
            try:
                said = refused(ctx, *arguments, status=2, fragments=[f"{path}:{line}:{column}: ", fragment])
            except Exception as why:
                raise type(why)(f"{name}: {why}") from None
            check("secret-without-colons" not in said, f"{name}: a password is shown")
        equal(sorted(p.name for p in ctx.dir.iterdir()), ["x.conf"], f"{name}: files made")


# What is right line by line, and does not fit together or into this version.
MISFITS = {
    "a cluster": ('modparam("pua", "cluster_id", 3)', "cluster_id"),
    "a bound for an event that nobody knows": ('modparam("pua", "max_expires", "600,nosuchevent=60")', "nosuchevent"),
    "a table name of the database's own": ('modparam("pua", "db_table", "version")', "db_table"),
    "a port that is none": ('modparam("pua", "db_url", "mysql://u:s3cret@db.example.com:99999/x")', "port"),
    "a certificate to verify, by nothing": ('modparam("pua", "db_url", "mysql://u:s3cret@db.example.com/x")\n'
                                            'modparam("pua", "db_tls", "verify")', "db_tls_ca"),
}


@suite.test
def settings_that_do_not_fit_are_told_by_check_and_at_start(ctx):
    for name, (text, fragment) in MISFITS.items():
        path = config_with(ctx, text + "\n")
        if "db_url" in text:
            path.write_text(text + "\n")
        for arguments in (("-f", path, "--check"), ("-f", path)):
            try:
                said = refused(ctx, *arguments, status=2, fragments=[path, fragment])
                check(re.search(rf"{re.escape(str(path))}:\d+:\d+: ", said), f"no line and column: {said}")
            except Exception as why:
                raise type(why)(f"{name}: {why}") from None
            check("s3cret" not in said, f"{name}: a password is shown")


@suite.test
def check_and_dump_do_not_start_anything(ctx):
    path = config_with(ctx, 'modparam("pua", "credential", "*:alice:s3cret")\nmodparam("pua", "update_period", 1)\n')
    refused(ctx, "-f", path, "--check", status=0, fragments=[])
    dumped = run(program("puad"), "-f", path, "--dump-config")
    equal(dumped.returncode, 0, "exit of --dump-config")
    check('modparam("pua", "update_period", 1)' in dumped.stdout, "the dump lacks a setting")
    check("s3cret" not in dumped.stdout, "the dump shows a password")
    equal(sorted(p.name for p in ctx.dir.iterdir()), ["x.conf"], "files made")
    again = ctx.dir / "again.conf"
    again.write_text(dumped.stdout)
    again.chmod(0o600)
    equal(run(program("puad"), "-f", again, "--dump-config").stdout, dumped.stdout, "dump of the dump")


@suite.test
def the_dump_of_a_file_with_passwords_is_no_configuration_to_start_with(ctx):
    for setting in ('"credential", "*:alice:s3cret"', '"outbound_proxy", "sip:alice:s3cret@127.0.0.1"'):
        dumped = run(program("puad"), "-f", config_with(ctx, f'modparam("pua", {setting})\n'), "--dump-config")
        check(dumped.returncode == 0 and "s3cret" not in dumped.stdout and "***" in dumped.stdout, f"dump with {setting}: {dumped}")
        again = ctx.dir / "again.conf"
        again.write_text(dumped.stdout)
        again.chmod(0o600)
        for arguments in (("-f", again, "--check"), ("-f", again)):
            refused(ctx, *arguments, status=2, fragments=[setting.split('"')[1], "--dump-config"])


@suite.test
def a_pid_file_that_is_another_name_of_a_file_empties_nothing(ctx):
    precious = ctx.dir / "precious"
    precious.write_text("12345\n")
    os.link(precious, ctx.dir / "puad.pid")
    refused(ctx, "-f", config_with(ctx, f'modparam("puad", "pid_file", "{ctx.dir}/puad.pid")\n'), status=1, fragments=["puad.pid", "links"])
    equal(precious.read_text(), "12345\n", "the file after the attempt")


@suite.test
def a_port_that_is_taken_is_told_as_such(ctx):
    port = ctx.port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        udp.bind((HOST, port))
        tcp.bind((HOST, port))
        tcp.listen()
        for setting in (f'modparam("pua", "listen", "sip:{HOST}:{port}")\n', f'modparam("pua", "listen", "sip:{HOST}:{port};transport=tcp")\n',
                        f'modparam("pua", "sip_listen", "sip:{HOST}:{port}")\n'):
            for lane in ("yes", "no"):
                text = setting + f'modparam("pua", "sip_lane", "{lane}")\n'
                said = refused(ctx, "-f", config_with(ctx, text), status=1, fragments=[str(port), "Address already in use"])
                check("Bad address" not in said, f"it says {said!r}")


@suite.test
def a_file_that_others_can_read_gets_a_warning(ctx):
    secret = 'modparam("pua", "credential", "realm:user:password")\n'
    refused(ctx, "-f", config_with(ctx, secret, 0o644), "--check", status=0, fragments=["others can read"])
    for text, mode in ((secret, 0o600), ("", 0o644)):
        check("others can read" not in refused(ctx, "-f", config_with(ctx, text, mode), "--check", status=0, fragments=[]),
              "a warning for a file that is private, or without a password")


@suite.test
def a_missing_file_a_folder_and_a_bad_option_are_told(ctx):
    refused(ctx, "-f", ctx.dir / "none.conf", status=2, fragments=["none.conf"])
    refused(ctx, "-f", ctx.dir, status=2, fragments=[ctx.dir])
    refused(ctx, "--no-such-option", status=2, fragments=["no-such-option"])


@suite.test
def a_mysql_server_that_is_not_there_is_named_without_its_password(ctx):
    path = ctx.dir / "m.conf"
    path.write_text(f'modparam("pua", "db_url", "mysql://opensips:opensipsrw@{HOST}:{ctx.port()}/opensips")\n')
    path.chmod(0o600)
    said = refused(ctx, "-f", path, status=1, fragments=[f"mysql://opensips@{HOST}:", "connect"])
    check("opensipsrw" not in said, "the password is shown")


@suite.test
def a_corrupt_database_is_refused_and_left_as_it_is(ctx):
    database = ctx.dir / "x.db"
    for content in (b"this is no database at all, " * 400, b"SQLite format 3\0" + os.urandom(8192)):
        database.write_bytes(content)
        refused(ctx, "-f", config_with(ctx, ""), status=1, fragments=["x.db"])
        equal(database.read_bytes(), content, "the file after the attempt")


@suite.test
def a_schema_version_that_does_not_fit_is_refused(ctx):
    puad = Puad(ctx).start()
    puad.terminate()
    with sqlite3.connect(puad.db) as db:
        equal(db.execute("select count(*) from version where table_name = 'pua'").fetchone()[0], 1, "rows in version")
        db.execute("update version set table_version = table_version + 1 where table_name = 'pua'")
    db.close()
    refused(ctx, "-f", puad.config, status=1, fragments=["version"])


@suite.test
def a_table_of_somebody_else_is_refused(ctx):
    with sqlite3.connect(ctx.dir / "x.db") as db:
        db.execute("create table pua (a, b)")
        db.execute("create table version (table_name, table_version)")
        db.execute("insert into version values ('pua', 9)")
    db.close()
    refused(ctx, "-f", config_with(ctx, ""), status=1, fragments=["x.db"])


@suite.test
def a_second_puad_on_the_same_database_is_refused_and_the_first_goes_on(ctx):
    first = Puad(ctx).start()
    second = Puad(ctx, name="second")
    second.set("pua", db_url=f"sqlite:///{first.db}")
    second.write_config()
    refused(ctx, "-f", second.config, status=1, fragments=[first.db])
    check(first.process.running() and first.control().stats()["records"] == 0, "the first was disturbed")


@suite.test
def a_second_puad_on_the_same_control_socket_is_refused(ctx):
    first = Puad(ctx).start()
    second = Puad(ctx, name="second")
    second.set("pua_mi", dgram_socket=str(first.socket))
    second.write_config()
    refused(ctx, "-f", second.config, status=1, fragments=[first.socket])
    first.control().stats()


@suite.test
def a_second_puad_on_the_same_sip_port_is_refused(ctx):
    first = Puad(ctx).start()
    second = Puad(ctx, name="second")
    second.set("pua", sip_listen=first.settings["pua", "sip_listen"])
    second.write_config()
    refused(ctx, "-f", second.config, status=1, fragments=[str(first.port)])


@suite.test
def folders_that_are_not_there_or_closed_are_told(ctx):
    closed = ctx.dir / "closed"
    closed.mkdir(mode=0o500)
    for setting, value in ((("pua", "db_url"), f"sqlite:///{ctx.dir}/none/x.db"),
                           (("pua_mi", "dgram_socket"), f"{ctx.dir}/none/x.sock"),
                           (("puad", "pid_file"), f"{ctx.dir}/none/puad.pid")):
        puad = Puad(ctx)
        puad.settings[setting] = value
        puad.write_config()
        refused(ctx, "-f", puad.config, status=1, fragments=[f"{ctx.dir}/none"])
    if os.geteuid() == 0:
        return  # nothing is closed to root
    puad = Puad(ctx)
    puad.set("pua", db_url=f"sqlite:///{closed}/x.db")
    puad.write_config()
    refused(ctx, "-f", puad.config, status=1, fragments=[closed])


@suite.test
def rows_that_cannot_be_read_are_refused_one_by_one(ctx):
    """A row with nonsense in it is counted and left out; the others go on."""
    from kamailio import Kamailio
    server = Kamailio(ctx)
    puad = Puad(ctx, server.uri).start()
    control = puad.control()
    for user in ("good", "bad", "strange"):
        control.publish(f"sip:{user}@example.com", pidf(f"sip:{user}@example.com", user), 3600)
    puad.sigkill()
    with sqlite3.connect(puad.db) as db:
        columns = {row[1] for row in db.execute("pragma table_info(pua)")}
        if not {"pres_uri", "event", "etag"} <= columns:
            raise Skip(f"the table has other columns: {sorted(columns)}")
        db.execute("update pua set pres_uri = 'sip:x' || char(13, 10) || 'Via: y' where pres_uri = 'sip:bad@example.com'")
        db.execute("update pua set event = 1 << 29 where pres_uri = 'sip:strange@example.com'")
    db.close()
    puad.start()
    control = puad.control()
    equal([r["presentity_uri"] for r in control.list()], ["sip:good@example.com"], "records after the restart")
    stats = control.stats()
    equal((stats["load_bad"], stats["parked"]), (1, 1), "rows counted as bad and as parked")
    puad.terminate()
    with sqlite3.connect(puad.db) as db:
        equal(db.execute("select count(*) from pua where event = 1 << 29").fetchone()[0], 1, "parked rows in the table")
    db.close()


main_is(suite)
