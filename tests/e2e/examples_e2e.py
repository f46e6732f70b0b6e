#!/usr/bin/env python3
"""examples/watch.c against a notifier: a program in C with the library inside its own loop."""
import signal

from harness import BUILD, HOST, Suite, equal, main_is, wait_for
from notifier import Notifier
from puad import run
from watching import BOB, no_violations

suite = Suite()
ALICE = "sip:alice@example.com"


def start(ctx, *arguments):
    """(notifier, process, what the process must say)"""
    notifier = Notifier(ctx)
    notifier.marks[BOB] = "mark-one"
    config = ctx.dir / "watch.conf"
    config.write_text(f'modparam("pua", "db_url", "memory:")\nmodparam("pua", "min_expires", 1)\n'
                      f'modparam("pua", "sip_listen", "sip:{HOST}:{ctx.port()}")\nmodparam("pua", "listen", "sip:{HOST}:{ctx.port()}")\n'
                      f'modparam("pua", "outbound_proxy", "{notifier.uri}")\n')
    process = ctx.start("watch", [BUILD / "examples" / "watch", config, BOB, ALICE, *arguments])

    def says(*texts):
        wait_for(lambda: all(t in process.output() for t in texts), 5, f"{texts} (so far {process.output()!r})")
    return notifier, process, says


@suite.test
def watch_prints_each_notify_and_unsubscribes_at_ctrl_c(ctx):
    notifier, process, says = start(ctx)
    says("subscribed: 200 OK, for 3600 s", f"{BOB} is active\n", "mark-one")
    notifier.change(BOB, "mark-two")
    says("mark-two")
    process.signal(signal.SIGINT)
    equal(process.wait(5), 0, "exit status")
    says("ended: 200 OK", f"{BOB} is terminated")
    equal((notifier.kinds(BOB), notifier.live()), (["initial", "unsubscribe"], []), "requests, dialogs")
    no_violations(notifier)


@suite.test
def watch_goes_on_when_the_dialog_is_made_anew(ctx):
    notifier, process, says = start(ctx)
    says("active")
    notifier.terminate(notifier.one(BOB), "deactivated")
    says("terminated (deactivated)")
    wait_for(lambda: len(notifier.made(BOB)) == 2, 5, "a new dialog")
    notifier.terminate(notifier.one(BOB), "noresource")
    equal(process.wait(5), 1, "exit status")


@suite.test
def watch_fetches_once(ctx):
    notifier, process, says = start(ctx, "0")
    equal(process.wait(5), 0, "exit status")
    says("mark-one")
    equal(notifier.kinds(BOB), ["fetch"], "requests")


@suite.test
def watch_ends_with_the_wanted_lifetime(ctx):
    _, process, says = start(ctx, "2")
    equal(process.wait(8), 0, "exit status")
    says("terminated")


@suite.test
def publish_refuses_what_is_no_lifetime_and_a_document_that_is_too_long(ctx):
    config, body = ctx.dir / "publish.conf", ctx.dir / "body"
    config.write_text(f'modparam("pua", "db_url", "memory:")\nmodparam("pua", "sip_listen", "sip:{HOST}:{ctx.port()}")\n')
    body.write_text("x" * 65537)
    for text in ("0", "-1", "abc", "60s", "", "31536001", "99999999999999999999"):
        done = run(BUILD / "examples" / "publish", config, ALICE, body, text)
        equal((done.returncode, done.stdout, done.stderr), (2, "", f'publish: EXPIRES is "{text}", not seconds from 1 to 31536000\n'), text)
    done = run(BUILD / "examples" / "publish", config, ALICE, body, "60")
    equal((done.returncode, done.stdout), (2, ""), "65537 octets")
    equal(done.stderr.splitlines()[-1], f"{body}: longer than 65536 octets", "what is wrong")


main_is(suite)
