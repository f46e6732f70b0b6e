#!/usr/bin/env python3
"""Attacks that once did harm, each as it was found: descriptors, endless messages, stray requests, forged identifiers."""
import contextlib
import os
import re
import resource
import socket
import time

from rig import MB, MOST_LINES, Flood, Victim
from esc import Esc
from harness import HOST, Suite, check, equal, main_is, wait_for
from notifier import Notifier
from puad import Puad, pidf

suite = Suite()


def close_wait(port):
    """Connections at this port whose other side has ended, and ours has not."""
    found = 0
    with open("/proc/net/tcp", encoding="ascii") as table:
        for line in list(table)[1:]:
            fields = line.split()
            found += int(fields[1].split(":")[1], 16) == port and fields[3] == "08"
    return found


def connect(port, timeout=5, source=None):
    return socket.create_connection((HOST, port), timeout, source_address=(source, 0) if source else None)


@suite.test
def what_cannot_be_read_over_tcp_leaves_no_descriptor(ctx):
    """Octets that are no message, then the end of the stream."""
    v = Victim(ctx, watched=1)
    before = v.descriptors()
    for octets in (b"x\r\n\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"INVITE\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"\0" * 500, b"",
                   b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 99999999999\r\n\r\n", b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 5\r\n\r\nab"):
        for port in (v.notify_port, v.port):
            for _ in range(5):
                with contextlib.suppress(OSError), connect(port) as c:    # nobody need listen at sip_listen
                    c.sendall(octets)
                    c.shutdown(socket.SHUT_WR)
    # Those that puad has not accepted yet are none of its descriptors, and wait in CLOSE_WAIT.
    wait_for(lambda: close_wait(v.notify_port) + close_wait(v.port) == 0, 5, "no connection in CLOSE_WAIT")
    wait_for(lambda: v.descriptors() <= before, 5, f"descriptors back to {before} (now {v.descriptors()})")


@suite.test
def nobody_listens_over_tcp_unless_asked(ctx):
    """Without `listen`, and with addresses of UDP only, no port of TCP is open."""
    esc = Esc(ctx)
    puad = Puad(ctx, esc.uri)
    puad.set("pua", sip_listen=None)
    puad.start()
    mine = set()
    for number in os.listdir(f"/proc/{puad.process.pid}/fd"):
        with contextlib.suppress(OSError):
            found = re.match(r"socket:\[(\d+)\]", os.readlink(f"/proc/{puad.process.pid}/fd/{number}"))
            if found:
                mine.add(found.group(1))
    listening = []
    for name in ("tcp", "tcp6"):
        with open(f"/proc/net/{name}", encoding="ascii") as table:
            listening += [f[1] for f in map(str.split, list(table)[1:]) if f[3] == "0A" and f[9] in mine]
    equal(listening, [], "TCP addresses that puad listens at")


@suite.test
def two_thousand_idle_connections_do_no_harm(ctx):
    """They are closed, and NOTIFYs and publications go on."""
    v = Victim(ctx, watched=2, tcp_silence=2)
    before = v.descriptors()
    flood = Flood(ctx, "idle", "tcp", v.notify_port, 4, count=2000)
    time.sleep(1)
    for n in range(10):
        v.control.publish("sip:a@example.com", pidf("sip:a@example.com", f"n{n}"), 3600)
    flood.result()
    wait_for(lambda: v.descriptors() <= before, 15, "descriptors back")


@suite.test
def out_of_descriptors(ctx):
    """No spin, no flood of lines, and honest work over TCP and /metrics goes on."""
    v = Victim(ctx, watched=2, preexec=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128)))
    lines = v.lines()
    floods = [Flood(ctx, "idle", "tcp", port, 5, count=500) for port in (v.notify_port, v.http_port)]
    time.sleep(1.5)
    cpu, begin = v.puad.process.cpu_seconds(), time.monotonic()
    for n in range(5):
        v.control.publish("sip:t@example.com", pidf("sip:t@example.com", f"n{n}"), 3600)
    v.control.subscribe("sip:tcp@example.com", 3600, outbound_proxy=f"{v.notifier.uri};transport=tcp")
    time.sleep(1)
    share = (v.puad.process.cpu_seconds() - cpu) / (time.monotonic() - begin)
    page = v.metrics(10)
    for flood in floods:
        flood.result()
    check("\npua_publications" in page, "no metrics while connections use up descriptors")
    check(share < 0.5, f"puad used {share:.0%} of a core")
    check(v.lines() - lines <= MOST_LINES, f"{v.lines() - lines} log lines")


