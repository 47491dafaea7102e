"""What leaves a block is reported once and counted by a real sidecar."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from pitcanary.client import AsyncClient, Call, Client, Fallback
from pitcanary.client.call import ErrorClass
from pitcanary.errors import ReportRefused, SidecarUnavailable
from tests.integration.client.fleet import PATIENCE, PROMPT, Sidecar


def by_number(number: int) -> str:
    return f"user-{number}"


class Counted:
    """How many outcomes the sidecar has counted since the test began."""

    def __init__(self, sidecar: Sidecar) -> None:
        self._sidecar = sidecar
        self._before = sidecar.outcomes()

    def __call__(self) -> float:
        return self._sidecar.outcomes() - self._before


@pytest.fixture
def counted(sidecar: Sidecar) -> Counted:
    return Counted(sidecar)


def test_a_block_is_one_outcome(client: Client, counted: Counted) -> None:
    with client.use(PROMPT, unit="user-1") as call:
        call.tokens(input=120, output=40, cached_input=20)
        call.cost(0.002)
        call.model("small", finish_reason="stop")
        call.output("Dear Ada", context="order 17")
        call.score("resolved", 1)
    assert client.flush(PATIENCE)
    assert (counted(), client.reports.accepted) == (1, 1)


@pytest.mark.parametrize("error", [ValueError, TimeoutError, KeyboardInterrupt, GeneratorExit])
def test_whatever_leaves_the_block_still_leaves_it(
    client: Client, counted: Counted, error: type[BaseException]
) -> None:
    with pytest.raises(error), client.use(PROMPT, unit="user-1"):
        raise error
    assert client.flush(PATIENCE)
    assert (counted(), client.reports.failed) == (1, 0)


@pytest.mark.parametrize("error_class", ErrorClass, ids=lambda each: each.name)
def test_the_sidecar_knows_every_class(
    client: Client, counted: Counted, error_class: ErrorClass
) -> None:
    with client.use(PROMPT, unit="user-1") as call:
        call.fail(error_class)
    assert client.flush(PATIENCE)
    assert (counted(), client.reports.failed) == (1, 0)


def test_a_function_is_decorated(client: Client, counted: Counted) -> None:
    @client.prompted(PROMPT, unit=by_number)
    def answer(call: Call, number: int) -> str:
        """Answers."""
        return f"{call.prompt.name} for {number}"

    assert answer(7) == f"{PROMPT} for 7"
    assert answer.__doc__ == "Answers."
    assert client.flush(PATIENCE)
    assert counted() == 1


def test_a_generator_is_reported_when_it_ends_breaks_or_is_closed(
    client: Client, counted: Counted
) -> None:
    closed: list[int] = []

    @client.prompted(PROMPT, unit=by_number)
    def answer(call: Call, number: int) -> Iterator[str]:
        try:
            yield "a"
            if number == 2:
                raise ConnectionError
            yield "b"
        finally:
            call.tokens(output=number)  # before the report: a later call would say nothing
            closed.append(number)

    assert list(answer(1)) == ["a", "b"]
    with pytest.raises(ConnectionError):
        list(answer(2))
    early = answer(3)
    assert next(iter(early)) == "a"
    assert counted() < 3  # the third is still under way
    early.close()  # type: ignore[attr-defined]
    assert closed == [1, 2, 3]
    assert client.flush(PATIENCE)
    assert (counted(), client.reports.failed) == (3, 0)


def test_a_function_for_asyncio_is_refused_where_nothing_awaits_it(client: Client) -> None:
    async def answer(call: Call, number: int) -> str:
        return f"{call.prompt.name} {number}"

    with pytest.raises(TypeError, match="AsyncClient"):
        client.prompted(PROMPT, unit=by_number)(answer)


def test_a_fallback_is_never_reported(sidecar: Sidecar, counted: Counted) -> None:
    fallbacks = {"nobody": Fallback(text="Hello.")}
    with (
        Client(sidecar.unix, fallbacks=fallbacks, resolve_deadline=PATIENCE) as client,
        client.use("nobody") as call,
    ):
        call.tokens(input=1)
    assert (client.reports.accepted, client.reports.failed, counted()) == (0, 0, 0)


def test_the_same_answer_is_counted_once(
    sidecar: Sidecar, client: Client, counted: Counted
) -> None:
    duplicates = sidecar.counted("pitcanary_reports_total", result="duplicate")
    resolved = client.resolve(PROMPT, unit="user-1")
    for _ in range(2):
        with client.call(resolved):
            pass
        assert client.flush(PATIENCE)
    assert counted() == 1
    assert sidecar.counted("pitcanary_reports_total", result="duplicate") == duplicates + 1


def test_a_report_the_sidecar_refuses_is_counted_and_not_raised(
    client: Client, counted: Counted
) -> None:
    with client.use(PROMPT, unit="user-1") as call:
        call.score("helpful", float("nan"))
    assert client.flush(PATIENCE)
    assert (client.reports.failed, counted()) == (1, 0)


def test_no_report_waits_and_none_is_lost_from_the_counts(sidecar: Sidecar) -> None:
    blocks = 200
    with Client(
        sidecar.unix,
        resolve_deadline=PATIENCE,
        report_deadline=PATIENCE,
        max_pending_reports=3,
    ) as client:
        before = sidecar.outcomes()
        resolved = [client.resolve(PROMPT, unit=f"user-{number}") for number in range(blocks)]
        for each in resolved:
            with client.call(each):
                pass
        assert client.flush(PATIENCE)
        counts = client.reports
    assert counts.pending == counts.failed == 0
    assert counts.accepted + counts.dropped == blocks
    assert sidecar.outcomes() - before == counts.accepted


def test_no_room_for_reports_means_none_are_sent(sidecar: Sidecar, counted: Counted) -> None:
    with (
        Client(sidecar.unix, resolve_deadline=PATIENCE, max_pending_reports=0) as client,
        client.use(PROMPT, unit="user-1"),
    ):
        pass
    assert (client.reports.dropped, counted()) == (1, 0)


# Scores


def test_a_late_score_is_counted_once_per_scorer(sidecar: Sidecar, client: Client) -> None:
    before = sidecar.counted("pitcanary_reports_total", result="score")
    token = client.resolve(PROMPT, unit="user-1").token
    assert client.score(token, "helpfulness", 0.5, scorer="judge-1")
    assert not client.score(token, "helpfulness", 0.9, scorer="judge-1")
    assert client.score(token, "helpfulness", 0.9, scorer="ada")
    assert sidecar.counted("pitcanary_reports_total", result="score") - before == 2


def test_a_score_for_nothing_is_refused(client: Client) -> None:
    with pytest.raises(ReportRefused, match="token"):
        client.score(b"nonsense", "helpfulness", 0.5)


def test_a_score_that_found_no_sidecar_may_be_repeated(tmp_path: object) -> None:
    with Client(f"unix:{tmp_path}/nobody.sock") as client, pytest.raises(SidecarUnavailable):
        client.score(b"t" * 48, "helpfulness", 0.5)


# asyncio


async def test_an_asynchronous_block_is_one_outcome(sidecar: Sidecar, counted: Counted) -> None:
    async with AsyncClient(
        sidecar.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE
    ) as client:
        async with client.use(PROMPT, unit="user-1") as call:
            call.tokens(input=1)
        with pytest.raises(ValueError, match="bad"):
            async with client.use(PROMPT, unit="user-2"):
                raise ValueError("bad")
        assert await client.flush(PATIENCE)
        assert (client.reports.accepted, counted()) == (2, 2)


async def test_a_cancelled_task_reports_and_stays_cancelled(
    sidecar: Sidecar, counted: Counted
) -> None:
    client = AsyncClient(sidecar.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE)
    inside = asyncio.Event()

    @client.prompted(PROMPT, unit=by_number)
    async def answer(call: Call, number: int) -> str:
        inside.set()
        await asyncio.Event().wait()
        return f"never: {call.prompt.name} {number}"

    task = asyncio.ensure_future(answer(1))
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
    assert (client.reports.accepted, counted()) == (1, 1)


def test_one_asynchronous_client_serves_one_loop_after_another(
    sidecar: Sidecar, counted: Counted
) -> None:
    client = AsyncClient(sidecar.unix, resolve_deadline=PATIENCE, report_deadline=PATIENCE)

    async def ask() -> None:
        async with client, client.use(PROMPT, unit="user-1"):
            pass

    asyncio.run(ask())
    asyncio.run(ask())
    assert (client.reports.accepted, counted()) == (2, 2)


async def test_an_asynchronous_generator_is_refused_with_a_way_out(sidecar: Sidecar) -> None:
    async def answer(call: Call, number: int) -> object:
        yield f"{call.prompt.name} {number}"

    async with AsyncClient(sidecar.unix) as client:
        with pytest.raises(TypeError, match="astream"):
            client.prompted(PROMPT, unit=by_number)(answer)  # type: ignore[arg-type]
