"""Tokens through the extension agree with the golden vectors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pitcanary import _native

CASES = json.loads(
    (Path(__file__).parents[1] / "vectors" / "token.json").read_text(encoding="utf-8")
)["cases"]
NAMED = ("rollout", "version", "origin_epoch", "serve_epoch", "arm", "segment_mask", "issued_s")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["token"][:20])
def test_every_field_is_read(case: dict[str, str | int | dict[str, str | int]]) -> None:
    fields, secret, token = case["fields"], case["secret"], case["token"]
    assert isinstance(fields, dict)
    assert isinstance(secret, str)
    assert isinstance(token, str)
    keys = {int(fields["key_id"]): bytes.fromhex(secret)}
    issued_s = int(fields["issued_s"])
    opened = _native.Token.open(bytes.fromhex(token), keys, now_s=issued_s, max_age_s=0)
    for name in NAMED:
        assert getattr(opened, name) == fields[name], name
    assert opened.slice_index == fields["slice"]
    assert opened.unit_tag == case["unit_tag"]
    assert opened.nonce.hex() == fields["nonce"]
    flags = (opened.analysable, opened.pinned, opened.mixed, opened.score_requested)
    assert flags == tuple(bool(int(fields["flags"]) & 1 << bit) for bit in range(4))
    assert str(opened) == case["text"]
    assert _native.Token.open(str(opened), keys, now_s=issued_s, max_age_s=0) == opened


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({"token": b"short"}, "malformed", id="another length"),
        pytest.param({"keys": {9: bytes(32)}}, "key `1`", id="a retired key"),
        pytest.param({"keys": {1: bytes(32)}}, "forged", id="a key of another environment"),
        pytest.param({"now_s": 1_795_000_011}, "expired", id="older than accepted"),
        pytest.param({"now_s": 1_794_000_000}, "future", id="issued in the future"),
    ],
)
def test_each_refusal_is_told_apart(change: dict[str, object], message: str) -> None:
    case = CASES[0]
    given: dict[str, object] = {
        "token": bytes.fromhex(case["token"]),
        "keys": {1: bytes.fromhex(case["secret"])},
        "now_s": 1_795_000_000,
        "max_age_s": 10,
    }
    with pytest.raises(ValueError, match=message):
        _native.Token.open(**(given | change))  # type: ignore[arg-type]
