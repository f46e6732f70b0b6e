#!/usr/bin/env python3
"""Odd strings, SQL among them, in every column that something from outside can fill: by the control interface, and by what a SIP
server answers; through the whole program, into SQLite and MariaDB. They are stored and read back octet by octet, also after a
SIGKILL, or refused with a clear error before anything is sent. Nothing else in the database changes."""
import dataclasses
import itertools
import json
from xml.sax.saxutils import escape

from harness import HOST, Failure, Suite, check, equal, main_is, short, wait_for
from oddserver import CASE, OddServer
from places import contents, expect, make_place
from puad import Puad

suite = Suite()

# Name, string, and the kinds of value that take it: u a URI, t text, k a token, h a header line, d a document; from a server
# C a Contact, R a Record-Route, g a tag.
STRINGS = [
    ("single quotes", "it's''here", "utkhdCRge"),
    ("double quotes", 'a"b""', "thde"),
    ("backslashes", "a\\b\\\\'\\", "uthdCRe"),
    ("SQL", "'; DROP TABLE pua; --", "thde"),
    ("SQL without blanks", "');DROP/**/TABLE/**/pua;--", "uthdCRe"),
    ("SQL in double quotes", '"; DELETE FROM version; /*', "thde"),
    ("a format", "%s%n%00%_*", "tkhdge"),
    ("escapes", "%20%00%E9--", "utkhdCRge"),
    ("colons and brackets", "[a:b]", "uthdCRge"),
    ("the word NULL", "NULL", "utkhdCRge"),
    ("quotes behind octets", "\u20ac'\u20ac\"\u20ac\\", "thde"),
    ("UTF-8 of four octets", "a\U0001f600\u00e9", "uthdCRe"),
    ("blanks at the end", "a  ", "thd"),
    ("a line break", "a\r\nb", "d"),
    ("NUL", "a\0b", ""),
    ("ESC", "a\x1bb", ""),
    ("no UTF-8", "a\udcff\udcfe", "CRe"),                                       # the octets FF FE
    *((f"{size} octets", size, kinds) for size, kinds in ((255, "utkhdCRge"), (256, "uhdCR"), (1023, "uhdCR"), (1024, "hdR"),
                                                          (5000, "d")))]
IN_XML = {'"': "&quot;", "\r": "&#13;", "\n": "&#10;"}
PIDF = ('<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="pres:a@b"><tuple id="{}"><status/><note>{}</note></tuple>'
        "</presence>")


def octets(text):
    return text.encode("utf-8", "surrogateescape")


@dataclasses.dataclass(frozen=True)
class Column:
    """How a parameter fills it. shape: the value, ~ standing for the string. of_part: the column holds the string alone, or
    nothing where that is longer or has a line break."""
    name: str
    parameter: str
    kind: str
    shape: str = "~"
    of_part: int = 0

    def value(self, string, **here):
        shape = self.shape
        for name, text in here.items():
            shape = shape.replace(f"[{name}]", str(text))
        if isinstance(string, int):
            return shape.replace("~", "a" * (string - (0 if self.of_part else len(shape) - 1)))
        return shape.replace("~", escape(string, IN_XML) if self.kind == "d" else string)

    def stored(self, value, string):
        if not self.of_part:
            return octets(value)
        text = "a" * string if isinstance(string, int) else string
        return octets(text) if len(octets(text)) <= self.of_part and "\n" not in text else b""


ODD_URI, AT_SERVER, AT_PUAD = "sip:~@example.com", f"sip:~@{HOST}:[server]", f"sip:~@{HOST}:[listen]"
COMMANDS = {
    "pua.publish": [
        Column("pres_uri", "presentity_uri", "u", "sip:~@c[n].example"), Column("pres_id", "id", "t"),
        Column("content_type", "content_type", "t"), Column("extra_headers", "extra_headers", "h", "X-Odd: ~\r\n"),
        Column("outbound_proxy", "outbound_proxy", "u", AT_SERVER), Column("body", "body", "d", PIDF.format("t1", "~")),
        Column("tuple_id", "body", "d", PIDF.format("~", ""), of_part=255)],
    "pua.subscribe": [
        Column("pres_uri", "presentity_uri", "u", "sip:~@c[n].example"), Column("pres_id", "id", "t"),
        Column("watcher_uri", "watcher_uri", "u", ODD_URI), Column("to_uri", "to_uri", "u", ODD_URI),
        Column("contact", "contact", "u", AT_PUAD), Column("target", "remote_target", "u", ODD_URI),
        Column("event_id", "event_id", "k"), Column("extra_headers", "extra_headers", "h", "X-Odd: ~\r\n"),
        Column("outbound_proxy", "outbound_proxy", "u", AT_SERVER)]}
