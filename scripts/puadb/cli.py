"""The command line of puadbctl, and what each command does in a few lines."""
import argparse
import contextlib
import os
import pathlib
import re
import secrets
import signal
import sys
import tempfile
import time
import traceback

from puadb import config, url
from puadb.check import Check
from puadb.database import Problem
from puadb.dump import Dump, dump, load
from puadb.layouts import LAYOUTS
from puadb.maria_db import MariaDb
from puadb.migrate import Migration, Source, Target, in_place, put_aside_name
from puadb.rules import EVENTS
from puadb.schema import VERSION, Schema, check_table_name, is_half_made
from puadb.sqlite_db import SqliteDb

FINE, FINDINGS, CANNOT = 0, 1, 2
# What MariaDB says where the user is known and must not do that: to a database, a table, a column, or for want of a privilege.
DENIED = (1044, 1142, 1143, 1227)


def main(arguments, sql_folder, config_file, version):
    """The exit status. sql_folder: where db/mysql and db/sqlite are; config_file: the one of puad; version: of libpua."""
    args = parse(arguments, config_file, version)
    args.sql = args.sql or sql_folder
    for stream in filter(None, (sys.stdin, sys.stdout)):       # names of any octets come and go as they are
        stream.reconfigure(errors="surrogateescape")
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, lambda number, _: sys.exit(128 + number))    # files with passwords are removed on the way out
    try:
        given = {name: getattr(args, name) for name in config.DEFAULTS if getattr(args, name) is not None}
        args.db = config.DEFAULTS | (config.read(args.config or config_file) if args.db_url is None else {}) | given
        args.table = args.db["db_table"]
        check_table_name(args.table)
        args.place = place_of(args.db["db_url"], args.db)
        return args.run(args)
    except Problem as why:
        hint = ("; if this is not the administrator of the database: --url @FILE with the administrator's URL, see SETTING UP MARIADB "
                "in puadbctl(8)" if why.code in DENIED else "")
        print(f"puadbctl: {why}{hint}", file=sys.stderr)
        return CANNOT
    except BrokenPipeError:      # whoever read our output has seen enough
        forget_output()
        return CANNOT
    except OSError as why:       # a full disk, most likely
        print(f"puadbctl: {f'{why.filename}: ' if why.filename else ''}{why.strerror or why}", file=sys.stderr)
        forget_output()
        return CANNOT
    except Exception:            # a mistake in here: Python's own status for it would say that there are findings
        traceback.print_exc()
        return CANNOT


