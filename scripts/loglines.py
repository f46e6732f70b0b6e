#!/usr/bin/env python3
"""Fails where a line of the log at warning or above stands neither in section LOG of puad(8) nor in the list below.

A line counts as being there when the first five words of the longest text between the values of its format do.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Lines that an operator cannot or need not do anything about, or that are made of other texts. Each: its beginning.
EXCEPTIONS = (
    "bug: input %s in state %s of",           # whoever sees it writes to us
    "%s again: ending at once",               # the second signal of somebody who waits
    "reload: %s",                             # the reason, as --check gives it
)

# What stands in front of the text of a line at warning or above: calls of the log, and of the functions that write to it.
CALLS = re.compile(r'(?:\b(?:warning|error)\(|\bsofia_warning\(|LogLevel::(?:warning|error)[^;]*?,|\bsay\(others_, false,)\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


def lines_of_sources():
    for path in sorted((ROOT / "src").glob("*/*.cpp")):
        if path.parent.name == "puactl":
            continue                          # writes no log
        text = path.read_text()
        for found in CALLS.finditer(text):
            if re.search(r"(call|call_|\.|->)error\($", text[:found.start(1)].rstrip()) and not re.search(r"log[a-z_()]*(\.|->)error\($", text[:found.start(1)].rstrip()):
                continue                      # an answer to a request, no line
            literal = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', found.group(1)))
            yield path.relative_to(ROOT), text.count("\n", 0, found.start()) + 1, literal.replace('\\"', '"')


def words(text):
    return re.findall(r"\w+(?:'\w+)?", text)


def contains(page, wanted):
    n = len(wanted)
    return any(page[i:i + n] == wanted for i in range(len(page) - n + 1))


def main():
    source = (ROOT / "man/puad.8").read_text()
    section = source[source.index(".Sh LOG"):]
    section = section[:section.index(".Sh", 4)]
    page = words(re.sub(r"^\.(It|Sq|Cm|Pq|Ar|Pa|Li)\b", "", section, flags=re.M))
    bad = seen = 0
    for path, line, literal in lines_of_sources():
        pieces = re.split(r"%[-+ #0]*[\d.*]*(?:ll|l|z|h)*[a-zA-Z]", literal)
        wanted = words(max(pieces, key=len))[:5]
        if not wanted or literal.startswith(EXCEPTIONS):
            continue
        seen += 1
        if not contains(page, wanted):
            print(f"{path}:{line}: puad(8), LOG, does not have \"{' '.join(wanted)}\" of: {literal}")
            bad += 1
    if seen < 50:                             # a search that finds nothing finds no mistake either
        print(f"loglines: only {seen} lines were found in src")
        bad += 1
    if not bad:
        print(f"loglines: {seen} lines of the log are in puad(8)")
    return 1 if bad else 0


sys.exit(main())