SERVER = [(Column("etag", "etag", "e"), False),
          *((column, first) for first in (False, True) for column in
            (Column("to_tag", "tag", "g"), Column("remote_contact", "contact", "C", AT_SERVER),
             Column("record_route", "route", "R", f"<{AT_SERVER};lr>")))]
# Where pua_show has another name for it; None: it does not show it.
SHOWN = {"pres_uri": "presentity_uri", "remote_contact": "remote_target", "record_route": "route_set", "target": None}
TEXTS = ["pres_uri", "pres_id", "content_type", "extra_headers", "outbound_proxy", "body", "tuple_id", "watcher_uri", "to_uri",
         "contact", "target", "event_id", "etag", "to_tag", "remote_contact", "record_route"]


@dataclasses.dataclass
class Case:
    """One string in one column. stored: the octets there, None where it must be refused. odd: what the server answers with."""
    number: int
    title: str
    column: Column
    stored: bytes
    method: str
    params: dict
    odd: dict = dataclasses.field(default_factory=dict)

    @classmethod
    def make(cls, number, way, method, column, name, value, string, kinds):
        """The command that asks for it, without the value."""
        params = {"presentity_uri": f"sip:x@c{number}.example", "event_package": "presence", "expires": 3600}
        if method == "pua.publish":
            params |= {"content_type": "application/pidf+xml", "body": PIDF.format("t1", "")}
        else:
            params["watcher_uri"] = "sip:w@example.com"
        return cls(number, f"{name} in {column.name} by {way}", column,
                   column.stored(value, string) if column.kind in kinds else None, method, params)

    @property
    def ident(self):
        """Of its request."""
        return f"c{self.number}"

    @property
    def uri(self):
        return self.params["presentity_uri"]


def command_cases(**here):
    """Each string in each parameter of the commands."""
    numbers = itertools.count(1)
    for method, columns in COMMANDS.items():
        for column, (name, string, kinds) in itertools.product(columns, STRINGS):
            number = next(numbers)
            value = column.value(string, n=number, **here)
            case = Case.make(number, method[4:], method, column, name, value, string, kinds)
            case.params[column.parameter] = value
            yield case


def server_cases(**here):
    """Each string in each thing that a server may answer, and dialogs also made by a NOTIFY. What ends the header field early
    is another value, and no case."""
    numbers = itertools.count(1)
    for column, first in SERVER:
        for name, string, kinds in STRINGS:
            if name == "a line break" or column.kind in "kge" and name in ("blanks at the end", "NUL"):
                continue
            number = next(numbers)
            value = column.value(string, n=number, **here)
            method = "pua.publish" if column.name == "etag" else "pua.subscribe"
            case = Case.make(number, "NOTIFY" if first else "2xx", method, column, name, value, string, kinds)
            case.odd = {column.parameter: value, "first": first}
            yield case


