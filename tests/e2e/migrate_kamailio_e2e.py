#!/usr/bin/env python3
"""puad goes on with what Kamailio and OpenSIPS have published and subscribed to, at a real presence server.

  old pua --PUBLISH, SUBSCRIBE--> near --> far --> presence server        near and far: proxies that stay on the route
  (SIGKILL; puadbctl migrate)
  puad    --PUBLISH SIP-If-Match, SUBSCRIBE in the dialog--> near --> far --> presence server: the same states and dialogs
"""
import time

from harness import HOST, Suite, check, equal, main_is, wait_for
from kamailio import Kamailio
from kamailio_pua import KamailioPua
from mariadb import MariaDb
from places import MariaPlace, SqlitePlace, expect, insert, make_old_table
from puad import Puad, pidf, puactl
from sipclient import Client
from sipmsg import address_of, uri_of
from siprelay import Relay

suite = Suite()
FOR_EVER = -1
DIALOG_INFO = ('<?xml version="1.0"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="0" state="full" '
               'entity="{uri}"><dialog id="d1"><state>confirmed</state></dialog></dialog-info>\n')


class Scene:
    """The presence server and the two proxies on the way to it, and what the server held when take() was called."""

    def __init__(self, ctx, grant):
        self.server = Kamailio(ctx, min_expires=1, max_expires=grant)
        self.far = Relay(ctx, self.server.port)
        self.near = Relay(ctx, self.far.port)

    def uri(self, user):
        """The first proxy is named in it: Kamailio's pua.subscribe goes by nothing else."""
        return f"sip:{user}@{HOST}:{self.near.port}"

    def take(self):
        self.rows, self.dialogs = self.server.rows(), {w["callid"]: w for w in self.server.watchers()}
        self.requests = len(list(self.server.seen()))

    def seen(self, user=None):
        """Publish requests since take()."""
        return list(self.server.seen())[self.requests:] if user is None else [s for s in self.seen() if s.user == user]

    def all_went_on(self, timeout):
        """Every publication was refreshed with its entity-tag, every dialog within itself; nothing was made a second time."""
        old = {r.etag for r in self.rows}
        wait_for(lambda: not old & {r.etag for r in self.server.rows()}, timeout, "a refresh of each publication")
        now, before = (sorted((r.user, r.event, r.body) for r in rows) for rows in (self.server.rows(), self.rows))
        equal(now, before, "the server's publications")
        equal({s.kind for s in self.seen()}, {"refresh"}, "requests")
        missing = [(r.user, r.etag) for r in self.rows if (r.user, r.event, r.etag) not in
                   {(s.user, s.event, s.if_match) for s in self.seen()}]
        equal(missing, [], "entity-tags that no SIP-If-Match has named")
        wait_for(lambda: all(w["remote_cseq"] > self.dialogs[w["callid"]]["remote_cseq"] for w in self.server.watchers()
                             if w["callid"] in self.dialogs), timeout, "a SUBSCRIBE in each dialog")
        same = ("callid", "from_tag", "to_tag", "watcher", "event", "status", "presentity_uri")
        equal([[w[name] for name in same] for w in self.server.watchers()],
              [[w[name] for name in same] for w in self.dialogs.values()], "the server's subscriptions")

    def route_was_kept(self, users):
        """Requests in the dialogs came through both proxies, in the order in which the first one did."""
        for user in users:
            for relay, wanted in ((self.near, [self.near.port, self.far.port]), (self.far, [self.far.port])):
                found = [[address_of(uri_of(r))[1] for r in m.all("route")] for m in relay.subscribes(user)]
                check(found and all(f == wanted for f in found), f"routes of {user}: {found}, wanted {wanted}")


def start(ctx, scene, name, db_url, port=None, proxy=None):
    """puad on this table, taking NOTIFYs at this port. Returns (puad, control)."""
    puad = Puad(ctx, f"sip:{HOST}:{(proxy or scene.near).port}", name=name, db_url=db_url,
                listen=f"sip:{HOST}:{port or ctx.port()}", sip_t1=200)
    puad.start()
    return puad, puad.control()


def act(puad, *arguments):
    """What the operator types, which must work."""
    done = puactl(puad, *arguments)
    check(done.returncode == 0, f"puactl {' '.join(arguments[:2])}: {done.stdout}{done.stderr}")
    return done.stdout


