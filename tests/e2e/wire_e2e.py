#!/usr/bin/env python3
"""The publication's life as a real presence server sees it: initial, modify, refresh, remove, 412, 423."""
import time

from harness import HOST, Suite, check, equal, main_is, wait_for
from kamailio import Kamailio
from puad import Puad, note_of, pidf, publish_params

suite = Suite()
ALICE = "sip:alice@example.com"


def kinds(server, user="alice"):
    return [seen.kind for seen in server.seen(user)]


@suite.test
def initial_modify_refresh_remove(ctx):
    server = Kamailio(ctx, max_expires=6)
    control = Puad(ctx, server.uri).start().control()
    answer = control.publish(ALICE, pidf(ALICE, "one"), 3600)
    row = server.one("alice")
    equal((answer["reply"], answer["ETag"], answer["Expires"], answer["durable"]), ("200 OK", row.etag, 6, True), "answer")
    equal(note_of(row.body), "one", "document after the initial publication")
    answer = control.publish(ALICE, pidf(ALICE, "two"), 3600)
    row = server.one("alice")
    equal((answer["ETag"], note_of(row.body)), (row.etag, "two"), "entity-tag and document after the modify")
    wait_for(lambda: len(kinds(server)) >= 4, 10, "two refreshes")
    equal(kinds(server), ["initial", "modify", "refresh", "refresh"], "requests")
    wait_for(lambda: control.record(ALICE)["etag"] == server.one("alice").etag, 2, "the refresh's entity-tag is taken over")
    equal(note_of(server.one("alice").body), "two", "document after the refreshes")
    asked = [int(s.expires) for s in server.seen("alice")]
    check(all(3580 <= e <= 3600 for e in asked) and asked == sorted(asked, reverse=True), f"Expires asked for: {asked}")
    answer = control.remove(ALICE)
    equal(answer["reply"], "200 OK", "answer to the removal")
    wait_for(lambda: server.rows() == [], 2, "no row after the removal")  # Kamailio answers first
    equal(kinds(server)[-1], "remove", "last request")
    wait_for(lambda: control.stats()["records"] == 0, 2, "the record is gone")
    time.sleep(4)
    equal(len(kinds(server)), 5, "requests, with nothing after the removal")


@suite.test
def a_412_publishes_full_state_once(ctx):
    server = Kamailio(ctx, max_expires=8)
    control = Puad(ctx, server.uri).start().control()
    control.publish(ALICE, pidf(ALICE, "kept"), -1)
    first = server.one("alice")
    server.forget()
    wait_for(lambda: server.rows("alice"), 10, "the full state appears again")
    time.sleep(1)
    equal(kinds(server), ["initial", "refresh", "initial"], "requests")
    equal(server.one("alice").body, first.body, "document")
    server.forget()
    answer = control.publish(ALICE, pidf(ALICE, "changed"), -1)   # a modify that meets the loss
    row = server.one("alice")
    equal((answer["ETag"], note_of(row.body)), (row.etag, "changed"), "after a modify that got 412")
    equal(kinds(server)[3:], ["modify", "initial"], "requests")
    server.forget()
    equal(control.remove(ALICE)["reply"].split()[0], "412", "the 412 to a removal counts as success")
    wait_for(lambda: control.stats()["records"] == 0, 2, "the record is gone")
    equal(kinds(server)[5:], ["remove"], "requests")
    equal(control.stats()["replies_412"], 3, "412s counted")


@suite.test
def a_423_is_repeated_with_min_expires(ctx):
    server = Kamailio(ctx, min_expires=30)
    control = Puad(ctx, server.uri).start().control()
    answer = control.publish(ALICE, pidf(ALICE, "brief"), 4)
    equal((answer["reply"], answer["Expires"]), ("200 OK", 30), "answer")
    equal([(s.kind, s.expires) for s in server.seen()], [("initial", "4"), ("initial", "30")], "requests")
    began = time.monotonic()
    wait_for(lambda: not server.rows(), 6, "it ends at its wanted end, not at the server's")
    check(2.5 <= time.monotonic() - began <= 5.5, f"it ended after {time.monotonic() - began:.1f} s")
    equal(kinds(server)[-1], "remove", "last request")


@suite.test
def min_expires_of_ours_raises_what_is_asked_and_never_a_removal(ctx):
    server = Kamailio(ctx)
    control = Puad(ctx, server.uri, min_expires=60, max_expires=100).start().control()
    control.publish(ALICE, pidf(ALICE, "x"), 3)
    control.publish("sip:bob@example.com", pidf("sip:bob@example.com", "x"), 5000)
    wait_for(lambda: kinds(server)[-1] == "remove", 6, "the removal at the wanted end")
    equal([s.expires for s in server.seen("alice")], ["60", "0"], "Expires of alice's requests")
    equal([s.expires for s in server.seen("bob")], ["100"], "Expires of bob's requests")


