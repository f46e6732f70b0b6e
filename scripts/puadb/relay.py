"""Stands between MariaDB's command line client and the server for one session, and promises what the client alone cannot.

The client comes over a socket that only its user can reach. TLS towards the server is made here, before anything else is sent where it
was asked for; the certificate is compared with the host that the URL names; and no server gets the password in the clear, or under
a key of its own choice, unless that is allowed.
"""
import contextlib
import os
import select
import socket
import ssl
import struct
import tempfile
import threading

TIMEOUT = 5              # s, for each step until the session stands
CLIENT_SSL = 0x0800
OK, ERR, SWITCH = 0x00, 0xff, 0xfe
NO_CONNECTION, NO_SOCKET, LOST, TLS_ERROR, PLUGIN_ERROR = 2003, 2002, 2013, 2026, 2059
# Methods that show a server nothing it could use elsewhere, and those that do.
SAFE = {b"mysql_native_password", b"client_ed25519", b"auth_gssapi_client", b"parsec"}
CLEAR = {b"mysql_clear_password", b"dialog", b"sha256_password", b"caching_sha2_password"}
SOCKETS = ("/run/mysqld/mysqld.sock", "/var/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock")
CHUNK, MOST_WAITING = 1 << 16, 1 << 20
LONGEST_FOLDER = 70      # octets: the address of a socket has 107


