#!/usr/bin/env python3
"""puadbctl: how it finds its database, and that passwords and files stay with whom they belong."""
import contextlib
import glob
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

from harness import HOST, Skip, Suite, check, equal, main_is, wait_for
from mariadb import MariaDb
from places import SCRIPT, MariaPlace, expect, puadbctl

suite = Suite()


def config(ctx, text):
    path = ctx.dir / "pua.conf"
    path.write_text(text)
    return path


@suite.test
def the_database_is_the_one_of_the_config_file(ctx):
    path = ctx.dir / "a b.db"
    conf = config(ctx, '# modparam("pua", "db_url", "sqlite:///no")\n/* modparam("pua", "db_table", "no")\n'
                       '*/ modparam("puad", "log_level", "info")\n'
                       f'modparam ( "pua" ,\n "db_url", "sqlite://{path}" ) // here\nmodparam("pua", "hash_size", -9)\n'
                       'modparam("pua", "user_agent", "a \\" # \\\\ modparam(")modparam("pua","db_table","records")\n')
    expect(0, "create", "-f", conf, holds=[str(path), "table records made"])
    expect(0, "check", "--config", conf)
    expect(0, "create", "-f", conf, "--table", "more")
    expect(0, "check", "--url", f"sqlite://{path}", "--table", "records")
    url_file = ctx.dir / "url"
    url_file.write_text(f"sqlite://{path}\n")
    expect(0, "check", "--url", f"@{url_file}", "--table", "more")
    expect(1, "check", "-f", config(ctx, f'modparam("pua", "db_url", "sqlite://{path}")'), holds="there is no table pua")
    said = expect(2, "check", "-f", config(ctx, "\n"), env=dict(os.environ, MYSQL_UNIX_PORT=str(ctx.dir / "none.sock")),
                  holds="mysql://opensips@localhost/opensips")
    check("opensipsrw" not in said, "the default password is shown")
    for text, fault in (('modparam("pua", "db_url", "a")\n\nmodparam("pua", "db_url", "b")', ":3: "),
                        ('\nmodparam("pua", "db_url', ":2: "),
                        ('modparam("pua", "db_table", 5)', ":1: "), ("/* open", ":1: ")):
        expect(2, "check", "-f", config(ctx, text), holds=f"pua.conf{fault}")
    expect(2, "check", "-f", ctx.dir / "missing.conf", holds=["missing.conf", "--url"])


@suite.test
def a_url_that_does_not_fit_is_told_without_its_password(ctx):
    for text in ("x", "postgres://s3cret@h/d", "mysql:/u:s3cret@h/d", "mysql://u:s3cret@h", "mysql://u:s3cret@h/",
                 "mysql://u:s3cret@/d", "mysql://u:s3cret@h:0/d", "mysql://u:s3cret@h:99999/d", "mysql://u:s3cret@a,,b/d",
                 "mysql://u:s3cret%4@h/d", "mysql://:s3cret@h/d", "mysql://u:s3cret@h/d/e", "mysql://u:s3cret%0a@h/d",
                 "sqlite:x", "sqlite://x", "sqlite:///", "sqlite:///x/", "memory:", "@/none"):
        done = puadbctl("check", "--url", text)
        equal(done.returncode, 2, f"status of {text}")
        check("puadbctl: " in done.stderr and "s3cret" not in done.stderr and "Traceback" not in done.stderr,
              f"{text}: {done.stderr}")
    for table in ("version", "a-b", "1a", "a" * 61, "sqlite_x"):
        expect(2, "check", "--url", f"sqlite://{ctx.dir}/x.db", "--table", table, holds="the table's name")
    expect(2, "create", "--url", f"sqlite://{ctx.dir}/none/x.db", holds="no such folder")
    (ctx.dir / "text.db").write_text("not a database, but long enough to look at\n" * 50)
    expect(2, "check", "--url", f"sqlite://{ctx.dir}/text.db", holds="not a database")


@suite.test
def octets_that_are_no_utf_8_are_told_or_taken_as_they_are(ctx):
    for text in ("sqlite:///tmp/\udcff/x.db", "mysql://u:s3cret\udcff@h/d"):
        expect(2, "check", "--url", text, holds="puadbctl: the URL is not valid UTF-8")
    expect(2, "check", "--url", "mysql://u%ff:s3cret@localhost:1/d", holds="mysql://u")      # escaped, it is a name
    odd = ctx.dir / "odd\udcff"
    odd.mkdir()
    link = ctx.dir / "link"
    link.symlink_to(odd)
    url = f"sqlite://{link}/x.db"
    for command, says in (("create", "table pua made"), ("check", "no findings"), ("downgrade", "is version"), ("upgrade", "is version")):
        expect(0, command, "--url", url, holds=says)
    for command in (["load"], ["drop"]):
        done = subprocess.run([sys.executable, str(SCRIPT), *command, "--url", url], input=b"\xff\n", capture_output=True, check=False)
        equal((done.returncode, b"Traceback" in done.stderr), (2 if command == ["load"] else 1, False), f"{command}: {done.stderr}")
    check((odd / "x.db").exists(), "the tables were made elsewhere")


