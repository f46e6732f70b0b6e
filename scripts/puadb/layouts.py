"""The tables of OpenSIPS (version 9) and Kamailio (version 7), and how one of their rows becomes ours."""
import re
from typing import NamedTuple

from puadb import rules
from puadb.database import Text

PRESENCE, PWINFO, BLA, MSGSUM, CONFERENCE, XCAPDIFF, DIALOG, CALLINFO, REGINFO = (1 << n for n in range(9))

# What both forks have in common, with the width of strings in MariaDB. A value as wide as its column may have been cut there.
COMMON = {
    "id": 0, "pres_uri": 255, "pres_id": 255, "event": 0, "expires": 0, "desired_expires": 0, "flag": 0, "etag": 64,
    "tuple_id": 64, "watcher_uri": 255, "call_id": 64, "to_tag": 64, "from_tag": 64, "cseq": 0, "record_route": 65535,
    "contact": 255, "remote_contact": 255, "version": 0, "extra_headers": 65535}

# Source bits that have the same value and meaning everywhere: up to DIALOG_PUBLISH, XMPP_INITIAL_SUBS kept as XMPP_SUBSCRIBE.
# What was published by command has one key here, however it was answered there: MI_ASYN_PUBLISH becomes MI_PUBLISH, which the
# commands of puad go by.
SOURCES = {1 << n: 1 << n for n in range(11)} | {1 << 5: 1 << 4, 1 << 7: 1 << 6}


# Width of columns that the library does not check when it loads a row.
WIDEST = {"sharing_tag": 255, "extra_headers": 65535}


class Layout(NamedTuple):
    """events, sources: their bit to ours; foreign: names of bits that have no value here, by (column, bit)."""
    title: str
    version: int
    columns: dict
    events: dict
    sources: dict
    foreign: dict

    def kinds(self):
        """The columns to read, with their kind."""
        return [(name, "text" if width else "int") for name, width in self.columns.items()]

    def missing(self, columns):
        return sorted(self.columns.keys() - columns)


OPENSIPS = Layout(
    "OpenSIPS", 9, COMMON | {"to_uri": 255, "sharing_tag": 32},
    {1 << n: 1 << n for n in range(9)},
    SOURCES | {1 << 11: 1 << 11, 1 << 12: 1 << 12, 1 << 13: 1 << 13},
    {})

KAMAILIO = Layout(
    "Kamailio", 7, COMMON | {"etag": 128, "call_id": 255, "to_tag": 128, "from_tag": 128},
    {PRESENCE: PRESENCE, PWINFO: PWINFO, BLA: BLA, MSGSUM: MSGSUM, CONFERENCE: CONFERENCE,
     1 << 5: DIALOG, 1 << 6: REGINFO, 1 << 7: XCAPDIFF},
    SOURCES | {1 << 12: 1 << 13, 1 << 13: 1 << 12},      # REGINFO_PUBLISH and REGINFO_SUBSCRIBE
    {("event", 1 << 8): "as-feature-event", ("flag", 1 << 11): "PURPLE_PUBLISH", ("flag", 1 << 14): "XCAPDIFF_PUBLISH",
     ("flag", 1 << 15): "XCAPDIFF_SUBSCRIBE", ("flag", 1 << 16): "DFKS_PUBLISH", ("flag", 1 << 17): "DFKS_SUBSCRIBE"})

LAYOUTS = {"opensips": OPENSIPS, "kamailio": KAMAILIO}


class Refused(Exception):
    """This row cannot be carried; the text says why."""


class Expired(Exception):
    """Nothing of this row is left to go on with, and nobody wants it any more."""


