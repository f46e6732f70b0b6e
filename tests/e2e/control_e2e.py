#!/usr/bin/env python3
"""The control interface of a running puad, with good input and with bad: clear errors, and nothing is lost."""
import json
import os
import socket
import time

from esc import Esc
from harness import Failure, Suite, check, equal, main_is, short, wait_for
from puad import Puad, RpcError, pidf, publish_params

suite = Suite()
PEOPLE = [f"sip:{name}@example.com" for name in ("alice", "bob", "carol")]
ALICE = PEOPLE[0]
PRESENCE = {"event_package": "presence", "expires": 600, "content_type": "application/pidf+xml"}


class Setup:
    """puad with three publications at a scripted server."""

    def __init__(self, ctx, **pua_mi):
        self.esc = Esc(ctx)
        self.puad = Puad(ctx, self.esc.uri)
        self.puad.set("pua_mi", **pua_mi)
        self.puad.start()
        self.control = self.puad.control()
        for uri in PEOPLE:
            self.control.publish(uri, pidf(uri, "here"), 3600)
        self.before = self.state()

    def state(self):
        """What must not change by a refused request: records, their entity-tags and documents, requests sent."""
        shown = {uri: self.control.call("pua_show", {"presentity_uri": uri})["records"] for uri in PEOPLE}
        return ({r["presentity_uri"]: (r["etag"], r["state"], r["removing"]) for r in self.control.list()},
                {uri: [r["body"] for r in records] for uri, records in shown.items()},
                sorted(e for e, _ in self.esc.live()), len(self.esc.requests()))

    def untouched(self, what):
        check(self.puad.process.running(), f"puad ended after {what}: {self.puad.process.popen.returncode}")
        equal(self.state(), self.before, f"state after {what}")


def refused(setup, what, code, message, method="pua_publish", **params):
    """The request gets that error, and nothing changed."""
    try:
        setup.control.call(method, params)
    except Failure as why:
        raise Failure(f"{what}: {why}") from None
    except RpcError as error:
        check(error.code == code and message.lower() in str([error.message, error.data]).lower(),
              f"{what}: got {error.code} {error.message!r} {short(error.data)}, wanted {code} with {message!r}")
    else:
        check(False, f"{what} was accepted")
    setup.untouched(what)


@suite.test
def a_publish_is_answered_with_reply_etag_and_expires(ctx):
    setup = Setup(ctx)
    (etag, state), = setup.esc.live(ALICE)
    equal(setup.control.record(ALICE)["etag"], etag, "entity-tag")
    for method in ("pua_publish", "pua_mi:publish"):
        answer = setup.control.call(method, {"presentity_uri": ALICE, **PRESENCE, "body": pidf(ALICE, method)})
        (etag, state), = setup.esc.live(ALICE)
        equal(answer, {"reply": "200 OK", "ETag": etag, "Expires": 600, "durable": True}, f"answer of {method}")
        check(method.encode() in state.body, "the document did not arrive")
    answer = setup.control.call("pua.publish", ["sip:dora@example.com", 600, "presence", "application/pidf+xml", "work", ".", ".",
                                                "X-Desk: 4", pidf("sip:dora@example.com", "kam")])
    equal(answer["reply"], "200 OK", "answer of pua.publish")
    equal(len(setup.esc.live("sip:dora@example.com")), 1, "publications of dora")
    equal(setup.control.remove(ALICE)["reply"], "200 OK", "answer of a removal")
    equal(setup.esc.live(ALICE), [], "publications of alice after the removal")


@suite.test
def a_final_reply_of_300_or_more_is_an_error_with_its_code(ctx):
    setup = Setup(ctx)
    # 503 comes last: its Retry-After holds the whole server.
    for status, reason in ((403, "Forbidden"), (489, "Bad Event"), (603, "Decline"), (503, "Service Unavailable")):
        setup.esc.script = lambda t, s=status, r=reason: (s, r, "Retry-After: 60\r\n") if "erin" in t.uri else None
        error = setup.control.error("pua_publish", publish_params(f"sip:erin{status}@example.com", pidf("sip:e@x", "y"), 60))
        equal((error.code, error.message), (status, reason), "code and message")
    setup.esc.script = None


