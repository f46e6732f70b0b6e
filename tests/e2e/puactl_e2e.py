#!/usr/bin/env python3
"""puactl against a running puad: every command, tables for people, JSON for scripts, exit statuses that mean something."""
import json
import time
import unicodedata

from esc import Esc
from harness import Suite, check, equal, main_is, program, wait_for
from puad import Puad, note_of, pidf, puactl, run

suite = Suite()
ALICE, BOB = "sip:alice@example.com", "sip:bob@example.com"
GOOD, ERROR, USAGE, UNREACHABLE, TIMEOUT = range(5)


class Setup:
    def __init__(self, ctx):
        self.ctx, self.esc = ctx, Esc(ctx)
        self.puad = Puad(ctx, self.esc.uri).start()
        self.file = ctx.dir / "body.xml"

    def __call__(self, *arguments, status=GOOD, says=(), **more):
        """Runs puactl and checks its exit status and what it says, on the right stream."""
        done = puactl(self.puad, *arguments, **more)
        what = "puactl " + " ".join(str(a) for a in arguments)[:100]
        equal(done.returncode, status, f"exit of {what} ({done.stderr.strip() or done.stdout.strip()})")
        check((done.stderr == "") == (status == GOOD), f"{what} wrote to stderr: {done.stderr!r}")
        text = done.stdout if status == GOOD else done.stderr
        for part in says:
            check(part in text, f"{part!r} is not in what {what} says: {text!r}")
        return done.stdout

    def publish(self, uri, note, *arguments, **more):
        self.file.write_text(pidf(uri, note))
        return self("publish", uri, "--event", "presence", "--body-file", self.file, *arguments, **more)

    def document(self, uri):
        (_, state), = self.esc.live(uri)
        return note_of(state.body.decode())


@suite.test
def publish_modify_refresh_remove(ctx):
    ctl = Setup(ctx)
    ctl.publish(ALICE, "one", "--expires", "600", says=["200 OK", "600"])
    equal(ctl.document(ALICE), "one", "document")
    answer = json.loads(ctl.publish(ALICE, "two", "--expires", "600", "--json"))
    equal((answer["reply"], answer["durable"], ctl.document(ALICE)), ("200 OK", True, "two"), "answer and document")
    ctl("publish", ALICE, "--event", "presence", "--body", "-", stdin=pidf(ALICE, "from stdin"))
    ctl("publish", BOB, "--event", "presence", "--body", pidf(BOB, "inline"), "--expires", "forever", "--header", "X-Desk: 4")
    equal((ctl.document(ALICE), ctl.document(BOB)), ("from stdin", "inline"), "documents")
    before = len(ctl.esc.requests(ALICE))
    ctl("publish", ALICE, "--event", "presence", "--expires", "900", says=["900"])
    last = ctl.esc.requests(ALICE)[before]
    equal((bool(last.if_match), last.octets, last.expires), (True, 0, 900), "a refresh on demand")
    etag = ctl.esc.live(ALICE)[0][0]
    ctl("remove", ALICE, "--event", "presence", "--etag", "wrong", status=ERROR, says=["418"])
    ctl("remove", ALICE, "--event", "presence", "--etag", etag, says=["200 OK"])
    equal(ctl.esc.live(ALICE), [], "publications of alice")
    ctl("remove", ALICE, "--event", "presence", status=ERROR, says=["404"])


@suite.test
def several_publications_of_one_presentity_by_id(ctx):
    ctl = Setup(ctx)
    for name in ("desk", "phone"):
        ctl.publish(ALICE, name, "--id", name)
    equal(len(ctl.esc.live(ALICE)), 2, "publications")
    ctl("remove", ALICE, "--event", "presence", "--id", "desk")
    equal(ctl.document(ALICE), "phone", "what is left")


@suite.test
def list_and_show(ctx):
    ctl = Setup(ctx)
    check(ALICE not in ctl("list"), "an empty list shows alice")
    control = ctl.puad.control()
    for n in range(450):
        control.publish(f"sip:u{n}@example.com", pidf(f"sip:u{n}@example.com", "u"), 600)
    ctl.publish(ALICE, "shown")
    etag = ctl.esc.live(ALICE)[0][0]
    ctl("list", "--uri", ALICE, says=[ALICE, "presence", "live", etag])
    equal(len(json.loads(ctl("list", "--all", "--json"))["records"]), 451, "records of list --all")
    equal(len(json.loads(ctl("list", "--limit", "3", "--json"))["records"]), 3, "records of list --limit 3")
    equal(len(json.loads(ctl("list", "--uri", "sip:u1*", "--all", "--json"))["records"]), 111, "records that begin with u1")
    equal(len(json.loads(ctl("list", "--event", "dialog", "--json"))["records"]), 0, "records of another event")
    ctl("show", ALICE, says=[ALICE, etag, "shown"])
    equal(json.loads(ctl("show", ALICE, "--json"))["records"][0]["etag"], etag, "entity-tag that show gives")
    ctl("show", "sip:nobody@example.com", status=ERROR, says=["404"])


