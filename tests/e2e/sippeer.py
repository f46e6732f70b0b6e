"""A SIP peer in a thread: sockets over UDP and TCP, timers. What it does with a message is its subclass's business."""
import heapq
import itertools
import selectors
import socket
import threading
import time
import traceback

from harness import HOST
from sipmsg import Stream

SO_RCVBUFFORCE = 33  # <asm/socket.h>: goes beyond net.core.rmem_max where that is permitted


class Peer(threading.Thread):
    """A subclass has `_take(octets, where, port)`, called with the lock held, and starts the thread when it is ready."""

    def __init__(self, ctx):
        super().__init__(daemon=True)
        self.lock = threading.RLock()
        self.counter, self.timers, self.begin = itertools.count(1), [], time.monotonic()
        self.selector, self.udp, self.tcp, self.connections = selectors.DefaultSelector(), {}, {}, {}
        self.ending = False
        self.violations = []            # what the other side must never do
        self.port = self.listen(ctx.port())
        self.uri = f"sip:{HOST}:{self.port}"
        ctx.callback(self.close)

    def listen(self, port):
        """Takes requests at one more port; returns it."""
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            udp.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        except PermissionError:
            udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        udp.bind((HOST, port))
        udp.setblocking(False)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tcp.bind((HOST, port))
        tcp.listen(16)
        self.udp[port], self.tcp[port] = udp, tcp
        self.selector.register(udp, selectors.EVENT_READ, lambda: self._udp_readable(udp, port))
        self.selector.register(tcp, selectors.EVENT_READ, lambda: self._adopt(tcp.accept()[0], port))
        return port

    def close(self):
        self.ending = True
        self.join(5)
        for one in [*self.udp.values(), *self.tcp.values(), *self.connections.values()]:
            one.close()
        self.selector.close()

    def run(self):
        while not self.ending:
            try:
                with self.lock:
                    timeout = self._run_timers()
                for key, _ in self.selector.select(timeout):
                    key.data()
            except Exception:  # a message that this cannot read is a finding, and the thread goes on
                self.violations.append(traceback.format_exc())

    def _run_timers(self):
        """Runs what is due; s until the next, at most 20 ms, since other threads set timers too."""
        now = time.monotonic()
        while self.timers and self.timers[0][0] <= now:
            heapq.heappop(self.timers)[2]()
        return min(0.02, max(0.0, self.timers[0][0] - now)) if self.timers else 0.02

    def _after(self, seconds, what):
        heapq.heappush(self.timers, (time.monotonic() + seconds, next(self.counter), what))

    def _udp_readable(self, udp, port):
        for _ in range(256):
            try:
                data, peer = udp.recvfrom(65535)
            except (BlockingIOError, ConnectionError):
                return
            with self.lock:
                self._take(data, ("udp", peer), port)

    def _adopt(self, connection, port):
        stream = Stream()

        def readable():
            try:
                data = connection.recv(65536)
            except OSError:
                data = b""
            if not data:
                self.selector.unregister(connection)
                for where in [w for w, c in self.connections.items() if c is connection]:
                    del self.connections[where]
                connection.close()
                return
            with self.lock:
                for one in stream.feed(data):
                    self._take(one, ("tcp", connection), port)
        self.selector.register(connection, selectors.EVENT_READ, readable)

    def _send(self, data, where):
        """where: ("udp", address), ("tcp", address) or ("tcp", connection). What cannot be sent is lost."""
        kind, peer = where
        try:
            if kind == "udp":
                self.udp[self.port].sendto(data, peer)
                return
            if isinstance(peer, tuple):
                if peer not in self.connections:
                    self.connections[peer] = socket.create_connection(peer, 2)
                    self._adopt(self.connections[peer], self.port)
                peer = self.connections[peer]
            peer.sendall(data)
        except (BlockingIOError, OSError):
            pass
