"""A user agent in a thread that publishes and subscribes over UDP, so that a test has states and dialogs that a server knows."""
import dataclasses
import time

from harness import HOST, check, wait_for
from sipmsg import Message, build, uri_of
from sippeer import Peer


@dataclasses.dataclass
class Dialog:
    """A subscription as the subscriber keeps it."""
    uri: str
    watcher: str
    call_id: str
    local_tag: str
    remote_tag: str
    cseq: int
    route_set: list          # URIs in the order of requests
    target: str              # of the notifier
    contact: str             # ours
    expires_at: int          # seconds since 1970


class Client(Peer):
    """Requests go to the port `proxy`."""

    def __init__(self, ctx, proxy):
        super().__init__(ctx)
        self.proxy, self.replies, self.notifies = (HOST, proxy), {}, []
        self.contact = f"sip:client@{HOST}:{self.port}"
        self.start()

    def _take(self, data, where, port):
        message = Message.parse(data)
        if message.is_response:
            self.replies[message.branch] = message
        elif message.method == "NOTIFY":
            self.notifies.append(message)
            kept = [(n, v) for n, v in message.fields if n in ("via", "from", "to", "call-id", "cseq", "record-route")]
            self._send(build("SIP/2.0 200 OK", kept), where)

    def _request(self, method, uri, sender, event, expires, fields, body=b"", cseq=1):
        """The 2xx to it."""
        with self.lock:
            number = next(self.counter)
            branch = f"z9hG4bKc{number}x{self.begin * 1000:.0f}"
            self._send(build(f"{method} {uri} SIP/2.0", [
                ("Via", f"SIP/2.0/UDP {HOST}:{self.port};branch={branch}"), ("Max-Forwards", 70),
                ("From", f"<{sender}>;tag=c{number}.{self.port}"), ("To", f"<{uri}>"), ("Call-ID", f"{branch[7:]}@{HOST}"),
                ("CSeq", f"{cseq} {method}"), ("Event", event), ("Expires", expires), *fields], body), ("udp", self.proxy))
        wait_for(lambda: branch in self.replies, 5, f"a reply to the {method} for {uri}", step=0.005)
        reply = self.replies[branch]
        check(200 <= reply.status < 300, f"{method} {uri}: {reply.first}")
        return reply

    def publish(self, uri, body, expires, event="presence", content_type="application/pidf+xml"):
        """(entity-tag, end of the grant in seconds since 1970)"""
        reply = self._request("PUBLISH", uri, uri, event, expires, [("Content-Type", content_type)], body.encode())
        return reply.get("sip-etag"), int(time.time()) + int(reply.get("expires"))

    def subscribe(self, uri, watcher, expires, event="presence", cseq=1):
        """The dialog, once its first NOTIFY is answered."""
        reply = self._request("SUBSCRIBE", uri, watcher, event, expires, [("Contact", f"<{self.contact}>")], cseq=cseq)
        call_id = reply.get("call-id")
        wait_for(lambda: any(n.get("call-id") == call_id for n in self.notifies), 5, f"a NOTIFY of {uri}", step=0.005)
        return Dialog(uri, watcher, call_id, reply.tag("from"), reply.tag("to"), cseq,
                      [uri_of(value) for value in reversed(reply.all("record-route"))], uri_of(reply.get("contact")),
                      self.contact, int(time.time()) + int(reply.get("expires")))