@suite.test
def bad_requests_get_clear_errors_and_nothing_is_lost(ctx):
    setup = Setup(ctx)
    body = pidf(ALICE, "new")
    doctype = '<?xml version="1.0"?><!DOCTYPE presence [{}]><presence xmlns="urn:ietf:params:xml:ns:pidf" ' \
              'entity="sip:alice@example.com"><tuple id="a"><status><basic>open</basic></status><note>{}</note></tuple></presence>'
    laughs = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    good = {"presentity_uri": ALICE, **PRESENCE, "body": body}
    for what, code, message, change in (
            ("a wrong etag", 418, "Wrong ETag", {"etag": "nonsense"}),
            ("an unknown event", 400, "Unknown event", {"event_package": "weather"}),
            ("an empty URI", 404, "Empty presentity URI", {"presentity_uri": ""}),
            ("a URI with CR LF", 404, "Bad presentity URI", {"presentity_uri": "sip:alice@example.com\r\nVia: x"}),
            ("a URI with a blank", 404, "Bad presentity URI", {"presentity_uri": "sip:al ice@example.com"}),
            ("a URI of another kind", 404, "Bad presentity URI", {"presentity_uri": "http://example.com"}),
            ("a URI of 5000 octets", 404, "Bad presentity URI", {"presentity_uri": "sip:" + "a" * 5000 + "@example.com"}),
            ("an event with CR LF", 400, "event", {"event_package": "presence\r\nX: y"}),
            ("an etag with CR LF", 400, "etag", {"etag": "a\r\nX: y"}),
            ("a content type with CR LF", 400, "", {"content_type": "application/pidf+xml\r\nX: y"}),
            ("a header that smuggles a Via", 400, "Via", {"extra_headers": "X-A: b\r\nVia: SIP/2.0/UDP evil\r\n"}),
            ("a header with a bare LF", 400, "", {"extra_headers": "X-A: b\nX-C: d\r\n"}),
            ("a header with a bare CR", 400, "", {"extra_headers": "X-A: b\rX-C: d\r\n"}),
            ("headers that end the head", 400, "", {"extra_headers": "X-A: b\r\n\r\nbody\r\n"}),
            ("a header line without a name", 400, "", {"extra_headers": ": b\r\n"}),
            ("headers that set Expires", 400, "Expires", {"extra_headers": "Expires: 7\r\n"}),
            ("empty headers", 400, "Empty extra_headers", {"extra_headers": ""}),
            ("an empty etag", 400, "Empty etag", {"etag": ""}),
            ("an empty body", 400, "Empty body", {"body": ""}),
            ("an empty content type", 400, "Empty content type", {"content_type": ""}),
            ("a body that is not XML", 400, "", {"body": "hello"}),
            ("a body cut in the middle", 400, "", {"body": body[:100]}),
            ("a body with an entity", 400, "", {"body": doctype.format('<!ENTITY e "boom">', "&e;")}),
            ("a body with a file in it", 400, "", {"body": doctype.format('<!ENTITY e SYSTEM "file:///etc/passwd">', "&e;")}),
            ("a body with a billion laughs", 400, "", {"body": doctype.format(laughs, "&a9;")}),
            ("a body over max_body", 413, "", {"body": body.replace("new", "n" * 20000)}),
            ("a body without a type", -32602, "content_type", {"content_type": None}),
            ("a type without a body", -32602, "body", {"body": None}),
            ("expires that is text", -32602, "expires", {"expires": "soon"}),
            ("expires beyond 32 bits", -32602, "expires", {"expires": 1 << 40}),
            ("an unknown parameter", -32602, "no such parameter", {"colour": "blue"}),
            ("a URI that is a number", -32602, "presentity_uri", {"presentity_uri": 7})):
        refused(setup, what, code, message, **{k: v for k, v in {**good, **change}.items() if v is not None})
    refused(setup, "a removal of nothing", 404, "", presentity_uri="sip:nobody@example.com", expires=0,
            event_package="presence")
    refused(setup, "a first publication without a body", 400, "body", presentity_uri="sip:nobody@example.com", expires=60,
            event_package="presence")
    refused(setup, "no parameters", -32602, "presentity_uri")
    refused(setup, "an unknown method", -32601, "Method not found", method="pua_explode")
    refused(setup, "an unknown record", 404, "", method="pua_show", presentity_uri="sip:nobody@example.com")
    check(setup.control.stats()["rejected"] > 0, "refused requests are not counted")


