"""What the hub promises to sidecars: newest wins, nothing goes back, refusals are seen."""

from __future__ import annotations

import asyncio
import logging

import pytest

from pitcanary.controller.connection import Connection, Published, version_message, version_of
from pitcanary.controller.hub import ConfigHub
from pitcanary.controller.metrics import Metrics
from pitcanary.store.interface import ConfigVersion, SidecarHello
from pitcanary.v1 import control_pb2

ENVIRONMENT = 1


class Seconds:
    """A monotonic clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def hub(seconds: Seconds) -> ConfigHub:
    return ConfigHub(Metrics(), seconds, straggler_seconds=30.0)


def hello(sidecar: str, serving: ConfigVersion | None = None) -> SidecarHello:
    return SidecarHello(ENVIRONMENT, sidecar, b"b" * 16, "test", (), "replica", serving)


def published(revision: int, *withdrawn: int) -> Published:
    version = ConfigVersion(1, revision)
    snapshot = control_pb2.Snapshot(config_version=version_message(version))
    message = control_pb2.StreamConfigResponse(snapshot=snapshot)
    return Published(version, message, frozenset(withdrawn))


async def sent(connection: Connection) -> control_pb2.StreamConfigResponse:
    message = await asyncio.wait_for(connection.next(), 5)
    assert message is not None
    return message


async def test_a_slow_sidecar_gets_the_newest_configuration_only(hub: ConfigHub) -> None:
    connection = hub.join(hello("a"))
    for revision in (1, 2, 3):
        hub.publish(ENVIRONMENT, published(revision))
    message = await sent(connection)
    assert version_of(message.snapshot.config_version) == ConfigVersion(1, 3)


async def test_an_older_configuration_is_never_published(hub: ConfigHub) -> None:
    assert hub.publish(ENVIRONMENT, published(2))
    assert not hub.publish(ENVIRONMENT, published(2))
    assert not hub.publish(ENVIRONMENT, published(1))
    assert hub.current(ENVIRONMENT) == ConfigVersion(1, 2)


async def test_who_joins_gets_the_current_configuration_then_keep_alives(hub: ConfigHub) -> None:
    hub.publish(ENVIRONMENT, published(1))
    connection = hub.join(hello("a"))
    assert (await sent(connection)).WhichOneof("message") == "snapshot"
    hub.confirm(ENVIRONMENT)
    message = await sent(connection)
    assert version_of(message.keep_alive.config_version) == ConfigVersion(1, 1)


async def test_a_closed_stream_ends(hub: ConfigHub) -> None:
    connection = hub.join(hello("a"))
    hub.close()
    assert await asyncio.wait_for(connection.next(), 5) is None


async def test_settled_waits_for_everybody_and_takes_a_refusal_for_an_answer(
    hub: ConfigHub,
) -> None:
    first, second = hub.join(hello("a")), hub.join(hello("b"))
    version = ConfigVersion(1, 1)
    hub.publish(ENVIRONMENT, published(1))
    waiting = asyncio.create_task(hub.settled(ENVIRONMENT, version))
    hub.acknowledged(first, version)
    await asyncio.sleep(0)
    assert not waiting.done()
    hub.refused(second, version, "unknown capability")
    await asyncio.wait_for(waiting, 5)
    assert (second.refused, second.refusal) == (version, "unknown capability")


async def test_settled_does_not_wait_for_who_left(hub: ConfigHub) -> None:
    connection = hub.join(hello("a"))
    waiting = asyncio.create_task(hub.settled(ENVIRONMENT, ConfigVersion(1, 1)))
    await asyncio.sleep(0)
    hub.leave(connection)
    await asyncio.wait_for(waiting, 5)


async def test_a_later_acknowledgement_clears_a_refusal(hub: ConfigHub) -> None:
    connection = hub.join(hello("a"))
    hub.refused(connection, ConfigVersion(1, 1), "broken")
    hub.acknowledged(connection, ConfigVersion(1, 2))
    assert (connection.refused, connection.refusal) == (None, "")


async def test_a_rollback_is_followed_until_the_last_sidecar_serves_it(
    hub: ConfigHub, seconds: Seconds
) -> None:
    streams = [hub.join(hello(name)) for name in ("a", "b", "c")]
    hub.publish(ENVIRONMENT, published(1))
    hub.publish(ENVIRONMENT, published(2, 7))
    for stream, after in zip(streams[:2], (0.1, 0.3), strict=True):
        seconds.now = 100.0 + after
        hub.acknowledged(stream, ConfigVersion(1, 2))
    report = hub.rollback_report(ENVIRONMENT, 7)
    assert report is not None
    assert (report.expected, report.acknowledged) == (3, 2)
    assert report.stragglers == ("c",)
    assert report.p50_seconds == pytest.approx(0.1)
    assert report.p99_seconds == pytest.approx(0.3)


async def test_a_straggler_that_comes_back_serving_it_is_counted(
    hub: ConfigHub, seconds: Seconds
) -> None:
    stream = hub.join(hello("a"))
    hub.publish(ENVIRONMENT, published(1))
    hub.publish(ENVIRONMENT, published(2, 7))
    hub.leave(stream)
    seconds.now += 3
    hub.join(hello("a", ConfigVersion(1, 2)))
    report = hub.rollback_report(ENVIRONMENT, 7)
    assert report is not None
    assert report.complete


@pytest.mark.parametrize(
    ("acknowledge", "level"),
    [
        pytest.param(True, logging.INFO, id="everybody serves it"),
        pytest.param(False, logging.ERROR, id="somebody is late"),
    ],
)
async def test_the_end_of_a_rollbacks_way_is_logged_with_the_stragglers_names(
    hub: ConfigHub,
    seconds: Seconds,
    caplog: pytest.LogCaptureFixture,
    acknowledge: bool,
    level: int,
) -> None:
    stream = hub.join(hello("pod-3"))
    hub.publish(ENVIRONMENT, published(1))
    hub.publish(ENVIRONMENT, published(2, 7))
    with caplog.at_level(logging.INFO, "pitcanary.controller.hub"):
        if acknowledge:
            hub.acknowledged(stream, ConfigVersion(1, 2))
        seconds.now += 31
        hub.confirm(ENVIRONMENT)
    (record,) = [item for item in caplog.records if "rollback_propagated" in item.message]
    assert record.levelno == level
    assert ("stragglers=pod-3" in record.message) is not acknowledge


def test_only_rollbacks_that_are_new_count_as_rollbacks(hub: ConfigHub) -> None:
    hub.publish(ENVIRONMENT, published(1, 7))
    hub.publish(ENVIRONMENT, published(2, 7))
    assert hub.rollback_report(ENVIRONMENT, 7) is None
