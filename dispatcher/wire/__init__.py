"""The wire: one HTTP pool per event loop, and proof of whether a request can have reached anybody.

A vendor call ends in an `Answer`, in `NeverConnected` (not one byte of the request was written) or in `AnswerLost`
(something was written and no whole answer came back). Nothing is retried, redirected, proxied or remembered in
cookies, and one deadline covers connect, write and read. aiohttp loads with the first request.
"""

import asyncio
import functools
import io
import math
import select
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

import orjson

from dispatcher.model.outcome import NotSent, Outcome, OutcomeUnknown

if TYPE_CHECKING:
    from aiohttp import ClientRequest, ClientResponse, ClientSession
    from yarl import URL

ANSWER_CAP = 64 * 1024
"""Bytes of an answer that are read; vendors' answers are far smaller."""

KEEP_ALIVE = 15.0
"""Seconds an idle connection is kept. Vendors close theirs after 60 s or more, so we are first to hang up."""

_CONNECTIONS = 1000
_STALE_TRIES = 3
_WRITE_AT_ONCE = 1 << 20
_DAY = 86_400.0


class WireError(Exception):
    """No usable answer. The message is a short reason that names no address, URL or secret."""

    @property
    def outcome(self) -> Outcome:
        """What this means for every delivery of the request."""
        raise NotImplementedError


class NeverConnected(WireError):
    """Not one byte of the request was written: refused, no such host, TLS, time ran out while connecting."""

    @property
    def outcome(self) -> Outcome:
        return NotSent(str(self))


class AnswerLost(WireError):
    """The request began to be written and no whole answer came back: it may have been processed."""

    @property
    def outcome(self) -> Outcome:
        return OutcomeUnknown(str(self))


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are lower case; of a repeated header the last value stands."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object in the body; empty when the body is anything else."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def wait(self, now: datetime, reset: str = "") -> float | None:
        """Seconds to wait, 0 to one day: `Retry-After` (number or date), else the unix second in the header `reset`."""
        named = _seconds(self.headers.get("retry-after", ""), now)
        if named is None and reset:
            at = _number(self.headers.get(reset, ""))
            named = None if at is None else at - now.timestamp()
        return None if named is None else min(max(named, 0.0), _DAY)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _seconds(text: str, now: datetime) -> float | None:
    if not text or (plain := _number(text)) is not None:
        return plain if text else None
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()


@dataclass(slots=True)
class _Call:
    """What is known of the request under way in this task."""

    begun: bool = False


_current: ContextVar[_Call] = ContextVar("wire_call")
_latest: ContextVar[float] = ContextVar("wire_latest", default=math.inf)


def begin_before(moment: float) -> None:
    """No request of this task is written after `moment` of the loop's clock; it counts as never connected."""
    _latest.set(moment)


def is_too_late() -> bool:
    """Whether that moment has passed, so that nothing of this task's request may be written any more."""
    return asyncio.get_running_loop().time() > _latest.get()


_used: WeakSet[object] = WeakSet()
"""Connections that already carried a request. A fresh TLS one may be readable (session tickets), a used one not."""


@dataclass(frozen=True, slots=True)
class _Pool:
    session: "ClientSession"
    errors: tuple[type[Exception], ...]
    stale: type[Exception]
    url: "Callable[[str], URL]"


def _gone(transport: asyncio.BaseTransport | None, *, used: bool) -> bool:
    """Is nobody at the far end? An idle connection that can be read was closed, or speaks out of turn."""
    if transport is None or transport.is_closing():
        return True
    if not used:
        return False
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
    return bool(poll.poll(0))


@functools.cache
def _aiohttp_parts() -> "tuple[type[ClientRequest], type[Exception]]":
    """Request class that marks the moment of writing and refuses a dead connection or a second attempt."""
    import aiohttp

    class Stale(aiohttp.ClientConnectionError):
        """The connection was closed before anything of this request was written."""

    class Watched(aiohttp.ClientRequest):
        async def send(self, conn: Any) -> "ClientResponse":
            call = _current.get()
            if call.begun:
                raise aiohttp.ClientConnectionError("a request is written once")
            if is_too_late():
                raise aiohttp.ClientConnectionError("it took too long to connect")
            if _gone(conn.transport, used=conn.protocol in _used):
                raise Stale
            _used.add(conn.protocol)
            call.begun = True
            return await super().send(conn)

    return Watched, Stale


class ForbiddenAddress(OSError):
    """A host lies where this wire may not go."""


