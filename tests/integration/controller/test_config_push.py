"""From a change through the admin service to what a connected sidecar serves."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from pitcanary.v1 import admin_pb2, control_pb2
from tests.integration.controller.harness import FakeSidecar, running, store_file

TIMEOUT = 10


async def test_the_first_version_of_a_prompt_needs_nothing_and_reaches_the_sidecar() -> None:
    async with running() as here, FakeSidecar(here.control).connected() as sidecar:
        before = await sidecar.until(0)
        assert not before.prompts
        version = await here.push("greeting", "Hello", "production")
        assert (version.number, list(version.labels)) == (1, ["production"])
        snapshot = await sidecar.until(before.config_version.revision + 1)
        (prompt,) = snapshot.prompts
        (content,) = snapshot.versions
        assert (prompt.name, prompt.labels[0].version) == ("greeting", content.id)
        assert (content.text, content.ref.digest) == ("Hello", version.digest)
        assert len(snapshot.token_keys[0].secret) == 32
        assert snapshot.namespace_salt


async def test_pushing_the_same_content_twice_is_one_version() -> None:
    async with running() as here:
        request = admin_pb2.PushVersionRequest(prompt="p", version_json='{"text": "a"}')
        first = await here.admin.PushVersion(request)
        request.version_json = '{"syntax": "plain", "text": "a"}'
        second = await here.admin.PushVersion(request)
        assert (first.created, second.created) == (True, False)
        assert first.version == second.version


async def test_a_push_never_moves_a_label_that_exists() -> None:
    async with running() as here:
        await here.push("p", "one", "production")
        second = await here.push("p", "two", "production", "next")
        assert (second.number, list(second.labels)) == (2, ["next"])


async def test_moving_a_label_is_pushed_and_recorded() -> None:
    async with running() as here, FakeSidecar(here.control).connected() as sidecar:
        await here.push("p", "one", "production")
        second = await here.push("p", "two")
        moved = await here.admin.MoveLabel(
            admin_pb2.MoveLabelRequest(prompt="p", label="production", number=2, actor="ann")
        )
        assert moved.previous_number == 1
        snapshot = await sidecar.until(moved.config_version.revision)
        (content,) = snapshot.versions
        assert content.ref.number == second.number
        prompts = (await here.admin.ListPrompts(admin_pb2.ListPromptsRequest())).prompts
        assert [(label.label, label.number) for label in prompts[0].labels] == [("production", 2)]


async def test_a_repeated_key_gets_the_first_answer_and_changes_nothing() -> None:
    async with running() as here:
        await here.push("p", "one", "production")
        await here.push("p", "two")
        request = admin_pb2.MoveLabelRequest(
            prompt="p", label="production", number=2, idempotency_key="k"
        )
        first = await here.admin.MoveLabel(request)
        assert await here.admin.MoveLabel(request) == first
        request.number = 1
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await here.admin.MoveLabel(request)
        assert refused.value.code() is grpc.StatusCode.ABORTED


@pytest.mark.parametrize(
    ("request_", "code", "words"),
    [
        pytest.param(
            admin_pb2.GetVersionRequest(prompt="greting", number=1),
            grpc.StatusCode.NOT_FOUND, "did you mean `greeting`?",
            id="a misspelt prompt is told with the nearest name",
        ),
        pytest.param(
            admin_pb2.GetVersionRequest(prompt="greeting", number=9),
            grpc.StatusCode.NOT_FOUND, "no version `9`; its newest is `1`",
            id="a version that does not exist",
        ),
        pytest.param(
            admin_pb2.GetVersionRequest(
                scope=admin_pb2.Scope(environment="prodution"), prompt="greeting", number=1
            ),
            grpc.StatusCode.NOT_FOUND, "did you mean `default/production`?",
            id="an environment that does not exist",
        ),
    ],
)  # fmt: skip
async def test_reading_what_does_not_exist_says_what_does(
    request_: admin_pb2.GetVersionRequest, code: grpc.StatusCode, words: str
) -> None:
    async with running() as here:
        await here.push("greeting", "Hello", "production")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await here.admin.GetVersion(request_)
        assert refused.value.code() is code
        assert words in (refused.value.details() or "")


async def test_keep_alives_name_the_current_configuration() -> None:
    async with running() as here, FakeSidecar(here.control).connected() as sidecar:
        snapshot = await sidecar.until(0)
        assert await sidecar.until_alive() == snapshot.config_version


async def test_a_refused_configuration_is_visible_until_a_good_one_comes() -> None:
    async with running() as here:
        sidecar = FakeSidecar(here.control, refuse="capability `x` is not known")
        async with sidecar.connected():
            await sidecar.until(0)
            await here.settled()
            await here.controller.fleet.flush()
            (info,) = (await here.admin.ListSidecars(admin_pb2.ListSidecarsRequest())).sidecars
            assert (info.connected, info.nack_reason) == (True, "capability `x` is not known")
            sidecar.refuse = ""
            await here.push("p", "one", "production")
            await here.settled()
            await here.controller.fleet.flush()
            answer = await here.admin.ListSidecars(admin_pb2.ListSidecarsRequest())
            assert answer.sidecars[0].nack_reason == ""
            assert answer.sidecars[0].acknowledged == answer.config_version


async def test_a_sidecar_that_left_is_listed_as_not_connected() -> None:
    async with running() as here:
        async with FakeSidecar(here.control).connected() as sidecar:
            await sidecar.until(0)
        while here.controller.hub.environments():
            await here.controller.hub.changed()
        await here.controller.fleet.flush()
        (info,) = (await here.admin.ListSidecars(admin_pb2.ListSidecarsRequest())).sidecars
        assert not info.connected


async def test_a_store_that_fell_behind_its_sidecars_raises_its_incarnation(
    tmp_path: Path,
) -> None:
    held = control_pb2.ConfigVersion(store_incarnation=1, revision=900)
    async with running(store_file(tmp_path)) as here:
        sidecar = FakeSidecar(here.control, held=held)
        async with sidecar.connected():
            snapshot = await sidecar.until(0)
            assert snapshot.config_version.store_incarnation == 2
            await here.push("p", "one", "production")
            later = await sidecar.until(snapshot.config_version.revision + 1)
            assert later.config_version.store_incarnation == 2


async def test_a_sidecar_of_another_store_is_sent_away() -> None:
    held = control_pb2.ConfigVersion(store_incarnation=2**40, revision=1)
    async with running() as here:
        stream = here.control.StreamConfig()
        hello = FakeSidecar(here.control, held=held).hello()
        await stream.write(control_pb2.StreamConfigRequest(hello=hello))
        with pytest.raises(grpc.aio.AioRpcError, match="point the sidecar at its own controller"):
            await stream.read()


async def test_a_stream_that_does_not_start_with_hello_is_refused() -> None:
    async with running() as here:
        stream = here.control.StreamConfig()
        await stream.write(control_pb2.StreamConfigRequest(ack=control_pb2.Ack()))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stream.read()
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
