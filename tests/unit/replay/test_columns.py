from __future__ import annotations

import pytest

from pitcanary.errors import RecordingRefused
from pitcanary.replay.columns import Reading, parse_columns


def test_every_form_of_the_grammar() -> None:
    columns = parse_columns(
        [
            "latency_us = end_to_end_latency_s * 1e6",
            "error=error_code ?",
            "scores.refusal = final_label ~ ^[23]_",
            "model = model_name",
        ],
        ["type !~ ^contrast"],
    )
    row = {
        "end_to_end_latency_s": 1.5,
        "error_code": None,
        "final_label": "2_full_refusal",
        "model_name": "m",
        "type": "homonyms",
    }
    assert {name: source.read(row) for name, source in columns.fields.items()} == {
        "latency_us": 1_500_000.0,
        "error": False,
        "scores.refusal": True,
        "model": "m",
    }
    assert columns.keeps(row)
    assert not columns.keeps({**row, "type": "contrast_homonyms"})


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        pytest.param("latency_us", "no mapping", id="no source"),
        pytest.param("latency = x", "`latency` is no field of an outcome.*latency_us", id="unit"),
        pytest.param("scores. = x", "no field", id="a score without a name"),
        pytest.param("latency_us = x * fast", "`fast`", id="a factor that is no number"),
        pytest.param("error = x ~ (", "no regular expression", id="a broken pattern"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(mapping: str, message: str) -> None:
    with pytest.raises(RecordingRefused, match=message):
        parse_columns([mapping])


def test_a_condition_needs_a_pattern() -> None:
    with pytest.raises(RecordingRefused, match="no condition"):
        parse_columns([], ["type"])


def test_an_empty_column_is_no_observation() -> None:
    source = parse_columns(["latency_us = x"]).fields["latency_us"]
    assert source.reading is Reading.NUMBER
    assert source.read({"x": ""}) is None
    assert source.read({"x": None}) is None


def test_a_missing_column_names_the_nearest() -> None:
    source = parse_columns(["latency_us = latency"]).fields["latency_us"]
    with pytest.raises(RecordingRefused, match=r"`latency`.*latency_s"):
        source.read({"latency_s": 1, "tokens": 2})
