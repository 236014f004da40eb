"""The connections of one event loop: how they are made, kept and given up, and where they may lead."""

import asyncio
import functools
import socket
import ssl
from collections.abc import Callable
from typing import Any

from aiohappyeyeballs import start_connection

from dispatcher.wire.answer import ForbiddenAddress
from dispatcher.wire.connection import Connection
from dispatcher.wire.request import Origin

KEEP_ALIVE = 15.0
"""Seconds an idle connection is kept. Vendors close theirs after 60 s or more, so we are first to hang up."""
NAMES_KEPT = 60.0
"""Seconds the addresses of a name are remembered."""
NAME_SECONDS = 5.0
"""After which a resolver that does not answer is asked anew by whoever comes next."""
_EYES = 0.25
"""Seconds between tries of a host's addresses, as RFC 8305 has it."""

Addresses = list[tuple[Any, ...]]


class Pool:
    """`lease` a connection, then `give_back`. At most `limit` are leased at once; whoever comes then waits."""

    def __init__(self, context: ssl.SSLContext | None, limit: int, may_go: Callable[[str], bool]) -> None:
        self._loop = asyncio.get_running_loop()
        self._given = context
        self._may_go = may_go
        self._places = asyncio.Semaphore(limit)
        self._idle: dict[Origin, list[Connection]] = {}
        self._names: dict[Origin, tuple[float, Addresses]] = {}
        self._asking: dict[Origin, asyncio.Task[Addresses]] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self.leased = 0
        """Connections that carry a request now, or are being made for one."""

    async def kept(self, origin: Origin) -> Connection | None:
        """The youngest idle connection that is alive, if there is one and a free place. Never waits."""
        if self._places.locked() or (connection := self._alive(origin)) is None:
            return None
        await self._places.acquire()
        self.leased += 1
        return connection

    async def lease(self, origin: Origin) -> Connection:
        """The youngest idle connection that is alive, or a new one. Raises OSError if none can be made."""
        await self._places.acquire()
        self.leased += 1
        try:
            return self._alive(origin) or await self._connect(origin)
        except BaseException:
            self._leave()
            raise

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep it for the next request if it can carry one."""
        self._leave()
        if connection.is_closed():
            connection.hang_up()
            return
        connection.idle_since = self._loop.time()
        self._idle.setdefault(origin, []).append(connection)
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(KEEP_ALIVE, self._sweep)

    async def close(self) -> None:
        """Hang up whatever is idle, and ask for no name any more."""
        for asking in self._asking.values():
            asking.cancel()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in (one for kept in self._idle.values() for one in kept):
            connection.hang_up()
        self._idle.clear()
        await asyncio.sleep(0)  # what is called soon comes before us: sockets are closed when this returns

    def _leave(self) -> None:
        self.leased -= 1
        self._places.release()

    def _alive(self, origin: Origin) -> Connection | None:
        """Whatever died while it was idle is passed over: nothing was written to it."""
        kept = self._idle.get(origin, [])
        while kept:
            connection = kept.pop()
            if self._loop.time() - connection.idle_since < KEEP_ALIVE and not connection.is_gone():
                return connection
            connection.hang_up()
        return None

    def _sweep(self) -> None:
        oldest = self._loop.time() - KEEP_ALIVE
        for kept in self._idle.values():
            while kept and kept[0].idle_since <= oldest:  # the youngest are taken and put back at the end
                kept.pop(0).hang_up()
        self._idle = {origin: kept for origin, kept in self._idle.items() if kept}
        self._sweeper = self._loop.call_later(KEEP_ALIVE / 3, self._sweep) if self._idle else None

    # --- making one

    async def _connect(self, origin: Origin) -> Connection:
        try:
            made = await start_connection(
                await self._addresses(origin),
                happy_eyeballs_delay=_EYES,
                interleave=1,
                loop=self._loop,
                socket_factory=functools.partial(_keep_alive_socket, may_go=self._may_go),
            )
        except OSError:
            self._names.pop(origin, None)
            raise
        try:
            context, name = (self._context, origin.host) if origin.tls else (None, None)
            _, connection = await self._loop.create_connection(Connection, sock=made, ssl=context, server_hostname=name)
        except BaseException:
            made.close()
            raise
        return connection

    async def _addresses(self, origin: Origin) -> Addresses:
        """Asked once however many wait, and told to all of them at once: a lock would let one pass at each turn of the
        loop, which is a second for the first hundred of a storm."""
        until, known = self._names.get(origin, (0.0, []))
        if self._loop.time() < until:
            return known
        if origin not in self._asking:
            self._asking[origin] = self._loop.create_task(self._ask(origin))
            self._asking[origin].add_done_callback(functools.partial(self._asked, origin))
        await asyncio.wait({asking := self._asking[origin]})  # who is cancelled here leaves it to the others
        if asking.cancelled():
            raise ConnectionAbortedError
        return asking.result()

    async def _ask(self, origin: Origin) -> Addresses:
        """A name is refused as soon as one of its addresses is forbidden, so that nobody is let in by mixing them with
        good ones."""
        async with asyncio.timeout(NAME_SECONDS):
            known = await self._loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
        if not all(self._may_go(str(one[4][0])) for one in known):
            raise ForbiddenAddress("the address is not allowed")
        self._names[origin] = (self._loop.time() + NAMES_KEPT, known)
        return known

    def _asked(self, origin: Origin, asking: "asyncio.Task[Addresses]") -> None:
        del self._asking[origin]
        if not asking.cancelled():
            asking.exception()  # whoever waited may be gone, and nobody else would look at it

    @functools.cached_property
    def _context(self) -> ssl.SSLContext:
        if self._given is not None:
            return self._given
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context


def _keep_alive_socket(address: Any, may_go: Callable[[str], bool]) -> socket.socket:
    """Made for exactly the address that is about to be connected to, so nothing can be swapped after the look."""
    family, kind, protocol, _, place = address
    if not may_go(str(place[0])):
        raise ForbiddenAddress("the address is not allowed")
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return made