@suite.test
def requests_for_one_record_take_effect_in_order(ctx):
    """A burst of changes at one record: the last wins, all are answered, one request is out at a time."""
    server = Kamailio(ctx)
    control = Puad(ctx, server.uri).start().control()
    numbers = [control.submit("pua_publish", {"presentity_uri": ALICE, "expires": 600, "event_package": "presence",
                                              "content_type": "application/pidf+xml", "body": pidf(ALICE, f"n{n}")})
               for n in range(30)]
    answers = [control.wait(n) for n in numbers]
    check(all("result" in a for a in answers), f"an answer is an error: {[a for a in answers if 'error' in a][:1]}")
    row = server.one("alice")
    equal((note_of(row.body), answers[-1]["result"]["ETag"]), ("n29", row.etag), "document and entity-tag at the end")
    equal(kinds(server).count("initial"), 1, "initial publications")
    superseded = sum(a["result"].get("superseded", False) for a in answers)
    equal(len(kinds(server)) + superseded, 30, "requests sent and requests superseded")


@suite.test
def a_server_that_restarts_with_its_table_is_not_noticed(ctx):
    server = Kamailio(ctx, max_expires=8)
    control = Puad(ctx, server.uri).start().control()
    control.publish(ALICE, pidf(ALICE, "stays"), -1)
    server.stop()
    time.sleep(5)              # the refresh falls due meanwhile
    server.start()
    wait_for(lambda: "refresh" in kinds(server), 20, "the refresh after the server is back")
    time.sleep(1)
    check(len(server.rows("alice")) == 1, "not one publication")
    equal(note_of(server.one("alice").body), "stays", "document")


@suite.test
def a_challenge_is_answered_with_the_password_of_its_realm(ctx):
    server = Kamailio(ctx, max_expires=6, password="open sesame")
    puad = Puad(ctx, server.uri, credential=["example.com:alice:open sesame", "*:alice:another"]).start()
    control = puad.control()
    control.publish(ALICE, pidf(ALICE, "one"), 600)
    control.publish(ALICE, pidf(ALICE, "two"), 600)
    wait_for(lambda: "refresh" in kinds(server), 8, "a refresh")
    equal(note_of(server.one("alice").body), "two", "document")
    control.remove(ALICE)
    equal(server.rows(), [], "rows after the removal")
    check("open sesame" not in puad.log(), "the log shows the password")


@suite.test
def a_challenge_by_sha_256_is_answered_and_so_is_each_new_nonce(ctx):
    server = Kamailio(ctx, max_expires=4, password="open sesame", algorithm="SHA-256", nonce_expire=1)
    puad = Puad(ctx, server.uri, credential="example.com:alice:open sesame").start()
    control = puad.control()
    control.publish(ALICE, pidf(ALICE, "one"), 600)
    wait_for(lambda: kinds(server).count("refresh") >= 3, 20, "three refreshes, each with a nonce that has expired")
    equal(kinds(server)[0], "initial", "first request")
    equal(kinds(server).count("initial"), 1, "initial publications")
    equal(control.stats()["auth_failures"], 0, "failures counted")
    control.remove(ALICE)
    equal(server.rows(), [], "rows after the removal")


@suite.test
def a_wrong_password_is_an_error_and_no_loop(ctx):
    server = Kamailio(ctx, password="open sesame")
    control = Puad(ctx, server.uri, credential="*:alice:wrong").start().control()
    error = control.error("pua_publish", publish_params(ALICE, pidf(ALICE, "x"), 600))
    equal(error.code, 401, "code")
    equal((server.rows(), control.stats()["auth_failures"]), ([], 1), "rows, and failures counted")


@suite.test
def the_same_over_tcp(ctx):
    server = Kamailio(ctx, max_expires=12)
    puad = Puad(ctx, f"{server.uri};transport=tcp")
    puad.set("pua", sip_listen=[f"sip:{HOST}:{puad.port};transport=tcp"])
    control = puad.start().control()
    long = pidf(ALICE, "long").replace("</presence>", f"<!-- {'x' * 9000} --></presence>")
    control.publish(ALICE, long, 600)
    wait_for(lambda: "refresh" in kinds(server) and control.stats()["in_flight"] == 0, 12, "a refresh and its answer")
    server.restart()                       # the connection breaks
    control.publish(ALICE, pidf(ALICE, "after"), 600)
    equal(note_of(server.one("alice").body), "after", "document after the server's restart")
    equal(kinds(server)[0], "initial", "first request")
    equal(kinds(server).count("initial"), 1, "initial publications")


main_is(suite)
