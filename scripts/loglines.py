#!/usr/bin/env python3
"""Fails where a line of the log at warning or above stands neither in section LOG of puad(8) nor in the list below.

A line counts as being there when the first five words of the longest text between its values do. Lines are: calls of the log
with their format; what the reader of the configuration warns of; and errors that puad logs as they are, because it cannot
start with them.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Lines that an operator cannot or need not do anything about, or that are made of other texts. Each: its beginning.
EXCEPTIONS = (
    "bug: input %s in state %s of",           # whoever sees it writes to us
    "%s again: ending at once",               # the second signal of somebody who waits
)
# Lines that are nothing but a reason from elsewhere: the whole line.
REASONS_ONLY = ("%s", "reload: %s")
# Mistakes of the configuration, which name the parameter and what it must be: the page has one item for all of them.
MISTAKES = ("listen address ", "db_url: ", "db_table: ", 'parameter "', 'db_tls is "', "db_clear_password ", "a credential ",
            "credential of ", "T1 is ")

STRING = r'"(?:[^"\\]|\\.)*"'
# What stands in front of the text of a line at warning or above: calls of the log, and of the functions that write to it.
CALLS = re.compile(r'(?:\b(?:warning|error)\(|\bsofia_warning\(|LogLevel::(?:warning|error)[^;]*?,|\bsay\(others_, false,)\s*((?:' +
                   STRING + r'\s*)+)')
# To the end of a statement.
REST = r'((?:' + STRING + r'|[^";])*);'
# Texts that are put together: warnings of the configuration, and errors of a start.
STARTS = r'Errc::(?:bad_config|sip_failed|store_failed),'
BUILT = re.compile(r'(?:\bwarnings_?\.push_back\(|' + STARTS + r')' + REST)
# A function that makes such an error of the text that it is given, and what it puts in front of that.
MAKER = re.compile(r'\b(?:Error|Status) (\w+)\([^;{)]*\) \{\s*return (?:Error|Status)?[({]' + STARTS + REST)
# Texts of errors in files of their own: of the version of a table, of SQLite's numbers, of a session with MariaDB.
FILES_OF_TEXTS = {
    "schema_version.h": re.compile(r'(?:=|return)((?:' + STRING + r'|[^";])*' + STRING + r'(?:' + STRING + r'|[^";])*);'),
    "sqlite_db.cpp": re.compile(r'\bcase \w+:\s*return' + REST),
    "mysql_session_rules.cpp": re.compile(r'\b(?:error|reason) \+?=' + REST),
}


def literals(code):
    return [text.replace('\\"', '"') for text in re.findall(r'"((?:[^"\\]|\\.)*)"', code)]


def pieces_of_calls(text):
    """Each call of the log: where, its format, the texts between the values."""
    for found in CALLS.finditer(text):
        if re.search(r"(call|call_|\.|->)error\($", text[:found.start(1)].rstrip()) and not re.search(r"log[a-z_()]*(\.|->)error\($", text[:found.start(1)].rstrip()):
            continue                          # an answer to a request, no line
        line = "".join(literals(found.group(1)))
        if line not in REASONS_ONLY and not line.startswith(EXCEPTIONS):
            yield found.start(), line, re.split(r"%[-+ #0]*[\d.*]*(?:ll|l|z|h)*[a-zA-Z]", line)


def pieces_of_built(text, pattern):
    """The same of texts that are put together from values and literals."""
    for found in pattern.finditer(text):
        # Literals that stand side by side are one.
        joined = re.sub(r'"\s+"', "", found.group(1))
        pieces = literals(joined)
        if pieces and not pieces[0].startswith(MISTAKES):
            yield found.start(), "...".join(pieces), pieces


def pieces_of_made(text):
    """The same of errors that a function makes. One word is the name of a call of the system, and the reason stands behind it."""
    names = {made[1] for made in MAKER.finditer(text) if not "".join(literals(made[2])).startswith(MISTAKES)}
    if names:
        calls = re.compile(r"(?<!Error )(?<!Status )\b(?:" + "|".join(sorted(names)) + r")\(" + REST)
        yield from (found for found in pieces_of_built(text, calls) if any(len(words(piece)) > 1 for piece in found[2]))


def lines_of(path, text):
    """All lines of one file at warning or above: its line there, the text for people, the pieces of it."""
    found = list(pieces_of_calls(text))
    if path.parent.name != "config" or "warnings_" in text or "warnings.push" in text:
        found += pieces_of_built(text, BUILT)
        found += pieces_of_made(text)
    if path.name in FILES_OF_TEXTS:
        found += pieces_of_built(text, FILES_OF_TEXTS[path.name])
    for at, line, pieces in found:
        yield text.count("\n", 0, at) + 1, line, pieces


def sources():
    for path in sorted((ROOT / "src").glob("*/*")):
        # puactl writes no log, and what fails in the C interface before there is an instance is the caller's.
        if path.suffix in (".cpp", ".h") and path.parent.name != "puactl" and path.name != "c_config.cpp":
            yield path


def words(text):
    return re.findall(r"\w+(?:'\w+)?", text)


def contains(page, wanted):
    n = len(wanted)
    return any(page[i:i + n] == wanted for i in range(len(page) - n + 1))


def missing(page, pieces):
    """The words of a line that the page lacks; none: it has them, or the line has no text of its own."""
    # A word that is glued to a value is a part of one.
    whole = pieces[:1] + [re.sub(r"^\w+", "", piece) for piece in pieces[1:]]
    wanted = words(max(whole, key=lambda piece: len(words(piece))))[:5]
    return [] if not wanted or contains(page, wanted) else wanted


def page_words(source):
    """The words of section LOG, without the names of macros."""
    section = source[source.index(".Sh LOG"):]
    section = section[:section.index(".Sh", 4)]
    return words(re.sub(r"^\.(It|Sq|Cm|Pq|Ar|Pa|Li)\b", "", section, flags=re.M))


def main():
    page = page_words((ROOT / "man/puad.8").read_text())
    bad = seen = 0
    for path in sources():
        for line, text, pieces in lines_of(path, path.read_text()):
            seen += 1
            if lacks := missing(page, pieces):
                print(f"{path.relative_to(ROOT)}:{line}: puad(8), LOG, does not have \"{' '.join(lacks)}\" of: {text}")
                bad += 1
    if seen < 80:                             # a search that finds nothing finds no mistake either
        print(f"loglines: only {seen} lines were found in src")
        bad += 1
    if not bad:
        print(f"loglines: {seen} lines of the log are in puad(8)")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
