#!/usr/bin/env python3
"""GET /metrics of a running puad: exact numbers after a scripted life, and HTTP clients that do what they should not."""
import http.client
import os
import socket
import time

from esc import Esc
from harness import HOST, Suite, check, equal, main_is, program, wait_for
from notifier import Answer, Notifier
from prometheus import CONTENT_TYPE, Page
from puad import Puad, pidf, publish_params, run, subscribe_params

suite = Suite()
GET = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
MAX_CONNECTIONS = 64                    # as puad(8) says


def uri(name):
    return f"sip:{name}@example.com"


class Setup:
    def __init__(self, ctx, **pua):
        self.esc = Esc(ctx)
        self.notifier = Notifier(ctx)
        self.http_port = ctx.port()
        self.puad = Puad(ctx, self.esc.uri, **pua)
        self.puad.set("pua_mi", http_listen=f"{HOST}:{self.http_port}")
        self.puad.listen().start()
        self.control = self.puad.control()

    def request(self, method="GET", path="/metrics", body=None, timeout=5):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection(HOST, self.http_port, timeout=timeout)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def scrape(self):
        status, headers, text = self.request()
        equal((status, headers["content-type"]), (200, CONTENT_TYPE), "status and type of the page")
        return Page(text)

    def connect(self):
        return socket.create_connection((HOST, self.http_port), timeout=15)

    def publish(self, name, note="here", expires=3600, **more):
        return self.control.publish(uri(name), pidf(uri(name), note), expires, **more)

    def fails(self, name, code):
        """A publication that must end with that status."""
        equal(self.control.error("pua_publish", publish_params(uri(name), pidf(uri(name), "x"), 600)).code, code, name)

    def serves(self, what):
        begin = time.monotonic()
        self.publish("probe", what)
        equal(self.scrape().get("pua_publications", state="live"), 1, f"live publications after {what}")
        check(time.monotonic() - begin < 3, f"{what} held up puad for {time.monotonic() - begin:.1f} s")


# --- the numbers ------------------------------------------------------------------------------------


@suite.test
def a_fresh_puad_has_a_page_with_zeros(ctx):
    setup = Setup(ctx)
    page = setup.scrape()
    for name in ("pua_publications", "pua_subscriptions"):
        equal(page.by(name, "state"), {}, name)
    for name in ("pua_sip_requests_total", "pua_sip_replies_total"):
        check(any(sample == name for sample, _ in page.samples), f"{name} is missing while it is 0")
    equal((page.get("pua_store_up"), page.get("pua_loading"), page.get("pua_store_backlog")), (1, 0, 0), "gauges")
    version = run(program("puad"), "--version").stdout.split()[1]
    equal(page.get("pua_build_info", version=version), 1, "pua_build_info")
    started = page.get("pua_process_start_time_seconds")
    check(abs(time.time() - started) < 30 and page.get("pua_uptime_seconds") < 30, "start time, uptime")
    time.sleep(1.1)
    later = setup.scrape()
    equal(later.get("pua_process_start_time_seconds"), started, "start time a second later")
    check(1 <= later.get("pua_uptime_seconds") - page.get("pua_uptime_seconds") < 3, "the uptime does not go on")
    equal(later.get("pua_control_http_requests_total"), 1, "HTTP requests answered before")


def life_of_publications(setup):
    """What these requests leave behind stands in the test that calls this."""
    setup.esc.script = lambda t: next(((status, "Scripted", "Retry-After: 60\r\n") for name, status in (
        ("erin", 403), ("frank", 489), ("gina", 500), ("hugo", 302), ("ivan", 603), ("mute", 0)) if name in t.uri), None)
    setup.publish("alice", "one")
    setup.publish("alice", "two")
    setup.control.publish(uri("alice"), expires=3600)
    setup.publish("carol")
    for name, status in (("erin", 403), ("frank", 489), ("gina", 500), ("hugo", 302), ("ivan", 603)):
        setup.fails(name, status)
    setup.esc.forget()
    setup.control.publish(uri("alice"), expires=3600)        # 412, and in full
    setup.publish("carla")
    setup.esc.min_expires = 900
    setup.publish("judy", expires=600)                       # 423, and with 900
    setup.control.remove(uri("carla"))


