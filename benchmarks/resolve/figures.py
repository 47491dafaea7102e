"""Which figures there are, and how each one is found.

Every figure is a ratio to a reference measured in the same minutes on the same
cores: the compared servers take turns, and medians are compared. Absolute
figures move between machines; the ratios hardly do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from benchmarks.resolve import messages
from benchmarks.resolve.generator import Load, Measured, capture, measure
from benchmarks.resolve.servers import echo_command, running, sidecar_command
from pitcanary._native import store_snapshot

SERVER_CORE, GENERATOR_CORE = 0, 1
SATURATED = Load(connections=4, in_flight=64, seconds=3.0)
SEQUENTIAL = Load(connections=1, in_flight=1, seconds=3.0)
SHARED = Load(connections=1, in_flight=16, seconds=3.0)

_UNITS = 10_000
_TOKENS = 20_000
_SEED = 20_261_123
_LARGEST_GENERATOR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside its reference."""

    name: str
    value: float
    reference: float

    @property
    def ratio(self) -> float:
        """How many times the reference."""
        return self.value / self.reference


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the figures are measured."""

    folder: Path
    repeats: int
    seconds: float
    prompt: str

    def requests(self) -> Path:
        """A file of resolve requests."""
        path = self.folder / "resolve.bin"
        if not path.exists():
            requests = messages.resolve_requests(self.prompt, _UNITS, _SEED)
            messages.write_delimited(path, requests)
        return path

    def compare(self, commands: Sequence[list[str]], load: Load, *, pin: bool) -> list[Runs]:
        """Measure servers in turn, so that a slow minute hits all of them."""
        load = replace(load, seconds=self.seconds)
        cores = (SERVER_CORE, GENERATOR_CORE) if pin else (None, None)
        runs = [Runs([], []) for _ in commands]
        for _ in range(self.repeats):
            for command, found in zip(commands, runs, strict=True):
                with running(command, cores[0]) as server:
                    path, requests = messages.RESOLVE_PATH, self.requests()
                    found.runs.append(measure(server, path, requests, load, cores[1]))
                    found.rss_mib.append(server.rss_mib())
        return runs


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one server."""

    runs: list[Measured]
    rss_mib: list[float]

    def median(self, value: Callable[[Measured], float]) -> float:
        """The median of one value over the runs."""
        return median(value(run) for run in self.runs)


def _per_second(run: Measured) -> float:
    return run.per_second


def _p99_us(run: Measured) -> float:
    return run.p99_us


def _cpu_us(run: Measured) -> float:
    return run.server_cpu_us


def _share(run: Measured) -> float:
    return run.generator_share


def transport_figures(bench: Bench) -> Iterator[Figure]:
    """What the sidecar's transport does for a server that decides nothing."""
    commands = [echo_command(coalesce=False), echo_command(coalesce=True)]
    echo, coalesced = bench.compare(commands, SATURATED, pin=True)
    yield _figure("echo.coalesced_vs_echo", coalesced, echo, _per_second)
    yield _figure("echo.coalesced_cpu_us_vs_echo", coalesced, echo, _cpu_us)
    share = max(coalesced.median(_share), echo.median(_share))
    yield Figure("generator.cpu_share", share, _LARGEST_GENERATOR_SHARE)
    echo, coalesced = bench.compare(commands, SEQUENTIAL, pin=True)
    yield _figure("echo.coalesced_sequential_p99_vs_echo", coalesced, echo, _p99_us)


def sidecar_figures(bench: Bench, snapshot: Path) -> Iterator[Figure]:
    """What the sidecar costs beside a bare server."""
    data_dir = bench.folder / "sidecar"
    store_snapshot(str(data_dir), snapshot.read_bytes())
    stock = sidecar_command(data_dir, coalesce=False)
    sidecar = sidecar_command(data_dir, coalesce=True)
    commands = [echo_command(coalesce=False), stock, sidecar]
    echo, plain, coalesced = bench.compare(commands, SATURATED, pin=True)
    yield _figure("resolve.stock_vs_echo", plain, echo, _per_second)
    yield _figure("resolve.coalesced_vs_echo", coalesced, echo, _per_second)
    yield Figure("sidecar.rss_mib", median(coalesced.rss_mib), median(echo.rss_mib))
    yield _report_figure(bench, sidecar)
    echo, coalesced = bench.compare([commands[0], sidecar], SEQUENTIAL, pin=True)
    yield _figure("resolve.sequential_p99_vs_echo", coalesced, echo, _p99_us)
    busy = sidecar_command(data_dir, coalesce=True, busy=True)
    idle, loaded = bench.compare([sidecar, busy], SHARED, pin=False)
    yield _figure("resolve.busy_python_vs_idle", loaded, idle, _per_second)


def _figure(name: str, value: Runs, reference: Runs, of: Callable[[Measured], float]) -> Figure:
    return Figure(name, value.median(of), reference.median(of))


def _report_figure(bench: Bench, command: list[str]) -> Figure:
    """Reports and resolves in turn on one server, with tokens it gave out itself."""
    load = replace(SATURATED, seconds=bench.seconds)
    reports, answers = bench.folder / "report.bin", bench.folder / "answers.bin"
    resolved, reported = Runs([], []), Runs([], [])
    with running(command, SERVER_CORE) as server:
        capture(server, messages.RESOLVE_PATH, bench.requests(), answers, _TOKENS)
        requests = messages.report_requests(messages.read_delimited(answers), _SEED)
        messages.write_delimited(reports, requests)
        for _ in range(bench.repeats):
            for path, table, runs in (
                (messages.RESOLVE_PATH, bench.requests(), resolved),
                (messages.REPORT_PATH, reports, reported),
            ):
                runs.runs.append(measure(server, path, table, load, GENERATOR_CORE))
    return _figure("report.vs_resolve", reported, resolved, _per_second)
