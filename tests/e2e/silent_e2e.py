#!/usr/bin/env python3
"""The server is silent for 60 s while 10,000 publications fall due: puad stays calm, and everything recovers."""
import collections
import os
import time

from esc import Esc
from harness import Suite, check, equal, main_is, wait_for
from puad import Puad, note_of, pidf, publish_params

suite = Suite()
RECORDS = int(os.environ.get("RECORDS", "10000"))
IN_FLIGHT = 2000
SILENCE = 60        # s
CPU_LIMIT = 0.30    # of one core, on average over the silence
GRANTS = (60, 75, 90)   # s: every refresh falls due within the silence


def grant_of(uri, asked):
    return min(asked, GRANTS[int(uri[5:].partition("@")[0]) % len(GRANTS)])


def publish_all(control):
    """All records, with a window of open requests."""
    open_requests = set()
    for n in range(RECORDS):
        uri = f"sip:u{n}@example.com"
        open_requests.add(control.submit("pua_publish", publish_params(uri, pidf(uri, f"n{n}"), -1)))
        while len(open_requests) >= 256:
            control.receive(1)
            open_requests -= take(control)
    wait_for(lambda: control.receive(0.1) >= 0 and not open_requests.difference_update(take(control)) and not open_requests,
             20, "all publications answered")


def take(control):
    done = set(control.answers)
    for answer in control.answers.values():
        check("error" not in answer, f"a publication failed: {answer.get('error')}")
    control.answers.clear()
    return done


@suite.test
def ten_thousand_refreshes_due_at_a_silent_server(ctx):
    esc = Esc(ctx, grant_of)
    puad = Puad(ctx, esc.uri, max_in_flight=IN_FLIGHT).start()
    control = puad.control()
    begin = time.monotonic()
    publish_all(control)
    equal(len(esc.live()), RECORDS, "publications at the server")
    print(f"# {RECORDS} published in {time.monotonic() - begin:.1f} s", flush=True)

    # Half of what is sent now is done by the server, and only the answer is lost: that makes orphans.
    esc.mute_share, esc.mode = 0.5, "deaf"
    silent_from, cpu = time.monotonic(), puad.process.cpu_seconds()
    slowest = 0.0
    while time.monotonic() < silent_from + SILENCE:
        asked = time.monotonic()
        stats = control.stats()
        slowest = max(slowest, time.monotonic() - asked)
        check(stats["in_flight"] <= IN_FLIGHT, f"in_flight is {stats['in_flight']}")
        time.sleep(1)
    equal(stats["live"], 0, "records that were not due within the silence")
    share = (puad.process.cpu_seconds() - cpu) / SILENCE
    due = [t for t in esc.requests() if t.first_seen >= silent_from]
    most, twice = esc.outstanding()
    print(f"# silence: {len(due)} transactions, {sum(t.copies for t in due)} datagrams, most open at once {most}, "
          f"CPU {share:.1%} of a core, slowest control answer {slowest * 1000:.0f} ms", flush=True)
    check(len(due) >= min(RECORDS, IN_FLIGHT), f"only {len(due)} requests fell due: the test did not test much")
    check(most <= IN_FLIGHT, f"{most} transactions were open at once")
    equal(twice, [], "presentities with two requests open at once")
    check(share <= CPU_LIMIT, f"puad used {share:.0%} of a core during the silence")
    check(slowest < 0.5, f"a control request took {slowest:.2f} s")

    esc.mode = "answer"
    back = time.monotonic()

    def recovered():
        return control.stats()["live"] == RECORDS and len({s.uri for _, s in esc.live() if s.known}) == RECORDS
    wait_for(recovered, 60, "all publications live again", step=0.5)
    print(f"# all recovered {time.monotonic() - back:.1f} s after the server came back", flush=True)
    most, twice = esc.outstanding()
    check(most <= IN_FLIGHT, f"{most} transactions were open at once during the recovery")
    equal(twice, [], "presentities with two requests open at once")
    verify_server(esc, control)
    # An orphan is gone within one grant of the request that made it.
    last = max((s.expires_at for _, s in esc.live() if not s.known), default=0)
    time.sleep(max(0.0, last - time.monotonic()) + 0.5)
    equal(len(esc.live()), RECORDS, "publications at the server, one grant later")


def verify_server(esc, control):
    """One maintained publication each, the right body, and duplicates only from requests whose answer was lost."""
    equal(esc.violations[:5], [], "what a client must never do")
    told = collections.defaultdict(list)
    orphans = 0
    for etag, state in esc.live():
        if state.known:
            told[state.uri].append((etag, state))
        else:
            orphans += 1
    listed = {r["presentity_uri"]: r["etag"] for r in control.list()}
    equal(len(listed), RECORDS, "records that puad lists")
    for uri, states in told.items():
        equal(len(states), 1, f"publications of {uri} that the client was told of")
        equal(states[0][0], listed[uri], f"entity-tag of {uri}")
        equal(note_of(states[0][1].body.decode()), "n" + uri[5:].partition("@")[0], f"document of {uri}")
    check_chains(esc)
    refreshed = {t.if_match for t in esc.requests() if t.if_match}
    lost = {t.etag for t in esc.requests() if t.etag and not t.answered}
    equal(sorted(lost & refreshed)[:3], [], "orphans that were refreshed")
    print(f"# {orphans} orphans left, {len(lost)} came from lost answers; none was refreshed", flush=True)


def check_chains(esc):
    """Each entity-tag that a record used was the last one it had been given."""
    last = {}
    for t in sorted(esc.requests(), key=lambda t: t.first_seen):
        if t.if_match:
            equal(t.if_match, last.get(t.uri), f"entity-tag used by {t.uri}")
        if t.answered:
            last[t.uri] = t.etag or None if t.status == 200 else None if t.status == 412 else last.get(t.uri)


main_is(suite)