def only_goes_on(control, refreshes):
    stats = control.stats()
    equal((stats["requests_initial"], stats["requests_modify"], stats["subscribes_initial"]), (0, 0, 0), "new states and dialogs")
    equal((stats["load_bad"], stats["dialogs_lost"], stats["notifies_unknown"], stats["notifies_bad"]), (0, 0, 0, 0),
          "rows, dialogs and NOTIFYs that were refused")
    check(stats["requests_refresh"] >= refreshes, f"{stats['requests_refresh']} refreshes")


def watched_state_follows(scene, puad, control, user):
    """A modification through puactl replaces the state, and comes back as NOTIFY in the old dialog."""
    uri, count = scene.uri(user), len(scene.server.rows())
    act(puad, "publish", uri, "--event", "presence", "--body", pidf(uri, "puad"), "--expires", "1800")
    check(">puad<" in scene.server.one(user).body, f"the server holds {scene.server.one(user).body}")
    equal(len(scene.server.rows()), count, "publications at the server")
    equal(scene.seen(user)[-1].kind, "modify", "the last request")
    wait_for(lambda: ">puad<" in control.subscription(uri)["body"], 3, f"a NOTIFY with the new state of {user}")
    check(1700 < control.record(uri)["wanted_in"] <= 1800, f"wanted end: {control.record(uri)['wanted_in']}")


# --- Kamailio ------------------------------------------------------------------------------------------------------------


def kamailio_at_work(ctx, scene, server, name):
    """A Kamailio whose table is in a database of this name; everybody is called after it."""
    pua = KamailioPua(ctx, f"pua-{name}", MariaPlace(server, name), scene.near.port)
    anna, bert, carl, dora = (scene.uri(f"{who}.{name}") for who in ("anna", "bert", "carl", "dora"))
    pua.publish(anna, pidf(anna, "kamailio"), 3600)
    pua.publish(bert, pidf(bert, "kamailio"), FOR_EVER, headers="X-Why: migrated\r\n", waits=False)
    pua.publish(carl, pidf(carl, "kamailio"), 3600, ident="desk")
    pua.publish(dora, pidf(dora, "kamailio"), 3600)
    pua.subscribe(anna, 3600)
    pua.subscribe(bert, 3600)
    return pua


def operator_goes_on(scene, puad, control, name):
    """What was Kamailio's is modified, removed and unsubscribed from by the commands and keys of puad."""
    anna, bert, carl, dora = (scene.uri(f"{who}.{name}") for who in ("anna", "bert", "carl", "dora"))
    equal({(r["source_name"], r["event"]) for r in control.list()}, {("MI_PUBLISH", "presence"), ("MI_SUBSCRIBE", "presence")},
          "keys of the records")
    check(3500 < control.record(anna)["wanted_in"] <= 3600, f"wanted end of anna: {control.record(anna)['wanted_in']}")
    equal(control.record(bert)["wanted_in"], FOR_EVER, "wanted end of bert")
    check("X-Why: migrated" in act(puad, "show", bert, "--kind", "publication"), "the header line of bert is gone")
    watched_state_follows(scene, puad, control, f"anna.{name}")
    act(puad, "publish", carl, "--event", "presence", "--id", "desk", "--body", pidf(carl, "puad"))
    check(">puad<" in scene.server.one(f"carl.{name}").body, "the server has the old state of carl")
    act(puad, "remove", dora, "--event", "presence")
    act(puad, "remove", carl, "--event", "presence", "--id", "desk")
    equal([r.user for r in scene.server.rows() if name in r.user], [f"anna.{name}", f"bert.{name}"], "left at the server")
    watcher = control.subscription(anna)["watcher_uri"]
    act(puad, "unsubscribe", anna, "--event", "presence", "--watcher", watcher)
    wait_for(lambda: not scene.server.watchers(f"anna.{name}"), 3, "the subscription to anna ends")
    equal(len(scene.server.watchers(f"bert.{name}")), 1, "subscriptions to bert")
    wait_for(lambda: len(control.list()) == 3, 3, "three records are left")


