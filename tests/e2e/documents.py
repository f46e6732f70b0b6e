"""Documents of the event packages, each carrying the mark of a test run where the package has room for text."""
import re

from puad import pidf

WINFO = ('<?xml version="1.0"?>\n<watcherinfo xmlns="urn:ietf:params:xml:ns:watcherinfo" version="{version}" state="full">'
         '<watcher-list resource="{uri}" package="presence"><watcher id="w1" status="active" event="subscribe" '
         'display-name="{mark}">sip:someone@example.com</watcher></watcher-list></watcherinfo>\n')
DIALOG = ('<?xml version="1.0"?>\n<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="{version}" state="full" '
          'entity="{uri}"><dialog id="{mark}"><state>confirmed</state></dialog></dialog-info>\n')
REG = ('<?xml version="1.0"?>\n<reginfo xmlns="urn:ietf:params:xml:ns:reginfo" version="{version}" state="full">'
       '<registration aor="{uri}" id="a{mark}" state="active"/></reginfo>\n')
MWI = "Messages-Waiting: yes\r\nMessage-Account: {uri}\r\nVoice-Message: {mark}/0 (0/0)\r\n"
KINDS = {"presence.winfo": ("application/watcherinfo+xml", WINFO), "dialog": ("application/dialog-info+xml", DIALOG),
         "dialog;sla": ("application/dialog-info+xml", DIALOG), "reg": ("application/reginfo+xml", REG),
         "message-summary": ("application/simple-message-summary", MWI)}
MARKS = [re.compile(p) for p in (r'display-name="([^"]*)"', r'<(?:\w+:)?dialog [^>]*?\bid="([^"]*)"', r' id="a([^"]*)"',
                                 r"Voice-Message: (\w+)/", r"<(?:\w+:)?note[^>]*>([^<]*)<")]


def document(event, uri, mark, version):
    """(content type, octets) of the state of a presentity. event: an Event value; its id parameter does not matter."""
    package = re.sub(r";\s*id=[^;]*", "", event).replace(" ", "")
    if package not in KINDS:
        return "application/pidf+xml", pidf(uri, mark).encode()
    content_type, text = KINDS[package]
    if package == "message-summary" and not mark:
        mark = "0"
    return content_type, text.format(uri=uri, mark=mark, version=version).encode()


def mark_of(body):
    """The mark that a document carries."""
    for pattern in MARKS:
        found = pattern.search(body)
        if found:
            return found.group(1)
    return f"no mark in {body[:80]!r}"
