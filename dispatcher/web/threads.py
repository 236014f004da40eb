"""Blocking work off the event loop: a few threads, a short queue, and no source that fills it alone."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from dispatcher.web.answers import Refusal

P = ParamSpec("P")
T = TypeVar("T")

QUEUE_PER_THREAD = 32
SHARE = 4
"""One source may hold this part (a quarter) of the places."""


class Threads:
    """Ledger calls of the web process. More than fit are refused at once with 429: senders come back by themselves."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self._places = threads * QUEUE_PER_THREAD
        self._taken: Counter[str] = Counter()

    async def run(self, source: str, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `verb` on a thread for `source`. Raises Refusal 429 when there is no place."""
        with self.place(source):
            return await self.call(verb, *args, **kwargs)

    @contextmanager
    def place(self, source: str) -> Iterator[None]:
        """Hold a place for `source`, for whatever has to be waited for. Raises Refusal 429 when there is none."""
        if self._taken.total() >= self._places or self._taken[source] >= max(1, self._places // SHARE):
            raise Refusal(429, retry_after="1")
        self._taken[source] += 1
        try:
            yield
        finally:
            self._taken[source] -= 1
            if not self._taken[source]:
                del self._taken[source]

    async def call(self, verb: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `verb` on a thread, for somebody who holds a place."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: verb(*args, **kwargs))

    def close(self) -> None:
        """Finish what was begun, drop what only waits."""
        self._pool.shutdown(wait=True, cancel_futures=True)
