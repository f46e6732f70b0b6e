"""SIP messages as the scripted peers of the tests read and write them (RFC 3261 section 7). Lenient: a test judges, not this."""
import dataclasses
import hashlib
import re

COMPACT = {"a": "accept-contact", "c": "content-type", "f": "from", "i": "call-id", "k": "supported", "l": "content-length",
           "m": "contact", "o": "event", "t": "to", "u": "allow-events", "v": "via"}
NAME_ADDR = re.compile(r"<([^>]*)>")
PARAM = re.compile(r";\s*([\w.!%*+`'~-]+)\s*(?:=\s*(\"[^\"]*\"|[^;,\s]*))?")


def uri_of(value):
    """The URI of a name-addr or addr-spec."""
    found = NAME_ADDR.search(value)
    return found.group(1) if found else value.partition(";")[0].strip()


def params_of(value):
    """The header field's own parameters, not those of a URI in angle brackets."""
    rest = value.rpartition(">")[2] if ">" in value else value
    return {name.lower(): (text or "").strip('"') for name, text in PARAM.findall(rest)}


def address_of(uri):
    """(host, port, transport) of a SIP URI, where it names numbers."""
    found = re.match(r"sips?:(?:[^@]*@)?([^:;>?]+)(?::(\d+))?", uri)
    transport = re.search(r";transport=(\w+)", uri, re.I)
    return found.group(1), int(found.group(2) or 5060), transport.group(1).lower() if transport else "udp"


def split_list(value):
    """The members of a comma-separated header field; commas within <> and quotes belong to a member."""
    return [m.strip() for m in re.findall(r'(?:<[^>]*>|"[^"]*"|[^,<"])+', value) if m.strip()]


@dataclasses.dataclass
class Message:
    """One request or response."""
    first: str
    fields: list             # (lower-case long name, value) in order
    body: bytes

    @classmethod
    def parse(cls, data):
        head, _, body = data.partition(b"\r\n\r\n")
        lines = re.sub(r"\r\n[ \t]+", " ", head.decode(errors="replace")).split("\r\n")
        fields = []
        for line in lines[1:]:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields.append((COMPACT.get(name, name), value.strip()))
        return cls(lines[0], fields, body)

    def get(self, name):
        return next((v for n, v in self.fields if n == name), "")

    def all(self, name):
        """Every value of a field that may be a list or come several times."""
        return [m for n, v in self.fields if n == name for m in split_list(v)]

    @property
    def is_response(self):
        return self.first.startswith("SIP/2.0 ")

    @property
    def status(self):
        return int(self.first.split()[1])

    @property
    def reason(self):
        return self.first.split(" ", 2)[2]

    @property
    def method(self):
        return self.get("cseq").split()[-1] if self.is_response else self.first.split()[0]

    @property
    def uri(self):
        return self.first.split()[1]

    @property
    def cseq(self):
        return int(self.get("cseq").split()[0])

    @property
    def branch(self):
        return params_of(self.get("via")).get("branch", "")

    def tag(self, name):
        return params_of(self.get(name)).get("tag", "")


def build(first, fields, body=b""):
    """Octets of a message; Content-Length is added."""
    lines = [first, *(f"{name}: {value}" for name, value in fields), f"Content-Length: {len(body)}"]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


class Stream:
    """Cuts the messages out of a TCP stream."""

    def __init__(self):
        self.data = b""

    def feed(self, more):
        self.data += more
        while True:
            self.data = self.data.lstrip(b"\r\n")
            head, end, rest = self.data.partition(b"\r\n\r\n")
            if not end:
                return
            found = re.search(rb"\r\n(?:content-length|l)\s*:\s*(\d+)", head, re.I)
            length = int(found.group(1)) if found else 0
            if len(rest) < length:
                return
            yield head + end + rest[:length]
            self.data = rest[length:]


def digest_ok(header, method, user, realm, password):
    """Whether an Authorization value proves the password (RFC 2617, MD5, with qop=auth or without)."""
    kind, _, rest = header.partition(" ")
    given = {n.lower(): v.strip('"') for n, v in re.findall(r'(\w+)\s*=\s*("[^"]*"|[^,\s]+)', rest)}
    if kind.lower() != "digest" or (given.get("username"), given.get("realm")) != (user, realm):
        return False

    def md5(text):
        return hashlib.md5(text.encode()).hexdigest()
    one, two = md5(f"{user}:{realm}:{password}"), md5(f"{method}:{given.get('uri')}")
    middle = f"{given.get('nc')}:{given.get('cnonce')}:{given['qop']}:" if given.get("qop") else ""
    return given.get("response") == md5(f"{one}:{given.get('nonce')}:{middle}{two}")
