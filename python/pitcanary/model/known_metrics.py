"""The metrics that exist without being defined: their names and what they observe.

Data only. Authors may override any field, or define flags and scores of their own.
"""

from __future__ import annotations

from types import MappingProxyType

from pitcanary.errors import InvalidValue, nearest
from pitcanary.model.metric import Direction, Metric, MetricKind, MetricSource


def _rate(name: str, source: MetricSource = MetricSource.FLAG, *, gating: bool = True) -> Metric:
    return Metric(name, MetricKind.RATE, source, gating=gating)


def _score(name: str) -> Metric:
    return Metric(
        name,
        MetricKind.SCORE,
        MetricSource.SCORE,
        direction=Direction.DOWN,
        minimum=0.0,
        maximum=1.0,
    )


def _quantile(name: str, source: MetricSource, quantile: float, *, gating: bool = True) -> Metric:
    return Metric(name, MetricKind.QUANTILE, source, quantile=quantile, gating=gating)


def _mean(name: str, source: MetricSource) -> Metric:
    return Metric(name, MetricKind.MEAN, source)


KNOWN_METRICS = MappingProxyType(
    {
        metric.name: metric
        for metric in (
            _rate("error", MetricSource.ERROR),
            _rate("schema_failure", MetricSource.SCHEMA_FAILURE),
            _rate("refusal"),
            _rate("hallucination"),
            # So rare that waiting for its PASS would block most rollouts.
            _rate("toxicity", gating=False),
            _score("adherence"),
            _score("factuality"),
            _score("human_rating"),
            _quantile("latency_p50", MetricSource.LATENCY, 0.50),
            _quantile("latency_p95", MetricSource.LATENCY, 0.95),
            # At 1 % share its PASS takes ten times the traffic of the p95's.
            _quantile("latency_p99", MetricSource.LATENCY, 0.99, gating=False),
            _quantile("time_to_first_token_p95", MetricSource.TIME_TO_FIRST_TOKEN, 0.95),
            _mean("cost", MetricSource.COST),
            _mean("input_tokens", MetricSource.INPUT_TOKENS),
            _mean("output_tokens", MetricSource.OUTPUT_TOKENS),
        )
    }
)


def known_metric(name: str) -> Metric:
    """The definition behind a name.

    Raises:
        InvalidValue: When there is none; names the nearest.
    """
    if name in KNOWN_METRICS:
        return KNOWN_METRICS[name]
    raise InvalidValue(f"metric `{name}` is not defined{nearest(name, KNOWN_METRICS)}")
