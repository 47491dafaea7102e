"""What `/metrics` makes of the numbers of the server."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from pitcanary.errors import SettingsRefused
from pitcanary.sidecar.counters import SidecarCounters
from pitcanary.sidecar.metrics import MetricsServer, SidecarCollector

COUNTERS = SidecarCounters(
    resolves=[("greeting", "candidate", "SPLIT", 3)],
    resolve_seconds_buckets=[(1e-06, 1), (2e-06, 2)],
    resolve_seconds_above=4,
    resolve_seconds_sum=0.5,
    resolves_refused={"NOT_FOUND": 2},
    reports={"outcome": 5},
    rejects={"FORGED_TOKEN": 1},
    config_age_seconds=None,
    config_revision=0,
    config_stale=False,
    unattended=True,
    tripped_rollouts=0,
    connected=False,
    snapshots={"accepted": 1, "refused": 0},
    frames={"made": 2, "committed": 1, "dropped": 0},
    upload_failures=7,
    frames_waiting=1,
    frame_bytes_waiting=99,
    connections_open=2,
    connections={"accepted": 3},
)


class Fixed:
    """Counters that stand still."""

    def counters(self) -> SidecarCounters:
        return COUNTERS


def page() -> list[str]:
    registry = CollectorRegistry()
    registry.register(SidecarCollector(Fixed()))
    return generate_latest(registry).decode().splitlines()


def test_buckets_add_up_and_end_with_everything() -> None:
    assert [line for line in page() if line.startswith("pitcanary_resolve_seconds")] == [
        'pitcanary_resolve_seconds_bucket{le="1e-06"} 1.0',
        'pitcanary_resolve_seconds_bucket{le="2e-06"} 3.0',
        'pitcanary_resolve_seconds_bucket{le="+Inf"} 7.0',
        "pitcanary_resolve_seconds_count 7.0",
        "pitcanary_resolve_seconds_sum 0.5",
    ]


def test_an_age_that_is_not_known_is_left_out() -> None:
    lines = page()
    assert not [line for line in lines if "config_age" in line]
    assert "pitcanary_sidecar_config_revision 0.0" in lines
    assert "pitcanary_sidecar_unattended 1.0" in lines


def test_counts_have_their_labels() -> None:
    lines = page()
    assert 'pitcanary_resolve_total{arm="candidate",prompt="greeting",reason="SPLIT"} 3.0' in lines
    assert 'pitcanary_rejects_total{code="FORGED_TOKEN"} 1.0' in lines
    assert 'pitcanary_sidecar_frames_total{state="committed"} 1.0' in lines


@pytest.mark.parametrize("address", ["9464", "localhost:", "localhost:port", ":9464"])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(SettingsRefused, match="HOST:PORT"):
        MetricsServer(Fixed(), address)