@suite.test
def an_empty_value_is_a_mistake_and_no_option_that_was_not_given(ctx):
    """As `puadbctl drop --yes --url "$DB"` has it where DB is not set."""
    path = ctx.dir / "x.db"
    conf, url = config(ctx, f'modparam("pua", "db_url", "sqlite://{path}")'), f"sqlite://{path}"
    expect(0, "create", "-f", conf)
    before = path.read_bytes()
    for option in ("--url", "--table", "--config", "-f", "--socket", "--tls-ca", "--tls"):
        expect(2, "drop", "--yes", "-f", conf, option, "", holds="the value is empty")
        expect(2, option, "", "drop", "--yes", "-f", conf, holds="the value is empty")
    for option in ("--source", "--source-table"):
        expect(2, "migrate", "--from", "opensips", "-f", conf, option, "", holds="the value is empty")
    for command in ("dump", "load"):
        expect(2, command, "-f", conf, "", holds="the value is empty")
    expect(2, "drop", "--yes", "-f", conf, "--url", "@", holds="@: ")
    empty = ctx.dir / "empty"
    empty.write_text("\n")
    expect(2, "drop", "--yes", "-f", conf, "--url", f"@{empty}", holds="no scheme")
    expect(2, "drop", "--yes", "-f", config(ctx, 'modparam("pua", "db_url", "")'), holds="no scheme")
    equal(path.read_bytes(), before, "the database")
    expect(0, "drop", "--yes", "--url", url)


@suite.test
def options_stand_before_or_behind_the_command_and_a_url_at_a_wrong_place_is_not_repeated(ctx):
    url = f"sqlite://{ctx.dir}/x.db"
    expect(0, "--url", url, "create", "--table", "records", holds="table records made")
    expect(0, "--url", url, "--table", "records", "check")
    expect(0, "--url", "sqlite:///none/x.db", "check", "--url", url, "--table", "records")       # the last one counts
    secret = "mysql://u:s3cret w0rd@h/d"
    for arguments in (["check", secret], [secret], [secret, "check"], ["check", "--event", secret], ["check", f"--t={secret}"],
                      ["check", f"--tls={secret}"], ["dump", "x.sql", secret], ["check", "u:s3cret@h"],
                      ["migrate", "--from", secret], ["check", "--nothing", "mysql:/u:s3cret@h/d"]):
        done = puadbctl(*arguments)
        equal(done.returncode, 2, f"status of {arguments}")
        check("usage: puadbctl" in done.stderr and "not shown" in done.stderr, f"{arguments}: {done.stderr}")
        check("s3cret" not in done.stderr and "w0rd" not in done.stderr, f"the password is shown: {done.stderr}")
    expect(2, "check", "extra", holds="unrecognized arguments: extra")
    expect(2, "chekc", holds="invalid choice: 'chekc'")


@suite.test
def users_passwords_and_sockets(ctx):
    server = MariaDb(ctx)
    server.create_database("my db")
    password = 'p@:/#"\\ \'%;\u00fc'
    quoted = password.replace("\\", "\\\\").replace("'", "''")
    server.sql(f"CREATE USER 'a@b'@'%' IDENTIFIED BY '{quoted}'; GRANT ALL ON `my db`.* TO 'a@b'@'%'; "
               f"CREATE USER 'a@b'@localhost IDENTIFIED BY '{quoted}'; GRANT ALL ON `my db`.* TO 'a@b'@localhost")
    escaped = "".join(f"%{octet:02X}" for octet in password.encode())
    url = f"mysql://a%40b:{escaped}@{HOST}:{server.port}/my%20db"
    expect(0, "create", "--url", url)
    expect(0, "check", "--url", url)
    local = dict(os.environ, MYSQL_UNIX_PORT=str(server.socket))
    expect(0, "check", "--url", f"mysql://a%40b:{escaped}@localhost/my%20db", env=local)
    expect(2, "check", "--url", f"mysql://a%40b:{escaped}@localhost:{ctx.port()}/my%20db", env=local, holds="Can't connect")
    expect(2, "check", "--url", url.replace("%23", "x"), holds=["Access denied", "a@b"])
    expect(2, "check", "--url", f"mysql://pua:puapw@{HOST}:{server.port}/none", holds=f"mysql://pua@{HOST}:{server.port}/none")
    home = ctx.dir / "home"
    home.mkdir()
    (home / ".my.cnf").write_text("[client]\nuser=nobody\npassword=wrong\n")    # of somebody's own, and not of this
    expect(0, "check", "--url", url, env=dict(os.environ, HOME=str(home)))


