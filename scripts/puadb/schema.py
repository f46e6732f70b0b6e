"""The texts in db/: the one place where tables and columns are described."""
import re
from typing import NamedTuple

from puadb.database import Problem

VERSION = 12
SAME_ROWS = (11, 12)     # their rows have the same columns
FOREIGN = (7, 9)          # of Kamailio and OpenSIPS


class Column(NamedTuple):
    """kind: int, text or blob, the same for both databases; type: as this database spells it."""
    name: str
    kind: str
    type: str
    not_null: bool


def check_table_name(name):
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,59}", name):
        raise Problem("the table's name is not made of letters, digits and '_', at most 60")
    if name.lower() == "version" or name.lower().startswith("sqlite_"):
        raise Problem(f"the table's name '{name}' is used by the database itself")


def is_half_made(db, table):
    """Was the making of the tables interrupted? MariaDB commits each step, and the number in table `version` comes last: until
    then there is none, or still that of another program's table which had this name."""
    version = db.version_of(table)
    return db.is_ours(table) and (version in (None, *FOREIGN) or version == VERSION and not db.has(f"{table}_meta"))


class Schema:
    """The tables of one kind of database, "sqlite" or "mysql"."""

    def __init__(self, folder, kind):
        self.folder, self.kind = folder / kind, kind
        kinds = {name: "int" if type == "INTEGER" else type.lower() for name, type, _ in _columns(_read(folder / "sqlite"))}
        self.columns = [Column(name, kinds[name], type, not_null) for name, type, not_null in _columns(_read(self.folder))]
        self.names = [column.name for column in self.columns]
        self.journal = [column for column, *_ in _columns(_read(self.folder), "pua_journal")]

    def statements(self, table):
        """What makes the tables, under this name."""
        return _statements(_read(self.folder), table)

    def upgrade(self, version, table):
        """What brings this version to the next one; None if there is no such text."""
        return self._step(f"upgrade-{version}.sql", table)

    def downgrade(self, version, table):
        """What brings this version to the one before; None if there is no such text."""
        return self._step(f"downgrade-{version}.sql", table)

    def _step(self, name, table):
        path = self.folder / name
        return _statements(path.read_text(), table) if path.exists() else None

    def view(self, table):
        """The statement that makes the view of the rows with their journal; None where there is no journal."""
        return next((one for one in self.statements(table) if one.startswith("CREATE VIEW")), None)


def _read(folder):
    try:
        return (folder / "pua-create.sql").read_text()
    except OSError as why:
        raise Problem(f"{folder}/pua-create.sql: {why.strerror}; was puadbctl moved? see make install") from None


def _statements(text, table):
    """One by one, without comments. Names in quotes that begin with pua are replaced, as the library does it."""
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("--"))
    text = re.sub(r"([\"'`])pua(?=\1|_)", lambda m: m.group(1) + table, text)
    return [one.strip() for one in re.split(r";[ \t]*(?:\n|$)", text) if one.strip()]


def _columns(text, table="pua"):
    """(name, type, NOT NULL?) of each column of this table that a row is written to; none where there is no such table."""
    made = re.search(rf"CREATE TABLE [`\"]{table}[`\"] \((.*?)^\)", text, re.DOTALL | re.MULTILINE)
    for name, type, rest in re.findall(r"^  ([a-z_]+)\s+([A-Z]+(?:\(\d+\))?)(.*)$", made.group(1) if made else "", re.MULTILINE):
        if " AS (" not in rest:
            yield name, type, "NOT NULL" in rest
