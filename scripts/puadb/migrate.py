"""puadbctl migrate: the rows of an OpenSIPS or Kamailio table into ours.

Two passes over the old table: the first finds which row of each key is to stay, the second carries those. What is in the new
table already stays as it is, so a second run, or one after an interruption, carries what is missing.
"""
from puadb import rules
from puadb.database import Problem, Text
from puadb.layouts import Expired, Refused, convert
from puadb.schema import VERSION, is_half_made


class Source:
    """A table of one of the forks, as it is or about to be put aside."""

    def __init__(self, db, table, layout):
        self.db, self.table, self.layout = db, table, layout
        missing = layout.missing(db.describe(table).keys())
        if missing:
            raise Problem(f"{db.where}: table {table} is not one of {layout.title}: it has no column {', '.join(missing)}")
        version = db.version_of(table)
        if version not in (None, layout.version):
            raise Problem(f"{db.where}: table {table} has version {version}; of {layout.title}, version {layout.version} can be "
                          "carried")

    def rows(self):
        columns = self.layout.kinds()
        for values in self.db.rows(self.table, columns):
            yield {name: Text(value) if kind == "text" and isinstance(value, bytes) else value
                   for (name, kind), value in zip(columns, values)}


def put_aside_name(table, layout):
    return f"{table}_old_v{layout.version}"


def in_place(db, table, layout):
    """(Source, must the table be put aside?) for a table that is to become ours under its own name."""
    old = put_aside_name(table, layout)
    if db.is_ours(table) or not db.has(table):
        if db.has(old):
            return Source(db, old, layout), False
        if db.is_ours(table):
            raise Problem(f"{db.where}: table {table} is one of this library already, and there is no {old} beside it")
        raise Problem(f"{db.where}: there is no table {table}")
    source = Source(db, table, layout)
    if db.has(old):
        raise Problem(f"{db.where}: table {table} would be kept as {old}, and that exists: rename or drop it first")
    return source, True


class Target:
    """What the new table holds: keys and ids."""

    def __init__(self, db, schema, table):
        self.db, self.schema, self.table = db, schema, table
        self.keys, self.ids, self.drift = set(), set(), 0
        if db is not None and db.is_ours(table):
            version = db.version_of(table)
            if version != VERSION and not is_half_made(db, table):
                raise Problem(f"{db.where}: table {table} has schema version {version}, and rows are carried into {VERSION}")
            self.drift = rules.clock_drift(db.meta(table), db.kind)
            columns = [(c.name, c.kind) for c in schema.columns if c.name in
                       ("id", "pres_uri", "event", "flag", "pres_id", "watcher_uri", "to_uri")]
            for values in db.rows(table, columns):
                row = dict(zip((name for name, _ in columns), values))
                self.keys.add(rules.digest(row))
                self.ids.add(row["id"])
        elif db is not None and db.has(table):
            raise Problem(f"{db.where}: table {table} is not one of this library")


class Migration:
    """Counts, and says a line for each row that is not carried or not as it was."""

    def __init__(self, source, target, now, own_contact, say):
        self.source, self.target, self.now, self.own_contact, self.say = source, target, now, own_contact, say
        self.read = self.publications = self.subscriptions = self.there = self.expired = self.refused = self.renumbered = 0
        self.best = {}        # digest of a key: (expires, id) of the row that stays
        self.next_id = max(target.ids, default=0) + 1

    def look(self):
        """The first pass."""
        for old in self.source.rows():
            self.next_id = max(self.next_id, old["id"] + 1 if isinstance(old["id"], int) and old["id"] < rules.MAX_ID else 0)
            try:
                row, _ = self._convert(old)
            except (Refused, Expired):
                continue
            mark = (row["expires"], row["id"])
            key = rules.digest(row)
            self.best[key] = max(self.best.get(key, mark), mark)

    def carry(self):
        """The second pass: yields the rows to write."""
        for old in self.source.rows():
            self.read += 1
            try:
                row, remarks = self._convert(old)
            except Expired:
                self.expired += 1
                continue
            except Refused as why:
                self._refuse(old, why)
                continue
            key = rules.digest(row)
            mark = (row["expires"], row["id"])
            best = self.best.setdefault(key, mark)
            if best != mark:
                self._refuse(old, f"row {best[1]} has the same key and a later or equal expires")
                continue
            if key in self.target.keys:
                self.there += 1
                continue
            self._number(row, remarks)
            if remarks:
                self.say(f"{rules.title(old)}: carried; {'; '.join(remarks)}")
            if rules.is_subscription(row):
                self.subscriptions += 1
            else:
                self.publications += 1
            yield self._shifted(row)

    def _convert(self, old):
        return convert(self.source.layout, old, self.now, self.own_contact)

    def _refuse(self, old, why):
        self.refused += 1
        self.say(f"{rules.title(old)}: not carried: {why}")

    def _number(self, row, remarks):
        """Its id, where nobody has it, else a new one."""
        if row["id"] in self.target.ids:
            remarks.append(f"as row {self.next_id}: its id belongs to another one here")
            row["id"] = self.next_id
            self.next_id += 1
        self.target.ids.add(row["id"])

    def _shifted(self, row):
        """Times as this table counts them."""
        for name in ("expires", "desired_expires", "updated_at"):
            if row[name] > rules.LEAVING:
                row[name] = max(rules.LEAVING + 1, row[name] - self.target.drift)
        return row

    def summary(self, dry_run):
        layout = self.source.layout
        done = self.publications + self.subscriptions
        return (f"{self.source.db.where}: {self.read} rows of table {self.source.table} "
                f"({layout.title}, version {layout.version})\n"
                f"{'would carry' if dry_run else 'carried'} {done} ({self.publications} publications, {self.subscriptions} "
                f"subscriptions); there already {self.there}, expired {self.expired}, not carried {self.refused}")
