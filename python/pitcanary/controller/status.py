"""Which gRPC status tells which error.

One table for all services, so that a client can act on the code alone: try again,
read again, or stop.
"""

from __future__ import annotations

import grpc

from pitcanary.errors import (
    AlreadyExists,
    Conflict,
    EvidenceRefused,
    InvalidValue,
    ManifestRefused,
    NotFound,
    PitcanaryError,
    StoreUnavailable,
    TransitionRefused,
)

_CODES: dict[type[PitcanaryError], grpc.StatusCode] = {
    AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    Conflict: grpc.StatusCode.ABORTED,
    EvidenceRefused: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidValue: grpc.StatusCode.INVALID_ARGUMENT,
    ManifestRefused: grpc.StatusCode.INVALID_ARGUMENT,
    NotFound: grpc.StatusCode.NOT_FOUND,
    StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    TransitionRefused: grpc.StatusCode.FAILED_PRECONDITION,
}


def status_of(error: PitcanaryError) -> grpc.StatusCode:
    """The status code of an error; INTERNAL for one that no caller can act on."""
    return _CODES.get(type(error), grpc.StatusCode.INTERNAL)
