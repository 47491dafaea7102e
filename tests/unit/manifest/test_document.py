"""YAML as plain values: bounded, without surprises, with lines."""

from __future__ import annotations

from contextlib import suppress

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import ManifestRefused
from pitcanary.manifest.document import Document, parse

scalars = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)
values = st.recursive(
    scalars.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def one(text: str) -> Document:
    (document,) = parse(text, "f.yaml")
    return document


def test_every_value_knows_its_line() -> None:
    document = one("a: 1\nb:\n  - x\n  - c: |\n      long\n    d: 2\n")
    assert document.value == {"a": 1, "b": ["x", {"c": "long\n", "d": 2}]}
    assert [document.line(path) for path in [("a",), ("b",), ("b", 0), ("b", 1, "c")]] == [
        1,
        2,
        3,
        4,
    ]
    assert document.line(("b", 1, "missing")) == 4
    assert document.problem(("b", 1, "d"), "wrong") == "f.yaml:6: `b[1].d`: wrong"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("a: [1", "f.yaml:1: not YAML", id="an open bracket"),
        pytest.param("a: 1\n b: 2", "f.yaml:2: not YAML", id="a wrong indent"),
        pytest.param("a: 1\na: 2", "f.yaml:2: key `a` is there twice", id="a key twice"),
        pytest.param("on: 1", "f.yaml:1: key `on` must be in quotes", id="a key that is a truth"),
        pytest.param("1: 1", "key `1` must be in quotes", id="a key that is a number"),
        pytest.param("? [a]\n: 1", "a key must be text", id="a list as key"),
        pytest.param("a: 2026-11-23", "type `timestamp`", id="a date"),
        pytest.param("a: !!python/name:os.system x", "f.yaml:1: `a`", id="a tag that runs code"),
        pytest.param("a: !!set {x}", "type `set`", id="a set"),
        pytest.param("a: !!binary aGk=", "type `binary`", id="bytes"),
        pytest.param("a: .inf", "not finite", id="infinity"),
        pytest.param("a: !!int x", "cannot be read", id="a number that is none"),
        pytest.param("a: \x00", "not YAML", id="a control character"),
        pytest.param("a: " + "[" * 80 + "]" * 80, "nested deeper", id="80 levels"),
        pytest.param("a: " + "[" * 100_000, "not YAML", id="100,000 levels"),
        pytest.param("a: " + "x" * (1 << 20), "longer than", id="a mebibyte"),
        pytest.param("- 1\n" * 50_001, "more than 50000 values", id="too many values"),
    ],
)
def test_what_is_more_than_plain_values_is_refused(text: str, message: str) -> None:
    with pytest.raises(ManifestRefused, match=message):
        parse(text, "f.yaml")


def test_aliases_do_not_unfold_without_bound() -> None:
    """Nine levels of nine aliases each would be 387 million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 9):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{inner}]")
    with pytest.raises(ManifestRefused, match="more than 50000 values"):
        parse("\n".join(lines), "bomb.yaml")


def test_an_alias_to_itself_is_refused() -> None:
    with pytest.raises(ManifestRefused, match="nested deeper"):
        parse("a: &a [*a]", "loop.yaml")


def test_an_alias_is_the_value_it_names() -> None:
    assert one("a: &x {b: 1}\nc: *x").value == {"a": {"b": 1}, "c": {"b": 1}}


def test_characters_that_end_a_line_in_yaml_do_not_change_json() -> None:
    for odd in ("\u2028", "\u0085", "\x7f"):
        assert one(f'{{"a": "x{odd}y"}}').value == {"a": f"x{odd}y"}


@given(values)
def test_json_is_read_as_what_it_is(value: object) -> None:
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # integers beyond 64 bits, lone surrogates
        return
    if not isinstance(value, (dict, list)):
        return
    document = one(text)
    assert document.value == orjson.loads(text)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ManifestRefused):
        parse(text, "f.yaml")
