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
from typing import Any, Generic, Protocol, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

T = TypeVar("T")

LOOK_SECONDS = 0.1
"""How often the waiting main thread looks up."""
UNWIND_SECONDS = 5.0
"""How long a cancelled coroutine may take to write what it knows."""
FAIR_SECONDS = 0.25
"""What a drain may always use before it gives way to other queues."""
ALONE_SECONDS = 5.0
"""So long a drain goes on without a task that attends it."""
PATIENCE_SECONDS = 130.0
"""How long a drain that was told to end may take: longer than the longest call an account may allow (120 s)."""
LONGEST_SECONDS = 180.0
"""A drain that is not over by then is stuck and is cancelled, as if its task had met a soft time limit."""
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
    """What a task that attends a drain shall do: stay, step aside, or have the drain give way.

    For `brief` queues (the tick, events), and after so many `seconds`, it steps aside, and the drain goes on beside
    what comes next: its calls need the loop, not the main thread. To `others`, the channels, it gives way.
    """

    def __init__(
        self,
        stopping: Callable[[], bool],
        doorbell: Waiting,
        others: Sequence[str],
        brief: Sequence[str] = (),
        seconds: float = 2.0,
    ) -> None:
        self._stopping = stopping
        self._doorbell = doorbell
        self._others = others
        self._brief = brief
        self._seconds = seconds
        self._began = time.monotonic()
        self.gave_way = False
        self.stepped_aside = False

    def is_over(self) -> bool:
        """Asked often, from the loop's thread: looks at two flags only."""
        return self.gave_way or self._stopping()

    def look(self) -> None:
        """Asked now and then, from the waiting main thread: may talk to the broker."""
        passed = time.monotonic() - self._began
        self.stepped_aside = self.stepped_aside or passed >= self._seconds
        queues = (*self._others, *self._brief)
        if not self.gave_way and queues and passed >= FAIR_SECONDS:
            waiting = {name for name, rings in (self._doorbell.waiting(queues) or {}).items() if rings}
            self.gave_way = not waiting.isdisjoint(self._others)
            self.stepped_aside = self.stepped_aside or not waiting.isdisjoint(self._brief)


class Loop:
    """An event loop that runs for ever in a thread of its own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="loop", daemon=True)
        self._thread.start()

    def begin(self, work: Coroutine[Any, Any, T]) -> "Running[T]":
        """Start a coroutine that goes on by itself."""
        return Running(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result. A soft time limit cancels it and waits until it has wound up."""
        running = self.begin(work)
        running.attend(lambda: False)
        return running.result()

    def close(self, last: Coroutine[Any, Any, None] | None = None) -> None:
        """Stop the loop; what still runs on it is cancelled first, then `last` is awaited."""
        asyncio.run_coroutine_threadsafe(_wind_up(last), self._loop).result(UNWIND_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(UNWIND_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()


class Running(Generic[T]):
    """A coroutine on the loop, seen from the main thread."""

    def __init__(self, work: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._over = threading.Event()
        self._future = asyncio.run_coroutine_threadsafe(self._whole(work), loop)

    async def _whole(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        finally:
            self._over.set()

    def attend(self, leaving: Callable[[], bool]) -> bool:
        """Wait until it is done (True) or until `leaving`. A soft time limit cancels it and waits until it wound up."""
        try:
            while not wait([self._future], timeout=LOOK_SECONDS).done:
                if leaving():
                    return False
        except SoftTimeLimitExceeded:
            self.give_up()
            raise
        return True

    def give_up(self) -> None:
        """Cancel it and wait until it has wound up."""
        self._future.cancel()
        self._over.wait(UNWIND_SECONDS)

    def is_done(self) -> bool:
        """Whether it has ended."""
        return self._future.done()

    def result(self) -> T:
        """What it came to, once it is done."""
        return self._future.result()


class Drain(Generic[T]):
    """The one drain of a child. Tasks attend it one after the other, and nothing under way is waited for in between.

    `stopping` of its coroutine is `is_over`: when the task that attends says so, or when none has for a while.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._running: Running[T] | None = None
        self._turn: Turn | None = None
        self._began = self._alone_since = float("inf")
        self._told = False
        self.channel = ""

    def is_over(self) -> bool:
        """Asked often, from the loop's thread."""
        alone = time.monotonic() - self._alone_since >= ALONE_SECONDS
        return self._told or alone or self._turn is None or self._turn.is_over()

    def attend(self, channel: str, turn: Turn, work: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
        """Go on with the drain of this channel, or begin one; None if it goes on when this returns.

        What ended while nobody attended it may have looked before this ring came: its result counts for nothing.
        """
        if self._running is not None and self._running.is_done():
            self._over_with().result()
        self._turn, self._alone_since = turn, float("inf")
        if self._running is None:
            self.channel, self._told, self._began = channel, False, time.monotonic()
            self._running = self._loop.begin(work())
        try:
            done = self._running.attend(lambda: self._leaves(turn))
        except BaseException:
            self._running = None
            raise
        self._alone_since = time.monotonic()
        return self._over_with().result() if done else None

    def end(self) -> T | None:
        """Have it begin nothing more and wait until what is under way has come back and is written."""
        self._told = True
        if self._running is None:
            return None
        until = time.monotonic() + PATIENCE_SECONDS
        done = self._running.attend(lambda: time.monotonic() >= until)
        running = self._over_with()
        if not done:
            running.give_up()  # or it would go on beside the next one
            return None
        return running.result()

    def _over_with(self) -> Running[T]:
        running, self._running = self._running, None
        assert running is not None
        return running

    def _leaves(self, turn: Turn) -> bool:
        if time.monotonic() - self._began >= LONGEST_SECONDS:
            raise SoftTimeLimitExceeded
        turn.look()
        return turn.stepped_aside and not turn.is_over()


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
