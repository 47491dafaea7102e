"""Write token.json with the `blake3` package and no code of the project.

See README.md here. The layout is written out field by field, as evidence.md gives it.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from blake3 import blake3

TAG_CONTEXT = "pitcanary 2026-11 token unit tag"

Fields = dict[str, int | str]


def fields(**changed: int | str) -> Fields:
    """Describe a token by what differs from an ordinary one."""
    ordinary: Fields = {
        "key_id": 1,
        "rollout": 7,
        "version": 41,
        "origin_epoch": 3,
        "serve_epoch": 4,
        "arm": 1,
        "flags": 1,
        "slice": 17,
        "segment_mask": 0,
        "issued_s": 1_795_000_000,
        "nonce": "0011223344556677",
        "unit": "user-1",
    }
    return ordinary | changed


CASES = [
    fields(),
    fields(key_id=0, rollout=0, version=0, origin_epoch=0, serve_epoch=0, arm=0, flags=0, slice=0),
    fields(key_id=255, arm=255, flags=255, slice=63, segment_mask=0xFFFF, issued_s=2**40 - 1),
    fields(rollout=2**32 - 1, version=2**32 - 1, origin_epoch=2**32 - 1, serve_epoch=2**32 - 1),
    fields(unit=""),
    fields(unit="東京", nonce="ffffffffffffffff"),
    fields(unit="x" * 1_000, segment_mask=0x0102, issued_s=0x0504030201),
]


def little(value: int | str, length: int) -> bytes:
    """Encode one integer field."""
    return int(value).to_bytes(length, "little")


def case(number: int, content: Fields) -> dict[str, Fields | str | int]:
    """Seal one token under a key made of its case number."""
    secret = bytes((number * 16 + index) % 256 for index in range(32))
    tag_secret = blake3(secret, derive_key_context=TAG_CONTEXT).digest()
    tag = blake3(str(content["unit"]).encode(), key=tag_secret).digest()[:2]
    signed = (
        b"\x01"
        + little(content["key_id"], 1)
        + little(content["rollout"], 4)
        + little(content["version"], 4)
        + little(content["origin_epoch"], 4)
        + little(content["serve_epoch"], 4)
        + little(content["arm"], 1)
        + little(content["flags"], 1)
        + little(content["slice"], 1)
        + little(content["segment_mask"], 2)
        + little(content["issued_s"], 5)
        + tag
        + bytes.fromhex(str(content["nonce"]))
    )
    token = signed + blake3(signed, key=secret).digest()[:10]
    return {
        "secret": secret.hex(),
        "fields": content,
        "unit_tag": int.from_bytes(tag, "little"),
        "token": token.hex(),
        "text": base64.urlsafe_b64encode(token).decode().rstrip("="),
    }


def main() -> None:
    """Write the file."""
    cases = [case(number, content) for number, content in enumerate(CASES)]
    text = json.dumps({"cases": cases}, indent=1)
    (Path(__file__).parent / "token.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
