"""puad as a process of its own, and a client of its control socket."""
import json
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import time

from harness import HOST, Failure, program, wait_for

PIDF = ('<?xml version="1.0" encoding="UTF-8"?>\n<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="{uri}">'
        '<tuple id="t1"><status><basic>{basic}</basic></status><note>{note}</note></tuple></presence>\n')

WATCHER = "sip:watcher@example.com"   # on whose behalf tests subscribe where it does not matter
NOTE = re.compile(r"<(?:\w+:)?note[^>]*>([^<]*)<")


def pidf(uri, note, basic="open"):
    return PIDF.format(uri=uri, note=note, basic=basic)


def note_of(body):
    """The mark that this run put into a document."""
    found = NOTE.search(body)
    return found.group(1) if found else f"no note in {body[:80]!r}"


class RpcError(Exception):
    """A JSON-RPC error answer."""

    def __init__(self, error):
        self.code, self.message, self.data = error.get("code"), error.get("message"), error.get("data")
        super().__init__(f"{self.code} {self.message}")


class Control:
    """JSON-RPC 2.0 over the unix datagram socket. Many requests may be open; answers are matched by id."""

    def __init__(self, ctx, path):
        self.path, self.answers, self.sequence = str(path), {}, 0
        self.own = ctx.dir / f"c{os.urandom(6).hex()}.sock"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(str(self.own))
        self.socket.setblocking(False)
        ctx.callback(self.close)

    def close(self):
        self.socket.close()
        self.own.unlink(missing_ok=True)

    def send_raw(self, data, timeout=20):
        """One datagram, whatever it holds; OSError if nobody listens, Failure if the receiver takes nothing."""
        end = time.monotonic() + timeout
        while True:
            try:
                self.socket.sendto(data, self.path)
                return
            except BlockingIOError:
                # A full unix datagram queue gives no event to wait for; answers are taken meanwhile so that both go on.
                self.receive(0.001)
                if time.monotonic() > end:
                    raise Failure(f"the control socket took nothing for {timeout} s") from None

    def submit(self, method, params=None):
        """Sends a request and returns its id; OSError if nobody listens."""
        self.sequence += 1
        request = {"jsonrpc": "2.0", "id": self.sequence, "method": method}
        if params is not None:
            request["params"] = params
        self.send_raw(json.dumps(request).encode())
        if self.sequence % 100 == 0:      # puad keeps a few hundred answers for a client that does not read, and no more
            while self.receive(0.005):    # the kernel holds ten of them: puad fills up behind
                pass
        return self.sequence

    def receive(self, timeout=0.0):
        """Takes all answers that are there, waiting up to timeout for the first; returns how many came."""
        count = 0
        while True:
            ready, _, _ = select.select([self.socket], [], [], 0 if count else timeout)
            if not ready:
                return count
            answer = json.loads(self.socket.recv(1 << 22))
            self.answers[answer.get("id") if isinstance(answer, dict) else None] = answer
            count += 1

    def wait(self, number, timeout=10):
        """The whole answer to one request."""
        end = time.monotonic() + timeout
        while number not in self.answers:
            if None in self.answers:
                raise Failure(f"an answer without id: {self.answers.pop(None)}")
            self.receive(max(0.0, min(0.2, end - time.monotonic())))
            if number not in self.answers and time.monotonic() > end:
                raise Failure(f"no answer within {timeout:g} s")
        return self.answers.pop(number)

    def call(self, method, params=None, timeout=10):
        """The result; RpcError for an error answer."""
        answer = self.wait(self.submit(method, params), timeout)
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def error(self, method, params=None, timeout=10):
        """The RpcError that this request must give."""
        try:
            result = self.call(method, params, timeout)
        except RpcError as error:
            return error
        raise Failure(f"{method} was accepted: {result}")

    def publish(self, uri, body=None, expires=None, timeout=10, **more):
        """A publication of event presence unless `more` says another."""
        return self.call("pua_publish", publish_params(uri, body, expires, **more), timeout)

    def remove(self, uri, timeout=10, **more):
        return self.publish(uri, None, 0, timeout, **more)

    def subscribe(self, uri, expires=None, event="presence", watcher=WATCHER, timeout=10, **more):
        """A subscription of event presence unless told otherwise; answered after the final reply."""
        return self.call("pua_subscribe", subscribe_params(uri, expires, event, watcher, **more), timeout)

    def unsubscribe(self, uri, event="presence", watcher=WATCHER, timeout=10, **more):
        return self.call("pua_unsubscribe", subscribe_params(uri, None, event, watcher, **more), timeout)

    def subscriptions(self, uri, event=None, watcher=None):
        """The subscriptions to this presentity, in full; those that have ended are left out."""
        self.wait_loaded()
        try:
            found = self.call("pua_show", {"presentity_uri": uri, "kind": "subscription"})["records"]
        except RpcError as error:
            if error.code != 404:
                raise
            return []
        return [r for r in found if r["state"] != "gone" and event in (None, r["event"]) and watcher in (None, r["watcher_uri"])]

    def subscription(self, uri, event=None, watcher=None):
        """The only one."""
        found = self.subscriptions(uri, event, watcher)
        if len(found) != 1:
            raise Failure(f"puad shows {len(found)} subscriptions to {uri}, wanted one")
        return found[0]

    def stats(self):
        return self.call("pua_stats")

    def wait_loaded(self, timeout=10):
        """puad takes requests before it has read its table; what it shows is complete only then."""
        wait_for(lambda: not self.call("pua_stats", {"pattern": "loading"})["loading"], timeout, "the table is loaded")

    def list(self, **filters):
        """Every record, page by page."""
        self.wait_loaded()
        records, cursor = [], 0
        while True:
            page = self.call("pua_list", dict(filters, cursor=cursor) if cursor else dict(filters))
            records += page["records"]
            cursor = page.get("next", 0)
            if not cursor:
                return records

    def record(self, uri):
        """The only publication of this presentity."""
        found = self.list(presentity_uri=uri, kind="publication")
        if len(found) != 1:
            raise Failure(f"puad lists {len(found)} records of {uri}, wanted one")
        return found[0]


