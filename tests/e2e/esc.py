"""An event state compositor (RFC 3903) in a thread, that can fall silent and that keeps account of everything it saw.

It does what a presence server does with PUBLISH over UDP, and on top of that: it can lose requests or its own answers,
answer by script, and afterwards tell for each record which entity-tags lived when, and how many transactions were open.
"""
import dataclasses
import heapq
import itertools
import selectors
import socket
import threading
import time
import zlib

from harness import HOST

SO_RCVBUFFORCE = 33  # <asm/socket.h>: goes beyond net.core.rmem_max where that is permitted


@dataclasses.dataclass(slots=True)
class Transaction:
    """One PUBLISH transaction, recognised by its branch."""
    uri: str
    event: str
    call_id: str
    cseq: int
    if_match: str
    expires: int
    octets: int
    first_seen: float
    last_seen: float         # its last datagram
    copies: int = 1
    answered: float = 0.0    # when the final reply left, 0: never
    status: int = 0          # of the reply made (also if it was lost)
    etag: str = ""           # given by that reply
    reply: bytes = b""


@dataclasses.dataclass(slots=True)
class State:
    """One publication at the server."""
    uri: str
    event: str
    body: bytes
    expires_at: float
    known: bool              # the client was told this entity-tag


class Esc(threading.Thread):
    """Modes: answer; deaf (drops what comes in); mute (does its work, but no answer leaves)."""

    def __init__(self, ctx, grant=3600, min_expires=0):
        super().__init__(daemon=True)
        self.port = ctx.port()
        self.uri = f"sip:{HOST}:{self.port}"
        self.grant = grant if callable(grant) else lambda uri, asked: min(asked, grant)
        self.min_expires, self.mode, self.script = min_expires, "answer", None
        self.mute_share = 0.0        # while deaf: this share of the requests is done all the same
        self.transactions = {}       # branch -> Transaction
        self.states = {}             # etag -> State
        self.violations = []         # what a client must never do
        self.lock = threading.Lock()
        self.counter = itertools.count(1)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        except PermissionError:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.socket.bind((HOST, self.port))
        self.socket.setblocking(False)
        self.ending = False
        ctx.callback(self.close)
        self.start()

    def close(self):
        self.ending = True
        self.join(5)
        self.socket.close()

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.socket, selectors.EVENT_READ)
        while not self.ending:
            if selector.select(0.1):
                for _ in range(256):
                    try:
                        data, peer = self.socket.recvfrom(65535)
                    except BlockingIOError:
                        break
                    with self.lock:
                        self._datagram(data, peer)

    def _datagram(self, data, peer):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode(errors="replace").split("\r\n")
        if not lines[0].startswith("PUBLISH "):
            return
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        branch = headers["via"].partition("branch=")[2].partition(";")[0]
        transaction = self.transactions.get(branch)
        now = time.monotonic()
        if transaction:
            transaction.copies += 1
            transaction.last_seen = now
        else:
            transaction = self.transactions[branch] = Transaction(
                uri=lines[0].split()[1], event=headers.get("event", ""), call_id=headers.get("call-id", ""),
                cseq=int(headers.get("cseq", "0").split()[0]), if_match=headers.get("sip-if-match", ""),
                expires=int(headers.get("expires", "3600")), octets=len(body), first_seen=now, last_seen=now)
        if self.mode == "deaf" and zlib.crc32(branch.encode()) % 1000 / 1000 >= self.mute_share:
            return
        if not transaction.reply:
            status, reason, extra = self._decide(transaction, body)
            if not status:
                return
            transaction.status = status
            to = headers.get("to", "")
            to += "" if ";tag=" in to else f";tag=esc{next(self.counter)}"
            transaction.reply = (f"SIP/2.0 {status} {reason}\r\nVia: {headers['via']}\r\nFrom: {headers['from']}\r\nTo: {to}\r\n"
                                 f"Call-ID: {headers['call-id']}\r\nCSeq: {headers['cseq']}\r\n{extra}Content-Length: 0\r\n\r\n"
                                 ).encode()
        if self.mode != "answer":
            return
        if not transaction.answered:
            transaction.answered = time.monotonic()
            if transaction.etag in self.states:
                self.states[transaction.etag].known = True
        try:
            self.socket.sendto(transaction.reply, peer)
        except BlockingIOError:
            pass  # lost on the way, as datagrams may be

    def _decide(self, t, body):
        """The final reply to a new request: status, reason, header lines. status 0: none. RFC 3903 section 6."""
        now = time.monotonic()
        if self.script:
            answer = self.script(t)
            if answer:
                return answer
        if t.expires > 0 and t.expires < self.min_expires:
            return 423, "Interval Too Brief", f"Min-Expires: {self.min_expires}\r\n"
        old = None
        if t.if_match:
            old = self.states.get(t.if_match)
            if not old or old.expires_at <= now or (old.uri, old.event) != (t.uri, t.event):
                return 412, "Conditional Request Failed", ""
            if not old.known:
                self.violations.append(f"{t.uri}: uses an entity-tag it was never told, {t.if_match}")
        elif not body:
            return 400, "No body", ""
        if old:
            del self.states[t.if_match]
        if t.expires == 0:
            return 200, "OK", "Expires: 0\r\n"
        granted = self.grant(t.uri, t.expires)
        t.etag = f"e{next(self.counter)}"
        self.states[t.etag] = State(t.uri, t.event, body or old.body, now + granted, False)
        return 200, "OK", f"SIP-ETag: {t.etag}\r\nExpires: {granted}\r\n"

    # --- what the tests ask --------------------------------------------------------------------------

    def live(self, uri=None):
        """(etag, State) of all publications that have not expired."""
        now = time.monotonic()
        with self.lock:
            return [(e, s) for e, s in self.states.items() if s.expires_at > now and uri in (None, s.uri)]

    def requests(self, uri=None):
        with self.lock:
            return [t for t in self.transactions.values() if uri in (None, t.uri)]

    def forget(self):
        """Loses all state, as a server that restarts."""
        with self.lock:
            self.states.clear()

    def outstanding(self):
        """(most transactions open at once, presentities that had two of their own open at once).

        A transaction was surely open from its first datagram until its answer, or until its last datagram if it had none.
        """
        with self.lock:
            spans = sorted((t.first_seen, t.answered or t.last_seen, t.uri) for t in self.transactions.values())
        ends, most, busy, twice = [], 0, {}, []
        for begin, end, uri in spans:
            while ends and ends[0] <= begin:
                heapq.heappop(ends)
            heapq.heappush(ends, end)
            most = max(most, len(ends))
            if busy.get(uri, 0) > begin:
                twice.append(uri)
            busy[uri] = end
        return most, twice
