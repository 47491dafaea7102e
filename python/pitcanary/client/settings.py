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

from pitcanary.client.failure import CallFailed, failure_of_number
from pitcanary.client.fallback import Fallback
from pitcanary.client.requests import ResolveArguments
from pitcanary.client.resolved import ResolvedPrompt, resolved_from_response
from pitcanary.errors import (
    InvalidRequest,
    PitcanaryError,
    PromptNotFound,
    ReportRefused,
    SidecarUnavailable,
)
from pitcanary.v1 import sidecar_pb2 as pb

logger = logging.getLogger(__name__)

DEFAULT_TARGET = "unix:/run/pitcanary/sidecar.sock"
Seconds = float

_TRANSIENT = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


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

    def recover(self, arguments: ResolveArguments, failure: CallFailed) -> ResolvedPrompt:
        """The fallback of the prompt, or an error that says what to do.

        Raises:
            PromptNotFound: The sidecar does not know the prompt and there is no fallback.
            InvalidRequest: The sidecar refused the request; a fallback would hide a bug.
            SidecarUnavailable: No answer in time and there is no fallback.
        """
        if failure.code is grpc.StatusCode.INVALID_ARGUMENT:
            raise InvalidRequest(failure.message) from failure
        code = failure.code.name
        fallback = self.fallbacks.get(arguments.prompt)
        if fallback is not None:
            logger.warning("fallback_used prompt=%s code=%s", arguments.prompt, code)
            return fallback.resolve(arguments.prompt, arguments.variables, f"sidecar: {code}")
        if failure.code is grpc.StatusCode.NOT_FOUND:
            raise PromptNotFound(failure.message) from failure
        raise SidecarUnavailable(
            f"The sidecar gave no prompt `{arguments.prompt}` ({failure}). "
            "Start it, or bundle a fallback."
        ) from failure

    def item(self, arguments: ResolveArguments, item: pb.ResolvedItem) -> ResolvedPrompt:
        """The result of one item of a batch, or what `recover` makes of its error."""
        if item.WhichOneof("result") == "response":
            return resolved_from_response(item.response)
        return self.recover(arguments, failure_of_number(item.error.code, item.error.message))


def score_refused(failure: CallFailed) -> PitcanaryError:
    """The error for a score that was not taken, by whether repeating it can help."""
    if failure.code in _TRANSIENT:
        return SidecarUnavailable(f"The sidecar did not take the score ({failure}). Send it again.")
    return ReportRefused(failure.message)
