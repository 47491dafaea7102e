"""Uploaded frames over real gRPC into a real store: each counted once, or refused for good."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from pitcanary.controller.limits import Limits
from pitcanary.v1 import control_pb2, sketch_pb2
from tests.integration.controller.frames import Counts, Key, drawn, evidence, total_n, upload
from tests.integration.controller.harness import Running, running, store_file

NO_ROLLOUT = Key(rollout=0, arm=0)


def one_outcome(key: Key = NO_ROLLOUT) -> sketch_pb2.Evidence:
    counts = Counts()
    counts.add(3, 1)
    return evidence({key: counts})


async def stored(here: Running, rollout: int = 0) -> int:
    """How many observations wait for the next seal."""
    rows = await here.controller.access.read(lambda reader: reader.evidence.open(1, rollout))
    return sum(total_n(sketch_pb2.Evidence.FromString(row.evidence).cells) for row in rows)


async def refused(here: Running, request: control_pb2.UploadFrameRequest) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await here.control.UploadFrame(request)
    return error.value


async def test_a_repeated_frame_is_acknowledged_and_counted_once() -> None:
    async with running() as here:
        for _ in range(3):
            answer = await here.control.UploadFrame(upload(one_outcome(), 1))
            assert answer.committed_through == 1
        assert (await here.control.UploadFrame(upload(one_outcome(), 2))).committed_through == 2
        assert (await here.control.UploadFrame(upload(one_outcome(), 1))).committed_through == 2
        assert await stored(here) == 2


async def test_frames_of_another_start_of_the_sidecar_are_other_frames() -> None:
    async with running() as here:
        for boot_id in (b"boot-0123456789a", b"boot-0123456789b"):
            await here.control.UploadFrame(upload(one_outcome(), 1, boot_id=boot_id))
        assert await stored(here) == 2


async def test_what_was_committed_before_a_restart_is_not_counted_after_it(tmp_path: Path) -> None:
    address = store_file(tmp_path)
    async with running(address) as here:
        await here.control.UploadFrame(upload(one_outcome(), 1))
    async with running(address) as here:
        assert (await here.control.UploadFrame(upload(one_outcome(), 1))).committed_through == 1
        assert await stored(here) == 1


async def test_many_sidecars_at_once_lose_nothing_and_double_nothing() -> None:
    requests = [
        upload(evidence({NO_ROLLOUT: drawn(seed, 40, 0.1)}), seq, sidecar_id=f"sidecar-{sidecar}")
        for seed, (sidecar, seq) in enumerate((s, q) for s in range(20) for q in (1, 2, 3))
    ]
    async with running() as here:
        await asyncio.gather(*(here.control.UploadFrame(item) for item in requests))
        await asyncio.gather(*(here.control.UploadFrame(item) for item in requests))
        # Frames of one sidecar that overtake each other are dropped as old ones are.
        committed = here.controller.metrics.frames.labels("committed")._value.get()
        assert await stored(here) == 40 * committed
        assert committed >= 20


async def test_frames_that_arrive_in_order_are_all_counted() -> None:
    async def one_after_the_other(here: Running, sidecar: int) -> None:
        for seq in range(1, 11):
            counts = evidence({NO_ROLLOUT: drawn(sidecar * 100 + seq, 10, 0.1)})
            answer = await here.control.UploadFrame(
                upload(counts, seq, sidecar_id=f"sidecar-{sidecar}")
            )
            assert answer.committed_through == seq

    async with running() as here:
        await asyncio.gather(*(one_after_the_other(here, sidecar) for sidecar in range(10)))
        assert await stored(here) == 10 * 10 * 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            lambda request: request.MergeFrom(control_pb2.UploadFrameRequest(seq=7)),
            "names another sidecar, boot or number",
            id="the number outside is not the one inside",
        ),
        pytest.param(
            lambda request: request.MergeFrom(control_pb2.UploadFrameRequest(frame=b"\xff\xff")),
            "not a protobuf message",
            id="bytes that are no message",
        ),
    ],
)
async def test_a_malformed_frame_is_refused_for_good(change: object, words: str) -> None:
    request = upload(one_outcome(), 1)
    change(request)  # type: ignore[operator]
    async with running() as here:
        error = await refused(here, request)
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert words in (error.details() or "")
        assert await stored(here) == 0


async def test_counts_that_contradict_themselves_are_refused_and_leave_no_mark() -> None:
    broken = one_outcome()
    broken.cells[0].slices = b"\x80"
    async with running() as here:
        error = await refused(here, upload(broken, 1))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        await here.control.UploadFrame(upload(one_outcome(), 1))
        assert await stored(here) == 1


async def test_a_frame_of_an_environment_that_does_not_exist_is_refused() -> None:
    async with running() as here:
        error = await refused(here, upload(one_outcome(), 1, scope=("default", "elsewhere")))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "`default/elsewhere` does not exist" in (error.details() or "")


async def test_a_bad_frame_does_not_keep_its_neighbours_out() -> None:
    async with running() as here:
        uploads = [upload(one_outcome(), 1, sidecar_id=f"sidecar-{n}") for n in range(8)]
        uploads[3] = upload(one_outcome(), 1, scope=("default", "elsewhere"))
        answers = await asyncio.gather(
            *(here.control.UploadFrame(item) for item in uploads), return_exceptions=True
        )
        assert [isinstance(answer, grpc.aio.AioRpcError) for answer in answers].count(True) == 1
        assert await stored(here) == 7


async def test_evidence_of_an_unknown_rollout_is_counted_as_foreign_and_not_stored() -> None:
    async with running() as here:
        await here.control.UploadFrame(upload(one_outcome(Key(rollout=99, arm=0)), 1))
        assert await stored(here, 99) == 0
        assert here.controller.metrics.foreign_evidence._value.get() == 1


async def test_an_oversized_frame_is_refused_before_it_is_decoded() -> None:
    async with running(limits=Limits(frame_bytes=16)) as here:
        error = await refused(here, upload(one_outcome(), 1))
        assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "more than `16`" in (error.details() or "")


async def test_a_full_queue_asks_to_come_again() -> None:
    async with running(limits=Limits(queued_frames=0)) as here:
        error = await refused(here, upload(one_outcome(), 1))
        assert error.code() is grpc.StatusCode.UNAVAILABLE


async def test_stream_marks_are_kept_with_the_frame() -> None:
    async with running() as here:
        request = upload(one_outcome(), 1, stream_marks=[("client-a", 17)])
        await here.control.UploadFrame(request)
        here.clock.move(timedelta(seconds=1))
        marks = await here.controller.access.read(
            lambda reader: reader.marks.stream_marks(1, "sidecar-1")
        )
        assert marks == {"client-a": 17}
