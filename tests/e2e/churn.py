"""Continual change with a puad that keeps dying: publishes, modifies and removes, and knows what must hold at the end.

For each presentity the model keeps the set of states that may be true. A completion that said durable makes it one
state. A request that nobody answered (puad was killed), or whose answer said durable=false, may have gone either way.
"""
import random
import time

from harness import Failure, check, wait_for
from puad import Control, note_of, pidf, publish_params

GONE = None   # the state "not published"


class Presentity:
    def __init__(self, number):
        self.user = f"p{number}"
        self.uri = f"sip:{self.user}@example.com"
        self.may_be = {GONE}
        self.request = 0        # id of the open request
        self.asked = GONE       # the state it asks for
        self.version = 0


class Churn:
    def __init__(self, ctx, puad, server, seed, people=200, open_requests=24, rate=300, removals=0.25):
        self.ctx, self.puad, self.server = ctx, puad, server
        self.random = random.Random(seed)
        self.people = [Presentity(n) for n in range(people)]
        self.open_requests, self.rate = open_requests, rate   # at most so many open, and asked a second
        self.removals = removals   # share of what is asked for where something may be there
        self.by_request = {}
        self.control = None
        self.answered = self.durable = self.unanswered = self.refused = 0

    def connect(self):
        self.control = Control(self.ctx, self.puad.socket)

    def run_until(self, end):
        """Asks and takes answers until this monotonic time."""
        begin, asked = time.monotonic(), 0
        while time.monotonic() < end:
            due = (time.monotonic() - begin) * self.rate
            while len(self.by_request) < self.open_requests and asked <= due:
                asked += 1
                self._ask(self.random.choice([p for p in self.people if not p.request]))
            self.control.receive(max(0.0, min(0.01, end - time.monotonic())))
            self._take_answers()

    def drain(self, timeout=20):
        """Waits for the open requests."""
        end = time.monotonic() + timeout
        while self.by_request and time.monotonic() < end:
            self.control.receive(0.1)
            self._take_answers()
        check(not self.by_request, f"{len(self.by_request)} requests were not answered in {timeout} s")

    def lose(self):
        """puad was killed: what it answered before counts, the rest may have gone either way."""
        self.control.receive()
        self._take_answers()
        for person in self.by_request.values():
            person.may_be.add(person.asked)
            person.request = 0
        self.unanswered += len(self.by_request)
        self.by_request.clear()
        self.control.close()

    def _ask(self, person):
        remove = person.may_be != {GONE} and self.random.random() < self.removals
        if remove:
            person.asked, params = GONE, publish_params(person.uri, None, 0)
        else:
            person.version += 1
            person.asked = f"{person.user}v{person.version}"
            # Longer than the test and than any clock step in it.
            wanted = self.random.choice([-1, 3 * 3600, 86400])
            params = publish_params(person.uri, self.document(person), wanted)
        person.request = self.control.submit("pua_publish", params)
        self.by_request[person.request] = person

    def document(self, person):
        return pidf(person.uri, person.asked)

    def _take_answers(self):
        for number, answer in self.control.answers.items():
            person = self.by_request.pop(number)
            person.request = 0
            self.answered += 1
            if "error" in answer:
                self.refused += 1
                code = answer["error"].get("code")
                # A removal of what is not there; any other error leaves the wish accepted or not: both may be.
                person.may_be = {GONE} if (person.asked, code) == (GONE, 404) else person.may_be | {person.asked}
            elif answer["result"].get("durable"):
                self.durable += 1
                person.may_be = {person.asked}
            else:
                person.may_be.add(person.asked)
        self.control.answers.clear()

    # --- after each restart ---------------------------------------------------------------------------

    def verify_puad(self):
        """What puad holds after a start is, for each presentity, one of the states that may be."""
        wrong = []

        def right():                      # it takes requests before it has loaded all rows
            wrong[:] = self._wrong_records()
            return not wrong
        try:
            wait_for(right, 3, "the load", step=0.1)
        except Failure:
            raise Failure(f"after a restart {len(wrong)} of {len(self.people)} are wrong; {'; '.join(wrong[:6])}") from None

    def _wrong_records(self):
        asked = [(p, self.control.submit("pua_show", {"presentity_uri": p.uri})) for p in self.people]
        for person, number in asked:
            answer = self.control.wait(number)
            records = [r for r in answer.get("result", {}).get("records", []) if not r["removing"] and r["state"] != "gone"]
            state = note_of(records[0]["body"]) if records else GONE
            if len(records) > 1 or state not in person.may_be:
                yield f"{person.user}: {state}, may be {sorted(map(str, person.may_be))}"

    # --- at the end ------------------------------------------------------------------------------------

    def verify(self):
        """puad's own list is one of the possible truths, and the server holds exactly that, once each."""
        for _ in range(4):                # a refresh between the two looks changes an entity-tag: look again
            wrong = self._differences()
            if not wrong:
                return
            time.sleep(0.4)
        raise Failure(f"{len(wrong)} of {len(self.people)} are wrong; " + "; ".join(wrong[:6]))

    def _differences(self):
        wanted = {r["presentity_uri"]: r for r in self.control.list() if not r.get("removing") and r.get("state") != "gone"}
        held = {}
        for row in self.server.rows():
            held.setdefault(row.uri, []).append(row)
        wrong = []
        for person in self.people:
            record, rows = wanted.get(person.uri), held.get(person.uri, [])
            shown = [note_of(row.body) for row in rows]
            if len(rows) > 1:
                wrong.append(f"{person.user} stands {len(rows)} times at the server: {shown}")
                continue
            state = shown[0] if rows else GONE
            if state not in person.may_be:
                wrong.append(f"{person.user}: the server has {state}, it may be {sorted(map(str, person.may_be))}"
                             f" (puad: {record and (record.get('state'), record.get('etag'))})")
            elif bool(record) != bool(rows):
                wrong.append(f"{person.user}: puad has {record and record.get('state')}, the server has {state}")
            elif record and record.get("etag") != rows[0].etag:
                wrong.append(f"{person.user}: puad's entity-tag {record.get('etag')}, the server's {rows[0].etag}")
        return wrong + [f"{uri}: nobody asked for it" for uri in sorted(set(held) - {p.uri for p in self.people})]

    def report(self, kills):
        binding = sum(len(p.may_be) == 1 for p in self.people)
        print(f"# {kills} kills, {self.answered} answers ({self.durable} durable, {self.refused} errors), "
              f"{self.unanswered} requests unanswered, {binding} of {len(self.people)} states binding, "
              f"{len(self.server.rows())} publications held", flush=True)


def settle(seconds, churn):
    """One grant without requests: whatever nobody maintains runs out at the server."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        check(churn.puad.process.running(), "puad ended by itself")
        time.sleep(0.5)
