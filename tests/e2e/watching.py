"""A puad that subscribes at the scripted notifier, and what the tests of both look at."""
from documents import mark_of
from harness import equal, wait_for
from notifier import Notifier
from puad import Puad

BOB = "sip:bob@example.com"


def start(ctx, grant=3600, transport="udp", sip_t1=100, min_expires=0, direct=False, **pua):
    """(notifier, puad, control), puad sending everything to the notifier; direct: where the Request-URI says."""
    notifier = Notifier(ctx, grant=grant, min_expires=min_expires)
    notifier.direct = direct
    proxy = notifier.uri + ("" if transport == "udp" else f";transport={transport}")
    puad = Puad(ctx, None if direct else proxy, sip_t1=sip_t1, **pua)
    puad.listen(transport).start()
    return notifier, puad, puad.control()


def no_violations(notifier):
    equal(notifier.violations, [], "what the notifier objects to")


def seen_mark(control, uri=BOB):
    return mark_of(control.subscription(uri)["body"])


def gone(control, uri=BOB):
    return not control.subscriptions(uri)


def cseqs(notifier, uri=BOB):
    return [r.cseq for r in notifier.requests(uri)]


def one_dialog(notifier, uri=BOB, made=1):
    """Still just this many dialogs were ever made, one of them lives, and nothing wrong was seen."""
    equal((len(notifier.made(uri)), len(notifier.live(uri))), (made, 1), "dialogs made, and live, at the notifier")
    no_violations(notifier)
    return notifier.live(uri)[0]


def wait_kinds(notifier, kinds, timeout=8, uri=BOB):
    wait_for(lambda: len(notifier.kinds(uri)) >= len(kinds), timeout, f"{kinds} (so far {notifier.kinds(uri)})")
    equal(notifier.kinds(uri), kinds, "requests")
