"""Grow and shrink arms on the ring without moving anybody else.

An arm grows by free baseline slots and shrinks by giving back those it took last. So a
unit that sees a candidate keeps it while the share grows, the units that saw it first
are the last to lose it, and no arm ever takes from another. The salt of a rollout
decides which units lie in which slots; nothing here knows units.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from pitcanary.errors import InvalidValue
from pitcanary.model.allocation import (
    LARGEST_SHARE,
    SLOT_COUNT,
    Allocation,
    SlotRange,
    complement,
    join,
)

Ranges = tuple[SlotRange, ...]


def split_evenly(slots: int, arms: int) -> tuple[int, ...]:
    """Splits slots over candidate arms; the first ones get what does not divide.

    No part ever shrinks while `slots` grows.
    """
    part, rest = divmod(slots, arms)
    return tuple(part + (index < rest) for index in range(arms))


def resize(current: Allocation, targets: Sequence[int]) -> Allocation:
    """Gives every candidate arm exactly its target, keeping the hold-back.

    Slots that one arm gives back are taken by another only when nothing else is
    free, because their units would meet two candidates.

    Args:
        current: Who owns what now.
        targets: Slots per candidate arm, `targets[i]` for arm `i + 1`.

    Raises:
        InvalidValue: When the arms are others, or together own the hold-back.
    """
    if len(targets) != len(current.candidates):
        raise InvalidValue(f"`{len(targets)}` targets for `{len(current.candidates)}` arms")
    if min(targets, default=0) < 0 or sum(targets) > LARGEST_SHARE:
        raise InvalidValue(f"`{sum(targets)}` slots are not 0..{LARGEST_SHARE}")
    return _resize(current, targets, hold_back=True)


def withdraw(current: Allocation) -> Allocation:
    """Gives everything back to the baseline."""
    return Allocation(tuple(() for _ in current.candidates))


def release(current: Allocation, arm: int) -> Allocation:
    """Gives the whole ring to one candidate arm, the hold-back included."""
    targets = [SLOT_COUNT if index == arm else 0 for index in range(1, len(current.candidates) + 1)]
    return _resize(current, targets, hold_back=False)


def _resize(current: Allocation, targets: Sequence[int], *, hold_back: bool) -> Allocation:
    limit = LARGEST_SHARE if hold_back else SLOT_COUNT
    free = complement(list(chain.from_iterable(current.candidates)), limit)
    kept: list[Ranges] = []
    released: list[SlotRange] = []
    for ranges, target in zip(current.candidates, targets, strict=True):
        stays, leaves = _give_back(ranges, target)
        kept.append(stays)
        released.extend(item for item in leaves if item.start < limit)
    pool = (*free, *join(tuple(released)))
    grown: list[Ranges] = []
    for stays, target in zip(kept, targets, strict=True):
        taken, pool = _take(pool, target - _size(stays))
        grown.append(_append(stays, taken))
    return Allocation(tuple(grown), hold_back=hold_back)


def _give_back(ranges: Ranges, target: int) -> tuple[Ranges, Ranges]:
    """Cuts the ranges, in order of acquisition, behind the first `target` slots."""
    stays: list[SlotRange] = []
    leaves: list[SlotRange] = []
    room = target
    for item in ranges:
        cut = min(len(item), max(room, 0))
        if cut:
            stays.append(SlotRange(item.start, item.start + cut))
        if cut < len(item):
            leaves.append(SlotRange(item.start + cut, item.end))
        room -= len(item)
    return tuple(stays), tuple(leaves)


def _take(pool: Ranges, slots: int) -> tuple[Ranges, Ranges]:
    """Takes the first slots of the pool; gives what was taken and what is left."""
    return _give_back(pool, slots) if slots > 0 else ((), pool)


def _append(ranges: Ranges, taken: Ranges) -> Ranges:
    """Adds ranges behind the others, joining neighbours so that the order still tells."""
    joined = list(ranges)
    for item in taken:
        if joined and joined[-1].end == item.start:
            joined[-1] = SlotRange(joined[-1].start, item.end)
        else:
            joined.append(item)
    return tuple(joined)


def _size(ranges: Ranges) -> int:
    return sum(len(item) for item in ranges)