def life_of_subscriptions(setup):
    setup.notifier.script = lambda r: Answer(404, (("Retry-After", 60),)) if "nobody" in r.message.get("to") else None
    params = {"outbound_proxy": setup.notifier.uri}
    setup.control.subscribe(uri("bob"), 600, **params)
    first = setup.notifier.one(uri("bob"))
    setup.control.subscribe(uri("bob"), 900, **params)
    wait_for(lambda: setup.notifier.answers(first) == [200, 200], 3, "the NOTIFY after the refresh")
    equal(setup.notifier.notify(first, call_id="nonsense").wait(), 481, "answer to a NOTIFY of no dialog")
    setup.control.unsubscribe(uri("bob"))
    setup.control.subscribe(uri("fay"), 0, **params)
    setup.control.subscribe(uri("ben"), 600, **params)
    setup.notifier.one(uri("ben"))
    equal(setup.control.error("pua_subscribe", subscribe_params(uri("nobody"), 600, **params)).code, 404, "nobody")
    wait_for(lambda: len(setup.control.list(kind="subscription")) == 2, 3, "what has ended is gone")


@suite.test
def every_number_is_exact(ctx):
    setup = Setup(ctx, sip_t1=20)
    life_of_publications(setup)
    life_of_subscriptions(setup)
    setup.fails("mute", 408)
    nowhere = f"sip:{HOST}:{ctx.port()};transport=tcp"       # nobody listens there
    equal(setup.control.error("pua.publish", {"presentity_uri": uri("toby"), "event": "presence", "body": pidf(uri("toby"), "x"),
                                              "expires": 600, "outbound_proxy": nowhere}).code, 503, "toby")
    setup.control.call("pua_flush")
    wait_for(lambda: not setup.control.list(state="gone"), 3, "rows of what has ended are deleted")
    page, stats = setup.scrape(), setup.control.stats()

    equal(page.by("pua_sip_requests_total", "method", "kind"), {
        ("PUBLISH", "initial"): 13, ("PUBLISH", "refresh"): 2, ("PUBLISH", "modify"): 1, ("PUBLISH", "remove"): 1,
        ("SUBSCRIBE", "initial"): 3, ("SUBSCRIBE", "refresh"): 1, ("SUBSCRIBE", "remove"): 1, ("SUBSCRIBE", "fetch"): 1},
        "requests")
    equal(page.by("pua_sip_replies_total", "method", "class"), {
        ("PUBLISH", "2xx"): 8, ("PUBLISH", "3xx"): 1, ("PUBLISH", "4xx"): 4, ("PUBLISH", "5xx"): 1, ("PUBLISH", "6xx"): 1,
        ("PUBLISH", "timeout"): 1, ("PUBLISH", "transport_error"): 1, ("SUBSCRIBE", "2xx"): 5, ("SUBSCRIBE", "4xx"): 1},
        "replies")
    equal(len(setup.esc.requests()), 16, "PUBLISH requests that the server saw")
    equal(page.by("pua_sip_request_duration_seconds_count", "method"), {"PUBLISH": 15, "SUBSCRIBE": 6}, "replies timed")
    for name, number in (("replies_412", 1), ("replies_423", 1), ("refused_403_404", 2), ("refused_final", 1), ("notifies", 5),
                         ("notifies_unknown", 1), ("accepted", 21), ("completed", 21)):
        equal(page.get(f"pua_{name}_total"), number, name)
    equal(page.get("pua_caller_wait_seconds_count"), 21, "completions timed")
    check(1.2 < page.get("pua_caller_wait_seconds_sum") < 10, "one of them waited for 64 T1, 1.28 s")
    equal(page.get("pua_caller_wait_seconds_bucket", le="1"), 20, "completions within a second")
    # carol's was lost by the server, and puad does not know yet.
    equal(page.by("pua_publications", "state"), {"live": 3, "backoff": 6}, "publications")
    equal(page.by("pua_subscriptions", "state"), {"live": 1, "backoff": 1}, "subscriptions")
    equal((page.get("pua_sip_requests_in_flight"), page.get("pua_sip_requests_queued")), (0, 0), "in flight, queued")
    equal((page.get("pua_store_backlog"), page.get("pua_store_oldest_unwritten_seconds"), page.get("pua_store_errors_total")),
          (0, 0, 0), "the store after a flush")
    check(page.get("pua_store_write_duration_seconds_count") > 5 and page.get("pua_store_rows_written_total") > 5, "writes")
    check(page.get("pua_loop_callback_duration_seconds_count") > 50, "callbacks")
    check(page.get("pua_loop_callback_max_seconds") > 0, "the longest callback")

    moving = {"control_requests", "control_replies", "control_http_requests"}   # by asking
    for name, number in stats.items():
        for shown in (f"pua_{name}", f"pua_{name}_total"):
            if (shown, frozenset()) in page.samples and name not in moving:
                equal(page.get(shown), number, f"{shown} beside pua_stats")
    for code, number in (("2xx", 13), ("4xx", 5), ("3xx", 1), ("5xx", 1), ("6xx", 1)):
        equal(stats[f"replies_{code}"], number, f"replies_{code} of pua_stats, the sum of both methods")
    equal((stats["timeouts"], stats["transport_errors"]), (1, 1), "timeouts, transport errors of pua_stats")


