"""A stateless proxy (RFC 3261 section 16.11) in a thread, over UDP: it stays on the route of the dialogs that come through it."""
import zlib

from harness import HOST
from sipmsg import Message, address_of, build, uri_of
from sippeer import Peer


class Relay(Peer):
    """onward: port that gets what comes without a Route."""

    def __init__(self, ctx, onward):
        super().__init__(ctx)
        self.onward, self.requests = (HOST, onward), []
        self.route = f"sip:{HOST}:{self.port};lr"
        self.start()

    def subscribes(self, user):
        """The SUBSCRIBEs that came within dialogs to this user's state, each once."""
        with self.lock:
            found = {m.branch: m for m in self.requests
                     if m.method == "SUBSCRIBE" and m.tag("to") and f":{user}@" in uri_of(m.get("to"))}
        return list(found.values())

    def _take(self, data, where, port):
        if not data.strip():
            return
        message = Message.parse(data)
        fields = [(name, value) for name, value in message.fields if name != "content-length"]
        if message.is_response:
            fields.remove(("via", message.get("via")))
            via = next(value for name, value in fields if name == "via").split()[1]
            host, _, number = via.partition(";")[0].partition(":")
            self._send(build(message.first, fields, message.body), ("udp", (host, int(number))))
            return
        self.requests.append(message)
        routes = message.all("route")
        mine = bool(routes) and address_of(uri_of(routes[0]))[1] == self.port
        if mine:
            routes.pop(0)
        to = address_of(uri_of(routes[0]) if routes else message.uri)[:2] if mine else self.onward
        fields = [f for f in fields if f[0] != "route"] + [("Route", value) for value in routes]
        if message.method == "SUBSCRIBE" and not message.tag("to"):
            fields.insert(0, ("Record-Route", f"<{self.route}>"))
        branch = f"z9hG4bKr{zlib.crc32(message.branch.encode()):08x}{message.cseq}"
        fields.insert(0, ("Via", f"SIP/2.0/UDP {HOST}:{self.port};branch={branch}"))
        self._send(build(message.first, fields, message.body), ("udp", to))
