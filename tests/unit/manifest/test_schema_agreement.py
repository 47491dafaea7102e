"""The engine in Python judges as the shared vectors say; Rust reads the same file."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pitcanary.errors import InvalidValue
from pitcanary.manifest.schema import compile_schema

VECTORS = orjson.loads(
    (Path(__file__).parents[2] / "vectors" / "schema_agreement.json").read_bytes()
)


@pytest.mark.parametrize("vector", VECTORS["agree"], ids=lambda vector: vector["name"])
def test_every_instance_is_judged_as_written(vector: dict[str, object]) -> None:
    schema, cases = vector["schema"], vector["cases"]
    assert isinstance(schema, (dict, bool))
    assert isinstance(cases, list)
    validator = compile_schema(schema)
    assert [case["valid"] for case in cases] == [validator.is_valid(c["instance"]) for c in cases]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_the_engine_refuses_what_the_policy_leaves_to_it(vector: dict[str, object]) -> None:
    schema = vector["schema"]
    assert isinstance(schema, dict)
    try:
        compile_schema(schema)
    except InvalidValue:
        refused = True
    else:
        refused = False
    assert refused == vector["engine_refuses"]


def test_there_is_enough_to_agree_on() -> None:
    assert sum(len(vector["cases"]) for vector in VECTORS["agree"]) >= 120
    assert len(VECTORS["refused"]) >= 10
