"""What the controller counts about itself, on a registry of its own.

Figures of rollouts come from `controller.figures`. Labels are closed sets of
words: no unit, no version, no text of a prompt or an answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from pitcanary.controller.address import split_address
from pitcanary.controller.figures import RolloutCollector

FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The controller's counters; one instance per process."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self.registry = registry
        self.rollouts = RolloutCollector()
        registry.register(self.rollouts)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"pitcanary_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"pitcanary_{name}", text, registry=registry)

        def seconds(name: str, text: str) -> Histogram:
            return Histogram(f"pitcanary_{name}_seconds", text, buckets=FAST, registry=registry)

        self.frames = counter("frames", "Uploaded frames by what became of them", "result")
        self.frames_waiting = gauge("frames_waiting", "Frames that wait for their commit")
        self.frame_commit = seconds("frame_commit", "Commit of one group of frames")
        self.foreign_evidence = counter(
            "foreign_evidence", "Uploaded evidence of rollouts that do not exist"
        )
        self.sidecars_connected = gauge("sidecars_connected", "Open config streams")
        self.config_refusals = counter("config_refusals", "Configurations refused by a sidecar")
        self.config_propagation = seconds(
            "config_propagation", "From publication to a sidecar's acknowledgement"
        )
        self.rollback_propagation = seconds(
            "rollback_propagation", "From publication of a rollback to a sidecar's acknowledgement"
        )
        self.breach_to_push = seconds(
            "breach_to_push", "From the arrival of the evidence that breached to the push"
        )
        self.ticks = counter("ticks", "Ticks of rollouts by what became of them", "result")
        self.tick = seconds("tick", "One tick of one rollout, commit included")
        self.loop_stalled = gauge("loop_stalled", "1 while a rollout is overdue by three intervals")
        self.leader = gauge("leader", "1 while this process decides")
        self.decisions = counter("decisions", "Recorded decisions", "prompt", "decision", "reason")
        self.rollbacks = counter("rollbacks", "Rollouts taken back", "prompt", "trigger", "metric")
        self.task_failures = counter(
            "task_failures", "Background tasks that failed unexpectedly and were restarted", "task"
        )
        self.webhooks = counter("webhooks", "Webhook deliveries by result", "result")


@dataclass(frozen=True, slots=True)
class MetricsServer:
    """A running `/metrics`."""

    address: str
    stop: Callable[[], None]


def serve(registry: CollectorRegistry, address: str) -> MetricsServer:
    """Serves `/metrics` on a thread of its own; port 0 takes a free one.

    Raises:
        SettingsRefused: The address is malformed.
        OSError: The address is taken.
    """
    host, port = split_address(address)
    server, thread = start_http_server(port, host, registry)
    return MetricsServer(f"{host}:{server.server_port}", lambda: _stop(server, thread))


def _stop(server: WSGIServer, thread: threading.Thread) -> None:
    server.shutdown()
    server.server_close()
    thread.join()
