"""Debian's Kamailio as publisher and subscriber (modules pua, pua_rpc) with its table in MariaDB: whom puad takes over from.

It writes its table every `period` seconds, the least that it takes being 6, and not when it is ended; after a start it empties
the table. So what it has in memory is in the table once a period has gone by, and a SIGKILL leaves it there.
"""
import json
import pathlib
import shutil
import urllib.error
import urllib.request

from harness import HOST, ROOT, Failure, Skip, wait_for

TEMPLATE = ROOT / "tests" / "bench" / "kamailio-pua.cfg.in"
SCHEMA = pathlib.Path("/usr/share/kamailio/mysql")


class KamailioPua:
    """Started by making it, ready when made. place: a MariaPlace, in which it gets its tables. proxy: port of its next hop."""

    def __init__(self, ctx, name, place, proxy, period=6):
        self.binary = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin:/usr/local/sbin")
        if not self.binary or not (SCHEMA / "presence-create.sql").exists():
            raise Skip("Kamailio with its mysql modules is not installed")
        self.place, self.port, self.http, self.period = place, ctx.port(), ctx.port(), period
        self.contact = f"sip:watcher@{HOST}:{self.port}"       # its pua.subscribe makes the watcher the Contact
        folder = ctx.dir / name
        folder.mkdir()
        for part in ("standard", "presence"):
            place.run((SCHEMA / f"{part}-create.sql").read_text())
        text = TEMPLATE.read_text().replace("#H ", "")
        for key, value in {"DIR": folder, "PORT": self.port, "HTTP": self.http, "SINK": proxy, "PERIOD": period, "WT": 1000,
                           "DBMODULE": "db_mysql", "DBURL": place.url}.items():
            text = text.replace(f"@{key}@", str(value))
        config = folder / "kamailio.cfg"
        config.write_text(text)
        self.process = ctx.start(name, [self.binary, "-f", config, "-DD", "-E", "-m", "64", "-M", "8", "-Y", folder])
        wait_for(self._answers, 15, f"{name} answers", step=0.05)

    def _answers(self):
        if not self.process.running():
            raise Failure(f"{self.process.name} ended: {self.process.output()[-600:]}")
        try:
            return self.call("core.version", [])
        except OSError:
            return None

    def call(self, method, params):
        """The result of a JSON-RPC request over HTTP; a Failure for an error."""
        request = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.http}/RPC", request, timeout=10) as answer:
                return json.loads(answer.read())["result"]
        except urllib.error.HTTPError as why:
            raise Failure(f"{method}: {why}") from None

    def publish(self, uri, body, expires, ident=".", headers=".", waits=True):
        """waits: its pua.publish, answered after the final reply, with the entity-tag; else pua.send_publish."""
        return self.call("pua.publish" if waits else "pua.send_publish",
                         [uri, str(expires), "presence", "application/pidf+xml", ident, ".", ".", headers, body]).get("SIP-ETag")

    def subscribe(self, uri, expires):
        self.call("pua.subscribe", [uri, self.contact, "presence", expires])

    def crash(self, rows):
        """SIGKILL, once its table holds so many rows."""
        wait_for(lambda: int(self.place.rows("SELECT COUNT(*) FROM pua")[0][0]) == rows, 2 * self.period + 5,
                 f"{rows} rows of {self.process.name}", step=0.1)
        self.process.kill()
