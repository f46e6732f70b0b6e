"""What the attack suite stands on: a puad that is attacked, honest work that goes on beside, an attacker on the other core, and what
is looked at meanwhile: memory, descriptors, log lines, CPU.

    honest clients --control socket--> puad --PUBLISH--> scripted server
    honest notifier --NOTIFY--> puad                     (core 0)
    attacker --as fast as it goes--> one socket of puad  (core 1)
"""
import bisect
import contextlib
import http.client
import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from esc import Esc  # noqa: E402
from harness import BUILD, HOST, Failure, check, program, wait_for  # noqa: E402
from notifier import Notifier  # noqa: E402
from puad import Puad, pidf, publish_params  # noqa: E402

LONG = os.environ.get("ATTACK", "short") == "long"   # asserts what depends on time as well: the machine must have nothing else to do
SECONDS = float(os.environ.get("ATTACK_SECONDS", "60" if LONG else "2.5"))
RATE = 50              # honest publications a second
NOTIFY_RATE = 20       # honest NOTIFYs a second
WATCHED = 20           # subscriptions that they belong to
CORES = sorted(os.sched_getaffinity(0))
MB = 1 << 20
MOST_GROWTH, MOST_LEFT = 20 * MB, 8 * MB     # of RSS: meanwhile, and afterwards
MOST_LINES = 60                              # of the log, for one attack
MOST_P99 = 0.020
LEAST_NOTIFIES = 0.95


def pin(core):
    return lambda: os.sched_setaffinity(0, {CORES[core % len(CORES)]})


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


class Publishing(threading.Thread):
    """RATE publications a second through the control socket; for each, when it was asked for and how long the answer took."""

    def __init__(self, control):
        super().__init__(daemon=True)
        self.control, self.ending = control, False
        self.open, self.done, self.failed = {}, [], []     # id -> when; (when, seconds); texts
        self.start()

    def run(self):
        number, due = 0, time.monotonic()
        while not self.ending or (self.open and time.monotonic() < self.until):
            now = time.monotonic()
            if now >= due and not self.ending:
                uri = f"sip:u{number % 50}@example.com"
                try:
                    self.open[self.control.submit("pua_publish", publish_params(uri, pidf(uri, f"n{number}"), 3600))] = now
                except (OSError, Failure) as why:
                    self.failed.append(str(why))
                number += 1
                due += 1 / RATE
            self.control.receive(max(0.0, min(0.01, due - time.monotonic())))
            self._take()

    def _take(self):
        now = time.monotonic()
        for number in list(self.control.answers):
            answer, asked = self.control.answers.pop(number), self.open.pop(number, None)
            if asked is None or "error" in answer:
                self.failed.append(str(answer.get("error", "an answer to nothing")))
            else:
                self.done.append((asked, now - asked))

    def times(self, begin, end):
        done = list(self.done)
        return [took for asked, took in done if begin <= asked < end]

    def finish(self, timeout=40):
        self.until = time.monotonic() + timeout
        self.ending = True
        self.join(timeout + 5)


class Notifying(threading.Thread):
    """NOTIFY_RATE changes of watched presentities a second, by turns."""

    def __init__(self, notifier, uris):
        super().__init__(daemon=True)
        self.notifier, self.uris, self.ending = notifier, uris, False
        self.start()

    def run(self):
        number = 0
        while not self.ending:
            self.notifier.change(self.uris[number % len(self.uris)], f"m{number}")
            number += 1
            time.sleep(1 / NOTIFY_RATE)

    def sent(self, begin, end):
        with self.notifier.lock:
            return [n for d in self.notifier.dialogs for n in d.notifies[bisect.bisect_left(d.notifies, begin, key=lambda m: m.at):]
                    if n.at < end]

    def finish(self):
        self.ending = True
        self.join(5)


