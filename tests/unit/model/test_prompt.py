"""Identity of prompt versions."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.errors import InvalidValue
from pitcanary.model.json_types import JsonValue
from pitcanary.model.prompt import Message, PromptContent, Syntax

texts = st.text(st.characters(codec="utf-8"), max_size=50)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
numbers = st.floats(allow_nan=False, allow_infinity=False)
json_values: st.SearchStrategy[JsonValue] = st.recursive(
    scalars | numbers,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
messages = st.builds(Message, st.sampled_from(["system", "user"]), texts)
contents = st.builds(
    PromptContent.of,
    texts | st.lists(messages, min_size=1, max_size=3).map(tuple),
    syntax=st.sampled_from(Syntax),
    parameters=st.none() | st.dictionaries(texts, json_values, max_size=3),
    output_schema=st.none() | st.booleans() | st.dictionaries(texts, json_values, max_size=3),
    model=texts,
)


@given(contents)
def test_canonical_json_reads_back_to_the_same_content(content: PromptContent) -> None:
    again = PromptContent.from_json(content.canonical())
    assert again == content
    assert again.canonical() == content.canonical()


@given(contents, contents)
def test_the_digest_is_the_content(first: PromptContent, second: PromptContent) -> None:
    assert (first.digest() == second.digest()) == (first == second)


def test_the_digest_is_sha256_of_known_bytes() -> None:
    content = PromptContent.of(
        (Message("system", "Sei höflich."), Message("user", "{{question}}")),
        parameters={"temperature": 0.2, "max_tokens": 256},
        output_schema={"type": "object"},
        model="gpt-4o-mini",
    )
    expected = (
        '{"messages":[{"content":"Sei höflich.","role":"system"},'
        '{"content":"{{question}}","role":"user"}],"model":"gpt-4o-mini",'
        '"output_schema":{"type":"object"},'
        '"parameters":{"max_tokens":256,"temperature":0.2},"syntax":"plain"}'
    ).encode()
    assert content.canonical() == expected
    assert content.digest() == f"sha256:{hashlib.sha256(expected).hexdigest()}"


def test_order_and_form_of_parameters_do_not_change_the_identity() -> None:
    one = PromptContent.of("x", parameters={"temperature": 1, "top_p": 0.5})
    two = PromptContent.of("x", parameters={"top_p": 0.5, "temperature": 1.0})
    assert one.digest() == two.digest()


def test_every_character_of_a_text_counts() -> None:
    assert PromptContent.of("a\n").digest() != PromptContent.of("a\r\n").digest()


def test_an_empty_text_is_a_text() -> None:
    assert PromptContent.from_json(b'{"text":""}').text == ""


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"{", "must be JSON", id="no JSON"),
        pytest.param(b"[]", "is an object of", id="no object"),
        pytest.param(b'{"text":"x","txt":1}', "is an object of", id="an unknown key"),
        pytest.param(b"{}", "either `text` or `messages`", id="neither"),
        pytest.param(b'{"text":"x","messages":[]}', "either `text` or `messages`", id="both"),
        pytest.param(b'{"messages":[]}', "at least one", id="no message"),
        pytest.param(
            b'{"messages":[{"role":"user"}]}', "`role` and `content`", id="half a message"
        ),
        pytest.param(b'{"messages":[{"role":"","content":""}]}', "needs a role", id="no role"),
        pytest.param(b'{"text":1}', "`text` must be text", id="a number for text"),
        pytest.param(b'{"text":"x","syntax":"mako"}', "`plain` or `jinja`", id="unknown syntax"),
        pytest.param(
            b'{"text":"x","parameters":[1]}', "must be an object", id="list of parameters"
        ),
    ],
)
def test_what_is_no_version_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        PromptContent.from_json(data)


def test_numbers_that_are_not_numbers_are_refused() -> None:
    with pytest.raises(InvalidValue, match="finite"):
        PromptContent.of("x", parameters={"temperature": float("nan")})