@suite.test
def broken_json_is_answered_and_does_no_harm(ctx):
    setup = Setup(ctx)
    for what, text, code in (
            ("broken JSON", b'{"jsonrpc": "2.0", "id": 1, "method": ', -32700),
            ("no JSON", b"hello\n", -32700),
            ("invalid UTF-8", b'{"jsonrpc":"2.0","id":1,"method":"\xff\xfe"}', -32700),
            ("NUL octets", b"\0" * 100, -32700),
            ("a URI with NUL", b'{"jsonrpc":"2.0","id":1,"method":"pua_show","params":["sip:a\\u0000@b"]}', -32700),
            ("arrays nested 10,000 deep", b"[" * 10000, -32700),
            ("closed arrays nested 10,000 deep", b"[" * 10000 + b"]" * 10000, -32700),
            ("objects nested 10,000 deep", b'{"a":' * 10000 + b"1" + b"}" * 10000, -32700),
            ("params nested 10,000 deep", b'{"jsonrpc":"2.0","id":1,"method":"version","params":' + b"[" * 10000 + b"]" * 10000 + b"}",
             -32700),
            ("a key given twice", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"version"}', -32700),
            ("a number", b"17", -32600),
            ("an empty batch", b"[]", -32600),
            ("no version", b'{"id":1,"method":"version"}', -32600),
            ("a method that is a number", b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
            ("params that are text", b'{"jsonrpc":"2.0","id":1,"method":"version","params":"x"}', -32600),
            ("an id that is an object", b'{"jsonrpc":"2.0","id":{},"method":"version"}', -32600),
            ("100 KB", b'{"jsonrpc":"2.0","id":1,"method":"version","x":"' + b"x" * 100_000 + b'"}', -32600)):
        setup.control.send_raw(text)
        wait_for(lambda: setup.control.receive(0.1), 5, f"an answer to {what}")
        number, answer = setup.control.answers.popitem()
        equal(answer.get("error", {}).get("code"), code, f"code of the answer to {what}")
        setup.untouched(what)
    setup.control.send_raw(b"")
    setup.control.receive(0.2)            # an answer to an empty datagram is right, and none is
    setup.control.answers.clear()
    setup.untouched("an empty datagram")


@suite.test
def a_request_of_1_mb_is_refused(ctx):
    setup = Setup(ctx, max_request=1 << 20)
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "pua_publish",
                       "params": {"presentity_uri": ALICE, **PRESENCE, "body": pidf(ALICE, "x" * 1_000_000)}}).encode()
    over = text.replace(b"xxx", b"xxxx" * 2, 100_000)
    force = getattr(socket, "SO_SNDBUFFORCE", 32)
    try:
        setup.control.socket.setsockopt(socket.SOL_SOCKET, force, 8 << 20)
    except PermissionError:
        pass
    for what, data, code in (("a body of 1 MB", text, 413), ("a request over 1 MB", over, -32600)):
        try:
            setup.control.send_raw(data)
        except OSError as why:
            print(f"# {what}: the kernel does not take a datagram of {len(data)} octets: {why.strerror}", flush=True)
            continue
        wait_for(lambda: setup.control.receive(0.1), 5, f"an answer to {what}")
        _, answer = setup.control.answers.popitem()
        equal(answer.get("error", {}).get("code"), code, f"code for {what}")
        setup.untouched(what)


@suite.test
def batches_and_notifications(ctx):
    setup = Setup(ctx)
    control = setup.control
    control.send_raw(json.dumps([{"jsonrpc": "2.0", "id": "a", "method": "version"}, {"jsonrpc": "2.0", "method": "version"},
                                 {"jsonrpc": "2.0", "id": "b", "method": "no_such"}, 5]).encode())
    wait_for(lambda: control.receive(0.1), 5, "the answer to a batch")
    answers = control.answers.pop(None)
    equal(sorted(str(a["id"]) for a in answers), ["None", "a", "b"], "ids of the answers in the batch")
    control.send_raw(b'{"jsonrpc":"2.0","method":"version"}')
    equal(control.receive(0.3), 0, "answers to a notification")
    setup.untouched("a notification")