@suite.test
def the_other_commands(ctx):
    ctl = Setup(ctx)
    ctl.publish(ALICE, "x")
    ctl("stats", says=["records", "requests_initial"])
    equal(json.loads(ctl("stats", "requests_*", "--json"))["requests_initial"], 1, "a counter")
    ctl("flush")
    ctl("reload")
    ctl("version", says=["puad"])
    ctl("uptime", says=["sec"])
    ctl("log-level", says=["notice"])
    ctl("log-level", "debug", says=["debug"])
    ctl("log-level", "loud", status=ERROR, says=["level"])
    ctl("which", says=["pua_publish", "pua.publish"])
    ctl("help", says=["publish", "Exit status"])
    ctl("--help", says=["publish"])
    answer = json.loads(ctl("raw", '{"jsonrpc":"2.0","id":5,"method":"version"}'))
    equal(answer["id"], 5, "id of the answer to raw")
    done = puactl(ctl.puad, "raw", '{"jsonrpc":"2.0","id":5,"method":"nothing"}')
    equal((done.returncode, json.loads(done.stdout)["error"]["code"]), (ERROR, -32601), "raw with an unknown method")
    done = puactl(ctl.puad, "raw", "{")
    equal((done.returncode, json.loads(done.stdout)["error"]["code"]), (ERROR, -32700), "raw with broken JSON")


@suite.test
def errors_have_their_exit_status(ctx):
    ctl = Setup(ctx)
    for arguments in ((), ("explode",), ("publish",), ("publish", ALICE), ("list", "--no-such"), ("list", "--limit", "x"),
                      ("publish", ALICE, "--event", "presence", "--expires", "soon"), ("show",), ("show", ALICE, "more"),
                      ("publish", ALICE, "--event", "presence", "--body-file", ctx.dir / "none.xml"),
                      ("publish", ALICE, "--event", "presence", "--body-file", ctx.dir),
                      ("publish", ALICE, "--event", "presence", "--body", "a", "--body-file", "/dev/null")):
        ctl(*arguments, status=USAGE)
    equal(ctl.esc.requests(), [], "requests sent by bad usage")
    ctl("publish", ALICE, "--event", "weather", "--body", "x", status=ERROR, says=["Unknown event"])
    ctl("publish", ALICE, "--event", "presence", "--body", "not xml", status=ERROR, says=["400"])
    ctl("publish", ALICE, "--event", "presence", "--body", pidf(ALICE, "x"), "--header", "X: y\r\nVia: z", status=USAGE)
    ctl("publish", "sip:a\r\nb@example.com", "--event", "presence", "--body", pidf(ALICE, "x"), status=ERROR, says=["404"])
    ctl.esc.script = lambda t: (403, "Forbidden", "")
    ctl.publish(ALICE, "x", status=ERROR, says=["403", "Forbidden"])
    ctl.esc.script = None
    for arguments in (("version",), ("list",), ("raw", '{"jsonrpc":"2.0","id":1,"method":"version"}')):
        done = run(program("puactl"), "-s", ctx.dir / "nobody.sock", *arguments)
        equal(done.returncode, UNREACHABLE, f"exit of {arguments} without a daemon")
        check("nobody.sock" in done.stderr, f"it said {done.stderr!r}")
    ctl.puad.sigkill()
    ctl("version", status=UNREACHABLE)


@suite.test
def a_typing_mistake_is_an_error_that_names_what_there_is(ctx):
    ctl = Setup(ctx)
    ctl.publish(ALICE, "x")
    ctl("list", "--state", "foo", status=ERROR, says=["-32602", "no such state", "live", "backoff", "waiting"])
    ctl("list", "--state", "bakoff", status=ERROR, says=['did you mean "backoff"'])
    ctl("list", "--uri", "*@x", status=ERROR, says=["-32602", "sip:", "at the very end"])
    ctl("list", "--uri", "alice@example.com", status=ERROR, says=["sip:"])
    ctl("list", "--source", "MI_PUBLIS", status=ERROR, says=['did you mean "MI_PUBLISH"'])
    ctl("list", "--event", "presense", status=ERROR, says=["Unknown event", "message-summary", 'did you mean "presence"'])
    ctl("publish", ALICE, "--event", "weather", "--body", "x", status=ERROR, says=["Unknown event", "presence", "dialog"])
    ctl("subscribe", ALICE, "--watcher", BOB, "--event", "presense", status=ERROR, says=['did you mean "presence"'])
    ctl("pubish", ALICE, status=USAGE, says=['did you mean "publish"'])
    ctl("list", "--sate", "live", status=USAGE, says=['did you mean "--state"'])
    ctl("list", "--state", "live", says=[ALICE])
    ctl("list", "--state", "waiting", says=["no records"])
    ctl("which", "pua_publis", status=ERROR, says=['did you mean "pua_publish"'])
    ctl("which", "pua_unsubscribe", says=["presentity_uri, watcher_uri, event_package, id, to_uri"])


