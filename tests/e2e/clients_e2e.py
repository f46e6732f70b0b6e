#!/usr/bin/env python3
"""The clients that OpenSIPS and Kamailio have, as they make their reply FIFOs and sockets and what they ask for; and a log that says why
where an answer does not reach them."""
import json
import os
import shutil
import socket
import subprocess

from esc import Esc
from harness import Skip, Suite, check, equal, main_is, program, wait_for
from puad import Puad, pidf, publish_params

suite = Suite()
ALICE = "sip:alice@example.com"


class Cli:
    """What opensips-cli does over its FIFO: strings only, the reply FIFO opened after the request was written."""

    def __init__(self, ctx, puad, folder):
        self.ctx, self.fifo, self.folder, self.number = ctx, puad.settings["pua_mi", "fifo_name"], folder, 0

    def ask(self, method, params=None, timeout=5):
        """The whole answer; None if none came in time."""
        self.number += 1
        name = f"opensips_fifo_reply_{os.getpid()}_{id(self)}_{self.number}"
        path = os.path.join(self.folder, name)
        os.mkfifo(path)
        os.chmod(path, 0o666)
        try:
            with open(self.fifo, "w", encoding="utf-8"):      # its validity check: nothing is written
                pass
            with open(self.fifo, "w", encoding="utf-8") as fifo:
                fifo.write(f":{name}:" + json.dumps({"jsonrpc": "2.0", "id": str(self.number), "method": method, "params": params or {}}))
            reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            try:
                return json.loads(self.read_line(reader, timeout) or "null")
            finally:
                os.close(reader)
        finally:
            os.unlink(path)

    @staticmethod
    def read_line(reader, timeout):
        data = b""

        def whole():
            nonlocal data
            try:
                data += os.read(reader, 1 << 16)
            except BlockingIOError:
                pass
            return data.endswith(b"\n")
        try:
            wait_for(whole, timeout, "an answer")
        except Exception:
            return None
        return data.decode()


def with_fifo(ctx, folder=None, **more):
    puad = Puad(ctx, Esc(ctx).uri)
    puad.set("pua_mi", fifo_name=str(ctx.dir / "puad.fifo"), **({"fifo_reply_dir": str(folder)} if folder else {}), **more)
    return puad


