"""A steady load on a puad with MariaDB while its database suffers, and what must hold meanwhile and afterwards.

The load is churn.py's (which knows what each answer binds), in a thread, against the scripted presence server. Beside it
stand the moments: when a request was made, when the server saw it, when it was answered.
"""
import collections
import dataclasses
import statistics
import threading
import time

from churn import GONE, Churn
from esc import Esc
from harness import HOST, ROOT, Failure, check, equal, wait_for
from mariadb import MariaDb
from puad import Puad, note_of

SCHEMA = (ROOT / "db/mysql/pua-create.sql").read_text()
ACK_WAIT = 100       # ms
DB_TIMEOUT = 400     # ms
LATE = 20            # ms of our own that SIP may be late
# What a test machine with other work adds to any single moment. Waiting for a database would take longer: DB_TIMEOUT,
# or the time of the fault.
NOISE = 150          # ms

Held = collections.namedtuple("Held", "uri etag body")


class Server(Esc):
    """The presence server as churn.py asks it for its rows."""

    def rows(self):
        return [Held(s.uri, etag, s.body.decode()) for etag, s in self.live()]


@dataclasses.dataclass
class Moment:
    uri: str
    asked: float
    answered: float = 0.0
    durable: bool = False
    code: int = 0


class Load(Churn):
    def __init__(self, ctx, puad, server, people=120, rate=150, seed=20261128, **more):
        super().__init__(ctx, puad, server, seed, people=people, open_requests=min(60, people // 2), rate=rate, **more)
        self.moments, self.open_moments = [], {}
        self.thread, self.failure, self.stopping, self.padding = None, None, False, ""

    # --- in the background ------------------------------------------------------------------------

    def begin(self):
        """Connects and asks, until end() or lose_all()."""
        self.connect()
        self.aside = self.puad.control()     # for us, while the thread has the other one
        self.stopping = False
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()
        return self

    def _work(self):
        try:
            while not self.stopping:
                self.run_until(time.monotonic() + 0.1)
        except Exception as why:       # told by the thread that waits for us
            self.failure = why

    def _join(self):
        self.stopping = True
        self.thread.join(30)
        if self.failure:
            raise Failure(f"the load: {type(self.failure).__name__}: {self.failure}")

    def end(self):
        """Stops asking and waits for the answers."""
        self._join()
        self.drain()

    def kill_puad(self):
        """SIGKILL under load."""
        self.puad.sigkill()
        self.stopping = True
        self.thread.join(30)           # it may have met a closed socket
        self.failure = None
        self.aside.close()
        self.lose()
        self.open_moments.clear()

    def stats(self):
        return self.aside.stats()

    def document(self, person):
        return super().document(person).replace("</presence>", self.padding + "</presence>")

    def _ask(self, person):
        asked = time.monotonic()
        super()._ask(person)
        self.open_moments[person.request] = Moment(person.uri, asked)

    def _take_answers(self):
        now = time.monotonic()
        for number, answer in self.control.answers.items():
            moment = self.open_moments.pop(number)      # KeyError: answered twice
            moment.answered, moment.durable = now, bool(answer.get("result", {}).get("durable"))
            moment.code = answer.get("error", {}).get("code", 0)
            self.moments.append(moment)
        super()._take_answers()

    # --- what must hold ---------------------------------------------------------------------------

    def times(self, since=0.0, until=float("inf")):
        """For each request of that time that went out, (its moment, ms to the wire, ms from the reply to the answer)."""
        seen = collections.defaultdict(list)
        for t in self.server.requests():
            seen[t.uri].append(t)
        out = []
        for m in list(self.moments):
            if not since <= m.asked <= until:
                continue
            sent = [t for t in seen[m.uri] if m.asked <= t.first_seen <= m.answered]
            if sent:
                out.append((m, (sent[0].first_seen - m.asked) * 1000, (m.answered - (sent[0].answered or m.answered)) * 1000))
        return out

    def check_in_time(self, what, since=0.0, until=float("inf"), waits=ACK_WAIT):
        """SIP is not late while that lasts. waits: ms for which a change may wait for the commit of its intent."""
        times = self.times(since, until)
        check(len(times) >= 20, f"{what}: only {len(times)} requests in that time: nothing was tested")
        wire = sorted(t[1] for t in times)
        answer = sorted(t[2] for t in times)
        middle, p95 = statistics.median(wire), wire[int(len(wire) * 0.95)]
        durable = sum(t[0].durable for t in times)
        print(f"# {what}: {len(times)} requests, {durable} durable; to the wire: median {middle:.1f}, 95 % {p95:.1f}, "
              f"most {wire[-1]:.0f} ms; reply to answer: median {statistics.median(answer):.1f}, most {answer[-1]:.0f} ms",
              flush=True)
        check(p95 <= waits + LATE, f"{what}: 5 % of the requests were sent {p95:.0f} ms late or later")
        check(wire[-1] <= waits + NOISE, f"{what}: a request was sent {wire[-1]:.0f} ms late")
        check(answer[-1] <= ACK_WAIT + NOISE, f"{what}: an answer came {answer[-1]:.0f} ms after the reply")
        return times

    def check_loop(self):
        stats = self.stats()
        print(f"# loop: longest callback {stats['loop_max_ms']} ms, {stats['loop_slow']} slow; store errors "
              f"{stats['store_errors']}", flush=True)
        check(stats["loop_max_ms"] < NOISE, f"the loop stood for {stats['loop_max_ms']} ms: "
              + "; ".join(line for line in self.puad.log().splitlines() if " ran " in line)[-300:])

    def drained(self, timeout=8):
        """Waits until nothing is unwritten; how long it took, s."""
        began = time.monotonic()
        wait_for(lambda: self.stats()["store_backlog"] == 0, timeout, "the backlog drains")
        return time.monotonic() - began

    def check_table(self, db, orphans=False):
        """The table is what the answers bind, and what puad holds; the presence server too, unless puad was killed under load:
        then it may hold what puad learns at the next refresh, and orphans."""
        rows, listed, held = (collections.defaultdict(list) for _ in range(3))
        for line in db.sql("SELECT pres_uri,etag,body,desired_expires FROM pua", "presence"):
            if line[3] != "1":                        # 1: its removal is under way
                rows[line[0]].append((line[1], note_of(line[2] or "")))
        for r in self.control.list():
            listed[r["presentity_uri"]].append(r["etag"])
        for h in self.server.rows():
            held[h.uri].append((h.etag, note_of(h.body)))
        wrong = []
        for p in self.people:
            row, state = rows[p.uri], rows[p.uri][0][1] if rows[p.uri] else GONE
            if len(row) > 1 or state not in p.may_be:
                wrong.append(f"{p.user}: the table has {row}, it may be {sorted(map(str, p.may_be))}")
            if [etag for etag, _ in row] != listed[p.uri]:
                wrong.append(f"{p.user}: the table has {row}, puad {listed[p.uri]}")
            if not orphans and row != held[p.uri]:
                wrong.append(f"{p.user}: the table has {row}, the server {held[p.uri]}")
        equal(wrong[:4], [], f"{len(wrong)} rows are wrong")

    def check_all(self, db, orphans=False):
        """After the end of the load and the fault: the table, the server, puad, and all of it again after a SIGKILL."""
        equal(self.unanswered, 0, "requests without an answer")
        self.drained()
        self.check_table(db, orphans)
        equal(self.server.violations, [], "what a client must never do")
        self.puad.sigkill()
        self.lose()
        self.puad.start()
        self.connect()
        self.aside = self.puad.control()
        self.verify_puad()
        self.check_table(db, orphans)


def database(ctx, name="mariadb", options=()):
    db = MariaDb(ctx, name, options)
    db.create_database()
    db.sql(SCHEMA, "presence")
    return db


def client(ctx, url, **pua):
    """A puad for this database, not started, and its presence server."""
    server = Server(ctx, grant=100000)
    settings = dict(db_url=url, db_timeout=DB_TIMEOUT, ack_wait=ACK_WAIT, update_period=1, max_expires=100000, loop_slow=20)
    return Puad(ctx, server.uri, **dict(settings, **pua)), server


def under_load(ctx, db, url=None, **pua):
    """puad on this database, started, with the load running."""
    puad, server = client(ctx, url or db.url(), **pua)
    puad.start()
    return Load(ctx, puad, server).begin()


def host(*ports):
    """db_url of these ports."""
    return f"mysql://pua:puapw@{','.join(f'{HOST}:{p}' for p in ports)}/presence"