@suite.test
def each_command_has_its_help(ctx):
    ctl = Setup(ctx)
    for command in ("publish", "remove", "subscribe", "unsubscribe", "list", "show", "stats", "flush", "reload", "log-level", "version",
                    "uptime", "which", "raw"):
        text = ctl(command, "--help", says=[f"Usage: puactl {command}", "--timeout"])
        equal(ctl("help", command), text, f"help {command}")
        check(max(map(len, text.splitlines())) <= 80, f"help of {command} is too wide")
    ctl("publish", "--help", says=["--event EVENT", "--body-file", "--expires", "forever"])
    equal(ctl.esc.requests(), [], "requests sent by asking for help")


@suite.test
def errors_are_json_where_that_is_asked_for(ctx):
    ctl = Setup(ctx)
    for arguments, status, code in ((("show", "sip:nobody@example.com"), ERROR, 404), (("list", "--state", "foo"), ERROR, -32602),
                                    (("lst",), USAGE, None), (("publish", ALICE), USAGE, None)):
        for line in ((*arguments, "--json"), ("--json", *arguments)):
            done = puactl(ctl.puad, *line)
            said = json.loads(done.stderr)
            equal((done.returncode, said["exit"], said["error"].get("code"), done.stdout), (status, status, code, ""), f"error of {line}")
            check(said["error"]["message"], f"message of {line}")
    done = run(program("puactl"), "-s", ctx.dir / "nobody.sock", "--json", "version")
    equal((done.returncode, json.loads(done.stderr)["exit"]), (UNREACHABLE, UNREACHABLE), "an unreachable daemon")
    ctl.esc.mode = "deaf"
    done = puactl(ctl.puad, "--json", "--timeout", "1", "publish", ALICE, "--event", "presence", "--body", pidf(ALICE, "x"))
    equal((done.returncode, json.loads(done.stderr)["exit"]), (TIMEOUT, TIMEOUT), "no answer in time")


@suite.test
def lists_fit_80_columns_and_stand_below_each_other(ctx):
    ctl = Setup(ctx)
    long = "sip:somebody-with-quite-a-long-name@department.example.com"
    for uri, more in ((ALICE, ()), (BOB, ("--id", "\u65e5\u672c\u8a9e")), ("sip:j@example.com", ("--id", "J\u00fcrgen")), (long, ())):
        ctl.publish(uri, "x", *more)
    lines = ctl("list").splitlines()
    check(max(map(columns, lines)) <= 80, f"a list of {max(map(columns, lines))} columns: {lines}")
    check(any(long in line for line in lines), "a long URI is cut")
    rows = [line for line in lines if "live" in line]
    equal(len(rows), 4, "rows")
    equal({columns(line[:line.index("live")]) for line in rows}, {columns(lines[0][:lines[0].index("STATE")])}, "columns where STATE stands")
    done = run("env", "COLUMNS=120", program("puactl"), "-s", ctl.puad.socket, "list")
    check(any(line.startswith(long + " ") for line in done.stdout.splitlines()), f"a wide terminal is not used: {done.stdout!r}")
    wide = ctl("list", "--wide").splitlines()
    check(all(title in wide[0] for title in ("GRANTED", "WANTED", "CSEQ", "TRIES", "STORED", "ETAG")), f"titles: {wide[0]!r}")
    equal(len(wide), 5, "lines of a wide list")


def columns(text):
    """As a terminal counts them."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


@suite.test
def no_answer_in_time_has_its_own_status(ctx):
    ctl = Setup(ctx)
    ctl.esc.mode = "deaf"
    began = time.monotonic()
    ctl.publish(ALICE, "late", "--timeout", "1", status=TIMEOUT)
    took = time.monotonic() - began
    check(0.9 <= took <= 5.0, f"it took {took:.1f} s")
    ctl.esc.mode = "answer"
    wait_for(lambda: ctl.esc.live(ALICE), 5, "the publication is made all the same")


@suite.test
def what_records_hold_cannot_play_with_the_terminal(ctx):
    ctl = Setup(ctx)
    ctl.puad.control().publish(ALICE, pidf(ALICE, "bell \u009b31m"), 600, extra_headers="X-Odd: \u009b2J\r\n")
    ctl.puad.control().publish(BOB, pidf(BOB, "x \u202e\u2066 y"), 600, extra_headers="X-Odd: \u202egpj.exe\r\n")
    text = ctl("show", ALICE) + ctl("list") + ctl("show", BOB) + ctl("show", BOB, "--json") + ctl("show", ALICE, "--json")
    text += ctl("raw", json.dumps({"jsonrpc": "2.0", "id": 1, "method": "pua_show", "params": [BOB]}))
    check(not any(c in text for c in "\u202e\u2066\u009b"), "C1 or direction characters reach the terminal")
    equal(json.loads(ctl("show", BOB, "--json"))["records"][0]["extra_headers"], "X-Odd: \u202egpj.exe\r\n", "the value in JSON")
    check(not any(ord(c) < 32 and c != "\n" or 0x7f <= ord(c) < 0xa0 for c in text), "control characters reach the terminal")


@suite.test
def a_full_output_is_an_error(ctx):
    ctl = Setup(ctx)
    done = run("sh", "-c", f"'{program('puactl')}' -s '{ctl.puad.socket}' which > /dev/full")
    equal(done.returncode, ERROR, "exit with output to a full device")


main_is(suite)
