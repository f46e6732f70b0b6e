"""The forms of db_url, as src/store/db_url.cpp takes them; but no control characters in user and password. What is not UTF-8 is refused, as
puad refuses it in every parameter. Messages never repeat the URL: it may hold a password."""
import re
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from puadb.database import Problem


class SqliteUrl(NamedTuple):
    path: str


class MysqlUrl(NamedTuple):
    """hosts: (name, port) in the order to try them; port 0: none was named. What follows the database is not in the URL: the
    parameters db_socket, db_tls (empty: encrypted where the server can), db_tls_ca and db_clear_password."""
    user: str
    password: str
    hosts: tuple
    database: str
    socket: str = ""
    tls: str = ""
    tls_ca: str = ""
    clear_password: bool = False

    def shown(self, host):
        """One of the hosts, as messages name it."""
        name, port = host
        name = f"[{name}]" if ":" in name else name
        return f"mysql://{self.user + '@' if self.user else ''}{name}{f':{port}' if port else ''}/{self.database}"


def parse(url):
    scheme, colon, rest = url.partition(":")
    if not colon or not scheme:
        raise Problem("the URL has no scheme: mysql://user:password@host/database or sqlite:///path expected")
    if re.search("[\ud800-\udfff]", url):       # what Python makes of such octets
        raise Problem("the URL is not valid UTF-8")
    if scheme.lower() == "sqlite":
        return _sqlite(rest)
    if scheme.lower() == "mysql":
        return _mysql(rest)
    if scheme.lower() == "memory":
        raise Problem("memory: is no database: there is nothing to manage")
    raise Problem("the URL is neither mysql://user:password@host/database nor sqlite:///path")


def _sqlite(rest):
    if not re.match(r"///*[^/]", rest) or not rest.startswith("///"):
        raise Problem("the URL is not of the form sqlite:///path, with an absolute path")
    if rest.endswith("/"):
        raise Problem("sqlite:///path names a folder, not a file")
    if re.search(r"[\x00-\x1f\x7f]", rest):
        raise Problem("control character in the path of the URL")
    return SqliteUrl("/" + rest.lstrip("/"))


def _mysql(rest):
    form = "the URL is not of the form mysql://user:password@host[,host...][:port]/database"
    if not rest.startswith("//"):
        raise Problem(form)
    # A password may hold '@' and '/': what counts is the last '@'.
    login, _, place = rest[2:].rpartition("@")
    hosts, slash, database = place.partition("/")
    user, _, password = login.partition(":")
    if not slash or not hosts or not database:
        raise Problem(form)
    parts = [_unescaped(part) for part in (user, password, database)]
    if re.search("[/?`]", parts[2]) or len(parts[2].encode("utf-8", "surrogateescape")) > 64:
        raise Problem("the name of the database in the URL is not one")
    return MysqlUrl(parts[0], parts[1], _hosts(hosts), parts[2])


def _hosts(text):
    """A port at the end is that of all hosts without one of their own."""
    found = []
    for one in text.split(","):
        match = re.fullmatch(r"(?:\[([-\w.:%]+)\]|([-\w.%]+))(?::([0-9]{1,20}))?", one, re.ASCII)
        if not match or len(match[1] or match[2]) > 255 or match[3] and not 0 < int(match[3]) < 65536:
            raise Problem("a host in the URL is not of the form name, name:port, [address] or [address]:port")
        found.append((match.group(1) or match.group(2), int(match.group(3) or 0)))
    last = found[-1][1]
    return tuple((name, port or last) for name, port in found)


def _unescaped(text):
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise Problem("a '%' in the URL is not followed by two hexadecimal digits (write %25 for the character itself)")
    octets = unquote_to_bytes(text)
    if any(c < 0x20 or c == 0x7f for c in octets):
        raise Problem("control character in the URL")
    return octets.decode("utf-8", "surrogateescape")
