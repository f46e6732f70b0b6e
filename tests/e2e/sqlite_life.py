"""A puad with a SQLite file and its write-ahead log, and what others may do with these two: copies, killed checkpoints."""
import contextlib
import shutil
import sqlite3
import struct

from esc import Esc
from harness import check, equal, wait_for
from puad import Puad, pidf

PAGE = 4096


def uri(name):
    return f"sip:{name}@example.com"


class Life:
    """A puad, what it has said to be durable, and its files."""

    def __init__(self, ctx, name="life"):
        self.dir = ctx.dir / name
        self.dir.mkdir()
        self.puad = Puad(ctx, Esc(ctx).uri, name=name)
        self.db = self.dir / "puad.db"
        self.wal = self.dir / "puad.db-wal"
        self.puad.set("pua", db_url=f"sqlite:///{self.db}")
        self.name, self.starts, self.wanted, self.control = name, 0, set(), None

    def start(self):
        self.starts += 1
        self.puad.name = f"{self.name}{self.starts}"      # a log of its own
        self.puad.start()
        self.control = self.puad.control()
        self.control.wait_loaded()

    def publish(self, *names):
        for name in names:
            wait_for(lambda n=name: self.control.publish(uri(n), pidf(uri(n), n * 60), -1)["durable"], 10, f"{name} is durable")
            self.wanted.add(uri(name))

    def remove(self, *names):
        for name in names:
            check(self.control.remove(uri(name))["durable"], f"the removal of {name} is not durable")
            self.wanted.discard(uri(name))

    def fill(self):
        """Rows, some of them in the file already, and some in the log alone."""
        self.publish(*(f"a{i}" for i in range(40)))
        with contextlib.closing(sqlite3.connect(self.db)) as other:
            wait_for(lambda: other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0, 10, "all of the log is in the file")
        # puad looks at what others have done before it commits: once the first of these is durable, it has seen that.
        self.publish(*(f"b{i}" for i in range(5)))
        self.remove("a0", "a1")

    def records(self):
        return sorted(r["uri"] if "uri" in r else r["presentity_uri"] for r in self.control.list(kind="publication"))

    def notices(self, what):
        """... that something else stands there, and has made it equal to what it knows."""
        wait_for(lambda: "record stands for are removed" in self.puad.log(), 15, f"{what}: it is noticed", step=0.01)
        self.writes_all()

    def writes_all(self):
        wait_for(lambda: self.control.call("pua_stats", {"pattern": "store_backlog"})["store_backlog"] == 0, 10, "all is written", step=0.01)

    def is_whole(self, what, wanted=None):
        """After a SIGKILL."""
        self.puad.sigkill()
        self.start()
        equal(self.records(), sorted(self.wanted if wanted is None else wanted), what)
        with contextlib.closing(sqlite3.connect(self.db)) as other:
            equal(other.execute("PRAGMA integrity_check").fetchall(), [("ok",)], f"{what}: integrity")

    def copy(self, into):
        """As puad.8 wants it: the file, and its log."""
        into.mkdir()
        for f in (self.db, self.wal):
            shutil.copy(f, into)

    def older(self, sql, into):
        into.mkdir()
        with contextlib.closing(sqlite3.connect(self.db)) as other:
            if sql:
                other.execute(sql.format(into / "puad.db"))
            else:
                with contextlib.closing(sqlite3.connect(into / "puad.db")) as to:
                    other.backup(to)

    def half_a_checkpoint(self, part):
        """What a checkpoint leaves that is killed: the first pages of the log, in their order, are in the file."""
        log, pages = self.wal.read_bytes(), {}
        for at in range(32, len(log) - PAGE - 23, PAGE + 24):
            if log[at + 8:at + 16] != log[16:24]:
                break
            pages[struct.unpack(">I", log[at:at + 4])[0]] = log[at + 24:at + 24 + PAGE]
        with self.db.open("r+b") as f:
            for number in sorted(pages)[:max(1, int(len(pages) * part))]:
                f.seek((number - 1) * PAGE)
                f.write(pages[number])
