#!/usr/bin/env python3
"""Servers that cannot be reached: the log names each once, with the reason, and once when it answers again; nothing floods."""
import re

from esc import Esc
from harness import HOST, Suite, check, equal, main_is, wait_for
from puad import Puad, RpcError, pidf, publish_params

suite = Suite()
ALICE = "sip:alice@example.com"


def lines(puad, part):
    return [line for line in puad.log().splitlines() if part in line]


def publish_some(control, count, wait=True):
    """So many publications; what becomes of them does not matter."""
    numbers = [control.submit("pua_publish", publish_params(f"sip:u{n}@example.com", pidf("sip:u@x", "x"), 600)) for n in range(count)]
    if wait:
        for number in numbers:
            control.wait(number, 20)


@suite.test
def a_port_that_nobody_listens_on_is_named_once(ctx):
    port = ctx.port()
    puad = Puad(ctx, f"sip:{HOST}:{port}").start()
    control = puad.control()
    publish_some(control, 8)
    begins = lines(puad, "fail: ")
    equal(len(begins), 1, f"lines that name the failure ({puad.log()[-800:]!r})")
    check(re.search(rf"warning: Requests to {HOST}:{port} fail: Connection refused\. They are kept and tried again\.$", begins[0]), begins[0])
    wait_for(lambda: lines(puad, f"{HOST}:{port} does not answer, "), 5, "the breaker is told")
    publish_some(control, 200)
    equal(len(lines(puad, f"{HOST}:{port}")), 2, f"lines about the server ({puad.log()[-800:]!r})")


@suite.test
def a_server_that_is_silent_is_told_and_when_it_answers_again(ctx):
    esc = Esc(ctx)
    puad = Puad(ctx, esc.uri, sip_t1=20).start()
    control = puad.control()
    esc.mode = "deaf"
    publish_some(control, 8)
    where = esc.uri.removeprefix("sip:")
    equal(len(lines(puad, f"Requests to {where} fail: no answer in time")), 1, "lines about the first failure")
    esc.mode = "answer"
    wait_for(lambda: len(esc.live()) == 8, 30, "all publications are made")
    again = lines(puad, f"notice: {where} answers again after ")
    equal(len(again), 1, f"lines about the end ({puad.log()[-800:]!r})")
    check(len(lines(puad, where)) <= 3, f"lines about the server: {lines(puad, where)}")


@suite.test
def a_server_that_fails_is_told_with_its_own_words(ctx):
    esc = Esc(ctx)
    esc.script = lambda t: (500, "Database\x1b[31m is down", "")
    puad = Puad(ctx, esc.uri).start()
    control = puad.control()
    equal(control.error("pua_publish", publish_params(ALICE, pidf(ALICE, "x"), 600)).code, 500, "code")
    where = esc.uri.removeprefix("sip:")
    equal(len(lines(puad, f"Requests to {where} fail: 500 Database")), 1, f"lines ({puad.log()[-400:]!r})")
    check("\x1b" not in puad.log(), "an escape reaches the log")
    esc.script = None
    control.publish("sip:bob@example.com", pidf(ALICE, "x"), 600)
    equal(len(lines(puad, f"{where} answers again")), 1, "lines about the end")


@suite.test
def a_server_over_tcp_that_refuses_is_named_too(ctx):
    port = ctx.port()
    puad = Puad(ctx, f"sip:{HOST}:{port};transport=tcp").start()
    error = puad.control().error("pua_publish", publish_params(ALICE, pidf(ALICE, "x"), 600))
    equal(error.code, 503, "code")
    equal(len(lines(puad, f"Requests to {HOST}:{port};transport=tcp fail: ")), 1, f"lines ({puad.log()[-400:]!r})")
    check("refused" in lines(puad, "fail: ")[0], f"the reason: {lines(puad, 'fail: ')}")


@suite.test
def a_subscription_that_cannot_be_made_names_the_notifier(ctx):
    port = ctx.port()
    puad = Puad(ctx, f"sip:{HOST}:{port}").listen().start()
    try:
        puad.control().subscribe("sip:bob@example.com", 600)
        check(False, "it was accepted")
    except RpcError as error:
        equal(error.code, 503, "code")
    equal(len(lines(puad, f"Requests to {HOST}:{port} fail: Connection refused")), 1, f"lines ({puad.log()[-400:]!r})")


@suite.test
def a_server_that_asks_for_quiet_is_told(ctx):
    esc = Esc(ctx)
    esc.script = lambda t: (503, "Overloaded", "Retry-After: 2\r\n")
    puad = Puad(ctx, esc.uri).start()
    control = puad.control()
    control.error("pua_publish", publish_params(ALICE, pidf(ALICE, "x"), 600))
    where = esc.uri.removeprefix("sip:")
    equal(len(lines(puad, f"{where} has asked for quiet (503 Overloaded, Retry-After: 2): nothing is sent there for 2 s.")), 1,
          f"lines ({puad.log()[-400:]!r})")
    esc.script = None
    wait_for(lambda: esc.live(), 15, "the publication is made")
    wait_for(lambda: lines(puad, f"{where} answers again"), 2, "the end is told")


main_is(suite)
