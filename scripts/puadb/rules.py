"""Which rows the library takes, and what makes two of them the same record.

The rules of src/core/validate.cpp and of the two functions unreadable() (engine_store.cpp, subscriptions_store.cpp), and the
expression of key_digest in db/mysql. tests/e2e/puadbctl_e2e.py shows that they agree.

A row is a dict of column to value, as the database gave it.
"""
import hashlib
import os
import re
import socket

MAX_URI = 1023           # octets
MAX_TOKEN = 255
MAX_ROUTES = 4096
MAX_ID = 10 ** 15
MAX_EPOCH = 10 ** 11     # s
MAX_CSEQ = 0x7fffffff - 1000
LEAVING = 1              # desired_expires of a record that nobody wants any more

# Events that the library knows without add_event.
EVENTS = {1: "presence", 2: "presence.winfo", 4: "dialog;sla", 8: "message-summary", 16: "conference", 32: "xcap-diff",
          64: "dialog", 128: "call-info", 256: "reg"}
CALL_INFO = 128          # what it publishes stands in header fields: it needs no body

OWN_HEADERS = frozenset(("via v from f to t call-id i cseq max-forwards event o expires sip-if-match content-type c "
                         "content-length l contact m route authorization proxy-authorization").split())
TOKEN = re.compile(rb"[-0-9A-Za-z.!%*_+`'~]*")
CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
FORBIDDEN_IN_URI = re.compile(rb"[\x00-\x20\x7f<>\"]|%(?![0-9A-Fa-f]{2})")
SCHEME = re.compile(rb"(?:sips?|pres|tel):", re.IGNORECASE)
HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[-0-9A-Za-z_.!~*'()&=+$,]+)(?::([0-9]+))?")
NOT_IN_NUMBER = re.compile(rb"[/:@\[\]]")
TAG = re.compile(rb"[\x21-\x7e]*")
NOT_IN_TAG = re.compile(rb"[;,<>\"]")
NAME = re.compile(rb"([-0-9A-Za-z.!%*_+`'~]+)[ \t]*:")

URIS = ("to_uri", "contact", "remote_contact", "target")
NARROW = ("flag", "event", "node", "intent", "intent_expires")   # 32 bits


def is_uri(value):
    """As src/core/uri.cpp and check_uri() read it: no "?headers", one '@' at most."""
    if len(value) > MAX_URI or not SCHEME.match(value) or FORBIDDEN_IN_URI.search(value):
        return False
    scheme, rest = value.split(b":", 1)
    tel = scheme.lower() == b"tel"
    if not tel and b"@" in rest:
        rest = rest.split(b"@", 1)[1]       # the user part may be empty, and hold anything
    if b"?" in rest:
        return False
    host, _, parameters = rest.partition(b";")
    if tel:
        return bool(host) and not NOT_IN_NUMBER.search(host)
    found = HOST.fullmatch(host)
    return bool(found) and int(found.group(1) or 0) <= 65535 and b"@" not in parameters


def is_text(value, most=MAX_TOKEN):
    return len(value) <= most and not CONTROL.search(value)


def is_token(value):
    return len(value) <= MAX_TOKEN and bool(TOKEN.fullmatch(value))


def is_etag(value):
    """One line that a header field can carry (src/core/etag.h)."""
    return len(value) <= MAX_TOKEN and not CONTROL.search(value.replace(b"\t", b" ")) and value.strip(b" \t") == value


def is_tag(value):
    return len(value) <= MAX_TOKEN and bool(TAG.fullmatch(value)) and not NOT_IN_TAG.search(value)


def are_headers(value):
    """Whole lines "Name: value" CRLF, none that the library writes itself."""
    if not value:
        return True
    lines = value.split(b"\r\n")
    if lines.pop():
        return False
    return all(_is_header(line) for line in lines)


def _is_header(line):
    name = NAME.match(line)
    return bool(name) and name.group(1).lower().decode() not in OWN_HEADERS and not CONTROL.search(line.replace(b"\t", b" "))


def is_subscription(row):
    return bool(row["watcher_uri"])


def is_publishable(row):
    """Can it be published in full?"""
    return bool(row["body"]) or row["event"] == CALL_INFO and bool(row["extra_headers"])


def unreadable(row):
    """The first column for which the library would leave this row aside; None: it takes it."""
    def octets(name):
        value = row.get(name)
        return value if isinstance(value, bytes) else b""

    if not 0 < row["id"] <= MAX_ID:
        return "id"
    if not row["flag"] > 0:
        return "flag"
    for name in ("expires", "desired_expires"):
        if not 0 <= row[name] <= MAX_EPOCH:
            return name
    subscription = is_subscription(row)
    if not is_uri(octets("pres_uri")):
        return "pres_uri"
    if subscription and not is_uri(octets("watcher_uri")):
        return "watcher_uri"
    for name in (*URIS, "outbound_proxy") if subscription else ("outbound_proxy",):
        if octets(name) and not is_uri(octets(name)):
            return name
    for name in ("pres_id", "call_id") if subscription else ("pres_id", "tuple_id", "content_type"):
        if not is_text(octets(name)):
            return name
    if subscription and not is_token(octets("event_id")):
        return "event_id"
    if not subscription and not is_etag(octets("etag")):
        return "etag"
    for name in ("from_tag", "to_tag") if subscription else ():
        if not is_tag(octets(name)):
            return name
    if subscription and not is_text(octets("record_route"), MAX_ROUTES):
        return "record_route"
    return None if are_headers(octets("extra_headers")) else "extra_headers"


def not_numbers(row, schema):
    """Columns that hold something else than the number they should: SQLite keeps what it is given."""
    wrong = []
    for column in schema.columns:
        value = row.get(column.name)
        if column.kind == "int" and column.name in row:
            if value is None and column.not_null or value is not None and not isinstance(value, int):
                wrong.append(column.name)
            elif column.name in NARROW and isinstance(value, int) and not -2 ** 31 <= value < 2 ** 31:
                wrong.append(column.name)
    return wrong


def digest(row):
    """What must be unique: the digest of the key, as the generated column of MariaDB has it."""
    def sized(name):
        value = row[name] or b""
        return b"%d:%s" % (len(value), value)

    text = b"%s%d,%d,%s%s%s" % (sized("pres_uri"), row["event"], row["flag"], sized("pres_id"), sized("watcher_uri"),
                                sized("to_uri"))
    return hashlib.sha256(text).digest()


def shown(value, most=80):
    """Octets for people: printable, and not too long."""
    text = value.decode("ascii", "backslashreplace") if isinstance(value, bytes) else str(value)
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return text if len(text) <= most else text[:most - 3] + "..."


def title(row):
    """How reports name a row."""
    watcher = f" watched by {shown(row['watcher_uri'])}" if row.get("watcher_uri") else ""
    return f"row {row['id']} ({shown(row['pres_uri'])}{watcher})"


def own_meta(name, kind):
    """A value beside the rows, as this host names it: in MariaDB each host has values of its own (MysqlStore::own)."""
    return name[:20] + b"@" + os.fsencode(socket.gethostname())[:40] if kind == "mysql" else name


def clock_drift(meta, kind):
    """Seconds that the wall clock is ahead of the time in rows (src/loop/clock.h): not 0 after somebody has stepped it."""
    words = meta.get(own_meta(b"clock", kind), b"").split(b" ")
    return int(words[2]) // 1000 if len(words) == 4 and re.fullmatch(rb"-?\d{1,15}", words[2]) else 0