def convert(layout, old, now, own_contact=False):
    """(our row, [what is to be said about it]); Refused or Expired if it cannot be carried.

    own_contact: subscriptions forget their Contact, and take that of the library at their next refresh."""
    row = {name: old[name] for name in layout.columns}
    remarks = []
    for name in ("id", "event", "flag"):
        if not isinstance(row[name], int):
            raise Refused(f"{name} is not a number")
    for name in ("expires", "desired_expires", "version"):
        row[name] = row[name] or 0
        if not isinstance(row[name], int):
            raise Refused(f"{name} is not a number")
    for name in ("pres_id", "watcher_uri", "to_uri"):
        row[name] = row.get(name) or Text()
    row["event"] = _bit(layout, "event", row["event"], layout.events)
    row["flag"] = _bit(layout, "flag", row["flag"], layout.sources)
    row |= {"body": None, "content_type": None, "outbound_proxy": None, "event_id": None, "target": None, "record_version": 1,
            "owner_epoch": 0, "node": 0, "updated_at": now, "intent": 0, "intent_expires": 0}
    row.setdefault("sharing_tag", None)
    row["version"] = min(max(row["version"], 0), 0x7fffffff)
    if rules.is_subscription(row):
        _subscription(row, remarks, now, own_contact)
    else:
        _publication(row, now)
    column = rules.unreadable(row) or next((name for name, most in WIDEST.items() if len(row[name] or b"") > most), None)
    if column:
        value = row[column]
        raise Refused(f"{column} is not one that the library takes: {rules.shown(value) if isinstance(value, bytes) else value}")
    for name, width in layout.columns.items():
        if width and row[name] and len(row[name]) == width:
            remarks.append(f"{name} is as long as its column was ({width}): it may have been cut there")
    return row, remarks


def _bit(layout, column, value, ours):
    if value in ours:
        return ours[value]
    if value <= 0 or value & (value - 1):
        raise Refused(f"{column} {value} is not one bit")
    name = layout.foreign.get((column, value))
    raise Refused(f"{column} {value}{f' ({name})' if name else ''} has no value here")


def _publication(row, now):
    # Rows of both forks hold no body. An entity-tag can be refreshed; without one there is nothing to publish.
    for name in ("call_id", "to_tag", "from_tag", "record_route", "contact", "remote_contact"):
        row[name] = None
    row["cseq"] = 0
    row["to_uri"] = Text()
    wanted = row["desired_expires"] == 0 or row["desired_expires"] > now
    whole = rules.is_publishable(row)
    if row["expires"] <= now:
        if not wanted or not whole:
            raise Expired
        row["etag"], row["expires"] = None, 0     # published in full, as if for the first time
    if not row["etag"] and not whole:
        raise Refused("a publication without etag, and a row holds no body: there is nothing to refresh or to publish")


def _subscription(row, remarks, now, own_contact):
    if row["to_uri"] == row["pres_uri"]:
        row["to_uri"] = Text()                # one key, not two: as the library keeps it
    row["etag"] = row["tuple_id"] = None
    row["version"] = 0
    for name in ("contact", "remote_contact"):
        row[name] = _uri(row[name])
    if own_contact:
        row["contact"] = None
    wanted = row["desired_expires"] == 0 or row["desired_expires"] > now
    if not row["to_tag"] or not row["call_id"] or not row["from_tag"]:
        reason = "no answer had come (no to_tag)" if not row["to_tag"] else "its dialog is not named in full"
    elif not isinstance(row["cseq"], int) or not 0 <= row["cseq"] <= rules.MAX_CSEQ:
        reason = f"its cseq is {row['cseq']}"
    elif row["expires"] <= now:
        reason = "its grant has ended"
    else:
        if row["record_route"]:               # already in the order of requests: both forks turn it round before they keep it
            row["record_route"] = Text(re.sub(rb"\s+", b" ", row["record_route"].strip()))
        return
    if not wanted:
        raise Expired
    # What is wanted goes on, in a dialog of its own.
    for name in ("call_id", "to_tag", "from_tag", "record_route", "remote_contact"):
        row[name] = None
    row["cseq"] = row["expires"] = 0
    remarks.append(f"without its dialog, {reason}: it is subscribed to anew")


def _uri(value):
    """The URI alone, where a whole Contact was kept."""
    inside = re.search(rb"<([^<>]*)>", value or b"")
    return Text(inside.group(1)) if inside else value
