"""A Galera cluster of three MariaDB servers on loopback, for whoever may run a server: state transfer by rsync."""
import contextlib
import os
import pwd

from harness import HOST, Skip, wait_for
from mariadb import MariaDb

PROVIDERS = ("/usr/lib/galera/libgalera_smm.so", "/usr/lib64/galera-4/libgalera_smm.so")


def provider():
    for path in PROVIDERS:
        if os.path.exists(path):
            return path
    raise Skip("galera-4 is not installed")


def other_user():
    """rsync's daemon, started by root, writes as nobody: so root lets another user run the servers."""
    if os.getuid():
        return None
    for name in ("mysql", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise Skip("no user to run servers as")


class Node(MariaDb):
    """One server of the cluster: its group communication, and the two ways it gets the state by, at ports of their own."""

    def __init__(self, ctx, name, others=(), provider_options=""):
        self.group, self.ist, self.sst, self.provider_options = ctx.port(), ctx.port(), ctx.port(), provider_options
        super().__init__(ctx, name, self.cluster_options(name, others), other_user())

    def cluster_options(self, name, others):
        peers = ",".join(f"{HOST}:{port}" for port in others)
        group = (f"base_host={HOST};base_port={self.group};gmcast.listen_addr=tcp://{HOST}:{self.group};"
                 f"ist.recv_addr={HOST}:{self.ist};gcache.size=16M;{self.provider_options}")
        return ("--wsrep-on=ON", f"--wsrep-provider={provider()}", "--wsrep-cluster-name=pua-e2e", f"--wsrep-node-name={name}",
                f"--wsrep-cluster-address=gcomm://{peers}", f"--wsrep-node-address={HOST}:{self.group}",
                "--wsrep-sst-method=rsync", f"--wsrep-sst-receive-address={HOST}:{self.sst}", "--binlog-format=ROW",
                "--innodb-autoinc-lock-mode=2", f"--wsrep-provider-options={group}")

    def join(self, others):
        """Starts again, with these others."""
        self.options = self.cluster_options(self.name, others)
        self.start()

    def status(self, name):
        done = self.client_run(f"SHOW STATUS LIKE '{name}'")
        return done.stdout.decode().split("\t")[-1].strip() if done.returncode == 0 else ""

    def in_sync(self):
        return self.status("wsrep_local_state_comment") == "Synced" and self.status("wsrep_cluster_status") == "Primary"


class Cluster:
    """Three nodes, in sync."""

    def __init__(self, ctx, provider_options=""):
        self.nodes = []
        for n in range(3):
            self.nodes.append(Node(ctx, f"node{n + 1}", [node.group for node in self.nodes], provider_options))
        self.wait_in_sync(3)

    def wait_in_sync(self, size, timeout=30):
        wait_for(lambda: all(n.in_sync() and n.status("wsrep_cluster_size") == str(size) for n in self.running()), timeout,
                 f"{size} nodes in sync", step=0.05)

    def running(self):
        return [n for n in self.nodes if n.process.running()]

    def rejoin(self, node):
        """Starts a node again, which gets its state from the others."""
        node.join([n.group for n in self.running()])
