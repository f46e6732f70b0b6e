"""Splits C++ sources into functions, for the checks that look at them one by one.

It reads what our style writes and no more: no macros that open or close braces, one branch of a conditional of the preprocessor (the
first). Lambdas are part of the function that they stand in; a lambda in a table at the level of a file is a function by itself.
"""
import os
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOKEN = re.compile(r"""
    (?P<directive> ^[^\S\n]*\#(?:\\\n|[^\n])* )
  | (?P<comment>   //(?:\\\n|[^\n])* | /\*.*?\*/ )
  | (?P<literal>   (?:u8|[uUL])?R"(?P<end>[^()\\\s]*)\(.*?\)(?P=end)"\w*
                 | (?:u8|[uUL])?"(?:\\.|[^"\\\n])*"\w*
                 | (?:u8|[uUL])?'(?:\\.|[^'\\\n])*'
                 | \.?\d(?:[eEpP][-+]|'?[\w.])* )
  | (?P<word>      [A-Za-z_]\w* )
  | (?P<sign>      ->\*? | <=> | \.\.\. | <<=? | :: | \+\+ | -- | && | \|\| | [-+*/%&|^=!<>]= | [^\s] )
  | (?P<space>     [^\S\n]+ | \n )
""", re.S | re.M | re.X)

OPENS = {"(": ")", "[": "]", "{": "}"}
BEHIND_PARAMETERS = {"const", "noexcept", "override", "final", "mutable", "&", "&&"}
NO_PARAMETERS = {"noexcept", "alignas", "decltype", "requires", "__attribute__"}


class Token:
    __slots__ = ("kind", "text", "line", "pair")

    def __init__(self, kind, text, line):
        self.kind, self.text, self.line = kind, text, line
        self.pair = None                      # of a bracket: the place of the other one


class Function:
    """body: its tokens, from the first brace to the last. first, last: its lines, from its head on."""

    def __init__(self, path, name, first, body):
        self.path, self.name, self.first, self.last, self.body = path, name, first, body[-1].line, body

    @property
    def lines(self):
        return self.last - self.first + 1

    def __str__(self):
        return f"{self.path}:{self.first}: {self.name}"


class Unreadable(Exception):
    """The text is none that this reader understands."""


def tokens_of(text):
    """Words, literals and signs with their lines; brackets know their other ends."""
    found, open_, line = [], [], 1
    skipping, depth = None, 0                 # conditionals of the preprocessor: the depth whose further branches are left out
    for m in TOKEN.finditer(text):
        kind = m.lastgroup if m.lastgroup != "end" else "literal"
        if kind == "directive":
            word = re.match(r"\s*#\s*(\w*)", m.group()).group(1)
            if word in ("if", "ifdef", "ifndef"):
                depth += 1
            elif word in ("else", "elif") and skipping is None:
                skipping = depth
            elif word == "endif":
                if skipping == depth:
                    skipping = None
                depth -= 1
        elif kind not in ("comment", "space") and skipping is None:
            token = Token(kind, m.group(), line)
            if kind == "sign" and token.text in OPENS:
                open_.append(len(found))
            elif kind == "sign" and token.text in OPENS.values():
                if not open_ or OPENS[found[open_[-1]].text] != token.text:
                    raise Unreadable(f"line {line}: '{token.text}' closes nothing")
                token.pair = open_.pop()
                found[token.pair].pair = len(found)
            found.append(token)
        line += m.group().count("\n")
    if open_:
        raise Unreadable(f"line {found[open_[-1]].line}: '{found[open_[-1]].text}' is not closed")
    return found


def without_template(tokens, head):
    """Places of a head without `template <...>` in front of it."""
    while head and tokens[head[0]].text == "template":
        depth = 0
        for n, at in enumerate(head[1:], 1):
            text = tokens[at].text
            depth += (text == "<") - (text == ">")
            if depth == 0:
                break
        head = head[n + 1:]
    return head


def parameters(tokens, head):
    """The place in `head` of the bracket of a function's parameters, None where the head is none of a function."""
    texts = [tokens[at].text for at in head]
    if "=" in texts and texts[texts.index("=") - 1] != "operator":
        return None                           # a variable with a value
    # Initialisers of a constructor's members come behind a colon.
    first_part = texts.index(":") if ":" in texts else len(texts)
    places = [n for n in range(1, first_part) if texts[n] == "(" and texts[n - 1] not in NO_PARAMETERS]
    if not places:
        return None
    if first_part < len(texts):
        return places[-1] if texts[-1] in (")", "}") else None
    behind = [t for n, t in enumerate(texts) if n > places[-1] + 1]
    if "->" in behind or all(t in BEHIND_PARAMETERS or t in "()" for t in behind):
        return places[-1]
    return None


