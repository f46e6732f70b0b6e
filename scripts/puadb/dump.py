"""puadbctl dump and load: all rows as SQL, octet by octet.

One statement a line. By hand, such a file fits the kind of database it comes from; `load` puts it into either.
"""
import re

from puadb import rules
from puadb.database import Problem, Text
from puadb.schema import SAME_ROWS, VERSION

META = [("name", "text"), ("value", "blob")]
HEAD = re.compile(r"-- puadbctl dump 1: table (\w+), schema version (\d+), from (sqlite|mysql)")
END = re.compile(r"-- end: (\d+) rows, (\d+) values beside them")
INSERT = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\) VALUES \((.*)\);")
VALUE = re.compile(r"(?:(?P<null>NULL)|(?P<int>-?\d+)|(?P<real>-?(?:\d[\d.]*(?:e[-+]?\d+)?|inf))|X'(?P<octets>(?:[0-9A-Fa-f]{2})*)'"
                   r"|CAST\(X'(?P<text>(?:[0-9A-Fa-f]{2})*)' AS TEXT\))(?:, |$)")


def dump(db, schema, table, out):
    """Writes all rows; returns how many there are."""
    def insert(name, columns, row):
        names = ", ".join(column for column, _ in columns)
        out.write(f"INSERT INTO {name} ({names}) VALUES ({', '.join(_literal(value, db.kind) for value in row)});\n")

    columns = [(column.name, column.kind) for column in schema.columns]
    rows = values = 0
    out.write(f"-- puadbctl dump 1: table {table}, schema version {VERSION}, from {db.kind}\nBEGIN;\n")
    for row in db.rows(db.current(table), columns):
        insert(table, columns, row)
        rows += 1
    for row in db.rows(f"{table}_meta", META, order="name"):
        insert(f"{table}_meta", META, row)
        values += 1
    out.write(f"COMMIT;\n-- end: {rows} rows, {values} values beside them\n")
    return rows


def _literal(value, kind):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        octets = f"X'{value.hex().upper()}'"
        return f"CAST({octets} AS TEXT)" if isinstance(value, Text) and kind == "sqlite" else octets
    if value in (float("inf"), float("-inf")):
        return "9e999" if value > 0 else "-9e999"      # SQL has no word for it
    return repr(value)


class Dump:
    """A dump as a file object gives it. rows() and meta() come in that order; at the end it is known to be whole."""

    def __init__(self, lines, schema, name):
        self.lines, self.schema, self.name, self.number = iter(lines), schema, name, 0
        head = HEAD.fullmatch(self._line())
        if not head:
            raise Problem(f"{name}: not a dump of puadbctl")
        if int(head.group(2)) not in SAME_ROWS:
            raise Problem(f"{name}: a dump of schema version {head.group(2)}; this puadbctl loads "
                          f"{' and '.join(map(str, SAME_ROWS))}")
        self.table, self.source = head.group(1), head.group(3)
        self.columns = [(column.name, column.kind) for column in schema.columns]
        self.pending, self.counts = None, [0, 0]

    def rows(self):
        return self._of(self.table, self.columns, 0)

    def meta(self):
        return self._of(f"{self.table}_meta", META, 1)

    def _problem(self, what):
        return Problem(f"{self.name}:{self.number}: {what}")

    def _line(self):
        self.number += 1
        return next(self.lines, "").rstrip("\n")

    def _of(self, table, columns, which):
        """The rows of one table, up to the first line of another one."""
        while True:
            line = self.pending or self._line()
            self.pending = None
            insert = INSERT.fullmatch(line)
            if insert and insert.group(1) == table:
                if insert.group(2) != ", ".join(column for column, _ in columns):
                    raise self._problem("other columns than those of this schema")
                self.counts[which] += 1
                yield self._values(insert.group(3), columns)
                continue
            if line in ("BEGIN;", "COMMIT;"):
                continue
            self.pending = line
            if which == 1:
                self._end(line)
            return

    def _end(self, line):
        end = END.fullmatch(line)
        if not end:
            raise self._problem("no line of a dump" if line else "the dump ends before its end: it was cut off")
        if [int(number) for number in end.groups()] != self.counts:
            raise self._problem(f"{self.counts[0]} rows and {self.counts[1]} values were read, not what its last line says")

    def _values(self, text, columns):
        row, at = [], 0
        for name, kind in columns:
            match = VALUE.match(text, at)
            if not match:
                raise self._problem(f"the value of {name} cannot be read")
            row.append(self._value(match, name, kind))
            at = match.end()
        if at != len(text):
            raise self._problem("more values than columns")
        return row

    def _value(self, match, name, kind):
        what, text = match.lastgroup, match.group(match.lastgroup)
        if what == "null":
            return None
        if what == "int":
            return int(text)
        if what == "real":
            return float(text)
        if kind == "int" and self.source == "mysql":
            raise self._problem(f"{name} is a number, and the dump holds octets")
        octets = bytes.fromhex(text)
        # MariaDB does not tell text from octets. SQLite does, and a damaged row is to be loaded as it was.
        return Text(octets) if what == "text" or self.source == "mysql" and kind == "text" else octets


def load(db, dump, table, replace):
    """All rows of the dump into this table, or none; returns how many."""
    def checked(rows, columns):
        for row in rows:
            if db.kind == "mysql":
                for value, (name, kind) in zip(row, columns):
                    if value is not None and (kind == "int") != isinstance(value, int):
                        raise dump._problem(f"{name} holds a value of another kind than MariaDB can keep")
            yield row

    def renamed(values):
        """Into the other kind of database go this host's clock, key of branches and names of events, under the names that they have
        there. Lines that say who may write are left out: whoever writes makes them anew."""
        carried = {rules.own_meta(name, dump.source): rules.own_meta(name, db.kind) for name in (b"clock", b"branch", b"events")}
        for name, value in values:
            if dump.source != db.kind:
                if name not in carried:
                    continue
                name = Text(carried[name])
            if not (isinstance(name, bytes) and (name == b"writes" or name.startswith((b"writer@", b"fast@", b"bulk@")))):
                yield [name, value]

    with db.transaction() as change:
        if replace:
            change.run(f"DELETE FROM {table}")
        db.fold(change, table)      # what is left of rows that are gone must not meet the ids of new ones
        change.run(f"DELETE FROM {table}_meta")
        change.insert(table, dump.columns, checked(dump.rows(), dump.columns))
        change.insert(f"{table}_meta", META, checked(renamed(dump.meta()), META))
    return dump.counts[0]