@suite.test
def puad_goes_on_with_what_kamailio_left_in_place_and_in_sqlite(ctx):
    scene, server = Scene(ctx, grant=20), MariaDb(ctx)
    stays, moves = (kamailio_at_work(ctx, scene, server, name) for name in ("stays", "moves"))
    for pua in (stays, moves):
        pua.crash(rows=6)
    scene.take()
    equal((len(scene.rows), len(scene.dialogs)), (8, 4), "publications and subscriptions at the server")
    new = SqlitePlace(ctx, "new")
    expect(0, "migrate", "--from", "kamailio", "--url", stays.place.url, holds="carried 6 (4 publications, 2 subscriptions)")
    expect(0, "migrate", "--from", "kamailio", "--source", moves.place.url, "--url", new.url, "--own-contact",
           holds="carried 6 (4 publications, 2 subscriptions)")
    both = [("stays", *start(ctx, scene, "puad-stays", stays.place.url, port=stays.port)),   # its Contact is Kamailio's address
            ("moves", *start(ctx, scene, "puad-moves", new.url))]                            # and this one has its own
    scene.all_went_on(timeout=9)
    for name, puad, control in both:
        only_goes_on(control, refreshes=4)
        users = [f"anna.{name}", f"bert.{name}"]
        scene.route_was_kept(users)
        for user in users:
            wait_for(lambda u=user, c=control: ">kamailio<" in c.subscription(scene.uri(u))["body"], 3, f"the state of {user}")
            contact = scene.server.watchers(user)[0]["contact"]
            equal(address_of(contact)[1], address_of(puad.settings["pua", "listen"])[1], f"Contact of the subscription to {user}")
        operator_goes_on(scene, puad, control, name)


# --- OpenSIPS ------------------------------------------------------------------------------------------------------------


class OpensipsRows:
    """Publishes and subscribes, and makes of it the rows that OpenSIPS 3.x would have written: what it does not keep is NULL,
    cseq that of the last request, record_route in the order of requests, times absolute."""

    def __init__(self, client):
        self.client, self.rows = client, []

    def publish(self, uri, wanted, flag=64, ident="", event="presence", bit=1, body=None, **more):
        content_type = "application/dialog-info+xml" if event == "dialog" else "application/pidf+xml"
        now = int(time.time())
        etag, end = self.client.publish(uri, body or pidf(uri, "opensips"), 3600 if wanted == FOR_EVER else wanted, event,
                                        content_type)
        self.rows.append({"id": len(self.rows) + 1, "pres_uri": uri.encode(), "pres_id": ident.encode(), "event": bit,
                          "expires": end, "desired_expires": 0 if wanted == FOR_EVER else now + wanted, "flag": flag,
                          "etag": etag.encode(), "cseq": 0, "version": 1, **more})

    def subscribe(self, uri, watcher, wanted, flag=256, cseq=1):
        d = self.client.subscribe(uri, watcher, wanted, cseq=cseq)
        self.rows.append({"id": len(self.rows) + 1, "pres_uri": uri.encode(), "pres_id": b"", "event": 1, "expires": d.expires_at,
                          "desired_expires": int(time.time()) + wanted, "flag": flag, "watcher_uri": watcher.encode(),
                          "to_uri": uri.encode(), "call_id": d.call_id.encode(), "to_tag": d.remote_tag.encode(),
                          "from_tag": d.local_tag.encode(), "cseq": d.cseq,
                          "record_route": ",".join(f"<{u}>" for u in d.route_set).encode(), "contact": d.contact.encode(),
                          "remote_contact": d.target.encode(), "version": 0})