@suite.test
def the_first_host_that_answers_is_taken(ctx):
    dead, silent, live = ctx.port(), MariaDb(ctx, "silent"), MariaDb(ctx)
    live.create_database()
    begin = time.monotonic()
    expect(0, "create", "--url", f"mysql://pua:puapw@{HOST}:{dead},{HOST}:{live.port}/presence", holds=f"{HOST}:{live.port}")
    expect(2, "check", "--url", f"mysql://pua:puapw@{HOST},localhost:{dead}/presence",
           holds=[f"mysql://pua@{HOST}:{dead}", f"mysql://pua@localhost:{dead}"])
    expect(2, "check", "--url", f"mysql://pua:wrong@{HOST}:{live.port},{HOST}:{dead}/presence", holds="Access denied")
    silent.freeze()
    expect(0, "check", "--url", f"mysql://pua:puapw@{HOST}:{silent.port},{HOST}:{live.port}/presence")
    check(time.monotonic() - begin < 20, "a silent server holds it up")


# --- secrets and files -----------------------------------------------------------------------------------------------


def command_lines():
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            yield pathlib.Path(path).read_bytes()
        except OSError:
            pass


@suite.test
def a_password_is_on_no_command_line_and_in_no_file(ctx):
    server = MariaDb(ctx)
    server.create_database()
    place = MariaPlace(server, "secrets")
    server.sql("CREATE USER keeper@'%' IDENTIFIED BY 'wORd-4711'; GRANT ALL ON presence.* TO keeper@'%'")
    conf = config(ctx, f'modparam("pua", "db_url", "mysql://keeper:wORd-4711@{HOST}:{server.port}/presence")\n')
    expect(0, "create", "-f", conf)
    tmp = ctx.dir / "tmp"
    tmp.mkdir()
    env = dict(os.environ, TMPDIR=str(tmp))
    seen, files, over = [], {}, threading.Event()

    def sessions(which):
        return int(server.value(f"SELECT COUNT(*) FROM information_schema.processlist WHERE {which}"))

    def look():
        while not over.is_set():
            seen.extend(line for line in command_lines() if b"mariadb\0--defaults-file" in line or b"wORd-4711" in line)
            for folder, _, names in os.walk(tmp):      # which says nothing where one is gone meanwhile
                for path in (pathlib.Path(folder, name) for name in names):
                    with contextlib.suppress(FileNotFoundError):
                        if path.is_file() and path.read_bytes() not in (b"", b"blat"):      # Python tries whether it can write there
                            files[path.name] = path.stat().st_mode & 0o777
    looker = threading.Thread(target=look)
    looker.start()
    try:
        for command in ("check", "dump"):
            expect(0, command, "-f", conf, env=env)
        # It waits for a lock, so that there is time to look; then it is told to end.
        holder = subprocess.Popen([server.client, "--no-defaults", f"--socket={server.socket}", "-uroot", "presence"],
                                  stdin=subprocess.PIPE)
        holder.stdin.write(b"LOCK TABLES pua WRITE; SELECT SLEEP(20);\n")
        holder.stdin.flush()
        wait_for(lambda: sessions("info LIKE 'SELECT SLEEP%'"), 5, "the lock is held")
        waiting = subprocess.Popen([sys.executable, str(SCRIPT), "check", "-f", str(conf)], env=env, stdout=subprocess.DEVNULL)
        wait_for(lambda: sessions("state LIKE 'Waiting for table%'"), 5, "puadbctl waits")
        time.sleep(0.2)
        waiting.send_signal(signal.SIGTERM)
        equal(waiting.wait(5), 128 + signal.SIGTERM, "status after SIGTERM")
        holder.kill()
        holder.wait()
        holder.stdin.close()
    finally:
        over.set()
        looker.join()
    check(len(seen) > 3, "no client was seen")
    check(not any(b"wORd-4711" in line for line in seen), "the password is on a command line")
    equal(files, {}, "files while it ran: the password is in none")
    equal(list(tmp.iterdir()), [], "files left behind")
    equal(place.tables(), [], "tables of another database")


@suite.test
def a_file_made_by_root_belongs_to_whom_its_folder_belongs(ctx):
    if os.geteuid() != 0:
        raise Skip("not root")
    folder = ctx.dir / "lib"
    folder.mkdir()
    os.chown(folder, 65534, 65533)
    expect(0, "create", "--url", f"sqlite://{folder}/pua.db")
    for name in ("pua.db", "pua.db.lock"):
        found = (folder / name).stat()
        equal((found.st_uid, found.st_gid, found.st_mode & 0o777), (65534, 65533, 0o640), f"owner and mode of {name}")


main_is(suite)
