"""Reads recorded requests: CSV, JSON Lines and JSON arrays.

A recording becomes the outcomes a replay draws from: one encoded report per row,
without a token. A row that failed carries no latency and no tokens, because what
recorders write there (zero, mostly) was not measured. Errors name the file and
the row and never show a value.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import orjson

from pitcanary.errors import RecordingRefused
from pitcanary.model.json_types import JsonValue
from pitcanary.replay.columns import NUMBERS, SCORES, TEXTS, Columns, Row
from pitcanary.v1 import sidecar_pb2 as pb


@dataclass(frozen=True, slots=True)
class Recording:
    """The outcomes of one arm.

    Attributes:
        path: Where they were read.
        reports: Encoded `ReportOutcomeRequest`s without tokens, in file order.
        skipped: Rows that the conditions left out.
    """

    path: Path
    reports: tuple[bytes, ...]
    skipped: int


def read_recording(path: Path, columns: Columns) -> Recording:
    """Reads the outcomes of one arm.

    Raises:
        RecordingRefused: The file cannot be read, a row does not fit the mapping, or
            no row is left.
    """
    reports: list[bytes] = []
    skipped = 0
    for number, row in enumerate(read_rows(path), start=1):
        try:
            if columns.keeps(row):
                reports.append(_report(row, columns).SerializeToString())
            else:
                skipped += 1
        except RecordingRefused as refused:
            raise RecordingRefused(f"{path}: row {number}: {refused}") from None
    if not reports:
        raise RecordingRefused(f"{path}: no row is left to replay; {skipped} were left out")
    return Recording(path, tuple(reports), skipped)


def read_arrivals(path: Path, column: str) -> list[datetime]:
    """Reads the recorded times of arrival, in order, as UTC.

    Raises:
        RecordingRefused: A row has no time, or times run backwards.
    """
    arrivals: list[datetime] = []
    for number, row in enumerate(read_rows(path), start=1):
        arrivals.append(_time(row.get(column), f"{path}: row {number}: column `{column}`"))
        if len(arrivals) > 1 and arrivals[-1] < arrivals[-2]:
            raise RecordingRefused(f"{path}: row {number}: times run backwards; sort the file")
    if not arrivals:
        raise RecordingRefused(f"{path}: there are no arrivals in it")
    return arrivals


def read_rows(path: Path) -> Iterator[Row]:
    """Yields the rows of a CSV (`.csv`), JSON Lines or JSON array file.

    Raises:
        RecordingRefused: The file is missing or is not what its name says.
    """
    try:
        if path.suffix == ".csv":
            with path.open(encoding="utf-8", newline="") as file:
                yield from csv.DictReader(file)
            return
        content = path.read_bytes()
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingRefused(f"{path}: cannot be read: {error}") from None
    yield from _array(path, content) if content.lstrip()[:1] == b"[" else _lines(path, content)


def _array(path: Path, content: bytes) -> Iterator[Row]:
    for number, value in enumerate(_json(content, str(path)), start=1):
        yield _object(value, f"{path}: row {number}")


def _lines(path: Path, content: bytes) -> Iterator[Row]:
    for number, line in enumerate(content.splitlines(), start=1):
        if line.strip():
            yield _object(_json(line, f"{path}: line {number}"), f"{path}: line {number}")


def _json(content: bytes, where: str) -> list[JsonValue]:
    try:
        value: list[JsonValue] = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RecordingRefused(f"{where}: not JSON: {error.msg}") from None
    return value


def _object(value: JsonValue, where: str) -> Row:
    if not isinstance(value, dict):
        raise RecordingRefused(f"{where}: not a JSON object")
    return value


def _report(row: Row, columns: Columns) -> pb.ReportOutcomeRequest:
    report = pb.ReportOutcomeRequest(status=pb.OUTCOME_STATUS_OK, attempt=1)
    failed = "error" in columns.fields and bool(columns.fields["error"].read(row))
    if failed:
        report.status = pb.OUTCOME_STATUS_ERROR
        report.error_class = pb.ERROR_CLASS_PROVIDER
    for field, source in columns.fields.items():
        value = source.read(row)
        if value is None or field == "error" or (failed and field in NUMBERS):
            continue
        if field.startswith(SCORES):
            report.scores[field.removeprefix(SCORES)] = float(value)
        elif field in TEXTS or field == "cost":
            setattr(report, field, value)
        else:
            setattr(report, field, round(float(value)))
    return report


def _time(value: JsonValue, where: str) -> datetime:
    """ISO 8601 or `2023-11-16 18:17:03.9799600`; more digits than microseconds are cut."""
    text = str(value or "").strip().replace(" ", "T").removesuffix("Z")
    whole, _, fraction = text.partition(".")
    try:
        moment = datetime.fromisoformat(whole)
        micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    except ValueError:
        raise RecordingRefused(f"{where}: not a time such as 2023-11-16T18:17:03.98") from None
    return moment.replace(tzinfo=timezone.utc) + timedelta(microseconds=micros)