def forget_output():
    """Nobody reads our output any more: the rest of it goes nowhere, else the interpreter would complain at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Parser(argparse.ArgumentParser):
    """Its messages do not repeat a URL: it may hold a password."""

    def error(self, message):
        super().error(re.sub(r"\S*(?::/|@).*", "(something like a URL, not shown)", message, flags=re.DOTALL))


def value(text):
    """The value of an option. An empty one ("$DB" with DB unset) is a mistake; it does not count as an option left out."""
    if not text:
        raise argparse.ArgumentTypeError("the value is empty")
    return text


def common(config_file, unset):
    """The options of all commands. unset: the value of one that is not given."""
    options = Parser(add_help=False, argument_default=unset)

    def option(*names, type=value, **more):
        options.add_argument(*names, type=type, **more)

    option("-f", "--config", metavar="FILE", help=f"take the parameters of the database from this file ({config_file})")
    option("--url", dest="db_url", metavar="URL", help="the database; @FILE: the URL is the first line of FILE")
    option("--table", dest="db_table", metavar="NAME", help="the table, in place of db_table")
    option("--socket", dest="db_socket", metavar="FILE", help="the socket of localhost, in place of db_socket")
    option("--tls", dest="db_tls", choices=config.TLS, help="encryption, in place of db_tls")
    option("--tls-ca", dest="db_tls_ca", metavar="FILE", help="certificates, in place of db_tls_ca")
    option("--clear-password", dest="db_clear_password", choices=("no", "yes"), help="in place of db_clear_password")
    option("--sql", metavar="FOLDER", type=pathlib.Path, help=argparse.SUPPRESS)
    return options


def parse(arguments, config_file, version):
    options = Parser(prog="puadbctl", parents=[common(config_file, None)],
                     description="The database of libpua. See puadbctl(8).")
    options.add_argument("-V", "--version", action="version", version=f"puadbctl {version}", help="show the version, and end")
    where = common(config_file, argparse.SUPPRESS)      # behind the command; what stands before it is not forgotten
    commands = options.add_subparsers(metavar="COMMAND", required=True)

    def command(name, run, what):
        parser = commands.add_parser(name, parents=[where], help=what, description=what)
        parser.set_defaults(run=run)
        return parser

    command("create", create, "make the tables")
    check = command("check", check_all, "look at schema and rows; status 1 if something does not fit")
    check.add_argument("--event", metavar="BIT", type=int, action="append", default=[], help="an event that programs register")
    drop = command("drop", drop_tables, "remove the tables, with all rows")
    drop.add_argument("--yes", action="store_true", help="do not ask")
    command("upgrade", upgrade, "bring tables of an older version of this library to this one")
    command("downgrade", downgrade, "bring the tables back to what the version before wants")
    out = command("dump", dump_rows, "write all rows as SQL")
    out.add_argument("file", nargs="?", type=value, default="-", help="readable for nobody else; none: standard output")
    back = command("load", load_rows, "read what dump wrote, into a database of either kind")
    back.add_argument("file", nargs="?", type=value, default="-", help="none: standard input")
    back.add_argument("--replace", action="store_true", help="remove the rows that are there")
    over = command("migrate", migrate, "carry the rows of a table of OpenSIPS or Kamailio over")
    over.add_argument("--from", dest="layout", choices=LAYOUTS, required=True, help="whose table it is")
    over.add_argument("--source", metavar="URL", type=value, help="its database, where that is another one; @FILE as with --url")
    over.add_argument("--source-table", metavar="NAME", type=value, help="its name (pua)")
    over.add_argument("--own-contact", action="store_true", help="subscriptions take the library's Contact")
    over.add_argument("--dry-run", action="store_true", help="change nothing, say what would be done")
    return options.parse_args(arguments)


def place_of(text, db):
    """The database that this URL names; db: how to reach it, by the parameters' names."""
    if text.startswith("@"):
        try:
            text = pathlib.Path(text[1:]).read_text(errors="surrogateescape").partition("\n")[0].strip()
        except OSError as why:
            raise Problem(f"{text[1:] or '@'}: {why.strerror}") from None
    place = url.parse(text)
    if isinstance(place, url.MysqlUrl):
        place = place._replace(socket=db["db_socket"], tls=db["db_tls"], tls_ca=db["db_tls_ca"],
                               clear_password=db["db_clear_password"].lower() in config.YES)
    return place


def connect(place, write=False, create=False):
    db = (SqliteDb if isinstance(place, url.SqliteUrl) else MariaDb)(place, write, create)
    if db.notice:
        print(f"puadbctl: {db.notice}", file=sys.stderr)
    return db


def say(text):
    print(text, flush=True)


def ours(db, table):
    """A Problem if this is not our table in our version."""
    if not db.has(table):
        raise Problem(f"{db.where}: there is no table {table}: puadbctl create makes it")
    if is_half_made(db, table):
        raise Problem(f"{db.where}: table {table} is half made: puadbctl create completes it")
    version = db.version_of(table)
    if version != VERSION or not db.is_ours(table):
        raise Problem(f"{db.where}: table {table} has schema version {version}, this puadbctl is for {VERSION}")


def make_tables(db, schema, table):
    """Makes those tables that are missing: in MariaDB an interruption may have left a part of them."""
    part = db.is_ours(table)
    with db.transaction() as change:
        for statement in schema.statements(table):
            if not part or not re.match("CREATE (?!TABLE IF NOT EXISTS )", statement):
                change.run(statement)


# --- the commands ----------------------------------------------------------------------------------------------------


