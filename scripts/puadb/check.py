"""puadbctl check: does the schema fit, and would the library take every row?"""
import re

from puadb import rules
from puadb.schema import FOREIGN, VERSION

LONG_PAST = 3600      # s


class Check:
    """Findings go to `say`, one line each; `found` counts them."""

    def __init__(self, db, schema, table, known_events, now, say):
        self.db, self.schema, self.table, self.say = db, schema, table, say
        self.known_events, self.now, self.found, self.looked_at = known_events, now, 0, 0
        self.rows_in = table

    def run(self):
        self.now -= rules.clock_drift(self.db.meta(self.table), self.db.kind)
        if self.check_schema():
            self.check_rows()
        return self.found

    def finding(self, text):
        self.found += 1
        self.say(text)

    # --- schema --------------------------------------------------------------------------------------------------

    def check_schema(self):
        """True: rows can be looked at."""
        there = self.db.describe(self.table)
        if not there:
            self.finding(f"schema: there is no table {self.table}")
            return False
        readable = True
        for column in self.schema.columns:
            if column.name not in there:
                self.finding(f"schema: column {column.name} is missing")
                readable = False
                continue
            type, not_null = there[column.name]
            if not _fits(type, column.type):
                self.finding(f"schema: column {column.name} is {type}, not {column.type}")
            if column.not_null and not not_null:
                self.finding(f"schema: column {column.name} may be NULL, and must not")
            if not_null and not column.not_null:
                self.finding(f"schema: column {column.name} may not be NULL, and must")
        ours = set(self.schema.names) | self.db.key_columns()
        for name in there.keys() - ours:
            self.finding(f"schema: column {name} is unknown here")
        keys = self.db.unique_keys(self.table)
        if frozenset(("id",)) not in keys:
            self.finding("schema: id is not the primary key")
        if self.db.key_columns() not in keys:
            self.finding(f"schema: no unique key over {', '.join(sorted(self.db.key_columns()))}")
        self.check_version()
        self.check_journal()
        if not {"name", "value"} <= self.db.describe(f"{self.table}_meta").keys():
            self.finding(f"schema: there is no table {self.table}_meta (name, value)")
        return readable

    def check_version(self):
        version = self.db.version_of(self.table)
        if version is None:
            self.finding(f"schema: table version has no row for {self.table}")
        elif version != VERSION:
            hint = "; puadbctl migrate carries tables of OpenSIPS and Kamailio over" if version in FOREIGN else ""
            self.finding(f"schema: version {version}, and this library needs {VERSION}{hint}")

    def check_journal(self):
        """The columns of the journal, where this database has one, and the view of the rows with it."""
        name, view = f"{self.table}_journal", f"{self.table}_rows"
        wanted = self.schema.view(self.table)
        if wanted is None or self.db.version_of(self.table) != VERSION:
            return
        there = self.db.describe(name)
        missing = [column for column in self.schema.journal if column not in there]
        if not there:
            self.finding(f"schema: there is no table {name}")
        elif missing:
            self.finding(f"schema: table {name} has no column {', '.join(missing)}")
        definition = self.db.definition(view)
        if definition is None or definition.split() != wanted.split():
            self.finding(f"schema: view {view} is {'missing' if definition is None else 'another one'}")
        elif there and not missing:
            self.rows_in = view
            for number, id, *order in self.db.rows(name, [(c, "int") for c in ("seq", "id", "record_version", "owner_epoch", "node")],
                                                   order="seq"):
                if not all(isinstance(value, int) for value in (id, *order)):
                    self.finding(f"line {number} of {name}: its id or version is no number")

    # --- rows ----------------------------------------------------------------------------------------------------

    def check_rows(self):
        columns = [(column.name, column.kind) for column in self.schema.columns]
        stored_digest = "key_digest" in self.db.describe(self.table)
        if stored_digest:
            columns.append(("key_digest", "blob"))
        keys = {}
        for values in self.db.rows(self.rows_in, columns):
            row = dict(zip((name for name, _ in columns), values))
            self.looked_at += 1
            for reason in self.faults(row, keys):
                self.finding(f"{rules.title(row)}: {reason}")

    def faults(self, row, keys):
        wrong = rules.not_numbers(row, self.schema)
        if wrong:
            yield f"{wrong[0]} is not a number that fits"
            return
        blobs = [c.name for c in self.schema.columns if c.kind == "text" and type(row[c.name]) is bytes]
        if blobs:
            yield f"{blobs[0]} is stored as a blob: not equal to a text of the same octets"
        column = rules.unreadable(row)
        if column:
            yield f"{column} cannot be read ({rules.shown(row[column])}): the library leaves the row aside"
        elif row["event"] not in self.known_events:
            yield f"event {row['event']} is known to nobody here: kept aside until a program registers it"
        elif self.is_over(row):
            yield "its grant and its wanted end are long past"
        key = rules.digest(row)
        if key in keys:
            yield f"the same key as row {keys[key]}"
        keys[key] = row["id"]
        if row.get("key_digest", key) != key:
            yield "its key_digest is not that of its key"

    def is_over(self, row):
        wanted = row["desired_expires"]
        return wanted != 0 and max(row["expires"], wanted) < self.now - LONG_PAST


def _fits(type, wanted):
    """Is the type of a column the wanted one, or a longer one of the same kind?"""
    pattern = r"([A-Z]+)(?:\((\d+)\))?"
    have, want = re.fullmatch(pattern, type), re.fullmatch(pattern, wanted)
    if not have or not want or have.group(1) != want.group(1):
        return type == wanted
    return int(have.group(2) or 0) >= int(want.group(2) or 0)
