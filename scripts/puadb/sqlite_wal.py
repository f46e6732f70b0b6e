"""Write-ahead logs of SQLite, read from outside: which transactions of puad one holds, and whether the file beside it is the one that
it goes on from. Pure but for the reading of the log. Memory is bounded, however long the log is.

This is the rule of src/store/sqlite_wal.cpp in another language, and docs/adr/0018-a-copy-is-not-the-table.md says why it is the rule.
tests/scripts/puadb_wal_test.py gives both the same files and compares what they find.
"""
import enum
import re
import struct
from typing import NamedTuple

HEAD, FRAME_HEAD, FILE_HEAD = 32, 24, 100     # octets
MAGIC, VERSION = 0x377f0682, 3007000          # the last bit of the first says how words are summed up
MOST = 256                                    # runs, pages, layouts: more than a log of puad's ever has
NAME = b"writes"
LEAF = 0x0a                                   # a page of a table without row ids that has no pages below it
U32, U64 = 2 ** 32 - 1, 2 ** 64 - 1

COUNT = rb"([0-9a-fA-F]{16}) ([0-9]+)"
LINE = re.compile(COUNT + rb"(?: ([0-9]+)\.([0-9]+)((?: after (?:-|[0-9a-fA-F]{16} [0-9]+))*))?")
AFTER = re.compile(rb" after (?:-|" + COUNT + rb")")


class Fit(enum.Enum):
    BELONGS = "belongs"           # each page of the file is as the log found it, or as the log has it
    UNSURE = "unsure"             # nothing speaks against it, but something that would show it is missing
    FOREIGN = "foreign"           # it goes on from another file, or from other content
    NO_DATABASE = "no database"   # the file is no SQLite database


class Sign(enum.Enum):
    FOR, NOTHING, AGAINST = range(3)


# --- the line ----------------------------------------------------------------------------------------------------------


class Count(NamedTuple):
    """One transaction of one connection of puad's."""
    mark: int
    number: int

    def __str__(self):
        return f"{self.mark:016x} {self.number}"


class Layout(NamedTuple):
    """How the pages of a file are laid out, as far as two numbers of its first page tell."""
    number: int                   # user_version
    cookie: int                   # of the schema

    def __str__(self):
        return f"{self.number}.{self.cookie}"


class Line(NamedTuple):
    """Line `writes` of the meta table, which each transaction of puad's writes."""
    at: Count
    layout: Layout | None = None  # older programs say nothing of it, and nothing of what was before
    after: tuple = ()             # what may have stood there before it; None: no line

    def __str__(self):
        layout = f" {self.layout}" if self.layout else ""
        return f"{self.at}{layout}" + "".join(f" after {before or '-'}" for before in self.after)

    @classmethod
    def of(cls, text):
        """None: these octets are no such line."""
        found = LINE.fullmatch(text)
        at = found and _count(found[1], found[2])
        if not at:
            return None
        if found[3] is None:
            return cls(at)
        number, cookie = _number(found[3], U32), _number(found[4], U32)
        after = [_count(*words) if words[0] else "none" for words in AFTER.findall(found[5])]
        if number is None or cookie is None or None in after:
            return None
        return cls(at, Layout(number, cookie), tuple(None if before == "none" else before for before in after))

    def before_known(self):
        return bool(self.after) or self.at.number > 0

    def may_follow(self, count):
        """count: None where there is no line."""
        if self.after:
            return count in self.after
        return count is not None and self.at.number > 0 and count == Count(self.at.mark, self.at.number - 1)


def _number(digits, most):
    digits = digits.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= 20 and int(digits) <= most else None


def _count(mark, number):
    number = _number(number, U64)
    return None if number is None else Count(int(mark, 16), number)


def line_on_page(page):
    """The line, if it stands on this page: of the file, or of a frame of the log. A page begins with its kind, three numbers, and an
    array of where its cells begin."""
    if len(page) < 8 or page[0] != LEAF:
        return None
    cells, = struct.unpack_from(">H", page, 3)
    if 8 + 2 * cells > len(page):
        return None
    for at in struct.unpack_from(f">{cells}H", page, 8):
        value = _value_at(page, at) if at < len(page) else None
        line = Line.of(value) if value is not None else None
        if line:
            return line
    return None


def _value_at(page, at):
    """The value of the record ('writes', value) there."""
    payload, at = _varint(page, at, len(page))
    if payload is None or payload > len(page) - at:
        return None
    record, stop = at, at + payload
    head, at = _varint(page, at, stop)
    if head is None or head > payload:
        return None
    name, at = _varint(page, at, record + head)
    if name != 13 + 2 * len(NAME):
        return None
    value, at = _varint(page, at, record + head)
    if value is None or value < 12 or at != record + head:
        return None
    size = (value - 12) // 2      # text or octets
    if len(NAME) + size != stop - at or not page.startswith(NAME, at):
        return None
    return page[at + len(NAME):stop]


def _varint(page, at, end):
    """(a number of SQLite's with 1 to 9 octets, where it ends); None: it does not end within the page."""
    number = 0
    for i in range(at, min(at + 8, end)):
        number = number << 7 | page[i] & 0x7f
        if not page[i] & 0x80:
            return number, i + 1
    return (number << 8 | page[at + 8], at + 9) if at + 8 < end else (None, at)


# --- the log -----------------------------------------------------------------------------------------------------------


class Run:
    """Lines of one mark that follow each other, on one page."""

    def __init__(self, page, at):
        self.page, self.mark, self.first, self.last = page, at.mark, at.number, at.number

    def takes(self, page, at):
        return (page, at.mark) == (self.page, self.mark) and at.number in (self.last, self.last + 1 & U64)

    def has(self, page, at):
        return (page, at.mark) == (self.page, self.mark) and self.first <= at.number <= self.last

    def __str__(self):
        return f"{self.page}: {Count(self.mark, self.first)}-{self.last}"