@suite.test
def what_is_out_and_what_waits_is_shown(ctx):
    setup = Setup(ctx, max_in_flight=2)
    setup.esc.mode = "deaf"
    for n in range(5):
        setup.control.submit("pua_publish", publish_params(uri(f"w{n}"), pidf(uri(f"w{n}"), "x"), 600))
    wait_for(lambda: setup.control.stats()["in_flight"] == 2, 3, "two are out")
    page = setup.scrape()
    equal(page.by("pua_publications", "state"), {"sending": 2, "queued": 3}, "publications")
    equal((page.get("pua_sip_requests_in_flight"), page.get("pua_sip_requests_queued")), (2, 3), "in flight, queued")
    setup.esc.mode = "answer"
    wait_for(lambda: setup.scrape().by("pua_publications", "state") == {"live": 5}, 5, "all are live")
    equal(setup.scrape().by("pua_sip_request_duration_seconds_count", "method"), {"PUBLISH": 5}, "replies timed")


@suite.test
def counters_begin_anew_and_loaded_rows_are_shown(ctx):
    setup = Setup(ctx)
    for n in range(3):
        setup.publish(f"r{n}")
    setup.control.call("pua_flush")
    setup.puad.sigkill()
    setup.puad.start()
    wait_for(lambda: setup.scrape().get("pua_loading") == 0, 3, "the table is loaded")
    page = setup.scrape()
    equal((page.get("pua_loaded_total"), sum(page.by("pua_publications", "state").values())), (3, 3), "rows loaded, records")
    equal(page.get("pua_accepted_total"), 0, "requests accepted by this process")


# --- HTTP -------------------------------------------------------------------------------------------


@suite.test
def only_known_paths_and_methods(ctx):
    setup = Setup(ctx)
    status, headers, body = setup.request("HEAD")
    equal((status, headers["content-type"], body), (200, CONTENT_TYPE, ""), "answer to HEAD")
    check(int(headers["content-length"]) > 5000, "length of the page by HEAD")
    equal(setup.request(path="/metrics?name=x")[0], 200, "status with a query")
    for path in ("/", "/metric", "/metrics/", "/metrics/x", "/favicon.ico"):
        equal(setup.request(path=path)[0], 404, path)
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, headers, _ = setup.request(method, body=b"x" * 100)
        equal((status, headers["allow"]), (405, "GET, HEAD"), method)
    setup.serves("what is refused")


@suite.test
def requests_that_are_too_large_or_nonsense_are_refused(ctx):
    setup = Setup(ctx)
    for what, data in (("a long path", b"GET /" + b"x" * 20000 + b" HTTP/1.1\r\n\r\n"),
                       ("a long header", b"GET /metrics HTTP/1.1\r\nX: " + b"x" * 20000 + b"\r\n\r\n"),
                       ("a long body", b"POST /metrics HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n"),
                       ("NUL octets", b"\0" * 1000 + b"\r\n\r\n"), ("no HTTP", b"hello\r\n\r\n"),
                       ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 500 + b"\r\n\r\n")):
        with setup.connect() as client:
            client.sendall(data)
            answer = b""
            try:
                while part := client.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass            # it was closed with something unread
            check(b" 200 " not in answer[:20], f"{what} was answered with {answer[:60]!r}")
        setup.serves(what)