def in_a_namespace(ctx, puad, commands):
    """Starts puad in mounts of its own, made by shell commands first; the rest is as the service unit has it."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        raise Skip("needs root and unshare(1)")
    tried = subprocess.run(["unshare", "-m", "sh", "-ec", commands], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise Skip(f"mounts cannot be made here: {tried.stderr.strip()[:100]}")
    config = puad.write_config()
    puad.process = ctx.start(puad.name, ["unshare", "-m", "sh", "-ec", f'{commands}\nexec "$@"', "sh", program("puad"), "-f", config])
    puad.wait_ready()
    return puad


@suite.test
def opensips_cli_gets_its_answers_in_tmp(ctx):
    puad = with_fifo(ctx).start()          # fifo_reply_dir as it is: /tmp
    cli = Cli(ctx, puad, "/tmp")
    equal(cli.ask("version")["result"]["Server"][:4], "puad", "answer")
    names = cli.ask("which")["result"]
    check("pua_publish" in names and "get_statistics" in names, f"names: {names}")
    lists = cli.ask("which", {"command": "pua_publish"})["result"]
    check(all(isinstance(one, list) and "presentity_uri" in one for one in lists) and len(lists) == 3, f"lists of parameters: {lists}")
    equal(cli.ask("which", ["pua_mi:"])["result"], ["pua_mi:publish", "pua_mi:subscribe", "pua_mi:unsubscribe"], "names of a module")
    equal(cli.ask("which", ["nosuch:"])["error"]["code"], 404, "code for names of a module that is not there")
    check("state" in cli.ask("help", {"mi_cmd": "pua_publish"})["result"]["Help"], "help")
    answer = cli.ask("pua_publish", publish_params(ALICE, pidf(ALICE, "by cli"), "600"))
    equal(answer["result"]["reply"], "200 OK", "answer to a publish")
    for params in ({"statistics": ["pua:requests_initial"]}, [["requests_initial"]]):
        equal(cli.ask("get_statistics", params)["result"], {"pua:requests_initial": 1}, "a statistic")
    check(len(cli.ask("get_statistics", {"statistics": ["all"]})["result"]) > 50, "all statistics")
    equal(cli.ask("list_statistics")["result"]["pua:live"], "non-incremental", "kind of a statistic")
    equal(cli.ask("reset_statistics", {"statistics": ["requests_initial"]})["result"], "OK", "answer to a reset")
    equal(cli.ask("get_statistics", {"statistics": ["requests_initial"]})["result"], {"pua:requests_initial": 0}, "after the reset")
    check("was not delivered" not in puad.log(), f"log: {puad.log()[-300:]!r}")


@suite.test
def kamctl_gets_its_answer_as_one_line_with_the_id_last(ctx):
    puad = with_fifo(ctx).start()
    name = f"kamailio_receiver_{os.getpid()}"
    path = f"/tmp/{name}"
    os.mkfifo(path)
    ctx.callback(os.unlink, path)
    os.chmod(path, 0o666)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    ctx.callback(os.close, reader)
    with open(puad.settings["pua_mi", "fifo_name"], "w", encoding="utf-8") as fifo:
        fifo.write(f'{{"jsonrpc": "2.0", "method": "stats.get_statistics", "params": ["pua:"], "reply_name": "{name}", "id": 4711}}\n')
    line = Cli.read_line(reader, 5)
    check(line and line.endswith('"id":4711}\n') and line.count("\n") == 1, f"the answer: {line!r}")
    check("pua:live = 0" in json.loads(line)["result"], f"the answer: {line!r}")


@suite.test
def a_tmp_that_only_puad_has_is_told_for_fifos_and_sockets(ctx):
    """As with PrivateTmp=yes: the client's folder is another one than puad's of the same name."""
    folder = ctx.dir / "replies"
    folder.mkdir()
    puad = in_a_namespace(ctx, with_fifo(ctx, folder), f"mount -t tmpfs none '{folder}'")
    check(Cli(ctx, puad, folder).ask("version", timeout=1) is None, "an answer came")
    wait_for(lambda: f"control: a reply to the FIFO {folder}/opensips_fifo_reply_" in puad.log(), 5, "the log names the FIFO")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(str(folder / "opensips_mi_reply_1"))
        client.sendto(b'{"jsonrpc":"2.0","id":"1","method":"version","params":{}}', str(puad.socket))
        wait_for(lambda: f"control: a reply to {folder}/opensips_mi_reply_1 was not delivered: there is no such file" in puad.log(), 5,
                 "the log names the socket")
    check(puad.log().count("PrivateTmp") == 2, f"log: {puad.log()[-600:]!r}")


@suite.test
def a_tmp_that_is_read_only_to_puad_keeps_nobody_out(ctx):
    """As the service unit has it: PrivateTmp=no, ProtectSystem=strict."""
    folder = ctx.dir / "replies"
    folder.mkdir()
    puad = in_a_namespace(ctx, with_fifo(ctx, folder), f"mount --bind '{folder}' '{folder}'; mount -o remount,ro,bind '{folder}'")
    equal(Cli(ctx, puad, folder).ask("version")["result"]["Server"][:4], "puad", "answer")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.bind(str(folder / "opensips_mi_reply_1"))
        client.settimeout(5)
        client.sendto(b'{"jsonrpc":"2.0","id":"1","method":"version","params":{}}', str(puad.socket))
        check(b"puad" in client.recv(65536), "answer by datagram")


@suite.test
def the_service_unit_lets_these_clients_in(ctx):
    with open(os.path.join(os.path.dirname(__file__), "../../scripts/puad.service.in"), encoding="utf-8") as unit:
        lines = unit.read().splitlines()
    check("PrivateTmp=no" in lines and "RuntimeDirectory=puad" in lines, "PrivateTmp")


main_is(suite)
