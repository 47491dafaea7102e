"""`pitcanary replay`: recorded requests through a real sidecar and controller."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

import typer
import yaml
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from pitcanary.cli.connection import Json, failures
from pitcanary.cli.output import complaints, console, print_json
from pitcanary.errors import RecordingRefused
from pitcanary.manifest.load import load_rollout
from pitcanary.model.json_types import JsonObject
from pitcanary.model.spec import RolloutSpec
from pitcanary.replay.cluster import ReplayCluster
from pitcanary.replay.columns import Columns, parse_columns
from pitcanary.replay.pace import Arrivals, EvenArrivals, RecordedArrivals
from pitcanary.replay.recording import read_arrivals, read_recording
from pitcanary.replay.session import Plan, Progress, ReplayResult

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


def replay(  # noqa: PLR0913, PLR0917 - the options of a command
    rollout: Annotated[Path, typer.Argument(metavar="ROLLOUT.yaml", help="A rollout manifest.")],
    baseline: Annotated[Path, typer.Option(help="Recorded outcomes of the baseline.")],
    candidate: Annotated[Path, typer.Option(help="Recorded outcomes of the candidate.")],
    columns: Annotated[
        Path | None, typer.Option(help="YAML file with `fields` and `where` of the recordings.")
    ] = None,
    field: Annotated[
        list[str] | None,
        typer.Option("--map", help="`field = column`, as in a columns file; repeatable."),
    ] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="`column ~ pattern`: rows to keep; repeatable.")
    ] = None,
    arrivals: Annotated[
        Path | None, typer.Option(help="Recorded times of arrival; without it, --rate.")
    ] = None,
    arrivals_column: Annotated[str, typer.Option(help="Its column.")] = "TIMESTAMP",
    rate: Annotated[float, typer.Option(min=0.001, help="Requests per recorded second.")] = 50.0,
    seed: Annotated[int, typer.Option(help="Of units and outcomes.")] = 1,
    users: Annotated[int, typer.Option(min=1, help="Distinct users.")] = 10_000,
    max_requests: Annotated[int, typer.Option(min=1, help="Then it ends undecided.")] = 200_000,
    json: Json = False,
) -> None:
    """Replay recorded requests; the same files and seed give the same decision."""
    with failures("replay"):
        spec = load_rollout(_read(rollout), str(rollout))
        mapping = _columns(columns, field or [], where or [])
        plan = Plan(
            spec=_specification(rollout, spec),
            tables={
                "baseline": read_recording(baseline, mapping).reports,
                "candidate": read_recording(candidate, mapping).reports,
            },
            arrivals=_arrivals(arrivals, arrivals_column, rate),
            tick=spec.policies.tick,
            seed=seed,
            users=users,
            max_requests=max_requests,
        )
        result = _run(plan)
    if json:
        print_json(result.plain())
    else:
        _print(result)


def _run(plan: Plan) -> ReplayResult:
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=complaints,
    )
    with bar, ReplayCluster() as cluster:
        task = bar.add_task("starting", total=plan.max_requests)

        def watch(progress: Progress) -> None:
            where = f"{progress.state} stage {progress.stage} share {progress.share:.0%}"
            bar.update(task, completed=progress.requests, description=where)

        return cluster.run(plan, watch)


def _print(result: ReplayResult) -> None:
    culprits = f" because of {', '.join(result.culprits)}" if result.culprits else ""
    console.print(
        f"{result.ending}{culprits} after {result.requests:,} requests, with the candidate at "
        f"{result.candidate_share:.0%}.\n{result.rule}\ndecision {result.decision_id}",
        markup=False,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingRefused(f"{path}: cannot be read: {error}") from None


def _specification(path: Path, spec: RolloutSpec) -> JsonObject:
    """The manifest as it is, with the versions that the replay pushes."""
    content = yaml.safe_load(_read(path))
    return {**content, "name": spec.name, "baseline": {"version": 1}, "candidate": {"version": 2}}


def _columns(path: Path | None, fields: list[str], where: list[str]) -> Columns:
    if path is None:
        return parse_columns(fields, where)
    content = yaml.safe_load(_read(path))
    if not isinstance(content, dict) or not set(content) <= {"fields", "where"}:
        raise RecordingRefused(f"{path}: a columns file has `fields` and, if need be, `where`")
    named = [f"{name} = {source}" for name, source in (content.get("fields") or {}).items()]
    return parse_columns([*named, *fields], [*(content.get("where") or []), *where])


def _arrivals(path: Path | None, column: str, rate: float) -> Arrivals:
    if path is None:
        return EvenArrivals(START, rate)
    return RecordedArrivals(read_arrivals(path, column))
