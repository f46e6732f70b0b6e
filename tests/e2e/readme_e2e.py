#!/usr/bin/env python3
"""README.md: what it types works as it stands there, what it names is there."""
import re
import time

from checkout import copy_checkout
from harness import HOST, ROOT, Failure, Suite, check, equal, main_is, program, wait_for
from puad import Puad, pidf, puactl, run
from sandbox import HOME, Sandbox

suite = Suite()
README = (ROOT / "README.md").read_text()
CHECKOUT = f"{HOME}/libpua"


def typed(heading):
    """The blocks of commands of a section: lists of lines, as they stand there."""
    section = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^##)", README, re.M | re.S).group(1)
    blocks, block = [], []
    for line in [*section.splitlines(), ""]:
        if line.startswith("    "):
            block.append(line[4:])
        elif block:
            blocks.append(block)
            block = []
    return blocks


class Reader:
    """Types the lines of the README, each in a login of its own, and keeps what each said."""

    def __init__(self, ctx):
        home = ctx.dir / "home"
        copy_checkout(home / "libpua")
        self.ctx, self.box, self.count = ctx, Sandbox(ctx, home), 0

    def type(self, line):
        """The output of a line that must end well. One that watches is left by Ctrl-C, when it has shown a note."""
        begin = time.monotonic()
        self.count += 1
        process = self.box.start(self.ctx, f"{self.count:02}-{line.split()[0].strip('(')[-12:].replace('/', '-')}", line, CHECKOUT)
        if "--watch" in line.split():
            wait_for(lambda: "At her desk" in process.output() or not process.running(), 20, f"a NOTIFY to: {line}")
            self.box.interrupt(process)
        try:
            status = process.wait(600)
        except Failure as why:
            raise Failure(f"{why}: {line}") from None
        equal(status, 0, f"exit of {line!r} after {time.monotonic() - begin:.1f} s: {process.output()[-700:]}")
        return process.output()

    def type_all(self, lines):
        return {line: self.type(line) for line in lines}


def of(said, part):
    """What the one line with this in it said."""
    found = [output for line, output in said.items() if part in line]
    equal(len(found), 1, f"lines with {part!r}")
    return found[0]


@suite.test
def what_it_types_works_as_it_stands_there_as_a_user_without_root(ctx):
    reader = Reader(ctx)
    first, = typed("First steps")
    said = reader.type_all(first)
    check("demo: ok" in of(said, "make demo") and "sip:127.0.0.1:5060" in of(said, "make demo"), "make demo KEEP=1")
    check("200 OK" in of(said, "publish"), f"publish: {of(said, 'publish')}")
    check("At her desk" in of(said, "subscribe"), f"subscribe: {of(said, 'subscribe')}")
    for part in ("sip:alice@example.com", "sip:bob@example.com", "live"):
        check(part in of(said, "puad.sock list"), f"list: {of(said, 'puad.sock list')}")
    log = reader.box.root("cat", f"{HOME}/pua/puad.log")
    check("warning" not in log and "error" not in log, f"puad's log: {log}")

    install, use, in_a_program, away = typed("Use it")
    reader.type_all(install)
    said = reader.type_all(use)
    check("200 OK" in of(said, "publish"), f"publish: {of(said, 'publish')}")
    check("At her desk" in of(said, "subscribe"), f"subscribe: {of(said, 'subscribe')}")
    check("sip:alice@example.com" in of(said, "puactl list"), f"list: {of(said, 'puactl list')}")
    said = reader.type_all(in_a_program)
    check("published: 200" in of(said, "./publish") and "removed: 200" in of(said, "./publish"), f"publish: {of(said, './publish')}")
    check("pua_send_publish" in reader.type("man pua_send_publish | cat") if reader.box.root("which", "man") else True, "man")
    reader.type_all(away)
    left = reader.box.root("find", "/usr/local", "/etc/pua", "(", "-name", "*pua*", "-o", "-name", "puad*", ")", "-newer", "/etc/pam.d/su")
    equal(left, "", "what is left of the installation")
    check("ended" in reader.type("make demo-stop"), "make demo-stop")


