"""Requests for the load generator, and what is read from answers.

Written and read as plain protobuf bytes, so the benchmark runs with the
standard library alone. The field numbers are those of
`proto/pitcanary/v1/sidecar.proto`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path

RESOLVE_PATH = "/pitcanary.v1.SidecarService/ResolvePrompt"
REPORT_PATH = "/pitcanary.v1.SidecarService/ReportOutcome"

_ATTRIBUTES = {
    "app_version": "4.12.1",
    "country": "DE",
    "language": "de",
    "plan": "pro",
    "platform": "ios",
}
_TOKEN_FIELD = 1
_STATUS_OK = 1
_VARINT, _LENGTH_DELIMITED = 0, 2
_CONTINUES, _LOW_BITS = 0x80, 0x7F


def resolve_requests(prompt: str, count: int, seed: int) -> list[bytes]:
    """Ask for one prompt, each time for another unit of 36 bytes."""
    generator = random.Random(seed)
    attributes = b"".join(
        _field(3, _field(1, name.encode()) + _field(2, _field(1, value.encode())))
        for name, value in _ATTRIBUTES.items()
    )
    return [
        _field(1, prompt.encode())
        + _field(2, str(uuid.UUID(int=generator.getrandbits(128))).encode())
        + attributes
        for _ in range(count)
    ]


def report_requests(answers: Iterable[bytes], seed: int) -> list[bytes]:
    """Report a success for the token of each resolved answer."""
    generator = random.Random(seed)
    return [
        _field(_TOKEN_FIELD, token_of(answer))
        + _number(2, _STATUS_OK)
        + _number(4, int(generator.lognormvariate(13.6, 0.6)))
        + _number(6, generator.randrange(200, 2_000))
        + _number(7, generator.randrange(20, 800))
        for answer in answers
    ]


def token_of(answer: bytes) -> bytes:
    """The token of a `ResolvePromptResponse`, which is its first field.

    Raises:
        ValueError: If the answer does not start with a token.
    """
    if answer[:1] != bytes([_TOKEN_FIELD << 3 | _LENGTH_DELIMITED]):
        message = "an answer carries no token; check that the prompt is in the snapshot"
        raise ValueError(message)
    length, start = _read_varint(answer, 1)
    return answer[start : start + length]


def write_delimited(path: Path, messages: Iterable[bytes]) -> None:
    """Write messages, each preceded by its length, as the generator reads them."""
    path.write_bytes(b"".join(_varint(len(message)) + message for message in messages))


def read_delimited(path: Path) -> Iterator[bytes]:
    """Read what the generator captured."""
    content = path.read_bytes()
    position = 0
    while position < len(content):
        length, position = _read_varint(content, position)
        yield content[position : position + length]
        position += length


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(content)) + content


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > _LOW_BITS:
        encoded.append(value & _LOW_BITS | _CONTINUES)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_varint(content: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & _LOW_BITS) << shift
        position, shift = position + 1, shift + 7
        if not byte & _CONTINUES:
            return value, position
