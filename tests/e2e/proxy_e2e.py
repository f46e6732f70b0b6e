#!/usr/bin/env python3
"""The way of publications: --proxy is of one request, presence_server of the configuration; neither sticks to a record or its row."""
import signal

from esc import Esc
from harness import Suite, check, equal, main_is, wait_for
from places import expect, on_both
from puad import Puad, pidf, puactl

suite = Suite()
both = on_both(suite)
ALICE = "sip:alice@example.com"


def start(ctx, place, **more):
    """(puad, the configured server, another one)"""
    configured, named = Esc(ctx), Esc(ctx)
    if place.kind == "mysql":
        expect(0, "create", "--url", place.url)
    return Puad(ctx, configured.uri, db_url=place.url, **more).start(), configured, named


def publish(ctx, puad, note, *options):
    body = ctx.dir / "alice.xml"
    body.write_text(pidf(ALICE, note))
    done = puactl(puad, "publish", ALICE, "--event", "presence", "--body-file", body, *options)
    equal(done.returncode, 0, f"puactl publish {options}: {done.stdout}{done.stderr}")


def stored_proxy(place):
    rows = place.rows("SELECT outbound_proxy FROM pua")
    equal(len(rows), 1, "rows")
    value = rows[0][0]
    return value.decode() if isinstance(value, bytes) else value or ""


@both
def a_publish_without_proxy_goes_back_to_the_parameter(ctx, place):
    puad, configured, named = start(ctx, place)
    publish(ctx, puad, "one", "--proxy", named.uri)
    equal((len(named.requests(ALICE)), len(configured.requests(ALICE))), (1, 0), "requests with --proxy")
    wait_for(lambda: stored_proxy(place) == named.uri, 5, "the row names the proxy")
    publish(ctx, puad, "two")
    equal(len(named.requests(ALICE)), 1, "requests to the server that was named once")
    equal(len(configured.live(ALICE)), 1, "publications at the configured server")
    wait_for(lambda: stored_proxy(place) == "", 5, "the row names none")
    puad.sigkill()
    puad.start()
    publish(ctx, puad, "three")
    equal(len(named.requests(ALICE)), 1, "requests to the server that was named once, after a restart")
    equal(len(configured.live(ALICE)), 1, "publications at the configured server")


@both
def a_removal_goes_where_the_publication_went(ctx, place):
    puad, configured, named = start(ctx, place)
    publish(ctx, puad, "one", "--proxy", named.uri)
    equal(len(named.live(ALICE)), 1, "publications at the server that was named")
    done = puactl(puad, "remove", ALICE, "--event", "presence")
    equal(done.returncode, 0, f"puactl remove: {done.stdout}{done.stderr}")
    equal((len(named.live(ALICE)), len(configured.requests(ALICE))), (0, 0), "what is left, requests to the other server")


@both
def a_presence_server_that_was_taken_out_is_the_way_of_nothing(ctx, place):
    puad, configured, former = start(ctx, place)
    puad.terminate()
    puad.settings["pua_mi", "presence_server"] = former.uri
    puad.start()
    publish(ctx, puad, "one")
    equal((len(former.live(ALICE)), len(configured.requests(ALICE))), (1, 0), "publications at presence_server")
    wait_for(lambda: place.rows("SELECT id FROM pua"), 5, "a row")
    equal(stored_proxy(place), "", "proxy in the row")
    puad.set("pua_mi", presence_server=None)
    puad.write_config()
    puad.process.signal(signal.SIGHUP)
    wait_for(lambda: "presence_server" in puad.log(), 5, "the reload")
    publish(ctx, puad, "two")
    equal(len(former.requests(ALICE)), 1, "requests to the former presence_server")
    check(configured.live(ALICE), "nothing at the configured server")


main_is(suite)
