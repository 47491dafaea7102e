"""The extension's bundles of counts, with the package's error.

Decoding and merging are Rust; this file only turns refusals into
`EvidenceRefused`. What the counts say is `controller.analysis`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pitcanary._native import Bundle
from pitcanary.errors import EvidenceRefused


def bundle_of_frame(frame: bytes) -> Bundle:
    """Decodes the counts of an uploaded frame.

    Raises:
        EvidenceRefused: It is not a frame, or its counts contradict themselves.
    """
    try:
        return Bundle.from_frame(frame)
    except ValueError as error:
        raise EvidenceRefused(f"the frame's evidence is refused: {error}") from None


def bundle_of_rows(rows: Iterable[bytes]) -> Bundle:
    """Merges stored evidence.

    Raises:
        EvidenceRefused: Stored bytes are damaged, or a sum would overflow.
    """
    try:
        return Bundle.merge([Bundle.from_bytes(row) for row in rows])
    except ValueError as error:
        raise EvidenceRefused(f"stored evidence cannot be merged: {error}") from None


def by_rollout(bundles: Sequence[Bundle]) -> dict[int, bytes]:
    """Merges bundles and splits the sum by rollout, ascending; 0 is traffic without one.

    Raises:
        EvidenceRefused: A sum would overflow, or two bundles count one metric differently.
    """
    try:
        parts = Bundle.merge(list(bundles)).split()
    except ValueError as error:
        raise EvidenceRefused(f"the frames cannot be merged: {error}") from None
    return {rollout: parts[rollout].to_bytes() for rollout in sorted(parts)}
