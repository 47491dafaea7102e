"""A bell loses no ring and no cancellation."""

from __future__ import annotations

import asyncio

import pytest

from pitcanary.controller.bell import Bell


async def test_a_ring_before_the_wait_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    await asyncio.wait_for(bell.wait(3600), 5)


async def test_the_wait_ends_by_itself() -> None:
    await asyncio.wait_for(Bell().wait(0.001), 5)


async def test_a_ring_is_answered_once() -> None:
    bell = Bell()
    bell.ring()
    await bell.wait(3600)
    waiting = asyncio.create_task(bell.wait(3600))
    await asyncio.sleep(0)
    assert not waiting.done()
    bell.ring()
    await asyncio.wait_for(waiting, 5)


async def test_a_cancellation_that_meets_a_ring_is_not_lost() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(3600))
    await asyncio.sleep(0)
    bell.ring()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