class Log:
    def __init__(self):
        self.page_size = 0
        self.frames = 0           # up to the last commit that is whole: what SQLite would play
        self.runs = []            # in the order of the log
        self.first = {}           # the first line of each page
        self.layouts = []         # that lines tell, or first pages in it
        self.layout_told = False  # by a line
        self.layout_open = False  # the first page was written before the first line: what was there before is not known
        self.too_many = False     # marks, pages or layouts: what was left out is not known

    @classmethod
    def read(cls, path):
        """No file, or a torn head: no frames. OSError: it cannot be read."""
        log = cls()
        try:
            with open(path, "rb") as file:
                log._read(file)
        except FileNotFoundError:
            pass
        return log

    def _read(self, file):
        head = file.read(HEAD)
        if len(head) < HEAD:
            return
        magic, version, page_size = struct.unpack_from(">III", head)
        page_size = _page_size(page_size)
        order = ">" if magic & 1 else "<"
        total = _sum((0, 0), head[:24], order)
        if magic & ~1 != MAGIC or version != VERSION or total != struct.unpack_from(">II", head, 24) or not page_size:
            return
        self.page_size = page_size
        lines, layouts, number = [], [], 0
        while len(frame := file.read(FRAME_HEAD + page_size)) == FRAME_HEAD + page_size:
            page, commit = struct.unpack_from(">II", frame)
            if page == 0 or frame[8:16] != head[16:24]:
                return
            total = _sum(_sum(total, frame[:8], order), frame[FRAME_HEAD:], order)
            if total != struct.unpack_from(">II", frame, 16):
                return
            number += 1
            _look(page, frame[FRAME_HEAD:], lines, layouts)
            if commit:
                self._commit(lines, layouts)
                self.frames = number
                lines, layouts = [], []

    def _commit(self, lines, layouts):
        if not self.runs and not lines and layouts:
            self.layout_open = True
        for layout in layouts:
            self._add_layout(layout)
        for page, line in lines:
            if line.layout:
                self.layout_told = True
                self._add_layout(line.layout)
            self._add_line(page, line)

    def _add_layout(self, layout):
        if layout in self.layouts:
            return
        if len(self.layouts) < MOST:
            self.layouts.append(layout)
        else:
            self.too_many = True

    def _add_line(self, page, line):
        if page not in self.first:
            if len(self.first) < MOST:
                self.first[page] = line
            else:
                self.too_many = True
        if self.runs and self.runs[-1].takes(page, line.at):
            self.runs[-1].last = line.at.number
        elif len(self.runs) < MOST:
            self.runs.append(Run(page, line.at))
        else:
            self.too_many = True

    def __str__(self):
        """All that it knows, as tests/store/answers.cpp has it."""
        words = [f"{self.frames} frames", *(f"run {run}" for run in self.runs),
                 *(f"first {page}: {line}" for page, line in self.first.items()), *(f"layout {layout}" for layout in self.layouts)]
        return ", ".join(words + [word for word in ("layout_told", "layout_open", "too_many") if getattr(self, word)])


def _page_size(number):
    """As the heads of files and logs have it; 0: it is none."""
    number = 65536 if number == 1 else number
    return number if 512 <= number <= 65536 and number & (number - 1) == 0 else 0


def _sum(before, octets, order):
    """The sum of a log so far, by words of this order of octets."""
    a, b = before
    words = iter(struct.unpack(f"{order}{len(octets) // 4}I", octets))
    for even, odd in zip(words, words):
        a = a + even + b & U32
        b = b + odd + a & U32
    return a, b


def _look(number, page, lines, layouts):
    if number == 1:
        layouts.append(_layout(page))
    elif len(lines) < MOST and (line := line_on_page(page)):
        lines.append((number, line))


def _layout(first_page):
    return Layout(*struct.unpack_from(">I", first_page, 60), *struct.unpack_from(">I", first_page, 40))


# --- whether they belong together --------------------------------------------------------------------------------------


def fit(log, read):
    """read(at, n): so many octets of the database file; None: there are not so many."""
    if read(0, 1) is None:
        return Fit.FOREIGN        # nothing was ever written into it
    head = read(0, FILE_HEAD)
    if head is None or not head.startswith(b"SQLite format 3\0"):
        return Fit.NO_DATABASE
    page_size = _page_size(*struct.unpack_from(">H", head, 16))
    if not page_size:
        return Fit.NO_DATABASE
    if page_size != log.page_size:
        return Fit.FOREIGN
    laid_out = _sign_of_layout(log, _layout(head))
    if laid_out == Sign.AGAINST:
        return Fit.FOREIGN
    found = False
    for number, line in log.first.items():
        page = read((number - 1) * page_size, page_size)
        sign = _sign_of_page(log, number, line, page and line_on_page(page))
        if sign == Sign.AGAINST:
            return Fit.FOREIGN
        found = found or sign == Sign.FOR
    return Fit.BELONGS if found and laid_out == Sign.FOR else Fit.UNSURE


def _sign_of_layout(log, layout):
    if not log.layout_told or log.too_many:
        return Sign.NOTHING
    if layout in log.layouts:
        return Sign.FOR
    return Sign.NOTHING if log.layout_open else Sign.AGAINST


def _sign_of_page(log, number, first, line):
    """A page that the log has written lines on: the file has one of them there, or what was there before."""
    at = line.at if line else None
    if first.may_follow(at):
        return Sign.FOR
    if at is None:
        return Sign.NOTHING       # moved here by somebody, or damaged
    if any(run.has(number, at) for run in log.runs):
        return Sign.FOR
    return Sign.AGAINST if first.before_known() and not log.too_many else Sign.NOTHING
