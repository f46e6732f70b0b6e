"""A real presence server on loopback: Kamailio with its table in a fresh SQLite file that the tests can read."""
import dataclasses
import pathlib
import shutil
import socket
import sqlite3
import tempfile
import time

from harness import HOST, Failure, Skip, wait_for

SCHEMA = pathlib.Path("/usr/share/kamailio/db_sqlite")
TEMPLATE = pathlib.Path(__file__).with_name("kamailio-presence.cfg.in")


@dataclasses.dataclass(frozen=True)
class Row:
    """One publication as the server's table holds it."""
    user: str
    domain: str
    event: str
    etag: str
    expires: int   # seconds since 1970
    body: str

    @property
    def uri(self):
        return f"sip:{self.user}@{self.domain}"


@dataclasses.dataclass(frozen=True)
class Seen:
    """One PUBLISH transaction as it reached the server."""
    user: str
    event: str
    expires: str
    if_match: str
    body: int      # octets

    @property
    def kind(self):
        if self.expires == "0":
            return "remove"
        return ("modify" if self.body else "refresh") if self.if_match else "initial"


class Kamailio:
    """Started by making it, ready when made; stopped with its context."""

    def __init__(self, ctx, min_expires=5, max_expires=7200, clean_period=5, password=None, algorithm="",
                 nonce_expire=300, port=None):
        self.binary = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")
        if not self.binary or not (SCHEMA / "presence-create.sql").exists():
            raise Skip("Kamailio with its presence and sqlite modules is not installed")
        self.ctx, self.port, self.process, self.password = ctx, port or ctx.port(), None, password
        self.algorithm, self.nonce_expire = algorithm, nonce_expire    # "", "MD5" or "SHA-256"; seconds
        self.uri = f"sip:{HOST}:{self.port}"
        # In memory where that is possible: the peer's disk is not what these tests are about.
        memory = pathlib.Path("/dev/shm")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pua-kamailio-", dir=memory if memory.is_dir() else ctx.dir))
        ctx.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.db, self.config = self.folder / "presence.db", ctx.dir / "kamailio.cfg"
        with sqlite3.connect(self.db) as db:
            db.execute("pragma journal_mode=wal")
            for part in ("standard", "presence"):
                db.executescript((SCHEMA / f"{part}-create.sql").read_text())
        db.close()
        self.reader = sqlite3.connect(self.db, isolation_level=None, timeout=10)
        ctx.callback(self.reader.close)
        self.configure(min_expires, max_expires, clean_period)
        self.start()

    def configure(self, min_expires, max_expires, clean_period=5):
        """Takes effect at the next start."""
        text = TEMPLATE.read_text()
        for name, value in {"host": HOST, "port": self.port, "db": self.db, "min_expires": min_expires,
                            "max_expires": max_expires, "clean_period": clean_period, "password": self.password,
                            "algorithm": self.algorithm, "nonce_expire": self.nonce_expire}.items():
            text = text.replace(f"@{name}@", str(value))
        self.config.write_text(text)

    def start(self):
        """Its processes open the database at once, and now and then lock one another out: it ends then, and is started again."""
        for last in (False, False, True):
            self.process = self.ctx.start("kamailio", [self.binary, "-f", self.config, "-DD", "-m", "256", "-M", "8",
                                                       "-Y", self.folder,
                                                       *(["-A", "WITH_PASSWORD"] if self.password else [])])
            try:
                return wait_for(self._answers, 15, "Kamailio answers OPTIONS", step=0.05)
            except Failure as why:
                log = self.process.output()
                if last or "database is locked" not in log:
                    raise Failure(f"{why}; its log ends: {log[-600:]}") from None
                self.process.stop()

    def stop(self):
        self.process.stop()

    def restart(self, empty=False):
        """Stops and starts it on the same port; empty: it has forgotten all publications."""
        self.stop()
        if empty:
            self.forget()
        self.start()

    def forget(self):
        """Empties the table, also while the server runs (it reads the table each time)."""
        self.reader.execute("delete from presentity")

    def _answers(self):
        if not self.process.running():
            raise Failure("Kamailio ended")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.3)
            probe.connect((HOST, self.port))
            me = f"{HOST}:{probe.getsockname()[1]}"
            try:
                probe.send((f"OPTIONS {self.uri} SIP/2.0\r\nVia: SIP/2.0/UDP {me};branch=z9hG4bK{time.monotonic_ns()}\r\n"
                            f"From: <sip:probe@{me}>;tag=1\r\nTo: <{self.uri}>\r\nCall-ID: {time.monotonic_ns()}\r\n"
                            "CSeq: 1 OPTIONS\r\nMax-Forwards: 5\r\nContent-Length: 0\r\n\r\n").encode())
                return probe.recv(2000).startswith(b"SIP/2.0 200")
            except OSError:
                return False

    def rows(self, user=None, event=None):
        """Publications that have not expired, in the order in which they were made."""
        if self.process.running():
            # It answers a PUBLISH before it writes it; its only worker has written it when it answers this.
            wait_for(self._answers, 5, "Kamailio answers OPTIONS", step=0.05)
        found = self.reader.execute("select username, domain, event, etag, expires, body from presentity "
                                    "where expires > ? order by id", (int(time.time()),)).fetchall()
        rows = [Row(*r[:5], r[5].decode(errors="replace") if isinstance(r[5], bytes) else str(r[5])) for r in found]
        return [r for r in rows if user in (None, r.user) and event in (None, r.event)]

    def one(self, user):
        """The only publication of this user; a Failure if there are none or several."""
        rows = self.rows(user)
        if len(rows) != 1:
            raise Failure(f"the server holds {len(rows)} publications of {user}, wanted one")
        return rows[0]

    def watchers(self, user=None, event=None):
        """Subscriptions at the server: rows with callid, tags, watcher, contact, event, status, local_cseq, remote_cseq."""
        found = self.reader.execute(
            "select callid, from_tag, to_tag, watcher_username || '@' || watcher_domain as watcher, contact, event, status, "
            "local_cseq, remote_cseq, presentity_uri from active_watchers where expires > ? order by id", (int(time.time()),))
        names = [c[0] for c in found.description]
        rows = [dict(zip(names, r)) for r in found.fetchall()]
        return [r for r in rows if (user is None or r["presentity_uri"].startswith(f"sip:{user}@")) and event in (None, r["event"])]

    def seen(self, user=None):
        """Every PUBLISH transaction since the first start, in order."""
        for line in self.process.output().splitlines():
            if "wire|" in line:
                _, who, event, expires, if_match, octets, _ = line[line.index("wire|"):].split("|")
                if user in (None, who):
                    yield Seen(who, event, *("" if v == "<null>" else v for v in (expires, if_match)), int(octets))
