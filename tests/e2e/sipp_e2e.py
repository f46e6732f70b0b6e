#!/usr/bin/env python3
"""The notifier is sipp, an independent implementation, that plays one scenario each (sipp/*.xml)."""
import pathlib
import re
import shutil
import time

from harness import HOST, Skip, Suite, check, equal, main_is, wait_for
from puad import Puad, note_of, subscribe_params
from sipmsg import Message

suite = Suite()
BOB = "sip:bob@example.com"
SCENARIOS = pathlib.Path(__file__).with_name("sipp")


class Sipp:
    """sipp on a port of its own, started by making it; ended by id with its context."""

    def __init__(self, ctx, scenario, calls=1, grant=60, **keys):
        binary = shutil.which("sipp")
        if not binary:
            raise Skip("sipp is not installed (package sip-tester)")
        self.port, self.name = ctx.port(), scenario
        self.uri = f"sip:{HOST}:{self.port}"
        self.messages = ctx.dir / "sipp-messages.txt"
        more = [word for key, value in keys.items() for word in ("-key", key, value)]
        self.process = ctx.start("sipp", [binary, "-sf", SCENARIOS / f"{scenario}.xml", "-i", HOST, "-p", self.port, "-t", "u1",
                                          "-m", calls, "-nostdin", "-cp", ctx.port(), "-key", "grant", grant, *more,
                                          "-trace_msg", "-message_file", self.messages,
                                          "-trace_err", "-error_file", ctx.dir / "sipp-errors.log",
                                          "-timeout", "40s", "-timeout_error"], cwd=ctx.dir)
        wait_for(self._bound, 5, "sipp has its port")

    def _bound(self):
        wanted = f":{self.port:04X} "
        return any(wanted in line.split("rem_address")[0] for line in pathlib.Path("/proc/net/udp").read_text().splitlines())

    def done(self, timeout=20):
        """Waits until all calls have ended; a Failure if one did not go as the scenario says."""
        status = self.process.wait(timeout)
        check(status == 0, f"sipp ended with status {status}; it saw {self.summary()}")

    def seen(self):
        """(sent by us, Message) of everything so far, in order."""
        text = self.messages.read_text(errors="replace") if self.messages.exists() else ""
        for part in re.split(r"^-{20,}.*$", text, flags=re.M)[1:]:
            head, _, message = part.strip("\n").partition("\n\n")
            if "message" in head:
                yield "sent" not in head, Message.parse(message.replace("\r\n", "\n").replace("\n", "\r\n").encode())

    def subscribes(self):
        """The SUBSCRIBE requests that came, retransmissions left out."""
        found = {}
        for ours, message in self.seen():
            if ours and not message.is_response and message.method == "SUBSCRIBE":
                found.setdefault(message.branch, message)
        return list(found.values())

    def notified(self):
        """Whether the last thing that happened was the answer to a NOTIFY."""
        last = list(self.seen())[-1:]
        return bool(last) and last[0][0] and last[0][1].is_response and last[0][1].method == "NOTIFY"

    def summary(self):
        return [f"{'->' if ours else '<-'} {m.first[:60]} ({m.get('cseq')})" for ours, m in self.seen()]


def start(ctx, scenario, sip_t1=100, **more):
    """(sipp, puad, control)"""
    sipp = Sipp(ctx, scenario, **more)
    puad = Puad(ctx, sipp.uri, sip_t1=sip_t1).listen().start()
    return sipp, puad, puad.control()


def finish(sipp, control):
    """Unsubscribes once sipp has its last NOTIFY answered; the scenario and the record end."""
    wait_for(sipp.notified, 3, "sipp has its NOTIFYs answered")
    control.unsubscribe(BOB)
    sipp.done()
    wait_for(lambda: not control.subscriptions(BOB), 3, "the record is gone")
    numbers = {}
    for m in sipp.subscribes():
        check(m.get("accept") and m.get("allow-events") and m.get("contact"), f"{m.first} lacks Accept, Allow-Events or Contact")
        numbers.setdefault(m.get("call-id"), []).append(m.cseq)
    for call_id, row in numbers.items():
        equal(row, list(range(row[0], row[0] + len(row))), f"CSeq of {call_id}")
    return numbers


@suite.test
def a_notify_before_the_2xx(ctx):
    sipp, _, control = start(ctx, "notify_first", sip_t1=2000, grant=4)
    number = control.submit("pua_subscribe", subscribe_params(BOB, 600))
    wait_for(lambda: control.subscriptions(BOB) and control.subscription(BOB)["dialog"] == "active", 2, "the NOTIFY makes the dialog")
    check(number not in control.answers, "it was answered before the 2xx")
    equal(control.wait(number)["result"]["reply"], "200 OK", "answer")
    wait_for(lambda: len(sipp.subscribes()) == 2, 6, "a refresh")
    equal(len(finish(sipp, control)), 1, "dialogs")


@suite.test
def forked_notifies(ctx):
    sipp, _, control = start(ctx, "forks", grant=4)
    control.subscribe(BOB, 600)
    wait_for(lambda: len(sipp.subscribes()) == 2, 6, "a refresh")
    equal(len(finish(sipp, control)), 1, "dialogs")


