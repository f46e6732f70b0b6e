"""What the scripted notifier keeps of subscriptions: requests, dialogs, NOTIFYs, and how a script says what it wants."""
import collections
import dataclasses

from harness import wait_for
from sipmsg import Message


@dataclasses.dataclass
class Answer:
    """What a script wants done with a SUBSCRIBE. `status` 0: nothing at all."""
    status: int = 200
    headers: tuple = ()          # (name, value) added to the reply
    expires: int = -1            # s granted, -1: as configured
    notify: bool = True          # a NOTIFY with the state goes with a 2xx
    notify_first: bool = False   # and leaves before the reply ...
    hold: bool = False           # the reply waits until release()
    lose: int = 0                # so many copies of the reply are lost on the way, -1: all
    expires_header: bool = True


@dataclasses.dataclass(eq=False)
class Subscribe:
    """One SUBSCRIBE transaction, recognised by its branch."""
    message: Message
    peer: tuple                  # where it came from: ("udp", address) or ("tcp", connection)
    arrived: int                 # at this port of ours
    at: float
    last_seen: float
    epoch: int
    copies: int = 1
    reply: bytes = b""
    status: int = 0
    lose: int = 0
    finish: object = None        # sends the reply, and the NOTIFY that goes with it
    tried: bool = False          # the reply was sent, or lost: a copy of the request is answered
    answered: float = 0.0        # when the reply left first, 0: never
    dialog: "Dialog" = None

    @property
    def cseq(self):
        return self.message.cseq

    @property
    def expires(self):
        return int(self.message.get("expires") or -1)

    @property
    def call_id(self):
        return self.message.get("call-id")

    @property
    def in_dialog(self):
        return bool(self.message.tag("to"))

    @property
    def kind(self):
        if self.expires == 0:
            return "unsubscribe" if self.in_dialog else "fetch"
        return "refresh" if self.in_dialog else "initial"


@dataclasses.dataclass(eq=False)
class Dialog:
    """One subscription at the notifier."""
    uri: str                     # presentity
    watcher: str
    event: str                   # Event value, parameters included
    call_id: str
    tag: str                     # ours
    remote_tag: str
    local: str                   # From of our NOTIFYs
    remote: str                  # To of our NOTIFYs
    target: str                  # the subscriber's Contact
    contact: str                 # ours, that requests within the dialog must go to
    route_set: list              # what they must carry as Route
    peer: tuple
    made: float
    cseq: int                    # last of theirs
    expires_at: float = 0.0
    own_cseq: int = 0
    version: int = -1            # of documents
    state: str = "active"
    ended: str = ""              # why, empty: it lives
    known: bool = False          # the subscriber was told of it
    fork: bool = False
    open: "Notify" = None
    queue: collections.deque = dataclasses.field(default_factory=collections.deque)
    notifies: list = dataclasses.field(default_factory=list)

    @property
    def key(self):
        return self.uri, self.watcher, self.event

    @property
    def live(self):
        return not self.ended


@dataclasses.dataclass(eq=False)
class Notify:
    """One NOTIFY transaction."""
    dialog: Dialog
    cseq: int
    branch: str
    body: bytes
    data: bytes
    where: tuple
    at: float
    scripted: bool               # a bad answer to it does not end the dialog
    contact: str                 # it names
    call_id: str
    copies: int = 0
    status: int = 0              # of the answer, 0: none yet
    reason: str = ""
    answered: float = 0.0        # when the answer came

    def wait(self, timeout=3):
        """The status of its answer."""
        wait_for(lambda: self.status, timeout, f"an answer to NOTIFY {self.cseq} of {self.dialog.uri}", step=0.005)
        return self.status