@suite.test
def a_client_that_reads_late_gets_every_answer(ctx):
    """More answers than a unix datagram queue holds (net.unix.max_dgram_qlen, 10 by default)."""
    setup = Setup(ctx)
    numbers = [setup.control.submit("uptime") for _ in range(8)]
    numbers += [setup.control.submit("pua_publish", {"presentity_uri": f"sip:m{n}@example.com", **PRESENCE,
                                                     "body": pidf(f"sip:m{n}@example.com", "m")}) for n in range(60)]
    time.sleep(1)
    for number in numbers:
        check("result" in setup.control.wait(number, 5), "an answer is an error")


@suite.test
def clients_that_vanish_do_no_harm(ctx):
    setup = Setup(ctx)
    setup.esc.mode = "deaf"
    for n in range(5):
        client = setup.puad.control()
        client.submit("pua_publish", {"presentity_uri": f"sip:v{n}@example.com", **PRESENCE, "body": pidf("sip:v@x", "v")})
        client.close()
    nameless = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    nameless.sendto(b'{"jsonrpc":"2.0","id":1,"method":"version"}', str(setup.puad.socket))
    nameless.close()
    setup.esc.mode = "answer"
    wait_for(lambda: len(setup.esc.live()) == 8, 10, "their publications are made all the same")
    equal(setup.control.stats()["records"], 8, "records")


@suite.test
def lists_have_pages_and_filters(ctx):
    setup = Setup(ctx)
    numbers = [setup.control.submit("pua_publish", {"presentity_uri": f"sip:l{n}@example.com", **PRESENCE,
                                                    "body": pidf(f"sip:l{n}@example.com", "l")}) for n in range(500)]
    for number in numbers:
        setup.control.wait(number)
    equal(len({r["presentity_uri"] for r in setup.control.list()}), 503, "records over all pages")
    equal(len({r["presentity_uri"] for r in setup.control.list(limit=7)}), 503, "records over small pages")
    equal(len(setup.control.list(presentity_uri="sip:l1*")), 111, "records that begin with sip:l1")
    equal(len(setup.control.list(event="dialog")), 0, "records of event dialog")
    equal(len(setup.control.list(state="live")), 503, "live records")
    equal(setup.control.error("pua_list", {"limit": 0}).code, -32602, "code for limit 0")
    equal(setup.control.error("pua_list", {"event": "weather"}).code, 400, "code for an unknown event")


@suite.test
def the_other_commands_answer(ctx):
    setup = Setup(ctx)
    call = setup.control.call
    names = call("which")
    for name in ("pua_publish", "pua_mi:publish", "pua.publish", "pua_list", "pua_show", "pua_stats", "pua_flush", "log_level",
                 "version", "uptime", "which"):
        check(name in names, f"{name} is not in which")
    equal(call("pua_flush"), {"flushed": True}, "answer to pua_flush")
    equal(call("log_level", {"level": "debug"}), {"level": "debug"}, "answer to log_level")
    equal(setup.control.error("log_level", {"level": "loud"}).code, -32602, "code for a bad level")
    check("Server" in call("version") and "Up time" in call("uptime"), "version or uptime")
    stats = setup.control.stats()
    equal((stats["records"], stats["live"], stats["requests_initial"]), (3, 3, 3), "counters")
    check(isinstance(call("help"), list), "help")


# --- FIFO -------------------------------------------------------------------------------------------