def create(args):
    with connect(args.place, write=True, create=True) as db:
        schema = Schema(args.sql, db.kind)
        if db.has(args.table):
            if not db.is_ours(args.table):
                raise Problem(f"{db.where}: there is a table {args.table} of another program; puadbctl migrate can carry "
                              "those of OpenSIPS and Kamailio over")
            version, half_made = db.version_of(args.table), is_half_made(db, args.table)
            if version != VERSION and not half_made:
                raise Problem(f"{db.where}: table {args.table} has schema version {version}, not {VERSION}: see puadbctl upgrade")
            if not half_made:
                say(f"{db.where}: table {args.table} is there already")
                return FINE
        make_tables(db, schema, args.table)
        say(f"{db.where}: table {args.table} made")
    return FINE


def check_all(args):
    with connect(args.place) as db:
        check = Check(db, Schema(args.sql, db.kind), args.table, {*EVENTS, *args.event}, int(time.time()), say)
        found = check.run()
        lines = db.journal_lines(args.table)
        say(f"{db.where}: table {args.table}, {check.looked_at} rows, {f'{lines} changes in its journal, ' if lines else ''}"
            f"{found or 'no'} finding{'s' if found != 1 else ''}")
    return FINDINGS if found else FINE


def drop_tables(args):
    with connect(args.place, write=True) as db:
        if not db.has(args.table):
            raise Problem(f"{db.where}: there is no table {args.table}")
        if not db.is_ours(args.table):
            raise Problem(f"{db.where}: table {args.table} belongs to another program: left as it is")
        if not args.yes:
            print(f"{db.where}: remove table {args.table} with {db.count(args.table)} rows? (yes/no) ", end="", flush=True)
            if sys.stdin.readline().strip() != "yes":
                say("nothing done")
                return FINDINGS
        numbered = db.version_of(args.table) is not None
        with db.transaction() as change:
            for statement in db.drop_journal(args.table):
                change.run(statement)
            change.run(f"DROP TABLE {args.table}")
            change.run(f"DROP TABLE IF EXISTS {args.table}_meta")
            if numbered:
                change.run(f"DELETE FROM version WHERE table_name = '{args.table}'")
        say(f"{db.where}: table {args.table} removed")
    return FINE


def upgrade(args):
    with connect(args.place, write=True) as db:
        schema = Schema(args.sql, db.kind)
        if not db.has(args.table):
            raise Problem(f"{db.where}: there is no table {args.table}")
        version = db.version_of(args.table)
        if version == VERSION:
            say(f"{db.where}: table {args.table} has version {VERSION}: nothing to do")
            return FINE
        if version is None:
            raise Problem(f"{db.where}: table version has no row for {args.table}: puadbctl check says what is missing")
        if version > VERSION:
            raise Problem(f"{db.where}: table {args.table} has version {version}, from a later libpua; this one knows {VERSION}")
        steps = [schema.upgrade(number, args.table) for number in range(version, VERSION)]
        if None in steps or not db.is_ours(args.table):
            raise Problem(f"{db.where}: table {args.table} has version {version}, and there is no way from that to {VERSION}; "
                          "tables of OpenSIPS and Kamailio are carried over by puadbctl migrate")
        for number, statements in enumerate(steps, version + 1):
            with db.transaction() as change:
                for statement in statements:
                    change.run(statement)
                change.run(db.set_version(args.table, number))
            say(f"{db.where}: table {args.table} is version {number} now")
    return FINE


def downgrade(args):
    with connect(args.place, write=True) as db:
        ours(db, args.table)
        statements = Schema(args.sql, db.kind).downgrade(VERSION, args.table)
        with db.transaction() as change:
            db.fold(change, args.table)
            for statement in statements or ():
                change.run(statement)
            change.run(db.set_version(args.table, VERSION - 1))
        say(f"{db.where}: table {args.table} is version {VERSION - 1} now: for the libpua before this one")
    return FINE


@contextlib.contextmanager
def opened_to_write(path):
    """A file that is there in full in the end, or not at all; one that was there before stays until then."""
    if path == "-":
        yield sys.stdout
        sys.stdout.flush()
        return
    if os.path.exists(path) and not os.path.isfile(path):       # a pipe or a device takes it as it comes
        with open(path, "w", encoding="ascii") as file:
            yield file
        return
    folder, name = os.path.split(os.path.realpath(path))
    new = None
    try:
        try:                # a file without a name: nothing of it stays behind, even if we are killed
            handle = os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o600)
        except OSError:     # not every file system knows such
            handle, new = tempfile.mkstemp(prefix=".puadbctl-", dir=folder)     # mode 0600
        with open(handle, "w", encoding="ascii") as file:
            yield file
            file.flush()
            os.fsync(handle)
            if new is None:
                new = _named(handle, folder)
        os.replace(new, os.path.join(folder, name))
        new = None
    except OSError as why:
        raise Problem(f"{path}: {why.strerror}") from None
    finally:
        if new:
            os.unlink(new)