@suite.test
def slow_clients_are_closed_and_hold_up_nobody(ctx):
    """One says nothing, one half a request, one an octet a second for ever, one a line that does not end."""
    setup = Setup(ctx)
    silent, half, dripping, endless = (setup.connect() for _ in range(4))
    half.sendall(GET[:20])
    endless.setblocking(False)
    endless.send(b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1" * 100_000)
    dripping.sendall(GET[:-2])
    dripping.settimeout(1)
    begin, cpu = time.monotonic(), setup.puad.process.cpu_seconds()
    setup.serves("slow clients")
    data = b"x"
    while data and time.monotonic() - begin < 15:
        try:
            dripping.sendall(b"X")
            data = dripping.recv(1000)
        except socket.timeout:
            continue
        except OSError:
            break
    took = time.monotonic() - begin
    check(8 < took < 13, f"a client that says an octet a second was served for {took:.1f} s")
    for client in (silent, half):
        equal(client.recv(1000), b"", "what a client that says nothing gets")
        client.close()
    cpu = setup.puad.process.cpu_seconds() - cpu
    check(cpu < 1, f"they cost {cpu:.1f} s of CPU")
    for client in (dripping, endless):
        client.close()
    setup.serves("slow clients")


@suite.test
def clients_that_vanish_do_no_harm(ctx):
    setup = Setup(ctx)
    for n in range(200):
        client = setup.connect()
        client.sendall(GET[:n % (len(GET) + 1)])
        if n % 2:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
    setup.serves("clients that vanish")


@suite.test
def a_hundred_idle_connections_hold_up_nobody(ctx):
    setup = Setup(ctx)
    files = f"/proc/{setup.puad.process.pid}/fd"
    setup.publish("probe")
    before = len(os.listdir(files))
    idle = [setup.connect() for _ in range(100)]
    setup.serves("idle connections")
    check(len(os.listdir(files)) <= before + MAX_CONNECTIONS, f"{len(os.listdir(files)) - before} descriptors more than before")
    equal(setup.scrape().get("pua_control_http_cut_off_total") >= 100 - MAX_CONNECTIONS, True, "the oldest are closed")
    status, took = setup.puad.terminate()
    equal(status, 0, "exit status with clients connected")
    check(took < 4, f"the end took {took:.1f} s")
    for client in idle:
        try:
            equal(client.recv(10), b"", "what an idle client gets")
        except ConnectionResetError:
            pass
        client.close()


# --- start and end ----------------------------------------------------------------------------------


@suite.test
def what_cannot_be_listened_at_is_told_and_nothing_starts(ctx):
    setup = Setup(ctx)
    taken = f"{HOST}:{setup.http_port}"
    for address, status, text in ((taken, 1, "Address already in use"), ("192.0.2.1:8088", 1, "Cannot assign requested address"),
                                  ("localhost:8088", 2, "not an address with a port"), ("8088", 2, "not an address with a port")):
        other = Puad(ctx, setup.esc.uri, name="other")
        other.set("pua_mi", http_listen=address)
        done = run(program("puad"), "-f", other.write_config())
        said = done.stderr + done.stdout
        equal(done.returncode, status, f"exit status with http_listen {address}: {said[-300:]}")
        check("http_listen" in said and address in said and text in said, f"{address}: {said[-300:]!r}")
        check(not other.socket.exists(), "a control socket is left over")
    setup.serves("others that could not start")


@suite.test
def without_the_setting_nobody_listens(ctx):
    setup = Setup(ctx)
    status, _ = setup.puad.terminate()
    equal(status, 0, "exit status")
    setup.puad.set("pua_mi", http_listen=None)
    setup.puad.start()
    try:
        setup.connect().close()
    except ConnectionRefusedError:
        return
    check(False, "somebody listens")


@suite.test
def a_reload_says_that_the_address_needs_a_restart(ctx):
    setup = Setup(ctx)
    setup.puad.set("pua_mi", http_listen=f"{HOST}:{ctx.port()}")
    setup.puad.write_config()
    equal(setup.control.call("pua_reload")["needs_restart"], ["pua_mi http_listen"], "what needs a restart")
    setup.serves("a reload")


main_is(suite)
