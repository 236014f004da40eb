"""Writes that wait at the same time share one transaction, and each is told only after that was committed.

While one group is being written the next one gathers, so there is no waiting for company: alone, a write starts at
once. First come, first written; a group is bounded, and what spoils one write is told to that one alone.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")

MOST = 64
"""Writes of one group."""
MOST_BYTES = 8 * 1024 * 1024
"""Of one group; a single write may be larger."""


class Together(Generic[T]):
    """`write` keeps many in one transaction on a thread of its own, and says for each what went wrong, or None."""

    def __init__(self, write: Callable[[Sequence[T]], Sequence[Exception | None]], size: Callable[[T], int]) -> None:
        self._write = write
        self._size = size
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="together")
        self._waiting: deque[tuple[T, asyncio.Future[None]]] = deque()
        self._writer: asyncio.Task[None] | None = None

    async def put(self, one: T) -> None:
        """Returns once it is committed; raises what went wrong with it."""
        told: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, told))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())
        await told

    async def _write_all(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group = self._next_group()
            try:
                results = await loop.run_in_executor(self._thread, self._write, [one for one, _ in group])
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait are told
                results = [error] * len(group)
            for (_, told), wrong in zip(group, results, strict=True):
                _tell(told, wrong)

    def _next_group(self) -> list[tuple[T, asyncio.Future[None]]]:
        group = [self._waiting.popleft()]
        held = self._size(group[0][0])
        while self._waiting and len(group) < MOST and held + self._size(self._waiting[0][0]) <= MOST_BYTES:
            group.append(self._waiting.popleft())
            held += self._size(group[-1][0])
        return group

    def close(self) -> None:
        """Finish the group that is being written."""
        self._thread.shutdown(wait=True, cancel_futures=True)


def _tell(told: asyncio.Future[None], wrong: Exception | None) -> None:
    if told.done():  # its sender hung up
        return
    if wrong is None:
        told.set_result(None)
    else:
        told.set_exception(wrong)
