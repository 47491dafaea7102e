"""Reads an uploaded frame and refuses what is not one.

A refusal here is final: the same bytes would be refused again, so the sidecar
must not send them again. Nothing is stored here; queueing and committing live in
`controller.ingest` and `controller.commit`.
"""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from pitcanary._native import Bundle
from pitcanary.controller.evidence import bundle_of_frame
from pitcanary.errors import EvidenceRefused
from pitcanary.store.interface import Scope
from pitcanary.v1 import control_pb2, sketch_pb2

BOOT_ID_BYTES = 16
SIDECAR_ID_LENGTH = 200


@dataclass(frozen=True, slots=True)
class UploadedFrame:
    """A sound frame; `size` is that of its bytes."""

    scope: Scope
    sidecar_id: str
    boot_id: bytes
    seq: int
    stream_marks: tuple[tuple[str, int], ...]
    bundle: Bundle
    size: int


def read_frame(request: control_pb2.UploadFrameRequest, max_bytes: int) -> UploadedFrame:
    """Decodes an upload and checks it against its envelope.

    Raises:
        EvidenceRefused: The frame is too large, is not a frame, says another sender
            or number than the upload, or its counts contradict themselves.
    """
    if len(request.frame) > max_bytes:
        raise EvidenceRefused(f"frame has `{len(request.frame)}` bytes, more than `{max_bytes}`")
    frame = _parse(request.frame)
    if (frame.sidecar_id, frame.boot_id, frame.seq) != (
        request.sidecar_id, request.boot_id, request.seq
    ):  # fmt: skip
        raise EvidenceRefused("frame names another sidecar, boot or number than its upload")
    if not 0 < len(frame.sidecar_id) <= SIDECAR_ID_LENGTH:
        raise EvidenceRefused(f"sidecar_id must have 1 to `{SIDECAR_ID_LENGTH}` characters")
    if len(frame.boot_id) != BOOT_ID_BYTES or frame.seq == 0:
        raise EvidenceRefused(f"boot_id must have `{BOOT_ID_BYTES}` bytes, and seq counts from 1")
    return UploadedFrame(
        scope=Scope(frame.namespace, frame.environment),
        sidecar_id=frame.sidecar_id,
        boot_id=frame.boot_id,
        seq=frame.seq,
        stream_marks=tuple((mark.client_stream_id, mark.through) for mark in frame.stream_marks),
        bundle=bundle_of_frame(request.frame),
        size=len(request.frame),
    )


def _parse(data: bytes) -> sketch_pb2.Frame:
    try:
        return sketch_pb2.Frame.FromString(data)
    except DecodeError:
        raise EvidenceRefused("frame is not a protobuf message of type `Frame`") from None
