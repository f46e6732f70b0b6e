"""Where rows go: a SQLite file, or a database of its own on a private MariaDB server. Ours and Kamailio's use them alike:

  url        as db_url names it;  module: Kamailio's for it
  schema_of_kamailio(), schema_of_ours()   make the tables
  fill_for_kamailio(count, expires_in)     rows of publications for ever, as Kamailio itself writes them
  changed()             something that differs once a row was written
  pass_seconds(count, timeout)   waits for a write pass; from its first row to its last
  hold(), release()     nobody can write in between;  count(): rows of table pua
"""
import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
import time

from measure import AIDE, ROOT, pinned, start, stop

sys.path.append(os.path.join(ROOT, "tests", "e2e"))
import harness   # noqa: E402
import mariadb   # noqa: E402

KAMAILIO = pathlib.Path("/usr/share/kamailio")
COLUMNS = ("pua(pres_uri,pres_id,event,expires,desired_expires,flag,etag,tuple_id,watcher_uri,call_id,to_tag,from_tag,cseq,"
           "record_route,contact,remote_contact,version,extra_headers)")
# Commits and logs as they come; the tables of both sides fit into memory, so that neither waits for the other's pages.
OPTIONS = ("--innodb-buffer-pool-size=2G", "--innodb-log-file-size=96M", "--innodb-log-buffer-size=16M")


class SqliteFile:
    module = "db_sqlite"

    def __init__(self, folder, journal=None):
        self.path = os.path.join(folder, "pua.db")
        self.url, self.holder = f"sqlite:///{self.path}", None
        if journal:
            self.run(f"pragma journal_mode={journal}")

    def run(self, *script):
        db = sqlite3.connect(self.path)
        for part in script:
            db.executescript(part)
        db.close()

    def schema_of_kamailio(self):
        self.run(*((KAMAILIO / "db_sqlite" / f"{part}-create.sql").read_text() for part in ("standard", "presence")))

    def schema_of_ours(self):
        pass  # made on first use

    def fill_for_kamailio(self, count, expires_in):
        db = sqlite3.connect(self.path)
        db.execute("pragma synchronous=off")
        end = int(time.time()) + expires_in
        db.executemany(f"insert into {COLUMNS} values(?,'',1,?,0,64,?,'t1','','','','',0,'','','',0,'')",
                       ((f"sip:user{i:07d}@example.org", end, f"e{i:026d}") for i in range(count)))
        db.commit()
        db.close()

    def changed(self):
        """When its files were last written: looking into them would lock the writer out."""
        return max(os.stat(f).st_mtime_ns for f in (self.path, self.path + "-wal", self.path + "-journal") if os.path.exists(f))

    def pass_seconds(self, _count, timeout, quiet=1.5):
        before, first, end = self.changed(), 0, time.monotonic() + timeout
        while time.monotonic() < end:
            now = self.changed()
            first = first or (now if now != before else 0)
            if first and time.time_ns() - now > quiet * 1e9:
                return (now - first) / 1e9
            time.sleep(0.005)
        raise RuntimeError(f"{self.path}: no write pass, or no end of it, within {timeout} s")

    def hold(self):
        self.holder = sqlite3.connect(self.path, isolation_level=None)
        self.holder.execute("begin immediate")

    def release(self):
        self.holder.close()

    def count(self):
        db = sqlite3.connect(self.path)
        try:
            return db.execute("select count(*) from pua").fetchone()[0]
        finally:
            db.close()

    def drop(self):
        pass  # goes with its folder


class Session:
    """One connection, kept."""

    def __init__(self, server, database):
        self.p = start(pinned(AIDE, server.client, "--no-defaults", f"--socket={server.socket}", "--user=root", "--batch",
                              "--skip-column-names", "--unbuffered", database),
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)

    def ask(self, sql):
        self.p.stdin.write(f"{sql};\nselect 'that was all';\n")
        self.p.stdin.flush()
        rows = []
        for line in self.p.stdout:
            if line == "that was all\n":
                return rows
            rows.append(line.rstrip("\n").split("\t"))
        raise RuntimeError(f"{sql[:80]}: {rows}")

    def close(self):
        self.p.stdin.close()
        stop(self.p)


class Database:
    module = "db_mysql"

    def __init__(self, server, name):
        self.server, self.name, self.url = server, name, server.url(name)
        server.create_database(name)
        self.session = Session(server, name)

    def schema_of_kamailio(self):
        for part in ("standard", "presence"):
            self.server.sql((KAMAILIO / "mysql" / f"{part}-create.sql").read_text(), self.name)

    def schema_of_ours(self):
        self.server.sql(pathlib.Path(ROOT, "db", "mysql", "pua-create.sql").read_text(), self.name)

    def fill_for_kamailio(self, count, expires_in):
        self.session.ask(f"insert into {COLUMNS} select concat('sip:user',lpad(seq,7,'0'),'@example.org'),'',1,"
                         f"{int(time.time()) + expires_in},0,64,concat('e',lpad(seq,26,'0')),'t1','','','','',0,'','','',0,'' "
                         f"from seq_0_to_{count - 1}")

    def changed(self):
        """Rows inserted and updated so far; what the server counts costs it nothing."""
        return sum(int(v) for _, v in self.session.ask("show global status where variable_name in ('Handler_write',"
                                                       "'Handler_update')"))

    def pass_seconds(self, count, timeout):
        before, first, last, end = self.changed(), 0, time.monotonic(), time.monotonic() + timeout
        while time.monotonic() < end:
            rows, now = self.changed() - before, time.monotonic()
            first = first or (last if rows else 0)
            if rows >= count:
                return now - first
            last = now
            time.sleep(0.01)
        raise RuntimeError(f"{self.name}: {rows} of {count} rows came within {timeout} s")

    def hold(self):
        self.session.ask("lock tables pua read")

    def release(self):
        self.session.ask("unlock tables")

    def count(self):
        return int(self.session.ask("select count(*) from pua")[0][0])

    def clear(self):
        self.session.ask("truncate table pua")

    def drop(self):
        self.session.close()
        self.server.sql(f"drop database `{self.name}`")


class CommitProbe(threading.Thread):
    """What a commit of one small row takes on that server, 50 a second, while other things go on."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.db, self.times, self.over = server.database(), [], threading.Event()
        self.db.session.ask("create table t (id int auto_increment primary key) engine=innodb")
        self.start()

    def run(self):
        while not self.over.wait(0.02):
            t0 = time.monotonic()
            self.db.session.ask("insert into t values ()")
            self.times.append((time.monotonic() - t0) * 1000)

    def end(self):
        """Milliseconds: the median, and what 99 of 100 stay below."""
        self.over.set()
        self.join()
        self.db.drop()
        ordered = sorted(self.times)
        return ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


class Server:
    """The private MariaDB server of a run. It stands on core 1 as the program that starts it does."""

    def __init__(self):
        self.context = harness.Context("bench")
        try:
            self.mariadb = mariadb.MariaDb(self.context, options=OPTIONS)
        except (harness.Failure, harness.Skip) as why:
            raise RuntimeError(str(why)) from None
        self.made = 0

    def database(self):
        self.made += 1
        return Database(self.mariadb, f"bench{self.made}")

    def close(self):
        self.context.close()