@suite.test
def a_late_notify_after_the_unsubscribe(ctx):
    sipp, _, control = start(ctx, "late_notify")
    control.subscribe(BOB, 600)
    finish(sipp, control)
    equal(control.stats()["notifies_unknown"], 1, "NOTIFYs of no subscription")


@suite.test
def a_481_on_refresh(ctx):
    sipp, _, control = start(ctx, "refresh_481", calls=2, grant=4)
    control.subscribe(BOB, 600)
    wait_for(lambda: len(sipp.subscribes()) == 3, 6, "the new subscription")
    wait_for(lambda: control.subscription(BOB)["dialog"] == "active", 2, "its NOTIFY")
    numbers = finish(sipp, control)
    equal(len(numbers), 2, "dialogs")


@suite.test
def a_423(ctx):
    sipp, _, control = start(ctx, "too_brief")
    equal(control.subscribe(BOB, 10)["Expires"], 60, "granted")
    equal(len(finish(sipp, control)), 1, "Call-IDs")


def terminated(state, again, at_least=0.0, at_most=5.0):
    """The notifier says this Subscription-State; `again`: a new subscription is made, after so many seconds."""
    def run(ctx):
        sipp, _, control = start(ctx, "terminated", calls=2 if again else 1, state=state)
        begin = time.monotonic()
        control.subscribe(BOB, 600)
        if not again:
            sipp.done()
            wait_for(lambda: not control.subscriptions(BOB), 3, "the record is gone")
            time.sleep(2.5)
            equal((control.stats()["subscribes_initial"], len(control.list())), (1, 0), "SUBSCRIBEs sent, records")
            return
        wait_for(lambda: len(sipp.subscribes()) == 2, 8, "the new subscription")
        took = time.monotonic() - begin
        check(at_least <= took <= at_most, f"it came after {took:.1f} s, wanted {at_least} to {at_most}")
        wait_for(lambda: control.subscription(BOB)["dialog"] == "active", 2, "its NOTIFY")
        equal(len(finish(sipp, control)), 2, "dialogs")
    run.__name__ = "terminated_" + re.sub(r"\W+", "_", state.partition("reason=")[2] or "without_reason")
    suite.test(run)


terminated("terminated;reason=deactivated", True, at_most=1.5)
terminated("terminated;reason=timeout", True, at_most=1.5)
terminated("terminated;reason=probation;retry-after=2", True, at_least=1.8)
terminated("terminated;reason=giveup;retry-after=2", True, at_least=1.8)
terminated("terminated;reason=giveup", True, at_least=0.5)
terminated("terminated;reason=rejected", False)
terminated("terminated;reason=noresource", False)
terminated("terminated;reason=invariant", False)
terminated("terminated", True)


def record_route(name, later):
    def run(ctx):
        sipp, puad, control = start(ctx, "record_route", grant=4, later=later)
        control.subscribe(BOB, 600)
        wait_for(lambda: len(sipp.subscribes()) == 2, 6, "a refresh")
        time.sleep(0.5)
        puad.sigkill()
        puad.start()
        control = puad.control()
        wait_for(lambda: len(sipp.subscribes()) == 3, 6, "a refresh after the restart")
        wait_for(sipp.notified, 3, "sipp has its NOTIFYs answered")
        control.unsubscribe(BOB)
        sipp.done()
        routes = [[re.search(r"sip:(\w+)@", r).group(1) for r in m.all("route")] for m in sipp.subscribes()]
        equal(routes[1:], [["near", "far"]] * 3, "Route of the requests after the first")
        numbers = [m.cseq for m in sipp.subscribes()]
        check(numbers == sorted(set(numbers)), f"CSeq {numbers}")
        equal(len({m.get("call-id") for m in sipp.subscribes()}), 1, "dialogs")
    run.__name__ = f"record_route_{name}_in_later_replies"
    suite.test(run)


record_route("omitted", "X-Record-Route: none")
record_route("repeated", f"Record-Route: <sip:far@{HOST};lr>, <sip:near@{HOST};lr>")


@suite.test
def a_changed_contact(ctx):
    sipp, _, control = start(ctx, "moved", grant=4)
    control.subscribe(BOB, 600)
    wait_for(lambda: len(sipp.subscribes()) == 2, 6, "a refresh")
    wait_for(lambda: "again@" in control.subscription(BOB)["remote_target"], 2, "the target of the 2xx")
    finish(sipp, control)


@suite.test
def an_out_of_order_cseq(ctx):
    sipp, _, control = start(ctx, "out_of_order")
    control.subscribe(BOB, 600)
    wait_for(lambda: control.subscription(BOB)["notify_cseq"] == 6, 3, "CSeq 6 is taken")
    equal(note_of(control.subscription(BOB)["body"]), "newer", "document")
    finish(sipp, control)


@suite.test
def notifies_to_the_source_port(ctx):
    """SUBSCRIBEs leave from where NOTIFYs are taken, so that it does not matter."""
    sipp, puad, control = start(ctx, "source_port")
    control.subscribe(BOB, 600)
    wait_for(lambda: control.subscription(BOB)["dialog"] == "active", 3, "the NOTIFY is taken")
    finish(sipp, control)
    equal({m.get("via").split(";")[0].split()[1] for m in sipp.subscribes()}, {puad.contact[4:]}, "sent-by of Via")


main_is(suite)
