"""What the SDK sends for what the application says."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from pitcanary.client.requests import MAX_EXACT_INTEGER, AttributeValue, ResolveArguments
from pitcanary.errors import InvalidRequest
from pitcanary.model.json_types import JsonValue
from pitcanary.v1 import sidecar_pb2 as pb

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-MAX_EXACT_INTEGER, MAX_EXACT_INTEGER) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip


def test_every_field_arrives() -> None:
    request = ResolveArguments(
        "support-reply",
        "user-17",
        pin=b"token",
        label="staging",
        unit_kind="tenant",
        on_use=True,
        score_requested=True,
    ).message()
    assert (request.prompt, request.unit) == ("support-reply", "user-17")
    assert (request.pin, request.label, request.unit_kind) == (b"token", "staging", "tenant")
    assert request.exposure == pb.EXPOSURE_ON_USE
    assert request.score_requested


def test_what_was_not_said_is_left_to_the_sidecar() -> None:
    request = ResolveArguments("p").message()
    assert request == pb.ResolvePromptRequest(prompt="p")
    assert not request.HasField("variables")


def test_no_variables_and_no_rendering_are_different() -> None:
    assert ResolveArguments("p", variables={}).message().HasField("variables")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("de", pb.AttributeValue(text="de"), id="text"),
        pytest.param("", pb.AttributeValue(text=""), id="empty text is present"),
        pytest.param(3, pb.AttributeValue(number=3.0), id="integer"),
        pytest.param(0, pb.AttributeValue(number=0.0), id="zero is present"),
        pytest.param(1.5, pb.AttributeValue(number=1.5), id="fraction"),
        pytest.param(True, pb.AttributeValue(boolean=True), id="a truth value is no number"),
        pytest.param(False, pb.AttributeValue(boolean=False), id="false is present"),
    ],
)
def test_attributes_keep_their_kind(value: AttributeValue, expected: pb.AttributeValue) -> None:
    sent = ResolveArguments("p", attributes={"a": value}).message().attributes["a"]
    assert sent == expected
    assert sent.WhichOneof("value") is not None


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_variables_arrive_as_they_are(variables: dict[str, JsonValue]) -> None:
    sent = ResolveArguments("p", variables=variables).message().variables
    assert MessageToDict(sent) == variables


@given(st.integers(MAX_EXACT_INTEGER + 1, 2**70), st.sampled_from([1, -1]))
def test_a_number_too_large_for_a_double_arrives_with_all_digits(size: int, sign: int) -> None:
    value = sign * size
    variables: dict[str, JsonValue] = {"id": value, "deep": {"ids": (value, 1)}}
    sent = MessageToDict(ResolveArguments("p", variables=variables).message().variables)
    assert sent == {"id": str(value), "deep": {"ids": [str(value), 1.0]}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(ResolveArguments("p", unit="\ud800"), "Unicode", id="unit"),
        pytest.param(ResolveArguments("p", unit=17), "type", id="number as unit"),  # type: ignore[arg-type]
        pytest.param(ResolveArguments("p", attributes={"a": "\ud800"}), "Unicode", id="attribute"),
        pytest.param(ResolveArguments("p", variables={"when": object()}), "`when`", id="object"),  # type: ignore[dict-item]
        pytest.param(ResolveArguments("p", variables={"x": {"y": "\ud800"}}), "`x`", id="text"),
    ],
)
def test_what_can_never_be_right_is_refused_here(arguments: ResolveArguments, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        arguments.message()
