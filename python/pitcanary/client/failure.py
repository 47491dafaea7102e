"""A call that the sidecar did not answer, in one form for every transport.

Internal: the public errors are made of it in `settings`.
"""

from __future__ import annotations

from typing import cast

import grpc

_STATUS: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


class CallFailed(Exception):
    """Raised inside the client when a call of the sidecar failed.

    Attributes:
        code: The gRPC status.
        message: What the sidecar or the transport said.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(f"{code.name}: {message}")
        self.code = code
        self.message = message


def failure_of(error: grpc.RpcError) -> CallFailed:
    """What gRPC raised; its errors are calls as well, which its types do not say."""
    call = cast("grpc.Call", error)
    return CallFailed(call.code(), call.details() or "")


def failure_of_number(number: int, message: str) -> CallFailed:
    """A status by its number; numbers that gRPC does not know become UNKNOWN."""
    return CallFailed(_STATUS.get(number, grpc.StatusCode.UNKNOWN), message)