@suite.test
def puad_goes_on_with_what_opensips_left(ctx):
    scene, place = Scene(ctx, grant=8), MariaPlace(MariaDb(ctx), "opensips")
    make_old_table(place, "opensips")
    client = Client(ctx, scene.near.port)
    left = OpensipsRows(client)
    anna, bert, carl, dora = map(scene.uri, ("anna", "bert", "carl", "dora"))
    watcher = "sip:watcher@example.com"
    left.publish(anna, 3600, flag=128)                                       # by MI, asked for asynchronously
    left.publish(bert, FOR_EVER, extra_headers=b"X-Why: migrated\r\n", sharing_tag=b"vip")
    left.publish(carl, 3600, flag=1024, ident="DIALOG_PUBLISH.c1", event="dialog", bit=64, body=DIALOG_INFO.format(uri=carl))
    left.publish(dora, 3600, flag=1, ident="UL_PUBLISH.x")
    left.subscribe(anna, watcher, 3600, cseq=17)
    left.subscribe(bert, watcher, 3600, flag=512)                            # by rls
    client.close()
    insert(place, "pua", *left.rows)
    scene.take()
    equal((len(scene.rows), len(scene.dialogs)), (4, 2), "publications and subscriptions at the server")
    expect(0, "migrate", "--from", "opensips", "--url", place.url, holds="carried 6 (4 publications, 2 subscriptions)")
    puad, control = start(ctx, scene, "puad", place.url, port=client.port)
    scene.all_went_on(timeout=5)
    only_goes_on(control, refreshes=4)
    scene.route_was_kept(["anna", "bert"])
    keys = {(r["presentity_uri"], r["source_name"], r["event"], r.get("pres_id", "")) for r in control.list()}
    equal(keys, {(anna, "MI_PUBLISH", "presence", ""), (bert, "MI_PUBLISH", "presence", ""),
                 (carl, "DIALOG_PUBLISH", "dialog", "DIALOG_PUBLISH.c1"), (dora, "UL_PUBLISH", "presence", "UL_PUBLISH.x"),
                 (anna, "MI_SUBSCRIBE", "presence", ""), (bert, "RLS_SUBSCRIBE", "presence", "")}, "keys of the records")
    for uri in (anna, bert):
        wait_for(lambda u=uri: ">opensips<" in control.subscription(u)["body"], 3, f"the state of {uri}")
    watched_state_follows(scene, puad, control, "anna")
    act(puad, "remove", bert, "--event", "presence")
    equal(scene.server.rows("bert"), [], "publications of bert")
    act(puad, "unsubscribe", anna, "--event", "presence", "--watcher", watcher)
    wait_for(lambda: not scene.server.watchers("anna"), 3, "the subscription to anna ends")
    # What modules own is kept alive, and is not the operator's.
    done = puactl(puad, "remove", dora, "--event", "presence", "--id", "UL_PUBLISH.x")
    check(done.returncode == 1, f"the operator has removed what UL_PUBLISH owns: {done.stdout}")
    equal([r.user for r in scene.server.rows()], ["anna", "carl", "dora"], "left at the server")


@suite.test
def a_412_to_a_migrated_publication_is_told_and_ends_it(ctx):
    """The row has no document: only its owner can publish again."""
    scene, place = Scene(ctx, grant=6), SqlitePlace(ctx)
    make_old_table(place, "opensips")
    client = Client(ctx, scene.server.port)
    left = OpensipsRows(client)
    erin, fred, gina = map(scene.uri, ("erin", "fred", "gina"))
    for uri in (erin, fred, gina):
        left.publish(uri, 3600)
    insert(place, "pua", *left.rows)
    scene.server.forget()
    scene.take()
    expect(0, "migrate", "--from", "opensips", "--url", place.url, holds="carried 3 ")
    puad, control = start(ctx, scene, "puad", place.url, proxy=scene.server)
    done = puactl(puad, "publish", fred, "--event", "presence")
    check(done.returncode == 1 and "412" in done.stderr, f"a refresh by its owner: {done.stdout}{done.stderr}")
    act(puad, "publish", gina, "--event", "presence", "--body", pidf(gina, "again"))
    wait_for(lambda: scene.seen("erin"), 5, "the refresh that nobody asked for")
    wait_for(lambda: [r["presentity_uri"] for r in control.list()] == [gina], 3, "the records end")
    time.sleep(2.5)                                                          # a second try would have come by now
    equal({user: [s.kind for s in scene.seen(user)][:2] for user in ("erin", "fred", "gina")},
          {"erin": ["refresh"], "fred": ["refresh"], "gina": ["modify", "initial"]}, "requests")
    equal(control.stats()["replies_412"], 3, "replies_412")
    lost = [line for line in puad.log().splitlines() if "the server lost the state" in line]
    check(lost and any(erin in line or fred in line for line in lost), f"the log says nothing of it: {puad.log()[-600:]}")
    control.call("pua_flush")
    equal([row[0] for row in place.rows("SELECT pres_uri FROM pua")], [gina], "rows")
    act(puad, "publish", erin, "--event", "presence", "--body", pidf(erin, "again"))
    equal([r.user for r in scene.server.rows()], ["gina", "erin"], "publications at the server")


main_is(suite)
