"""The extension judges and refuses as the shared vectors say, like the crate behind it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from pitcanary._native import OutputSchema

VECTORS = orjson.loads(
    (Path(__file__).parents[1] / "vectors" / "schema_agreement.json").read_bytes()
)

WORDS = {
    "bad_reference": "does not define",
    "invalid": "is not valid in a schema",
    "pattern": "linear time",
    "remote_reference": "another document",
    "too_deep": "nested deeper",
    "too_large": "bytes",
    "too_many_paths": "parts",
    "unsupported_draft": "draft",
}


@pytest.mark.parametrize("vector", VECTORS["agree"], ids=lambda vector: vector["name"])
def test_every_instance_is_judged_as_written(vector: dict[str, object]) -> None:
    schema = OutputSchema(orjson.dumps(vector["schema"]).decode())
    cases = vector["cases"]
    assert isinstance(cases, list)
    words = {True: "valid", False: "invalid"}
    found = [schema.check(orjson.dumps(case["instance"]).decode())[0] for case in cases]
    assert found == [words[case["valid"]] for case in cases]


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda vector: vector["name"])
def test_what_may_not_be_published_is_refused(vector: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=WORDS[str(vector["rule"])]):
        OutputSchema(orjson.dumps(vector["schema"]).decode())
