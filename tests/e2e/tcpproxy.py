"""A TCP proxy in a thread: it delays what passes, swallows it without closing, and delivers later what it has swallowed."""
import collections
import contextlib
import heapq
import itertools
import os
import selectors
import socket
import threading
import time

from harness import HOST

CHUNK = 1 << 16


class Pipe:
    """One direction of one connection. None in the queue is the end of the stream."""

    def __init__(self, source, target):
        self.source, self.target, self.queue = source, target, collections.deque()
        self.held = self.over = self.scheduled = False   # scheduled: the proxy looks at it again by itself


class Proxy(threading.Thread):
    """Both ends of a connection live as long as either side has something to say; an end passes like data, in its turn."""

    def __init__(self, ctx, target_port, delay=0.0):
        super().__init__(daemon=True)
        self.target_port, self.delay = target_port, delay      # s, each direction
        self.port = ctx.port()
        self.lock, self.pipes, self.ending = threading.Lock(), [], False
        self.hold_new = False
        self.timers, self.order = [], itertools.count()
        self.selector = selectors.DefaultSelector()
        self.wake_read, self.wake_write = os.pipe()
        self.selector.register(self.wake_read, selectors.EVENT_READ, self._woken)
        self._listen()
        ctx.callback(self.close)
        self.start()

    def close(self):
        self.ending = True
        self._wake()
        self.join(5)
        self._cut()
        self.selector.close()
        os.close(self.wake_read)
        os.close(self.wake_write)

    def hold(self, new=True):
        """From now on nothing comes out; with new=False, connections made later pass."""
        with self.lock:
            self.hold_new = new
            for pipe in self.pipes:
                pipe.held = True

    def release(self):
        """Everything held goes on its way, in order; also to where the other side has closed meanwhile."""
        with self.lock:
            self.hold_new = False
            for pipe in self.pipes:
                pipe.held = False
                self._schedule(pipe, time.monotonic())
        self._wake()

    def cut(self):
        """As a machine that is gone: its connections end, and new ones are refused."""
        with self.lock:
            self._cut()

    def restore(self):
        with self.lock:
            self._listen()
        self._wake()

    def _listen(self):
        self.listener = socket.create_server((HOST, self.port), backlog=64)
        self.listener.setblocking(False)
        self.selector.register(self.listener, selectors.EVENT_READ, self._accept)

    def _cut(self):
        for one in [self.listener, *(pipe.source for pipe in self.pipes)]:
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(one)
            one.close()
        self.pipes.clear()
        self.timers.clear()

    def held_octets(self):
        """What it has swallowed on the way to the server."""
        with self.lock:
            return sum(len(data) for pipe in self.pipes[::2] if pipe.held for _, data in pipe.queue if data)

    # --- the thread ----------------------------------------------------------------------------------

    def run(self):
        while not self.ending:
            timeout = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else 0.5
            for key, _ in self.selector.select(timeout):
                with self.lock:
                    if key.fileobj == self.wake_read or key.fileobj.fileno() >= 0:     # else cut meanwhile
                        key.data()
            with self.lock:
                now = time.monotonic()
                while self.timers and self.timers[0][0] <= now:
                    pipe = heapq.heappop(self.timers)[2]
                    pipe.scheduled = False
                    self._deliver(pipe, now)

    def _wake(self):
        os.write(self.wake_write, b"x")

    def _woken(self):
        os.read(self.wake_read, CHUNK)

    def _accept(self):
        with contextlib.suppress(BlockingIOError):
            client = self.listener.accept()[0]
            server = socket.socket()
            server.setblocking(False)
            server.connect_ex((HOST, self.target_port))
            for a, b in ((client, server), (server, client)):
                a.setblocking(False)
                a.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                pipe = Pipe(a, b)
                pipe.held = self.hold_new
                self.pipes.append(pipe)
                self.selector.register(a, selectors.EVENT_READ, lambda pipe=pipe: self._read(pipe))

    def _read(self, pipe):
        try:
            data = pipe.source.recv(CHUNK) or None
        except BlockingIOError:
            return
        except OSError:
            data = None
        if data is None:
            self.selector.unregister(pipe.source)
        pipe.queue.append((time.monotonic() + self.delay, data))
        self._schedule(pipe, pipe.queue[0][0])

    def _schedule(self, pipe, when):
        if pipe.scheduled or pipe.held:
            return
        pipe.scheduled = True
        heapq.heappush(self.timers, (when, next(self.order), pipe))

    def _deliver(self, pipe, now):
        while pipe.queue and not pipe.held and pipe.queue[0][0] <= now:
            when, data = pipe.queue.popleft()
            try:
                if data is None:
                    pipe.over = True
                    pipe.target.shutdown(socket.SHUT_WR)
                    continue
                sent = pipe.target.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:      # nobody is there any more
                continue
            if sent < len(data):
                pipe.queue.appendleft((when, data[sent:]))
                return self._schedule(pipe, now + 0.002)
        if pipe.queue:
            self._schedule(pipe, pipe.queue[0][0])
        return None