def _keep_alive_socket(address: Any, may_go: Callable[[str], bool]) -> socket.socket:
    """Made for exactly the address that is about to be connected to, so nothing can be swapped after the look."""
    family, kind, protocol, _, place = address
    if not may_go(str(place[0])):
        raise ForbiddenAddress("the address is not allowed")
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made


@functools.cache
def _careful_resolver() -> type:
    """Refuses a name as soon as one of its addresses is forbidden: nobody is let in by mixing them with good ones."""
    from aiohttp.resolver import ThreadedResolver

    class Careful(ThreadedResolver):
        def __init__(self, may_go: Callable[[str], bool]) -> None:
            super().__init__()
            self._may_go = may_go

        async def resolve(self, *args: Any, **kwargs: Any) -> Any:
            found = await super().resolve(*args, **kwargs)
            if not all(self._may_go(one["host"]) for one in found):
                raise ForbiddenAddress("the address is not allowed")
            return found

    return Careful


def _anywhere(_: str) -> bool:
    return True


def _open_pool(context: ssl.SSLContext | None, limit: int, may_go: Callable[[str], bool]) -> _Pool:
    import aiohttp
    from yarl import URL

    watched, stale = _aiohttp_parts()
    connector = aiohttp.TCPConnector(
        limit=limit,
        keepalive_timeout=KEEP_ALIVE,
        ttl_dns_cache=60,
        ssl=context or True,
        socket_factory=functools.partial(_keep_alive_socket, may_go=may_go),
        resolver=None if may_go is _anywhere else _careful_resolver()(may_go),
    )
    session = aiohttp.ClientSession(
        connector=connector,
        request_class=watched,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, connect=None, sock_read=None, sock_connect=None),
        headers={"User-Agent": "crisis-dispatcher", "Accept-Encoding": "identity"},
        auto_decompress=False,
        trust_env=False,
    )
    # A host that no resolver takes (a label of 64 letters) ends in a UnicodeError.
    return _Pool(session, (aiohttp.ClientError, OSError, UnicodeError), stale, functools.partial(URL, encoded=True))


async def _read(response: "ClientResponse", most: int) -> bytes:
    """The body, piece by piece; a longer one is cut off together with its connection."""
    pieces: list[bytes] = []
    size = 0
    while piece := await response.content.readany():
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise AnswerLost(f"answer longer than {most // 1024} KiB")
    return b"".join(pieces)


async def _exchange(
    pool: _Pool, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int
) -> Answer:
    data = io.BytesIO(body) if body and len(body) > _WRITE_AT_ONCE else body
    response = await pool.session.request(method, pool.url(url), headers=headers, data=data, allow_redirects=False)
    try:
        read = await _read(response, most)
    except BaseException:
        response.close()
        raise
    return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, read)


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
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = WeakKeyDictionary()
        self._opening = threading.Lock()
        self._on_close: list[Callable[[], Awaitable[None]]] = []

    def _pool(self) -> _Pool:
        loop = asyncio.get_running_loop()
        pool = self._pools.get(loop)
        if pool is None:
            with self._opening:
                pool = self._pools[loop] = _open_pool(self._context, self._limit, self._may_go)
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
        call = _Call()
        _current.set(call)
        try:
            async with asyncio.timeout(timeout):
                return await self._attempt(pool, method, url, headers, body, answer_cap)
        except TimeoutError as error:
            raise _lost(call, f"no answer within {timeout:g} s", f"not connected within {timeout:g} s") from error
        except pool.errors as error:
            cause = getattr(error, "os_error", error)
            word = cause if isinstance(cause, ForbiddenAddress) else type(error).__name__
            raise _lost(call, f"connection lost ({word})", f"could not connect ({word})") from error

    async def _attempt(
        self, pool: _Pool, method: str, url: str, headers: Mapping[str, str], body: bytes | None, most: int
    ) -> Answer:
        """Pooled connections that died while idle are passed over: nothing was written to them."""
        for _ in range(_STALE_TRIES):
            try:
                return await _exchange(pool, method, url, headers, body, most)
            except pool.stale:
                await asyncio.sleep(0)  # the loop now drops whatever else died meanwhile
        raise NeverConnected("the far end closes every connection at once")

    def on_close(self, close: Callable[[], Awaitable[None]]) -> None:
        """Have `close` awaited by `close()`: for adapters that keep connections of another protocol."""
        self._on_close.append(close)

    async def close(self) -> None:
        """Close what was opened in the running loop. The wire may be used again afterwards."""
        for close in self._on_close:
            await close()
        pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.session.close()

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def _lost(call: _Call, begun: str, never: str) -> WireError:
    return AnswerLost(begun) if call.begun else NeverConnected(never)
