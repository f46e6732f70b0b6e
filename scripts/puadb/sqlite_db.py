"""SQLite: one file. Who writes to it holds the same claims on it as puad does (src/store/sqlite_claim.h)."""
import contextlib
import errno
import fcntl
import os
import pathlib
import sqlite3
import struct

from puadb import sqlite_stale_log as stale_log
from puadb.database import Database, Problem, Text, name_of


class SqliteDb(Database):
    kind = "sqlite"

    def __init__(self, url, write=False, create=False):
        """write: with a claim on the file; create: the file may be missing."""
        self.path = self.where = os.path.realpath(url.path)
        self.claim = self.inode = None
        path = pathlib.Path(self.path)
        if not path.parent.is_dir():
            raise Problem(f"{path.parent}: no such folder")
        if path.exists() and not path.is_file():
            raise Problem(f"{path}: not a file")
        if not path.exists() and not create:
            raise Problem(f"{path}: no such file")
        if write:
            self._take_claim()
            self.inode = self._make_file(self.path, os.O_RDWR | os.O_CREAT)
            self._take_inode()
            self._set_stale_log_aside()
        else:
            self._refuse_stale_log()
        try:
            self.db = sqlite3.connect(stale_log.uri_of(self.path, f"mode={'rw' if write else 'ro'}"), uri=True,
                                      isolation_level=None, timeout=5)
            self.db.text_factory = Text
            self.db.execute("SELECT count(*) FROM sqlite_schema")
        except sqlite3.Error as why:
            raise self._problem(why) from None

    def _make_file(self, path, flags):
        """A new file belongs to whom its folder belongs: made by root, it must still be puad's. Returns it, open."""
        new = not os.path.exists(path)
        try:
            handle = os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)
            if new and os.geteuid() == 0:
                folder = os.stat(os.path.dirname(path))
                os.fchown(handle, folder.st_uid, folder.st_gid)
        except OSError as why:
            raise Problem(f"{path}: {why.strerror}") from None
        return handle

    def _take_claim(self):
        self.claim = self._make_file(f"{self.path}.lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self.claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.pread(self.claim, 15, 0).decode(errors="replace").partition("\n")[0]
            raise Problem(f"{self.path}: in use by {f'process {owner}' if owner.isdigit() else 'another process'}") from None
        _, _, self.note = os.pread(self.claim, 512, 0).partition(b"\n")
        text = f"{os.getpid()}\n".encode() + self.note     # what puad has noted is for the next puad
        os.pwrite(self.claim, text, 0)
        os.ftruncate(self.claim, len(text))

    def _take_inode(self):
        """Claims the file itself, whatever names it has. It stays open until the database is closed, for closing it would end
        SQLite's locks."""
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, stale_log.OUR_OCTET, 1, 0)
        try:
            fcntl.fcntl(self.inode, fcntl.F_OFD_SETLK, lock)
        except OSError as why:
            if why.errno in (errno.EAGAIN, errno.EACCES):
                raise Problem(f"{self.path}: in use by another process, under another name or with a lock file that was "
                              "removed") from None

    def _set_stale_log_aside(self):
        """As puad does: the log of another file, or of other content, must not be played into this one."""
        if stale_log.is_foreign(self.path, stale_log.Note.of(self.note), self.inode):
            self.notice = stale_log.set_aside(self.path)

    def _refuse_stale_log(self):
        """Who only reads moves nothing, and must not show rows that this file does not have. A log that puad is at work on is its own."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return                # opening it as a database says why
        try:
            if stale_log.is_owned(self.path) or not stale_log.is_foreign(self.path, self._note_there(), handle):
                return
        finally:
            os.close(handle)
        if not stale_log.is_owned(self.path):     # whoever began meanwhile has changed what was read
            raise Problem(f"{self.path}: the write-ahead log there belongs to another file than this one: puad sets it aside when it "
                          f"starts; or move {self.path}-wal away by hand")

    def _note_there(self):
        with contextlib.suppress(OSError), open(f"{self.path}.lock", "rb") as lock:
            return stale_log.Note.of(lock.read(512).partition(b"\n")[2])
        return stale_log.Note()

    def close(self):
        self.db.close()
        for handle in (self.inode, self.claim):
            if handle is not None:
                os.close(handle)

    def _problem(self, why):
        return Problem(f"{self.path}: {why}")

    def _all(self, sql, *values):
        try:
            return self.db.execute(sql, values).fetchall()
        except sqlite3.Error as why:
            raise self._problem(why) from None

    def describe(self, table):
        return {name.decode(): (type.decode().upper(), bool(not_null))
                for _, name, type, not_null, _, _ in self._all(f'PRAGMA table_info("{name_of(table)}")')}

    def unique_keys(self, table):
        keys = [frozenset(name.decode() for _, name, _, _, _, key in self._all(f'PRAGMA table_info("{name_of(table)}")') if key)]
        for _, index, unique, _, partial in self._all(f'PRAGMA index_list("{name_of(table)}")'):
            columns = [row for row in self._all("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", index.decode())]
            if unique and not partial and all(collation == b"BINARY" for _, collation in columns):
                keys.append(frozenset(name.decode() for name, _ in columns if name))
        return keys

    def key_columns(self):
        return frozenset(("pres_uri", "event", "flag", "pres_id", "watcher_uri", "to_uri"))

    def rows(self, table, columns, order="id"):
        names = ", ".join(f'"{name_of(name)}"' for name, _ in columns)
        try:
            yield from map(list, self.db.execute(f'SELECT {names} FROM "{name_of(table)}" ORDER BY "{name_of(order)}"'))
        except sqlite3.Error as why:
            raise self._problem(why) from None

    def count(self, table):
        return self._all(f'SELECT count(*) FROM "{name_of(table)}"')[0][0]

    # --- the journal (db/sqlite/pua-create.sql) ----------------------------------------------------------------------

    def current(self, table):
        return f"{table}_rows" if self.definition(f"{table}_rows") else table

    def definition(self, view):
        """The statement that has made it; None: there is none."""
        found = self._all("SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ?", view)
        return found[0][0].decode() if found else None

    def journal_lines(self, table):
        journal = f"{table}_journal"
        return self.count(journal) if self.has(journal) else 0

    def fold(self, change, table):
        if not self.journal_lines(table):
            return
        names = [name for name in self.describe(f"{table}_journal") if name not in ("seq", "id")]
        order = "owner_epoch", "record_version", "node"
        change.run(f'UPDATE "{name_of(table)}" AS p SET {", ".join(f"{name} = j.{name}" for name in names)} '
                   f'FROM "{table}_journal" j WHERE j.id = p.id '
                   f'AND j.seq IN (SELECT max(seq) FROM "{table}_journal" GROUP BY id) '
                   f'AND ({", ".join(f"j.{name}" for name in order)}) > ({", ".join(f"p.{name}" for name in order)})')
        change.run(f'DELETE FROM "{table}_journal"')

    def drop_journal(self, table):
        if not self.definition(f"{table}_rows") and not self.has(f"{table}_journal"):
            return []
        return [f'DROP VIEW IF EXISTS "{name_of(table)}_rows"', f'DROP TABLE IF EXISTS "{name_of(table)}_journal"']

    @contextlib.contextmanager
    def transaction(self):
        self.run("BEGIN IMMEDIATE")
        try:
            yield self
            self.run("COMMIT")
        finally:
            if self.db.in_transaction:
                self.db.rollback()

    def run(self, statement):
        self._all(statement)

    def insert(self, table, columns, rows):
        names = ", ".join(f'"{name_of(name)}"' for name, _ in columns)
        for row in rows:
            # What is bound as octets would stay a blob, which is never equal to a text of the same octets.
            marks = ", ".join("CAST(? AS TEXT)" if isinstance(value, Text) else "?" for value in row)
            try:
                self.db.execute(f'INSERT INTO "{name_of(table)}" ({names}) VALUES ({marks})', row)
            except sqlite3.Error as why:
                raise Problem(f"{self.path}: {why} (table {table}, {columns[0][0]} {row[0]!r})") from None

    def set_version(self, table, version):
        return f"INSERT OR REPLACE INTO version (table_name, table_version) VALUES ('{name_of(table)}', {int(version)})"

    def rename(self, table, to):
        return f'ALTER TABLE "{name_of(table)}" RENAME TO "{name_of(to)}"'
