"""The publish policy holds through the extension, and verdicts hold no output text."""

from __future__ import annotations

import json

import pytest

from pitcanary import _native

ANSWER = json.dumps(
    {"type": "object", "required": ["answer"], "properties": {"answer": {"maxLength": 5}}}
)


def doubling(levels: int) -> str:
    definitions: dict[str, object] = {"d0": {"type": "string"}}
    for level in range(1, levels + 1):
        reference = {"$ref": f"#/$defs/d{level - 1}"}
        definitions[f"d{level}"] = {"anyOf": [reference, reference]}
    return json.dumps({"$ref": f"#/$defs/d{levels}", "$defs": definitions})


@pytest.mark.parametrize(
    ("output", "verdict"),
    [
        pytest.param('{"answer": "yes"}', ("valid", None), id="conforming"),
        pytest.param("Sure! Here it is:", ("not_json", None), id="prose"),
        pytest.param("{}", ("invalid", "required"), id="a property is missing"),
        pytest.param('{"answer": "too long"}', ("invalid", "length"), id="a text is too long"),
        pytest.param("1e999", ("validator_error", None), id="a number beyond a double"),
    ],
)
def test_check(output: str, verdict: tuple[str, str | None]) -> None:
    assert _native.OutputSchema(ANSWER).check(output) == verdict


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        pytest.param(doubling(40), "more than 10000 parts", id="the $ref doubling bomb"),
        pytest.param('{"$ref": "file:///etc/passwd"}', "never fetched", id="a local file"),
        pytest.param('{"$ref": "http://example.com"}', "never fetched", id="a web page"),
        pytest.param('{"pattern": "(?=a)"}', "linear", id="look-around"),
        pytest.param("{", "not JSON", id="no JSON"),
        pytest.param('{"$schema": "http://json-schema.org/draft-04/schema#"}', "draft", id="old"),
    ],
)
def test_the_policy_refuses(schema: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _native.OutputSchema(schema)


def test_formats_are_checked_on_request() -> None:
    schema = '{"format": "date"}'
    assert _native.OutputSchema(schema).check('"soon"') == ("valid", None)
    checked = _native.OutputSchema(schema, check_formats=True)
    assert checked.check('"soon"') == ("invalid", "format")
