"""Who owns which slots of the ring.

Plain data and its invariants; growing and shrinking is `rollout.allocation`. Shares
are counted in slots, never in floats: a sidecar that rounds differently would send
one unit to two prompts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from pitcanary.errors import InvalidValue

SLOT_COUNT = 1_000_000
"""Slots of the ring; one slot is a share of 0.0001 %."""

HOLD_BACK_SLOTS = 50_000
"""The top slots that stay with the baseline until promotion."""

LARGEST_SHARE = SLOT_COUNT - HOLD_BACK_SLOTS
"""What all candidates together can own before promotion."""


@dataclass(frozen=True, slots=True, order=True)
class SlotRange:
    """Slots from `start` up to but without `end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.end <= SLOT_COUNT:
            raise InvalidValue(f"slots `{self.start}..{self.end}` are not a range of the ring")

    def __len__(self) -> int:
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Allocation:
    """The slots of every candidate arm; what nobody owns is the baseline's.

    `candidates[i]` belongs to arm `i + 1`, in the order in which the slots were
    taken: the last ones are the first to be given back.
    """

    candidates: tuple[tuple[SlotRange, ...], ...] = ()
    hold_back: bool = True

    def __post_init__(self) -> None:
        owned = sorted(item for ranges in self.candidates for item in ranges)
        for first, second in pairwise(owned):
            if second.start < first.end:
                raise InvalidValue(f"slot `{second.start}` is owned twice")
        if self.hold_back and owned and owned[-1].end > LARGEST_SHARE:
            raise InvalidValue(f"slot `{owned[-1].end - 1}` is held back until promotion")

    def slots(self, arm: int) -> int:
        """How many slots the arm owns; arm 0 is the baseline."""
        if arm == 0:
            return SLOT_COUNT - sum(self.slots(i + 1) for i in range(len(self.candidates)))
        return sum(len(item) for item in self.candidates[arm - 1])

    def share(self, arm: int) -> float:
        """The arm's share, 0 to 1, for people; decisions use `slots`."""
        return self.slots(arm) / SLOT_COUNT

    def ranges(self, arm: int) -> tuple[SlotRange, ...]:
        """The arm's slots in ring order, neighbours joined, as sidecars get them."""
        if arm == 0:
            taken = [item for ranges in self.candidates for item in ranges]
            return complement(taken)
        return join(self.candidates[arm - 1])


def join(ranges: tuple[SlotRange, ...]) -> tuple[SlotRange, ...]:
    """The same slots in ring order with neighbours joined."""
    joined: list[SlotRange] = []
    for item in sorted(ranges):
        if joined and joined[-1].end == item.start:
            joined[-1] = SlotRange(joined[-1].start, item.end)
        else:
            joined.append(item)
    return tuple(joined)


def complement(taken: list[SlotRange], end: int = SLOT_COUNT) -> tuple[SlotRange, ...]:
    """The slots below `end` that are not in `taken`, in ring order."""
    free: list[SlotRange] = []
    start = 0
    for item in sorted(taken):
        if start < min(item.start, end):
            free.append(SlotRange(start, min(item.start, end)))
        start = item.end
    if start < end:
        free.append(SlotRange(start, end))
    return tuple(free)
