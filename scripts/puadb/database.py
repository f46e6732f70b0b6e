"""What the commands need of a database. sqlite_db and maria_db do it, each in its way.

A value is None, an int or octets (bytes). Text is what SQLite tells apart from a blob of the same octets.
"""
import re


class Problem(Exception):
    """Something that puadbctl cannot go on with; the text says what. code: the server's, if it said one."""

    def __init__(self, text, code=0):
        super().__init__(text)
        self.code = code


class Text(bytes):
    """Octets that the database holds as text."""


def name_of(table):
    """The name of a table or column, fit for a statement: names are checked, this is the second line of defence."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", table):
        raise Problem(f"'{table}' is no name of a table or column")
    return table


class Database:
    """Opened by making it; a context manager. `where` names it in messages; `notice` is what opening it had to change."""
    kind = ""     # the folder in db/
    where = notice = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        raise NotImplementedError

    def has(self, table):
        """Is there such a table?"""
        return bool(self.describe(table))

    def describe(self, table):
        """{column: (type, NOT NULL?)}, empty if there is no such table."""
        raise NotImplementedError

    def unique_keys(self, table):
        """The sets of columns that are unique in this table."""
        raise NotImplementedError

    def rows(self, table, columns, order="id"):
        """Each row as a list of values. columns: (name, kind) in the order wanted."""
        raise NotImplementedError

    def current(self, table):
        """The table or view that shows our rows together with the changes that are not folded into them yet."""
        return table

    def journal_lines(self, table):
        """How many changes wait beside the rows to be folded into them."""
        return 0

    def fold(self, change, table):
        """Brings these changes into the rows, so that rows with other ids can be written. change: what transaction() gives."""

    def drop_journal(self, table):
        """The statements that remove the journal."""
        return []

    def transaction(self):
        """A context manager whose value has run(statement) and insert(table, columns, rows); all of it happens, or nothing
        (MariaDB commits a statement that changes tables at once)."""
        raise NotImplementedError

    def key_columns(self):
        """What must be unique, by the text in db/."""
        raise NotImplementedError

    def count(self, table):
        raise NotImplementedError

    def version_of(self, table):
        """The number in table `version`; None: there is none."""
        if not {"table_name", "table_version"} <= self.describe("version").keys():
            return None
        for name, version in self.rows("version", [("table_name", "text"), ("table_version", "int")], order="table_name"):
            if name == table.encode():
                return version
        return None

    def set_version(self, table, version):
        """The statement that sets the number in table `version`, whatever layout that table has."""
        raise NotImplementedError

    def meta(self, table):
        """{name: value} of the small values beside the rows."""
        if not self.has(f"{table}_meta"):
            return {}
        return {name: value for name, value in self.rows(f"{table}_meta", [("name", "text"), ("value", "blob")], order="name")}

    def is_ours(self, table):
        return {"record_version", "owner_epoch"} <= self.describe(table).keys()