class Setup:
    """puad and the odd server, and in the database a table of somebody else."""

    def __init__(self, ctx, kind):
        self.place, self.server = make_place(ctx, kind), OddServer(ctx)
        expect(0, "create", "--url", self.place.url)
        self.place.run("CREATE TABLE neighbour (id INTEGER PRIMARY KEY, name VARCHAR(20)); INSERT INTO neighbour VALUES (1, 'x')")
        self.tables = self.place.tables()
        self.table = "pua_rows" if kind == "sqlite" else "pua"   # with what the journal holds
        self.puad = Puad(ctx, self.server.uri, db_url=self.place.url, sip_t1=500, max_in_flight=1000).listen().start()
        self.control = self.puad.control()

    def ask(self, case):
        text = json.dumps({"jsonrpc": "2.0", "id": case.ident, "method": case.method, "params": case.params}, ensure_ascii=False)
        self.control.send_raw(octets(text))

    def answer(self, case):
        """The whole answer; one to a request that could not be read has no id."""
        def come():
            self.control.receive(0.1)
            return {case.ident, None} & set(self.control.answers)
        for number in wait_for(come, 4, f"an answer: {case.title}", step=0):
            return self.control.answers.pop(number)

    def rows(self):
        """{number of the case: its row}, strings as octets; None is the same as nothing."""
        self.control.call("pua_flush")
        rows = [[bytes.fromhex(cell or "") for cell in row] for row in contents(self.place, self.table, TEXTS)]
        return {int(CASE.search(row[0]).group(1)): dict(zip(TEXTS, row)) for row in rows}

    def stored(self, cases):
        """Every row that should be there is there, with the value that it should have."""
        rows = self.rows()
        equal(sorted(rows), sorted(c.number for c in cases), "cases that have a row")
        found = [(c.title, rows[c.number][c.column.name], c.stored or b"") for c in cases]
        wrong = [one for one in found if one[1] != one[2]]
        equal(wrong[:3], [], f"{len(wrong)} columns: case, found, wanted")
        equal((self.place.tables(), self.place.rows("SELECT id, name FROM neighbour")), (self.tables, [["1", "x"]]), "neighbours")
        expect(0, "check", "--url", self.place.url, holds="no findings")
        return rows

    def shown(self, cases):
        """puad itself has them."""
        for case in cases:
            member = SHOWN.get(case.column.name, case.column.name)
            record, = self.control.call("pua_show", {"presentity_uri": case.uri})["records"]
            if member and case.stored and b"\xff" not in case.stored:
                equal(octets(record.get(member, "")), case.stored, f"{member} that puad shows, {case.title}")

    def live_on(self, cases):
        """The table, puad, and both after a SIGKILL."""
        before = self.stored(cases)
        self.shown(cases)
        self.puad.sigkill()
        self.puad.start()
        self.control = self.puad.control()
        wait_for(lambda: not (s := self.control.stats())["loading"] and s["loaded"] == len(cases), 10, "all rows are loaded")
        self.shown(cases)
        after = self.stored(cases)
        changed = [c.title for c in cases if c.stored is not None and before[c.number] != after[c.number]]
        equal(changed, [], "rows that have changed")
        self.puad.sigkill()      # the odd server would keep it waiting


def by_commands(ctx, kind):
    setup = Setup(ctx, kind)
    cases = list(command_cases(server=setup.server.port, listen=setup.puad.notify_port))
    taken, refused = ([c for c in cases if (c.stored is None) == no] for no in (False, True))
    for case in taken:
        setup.ask(case)
    for case in taken:
        answer = setup.control.wait(case.ident, 20)
        check("result" in answer, f"{case.title}: {short(answer)}")
    for case in refused:
        setup.ask(case)
        error = setup.answer(case).get("error")
        check(error, f"{case.title} was accepted")
        names = (case.column.name, case.column.parameter, "XML", "Parse error")
        check(error["code"] and any(name in f"{error['message']} {error.get('data')}" for name in names),
              f"{case.title}: the error does not name it: {error}")
    setup.live_on(taken)
    for case in cases:
        sent = setup.server.requests(case.number)
        check(bool(sent) == (case.stored is not None), f"{case.title}: {len(sent)} requests were sent")


def by_servers(ctx, kind):
    setup = Setup(ctx, kind)
    cases = list(server_cases(server=setup.server.port))
    for case in cases:
        setup.server.odd[case.number] = case.odd
        setup.ask(case)

    def come():
        rows = setup.rows()
        return all(rows.get(c.number, {}).get(c.column.name, b"") == (c.stored or b"") and c.number in rows for c in cases)
    try:
        wait_for(come, 5, "rows of what the server has answered", step=0.1)
    except Failure:
        setup.stored(cases)      # names the first that differ
        raise
    setup.live_on(cases)


for _kind, _name in (("sqlite", "sqlite"), ("mysql", "mariadb"), ("mysql-gbk", "mariadb_gbk")):
    for _way in (by_commands, by_servers):
        def _one(ctx, way=_way, kind=_kind):
            way(ctx, kind)
        _one.__name__ = f"odd_strings_{_way.__name__}_{_name}"
        suite.test(_one)


main_is(suite)