@suite.test
def stray_requests_cost_little_and_draw_little(ctx):
    """1,450 INVITEs a second, and one INVITE of 111 octets."""
    v = Victim(ctx, watched=1)
    before, cpu, begin = v.rss(), v.puad.process.cpu_seconds(), time.monotonic()
    result = Flood(ctx, "invite", "udp", v.port, 3, rate=1450).result()
    share = (v.puad.process.cpu_seconds() - cpu) / (time.monotonic() - begin)
    check(share < 0.2, f"puad used {share:.0%} of a core for 1,450 INVITEs a second")
    check(v.rss() - before < 4 * MB, f"memory grew by {(v.rss() - before) / MB:.1f} MB")
    check(result["answer_octets"] <= 1.5 * result["sent_octets"], f"{result} sent back more than it brought")
    short = b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=b;rport\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:a>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\r\n"
    for port in (v.port, v.notify_port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(2)
            one.sendto(short, (HOST, port))
            octets = 0
            with contextlib.suppress(TimeoutError):
                while True:
                    octets += len(one.recv(65536))
            check(0 < octets <= 1.5 * len(short), f"{len(short)} octets drew {octets}")


@suite.test
def messages_without_end(ctx):
    """One header line that never ends, behind a whole message and alone."""
    v = Victim(ctx, watched=1)
    before, fds = v.rss(), v.descriptors()
    whole = (b"NOTIFY sip:a SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKb\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=2\r\nCall-ID: e\r\n"
             b"CSeq: 1 NOTIFY\r\nEvent: presence\r\nSubscription-State: active\r\nContent-Length: 0\r\n\r\n")
    for beginning in (whole, b"", b"NOTIFY sip:a SIP/2.0\r\nX: ", b"NOTIFY sip:a SIP/2.0\r\nContent-Length: 4000000000\r\n\r\n"):
        sent = 0
        with contextlib.suppress(OSError), connect(v.notify_port) as c:
            c.sendall(beginning)
            while sent < 64 * MB:
                c.sendall(b"x" * 65536)
                sent += 65536
        check(sent < 64 * MB, f"a message without end was taken: {sent} octets")
        check(v.rss() - before <= 4 * MB, f"memory grew by {(v.rss() - before) / MB:.1f} MB")
    wait_for(lambda: v.descriptors() <= fds, 5, "descriptors back")


@suite.test
def identifiers_say_nothing_of_others(ctx):
    """Of all that one party of ours sees, nothing is shared with what another one gets, and forging with it has no effect."""
    v = Victim(ctx, watched=1)
    other = Notifier(ctx, name="attacker")
    for n in range(3):
        v.control.subscribe(f"sip:theirs{n}@example.com", 3600, outbound_proxy=other.uri)
    for n in range(3):
        other.one(f"sip:theirs{n}@example.com")
    mine = v.notifier.one(v.uris[0])
    seen = other.live()
    for d in seen:
        for part in re.findall(r"[0-9a-zA-Z]{8,}", d.call_id.partition("@")[0] + " " + d.remote_tag):
            check(part not in mine.call_id and part not in mine.remote_tag, f"{part} is in the identifiers of both")
    branches = [b for b in other.subscribes] + [b for b in v.notifier.subscribes]
    equal(len({b[:15] for b in branches}), len(branches), "beginnings of branches, all different")
    state = v.control.subscription(v.uris[0])
    counts = len(mine.notifies)
    for d in seen:    # NOTIFYs and responses with everything that this party saw, for the dialog of the other
        for call_id, to_tag in ((d.call_id, mine.remote_tag), (d.call_id, d.remote_tag)):
            other.notify(d, state="terminated", reason="rejected", call_id=call_id, to_tag=to_tag, from_tag="forged",
                         where=("udp", (HOST, v.notify_port)))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for branch in other.subscribes:
            one.sendto((f"SIP/2.0 489 Bad Event\r\nVia: SIP/2.0/UDP {HOST}:{v.port};branch={branch}\r\nFrom: {mine.remote}\r\nTo: {mine.local}\r\n"
                        f"Call-ID: {seen[0].call_id}\r\nCSeq: 2 SUBSCRIBE\r\nContent-Length: 0\r\n\r\n").encode(), (HOST, v.port))
    time.sleep(1)
    after = v.control.subscription(v.uris[0])
    equal((after["state"], after.get("call_id"), len(mine.notifies)), (state["state"], state.get("call_id"), counts), "the other party's dialog")
    check(mine.live, "the dialog has ended")


@suite.test
def a_notify_flood_leaves_honest_notifys_alone(ctx):
    """110,000 NOTIFYs a second of dialogs that do not exist."""
    v = Victim(ctx).work()
    begin = time.monotonic()
    Flood(ctx, "notify", "udp", v.notify_port, 4, rate=110000).result()
    end = time.monotonic()
    time.sleep(1)
    sent = [n for n in v.notifying.sent(begin, end - 1)]
    taken = sum(1 for n in sent if n.status == 200)
    check(len(sent) > 20 and taken >= 0.95 * len(sent), f"{taken} of {len(sent)} honest NOTIFYs were answered")


if __name__ == "__main__":
    main_is(suite)
