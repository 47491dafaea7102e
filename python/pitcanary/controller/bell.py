"""Waiting for news, but not for ever.

`asyncio.wait_for` can lose a cancellation that comes together with the result
(until Python 3.12), and a task that loses its cancellation never ends. This waits on
one event that a timer sets as well, so there is nothing to lose.
"""

from __future__ import annotations

import asyncio


class Bell:
    """Rung by whoever has news; one task waits for it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self, _environment: int = 0) -> None:
        """Ends the wait, now or when it begins."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Waits until the bell rings or the time is over; answers every ring once."""
        timer = asyncio.get_running_loop().call_later(seconds, self._event.set)
        try:
            await self._event.wait()
        finally:
            timer.cancel()
        self._event.clear()
