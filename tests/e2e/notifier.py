"""A notifier (RFC 6665) in a thread, over UDP and TCP, that can misbehave by script and keeps account of what it saw.

It keeps dialogs as a presence server does: answers SUBSCRIBE, sends NOTIFY at once and on demand, retransmits, one NOTIFY
open per dialog. Whatever a subscriber must never do stands in `violations` afterwards.
"""
import collections
import dataclasses
import time

from documents import document
from harness import HOST, Failure, wait_for
from notifier_model import Answer, Dialog, Notify, Subscribe
from sipmsg import Message, address_of, build, digest_ok, uri_of
from sippeer import Peer

PHRASES = {200: "OK", 202: "Accepted", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 423: "Interval Too Brief",
           481: "Subscription does not exist", 489: "Bad Event", 500: "Server Internal Error", 503: "Service Unavailable"}
# Answers to a NOTIFY that end its subscription, or its dialog (RFC 6665 section 4.2.2, RFC 5057 section 5.1).
ENDS = (404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604)


class Notifier(Peer):
    """Modes: answer; deaf (drops what comes in); mute (does its work, but no reply leaves)."""

    def __init__(self, ctx, grant=3600, min_expires=0, name="notifier", t1=0.2, patience=30, lean=False, t2=None):
        super().__init__(ctx)
        self.lean = lean                # for many requests: finished ones are forgotten, and no ladder is written
        self.counts = collections.Counter()   # of SUBSCRIBEs by kind, and of answers to NOTIFYs by status
        self.grant, self.min_expires, self.t1, self.patience = grant, min_expires, t1, patience
        self.t2 = t2 or 20 * t1         # RFC 3261 timer E: s between copies, at first and at most
        self.mode, self.script, self.password = "answer", None, None      # password: (realm, user, password)
        self.record_route, self.repeat_record_route = [], True            # URIs put into 2xx, and also into later ones
        self.direct = False             # requests come without a proxy: they must arrive at our Contact
        self.to_source = False          # NOTIFYs go where the SUBSCRIBE came from, not to its Contact
        self.new_state = "active"       # of dialogs made from now on: active, pending
        self.marks = {}                 # presentity -> mark of its document
        self.subscribes, self.dialogs, self.forks = {}, [], []
        self.by_tags, self.notifies = {}, {}
        self.highest = {}               # (Call-ID, From tag) -> Subscribe with the highest CSeq
        self.forgotten = set()          # Call-IDs of dialogs that we lost
        self.epoch = 0
        self.ladder = open(ctx.dir / f"{name}.log", "a", buffering=1, encoding="utf-8")
        self.contact = self.uri
        self.start()

    def close(self):
        super().close()
        self.ladder.close()

    # --- messages --------------------------------------------------------------------------------------

    def _note(self, arrow, data):
        if self.lean:
            return
        message = data if isinstance(data, Message) else Message.parse(data)
        self.ladder.write(f"{time.monotonic() - self.begin:8.3f} {arrow} {message.first} | {message.get('cseq')} | "
                          f"{message.get('subscription-state') or message.get('expires')} | to-tag {message.tag('to') or '-'} | "
                          f"{message.get('call-id')[:24]}\n")

    def _take(self, data, peer, port):
        if not data.strip():
            return
        message = Message.parse(data)
        if self.mode == "deaf":
            return
        if message.is_response:
            self._notify_answered(message)
        elif message.method == "SUBSCRIBE":
            self._subscribe(message, peer, port)
        else:
            self.violations.append(f"a {message.method} came")

    # --- SUBSCRIBE -----------------------------------------------------------------------------------

    def _subscribe(self, message, peer, port):
        now = time.monotonic()
        request = self.subscribes.get(message.branch)
        if request:
            request.copies += 1
            request.last_seen = now
            if request.tried and self.mode == "answer":
                self._reply(request)
            return
        self._note("->", message)
        request = Subscribe(message, peer, port, now, now, self.epoch)
        dialog = self.by_tags.get((request.call_id, message.tag("to")))
        self._judge(request, dialog)
        self.counts[request.kind] += 1
        self.subscribes[message.branch] = request
        if self.lean:
            self._after(10, lambda: self.subscribes.pop(message.branch, None))
        answer = (self.script(request) if self.script else None) or self._default(request, dialog)
        request.dialog, request.status, request.lose = dialog, answer.status, answer.lose
        if not answer.status:
            return
        if 200 <= answer.status < 300:
            self._accept(request, dialog, answer)
        else:
            request.reply = self._build_reply(request, answer)
            if answer.status == 481 and dialog:
                self._end(dialog, "481 by us")
            self._after(0, lambda: self._reply(request))

    def _judge(self, r, dialog):
        """What no subscriber may do goes to the violations."""
        m, wrong = r.message, []
        for name in ("event", "contact", "max-forwards", "call-id", "accept", "allow-events", "expires"):
            if not m.get(name):
                wrong.append(f"lacks {name}")
        if not m.tag("from"):
            wrong.append("has no From tag")
        if not m.branch.startswith("z9hG4bK"):
            wrong.append(f"has the branch {m.branch!r}")
        before = self.highest.get((r.call_id, m.tag("from")))
        if before:
            if r.cseq <= before.cseq:
                wrong.append(f"has CSeq {r.cseq} after {before.cseq}, with another branch")
            if not before.answered and not before.lose and before.status and before.epoch == r.epoch:
                wrong.append(f"came while CSeq {before.cseq} was open")
        if not before or r.cseq > before.cseq:
            self.highest[r.call_id, m.tag("from")] = r
        if dialog:
            if m.tag("from") != dialog.remote_tag:
                wrong.append(f"has From tag {m.tag('from')}, not {dialog.remote_tag}")
            if m.get("event").replace(" ", "") != dialog.event.replace(" ", ""):
                wrong.append(f"has Event {m.get('event')}, not {dialog.event}")
            if [uri_of(v) for v in m.all("route")] != dialog.route_set:
                wrong.append(f"has the Route {m.all('route')}, not {dialog.route_set}")
            if m.uri != dialog.contact:
                wrong.append(f"goes to {m.uri}, not to our Contact {dialog.contact}")
            if self.direct and not dialog.route_set and r.arrived != address_of(dialog.contact)[1]:
                wrong.append(f"arrived at port {r.arrived}, not at that of our Contact")
        elif m.tag("to") and r.call_id not in self.forgotten:
            wrong.append(f"has the To tag {m.tag('to')}, which we never gave")
        who = f"{r.kind} {uri_of(m.get('to'))} CSeq {r.cseq}"
        self.violations += [f"{who} {w}" for w in wrong]

    def _default(self, r, dialog):
        m = r.message
        if self.password and not self._authorized(m):
            return Answer(401, (("WWW-Authenticate", f'Digest realm="{self.password[0]}", nonce="n{next(self.counter)}", '
                                                     'algorithm=MD5, qop="auth"'),))
        if r.in_dialog and (not dialog or not dialog.live):
            return Answer(481)
        if 0 < r.expires < self.min_expires:
            return Answer(423, (("Min-Expires", self.min_expires),))
        return Answer()

    def _authorized(self, m):
        realm, user, password = self.password
        return digest_ok(m.get("authorization"), m.method, user, realm, password)

    def _accept(self, r, dialog, answer):
        asked = r.expires if r.expires >= 0 else 3600
        granted = answer.expires
        if granted < 0:
            granted = self.grant(uri_of(r.message.get("to")), asked) if callable(self.grant) else min(asked, self.grant)
        if asked == 0:
            granted = 0
        first = not dialog
        if first:
            dialog = self._make_dialog(r)
        dialog.cseq, dialog.peer, dialog.target = r.cseq, r.peer, uri_of(r.message.get("contact"))
        dialog.expires_at = time.monotonic() + granted
        dialog.contact = self.contact                       # target refresh, where it has changed meanwhile
        r.dialog = dialog
        routes = tuple(("Record-Route", f"<{u}>") for u in self.record_route) if first or self.repeat_record_route else ()
        expires = (("Expires", granted),) if answer.expires_header else ()
        answer = dataclasses.replace(answer, headers=(*routes, ("Contact", f"<{self.contact}>"), *expires, *answer.headers))
        r.reply = self._build_reply(r, answer, dialog.tag)
        if granted == 0:
            dialog.state = "terminated"

        def notify():
            if granted == 0:
                self._enqueue(dialog, state="terminated", reason="timeout")
                self._end(dialog, "unsubscribed")
            else:
                self._enqueue(dialog)

        def finish():
            self._reply(r)
            if answer.notify and not answer.notify_first:
                notify()
        if answer.notify and answer.notify_first:
            self._after(0, notify)
        elif granted == 0 and not answer.notify:
            self._end(dialog, "unsubscribed")
        r.finish = finish
        if not answer.hold:
            self._after(0.1 if answer.notify_first else 0, finish)
        if granted:
            self._after(granted, lambda: self._expire(dialog))
        self._run_timers()

    def _make_dialog(self, r):
        m, tag = r.message, f"n{next(self.counter)}x{self.begin * 1000:.0f}"
        to = m.get("to").split(";tag=")[0]
        dialog = Dialog(uri=uri_of(to), watcher=uri_of(m.get("from")), event=m.get("event"), call_id=r.call_id, tag=tag,
                        remote_tag=m.tag("from"), local=f"{to};tag={tag}", remote=m.get("from"),
                        target=uri_of(m.get("contact")), contact=self.contact, route_set=list(reversed(self.record_route)),
                        peer=r.peer, made=time.monotonic(), cseq=r.cseq, state=self.new_state)
        twice = [d for d in self.dialogs if d.live and d.known and d.state != "terminated" and d.key == dialog.key]
        if twice:
            self.violations.append(f"{dialog.uri}: a second dialog for {dialog.watcher} while one of {r.at - twice[0].made:.1f} s lives")
        self.dialogs.append(dialog)
        self.by_tags[r.call_id, tag] = dialog
        return dialog

    def _build_reply(self, r, answer, tag=""):
        m = r.message
        to = m.get("to") if m.tag("to") else f"{m.get('to')};tag={tag or f'e{next(self.counter)}'}"
        fields = [(n, v) for n, v in m.fields if n == "via"] + [("From", m.get("from")), ("To", to), ("Call-ID", r.call_id),
                                                                ("CSeq", m.get("cseq")), *answer.headers]
        return build(f"SIP/2.0 {answer.status} {PHRASES.get(answer.status, 'Because')}", fields)

    def _reply(self, r):
        r.tried = True
        if self.mode != "answer":
            return
        if r.lose:
            r.lose -= 1
            return
        if not r.answered:
            r.answered = time.monotonic()
            if r.dialog:
                r.dialog.known = True
        self._note("<-", r.reply)
        self._send(r.reply, r.peer)

    def _expire(self, dialog):
        if dialog.live and dialog.expires_at <= time.monotonic() and dialog.expires_at:
            self._enqueue(dialog, state="terminated", reason="timeout")
            self._end(dialog, "expired")

    @staticmethod
    def _end(dialog, why):
        if dialog.live:
            dialog.ended = why

    # --- NOTIFY --------------------------------------------------------------------------------------

    def _enqueue(self, dialog, **what):
        """One NOTIFY is open per dialog; states that wait are replaced by the newest."""
        if dialog.open:
            if not what:
                dialog.queue = collections.deque(q for q in dialog.queue if q)
            dialog.queue.append(what)
            return None
        return self._notify(dialog, scripted=False, **what)

    def _notify(self, dialog, state=None, reason=None, retry_after=None, expires=None, cseq=None, event=None, body=None,
                content_type=None, from_tag=None, to_tag=None, call_id=None, contact=None, subscription_state=None, headers=(),
                scripted=True, where=None):
        now = time.monotonic()
        if cseq is None:
            dialog.own_cseq += 1
            cseq = dialog.own_cseq
        else:
            dialog.own_cseq = max(dialog.own_cseq, cseq)
        if body is None:
            dialog.version += 1
            content_type, body = document(dialog.event, dialog.uri, self.marks.get(dialog.uri, ""), dialog.version)
        state = state or dialog.state
        value = state
        if state != "terminated":
            value += f";expires={max(0, round(dialog.expires_at - now)) if expires is None else expires}"
        if reason:
            value += f";reason={reason}"
        if retry_after is not None:
            value += f";retry-after={retry_after}"
        if subscription_state is not None:
            value = subscription_state
        local, remote = dialog.local, dialog.remote
        if from_tag is not None:
            local = f"{local.partition(';tag=')[0]};tag={from_tag}"
        if to_tag is not None:
            remote = f"{remote.partition(';tag=')[0]};tag={to_tag}"
        branch = f"z9hG4bKn{next(self.counter)}x{now * 1e6:.0f}"
        where = where or self._where(dialog)
        fields = [("Via", f"SIP/2.0/{where[0].upper()} {HOST}:{self.port};branch={branch}"), ("Max-Forwards", 70),
                  ("From", local), ("To", remote), ("Call-ID", dialog.call_id if call_id is None else call_id),
                  ("CSeq", f"{cseq} NOTIFY"), ("Contact", f"<{contact or self.contact}>"),
                  ("Event", dialog.event if event is None else event), ("Subscription-State", value), *headers]
        if not dialog.notifies or self.repeat_record_route:
            fields += [("Record-Route", f"<{u}>") for u in dialog.route_set]
        fields = [(n, v) for n, v in fields if v != ""]
        if body:
            fields.append(("Content-Type", content_type or document(dialog.event, dialog.uri, "", 0)[0]))
        data = build(f"NOTIFY {dialog.target} SIP/2.0", fields, body)
        notify = Notify(dialog, cseq, branch, body, data, where, now, scripted, contact or self.contact,
                        dialog.call_id if call_id is None else call_id)
        self.notifies[branch] = notify
        dialog.notifies.append(notify)
        if not scripted:
            dialog.open = notify
        self._transmit(notify, self.t1)
        return notify

    def _where(self, dialog):
        if self.to_source:
            return dialog.peer
        host, port, transport = address_of(dialog.target)
        return transport, (host, port)

    def _transmit(self, notify, wait):
        if notify.status or self.ending:
            return
        if time.monotonic() - notify.at > self.patience:
            notify.status, notify.reason = 408, "nobody answered"
            self._settled(notify)
            return
        notify.copies += 1
        if notify.copies == 1:
            self._note("<-", notify.data)
        if notify.copies == 1 or notify.where[0] == "udp":
            self._send(notify.data, notify.where)
        self._after(wait, lambda: self._transmit(notify, min(2 * wait, self.t2)))

    def _notify_answered(self, message):
        notify = self.notifies.get(message.branch)
        if not notify:
            self.violations.append(f"an answer to nothing: {message.first}")
            return
        if notify.status or message.status < 200:
            return
        self._note("->", message)
        if (message.get("call-id"), message.cseq, message.method) != (notify.call_id, notify.cseq, "NOTIFY"):
            self.violations.append(f"the answer to NOTIFY {notify.cseq} has CSeq {message.get('cseq')}")
        notify.status, notify.reason, notify.answered = message.status, message.reason, time.monotonic()
        if message.status == 503 and not notify.scripted:       # RFC 6665 section 4.2.2: later, with the state as it is then
            later = message.get("retry-after")
            if not later:
                self.violations.append(f"{notify.dialog.uri}: 503 to a NOTIFY without Retry-After")
            self._after(int(later.split()[0]) if later else 1, lambda: notify.dialog.live and self._enqueue(notify.dialog))
        self._settled(notify)

    def _settled(self, notify):
        dialog = notify.dialog
        self.counts[notify.status] += 1
        if self.lean and len(dialog.notifies) > 3:
            del self.notifies[dialog.notifies.pop(0).branch]
        if 200 <= notify.status < 300:
            dialog.known, dialog.contact = True, notify.contact
        elif notify.status in ENDS and not notify.scripted:
            self._end(dialog, f"{notify.status} to a NOTIFY")
            dialog.queue.clear()
        if dialog.open is notify:
            dialog.open = None
            if dialog.queue:
                self._notify(dialog, scripted=False, **dialog.queue.popleft())

    # --- what the tests ask for ------------------------------------------------------------------------

    def change(self, uri, mark):
        """New state of a presentity: every live dialog of it gets a NOTIFY."""
        with self.lock:
            self.marks[uri] = mark
            for dialog in self.dialogs + self.forks:
                if dialog.uri == uri and dialog.live:
                    self._enqueue(dialog)

    def notify(self, dialog, **what):
        """One NOTIFY as told, at once; see _notify for what can be told. The dialog is not ended by its answer."""
        with self.lock:
            return self._notify(dialog, **what)

    def terminate(self, dialog, reason=None, retry_after=None):
        """Ends the dialog and says why. Returns the NOTIFY."""
        with self.lock:
            self._end(dialog, f"terminated {reason}")
            dialog.state = "terminated"
            return self._notify(dialog, state="terminated", reason=reason, retry_after=retry_after)

    def release(self, request):
        """Lets go the reply that a script holds."""
        with self.lock:
            request.finish()

    def fork(self, dialog, state="active"):
        """The NOTIFY of another branch of the same SUBSCRIBE. Returns (dialog, NOTIFY)."""
        with self.lock:
            tag = f"f{next(self.counter)}"
            other = dataclasses.replace(dialog, tag=tag, local=f"{dialog.local.partition(';tag=')[0]};tag={tag}", own_cseq=0,
                                        fork=True, known=False, ended="", open=None, queue=collections.deque(), notifies=[],
                                        state=state, version=-1)
            self.forks.append(other)
            self.by_tags[dialog.call_id, tag] = other
            return other, self._notify(other, scripted=False)

    def repeat(self, notify):
        """One more copy of a NOTIFY, as a retransmission."""
        with self.lock:
            self._send(notify.data, notify.where)

    def forget(self):
        """Loses all dialogs, as a server that restarts without its table."""
        with self.lock:
            for dialog in self.dialogs + self.forks:
                self.forgotten.add(dialog.call_id)
                self._end(dialog, "forgotten")
                dialog.open = None
                dialog.queue.clear()
            self.by_tags.clear()

    def move(self, ctx):
        """From the next reply or NOTIFY on, our Contact is another port. Returns its URI."""
        with self.lock:
            self.contact = f"sip:{HOST}:{self.listen(ctx.port())}"
            return self.contact

    def subscriber_restarted(self):
        """Requests that were open are not counted as open any more."""
        with self.lock:
            self.epoch += 1

    def requests(self, uri=None, kind=None):
        """SUBSCRIBE transactions in the order in which they came."""
        with self.lock:
            return [r for r in self.subscribes.values()
                    if uri in (None, uri_of(r.message.get("to"))) and kind in (None, r.kind)]

    def kinds(self, uri=None):
        return [r.kind for r in self.requests(uri)]

    def live(self, uri=None):
        with self.lock:
            return [d for d in self.dialogs if d.live and uri in (None, d.uri)]

    def made(self, uri=None):
        """Every dialog ever made, forks left out."""
        with self.lock:
            return [d for d in self.dialogs if uri in (None, d.uri)]

    def one(self, uri, timeout=5):
        """The only live dialog of a presentity, once its first NOTIFY was answered."""
        wait_for(lambda: any(n.status for d in self.live(uri) for n in d.notifies), timeout, f"a dialog of {uri}")
        found = self.live(uri)
        if len(found) != 1:
            raise Failure(f"{len(found)} dialogs of {uri} live, wanted one")
        return found[0]

    def answers(self, dialog):
        """Statuses of the answers to the dialog's NOTIFYs."""
        with self.lock:
            return [n.status for n in dialog.notifies]
