"""What one pool child owns: its Context, made after the fork, and one event loop in a background thread.

Coroutines run on that loop while the child's main thread waits. So a soft time limit, which Celery raises in the main
thread, ends a drain cleanly by cancelling it; raised inside a coroutine it would be taken for one recipient's error.
"""

import asyncio
import mmap
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import wait
from types import FrameType
from typing import Any, Protocol, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

T = TypeVar("T")

LOOK_SECONDS = 0.1
"""How often the waiting main thread looks up."""
UNWIND_SECONDS = 5.0
"""How long a cancelled coroutine may take to write what it knows."""
FAIR_SECONDS = 0.25
"""What a drain may always use before it gives way to other queues."""
LINGER_SECONDS = 2.0
"""How long a child that was told to end while busy waits for its pool to end it afterwards."""

_worker_stopping = mmap.mmap(-1, 1)
"""One byte shared by a worker and its forked children: set when the worker is told to end."""


def worker_is_stopping() -> None:
    """In the worker's main process: tell every child to claim nothing more. Safe in a signal handler."""
    _worker_stopping[0] = 1


class Waiting(Protocol):
    """The part of the doorbell that tells who else waits."""

    def waiting(self, queues: Sequence[str] = ...) -> dict[str, int] | None: ...


class Turn:
    """When one drain shall end: when the worker stops, or when another queue has waited for a free hand."""

    def __init__(self, stopping: Callable[[], bool], doorbell: Waiting, others: Sequence[str]) -> None:
        self._stopping = stopping
        self._doorbell = doorbell
        self._others = others
        self._began = time.monotonic()
        self.gave_way = False

    def is_over(self) -> bool:
        """Asked often, from the loop's thread: looks at two flags only."""
        return self.gave_way or self._stopping()

    def look(self) -> None:
        """Asked now and then, from the waiting main thread: may talk to the broker."""
        if not self.gave_way and self._others and time.monotonic() - self._began >= FAIR_SECONDS:
            self.gave_way = any((self._doorbell.waiting(self._others) or {}).values())


class Loop:
    """An event loop that runs for ever in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], *, meanwhile: Callable[[], None] = lambda: None) -> T:
        """The coroutine's result. A soft time limit cancels it and waits until it has wound up."""
        over = threading.Event()

        async def whole() -> T:
            try:
                return await work
            finally:
                over.set()

        future = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        try:
            while not wait([future], timeout=LOOK_SECONDS).done:
                meanwhile()
            return future.result()
        except SoftTimeLimitExceeded:
            future.cancel()
            over.wait(UNWIND_SECONDS)
            raise

    def close(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """Stop the loop; what still runs on it is cancelled first, then `last` is awaited."""
        asyncio.run_coroutine_threadsafe(_wind_up(last), self._loop).result(UNWIND_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(UNWIND_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()


async def _wind_up(last: Coroutine[Any, Any, None] | None) -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    if last is not None:
        await last


class Stop:
    """SIGTERM in a child. Idle, it ends at once; busy, it claims nothing more, finishes, and ends soon after.

    Whoever stops a service by signalling every process of it (systemd does) must not cut a call in two. The pool
    puts its own handler in place after every hook it offers, so ours is installed with the first task.
    """

    def __init__(self) -> None:
        self._busy = False
        self._told = False
        self._pools_handler: Any = None

    def __call__(self) -> bool:
        return self._told or bool(_worker_stopping[0])

    def begin(self) -> None:
        """A task begins."""
        self._busy = True
        if self._pools_handler is None:
            self._pools_handler = signal.signal(signal.SIGTERM, self._on_term)

    def end(self) -> None:
        """A task has ended; its result goes to the pool next, which normally ends this child by itself."""
        self._busy = False
        if self._told:
            again = threading.Timer(LINGER_SECONDS, os.kill, (os.getpid(), signal.SIGTERM))
            again.daemon = True
            again.start()

    def _on_term(self, number: int, frame: FrameType | None) -> None:
        self._told = True
        if not self._busy:
            self._pools_handler(number, frame)
