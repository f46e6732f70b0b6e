#!/usr/bin/env python3
"""puad watches through a real presence server what it publishes there itself: four event packages, UDP and TCP."""
import time

from documents import document
from harness import Suite, check, equal, main_is, wait_for
from kamailio import Kamailio
from puad import Puad, pidf

suite = Suite()
BOB = "sip:bob@example.com"
GRANT = 8   # s


def start(ctx, transport, grant=GRANT):
    """(server, puad, control): puad talks to the server, and takes NOTIFYs, over this transport."""
    server = Kamailio(ctx, min_expires=1, max_expires=grant)
    puad = Puad(ctx, server.uri + ("" if transport == "udp" else f";transport={transport}"), sip_t1=200).listen(transport)
    puad.start()
    return server, puad, puad.control()


def shown(control, event, mark):
    """Whether the last NOTIFY brought a document of this package with this mark."""
    record = control.subscription(BOB, event)
    return record["content_type"] == document(event, BOB, "", 0)[0] and mark in record["body"]


def watch_over(transport, event):
    """Publish, subscribe, see it; change, see it; a refresh; unsubscribe."""
    def run(ctx):
        server, _, control = start(ctx, transport)

        def publish(version, mark):
            content_type, body = document(event, BOB, mark, version)
            control.publish(BOB, body.decode(), 3600, event=event, content_type=content_type)
        publish(0, "111")
        equal(control.subscribe(BOB, 3600, event=event)["Expires"], GRANT, "granted")
        wait_for(lambda: shown(control, event, "111"), 3, "the published document")
        row, = server.watchers("bob", event)
        publish(1, "222")
        wait_for(lambda: shown(control, event, "222"), 3, "the change")
        wait_for(lambda: [w["remote_cseq"] > row["remote_cseq"] for w in server.watchers("bob", event)] == [True], GRANT,
                 "a refresh in the one dialog, with a higher CSeq")
        after, = server.watchers("bob", event)
        equal((after["callid"], control.stats()["subscribes_initial"]), (row["callid"], 1), "Call-ID, subscriptions made")
        control.unsubscribe(BOB, event=event)
        wait_for(lambda: not control.subscriptions(BOB), 3, "the record is gone")
        wait_for(lambda: not server.watchers("bob", event), 3, "the server's subscription is gone")
        publish(2, "333")
        time.sleep(0.5)
        stats = control.stats()
        equal((stats["notifies_unknown"], stats["notifies_bad"], stats["dialogs_lost"]), (0, 0, 0), "NOTIFYs refused, dialogs lost")
    run.__name__ = f"{event.replace('-', '_')}_over_{transport}"
    suite.test(run)


for one in ("presence", "dialog", "message-summary"):
    for kind in ("udp", "tcp"):
        watch_over(kind, one)


def watch_watchers_over(transport):
    """presence.winfo: who watches bob is what another subscription changes."""
    def run(ctx):
        server, _, control = start(ctx, transport)
        control.subscribe(BOB, 3600, event="presence.winfo", watcher=BOB)
        wait_for(lambda: shown(control, "presence.winfo", "watcherinfo"), 3, "a first document")
        control.subscribe(BOB, 3600, watcher="sip:carol@example.com")
        wait_for(lambda: shown(control, "presence.winfo", "sip:carol@example.com"), 3, "a watcher appears")
        wait_for(lambda: control.stats()["subscribes_refresh"] >= 2, GRANT, "refreshes")
        before = control.subscription(BOB, "presence.winfo")["notifies"]
        control.unsubscribe(BOB, watcher="sip:carol@example.com")
        wait_for(lambda: control.subscription(BOB, "presence.winfo")["notifies"] > before, 3,
                 "the watcher's end is told")
        control.unsubscribe(BOB, event="presence.winfo", watcher=BOB)
        wait_for(lambda: not control.subscriptions(BOB), 3, "the records are gone")
        wait_for(lambda: not server.watchers("bob"), 3, "the server's subscriptions are gone")
        stats = control.stats()
        equal((stats["subscribes_initial"], stats["notifies_bad"], stats["dialogs_lost"]), (2, 0, 0),
              "subscriptions made, NOTIFYs refused, dialogs lost")
    run.__name__ = f"presence_winfo_over_{transport}"
    suite.test(run)


watch_watchers_over("udp")
watch_watchers_over("tcp")


@suite.test
def a_sigkill_in_mid_subscription(ctx):
    server, puad, control = start(ctx, "udp", grant=20)
    control.publish(BOB, pidf(BOB, "before"), 3600)
    control.subscribe(BOB, 3600)
    wait_for(lambda: shown(control, "presence", "before"), 3, "the published document")
    row, = server.watchers("bob", "presence")
    puad.sigkill()
    puad.start()
    control = puad.control()
    control.publish(BOB, pidf(BOB, "after"), 3600)
    wait_for(lambda: shown(control, "presence", "after"), 3, "a change right after the restart")
    wait_for(lambda: server.watchers("bob", "presence")[0]["remote_cseq"] > row["remote_cseq"], 10, "the refresh")
    after, = server.watchers("bob", "presence")
    equal(after["callid"], row["callid"], "Call-ID")
    control.unsubscribe(BOB)
    wait_for(lambda: not server.watchers("bob"), 3, "the server's subscription is gone")


@suite.test
def a_server_that_restarts_without_its_table_is_subscribed_to_again(ctx):
    server, _, control = start(ctx, "udp", grant=6)
    control.publish(BOB, pidf(BOB, "here"), 3600)
    control.subscribe(BOB, 3600)
    wait_for(lambda: shown(control, "presence", "here"), 3, "the published document")
    first, = server.watchers("bob", "presence")
    server.stop()
    server.forget()
    server.reader.execute("delete from active_watchers")
    server.start()
    wait_for(lambda: server.watchers("bob", "presence"), 15, "a new subscription")
    row, = server.watchers("bob", "presence")
    check(row["callid"] != first["callid"], "the new subscription has the old Call-ID")
    control.publish(BOB, pidf(BOB, "again"), 3600)
    wait_for(lambda: shown(control, "presence", "again"), 5, "a change")
    equal(len(server.watchers("bob")), 1, "subscriptions at the server")


main_is(suite)
