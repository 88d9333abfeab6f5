"""The tables of a run, as Markdown: for the terminal, and for docs/benchmarks.md."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median

from bench.results import Measurement, Participant, Results, Row
from bench.scenario import MIB
from bench.targets import MOORAGE, PEERS, judge

_LIMIT = "limit"
_NONE = "-"
_WHOLE_FROM = 100
# A share of the cores; a quiet machine is far below, with what the kernel does for server and generator.
_DISTURBED = 0.2
# From here on two figures look alike in the tables.
_A_LOSS = 0.995

_HEAD = """\
# Benchmarks

Moorage beside other registries, in one run on one machine. Written by `python -m bench{options}` on {date}; the figures
of each round are in [bench/results](../bench/results). To repeat it: `make peers`, then `make bench`.
"""

_METHOD = """\
## Method

Every server runs on this one machine, on a fresh folder, and listens on the loopback interface. The load comes from one
program, `bench/loadgen`, on the same cores. The servers of a stage take turns in rounds (A B C, A B C), and one whose
turn it is not is frozen. A figure is the median over the rounds, a ratio the median of the rounds' ratios. Timed
measurements last {seconds:g} s after {warmup:g} s of warm-up, in {rounds:g} rounds. Memory is measured once.

The peers have their example or minimal configuration, with three changes in their favour: no log of requests, no
collection of garbage, and, for Distribution and zot, tokens that somebody else issues. A push is what docker does: for
each blob HEAD, POST, PATCH and PUT, then the manifest. Repositories with many tags or referrers, and the 2,000 of the
catalog, are written straight into a server's storage before it starts. "Generator's limit" is the same load on a server
that does as little as one can: near it, a figure says more about the generator than about the server. What is made
durable is counted by strace while one image of three small layers, that is four blobs and a manifest, is pushed.

Collecting garbage is not measured yet.
"""


def markdown(results: Results) -> str:
    """Return the whole document."""
    options = " --quick" if results.quick else ""
    head = _HEAD.format(options=options, date=results.date) + "\n" + _METHOD.format(**results.method)
    return "\n".join([head, *_sections(results)])


def summary(results: Results) -> str:
    """Return what a terminal shows at the end of a run."""
    return "\n".join(_sections(results))


def _sections(results: Results) -> Iterator[str]:
    yield _section("Machine", _machine(results.machine))
    yield _section("Servers", _servers(results.participants))
    yield _section("Figures", _figures(results))
    yield _section("Targets", _targets(results))
    yield _section("What we lose", _losses(results))
    yield _section("Latency", _latencies(results))
    yield _section("Cost", _costs(results))
    yield _section("Notes", _notes(results))


def _section(title: str, lines: Iterator[str]) -> str:
    return "\n".join([f"## {title}", "", *lines, ""])


def _machine(machine: Mapping[str, str]) -> Iterator[str]:
    yield from _table(list(machine), [list(machine.values())])


def _servers(participants: Sequence[Participant]) -> Iterator[str]:
    rows = [
        [one.title, one.version or f"**missing**: {one.absent}", one.auth, one.durability or _NONE]
        for one in participants
        if one.name != _LIMIT
    ]
    yield from _table(["server", "version", "access", "fsync and the like in one push"], rows)


def _figures(results: Results) -> Iterator[str]:
    yield f"In brackets: how many times as good Moorage is. {_disturbance(results)}"
    yield ""

    def cell(row: Row, server: str) -> str:
        value = results.value(row.name, server)
        if value is None:
            return _NONE
        ratio = None if server in {MOORAGE, _LIMIT} else results.ratio(row.name, MOORAGE, server)
        return _number(value) + ("" if ratio is None else f" ({ratio:.2f}x)")

    yield from _by_server(results, cell, [MOORAGE, *PEERS, _LIMIT])


def _targets(results: Results) -> Iterator[str]:
    titles = {row.name: row.title for row in results.rows}
    met = {True: "met", False: "**missed**", None: "-"}
    rows = [[titles[one.scenario], one.wanted, one.found, met[one.met]] for one in judge(results)]
    yield from _table(["scenario", "target", "found", ""], rows)


def _losses(results: Results) -> Iterator[str]:
    """Name every scenario in which a peer did better."""
    found = False
    for row in results.rows:
        better = [
            (ratio, one.title)
            for one in results.participants
            if one.name in PEERS
            and (ratio := results.ratio(row.name, MOORAGE, one.name)) is not None
            and ratio < _A_LOSS
        ]
        if better:
            found = True
            yield f"- {row.title}: " + ", ".join(f"{ratio:.2f}x {title}" for ratio, title in sorted(better))
    if not found:
        yield "Nothing that was measured."


def _latencies(results: Results) -> Iterator[str]:
    yield "Milliseconds, median / 99th percentile. For pushes: a whole image."
    yield ""

    def cell(row: Row, server: str) -> str:
        samples = [one.latency for one in results.of(row.name, server) if one.latency and one.latency.count]
        if not samples:
            return _NONE
        return " / ".join(_number(median(values)) for values in ([s.p50 for s in samples], [s.p99 for s in samples]))

    yield from _by_server(results, cell, [MOORAGE, *PEERS])


def _costs(results: Results) -> Iterator[str]:
    yield (
        "Processor seconds of all processes of the server, warm-up included / highest resident memory in MiB, added "
        "over its processes / the same with shared pages counted once."
    )
    yield ""

    def cell(row: Row, server: str) -> str:
        usages = [one.usage for one in results.of(row.name, server)]
        if not usages:
            return _NONE
        cpu = median(usage.cpu_seconds for usage in usages)
        rss, pss = (max(sizes) / MIB for sizes in ([u.peak_rss for u in usages], [u.peak_pss for u in usages]))
        return f"{cpu:.1f} / {rss:.0f} / {pss:.0f}"

    yield from _by_server(results, cell, [MOORAGE, *PEERS])


def _notes(results: Results) -> Iterator[str]:
    for row in results.rows:
        for one in results.participants:
            reason = results.reason(row.name, one.name)
            if reason and one.name != _LIMIT:
                yield f"- `{row.name}`, {one.title}: no figure, since it {reason.splitlines()[0]}"
            yield from _remarks(row, one, results.of(row.name, one.name))


def _disturbance(results: Results) -> str:
    """Say how much of the machine belonged to neither server nor generator."""
    shares = [one.usage.elsewhere for one in results.measurements] or [0.0]
    text = (
        f"While a figure was taken, something else used {median(shares):.0%} of the machine's cores (median; "
        f"{max(shares):.0%} at worst)."
    )
    return text if median(shares) < _DISTURBED else f"{text} **That is too much to trust these figures.**"


def _remarks(row: Row, server: Participant, measured: Sequence[Measurement]) -> Iterator[str]:
    failures = sum(sum(one.failures.values()) for one in measured)
    messages = sorted({one.message for one in measured if one.message})
    if failures or messages:
        failed = [f"{failures} requests failed"] if failures else []
        yield f"- `{row.name}`, {server.title}: " + "; ".join([*failed, *messages])


def _by_server(results: Results, cell: Callable[[Row, str], str], servers: Sequence[str]) -> Iterator[str]:
    shown = [one for name in servers for one in results.participants if one.name == name and not one.absent]
    rows = [
        [f"{row.title} (`{row.name}`), {row.unit}", *(cell(row, one.name) for one in shown)] for row in results.rows
    ]
    yield from _table(["scenario", *(one.title for one in shown)], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _number(value: float) -> str:
    """Write three digits that say something."""
    return f"{value:,.0f}" if value >= _WHOLE_FROM else f"{value:.3g}"
