"""A write-ahead log that lies beside a SQLite file when that is opened: SQLite would play it into the file, whatever that holds. Whether it
belongs there is judged, and one that does not is set aside, as puad does it (src/store/sqlite_stale_log.cpp); the log that is read and
the rule are in sqlite_wal.py.
"""
import contextlib
import errno
import fcntl
import os
import pathlib
import re
import sqlite3
import stat
import struct
import urllib.parse
from typing import NamedTuple

from puadb.database import Problem
from puadb.sqlite_wal import Fit, Log, fit

OUR_OCTET = 0x40010000        # of the file, locked by its owner; SQLite does not use it
OPEN_OCTET = 128              # of the index of a log: each connection of SQLite holds a lock on it
MOST_ASIDE = 10               # so many logs are kept; then the oldest makes room
BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id")
NOTE = re.compile(rb"file (\d+) (\d+) size (-?\d+) changed (-?\d+) status (-?\d+) folding (\d+) boot (\S{1,60})")


class Note(NamedTuple):
    """What puad has noted in its lock file of the file that it works on (SqliteNote in src/store/sqlite_claim.h). It saves the next owner
    a long look at a file that nobody has touched since; without it, everything is found out all the same."""
    id: tuple = ()            # device and inode
    size: int = 0
    changed: int = 0          # ns
    status: int = 0           # ns, of the time that nobody can set (ctime)
    folding: bool = False     # puad was just writing to the file: its size and times say nothing
    boot: bytes = b""         # of the machine

    @classmethod
    def of(cls, line):
        found = NOTE.match(line)
        if not found:
            return cls()
        device, inode, size, changed, status, folding = map(int, found.groups()[:6])
        return cls((device, inode), size, changed, status, folding != 0, found[7])

    @classmethod
    def now(cls, path):
        try:
            file, boot = os.stat(path), BOOT.read_bytes().strip()
        except OSError:
            return cls()
        return cls((file.st_dev, file.st_ino), file.st_size, file.st_mtime_ns, file.st_ctime_ns, False, boot)

    def untouched(self, path):
        """The file is the noted one, and nobody else has written to it as far as its inode and times tell."""
        there = Note.now(path)
        return bool(self.boot) and (self.boot, self.id) == (there.boot, there.id) and (self.folding or self == there)


def is_foreign(path, note, handle):
    """Whether the log there would be played into a file that it does not go on from. handle: the database file, open to be read."""
    log_path = f"{path}-wal"
    try:
        log = Log.read(log_path)
    except OSError as why:
        raise Problem(f"{path}: its write-ahead log {log_path} cannot be read: {why.strerror}") from None
    if log.frames == 0:
        return False          # nothing would be played
    found = fit(log, lambda at, n: _octets(handle, at, n))
    if found is Fit.NO_DATABASE:
        raise Problem(f"{path}: not a SQLite database, or encrypted")
    if found is Fit.FOREIGN:
        return True
    if note.untouched(path) and (found is Fit.BELONGS or not note.folding):
        return False
    # Sound together, they belong together. Damaged even without the log: that may hold the pages that are whole.
    return _damaged(path, "mode=ro") and not _damaged(path, "immutable=1")


def set_aside(path):
    """Returns what is to be said about it."""
    log, index = f"{path}-wal", f"{path}-shm"
    foreign = f"{path}: the write-ahead log there belongs to another file than this one"
    try:
        user = _lock_holder(index, OPEN_OCTET, fcntl.F_GETLK)
    except OSError as why:    # it may be anybody's
        raise Problem(f"{foreign}, and its index {index} cannot be looked at: {why.strerror}") from None
    if user:
        raise Problem(f"{foreign}, and {f'process {user}' if user > 0 else 'another process'} has it open: end that first")
    aside = _name_aside(log)
    try:
        os.rename(log, aside)
    except OSError as why:
        raise Problem(f"{foreign}, and cannot be set aside as {aside}: {why.strerror}; move {log} away by hand") from None
    with contextlib.suppress(OSError):
        os.unlink(index)      # SQLite makes it anew
    return f"{foreign}: set aside as {aside}"


def is_owned(path):
    """Whether somebody holds the claim on this file (InodeClaim in src/store/sqlite_claim.h). Takes nothing."""
    return _lock_holder(path, OUR_OCTET, fcntl.F_OFD_GETLK) != 0


def uri_of(path, options):
    """The path as SQLite takes it with options, whatever octets it has."""
    return f"file:{urllib.parse.quote(os.fsencode(path))}?{options}"


def _octets(handle, at, n):
    octets = os.pread(handle, n, at)
    return octets if len(octets) == n else None


def _damaged(path, options):
    """Reads all of it, and writes nothing but the index of the log: what cannot be written is not checkpointed at the end.
    immutable: without its log."""
    try:
        with contextlib.closing(sqlite3.connect(uri_of(path, options), uri=True, timeout=0)) as db:
            db.text_factory = bytes
            db.execute("PRAGMA trusted_schema = OFF")
            return db.execute("PRAGMA quick_check(1)").fetchone() != (b"ok",)
    except sqlite3.Error as why:
        return getattr(why, "sqlite_errorcode", 0) & 0xff in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _lock_holder(path, octet, question):
    """The process that holds a lock on this octet (-1: one that the kernel does not name); 0: none. OSError: nobody can tell. This process
    has the file not open, so that closing it here takes no lock from anybody."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return 0
    try:
        wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, octet, 1, 0)
        kind, _, _, _, process = struct.unpack("hhqqi4x", fcntl.fcntl(handle, question, wanted))
        return 0 if kind == fcntl.F_UNLCK else process or -1
    except OSError as why:
        if why.errno in (errno.EINVAL, errno.ENOLCK, errno.EOPNOTSUPP):
            return 0          # a file system without such locks
        raise
    finally:
        os.close(handle)


def _name_aside(log):
    """A name that is free, or that of the oldest log there."""
    oldest, age = f"{log}.stale", None
    for number in range(1, MOST_ASIDE + 1):
        name = f"{log}.stale{number if number > 1 else ''}"
        try:
            found = os.lstat(name)
        except OSError:
            return name
        if stat.S_ISREG(found.st_mode) and (age is None or int(found.st_mtime) < age):
            oldest, age = name, int(found.st_mtime)
    return oldest
