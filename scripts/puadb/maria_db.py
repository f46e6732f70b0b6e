"""MariaDB through its command line client: statements go in as text, rows come out as lines.

Strings travel as hexadecimal digits in both directions, so that neither quoting nor a character set can touch them.
"""
import contextlib
import os
import re
import shutil
import subprocess
import tempfile

from puadb.database import Database, Problem, Text, name_of
from puadb.relay import TIMEOUT, Relay

CONNECT_TIMEOUT = 4 * TIMEOUT      # s; whoever the client talks to gives up sooner
STATEMENT_OCTETS = 512 * 1024      # of an INSERT of many rows
# What a server that is down, full or going away says. Anything else is an answer.
NO_ANSWER = {1040, 1042, 1053, 1129, 1130, 2002, 2003, 2005, 2006, 2012, 2013, 2026}
SESSION = "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION';\n"


class MariaDb(Database):
    kind = "mysql"

    def __init__(self, url, write=False, create=False):
        self.url, self.options, self.relays, self.host = url, None, [], None
        self.client = shutil.which("mariadb") or shutil.which("mysql")
        if not self.client:
            raise Problem("neither mariadb nor mysql, the client of MariaDB, is installed (Debian: mariadb-client)")
        if url.tls == "verify" and not url.tls_ca:
            raise Problem("TLS is to be verified, and no file with certificates is named (db_tls_ca, --tls-ca)")
        try:
            self._find_host(write)
        except BaseException:
            self.close()
            raise

    def _find_host(self, write):
        """The first host that answers is the one."""
        said = []
        for self.host in self.url.hosts:
            try:
                [version], [_, cipher] = self._lines("SELECT VERSION(); SHOW STATUS LIKE 'Ssl_cipher'")
                # A client goes on in the clear where the server has no TLS, unless it is to verify.
                if self.url.tls in ("on", "verify") and not cipher:
                    raise Problem(f"{self.where}: the server does not use TLS", 2026)
                break
            except Problem as why:
                said.append(str(why))
                if why.code not in NO_ANSWER:
                    raise
        else:
            raise Problem("; ".join(said))
        if write and "mariadb" not in version.lower():
            raise Problem(f"{self.where}: a server of version {version}, not MariaDB")

    @property
    def where(self):
        return self.url.shown(self.host or self.url.hosts[0])

    def close(self):
        for relay in self.relays:
            relay.close()
        self.relays.clear()
        if self.options is not None:
            os.close(self.options)
            self.options = None

    # --- the client ----------------------------------------------------------------------------------------------

    def _options(self):
        """What must not stand on a command line, in a file that is in memory only: it goes with us, however we end."""
        if self.options is None:
            self.options = os.memfd_create("puadbctl")
            os.fchmod(self.options, 0o600)          # the client reads no file that others could write to
            settings = {"user": self.url.user, "password": self.url.password}
            os.write(self.options, ("[client]\n" + "".join(f"{key}={_quoted(value)}\n" for key, value in settings.items())
                                    ).encode("utf-8", "surrogateescape"))
        return self.options

    def _start(self, **more):
        """Starts the client, which reaches the server by a relay (relay.py). It gets --defaults-file and not --defaults-extra-file,
        because a ~/.my.cnf would be read after that one, and override it."""
        relay, options = Relay(self.url, self.host), self._options()
        self.relays = [one for one in self.relays if not one.done] + [relay]       # the last one is the newest session's
        return subprocess.Popen([self.client, f"--defaults-file=/dev/fd/{options}", "--batch", "--raw", "--skip-column-names",
                                 "--quick", "--binary-mode", "--default-character-set=utf8mb4", "--max-allowed-packet=1G",
                                 "--skip-ssl", "--local-infile=0", "--protocol=socket", f"--socket={relay.path}",
                                 f"--connect-timeout={CONNECT_TIMEOUT}", f"--database={self.url.database}"],
                                pass_fds=(options, relay.address), **more)

    def _problem(self, errors):
        why = self.relays[-1].refused
        if why:
            return Problem(f"{self.where}: {why}", why.code)
        errors.seek(0)
        text = errors.read().decode(errors="replace").strip()
        said = re.search(r"ERROR (\d+) (?:\([^)]*\))?[^:]*: (.*)", text, re.DOTALL)
        what = said.group(2).strip() if said else text or "the client failed"
        return Problem(f"{self.where}: {what}"[:1000], int(said.group(1)) if said else 0)

    def _stream(self, sql):
        """The cells of each line of the result, as text."""
        with tempfile.TemporaryFile() as script, tempfile.TemporaryFile() as errors:
            script.write((SESSION + sql + ";\n").encode("utf-8", "surrogateescape"))
            script.seek(0)
            with self._start(stdin=script, stdout=subprocess.PIPE, stderr=errors) as client:
                try:
                    for line in client.stdout:
                        yield line.rstrip(b"\n").decode("utf-8", "surrogateescape").split("\t")
                except BaseException:        # whoever asked wants no more
                    client.kill()
                    raise
            if client.returncode:
                raise self._problem(errors)

    def _lines(self, sql):
        return list(self._stream(sql))

    # --- looking -------------------------------------------------------------------------------------------------

    def describe(self, table):
        sql = ("SELECT column_name, column_type, is_nullable FROM information_schema.columns WHERE table_schema = DATABASE() "
               f"AND BINARY table_name = '{name_of(table)}' ORDER BY ordinal_position")
        return {name: (re.sub(r"\b((?:small|medium|tiny|big)?int)\(\d+\)", r"\1", type).upper(), nullable == "NO")
                for name, type, nullable in self._lines(sql)}

    def unique_keys(self, table):
        sql = ("SELECT index_name, column_name, IFNULL(sub_part, 0) FROM information_schema.statistics WHERE table_schema = "
               f"DATABASE() AND BINARY table_name = '{name_of(table)}' AND non_unique = 0 ORDER BY index_name, seq_in_index")
        keys = {}
        for index, column, part in self._lines(sql):
            keys.setdefault(index, []).append(column if part == "0" else f"{column}({part})")
        return [frozenset(columns) for columns in keys.values()]

    def version_of(self, table):
        """Works whatever character set table `version` has, for another program may have made it."""
        if not {"table_name", "table_version"} <= self.describe("version").keys():
            return None
        found = self._lines("SELECT table_version FROM version WHERE CONVERT(table_name USING utf8mb4) COLLATE utf8mb4_bin = "
                            f"'{name_of(table)}'")
        return int(found[0][0]) if found else None

    def key_columns(self):
        return frozenset(("key_digest",))

    def rows(self, table, columns, order="id"):
        wanted = ", ".join(f"`{name_of(name)}`" if kind == "int" else f"HEX(`{name_of(name)}`)" for name, kind in columns)
        kinds = [kind for _, kind in columns]
        for cells in self._stream(f"SELECT {wanted} FROM `{name_of(table)}` ORDER BY `{name_of(order)}`"):
            yield [None if cell == "NULL" else int(cell) if kind == "int" else
                   (Text if kind == "text" else bytes)(bytes.fromhex(cell)) for cell, kind in zip(cells, kinds)]

    def count(self, table):
        return int(self._lines(f"SELECT COUNT(*) FROM `{name_of(table)}`")[0][0])

    # --- changing ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(self):
        with tempfile.TemporaryFile() as errors:
            with self._start(stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors) as client:
                writer = Writer(client.stdin)
                try:
                    writer.run(SESSION.rstrip(";\n"))
                    writer.run("START TRANSACTION")
                    yield writer
                    writer.run("COMMIT")
                    client.stdin.close()
                except BrokenPipeError:      # it has ended with an error: told below
                    with contextlib.suppress(BrokenPipeError):
                        client.stdin.close()
                except BaseException:        # without COMMIT nothing has happened
                    client.kill()
                    raise
            if client.returncode:
                raise self._problem(errors)

    def set_version(self, table, version):
        return (f"INSERT INTO version (table_name, table_version) VALUES ('{name_of(table)}', {int(version)}) "
                f"ON DUPLICATE KEY UPDATE table_version = {int(version)}")

    def rename(self, table, to):
        return f"RENAME TABLE `{name_of(table)}` TO `{name_of(to)}`"


class Writer:
    """Statements on their way into a client, which stops at the first that fails."""

    def __init__(self, pipe):
        self.pipe = pipe

    def run(self, statement):
        self.pipe.write(statement.encode("utf-8") + b";\n")
        self.pipe.flush()

    def insert(self, table, columns, rows):
        head = f"INSERT INTO `{name_of(table)}` ({', '.join(f'`{name_of(name)}`' for name, _ in columns)}) VALUES\n"
        batch, octets = [], 0
        for row in rows:
            batch.append("(" + ", ".join(map(literal, row)) + ")")
            octets += len(batch[-1])
            if octets > STATEMENT_OCTETS:
                self.run(head + ",\n".join(batch))
                batch, octets = [], 0
        if batch:
            self.run(head + ",\n".join(batch))


def literal(value):
    if value is None:
        return "NULL"
    return f"X'{value.hex()}'" if isinstance(value, bytes) else str(int(value))


def _quoted(value):
    """As the client's option files want it."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
