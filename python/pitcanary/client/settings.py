"""What every client is told once, and what it does when no sidecar answers.

Without I/O: it maps a failed call to the bundled fallback or to an error that
says what to do. Reading the environment is the application's business.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import grpc

from pitcanary.client.fallback import Fallback
from pitcanary.client.requests import ResolveArguments
from pitcanary.client.resolved import ResolvedPrompt, resolved_from_response
from pitcanary.errors import InvalidRequest, PromptNotFound, SidecarUnavailable
from pitcanary.v1 import sidecar_pb2 as pb

logger = logging.getLogger(__name__)

_STATUS = {code.value[0]: code for code in grpc.StatusCode}

DEFAULT_TARGET = "unix:/run/pitcanary/sidecar.sock"
Seconds = float


@dataclass(frozen=True, slots=True)
class Settings:
    """Deadlines and fallbacks of a client.

    Attributes:
        fallbacks: Content by prompt name, used when the sidecar does not answer
            in time or does not know the prompt.
        resolve_deadline: Seconds a resolve may take before the fallback is used.
        report_deadline: Seconds a report may take; reports never block the app.
        max_pending_reports: More reports than this under way are dropped and counted.
        clock: Monotonic seconds, for latencies.
    """

    fallbacks: Mapping[str, Fallback] = field(default_factory=dict)
    resolve_deadline: Seconds = 0.25
    report_deadline: Seconds = 2.0
    max_pending_reports: int = 1_000
    clock: Callable[[], Seconds] = time.monotonic

    def recover(self, arguments: ResolveArguments, error: grpc.RpcError) -> ResolvedPrompt:
        """The fallback of the prompt, or an error that says what to do.

        Raises:
            PromptNotFound: The sidecar does not know the prompt and there is no fallback.
            InvalidRequest: The sidecar refused the request; a fallback would hide a bug.
            SidecarUnavailable: No answer in time and there is no fallback.
        """
        code, detail = _code(error), _detail(error)
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            raise InvalidRequest(detail) from error
        fallback = self.fallbacks.get(arguments.prompt)
        if fallback is not None:
            logger.warning("fallback_used prompt=%s code=%s", arguments.prompt, code.name)
            return fallback.resolve(arguments.prompt, arguments.variables, f"sidecar: {code.name}")
        if code is grpc.StatusCode.NOT_FOUND:
            raise PromptNotFound(detail) from error
        raise SidecarUnavailable(
            f"The sidecar gave no prompt `{arguments.prompt}` ({code.name}): {detail}. "
            "Start it, or bundle a fallback."
        ) from error

    def item(self, arguments: ResolveArguments, item: pb.ResolvedItem) -> ResolvedPrompt:
        """The result of one item of a batch, or what `recover` makes of its error."""
        if item.WhichOneof("result") == "response":
            return resolved_from_response(item.response)
        return self.recover(arguments, ItemFailure(item.error.code, item.error.message))


class ItemFailure(grpc.RpcError):
    """An item of a batch that failed as the unary call would have."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.number = code


def describe(error: grpc.RpcError) -> str:
    """What the sidecar said: the status and its sentence."""
    return f"{_code(error).name}: {_detail(error)}"


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    if isinstance(error, ItemFailure):
        return _STATUS.get(error.number, grpc.StatusCode.UNKNOWN)
    code = error.code() if isinstance(error, grpc.Call) else None
    return code if code is not None else grpc.StatusCode.UNKNOWN


def _detail(error: grpc.RpcError) -> str:
    return (error.details() or "") if isinstance(error, grpc.Call) else str(error)
