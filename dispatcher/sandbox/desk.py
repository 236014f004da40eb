"""One account's desk at a pretend vendor: what strikes its next request, and what it has seen so far."""

import random
from collections import Counter, deque

from dispatcher.model.clock import Clock
from dispatcher.sandbox.config import Account, DownHow, Fault, Faults


class Desk:
    """Not thread-safe: it lives on the sandbox's event loop."""

    def __init__(self, account: Account, faults: Faults, clock: Clock, seed: int) -> None:
        self.account = account
        self.counters: Counter[str] = Counter()
        self.suppressed: dict[str, str] = {}
        self.in_flight = 0
        self._clock = clock
        self._random = random.Random(f"{seed}:{account.name}")  # noqa: S311 - repeatable, not secret
        self._began = clock.monotonic()
        self._script: deque[Fault] = deque()
        self._down: tuple[float, DownHow] | None = None
        self.faults = faults

    @property
    def name(self) -> str:
        """The account's name."""
        return self.account.name

    @property
    def faults(self) -> Faults:
        """How it behaves from now on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._shares = [(fault, share) for fault, share in faults.shares().items() if share]
        self._tokens = faults.per_second
        self._filled = self._clock.monotonic()

    def script(self, fault: Fault, times: int) -> None:
        """The next `times` requests meet this fault, before any share is drawn."""
        self._script.extend([fault] * times)

    def go_down(self, seconds: float, how: DownHow) -> None:
        """An outage from now on."""
        self._down = (self._clock.monotonic() + seconds, how)

    def come_up(self) -> None:
        """The end of an outage that `go_down` began, and of any script."""
        self._down = None
        self._script.clear()

    def down(self) -> DownHow | None:
        """How the account is out of order now, if it is."""
        now = self._clock.monotonic()
        if self._down and now < self._down[0]:
            return self._down[1]
        since = now - self._began
        return next((o.how for o in self._faults.outages if o.start <= since < o.end), None)

    def draw(self) -> Fault | None:
        """What strikes the request that has just come."""
        if self._script:
            return self._script.popleft()
        if self._over_limit():
            return Fault.THROTTLE
        if not self._shares:
            return None
        mark = self._random.random()
        for fault, share in self._shares:
            if (mark := mark - share) < 0:
                return fault
        return None

    def latency(self) -> float:
        """Seconds that this request takes before it is processed."""
        shortest, longest = self._faults.latency
        return self._random.uniform(shortest, longest) if longest else 0.0

    def _over_limit(self) -> bool:
        limit = self._faults.in_flight
        if limit and self.in_flight > limit:
            return True
        return bool(self._faults.per_second) and not self._take_token()

    def _take_token(self) -> bool:
        now, rate = self._clock.monotonic(), self._faults.per_second
        self._tokens = min(max(rate, 1.0), self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
