#!/usr/bin/env python3
"""A Galera cluster of three nodes that loses them, under load: puad goes on with another, and loses nothing.

    db_url: node1, node2, node3

While the cluster still counts a dead node (evs.suspect_timeout, 5 s as shipped), no node commits; then the others go on. A node
without quorum refuses everything (1047).
"""
import os
import time

from db_load import SCHEMA, Load, client, host
from galera import Cluster
from harness import Suite, check, equal, main_is, wait_for

suite = Suite()
DB_TIMEOUT = 1000     # ms
EVICTED = 9           # s after which the cluster has surely gone on without a dead node
SEED, PEOPLE = int(os.environ.get("SEED", "20261128")), int(os.environ.get("PEOPLE", "120"))


def node_dies(load, node):
    time.sleep(1.0)
    died = time.monotonic()
    node.kill()
    time.sleep(EVICTED)
    times = load.check_in_time(f"{node.name} dead", died, time.monotonic())
    durable = [died, *(m.answered for m, _, _ in times if m.durable)]
    gap, again = max((b - a, b) for a, b in zip(durable, durable[1:] + [time.monotonic()]))
    print(f"# durable again {again - died:.1f} s after the kill", flush=True)
    check(gap < EVICTED - 1, f"nothing was durable for {gap:.1f} s")


def puad_dies_too(load, node):
    """In the time in which no node commits: what it has sent may be committed when it is gone."""
    time.sleep(1.0)
    node.kill()
    time.sleep(1.5)
    load.kill_puad()
    load.puad.set("pua", db_start="wait")
    load.puad.start()
    load.begin()
    time.sleep(EVICTED)


def same_everywhere(load, cluster, orphans=False):
    load.end()
    load.drained(15)
    for node in cluster.running():
        node.sql("SET SESSION wsrep_sync_wait=1; SELECT COUNT(*) FROM pua", "presence")
        load.check_table(node, orphans)


@suite.test
def nodes_die_and_come_back(ctx):
    cluster = Cluster(ctx)
    one, two, three = cluster.nodes
    one.create_database()
    one.sql(SCHEMA, "presence")
    puad, server = client(ctx, host(*(n.port for n in cluster.nodes)), db_timeout=DB_TIMEOUT)
    puad.start()
    load = Load(ctx, puad, server, people=PEOPLE, seed=SEED).begin()
    for node in (one, two):
        node_dies(load, node)
        same_everywhere(load, cluster)
        load.begin()
        cluster.rejoin(node)
        cluster.wait_in_sync(3)
    same_everywhere(load, cluster)
    load.check_loop()

    load.begin()
    puad_dies_too(load, one)
    same_everywhere(load, cluster, orphans=True)

    load.begin()
    time.sleep(0.5)
    since = time.monotonic()
    two.kill()
    wait_for(lambda: three.status("wsrep_cluster_status") != "Primary", 15, "the last node is without quorum", step=0.1)
    alone = time.monotonic()
    load.check_in_time("the last but one dead", since, alone)
    time.sleep(1.5)
    times = load.check_in_time("no quorum", alone)
    equal(sum(t[0].durable for t in times), 0, "durable without a quorum")
    three.sql("SET GLOBAL wsrep_provider_options='pc.bootstrap=YES'")
    cluster.wait_in_sync(1)
    time.sleep(1.0)
    same_everywhere(load, cluster, orphans=True)
    load.check_loop()
    load.unanswered = 0        # those of the kill
    load.check_all(three, orphans=True)


main_is(suite)