@suite.test
def every_file_it_names_is_there(_ctx):
    folders = "db|docs|examples|include|man|scripts|src|tests"
    named = set(re.findall(rf"(?:(?<=[`( ])|^)((?:{folders})/[\w./-]+)", README, re.M)) | set(re.findall(r"\]\(([^)#]+)\)", README))
    check(len(named) > 10, f"found only {named}")
    missing = [n for n in sorted(named) if "://" not in n and not (ROOT / n.rstrip(".")).exists()]
    equal(missing, [], "files that are not there")


@suite.test
def every_make_target_it_names_is_there(_ctx):
    targets = {line.split()[0] for line in run("make", "--no-print-directory", "help", cwd=ROOT).stdout.splitlines()}
    named = set(re.findall(r"^    (?:.*[(&;#] *(?:sudo )?)?make ([a-z][a-z0-9-]*)", README, re.M))
    for command in re.findall(r"`(?:sudo )?make ([^`]+)`", README):
        named |= {word for word in command.split() if re.fullmatch(r"[a-z][a-z0-9-]*", word)}
    check(len(named) > 10, f"found only {named}")
    equal(sorted(named - targets), [], "targets that are not there")


@suite.test
def the_sample_configuration_has_what_a_first_publish_and_subscribe_need(ctx):
    sample = (ROOT / "scripts/pua.conf.sample").read_text()
    config = ctx.dir / "pua.conf"
    config.write_text(sample)
    config.chmod(0o600)
    done = run(program("puad"), "-f", config, "--check")
    equal((done.returncode, done.stderr), (0, ""), "puad --check of the sample")
    dump = run(program("puad"), "-f", config, "--dump-config").stdout
    for line in ('modparam("pua", "outbound_proxy", "sip:127.0.0.1:5060")', 'modparam("pua", "listen", "sip:127.0.0.1:5080")'):
        check(line in dump.splitlines(), f"{line} is not in force")
    # Its other lines are right as well, once somebody takes the mark away.
    config.write_text(re.sub(r"(?m)^# ?(?=modparam\()", "", sample.replace('modparam("pua", "db_url", "sqlite', '//"')))
    done = run(program("puad"), "-f", config, "--check")
    equal((done.returncode, done.stderr), (0, ""), "puad --check of the sample with all its lines")
    run_config = run(program("puad"), "-f", ROOT / "examples/pua.conf", "--check")
    equal(run_config.returncode, 0, f"puad --check of examples/pua.conf: {run_config.stderr}")


@suite.test
def a_publish_that_fails_says_that_it_is_kept_and_tried_again(ctx):
    puad = Puad(ctx, f"sip:{HOST}:{ctx.port()}").start()      # nobody is there
    body = ctx.dir / "alice.xml"
    body.write_text(pidf("sip:alice@example.com", "here"))
    for _ in range(2):
        done = puactl(puad, "publish", "sip:alice@example.com", "--event", "presence", "--body-file", body, timeout=50)
        equal(done.returncode, 1, f"exit of puactl publish: {done.stdout}{done.stderr}")
        check("kept and tried again" in done.stderr, f"it said {done.stderr!r}")
    check("backoff" in puactl(puad, "list").stdout, "list does not show that it waits")


@suite.test
def the_snippet_of_c_compiles(ctx):
    code = re.search(r"^```c\n(.*?)^```", README, re.M | re.S).group(1)
    source = ctx.dir / "snippet.c"
    source.write_text("#include <event2/event.h>\n#include <pua/pua.h>\n#include <stdio.h>\n"
                      "int f(struct event_base *loop, pua_str_t uri, pua_str_t pidf, int (*on_reply)(pua_reply_t *, void *)) {\n"
                      f"{code}return 0;\n}}\n")
    done = run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{ROOT}/include", "-c", source, "-o", ctx.dir / "snippet.o")
    equal(done.returncode, 0, f"cc said {done.stderr[-700:]}")


main_is(suite)
