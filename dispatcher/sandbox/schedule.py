"""When each event of each message is told: in order and at its time, unless the plan says otherwise."""

import asyncio
import heapq
import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dispatcher.model.clock import Clock
from dispatcher.sandbox.config import EventPlan
from dispatcher.sandbox.message import Message


@dataclass(slots=True)
class Report:
    """One event: `word` is the vendor's, `occurred_at` in seconds since 1970."""

    message: Message
    word: str
    occurred_at: float


class Schedule:
    """A calendar of reports. `tell` gets each one when it is due; `open` counts those not yet done with."""

    def __init__(self, plan: EventPlan, clock: Clock, seed: int, tell: Callable[[Report], None]) -> None:
        self._adopt(plan)
        self.counters: Counter[str] = Counter()
        self.open = 0
        self._clock = clock
        self._tell = tell
        self._random = random.Random(f"{seed}:events")  # noqa: S311 - repeatable, not secret
        self._heap: list[tuple[float, int, Report]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._wakes_at = math.inf

    def plot(self, words: Sequence[str]) -> tuple[tuple[float, str], ...]:
        """Moments (monotonic) at which a message that is accepted now reaches each word."""
        at, (shortest, longest) = self._clock.monotonic(), self.plan.delay
        life = []
        for word in words:
            at += self._random.uniform(shortest, longest)
            life.append((at, word))
        return tuple(life)

    def add(self, message: Message, life: Sequence[tuple[float, str]]) -> None:
        """Plan the reports of one message; late, doubled, lost and swapped ones by the plan's shares."""
        told = life if self.plan.steps else life[-1:]
        wall = self._clock.now().timestamp() - self._clock.monotonic()
        reports = [Report(message, word, wall + at) for at, word in told]
        dues = [at for at, _ in told]
        if self._strikes(self.plan.reorder):
            dues.reverse()
            self.counters["reordered"] += 1
        for report, due in zip(reports, dues, strict=True):
            self._plan(report, due)
        # waking the loop for each message would cost more than the messages
        if self._heap and self._heap[0][0] < self._wakes_at and not self.plan.hold:
            self._changed.set()

    def _plan(self, report: Report, due: float) -> None:
        if not self._tampers:
            self._push(report, due)
            return
        if self._strikes(self.plan.drop):
            self.counters["dropped"] += 1
            return
        if self._strikes(self.plan.late):
            self.counters["late"] += 1
            due += self.plan.late_seconds
        self._push(report, due)
        if self._strikes(self.plan.duplicate):
            self.counters["duplicated"] += 1
            self._push(report, due + self._random.uniform(*self.plan.delay))

    def _push(self, report: Report, due: float) -> None:
        self.open += 1
        heapq.heappush(self._heap, (due, next(self._numbers), report))

    def _strikes(self, share: float) -> bool:
        return share > 0 and self._random.random() < share

    def change(self, plan: EventPlan) -> None:
        """Another plan from now on; what is already planned keeps its time, but waits while the plan holds."""
        self._adopt(plan)
        self._changed.set()

    def _adopt(self, plan: EventPlan) -> None:
        self.plan = plan
        self._tampers = bool(plan.drop or plan.late or plan.duplicate)

    def clear(self) -> None:
        """Forget everything that is planned."""
        self.open -= len(self._heap)
        self._heap.clear()

    async def run(self) -> None:
        """Tell what is due, for ever."""
        while True:
            self._changed.clear()
            wait = self._tell_due()
            self._wakes_at = math.inf if wait is None else self._clock.monotonic() + wait
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _tell_due(self) -> float | None:
        """Seconds until the next one is due; None if only a change can bring one."""
        if self.plan.hold:
            return None
        now = self._clock.monotonic()
        while self._heap and self._heap[0][0] <= now:
            self._tell(heapq.heappop(self._heap)[2])
        # a timer finer than 5 ms would wake the loop for every single event
        return max(self._heap[0][0] - now, 0.005) if self._heap else None