class Sampling(threading.Thread):
    """Memory and descriptors of a process, ten times a second: what they were at most since reset()."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.ending = pid, False
        self.reset()
        self.start()

    def run(self):
        while not self.ending:
            with contextlib.suppress(OSError):
                self.most_rss = max(self.most_rss, rss(self.pid))
                self.most_descriptors = max(self.most_descriptors, descriptors(self.pid))
            time.sleep(0.1)

    def reset(self):
        self.most_rss = self.most_descriptors = 0


def rss(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Flood:
    """tests/attack/flood in a process of its own; see there for kinds and options."""

    def __init__(self, ctx, kind, transport, port, seconds, nice=5, **options):
        def setup():
            pin(1)()
            os.nice(nice + int(os.environ.get("ATTACK_NICE", "0")))
        self.process = ctx.start(f"flood-{kind}-{transport}-{port}-{time.monotonic_ns()}",
                                 [BUILD / "tests/attack/flood", kind, transport, HOST, port, seconds,
                                  *(f"{name}={value}" for name, value in options.items())], preexec=setup)
        self.seconds = seconds

    def result(self):
        status = self.process.wait(self.seconds + 60)
        check(status in (0, 77), f"the attacker ended with status {status}: {self.process.output()[-300:]}")
        return json.loads(self.process.output().splitlines()[-1]) if status == 0 else None


class Victim:
    """puad with sip_listen and listen over UDP and TCP, SQLite, the control socket and /metrics; its server, and a notifier."""

    def __init__(self, ctx, preexec=None, watched=WATCHED, transport="udp", **pua):
        self.ctx = ctx
        self.esc = Esc(ctx)
        self.notifier = Notifier(ctx, t1=0.5, t2=4, patience=32)
        self.puad = Puad(ctx, self.esc.uri, **pua)
        self.port, self.http_port = self.puad.port, ctx.port()
        self.puad.listen()
        self.notify_port = self.puad.notify_port
        if transport == "tcp":      # dialogs of ours by TCP: the Contact says so
            self.puad.set("pua", contact=f"{self.puad.contact};transport=tcp")
        self.puad.set("pua_mi", http_listen=f"{HOST}:{self.http_port}")

        def setup():
            pin(0)()
            os.nice(int(os.environ.get("ATTACK_NICE", "0")))
            if preexec:
                preexec()
        self.puad.start(timeout=20, preexec=setup)
        self.pid = self.puad.process.pid
        self.control = self.puad.control()
        self.uris = [f"sip:w{n}@example.com" for n in range(watched)]
        for uri in self.uris:
            self.control.subscribe(uri, 3600, outbound_proxy=self.notifier.uri)
        for uri in self.uris:
            self.notifier.one(uri, 10)

    def work(self):
        """Honest work from now on."""
        self.publishing = Publishing(self.puad.control())
        self.notifying = Notifying(self.notifier, self.uris)
        self.sampling = Sampling(self.pid)
        self.ctx.callback(self.rest)
        time.sleep(1)
        return self

    def rest(self):
        self.publishing.finish(40 if LONG else 15)
        self.notifying.finish()
        self.sampling.ending = True

    def lines(self):
        return len(self.puad.log().splitlines())

    def descriptors(self):
        return descriptors(self.pid)

    def rss(self):
        return rss(self.pid)

    def metrics(self, timeout=5):
        connection = http.client.HTTPConnection(HOST, self.http_port, timeout=timeout)
        try:
            connection.request("GET", "/metrics")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def counter(self, name):
        """The value of the line that begins so."""
        for line in self.metrics().splitlines():
            if line.startswith(name):
                return float(line.split()[-1])
        raise Failure(f"no {name} in the metrics")


class Report:
    """What one attack did."""

    def __init__(self, name):
        self.name, self.wrong = name, []

    def expect(self, condition, why):
        if not condition:
            self.wrong.append(why)

    def finish(self, text, seconds):
        print(f"# {self.name}: {text}", flush=True)
        if self.wrong:
            print(f"not ok - {self.name}: {'; '.join(self.wrong)}", flush=True)
        else:
            print(f"ok - {self.name} ({seconds:.1f} s)", flush=True)
        return not self.wrong


def dealt_with(victim):
    """Datagrams that puad has read so far."""
    return sum(victim.counter(f'pua_sip_datagrams_total{{what="{what}"}}') for what in ("request_in", "stray", "response", "response_repeated"))


def attack(victim, name, start, seconds=SECONDS, clean=None, notifies=True, settle=1.0, most_lines=MOST_LINES):
    """One attack, begun by start() (a Flood), with the honest work beside. Compared: what was before (`clean` s), meanwhile, and after.
    A Failure if something is not as the README of this folder says."""
    v, report, clean = victim, Report(name), clean or min(3.0, max(1.0, seconds / 4))
    before = time.monotonic()
    time.sleep(clean)
    begin = time.monotonic()
    rss0, fds0, lines0, cpu0 = v.rss(), v.descriptors(), v.lines(), v.puad.process.cpu_seconds()
    read0 = dealt_with(v)
    v.sampling.reset()
    flood = start()
    result = flood.result()
    end = time.monotonic()
    if result is None:
        print(f"skip - {name}: this user may not open raw sockets", flush=True)
        return None
    cpu = (v.puad.process.cpu_seconds() - cpu0) / (end - begin)
    read = dealt_with(v) - read0
    late = max(begin, end - 1.0 - (seconds > 10))      # those sent later may be answered after the attack
    sent = [n for n in v.notifying.sent(begin, end)] if notifies else []
    with contextlib.suppress(Failure):
        wait_for(lambda: v.descriptors() <= fds0, 5, "descriptors")
    time.sleep(settle)
    with contextlib.suppress(Failure):
        wait_for(lambda: v.rss() <= rss0 + MOST_LEFT, 5, "memory")
    early = [n for n in sent if n.at < late]
    taken = sum(1 for n in early if 200 <= n.status < 300 and n.answered <= end + 0.5)
    first = sum(1 for n in sent if n.status and n.copies == 1)
    asked, quiet = v.publishing.times(begin, end), v.publishing.times(before, begin)
    p99, clean_p99 = percentile(asked, 0.99), percentile(quiet, 0.99)
    growth, left = v.sampling.most_rss - rss0, v.rss() - rss0
    lines, fds = v.lines() - lines0, v.descriptors() - fds0
    lost = [i for i, asked_at in dict(v.publishing.open).items() if asked_at < end and time.monotonic() - asked_at > 5]
    report.expect(v.puad.process.running(), "puad has ended")
    for work in (v.publishing, v.notifying, v.sampling) if notifies else (v.publishing, v.sampling):
        report.expect(work.is_alive(), f"{type(work).__name__} has ended: nothing was tested")
    report.expect(len(asked) >= RATE * (end - begin) / 4, f"{len(asked)} honest publications in {end - begin:.1f} s: nothing was tested")
    report.expect(v.sampling.most_rss > 0, "memory was not looked at")
    report.expect(growth <= MOST_GROWTH, f"memory grew by {growth / MB:.1f} MB")
    report.expect(left <= MOST_LEFT, f"{left / MB:.1f} MB were not given back")
    report.expect(fds <= 0, f"{fds} descriptors more than before")
    report.expect(lines <= most_lines, f"{lines} log lines")
    report.expect(not v.publishing.failed, f"publications failed: {v.publishing.failed[:3]}")
    report.expect(not lost, f"{len(lost)} publications were not answered")
    if notifies:
        report.expect(len(early) >= NOTIFY_RATE * (late - begin) / 4, f"{len(early)} honest NOTIFYs in {late - begin:.1f} s: nothing was tested")
        report.expect(taken >= LEAST_NOTIFIES * len(early), f"{taken} of {len(early)} honest NOTIFYs were answered")
    if LONG:
        report.expect(p99 <= MOST_P99, f"p99 of honest publications {p99 * 1000:.1f} ms (without the attack {clean_p99 * 1000:.1f} ms)")
    v.publishing.failed.clear()
    rate = result["sent"] / max(0.001, result["seconds"])
    each, its = cpu * (end - begin) / max(1, read) * 1e6, result["cpu"] / max(1, result["sent"]) * 1e6
    report.finish(f"{rate:,.0f}/s, answers {result['answer_octets']:,} of {result['sent_octets']:,} octets; {read:,.0f} of "
                  f"{result['sent']:,} read, CPU {cpu:.0%} ({each:.1f} us each, the attacker's {its:.1f}); publications "
                  f"p99 {p99 * 1000:.1f} ms, most {max(asked, default=0) * 1000:.0f} ms (clean p99 {clean_p99 * 1000:.1f} ms, "
                  f"most {max(quiet, default=0) * 1000:.0f} ms); NOTIFYs {taken}/{len(early)} taken, {first}/{len(sent)} at once; memory "
                  f"+{growth / MB:.1f} MB, left {left / MB:+.1f} MB; {lines} log lines", end - before)
    if report.wrong:
        raise Failure("; ".join(report.wrong))
    return result
