"""What pua.conf says about the database. Whether the rest of the file is right is for `puad --check` to say."""
import pathlib
import re

from puadb.database import Problem

DEFAULTS = {"db_url": "mysql://opensips:opensipsrw@localhost/opensips", "db_table": "pua", "db_socket": "", "db_tls": "",
            "db_tls_ca": "", "db_clear_password": ""}
YES = ("1", "yes")
TLS = ("off", "on", "verify")

TOKEN = re.compile(r"""(?P<skip>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|"(?P<string>(?:[^"\\\n]|\\["\\nrt])*)"|(?P<word>[\w+-]+)"""
                   r"|(?P<mark>[(),])", re.DOTALL)
ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def read(path):
    """The values of DEFAULTS as this file has them; those that it does not say are left out."""
    try:
        text = pathlib.Path(path).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as why:
        raise Problem(f"{path}: {why.strerror} (--url names a database without it)") from None
    found = {}
    for line, name, value in _settings(text.removeprefix("\ufeff"), path):
        if name in found:
            raise Problem(f'{path}:{line}: parameter "{name}" is set twice')
        if name == "db_tls" and value not in TLS:
            raise Problem(f'{path}:{line}: parameter "{name}" is {", ".join(TLS[:-1])} or {TLS[-1]}')
        found[name] = value
    return found


def _settings(text, path):
    """(line, name, value) of each string that is set in module pua under one of our names."""
    recent = []
    for line, kind, value in _tokens(text, path):
        recent = (recent + [(kind, value)])[-8:]
        shape = [("word", "modparam"), ("mark", "("), ("string", "pua"), ("mark", ",")]
        if kind == "mark" and value == ")" and len(recent) == 8 and recent[:4] == shape:
            (name_kind, name), (_, comma), (value_kind, setting) = recent[4:7]
            if name_kind == "string" and comma == "," and name in DEFAULTS:
                if value_kind != "string" and name != "db_clear_password":
                    raise Problem(f'{path}:{line}: parameter "{name}" takes a string')
                yield line, name, setting


def _tokens(text, path):
    at, line = 0, 1
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            raise Problem(f"{path}:{line}: not readable from here on: puad --check says why")
        if match.lastgroup != "skip":
            value = match.group(match.lastgroup)
            if match.lastgroup == "string":
                value = re.sub(r"\\(.)", lambda m: ESCAPES.get(m.group(1), m.group(1)), value)
            yield line, match.lastgroup, value
        line += match.group().count("\n")
        at = match.end()
