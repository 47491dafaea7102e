"""`pitcanary demo`: the demonstration on a terminal, as lines, or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Table

from pitcanary.cli.connection import Json, failures
from pitcanary.cli.output import FAILED, complaints, console, print_json
from pitcanary.demo.run import REQUESTS_PER_SECOND, Demo, Progress
from pitcanary.demo.scenes import scenes
from pitcanary.v1 import admin_pb2 as pb

EXPECTED = {"support-reply-v2": "rolled_back", "summarise-v2": "promoted"}
GLYPHS = {"rolled_back": "✖", "promoted": "✔", "aborted": "✖", "paused": "॥"}


def demo(
    seed: Annotated[int, typer.Option(help="Of users and outcomes.")] = 1,
    limit: Annotated[float, typer.Option(help="Seconds to wait for both endings.")] = 115.0,
    json: Json = False,
) -> None:
    """Watch a bad canary go and a good one stay. The outcomes are synthetic."""
    running = Demo(scenes(), seed, limit)
    with failures("demo"):
        decisions = _json(running) if json else _show(running)
    if json:
        print_json({"rollouts": [each.plain() for each in running.progress.values()]})
    else:
        _explain(running, decisions)
    if any(running.progress[name].state != ending for name, ending in EXPECTED.items()):
        complaints.print(f"The demo ended after {limit:g} s without both endings.")
        raise typer.Exit(FAILED)


def _json(running: Demo) -> list[pb.DecisionInfo]:
    return running.run(lambda _: None)


def _show(running: Demo) -> list[pb.DecisionInfo]:
    console.print(
        "[bold]Synthetic traffic[/] through a real controller and two real sidecars: "
        f"{REQUESTS_PER_SECOND:g} requests per second and prompt at most, 50,000 users.\n"
        "The first rollout's new version fails more often; the second one's is as good as the "
        "old one.\nNobody tells pitcanary which is which. The first rollout:\n"
    )
    console.print(scenes()[0].manifest, markup=False)
    if not console.is_terminal:
        return running.run(_lines())
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        decisions = running.run(lambda each: live.update(_table(each)))
    console.print(_table(running))
    return decisions


def _lines() -> Callable[[Demo], None]:
    """Prints a rollout's line whenever its state or stage has changed."""
    seen: dict[str, tuple[str, int]] = {}

    def watch(running: Demo) -> None:
        for progress in running.progress.values():
            if seen.get(progress.name) != (progress.state, progress.stage):
                seen[progress.name] = (progress.state, progress.stage)
                console.print(_line(progress), markup=False)

    return watch


def _line(progress: Progress) -> str:
    return (
        f"{progress.seconds:5.1f} s  {progress.name}: {progress.state}, "
        f"share {progress.share:.0%}. {progress.message}"
    )


def _table(running: Demo) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("ROLLOUT", "STATE", "STAGE", "SHARE", "ACTUAL", "SECONDS", "WHY"):
        table.add_column(column, overflow="fold")
    for each in running.progress.values():
        table.add_row(
            each.name,
            f"{GLYPHS.get(each.state, '◌')} {each.state}",
            f"{each.stage}/{each.stages}",
            f"{each.share:.0%}",
            "–" if each.share_actual is None else f"{each.share_actual:.1%}",
            f"{each.seconds:.0f}",
            each.message,
        )
    return table


def _explain(running: Demo, decisions: list[pb.DecisionInfo]) -> None:
    console.print("\n[bold]What was decided, and why[/]")
    for each in decisions:
        console.print(f"  {each.rollout}: {each.action}. {each.rule}", markup=False)
    console.print("\n[bold]Where the numbers come from[/]")
    for progress in running.progress.values():
        served = ", ".join(f"{count:,} {arm}" for arm, count in sorted(progress.requests.items()))
        console.print(
            f"  {progress.name}: {served} answers; the candidate had at most "
            f"{progress.max_candidate_share:.0%}",
            markup=False,
        )
    console.print(
        "  Outcomes are drawn from tables made of seeded random numbers "
        "(pitcanary/demo/synthetic.py).\n"
        "\nNext: replay real recordings with `pitcanary replay`, or start with `pitcanary up`."
    )
