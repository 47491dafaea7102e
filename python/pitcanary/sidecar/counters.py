"""What the Rust server counts, as it hands it over.

A shape only: the numbers are read by `_native.Sidecar.counters` and shown by `metrics`.
"""

from __future__ import annotations

from typing import TypedDict


class SidecarCounters(TypedDict):
    """Everything a sidecar counts about itself, since its start unless it is a state."""

    resolves: list[tuple[str, str, str, int]]
    """Prompt, arm, reason and how many."""
    resolve_seconds_buckets: list[tuple[float, int]]
    """Upper bound and how many lie between it and the bound before."""
    resolve_seconds_above: int
    resolve_seconds_sum: float
    resolves_refused: dict[str, int]
    reports: dict[str, int]
    rejects: dict[str, int]
    config_age_seconds: float | None
    config_revision: int
    config_stale: bool
    unattended: bool
    tripped_rollouts: int
    connected: bool
    snapshots: dict[str, int]
    frames: dict[str, int]
    upload_failures: int
    frames_waiting: int
    frame_bytes_waiting: int
    connections_open: int
    connections: dict[str, int]
