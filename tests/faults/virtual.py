"""A small deterministic machine: processes with event loops of their own on one virtual clock, over one real ledger.

The code that runs in a process is the real one. Every ledger transaction is a place where the process may die, before
the commit or after it, or freeze while the others go on; so is every step of its loop. One seed, one history.
"""

import asyncio
import heapq
import itertools
import random
from asyncio import events, tasks
from asyncio.base_events import BaseEventLoop
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Crash(BaseException):
    """This process is dead."""


class NumberedTask(tasks._PyTask):
    """A task whose place in a set is its number and not its address, so that a seed plays the same way anywhere.

    In Python: those in C crash the interpreter when the collector meets one of a process that died half way (3.11).
    """

    def __init__(self, machine, work, **more):
        self._number = next(machine.numbers)
        super().__init__(work, **more)

    def __hash__(self):
        return self._number


class VirtualLoop(BaseEventLoop):
    """asyncio's own loop without a selector: time is the machine's, and nothing ever waits."""

    def __init__(self, machine):
        super().__init__()
        self._machine = machine
        self._selector = self
        self.set_exception_handler(lambda loop, context: None)
        self.set_task_factory(lambda loop, work, **more: NumberedTask(machine, work, loop=loop, **more))

    def select(self, timeout):
        return []

    def _process_events(self, found):
        pass

    def _write_to_self(self):
        pass

    def time(self):
        return self._machine.now

    def due(self):
        """When it wants to run next; None: never."""
        if self._ready:
            return self._machine.now
        return self._scheduled[0]._when if self._scheduled else None

    def step(self):
        former = events._get_running_loop()
        events._set_running_loop(self)
        try:
            self._run_once()
        finally:
            events._set_running_loop(former)


class Process:
    """One process: its loop, its door to the ledger, its death and its naps."""

    def __init__(self, machine, name, ledger):
        self.machine, self.name = machine, name
        self.loop = VirtualLoop(machine)
        self.ledger = Door(self, ledger)
        self.dead = self.running = False
        self.asleep_until = 0.0
        self.main = None

    def start(self, work):
        self.main = self.loop.create_task(work)

    def due(self):
        wanted = None if self.dead or self.running else self.loop.due()
        return None if wanted is None else max(wanted, self.asleep_until)

    def point(self, where):
        """Somewhere between two instructions: fate may strike."""
        if self.dead:
            raise Crash
        fate = self.machine.fate_of(self, where)
        if fate == "crash":
            self.die()
            raise Crash
        if fate:
            self.asleep_until = self.machine.now + fate
            self.machine.run(until=self.asleep_until)

    def die(self):
        self.dead = True
        self.machine.deaths += 1


class Door:
    """The real ledger as one process sees it."""

    def __init__(self, process, ledger):
        self._process, self._ledger = process, ledger

    def __getattr__(self, name):
        return getattr(self._ledger, name)

    @contextmanager
    def write(self):
        self._process.point("before a commit")
        with self._ledger.write() as tx:
            yield tx
        self._process.point("after a commit")

    @contextmanager
    def read(self):
        self._process.point("before a read")
        with self._ledger.read() as tx:
            yield tx


class VirtualClock:
    """Wall time may step, monotonic time does not."""

    def __init__(self, machine):
        self._machine = machine

    def now(self):
        return BEGAN + timedelta(seconds=self._machine.now + self._machine.wall_step)

    def monotonic(self):
        return self._machine.now


class Machine:
    """Runs processes and what the outside world has planned, one at a time, in an order drawn from the seed."""

    def __init__(self, seed, *, crash=0.01, freeze=0.005, naps=(0.2, 12.0)):
        self.dice = random.Random(seed)
        self.now = 0.0
        self.wall_step = 0.0
        self.chaos = True
        self.deaths = self.naps = self.steps = 0
        self.processes = []
        self._rates, self._naps = (crash, freeze), naps
        self._planned = []
        self._order = itertools.count()
        self.numbers = itertools.count()
        self.clock = VirtualClock(self)
        self.look = lambda: None

    def spawn(self, name, ledger, work):
        """A process named so; `work(process)` is its main coroutine."""
        process = Process(self, name, ledger)
        process.start(work(process))
        self.processes.append(process)
        return process

    def at(self, when, act):
        heapq.heappush(self._planned, (max(when, self.now), next(self._order), act))

    def has_plans(self):
        return bool(self._planned)

    def fate_of(self, process, where):
        crash, freeze = self._rates if self.chaos else (0, 0)
        drawn = self.dice.random()
        if drawn < crash:
            return "crash"
        if drawn < crash + freeze:
            self.naps += 1
            return self.dice.uniform(*self._naps)
        return None

    def run(self, *, until, done=lambda: False):
        """Go on until an instant, or until `done`."""
        while self.now < until and not done():
            if self._planned and self._planned[0][0] <= self.now:
                heapq.heappop(self._planned)[2]()
                continue
            dues = [(p.due(), p) for p in self.processes if p.due() is not None]
            ready = [p for due, p in dues if due <= self.now]
            if ready:
                self._step(self.dice.choice(ready))
                continue
            later = [due for due, _ in dues] + [when for when, _, _ in self._planned[:1]]
            self.now = min([*later, until])

    def _step(self, process):
        self.steps += 1
        if self.chaos and self.dice.random() < self._rates[0] / 4:
            process.die()
            return
        process.running = True  # until it comes back, also through naps in which others run
        try:
            process.loop.step()
        finally:
            process.running = False
        if self.steps % 40 == 0:
            self.look()


def failure_of(process):
    """What ended a process that should go on for ever; None if it lives or was killed."""
    if process.dead or process.main is None or not process.main.done() or process.main.cancelled():
        return None
    return process.main.exception()


__all__ = ["Crash", "Machine", "Process", "VirtualClock", "asyncio", "failure_of"]
