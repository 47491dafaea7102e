from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest

from pitcanary.errors import RecordingRefused
from pitcanary.replay.columns import parse_columns
from pitcanary.replay.recording import read_arrivals, read_recording
from pitcanary.v1 import sidecar_pb2 as pb

COLUMNS = parse_columns(["latency_us = s * 1e6", "error = code ?", "output_tokens = out"])
ROWS = {
    ".csv": "s,code,out\n1.25,,7\n0,500,1\n",
    ".jsonl": '{"s":1.25,"code":null,"out":7}\n\n{"s":0,"code":500,"out":1}\n',
    ".json": '[{"s":1.25,"code":null,"out":7},{"s":0,"code":500,"out":1}]',
}


@pytest.mark.parametrize("suffix", sorted(ROWS))
def test_all_formats_give_the_same_reports(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_text(ROWS[suffix])
    first, second = (
        pb.ReportOutcomeRequest.FromString(each) for each in read_recording(path, COLUMNS).reports
    )
    assert (first.status, first.latency_us, first.output_tokens) == (1, 1_250_000, 7)
    assert second.status == pb.OUTCOME_STATUS_ERROR
    assert not second.HasField("latency_us"), "a failed row measured nothing"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param('{"s": "fast", "code": "", "out": 1}', "row 1: column `s` holds no number"),
        pytest.param('{"s": 1}\n', "row 1: there is no column `code`"),
        pytest.param('{"s": 1', "line 1: not JSON"),
        pytest.param("3\n", "line 1: not a JSON object"),
        pytest.param("", "no row is left"),
    ],
)
def test_errors_name_file_and_row(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    with pytest.raises(RecordingRefused, match=f"rows.jsonl: .*{message}|rows.jsonl: {message}"):
        read_recording(path, COLUMNS)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingRefused, match=r"nowhere\.csv"):
        read_recording(tmp_path / "nowhere.csv", COLUMNS)


def test_arrivals_keep_their_microseconds(tmp_path: Path) -> None:
    path = tmp_path / "arrivals.csv"
    path.write_text("TIMESTAMP\n2023-11-16 18:17:03.9799600\n2023-11-16T18:17:04Z\n")
    assert read_arrivals(path, "TIMESTAMP") == [
        datetime(2023, 11, 16, 18, 17, 3, 979_960, tzinfo=timezone.utc),
        datetime(2023, 11, 16, 18, 17, 4, tzinfo=timezone.utc),
    ]


def test_arrivals_that_run_backwards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "arrivals.csv"
    path.write_text("t\n2023-11-16 18:17:04\n2023-11-16 18:17:03\n")
    with pytest.raises(RecordingRefused, match="row 2: times run backwards"):
        read_arrivals(path, "t")