class Refused(Exception):
    """The session cannot be made. The client is told the reason, too, but its own message does not always name it."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


class Relay:
    """Listens when it is made, for one client, which is handed `address` and reaches it as `path`. close() at any time.

    The socket is made in a folder that is removed at once, so that nothing stays behind, even if we are killed."""

    def __init__(self, url, host):
        self.url, self.host, self.done, self.refused = url, host, False, None
        self.listener, self.closing = socket.socket(socket.AF_UNIX), threading.Lock()
        long = len(os.fsencode(tempfile.gettempdir())) > LONGEST_FOLDER
        with tempfile.TemporaryDirectory(prefix="puadbctl-", dir="/tmp" if long else None) as folder:        # mode 0700
            name = os.path.join(folder, "socket")
            self.listener.bind(name)
            self.address = os.open(name, os.O_PATH)
        self.path = f"/proc/self/fd/{self.address}"
        self.listener.listen(1)
        self.listener.settimeout(2 * TIMEOUT)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self.done = True
        self.listener.close()
        with self.closing:
            address, self.address = self.address, None
        if address is not None:
            os.close(address)

    def _serve(self):
        try:
            client, _ = self.listener.accept()
        except OSError:           # it ended before it came here
            return self.close()
        self.close()
        with contextlib.suppress(OSError), client:
            client.settimeout(TIMEOUT)
            try:
                with self._session(client) as server:
                    _pump(client, server)
            except Refused as why:
                self.refused = why
                _send(client, self.next_number, _error(why.code, str(why)))
        return None

    # --- until the session stands ------------------------------------------------------------------------------------

    def _session(self, client):
        """The connection to a server that has let the client in, or has told it why not."""
        self.next_number = 0      # of the packet that the client waits for
        server = self._connect()
        try:
            server.settimeout(TIMEOUT)
            return self._log_in(client, server)
        except ssl.SSLError as why:
            server.close()
            raise Refused(TLS_ERROR, f"TLS/SSL error: {getattr(why, 'verify_message', '') or why.reason or why}") from None
        except (OSError, EOFError, ValueError, struct.error) as why:
            server.close()
            raise Refused(LOST, f"Lost connection to server at 'handshake' ({why or 'closed'})") from None
        except BaseException:
            server.close()
            raise

    def _connect(self):
        name, port = self.host
        try:
            if name != "localhost" or port:
                return socket.create_connection((name, port or 3306), TIMEOUT)
        except OSError as why:
            raise Refused(NO_CONNECTION, f"Can't connect to server on '{name}' ({why.strerror or why})") from None
        path = self.url.socket or os.environ.get("MYSQL_UNIX_PORT") or next(filter(os.path.exists, SOCKETS), SOCKETS[0])
        server = socket.socket(socket.AF_UNIX)
        try:
            server.settimeout(TIMEOUT)
            server.connect(path)
        except OSError as why:
            server.close()
            raise Refused(NO_SOCKET, f"Can't connect to local server through socket '{path}' ({why.strerror or why})") from None
        return server

    def _log_in(self, client, server):
        _, greeting = _receive(server)
        if greeting[:1] == bytes((ERR,)):
            text = greeting[3:].decode("utf-8", "replace")
            raise Refused(*struct.unpack_from("<H", greeting, 1), text[6:] if text[:1] == "#" else text)
        place = greeting.index(b"\0", 1) + 1 + 4 + 8 + 1
        flags, = struct.unpack_from("<H", greeting, place)
        offered = bool(flags & CLIENT_SSL)
        if self.url.tls in ("on", "verify") and not offered:
            raise Refused(TLS_ERROR, "the server does not use TLS")
        plugin = greeting.rstrip(b"\0").rpartition(b"\0")[2]
        if plugin in CLEAR:
            self._allow(plugin, offered and self.url.tls != "off")
        _send(client, 0, greeting[:place] + struct.pack("<H", flags & ~CLIENT_SSL) + greeting[place + 2:])
        self.next_number = 2
        _, answer = _receive(client)
        shift = 0
        if offered and self.url.tls != "off":
            wanted, = struct.unpack_from("<I", answer)
            answer = struct.pack("<I", wanted | CLIENT_SSL) + answer[4:]
            _send(server, 1, answer[:32])
            server, shift = self._encrypted(server), 1
        try:
            _send(server, 1 + shift, answer)
            self._exchange(client, server, shift)
        except BaseException:
            server.close()
            raise
        return server

    def _encrypted(self, server):
        name, port = self.host
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.url.tls_ca:
            try:
                context.load_verify_locations(self.url.tls_ca)
            except OSError as why:       # an SSLError is one, too
                raise Refused(TLS_ERROR, f"TLS/SSL error: the certificates in {self.url.tls_ca}: {why.strerror or why}") from None
        local = name == "localhost" and not port
        context.check_hostname = self.url.tls == "verify" and not local      # of a local socket there is no name to compare
        context.verify_mode = ssl.CERT_REQUIRED if self.url.tls_ca else ssl.CERT_NONE
        return context.wrap_socket(server, server_hostname=name)

    def _allow(self, plugin, encrypted):
        if plugin in SAFE or plugin in CLEAR and self.url.clear_password and encrypted:
            return
        shown = plugin.decode("ascii", "replace")[:64]
        raise Refused(PLUGIN_ERROR, f"the server asks for the password by '{shown}', which would give it away: refused")

    def _exchange(self, client, server, shift):
        """Packets of the login, both ways, until the server has decided. Their numbers differ by the one that asked for TLS."""
        while True:
            ready = [server] if isinstance(server, ssl.SSLSocket) and server.pending() else select.select(
                [client, server], [], [], TIMEOUT)[0]
            if not ready:
                raise Refused(LOST, "Lost connection to server at 'login' (no answer)")
            if client in ready:
                number, packet = _receive(client)
                _send(server, number + shift, packet)
                continue
            number, packet = _receive(server)
            self.next_number = (number - shift) & 0xff
            if packet[:1] == bytes((SWITCH,)):
                self._allow(packet[1:].partition(b"\0")[0], shift > 0)
            _send(client, number - shift, packet)
            if packet[:1] in (bytes((OK,)), bytes((ERR,))):
                return


# --- packets -----------------------------------------------------------------------------------------------------------


def _exactly(peer, size):
    found = b""
    while len(found) < size:
        more = peer.recv(size - len(found))
        if not more:
            raise EOFError("closed")
        found += more
    return found


def _receive(peer):
    """(number, content) of one packet."""
    head = _exactly(peer, 4)
    return head[3], _exactly(peer, int.from_bytes(head[:3], "little"))


def _send(peer, number, content):
    peer.sendall(len(content).to_bytes(3, "little") + bytes((number & 0xff,)) + content)


def _error(code, text):
    return bytes((ERR,)) + struct.pack("<H", code) + b"#HY000" + text.encode("utf-8", "replace")[:500]


# --- the session -------------------------------------------------------------------------------------------------------


def _pump(client, server):
    """Octets, both ways, until one side ends and the other has what it said."""
    other, waiting = {client: server, server: client}, {client: bytearray(), server: bytearray()}
    for peer in other:
        peer.setblocking(False)
    ended = False
    while waiting[client] or waiting[server] or not ended:
        readers = [] if ended else [peer for peer in other if len(waiting[other[peer]]) < MOST_WAITING]
        writers = [peer for peer in other if waiting[peer]]
        at_once = [peer for peer in readers if isinstance(peer, ssl.SSLSocket) and peer.pending()]
        readable, writable, _ = select.select(readers, writers, [], 0 if at_once else None)
        for peer in {*readable, *at_once}:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                octets = peer.recv(CHUNK)
                waiting[other[peer]] += octets
                ended = ended or not octets
        for peer in writable:
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                del waiting[peer][:peer.send(waiting[peer])]