def subscribe_params(uri, expires=None, event="presence", watcher=WATCHER, **more):
    params = {"presentity_uri": uri, "watcher_uri": watcher, "event_package": event, **more}
    if expires is not None:
        params["expires"] = expires
    return params


def publish_params(uri, body=None, expires=None, event="presence", content_type="application/pidf+xml", **more):
    params = {"presentity_uri": uri, "event_package": event, **more}
    if expires is not None:
        params["expires"] = expires
    if body is not None:
        params.update(content_type=content_type, body=body)
    return params


class Puad:
    """Not started by making it: the test may want to change the configuration first."""

    def __init__(self, ctx, server=None, name="puad", env=None, **pua):
        self.ctx, self.name, self.env, self.process, self.port = ctx, name, env, None, ctx.port()
        self.dir = ctx.dir
        self.socket, self.db, self.config = (self.dir / f"{name}.{kind}" for kind in ("sock", "db", "conf"))
        self.settings = {
            **({("pua", "sip_lane"): "no"} if os.environ.get("PUA_TEST_LANE") == "no" else {}),
            ("pua", "db_url"): f"sqlite:///{self.db}",
            ("pua", "sip_listen"): f"sip:{HOST}:{self.port}",
            ("pua", "min_expires"): 1,
            ("pua_mi", "dgram_socket"): str(self.socket),
        }
        if server:
            self.settings["pua", "outbound_proxy"] = server
        self.set("pua", **pua)

    def listen(self, transport="udp"):
        """Makes it take NOTIFYs at an address of its own, which is then the Contact. Returns itself."""
        self.notify_port = self.ctx.port()
        self.contact = f"sip:{HOST}:{self.notify_port}" + ("" if transport == "udp" else f";transport={transport}")
        self.set("pua", listen=self.contact)
        if transport != "udp":
            self.set("pua", sip_listen=f"sip:{HOST}:{self.port};transport={transport}")
        return self

    def set(self, module, **values):
        """Settings for the next start or reload. None takes one out."""
        for name, value in values.items():
            self.settings[module, name] = value

    def write_config(self):
        lines = []
        for (module, name), value in self.settings.items():
            for one in value if isinstance(value, list) else [value]:
                if one is not None:
                    quoted = str(int(one)) if isinstance(one, (bool, int)) else json.dumps(str(one))
                    lines.append(f'modparam("{module}", "{name}", {quoted})')
        self.config.write_text("\n".join(lines) + "\n")
        self.config.chmod(0o600)
        return self.config

    def start(self, ready=True, timeout=10, arguments=(), **more):
        """Starts it on what the last run left; ready: waits until it takes requests."""
        self.write_config()
        env = dict(os.environ, **(self.env or {}))
        self.process = self.ctx.start(self.name, [program("puad"), "-f", self.config, *arguments], env=env, **more)
        if ready:
            self.wait_ready(timeout)
        return self

    def wait_ready(self, timeout=10):
        client = Control(self.ctx, self.socket)

        def answers():
            if not self.process.running():
                raise Failure(f"puad ended with status {self.process.popen.returncode}: {self.process.output()[-800:]}")
            try:
                return client.call("version", timeout=0.5)
            except (OSError, Failure):
                return None
        try:
            wait_for(answers, timeout, "puad takes control requests", step=0.01)
        finally:
            client.close()

    def control(self):
        return Control(self.ctx, self.socket)

    def sigkill(self):
        """What a crash or the kernel's memory killer does."""
        self.process.kill()

    def terminate(self, timeout=10):
        """SIGTERM; returns (exit status, seconds it took)."""
        begin = time.monotonic()
        self.process.signal(signal.SIGTERM)
        return self.process.wait(timeout), time.monotonic() - begin

    def log(self):
        return self.process.output()


def puactl(puad, *arguments, timeout=15, stdin=None):
    """Runs puactl against this puad; returns the completed process with text output."""
    return run(program("puactl"), "-s", puad.socket, *arguments, timeout=timeout, stdin=stdin)


def run(*argv, timeout=15, stdin=None, **more):
    """Runs a short command to its end."""
    try:
        return subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True, errors="replace",
                              timeout=timeout, check=False, **more)
    except subprocess.TimeoutExpired:
        raise Failure(f"{pathlib.Path(argv[0]).name} {' '.join(map(str, argv[1:4]))} did not end in {timeout} s") from None
