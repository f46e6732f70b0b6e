#!/usr/bin/env python3
"""Five thousand connections that are slow or say nothing, from one address and from many, with honest NOTIFYs over TCP beside."""
from rig import SECONDS, Flood, Victim, attack
from harness import Suite, main_is

suite = Suite()
SMALL = max(4.0, SECONDS)


def crowd(ctx, kind, sources):
    v = Victim(ctx, transport="tcp").work()
    where = "one address" if sources == 0 else f"{sources} addresses"
    attack(v, f"5,000 {kind} connections from {where}",
           lambda: Flood(ctx, kind, "tcp", v.notify_port, SMALL, count=5000, sources=sources), settle=3)


@suite.test
def idle_connections_from_one_address(ctx):
    crowd(ctx, "idle", 0)


@suite.test
def idle_connections_from_many_addresses(ctx):
    crowd(ctx, "idle", 250)


@suite.test
def slow_connections_from_one_address(ctx):
    crowd(ctx, "slow", 0)


@suite.test
def slow_connections_from_many_addresses(ctx):
    crowd(ctx, "slow", 250)


@suite.test
def endless_messages_over_many_connections(ctx):
    v = Victim(ctx, transport="tcp").work()
    attack(v, "messages without end", lambda: Flood(ctx, "endless", "tcp", v.notify_port, SMALL, sources=50,
                                                     text="NOTIFY sip:a SIP/2.0%0D%0AX: "), settle=2)


if __name__ == "__main__":
    main_is(suite)
