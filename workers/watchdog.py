"""Ends a worker that has free hands and leaves rings lying.

After its broker went away a worker can stop taking rings without stopping (kombu's and Celery's trackers know several
ways). It is then asked to end, later made to; whoever supervises it starts it again. It looks at what the worker does,
not at what it answers: a ping may be answered by a worker that works no more.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Mapping

from dispatcher import log

DEAF_SECONDS = 15.0
"""Rings wait for so long beside a free hand: the worker is deaf."""
GRACE_SECONDS = 30.0
LOOK_SECONDS = 1.0

_log = log.get(__name__)


class Watchdog:
    """`waiting` counts rings by queue (None: no broker), `taken` all rings ever taken, `is_busy` is: no free hand."""

    def __init__(
        self,
        waiting: Callable[[], Mapping[str, int] | None],
        taken: Callable[[], int],
        is_busy: Callable[[], bool],
        end: Callable[[int], None] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting, self._taken, self._is_busy = waiting, taken, is_busy
        self._end = end or (lambda number: os.kill(os.getpid(), number))
        self._monotonic = monotonic
        self._looked_at = monotonic()
        self._deaf_for = 0.0
        self._known = -1
        self._asked_at: float | None = None

    def start(self) -> None:
        """Look once a second from now on, in a thread."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def look(self) -> None:
        """One look. A pause of this whole process, watchdog included, counts as one look only."""
        now, taken = self._monotonic(), self._taken()
        passed, self._looked_at = min(now - self._looked_at, 2 * LOOK_SECONDS), now
        if self._asked_at is not None:
            if now - self._asked_at >= GRACE_SECONDS:
                self._end(signal.SIGKILL)
        elif taken != self._known or self._is_busy() or not any((self._waiting() or {}).values()):
            self._known, self._deaf_for = taken, 0.0
        else:
            self._deaf_for += passed
            self._ask_if_deaf(now)

    def _ask_if_deaf(self, now: float) -> None:
        if self._deaf_for >= DEAF_SECONDS:
            _log.error("worker_is_deaf", seconds=round(self._deaf_for))
            self._asked_at = now
            self._end(signal.SIGTERM)

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            self.look()
