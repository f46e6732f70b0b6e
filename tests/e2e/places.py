"""Databases for the tests of puadbctl: the same few things on SQLite and on MariaDB, and tables of the two forks in them."""
import pathlib
import sqlite3
import subprocess
import sys

from harness import ROOT, Failure
from mariadb import MariaDb

SCRIPT = ROOT / "scripts" / "puadbctl"
SCHEMA = ROOT / "db"


def puadbctl(*arguments, stdin="", env=None, timeout=30):
    """Runs it to its end; the completed process with text output."""
    try:
        return subprocess.run([sys.executable, str(SCRIPT), *map(str, arguments)], input=stdin, capture_output=True, text=True,
                              errors="replace", timeout=timeout, check=False, env=env)
    except subprocess.TimeoutExpired:
        raise Failure(f"puadbctl {' '.join(map(str, arguments[:1]))} did not end in {timeout} s") from None


def expect(status, *arguments, holds=(), **more):
    """It ends with this status and says these things, without a traceback. Returns its standard output."""
    done = puadbctl(*arguments, **more)
    said = done.stdout + done.stderr
    if done.returncode != status or "Traceback" in said:
        raise Failure(f"puadbctl {arguments[0]}: status {done.returncode}, wanted {status}: {said[-1500:]}")
    for text in [holds] if isinstance(holds, str) else holds:
        if text not in said:
            raise Failure(f"puadbctl {arguments[0]} did not say {text!r} but {said[-1500:]!r}")
    return done.stdout


class SqlitePlace:
    kind = "sqlite"

    def __init__(self, ctx, name="x"):
        self.path = ctx.dir / f"{name}.db"
        self.url = f"sqlite://{self.path}"

    def run(self, script):
        db = sqlite3.connect(self.path)
        try:
            db.executescript(script)
        finally:
            db.close()

    def rows(self, sql):
        db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)
        try:
            return [[None if cell is None else str(cell) for cell in row] for row in db.execute(sql)]
        finally:
            db.close()

    def literal(self, value):
        if isinstance(value, bytes):
            return f"CAST(X'{value.hex()}' AS TEXT)"
        return "NULL" if value is None else str(value)

    def tables(self):
        return sorted(row[0] for row in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table'"))


class MariaPlace:
    """One database in a server that several may share."""
    kind = "mysql"

    def __init__(self, server, name="presence"):
        self.server, self.name, self.url = server, name, server.url(name)
        server.create_database(name)

    def run(self, script):
        self.server.sql(script, self.name)

    def rows(self, sql):
        return self.server.sql(sql, self.name)

    def literal(self, value):
        if isinstance(value, bytes):
            return f"X'{value.hex()}'"
        return "NULL" if value is None else str(value)

    def tables(self):
        return sorted(row[0] for row in self.rows("SHOW TABLES"))


# A server that takes all that clients send for gbk, whatever they say: an octet from 0x81 on and a backslash are one character.
GBK = ["--skip-character-set-client-handshake", "--character-set-server=gbk"]


def make_place(ctx, kind):
    """kind: sqlite, mysql, or mysql-gbk"""
    if kind == "sqlite":
        return SqlitePlace(ctx)
    return MariaPlace(MariaDb(ctx, options=GBK if kind == "mysql-gbk" else ()))


def on_both(suite):
    """A decorator: the test, which gets a place, once for each kind of database."""
    def both(test):
        for kind, name in (("sqlite", "sqlite"), ("mysql", "mariadb")):
            def one(ctx, kind=kind):
                test(ctx, make_place(ctx, kind))
            one.__name__ = f"{test.__name__}_{name}"
            suite.test(one)
        return test
    return both


def insert(place, table, *rows):
    """Rows as dicts; strings as octets."""
    place.run("BEGIN;\n" + "".join(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(map(place.literal, row.values()))});\n"
                                   for row in rows) + "COMMIT;\n")


