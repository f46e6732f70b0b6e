#!/usr/bin/env python3
"""SIGKILL at random moments of appending to the journal, folding it, starting on it, and changing the schema.

Nothing that was reported as durable is lost, nothing that was removed comes back. After each kill the table itself is looked at,
as the next puad will find it, and then the next puad. KILLS says how many (make kill-journal: 300), SEED which moments.
"""
import os
import random
import subprocess
import sys
import time

from churn import GONE, Churn
from esc import Esc
from harness import Suite, check, equal, main_is
from places import SCRIPT, contents, expect, insert, on_both
from puad import Puad, note_of, publish_params
from puadbctl_journal_e2e import COLUMNS, line, row, version_11

suite = Suite()
both = on_both(suite)

SEED = int(os.environ.get("SEED", "20261129"))
KILLS = int(os.environ.get("KILLS", "12"))
GRANT = 3        # s: refreshes fall due in each life
LINES = 20       # of the journal: it is folded all the time


class JournalChurn(Churn):
    """Most of what is asked are refreshes, which change nothing but what a narrow write carries. Of each state that is known for
    certain the entity-tag is kept: what is found later must be that one or a later one."""

    def __init__(self, ctx, puad, server, seed):
        super().__init__(ctx, puad, server, seed, people=150, open_requests=40, rate=500, removals=0.15)
        self.etags = {}          # presentity -> entity-tag of the last durable answer

    def _ask(self, person):
        known = len(person.may_be) == 1 and person.may_be != {GONE}
        if not known or self.random.random() < 0.35:
            return super()._ask(person)
        [person.asked] = person.may_be
        person.request = self.control.submit("pua_publish", publish_params(person.uri, None, self.random.choice([-1, 7200, 86400])))
        self.by_request[person.request] = person
        return None

    def _take_answers(self):
        for number, answer in self.control.answers.items():
            result = answer.get("result", {})
            if result.get("durable") and number in self.by_request:
                self.etags[self.by_request[number].uri] = result.get("ETag") or self.etags.get(self.by_request[number].uri)
        super()._take_answers()

    def look_at_table(self, place):
        """What stands in the table, as whoever reads it finds it, is one of the states that may be."""
        given = {}               # presentity -> its entity-tags, in the order they were given
        for t in list(self.server.transactions.values()):
            given.setdefault(t.uri, []).append(t.etag)
        shown = "pua_rows" if place.kind == "sqlite" else "pua"
        body = "hex(body)" if place.kind == "sqlite" else "HEX(body)"
        rows = {uri: (etag, note_of(bytes.fromhex(text or "").decode()), int(wanted))
                for uri, etag, text, wanted in place.rows(f"SELECT pres_uri, etag, {body}, desired_expires FROM {shown}")}
        for person in self.people:
            etag, state, wanted = rows.get(person.uri, (None, GONE, 0))
            sure = len(person.may_be) == 1
            check(state in person.may_be, f"{person.uri} is {state} in the table, may be {person.may_be}")
            check(not (sure and state is not GONE and wanted == 1), f"{person.uri} is {state} for certain, and on its way out in the table")
            order, last = given.get(person.uri, []), self.etags.get(person.uri)
            if sure and state is not GONE and etag and last:
                check(etag in order and order.index(etag) >= order.index(last),
                      f"{person.uri} has entity-tag {etag} in the table, and {last} was reported as durable; given were {order[-5:]}")


@both
def what_was_durable_outlives_kills_of_appending_folding_and_starting(ctx, place):
    chance = random.Random(SEED)
    print(f"# SEED={SEED} KILLS={KILLS}", flush=True)
    expect(0, "create", "--url", place.url)
    esc = Esc(ctx, grant=GRANT)
    puad = Puad(ctx, esc.uri, db_url=place.url, sqlite_journal_lines=LINES, ack_wait=2000)
    churn = JournalChurn(ctx, puad, esc, SEED)
    starts = folded = 0
    for kill in range(KILLS):
        if chance.random() < 0.25:          # in the middle of a start: it has the journal of the last life before it
            puad.start(ready=False)
            time.sleep(chance.uniform(0, 0.12))
            puad.sigkill()
            churn.look_at_table(place)
            starts += 1
        puad.start()
        churn.connect()
        if kill % 3 == 0:
            churn.verify_puad()
        churn.run_until(time.monotonic() + chance.choice([0.05, 0.2, 0.4, 0.8]) * chance.uniform(0.5, 1.5))
        puad.sigkill()
        churn.lose()
        if place.kind == "sqlite":
            both_there = "FROM pua p JOIN pua_journal j ON j.id = p.id AND j.record_version = p.record_version"
            folded += place.rows(f"SELECT count(*) {both_there}") != [["0"]]
        churn.look_at_table(place)
    puad.start()
    churn.connect()
    churn.verify_puad()
    churn.run_until(time.monotonic() + 0.2)
    churn.drain()
    puad.terminate()
    churn.lose()
    if place.kind == "sqlite":
        equal(place.rows("SELECT count(*) FROM pua_journal"), [["0"]], "lines after a clean end")
    churn.look_at_table(place)
    expect(0, "check", "--url", place.url, holds="no findings")
    print(f"# {KILLS} kills, {starts} more of starts, {folded} with folded lines still in the journal; "
          f"{churn.answered} answers, {churn.durable} durable", flush=True)
    check(place.kind != "sqlite" or folded > 0 or KILLS < 100, "no kill came while a folded line was still in the journal")
    check(churn.durable > 5 * KILLS, f"only {churn.durable} durable answers: the test did not test much")


def interrupted(place, command, seconds):
    """Kills puadbctl after this time; was it still at work?"""
    process = subprocess.Popen([sys.executable, str(SCRIPT), command, "--url", place.url], stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)           # the client of MariaDB that it has started, too
        process.wait(10)
        return True


@both
def a_schema_step_that_is_killed_has_happened_or_not(ctx, place):
    chance = random.Random(SEED)
    place.run(("PRAGMA journal_mode = WAL;\n" if place.kind == "sqlite" else "") + version_11(place.kind))   # as puad has it
    insert(place, "pua", *(row(number) for number in range(1, 1501)))

    def version():
        return place.rows("SELECT table_version FROM version WHERE table_name = 'pua'")

    begin = time.monotonic()
    expect(0, "upgrade", "--url", place.url)
    took = time.monotonic() - begin
    killed = steps = 0
    for _ in range(max(4, KILLS // 6)):
        for command, number in (("downgrade", "11"), ("upgrade", "12")):
            if place.kind == "sqlite" and command == "downgrade":
                insert(place, "pua_journal", *(line(n, n, 6 + steps) for n in range(1, 1400)))
            wanted = contents(place, "pua_rows" if place.kind == "sqlite" and command == "downgrade" else "pua", COLUMNS)
            killed += interrupted(place, command, chance.uniform(0.3, 1.1) * took)
            at = version()
            check(at in ([["11"]], [["12"]]), f"version {at}")
            shown = "pua_rows" if place.kind == "sqlite" and at == [["12"]] else "pua"
            equal(contents(place, shown, COLUMNS), wanted, f"rows after a killed {command}")
            if at != [[number]]:
                expect(0, command, "--url", place.url)
            equal(version(), [[number]], "version")
            equal(contents(place, "pua", COLUMNS), wanted, f"rows after {command}")
            steps += 1
    print(f"# {steps} steps, {killed} of them killed", flush=True)
    check(4 * killed >= steps, "hardly a step was killed: the test did not test much")
    expect(0, "check", "--url", place.url, holds="no findings")


main_is(suite)
