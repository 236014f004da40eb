"""A few open connections, lent to one thread at a time, and what a database says when it fails."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from dispatcher.errors import Fault
from dispatcher.ledger.drivers import Driver

MOST = 8
"""Connections at once; whoever wants one more waits."""
KEPT = 4
"""Of them, how many stay open when idle."""
WAIT_SECONDS = 30.0
TRUSTED_SECONDS = 1.0
"""A connection that has been idle no longer than this is used without asking the server first."""
OLDEST_SECONDS = 1800.0


_QUOTING = ("22", "23")
"""Classes of SQLSTATE (wrong data, a broken rule) whose messages quote values: addresses, names, codes."""
_AWAY = "the database server cannot be reached, or it hung up"


class LedgerFault(Fault):
    """The database refused or failed. `transient`: busy or away, the same work may be tried again from its start.

    Its words name rules, tables and columns and quote no row; `orig` is what the driver said.
    """

    def __init__(self, orig: Exception, *, transient: bool) -> None:
        super().__init__(_words(orig))
        self.orig = orig
        self.transient = transient


def _words(orig: Exception) -> str:
    """What went wrong, without the values that PostgreSQL quotes; SQLite quotes none.

    Who cannot be connected to is quoted from our own address, perhaps with half of a password in it.
    """
    state, told = getattr(orig, "sqlstate", None), getattr(orig, "diag", None)
    if told is None:
        return str(orig)
    if not state:
        return _AWAY if type(orig).__name__ == "OperationalError" else str(orig)
    if not state.startswith(_QUOTING):
        return str(told.message_primary or orig)
    places = (told.constraint_name, told.table_name, told.column_name)
    return " ".join([type(orig).__name__, state, *filter(None, places)])


@dataclass(slots=True)
class _Held:
    connection: Any
    opened_at: float
    idle_since: float


class Pool:
    """Build it after a fork; never share it across one."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._places = threading.BoundedSemaphore(MOST)
        self._lock = threading.Lock()
        self._idle: list[_Held] = []
        self.in_use = 0
        """Connections that are lent out now."""

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """A connection outside any transaction. It is dropped, with those that lie idle, if it was lost meanwhile;
        alone, if it came back in the middle of something."""
        if not self._places.acquire(timeout=WAIT_SECONDS):
            raise LedgerFault(TimeoutError("no connection was free"), transient=True)
        try:
            held = self._take()
            self._count(1)
            try:
                yield held.connection
            finally:
                self._count(-1)
                self._give_back(held)
        finally:
            self._places.release()

    def close(self) -> None:
        """Close what lies idle."""
        with self._lock:
            idle, self._idle = self._idle, []
        for held in idle:
            _hang_up(held)

    def _count(self, change: int) -> None:
        with self._lock:
            self.in_use += change

    def _take(self) -> _Held:
        while True:
            with self._lock:
                held = self._idle.pop() if self._idle else None
            now = time.monotonic()
            if held is None:
                return _Held(self._driver.connect(), now, now)
            fresh = now - held.opened_at < OLDEST_SECONDS
            if fresh and (now - held.idle_since < TRUSTED_SECONDS or self._driver.answers(held.connection)):
                return held
            _hang_up(held)

    def _give_back(self, held: _Held) -> None:
        if self._driver.is_lost(held.connection):
            _hang_up(held)
            self.close()
            return
        if not self._driver.is_clear(held.connection):
            _hang_up(held)
            return
        held.idle_since = time.monotonic()
        with self._lock:
            keep = len(self._idle) < KEPT
            if keep:
                self._idle.append(held)
        if not keep:
            _hang_up(held)


def _hang_up(held: _Held) -> None:
    with suppress(Exception):
        held.connection.close()