def name_of(tokens, head, place):
    """What stands in front of the parameters; of a TEST(group, name), both."""
    words = [tokens[at].text for at in head]
    if place == 1 and words[0].isupper():
        inner = "".join(t.text for t in tokens[head[1] + 1:tokens[head[1]].pair])
        return f"{words[0]}({inner.replace(',', ', ')})"
    first = words.index("operator") if "operator" in words[:place] else place - 1
    name = " ".join(words[first:place]) if words[first + 1:place] and words[first + 1].isidentifier() else "".join(words[first:place])
    while first > 0 and words[first - 1] in ("::", "~"):
        first -= 1
        name = words[first] + name
        if words[first] == "~":
            continue
        depth = 0
        while first > 0:                      # the class, without what stands between < and >
            first -= 1
            depth += (words[first] == ">") - (words[first] == "<")
            if depth == 0 and words[first].isidentifier():
                name = words[first] + name
                break
    return name


def functions_of(text, path=""):
    """The functions of a source, in order."""
    tokens = tokens_of(text)
    found = []

    def lambdas(first, last):
        at = first
        while at < last:
            token = tokens[at]
            if token.text == "[" and token.kind == "sign":
                behind = token.pair + 1
                if tokens[behind].text == "(":
                    behind = tokens[behind].pair + 1
                while behind < last and tokens[behind].text not in "{;,()":
                    behind += 1               # a result type
                if behind < last and tokens[behind].text == "{":
                    found.append(Function(path, "lambda", token.line, tokens[behind:tokens[behind].pair + 1]))
                    at = tokens[behind].pair
            at += 1

    def scope(at, last, owner):
        head = []
        while at < last:
            token = tokens[at]
            if token.kind == "sign" and token.text in "([":
                head += [at, token.pair]
                lambdas(at + 1, token.pair)
                at = token.pair
            elif token.text == "{" and token.kind == "sign":
                at, head = brace(at, head, owner)
            elif token.text == ";" or token.text == ":" and head and tokens[head[-1]].text in ("public", "private", "protected"):
                head = []
            else:
                head.append(at)
            at += 1

    def brace(at, head, owner):
        """What opens at `at`, behind `head`. Returns the place of its end, and the head that goes on there."""
        end = tokens[at].pair
        bare = without_template(tokens, head)
        texts = [tokens[n].text for n in bare]
        place = parameters(tokens, bare)
        if texts[:1] in (["TEST_GROUP"], ["TEST_GROUP_BASE"]):
            scope(at + 1, end, owner)
            return end, []
        if place is not None:
            name = name_of(tokens, bare, place)
            found.append(Function(path, f"{owner}::{name}" if owner else name, tokens[head[0]].line, tokens[at:end + 1]))
            return end, []
        if "=" not in texts and "enum" not in texts and {"class", "struct", "union", "namespace"} & set(texts) or texts[:1] == ["extern"]:
            kind = next((n for n, t in enumerate(texts) if t in ("class", "struct", "union")), None)
            inner = owner
            if kind is not None:
                stop = texts.index(":") if ":" in texts else len(texts)
                names = [t for t in texts[kind + 1:stop] if t.isidentifier() and t != "final"]
                inner = "::".join(filter(None, (owner, names[0] if names else "")))
            scope(at + 1, end, inner)
            return end, []
        if "=" in texts[:-1] and texts[texts.index("=") + 1] == "[":
            found.append(Function(path, texts[texts.index("=") - 1], tokens[head[0]].line, tokens[at:end + 1]))
            return end, []
        lambdas(at + 1, end)                  # values: of a variable, an enumeration, a constructor's member
        return end, head + [at, end]

    scope(0, len(tokens), "")
    return found


def sources(places):
    """The C++ files of folders and files, sorted."""
    out = set()
    for place in map(pathlib.Path, places):
        if place.is_dir():
            out |= {p for p in place.rglob("*") if p.suffix in (".cpp", ".h")}
        elif place.exists():
            out.add(place)
        else:
            raise SystemExit(f"{place}: there is no such file or folder")
    return sorted(out)


def functions_in(places):
    """The functions of all C++ files of folders and files, of src where none is named. A search that finds nothing would find no fault
    either: it ends the program."""
    if not places:
        os.chdir(ROOT)
        places = ["src"]
    out = []
    for path in sources(places):
        try:
            out += functions_of(path.read_text(), path)
        except Unreadable as e:
            raise SystemExit(f"{path}: {e}")
    if not out:
        raise SystemExit("there is no function in " + ", ".join(map(str, places)))
    return out
