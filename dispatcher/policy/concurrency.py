"""How many calls of an account may be under way in this process: one more a round, half when the vendor throttles.

Until a vendor has throttled for the first time each answer makes room for one more, so that a slow vendor that bears
the account's whole limit is given it after one round and not after fifty.

Twilio limits concurrency per account, not rate, and says so only by answering 429; additive increase and multiplicative
decrease finds the limit and shares it fairly between processes that know nothing of each other.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

START = 0.5
"""Share of the ceiling to begin with."""


@dataclass(slots=True)
class _Window:
    size: float
    answered: int = 0
    shrunk_at: float = float("-inf")


class Concurrency:
    """Windows by account. `rest` seconds pass between two halvings, so that one burst of 429s counts once.

    Also how many calls there are, so that all batches of this process share an account's one window: what one does not
    use at its end is another's.
    """

    def __init__(self, *, rest: float = 1.0) -> None:
        self._rest = rest
        self._windows: dict[str, _Window] = {}
        self._under_way: Counter[str] = Counter()
        self._waiting: set[Callable[[], None]] = set()

    def size(self, account: str, ceiling: int) -> int:
        """Calls that may be under way now, at least one, at most the account's setting."""
        return max(1, min(ceiling, int(self._window(account, ceiling).size)))

    def room(self, account: str, ceiling: int) -> int:
        """How many more calls may begin now; less than nothing after the window has shrunk."""
        return self.size(account, ceiling) - self._under_way[account]

    def begun(self, account: str, calls: int) -> None:
        """So many calls begin; `ended` has to follow for each."""
        self._under_way[account] += calls

    def ended(self, account: str, calls: int) -> None:
        """They are over, whatever they brought."""
        self._under_way[account] -= calls
        for wake in self._waiting:
            wake()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Have `wake` called whenever calls are over, on the thread where that is told."""
        self._waiting.add(wake)
        try:
            yield
        finally:
            self._waiting.discard(wake)

    def answered(self, account: str, ceiling: int, *, throttled: bool, now: float) -> None:
        """One call came back; `now` is monotonic."""
        window = self._window(account, ceiling)
        if throttled:
            if now - window.shrunk_at >= self._rest:
                window.size, window.shrunk_at, window.answered = max(1.0, window.size / 2), now, 0
            return
        window.answered += 1
        if window.answered >= window.size or window.shrunk_at == float("-inf"):
            window.size, window.answered = min(float(ceiling), window.size + 1), 0

    def _window(self, account: str, ceiling: int) -> _Window:
        return self._windows.setdefault(account, _Window(max(1.0, ceiling * START)))