def _named(handle, folder):
    """A name for the file, which then can take the place of another one."""
    name = os.path.join(folder, f".puadbctl-{secrets.token_hex(8)}")
    of_folder = os.open(folder, os.O_PATH)
    try:
        os.link(f"/proc/self/fd/{handle}", name, src_dir_fd=of_folder)     # the folder only has Python follow the link
    finally:
        os.close(of_folder)
    return name


@contextlib.contextmanager
def opened_to_read(path):
    if path == "-":
        sys.stdin.reconfigure(encoding="ascii", errors="replace")
        yield sys.stdin
        return
    with open(path, encoding="ascii", errors="replace") as file:
        yield file


def dump_rows(args):
    with connect(args.place) as db:
        ours(db, args.table)
        with opened_to_write(args.file) as out:
            count = dump(db, Schema(args.sql, db.kind), args.table, out)
        print(f"{db.where}: {count} rows written", file=sys.stderr)
    return FINE


def load_rows(args):
    with opened_to_read(args.file) as lines, connect(args.place, write=True, create=True) as db:
        schema = Schema(args.sql, db.kind)
        rows = Dump(lines, schema, "standard input" if args.file == "-" else args.file)
        if not db.has(args.table) or is_half_made(db, args.table):
            make_tables(db, schema, args.table)
        ours(db, args.table)
        there = db.count(args.table)
        if there and not args.replace:
            raise Problem(f"{db.where}: table {args.table} holds {there} rows; --replace removes them first")
        say(f"{db.where}: {load(db, rows, args.table, args.replace)} rows loaded")
    return FINE


def migrate(args):
    layout = LAYOUTS[args.layout]
    source_place = args.place if args.source is None else place_of(args.source, args.db)
    source_table = args.source_table or (args.table if source_place == args.place else config.DEFAULTS["db_table"])
    check_table_name(source_table)
    same = source_place == args.place
    with contextlib.ExitStack() as stack:
        put_aside = False
        source = None if same else Source(stack.enter_context(connect(source_place)), source_table, layout)
        missing = isinstance(args.place, url.SqliteUrl) and not os.path.exists(args.place.path)
        db = None if missing and args.dry_run and not same else stack.enter_context(
            connect(args.place, write=not args.dry_run, create=not same))
        if same and source_table == args.table:
            source, put_aside = in_place(db, args.table, layout)
        elif same:
            source = Source(db, source_table, layout)
        schema = Schema(args.sql, db.kind if db else "sqlite")
        target = Target(None if put_aside else db, schema, args.table)
        work = Migration(source, target, int(time.time()), args.own_contact, say)
        work.look()
        if args.dry_run:
            for _ in work.carry():
                pass
        else:
            write_migrated(db, schema, args.table, work, put_aside)
        say(work.summary(args.dry_run))
    return FINDINGS if work.refused else FINE


def write_migrated(db, schema, table, work, put_aside):
    """Writes in three steps. After an interruption another run goes on behind the last complete step; where MariaDB commits each
    statement by itself, also in the middle of one."""
    if put_aside:
        old, statements = put_aside_name(table, work.source.layout), []
        if db.version_of(table) is not None:
            statements.append(db.set_version(old, work.source.layout.version))
        with db.transaction() as change:
            for statement in (*statements, db.rename(table, old)):
                change.run(statement)
        work.source.table = old
        say(f"{db.where}: table {table} is kept as {old}")
    if not db.has(table) or is_half_made(db, table):
        make_tables(db, schema, table)
    columns = [(column.name, column.kind) for column in schema.columns]
    with db.transaction() as change:
        db.fold(change, table)
        change.insert(table, columns, ([row[name] for name in schema.names] for row in work.carry()))
