"""The bundled prompt: same syntax as the sidecar, found wrong at the start."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.client.fallback import Fallback, fallbacks_from_folder
from pitcanary.client.resolved import Message, Reason
from pitcanary.errors import InvalidRequest
from pitcanary.model.json_types import JsonValue


def test_a_fallback_is_content_and_no_version() -> None:
    fallback = Fallback(text="Be brief.", parameters={"temperature": 0.2})
    resolved = fallback.resolve("support-reply", None, "sidecar: UNAVAILABLE")
    assert (resolved.name, resolved.text) == ("support-reply", "Be brief.")
    assert (resolved.token, resolved.number, resolved.digest) == (b"", 0, "")
    assert (resolved.reason, resolved.stale) == (Reason.FALLBACK, True)
    assert resolved.parameters == {"temperature": 0.2}
    assert resolved.detail == "sidecar: UNAVAILABLE"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("Ada", "Ada", id="text"),
        pytest.param("{{secret}}", "{{secret}}", id="values are data, never templates"),
        pytest.param(3, "3", id="whole number"),
        pytest.param(3.0, "3", id="whole number of a float"),
        pytest.param(1.5, "1.5", id="fraction"),
        pytest.param(None, "", id="nothing"),
        pytest.param([1, "a"], '[1,"a"]', id="JSON"),
    ],
)
def test_variables_are_rendered_as_the_sidecar_does(value: JsonValue, written: str) -> None:
    fallback = Fallback(text="Dear {{ name }},", messages=())
    assert fallback.resolve("p", {"name": value}, "").text == f"Dear {written},"


def test_every_message_is_rendered() -> None:
    fallback = Fallback(messages=(Message("system", "Serve {{who}}."), Message("user", "Hi")))
    resolved = fallback.resolve("p", {"who": "Ada"}, "")
    assert resolved.text is None
    assert resolved.messages == (Message("system", "Serve Ada."), Message("user", "Hi"))


def test_without_variables_the_content_is_given_as_it_is() -> None:
    assert Fallback(text="Dear {{name}},").resolve("p", None, "").text == "Dear {{name}},"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        pytest.param({}, "`name`", id="missing"),
        pytest.param({"name": float("nan")}, "finite", id="not a number"),
        pytest.param({"name": object()}, "not JSON", id="an object"),
    ],
)
def test_wrong_variables_are_the_request_s_fault(
    variables: dict[str, JsonValue], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Fallback(text="Dear {{name}},").resolve("p", variables, "")


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(Fallback, id="neither"),
        pytest.param(lambda: Fallback(text="a", messages=(Message("user", "b"),)), id="both"),
        pytest.param(lambda: Fallback(text="Dear {{,"), id="malformed text"),
        pytest.param(lambda: Fallback(messages=(Message("user", "{{a b}}"),)), id="message"),
    ],
)
def test_a_wrong_fallback_is_refused_at_the_start(build: type[Fallback]) -> None:
    with pytest.raises(ValueError, match=r"fallback needs|line 1"):
        build()


def test_an_empty_text_is_a_text() -> None:
    assert Fallback(text="").resolve("p", {}, "").text == ""


@given(st.text(alphabet="ab {}\\\n", max_size=20), st.text(max_size=5))
def test_what_was_accepted_can_be_rendered(content: str, value: str) -> None:
    try:
        fallback = Fallback(text=content)
    except ValueError:
        return
    variables: dict[str, JsonValue] = {
        "".join(name): value for size in (1, 2, 3) for name in _names(size)
    }
    assert fallback.resolve("p", variables, "").text is not None


def _names(size: int) -> list[str]:
    return [""] if size == 0 else [rest + letter for rest in _names(size - 1) for letter in "ab"]


def test_a_folder_gives_one_fallback_per_prompt_file(tmp_path: Path) -> None:
    (tmp_path / "support-reply.md").write_text("Hällo", encoding="utf-8")
    (tmp_path / "summarise.v2.txt").write_text("Sum up.", encoding="utf-8")
    (tmp_path / "notes.json").write_text("{}", encoding="utf-8")
    found = fallbacks_from_folder(tmp_path)
    assert found == {
        "support-reply": Fallback(text="Hällo"),
        "summarise.v2": Fallback(text="Sum up."),
    }


def test_two_files_for_one_prompt_are_refused(tmp_path: Path) -> None:
    (tmp_path / "greeting.md").write_text("a", encoding="utf-8")
    (tmp_path / "greeting.txt").write_text("b", encoding="utf-8")
    with pytest.raises(ValueError, match="greeting"):
        fallbacks_from_folder(tmp_path)


def test_a_malformed_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "greeting.md").write_text("Dear {{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"greeting\.md"):
        fallbacks_from_folder(tmp_path)