def contents(place, table, columns, order="id"):
    """All rows, with values as hexadecimal digits of their octets; None for NULL."""
    digits = "HEX(CONCAT({0}))" if place.kind == "mysql" else "hex({0})"
    shown = ", ".join(f"CASE WHEN {c} IS NULL THEN 'none' ELSE {digits.format(c)} END" for c in columns)
    return [[None if cell == "none" else cell for cell in row]
            for row in place.rows(f"SELECT {shown} FROM {table} ORDER BY {order}")]


# --- tables of the two forks -------------------------------------------------------------------------------------------

OPENSIPS = """
CREATE TABLE version (table_name CHAR(32) NOT NULL, table_version {uint} DEFAULT 0 NOT NULL,
  CONSTRAINT t_name_idx UNIQUE (table_name));
INSERT INTO version (table_name, table_version) VALUES ('pua', 9), ('presentity', 5);
CREATE TABLE pua (id {key}, pres_uri CHAR(255) NOT NULL, pres_id CHAR(255) NOT NULL, event INT NOT NULL, expires INT NOT NULL,
  desired_expires INT NOT NULL, flag INT NOT NULL, etag CHAR(64), tuple_id CHAR(64), watcher_uri CHAR(255), to_uri CHAR(255),
  call_id CHAR(64), to_tag CHAR(64), from_tag CHAR(64), cseq INT, record_route TEXT, contact CHAR(255), remote_contact CHAR(255),
  version INT, extra_headers TEXT, sharing_tag CHAR(32) DEFAULT NULL);
CREATE INDEX pua_del1_idx ON pua (pres_uri, event);
CREATE INDEX pua_del2_idx ON pua (expires);
CREATE INDEX pua_update_idx ON pua (pres_uri, pres_id, flag, event);
"""
KAMAILIO = """
CREATE TABLE version (id {key}, table_name VARCHAR(32) NOT NULL, table_version {uint} DEFAULT 0 NOT NULL,
  CONSTRAINT table_name_idx UNIQUE (table_name));
INSERT INTO version (table_name, table_version) VALUES ('pua', 7), ('presentity', 5);
CREATE TABLE pua (id {key}, pres_uri VARCHAR(255) NOT NULL, pres_id VARCHAR(255) NOT NULL, event INT NOT NULL,
  expires INT NOT NULL, desired_expires INT NOT NULL, flag INT NOT NULL, etag VARCHAR(128) NOT NULL, tuple_id VARCHAR(64),
  watcher_uri VARCHAR(255) NOT NULL, call_id VARCHAR(255) NOT NULL, to_tag VARCHAR(128) NOT NULL, from_tag VARCHAR(128) NOT NULL,
  cseq INT NOT NULL, record_route TEXT, contact VARCHAR(255) NOT NULL, remote_contact VARCHAR(255) NOT NULL, version INT NOT NULL,
  extra_headers TEXT NOT NULL, CONSTRAINT pua_idx UNIQUE (etag, tuple_id, call_id, from_tag));
CREATE INDEX pua_expires_idx ON pua (expires);
CREATE INDEX pua_dialog1_idx ON pua (pres_id, pres_uri);
CREATE INDEX pua_dialog2_idx ON pua (call_id, from_tag);
CREATE INDEX pua_record_idx ON pua (pres_id);
"""


def make_old_table(place, fork):
    key, uint = (("INTEGER PRIMARY KEY NOT NULL", "INTEGER") if place.kind == "sqlite" else
                 ("INT(10) UNSIGNED AUTO_INCREMENT PRIMARY KEY NOT NULL", "INT UNSIGNED"))
    script = {"opensips": OPENSIPS, "kamailio": KAMAILIO}[fork].format(key=key, uint=uint)
    if place.kind == "mysql":   # as the admin scripts of both make them
        script = "ALTER DATABASE CHARACTER SET latin1;\n" + script
    place.run(script)


def create_text(kind):
    return pathlib.Path(SCHEMA, kind, "pua-create.sql").read_text()
