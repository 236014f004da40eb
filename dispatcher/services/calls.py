"""The calls of one batch that are under way, and their answers as they come in."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from dispatcher.services.outcomes import Finished


class Calls:
    """Waiting costs the same however many calls are under way. One task waits at a time."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Finished]] = set()
        self._ended: list[asyncio.Task[Finished]] = []
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        """Those whose answers have not been taken."""
        return len(self._running) + len(self._ended)

    def begin(self, call: Coroutine[Any, Any, Finished]) -> None:
        """Start a call."""
        task = asyncio.create_task(call)
        self._running.add(task)
        task.add_done_callback(self._end)

    async def answers(self, seconds: float) -> list[Finished]:
        """Those that have come in; waits for the first so long at most. Raises what a call raised."""
        if not self._ended:
            loop = asyncio.get_running_loop()
            self._waiter = loop.create_future()
            timer = loop.call_later(seconds, self.wake)
            try:
                await self._waiter
            finally:
                timer.cancel()
                self._waiter = None
        ended, self._ended = self._ended, []
        return [task.result() for task in ended]

    def cancel(self) -> None:
        """Give up those that are under way."""
        for task in self._running:
            task.cancel()

    def _end(self, task: asyncio.Task[Finished]) -> None:
        self._running.discard(task)
        self._ended.append(task)
        self.wake()

    def wake(self) -> None:
        """End the waiting of `answers`."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
