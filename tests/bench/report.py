"""Result lines, what was missed, and the table of docs/benchmarks.md."""
import statistics

from measure import say, spread


def show(value):
    return "-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value)


class Report:
    def __init__(self):
        self.results, self.missed = {}, []

    def line(self, name, ours, kamailio=None, ratio=None, spread_=None, bar=None, ok=None):
        verdict = "ok" if ok in (True, None) else "MISS"
        if ratio is None and kamailio:
            ratio = ours / kamailio
        say(f"bench {name} ours={show(ours)} kamailio={show(kamailio)} ratio={show(ratio)} spread={show(spread_)} "
            f"bar={show(bar)} {verdict}")
        self.results[name] = dict(ours=ours, kamailio=kamailio, ratio=ratio, spread=spread_, bar=bar, ok=verdict)
        if verdict == "MISS":
            self.missed.append(name)

    def pairs(self, name, ours, kamailio, bar=None, least=False):
        """A metric of interleaved pairs. The bar, the most that the median ratio may be or with `least` the least, is met
        if it lies within the spread of that."""
        ratios = [a / k for a, k in zip(ours, kamailio)]
        r, s = statistics.median(ratios), spread(ratios)
        met = bar is None or (r + s >= bar if least else r - s <= bar)
        self.line(name, statistics.median(ours), statistics.median(kamailio), r, s, bar, met)

    def info(self, name, **kw):
        say("info " + name + "".join(f" {k}={v}" for k, v in kw.items()))
        self.results.setdefault("info", {}).setdefault(name, []).append(kw)

    def markdown(self):
        """The table of docs/benchmarks.md."""
        f = lambda v: "" if v is None else f"{v:.3g}" if isinstance(v, float) and v < 100 else f"{v:.0f}"
        rows = ["| metric | ours | Kamailio | ratio | spread | bar | |", "|---|---|---|---|---|---|---|"]
        for name, r in self.results.items():
            if name != "info":
                rows.append(f"| {name} | " + " | ".join(f(r[k]) for k in ("ours", "kamailio", "ratio", "spread", "bar")) +
                            f" | {r['ok'] if r['bar'] is not None else ''} |")
        return "\n".join(rows) + "\n"
