"""Serve `/metrics` from the counters of the Rust server, read when scraped.

Keeps no counts of its own and runs no thread between scrapes but the one that waits
for them. Names and labels are a promise to dashboards; labels are bounded where they
are counted, never here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from pitcanary.errors import SettingsRefused
from pitcanary.sidecar.counters import SidecarCounters


class Counted(Protocol):
    """Who has counters to read."""

    def counters(self) -> SidecarCounters:
        """Everything counted since the start."""
        ...


class SidecarCollector(Collector):
    """Turns the counters into metric families at every scrape."""

    def __init__(self, sidecar: Counted) -> None:
        self._sidecar = sidecar

    def collect(self) -> Iterator[Metric]:
        """Yields every family with the values of now."""
        counters = self._sidecar.counters()
        yield _resolves(counters)
        yield _resolve_seconds(counters)
        yield _by_label(
            "pitcanary_resolve_refused", "Resolves refused.", "code", counters["resolves_refused"]
        )
        yield _by_label(
            "pitcanary_reports", "Reports by what became of them.", "result", counters["reports"]
        )
        yield _by_label(
            "pitcanary_rejects", "Reports not counted, by reason.", "code", counters["rejects"]
        )
        yield from _configuration(counters)
        yield from _upload(counters)
        yield from _connections(counters)


class MetricsServer:
    """An HTTP server with one page; it ends with `close`."""

    def __init__(self, sidecar: Counted, address: str) -> None:
        host, port = _split(address)
        registry = CollectorRegistry()
        registry.register(SidecarCollector(sidecar))
        ProcessCollector(registry=registry)
        try:
            self._server, self._thread = start_http_server(port, addr=host, registry=registry)
        except OSError as error:
            raise SettingsRefused(f"`/metrics` cannot be served at `{address}`: {error}") from error
        self.address = f"{host}:{self._server.server_port}"

    def close(self) -> None:
        """Stops serving and waits for the thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SettingsRefused(f"`{address}` is no address for `/metrics`: give `HOST:PORT`")
    return host.strip("[]"), int(port)


def _resolves(counters: SidecarCounters) -> Metric:
    family = CounterMetricFamily(
        "pitcanary_resolve",
        "Prompts resolved.",
        labels=("prompt", "arm", "reason"),
    )
    for prompt, arm, reason, count in counters["resolves"]:
        family.add_metric((prompt, arm, reason), count)
    return family


def _resolve_seconds(counters: SidecarCounters) -> Metric:
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound_s, count in counters["resolve_seconds_buckets"]:
        total += count
        buckets.append((repr(bound_s), total))
    buckets.append(("+Inf", total + counters["resolve_seconds_above"]))
    family = HistogramMetricFamily("pitcanary_resolve_seconds", "Time to resolve, in the sidecar.")
    family.add_metric((), buckets, counters["resolve_seconds_sum"])
    return family


def _by_label(name: str, help_text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, help_text, labels=(label,))
    for value, count in counts.items():
        family.add_metric((value,), count)
    return family


def _gauge(name: str, help_text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, help_text, value=value)


def _configuration(counters: SidecarCounters) -> Iterator[Metric]:
    prefix = "pitcanary_sidecar"
    if (age_s := counters["config_age_seconds"]) is not None:
        yield _gauge(f"{prefix}_config_age_seconds", "Since a controller confirmed it.", age_s)
    yield _gauge(f"{prefix}_config_revision", "0: nothing to serve.", counters["config_revision"])
    yield _gauge(f"{prefix}_config_stale", "1: older than allowed.", counters["config_stale"])
    yield _gauge(f"{prefix}_unattended", "1: candidates get no traffic.", counters["unattended"])
    yield _gauge(
        f"{prefix}_breaker_tripped", "Rollouts taken back here.", counters["tripped_rollouts"]
    )
    yield _gauge(f"{prefix}_controller_connected", "1: the stream is up.", counters["connected"])
    yield _by_label(f"{prefix}_snapshots", "Snapshots heard.", "result", counters["snapshots"])


def _upload(counters: SidecarCounters) -> Iterator[Metric]:
    prefix = "pitcanary_sidecar"
    yield _by_label(
        f"{prefix}_frames", "Frames by what became of them.", "state", counters["frames"]
    )
    yield CounterMetricFamily(
        f"{prefix}_upload_failures", "Tries to upload.", value=counters["upload_failures"]
    )
    yield _gauge(f"{prefix}_frames_waiting", "Not committed.", counters["frames_waiting"])
    yield _gauge(f"{prefix}_frame_bytes_waiting", "Not committed.", counters["frame_bytes_waiting"])


def _connections(counters: SidecarCounters) -> Iterator[Metric]:
    prefix = "pitcanary_sidecar"
    yield _gauge(f"{prefix}_connections_open", "Open connections.", counters["connections_open"])
    yield _by_label(f"{prefix}_connections", "Connections.", "result", counters["connections"])
