"""The wire: one HTTP pool per event loop, and proof of whether a request can have reached anybody.

A vendor call ends in an `Answer`, in `NeverConnected` (not one byte of the request was written) or in `AnswerLost`
(something was written and no whole answer came back). Nothing is retried, redirected, proxied or remembered in
cookies, and one deadline covers connect, write and read. Why this is no library's client: docs/decisions/0012.
"""

import asyncio
import math
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from dispatcher.wire.answer import Answer, AnswerLost, ForbiddenAddress, NeverConnected, WireError
from dispatcher.wire.request import Origin, Unsendable, destination, head

if TYPE_CHECKING:
    from dispatcher.wire.connection import Connection
    from dispatcher.wire.pool import Pool

__all__ = ["ANSWER_CAP", "Answer", "AnswerLost", "NeverConnected", "Wire", "WireError", "begin_before", "is_too_late"]

ANSWER_CAP = 64 * 1024
"""Bytes of an answer that are read; vendors' answers are far smaller."""

_CONNECTIONS = 1000
_STALE_TRIES = 3

_latest: ContextVar[float] = ContextVar("wire_latest", default=math.inf)


def begin_before(moment: float) -> None:
    """No request of this task is written after `moment` of the loop's clock; it counts as never connected."""
    _latest.set(moment)


def is_too_late() -> bool:
    """Whether that moment has passed, so that nothing of this task's request may be written any more."""
    return asyncio.get_running_loop().time() > _latest.get()


def _anywhere(_: str) -> bool:
    return True


class Wire:
    """The shared pool. Made anywhere, opened inside the loop that first sends, closed with `await wire.close()`.

    `may_go` is asked about every address before anything connects to it.
    """

    def __init__(
        self,
        *,
        context: ssl.SSLContext | None = None,
        limit: int = _CONNECTIONS,
        may_go: Callable[[str], bool] = _anywhere,
    ) -> None:
        self._context = context
        self._may_go = may_go
        self._limit = limit
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, Pool] = WeakKeyDictionary()
        self._opening = threading.Lock()
        self._on_close: list[Callable[[], Awaitable[None]]] = []

    def _pool(self) -> "Pool":
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            from dispatcher.wire.pool import Pool

            with self._opening:
                pool = self._pools[loop] = Pool(self._context, self._limit, self._may_go)
        return pool

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        timeout: float,
        body: bytes | None = None,
        answer_cap: int = ANSWER_CAP,
    ) -> Answer:
        """One request, written at most once, over within `timeout` seconds in every case.

        `url` is sent byte for byte as given, so it must be percent-encoded already.
        """
        pool = self._pool()
        deadline = asyncio.get_running_loop().time() + timeout
        try:
            origin, target = destination(url)
            written = head(method, origin, target, headers, None if body is None else len(body))
        except Unsendable as error:
            raise NeverConnected(f"could not connect ({error})") from error
        except UnicodeError as error:
            raise NeverConnected("could not connect (a header cannot be written)") from error
        connection = await pool.kept(origin) or await _connected(pool, origin, timeout, deadline)
        try:
            if is_too_late():
                raise NeverConnected("could not connect (it took too long to connect)")
            return await connection.exchange(written, body, timeout, deadline, answer_cap)
        finally:
            pool.give_back(origin, connection)

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have `close` awaited by `close()`: for adapters that keep connections of another protocol."""
        self._on_close.append(close)

    async def close(self) -> None:
        """Close what was opened in the running loop. The wire may be used again afterwards."""
        for close in self._on_close:
            await close()
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.close()

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def _connected(pool: "Pool", origin: Origin, timeout: float, deadline: float) -> "Connection":
    """A connection on which nothing of this request was written yet, and at whose far end somebody still is."""
    try:
        async with asyncio.timeout_at(deadline):
            for _ in range(_STALE_TRIES):
                connection = await pool.lease(origin)
                if not connection.is_closed():
                    return connection
                pool.give_back(origin, connection)
                await asyncio.sleep(0)
    except TimeoutError as error:
        raise NeverConnected(f"not connected within {timeout:g} s") from error
    except (OSError, UnicodeError) as error:  # a host that no resolver takes (a label of 64 letters) is a UnicodeError
        word = error if isinstance(error, ForbiddenAddress) else type(error).__name__
        raise NeverConnected(f"could not connect ({word})") from error
    raise NeverConnected("the far end closes every connection at once")
