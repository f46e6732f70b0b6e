#!/usr/bin/env python3
"""Floods of every kind at line rate on every socket, with honest work beside: see README.md for what must hold."""
import socket
import threading
import time

from rig import LONG, SECONDS, Flood, Victim, attack
from harness import HOST, Suite, check, equal, main_is, wait_for
from puad import pidf, publish_params

suite = Suite()
KINDS = ("invite", "options", "notify", "register", "response", "random")


def flood_with_all(ctx, transport, where, port_of):
    """Every kind on one socket, one after the other; one Failure at the end tells of all that went wrong."""
    v, wrong = Victim(ctx).work(), []
    for kind in KINDS:
        try:
            attack(v, f"{kind} on {where}", lambda k=kind: Flood(ctx, k, transport, port_of(v), SECONDS))
        except Exception as why:
            wrong.append(f"{kind}: {why}")
    check(not wrong, "; ".join(wrong))


@suite.test
def floods_on_sip_listen(ctx):
    flood_with_all(ctx, "udp", "sip_listen, UDP", lambda v: v.port)


@suite.test
def floods_on_listen(ctx):
    flood_with_all(ctx, "udp", "listen, UDP", lambda v: v.notify_port)


@suite.test
def floods_on_listen_over_tcp(ctx):
    flood_with_all(ctx, "tcp", "listen, TCP", lambda v: v.notify_port)


@suite.test
def floods_of_a_kind_that_was_thought_of_later(ctx):
    """Each once showed a fault, or might."""
    v = Victim(ctx).work()
    small = min(SECONDS, 20)
    call_id = v.notifier.live(v.uris[0])[0].call_id

    def flood(name, kind, port, **options):
        attack(v, name, lambda: Flood(ctx, kind, "udp", port, small, **options))

    flood("forged errors of the network (ICMP)", "icmp", v.port)
    flood("forged errors of the network (ICMP), listen", "icmp", v.notify_port)
    flood("OPTIONS whose answers go to a closed port", "options", v.port, via_port=9)
    flood("OPTIONS of 64 KB", "options", v.port, size=65000)
    flood("NOTIFYs of 64 KB in odd form", "raw", v.notify_port,
          text="NOTIFY sip:a SIP/2.0%0D%0AVia: SIP/2.0/UDP a;branch=b%0D%0ATo:%0D%0A folded%0D%0AX: " + "x" * 60000)
    flood("responses of 64 KB", "response", v.port, size=65000)
    flood("OPTIONS from 1,000 addresses", "options", v.notify_port, sources=1000)
    # Without the dialog's tags: whoever has seen a Call-ID of ours gets 481, and nothing else happens.
    flood("NOTIFYs with a Call-ID of ours", "known", v.notify_port, text=call_id, rate=20000)
    equal(len(v.notifier.live()), len(v.uris), "dialogs at the end")


@suite.test
def an_honest_proxy_is_answered_while_strangers_use_up_all_answers(ctx):
    """Addresses made up by the thousand use up what strangers may have; the hosts that we work with have their own share."""
    v = Victim(ctx)
    flood = Flood(ctx, "options", "udp", v.port, min(SECONDS, 10), sources=1000, rate=20000)
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((HOST, 0))
    peer.settimeout(0.5)
    ctx.callback(peer.close)
    time.sleep(0.5)
    answered = 0
    for n in range(20):
        peer.sendto((f"OPTIONS sip:{HOST} SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{peer.getsockname()[1]};branch=z9hG4bKp{n};rport\r\n"
                     f"Max-Forwards: 0\r\nFrom: <sip:proxy@{HOST}>;tag=p\r\nTo: <sip:{HOST}>\r\nCall-ID: p{n}\r\n"
                     f"CSeq: {n + 1} OPTIONS\r\nContent-Length: 0\r\n\r\n").encode(), (HOST, v.port))
        try:
            answered += peer.recv(4096).startswith(b"SIP/2.0 200")
        except TimeoutError:
            pass
        time.sleep(0.05)
    flood.result()
    check(answered >= 19, f"{answered} of 20 OPTIONS of our server's host were answered")


@suite.test
def odd_responses_with_the_branch_of_a_request_that_is_out(ctx):
    """A server that has a request of ours in its hands cannot keep the parser busy, and another host cannot at all."""
    v = Victim(ctx)
    held = threading.Event()
    found = []

    def hold(transaction):
        if transaction.uri == "sip:held@example.com" and not held.is_set():
            found.append(transaction)
            return 0, "", ""
        return None
    v.esc.script = hold
    open_request = v.control.submit("pua_publish", publish_params("sip:held@example.com", pidf("sip:held@example.com", "h"), 3600))
    wait_for(lambda: found, 5, "the request at the server")
    branch = next(b for b, t in v.esc.transactions.items() if t is found[0])
    v.work()
    odd = (f"SIP/2.0 200 OK%0D%0AVia: SIP/2.0/UDP {HOST}:{v.port};branch={branch}%0D%0AFrom:%0D%0A <sip:a>;tag=1%0D%0ATo: <sip:b>;tag=2%0D%0A"
           f"Call-ID: x%0D%0ACSeq: 1 PUBLISH%0D%0AX: {'x' * 30000}%0D%0A%0D%0A")
    attack(v, "odd responses with a branch of ours", lambda: Flood(ctx, "raw", "udp", v.port, min(SECONDS, 10), text=odd))
    attack(v, "the same from other hosts", lambda: Flood(ctx, "raw", "udp", v.port, min(SECONDS, 10), text=odd, sources=100))
    held.set()
    check("error" not in v.control.wait(open_request, 40), "the held publication failed")


@suite.test
def the_control_socket_answers_while_all_sockets_are_flooded(ctx):
    v = Victim(ctx)
    control = v.puad.control()

    def latency(seconds):
        times, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            begin = time.monotonic()
            control.call("version")
            times.append(time.monotonic() - begin)
            time.sleep(0.01)
        return sorted(times)[int(len(times) * 0.99)]
    clean = latency(1)
    small = min(SECONDS, 20)
    floods = [Flood(ctx, kind, "udp", port, small) for kind, port in (("notify", v.port), ("response", v.notify_port))]
    time.sleep(0.3)
    busy = latency(small - 0.5)
    for one in floods:
        one.result()
    print(f"# p99 of a control request that asks for nothing: {busy * 1000:.1f} ms (without the attack {clean * 1000:.1f} ms)", flush=True)
    check(not LONG or busy <= 0.020, f"p99 of the control socket was {busy * 1000:.1f} ms")


if __name__ == "__main__":
    main_is(suite)
