"""A strict reader of the Prometheus text format, version 0.0.4: what that does not allow, or we do not want, is a Failure."""
import math
import re

from harness import Failure, check

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|Inf)\Z|NaN\Z")
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


def number(text, line):
    check(NUMBER.match(text), f"no number: {line!r}")
    return float(text)


def labels_of(text, line):
    """{name: value} of what stands between the braces."""
    found, at = {}, 0
    while at < len(text):
        match = LABEL.match(text, at)
        check(match and match[1] not in found, f"bad labels: {line!r}")
        found[match[1]] = re.sub(r'\\["\\n]', lambda m: ESCAPES[m[0]], match[2])
        at = match.end()
        if at < len(text):
            check(text[at] == "," and at + 1 < len(text), f"bad labels: {line!r}")
            at += 1
    return found


class Page:
    """families: name -> type; samples: (name, frozenset of labels) -> value."""

    def __init__(self, text):
        self.families, self.help, self.samples = {}, {}, {}
        check(text.endswith("\n"), "the last line has no end")
        family = None
        for line in text[:-1].split("\n"):
            if line.startswith("# HELP "):
                family, _, self.help[family] = self._new(line, 7, self.help)
            elif line.startswith("# TYPE "):
                name, _, kind = line[7:].partition(" ")
                check(name == family and name not in self.families, f"TYPE without its HELP, or twice: {line!r}")
                check(kind in ("counter", "gauge", "histogram"), f"type {kind!r}: {line!r}")
                check((kind == "counter") == name.endswith("_total"), f"a {kind} of that name: {line!r}")
                self.families[name] = kind
            else:
                self._sample(line, family)
        check(set(self.help) == set(self.families), "HELP without TYPE")
        for name, kind in self.families.items():
            if kind == "histogram":
                self._check_histogram(name)

    @staticmethod
    def _new(line, begin, known):
        name, blank, text = line[begin:].partition(" ")
        check(NAME.match(name) and name not in known and text, f"bad or repeated HELP: {line!r}")
        return name, blank, text

    def _sample(self, line, family):
        match = re.match(r"([^{ ]+)(?:\{(.*)\})? ([^ ]+)\Z", line)
        check(match and NAME.match(match[1]), f"no sample: {line!r}")
        kind = self.families.get(family)
        names = [family + s for s in ("_bucket", "_sum", "_count")] if kind == "histogram" else [family]
        check(kind and match[1] in names, f"a sample outside its family {family}: {line!r}")
        labels = labels_of(match[2] or "", line)
        check(match[2] != "", f"empty braces: {line!r}")
        key = match[1], frozenset(labels.items())
        check(key not in self.samples, f"twice: {line!r}")
        self.samples[key] = number(match[3], line)
        check(kind == "gauge" or self.samples[key] >= 0, f"below zero: {line!r}")

    def _check_histogram(self, name):
        series = {}
        for (sample, labels), value in self.samples.items():
            if sample == name + "_bucket":
                le = dict(labels)["le"]
                series.setdefault(labels - {("le", le)}, []).append((number(le, le), value))
        for labels, buckets in series.items():
            bounds, counts = zip(*buckets)
            check(list(bounds) == sorted(set(bounds)) and bounds[-1] == math.inf, f"bounds of {name}: {bounds}")
            check(list(counts) == sorted(counts), f"buckets of {name} shrink: {counts}")
            check(self.samples[name + "_count", labels] == counts[-1], f"{name}: the count is not the last bucket")
            check((name + "_sum", labels) in self.samples, f"{name} has no sum")

    def get(self, name, **labels):
        try:
            return self.samples[name, frozenset(labels.items())]
        except KeyError:
            raise Failure(f"{name} {labels} is not on the page") from None

    def by(self, name, *label_names):
        """{value of the label, or values of them: number} of all samples of that name that are not 0."""
        found = {}
        for (sample, labels), value in self.samples.items():
            if sample == name and value:
                values = tuple(dict(labels)[n] for n in label_names)
                found[values if len(values) > 1 else values[0]] = value
        return found
