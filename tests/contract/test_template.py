"""Templates through the extension: values are data, whatever their type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary import _native


@pytest.mark.parametrize("syntax", ["plain", "jinja"])
def test_both_syntaxes_render(syntax: str) -> None:
    template = _native.Template("{{ greeting }} {{name}}, {{ n }}", syntax)
    assert template.variables == ["greeting", "n", "name"]
    variables: dict[str, object] = {"greeting": "Dear", "name": "{{greeting}}", "n": 2.0}
    assert template.render(variables) == "Dear {{greeting}}, 2"


def test_every_json_type_is_written() -> None:
    variables: dict[str, object] = {
        "a": None, "b": True, "c": 2**63, "d": 0.5, "e": ["x", 1], "f": {"k": (1,)},
    }  # fmt: skip
    rendered = _native.render_plain("{{a}}|{{b}}|{{c}}|{{d}}|{{e}}|{{f}}", variables)
    assert rendered == '|true|9223372036854775808|0.5|["x",1]|{"k":[1]}'


@given(value=st.text(st.characters(exclude_categories=["Cs"])))
def test_values_are_never_read_as_templates(value: str) -> None:
    for syntax in ("plain", "jinja"):
        assert _native.Template("<{{ v }}>", syntax).render({"v": value}) == f"<{value}>"


def test_refusals_name_the_place() -> None:
    with pytest.raises(ValueError, match="line 2"):
        _native.Template("one\n{{ two three }}")
    with pytest.raises(ValueError, match="`missing`"):
        _native.render_plain("{{missing}}", {})
    with pytest.raises(ValueError, match="more work"):
        _native.Template("{{ 'x' * 99999999 }}", "jinja").render({})
    with pytest.raises(ValueError, match="`mustache`"):
        _native.Template("", "mustache")


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(TypeError, match="`set`"):
        _native.render_plain("", {"v": {1}})
    with pytest.raises(TypeError):
        _native.render_plain("", {"v": {1: "a"}})
    with pytest.raises(ValueError, match="finite"):
        _native.render_plain("", {"v": float("nan")})
    deep: object = 1
    for _ in range(200):
        deep = [deep]
    with pytest.raises(ValueError, match="nested deeper"):
        _native.render_plain("", {"v": deep})
