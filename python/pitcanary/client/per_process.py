"""One value per process: locks and channels must not cross a fork.

A forked child that used its parent's channel would share its socket, and a lock that
another thread held at the fork would stay locked for ever. The child makes its own
value and leaves the inherited one alone, not even closing it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class PerProcess(Generic[Value]):
    """Makes a value at its first use in each process.

    It holds no lock itself: threads that race make two values and use one.
    """

    __slots__ = ("_make", "_values")

    def __init__(self, make: Callable[[], Value]) -> None:
        self._make = make
        self._values: dict[int, Value] = {}

    def get(self) -> Value:
        """The value of this process."""
        value = self._values.get(os.getpid())
        # `setdefault` is atomic: every thread gets the first one's value.
        return value if value is not None else self._values.setdefault(os.getpid(), self._make())

    def take(self) -> Value | None:
        """Forgets the value of this process and returns it; the next `get` makes another."""
        return self._values.pop(os.getpid(), None)