class Fifo:
    def __init__(self, ctx, setup):
        self.ctx, self.path = ctx, setup.puad.settings["pua_mi", "fifo_name"]

    def ask(self, text, name="reply", timeout=5, what="a request"):
        """Writes text; returns what comes back in the reply FIFO."""
        reply = self.ctx.dir / name
        if not reply.exists():
            os.mkfifo(reply)
        reader = os.open(reply, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.write(text)
            data = b""

            def complete():
                nonlocal data
                try:
                    data += os.read(reader, 1 << 20)
                except BlockingIOError:
                    pass
                # Answers are lines. One to a broken request before this one has no id.
                answers = [json.loads(line) for line in data.splitlines(True) if line.endswith(b"\n")]
                return next((a for a in answers if a["id"] is not None), None)
            return wait_for(complete, timeout, f"an answer in the reply FIFO after {what}")
        finally:
            os.close(reader)

    def write(self, text):
        writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.set_blocking(writer, True)
            data = text if isinstance(text, bytes) else text.encode()
            while data:
                data = data[os.write(writer, data):]
        finally:
            os.close(writer)


def with_fifo(ctx):
    return Setup(ctx, fifo_name=str(ctx.dir / "puad.fifo"), fifo_reply_dir=str(ctx.dir))


@suite.test
def the_fifo_speaks_both_framings(ctx):
    setup = with_fifo(ctx)
    fifo = Fifo(ctx, setup)
    opensips = {"jsonrpc": "2.0", "id": 7, "method": "pua_publish",
                "params": {"presentity_uri": ALICE, **PRESENCE, "body": pidf(ALICE, "by fifo")}}
    answer = fifo.ask(f":reply:{json.dumps(opensips)}\n")
    equal((answer["id"], answer["result"]["reply"]), (7, "200 OK"), "answer in OpenSIPS's framing")
    kamailio = {"jsonrpc": "2.0", "id": 8, "method": "pua.publish", "reply_name": "reply2",
                "params": [PEOPLE[1], 600, "presence", "application/pidf+xml", ".", ".", ".", ".", pidf(PEOPLE[1], "by fifo")]}
    answer = fifo.ask(json.dumps(kamailio) + "\n", "reply2")
    equal((answer["id"], answer["result"]["reply"]), (8, "200 OK"), "answer in Kamailio's framing")
    for uri in PEOPLE[:2]:
        (_, state), = setup.esc.live(uri)
        check(b"by fifo" in state.body, f"the document of {uri} did not arrive")
    equal(os.stat(setup.puad.settings["pua_mi", "fifo_name"]).st_mode & 0o777, 0o660, "mode of the FIFO")


@suite.test
def bad_input_in_the_fifo_does_no_harm(ctx):
    setup = with_fifo(ctx)
    fifo = Fifo(ctx, setup)
    ask = ':reply:{"jsonrpc":"2.0","id":1,"method":"version"}\n'
    for what, text in (
            ("nonsense", "hello\n"), ("no reply FIFO", '{"jsonrpc":"2.0","id":1,"method":"version"}\n'),
            ("a reply FIFO that is not there", ':none:{"jsonrpc":"2.0","id":1,"method":"version"}\n'),
            ("a reply FIFO in another folder", ':../../etc/passwd:{"jsonrpc":"2.0","id":1,"method":"version"}\n'),
            ("an absolute reply FIFO", f':{ctx.dir}/reply:{{"jsonrpc":"2.0","id":1,"method":"version"}}\n'),
            ("half a request", ':reply:{"jsonrpc":"2.0","id":1,\n'), ("1 MB", b"x" * (1 << 20) + b"\n"),
            ("nested 10,000 deep", ":reply:" + "[" * 10000 + "\n"), ("NUL octets", b"\0" * 5000 + b"\n")):
        fifo.write(text)
        setup.untouched(what)
        # A request that began and does not end is given up after some seconds; the next one is on its own.
        equal(fifo.ask(ask, what=what, timeout=12).get("id"), 1, f"id of the answer after {what}")
        setup.untouched(what)


@suite.test
def a_reply_fifo_that_nobody_reads_holds_up_nobody(ctx):
    setup = with_fifo(ctx)
    os.mkfifo(ctx.dir / "deserted")
    for _ in range(3):
        Fifo(ctx, setup).write(':deserted:{"jsonrpc":"2.0","id":1,"method":"version"}\n')
        began = time.monotonic()
        setup.control.call("version")
        check(time.monotonic() - began < 3, "the loop was held up")      # by a FIFO without a reader: for ever
    link = ctx.dir / "secret"
    link.write_text("keep me")
    Fifo(ctx, setup).write(':secret:{"jsonrpc":"2.0","id":1,"method":"version"}\n')
    setup.control.call("version")
    equal(link.read_text(), "keep me", "a plain file named as reply FIFO")


main_is(suite)
