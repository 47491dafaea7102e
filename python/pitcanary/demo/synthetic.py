"""Made-up outcomes: tables that the traffic draws from, from a seeded generator.

Latencies are lognormal, failures and flags are coin throws. Nothing here knows
what a rollout makes of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random  # noqa: TID251 - seeded by the caller

from pitcanary.v1 import sidecar_pb2 as pb

ROWS = 4_000


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the answers of one version turn out.

    Attributes:
        error_rate: Part of the calls that fail.
        unresolved_rate: Part of the answers that leave the user without help.
        median_latency_s: Median of the whole call in seconds.
        latency_sigma: Standard deviation of the logarithm of the latency.
        output_tokens: Mean number of output tokens.
    """

    error_rate: float
    unresolved_rate: float
    median_latency_s: float = 0.9
    latency_sigma: float = 0.35
    output_tokens: float = 180.0

    def table(self, seed: int) -> tuple[bytes, ...]:
        """Encoded reports without tokens, the same for the same seed."""
        generator = Random(seed)  # noqa: S311 - made-up outcomes, not secrets
        return tuple(self._row(generator).SerializeToString() for _ in range(ROWS))

    def _row(self, generator: Random) -> pb.ReportOutcomeRequest:
        if generator.random() < self.error_rate:
            return pb.ReportOutcomeRequest(
                status=pb.OUTCOME_STATUS_ERROR, error_class=pb.ERROR_CLASS_PROVIDER
            )
        latency_s = self.median_latency_s * math.exp(generator.gauss(0, self.latency_sigma))
        return pb.ReportOutcomeRequest(
            status=pb.OUTCOME_STATUS_OK,
            latency_us=round(latency_s * 1e6),
            time_to_first_token_us=round(latency_s * 2e5),
            input_tokens=max(1, round(generator.gauss(650, 120))),
            output_tokens=max(1, round(generator.gauss(self.output_tokens, 40))),
            scores={"unresolved": float(generator.random() < self.unresolved_rate)},
        )


TODAY = Behaviour(error_rate=0.04, unresolved_rate=0.12)
HARMFUL = Behaviour(error_rate=0.13, unresolved_rate=0.22, median_latency_s=1.0)
GOOD = Behaviour(error_rate=0.04, unresolved_rate=0.12, output_tokens=150.0)
