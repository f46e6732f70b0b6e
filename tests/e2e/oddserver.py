"""A scripted presence server in a thread that puts odd strings where a server may: entity-tag, To tag, Contact, Record-Route."""
import collections
import re

from harness import HOST
from sipmsg import Message, address_of, build, uri_of
from sippeer import Peer

CASE = re.compile(rb"@c(\d+)\.example")


class OddServer(Peer):
    """Presentities are of the host c<number>.example; odd[number] says what is odd in the answers: etag, tag, contact, route,
    and first: the NOTIFY comes before the 2xx and is what makes the dialog."""

    def __init__(self, ctx):
        super().__init__(ctx)
        self.odd, self.seen, self.notified = {}, collections.defaultdict(list), collections.defaultdict(list)
        self.start()

    def requests(self, number):
        """What came for this case, in octets."""
        with self.lock:
            return list(self.seen[number])

    def _take(self, data, where, port):
        message, number = Message.parse(data), int(CASE.search(data).group(1))
        if message.is_response:
            self.notified[number].append(message.status)
            return
        self.seen[number].append(data)
        odd = self.odd.get(number, {})
        reply, notify = getattr(self, "_" + message.method.lower())(message, odd)
        if not odd.get("first"):
            self._send(reply, where)
        if notify:
            self._send(notify, ("udp", address_of(uri_of(message.get("contact")))[:2]))
        if odd.get("first"):
            self._after(0.1, lambda: self._send(reply, where))

    def _fields(self, m, to):
        return [*((n, v) for n, v in m.fields if n == "via"), ("From", m.get("from")), ("To", to), ("Call-ID", m.get("call-id")),
                ("CSeq", m.get("cseq")), ("Expires", m.get("expires"))]

    def _publish(self, m, odd):
        etag = [] if m.get("expires") == "0" else [("SIP-ETag", odd.get("etag", f"e{next(self.counter)}"))]
        return build("SIP/2.0 200 OK", self._fields(m, f"{m.get('to')};tag=x") + etag), None

    def _subscribe(self, m, odd):
        to = m.get("to") if m.tag("to") else f"{m.get('to')};tag={odd.get('tag', 'there')}"
        mine = [("Contact", f"<{odd.get('contact', self.uri)}>"), *([("Record-Route", odd["route"])] if "route" in odd else [])]
        number = next(self.counter)
        notify = build(f"NOTIFY {uri_of(m.get('contact'))} SIP/2.0", [
            ("Via", f"SIP/2.0/UDP {HOST}:{self.port};branch=z9hG4bKn{number}x{self.begin * 1000:.0f}"), ("Max-Forwards", 70),
            ("From", to), ("To", m.get("from")), ("Call-ID", m.get("call-id")), ("CSeq", f"{number} NOTIFY"), *mine,
            ("Event", m.get("event")), ("Subscription-State", f"active;expires={m.get('expires')}")])
        return build("SIP/2.0 200 OK", self._fields(m, to) + mine), notify
