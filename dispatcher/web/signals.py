"""POST /signals/{tool}/{source}: what an incident tool says, proved and stored before it is answered.

Every source has its own share of open posts, of threads and of time, so that a flood of one starves nobody. A source
that is not open is refused like one whose proof is wrong: nobody learns which there are.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import APIRouter, Request
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, Response

from dispatcher import log
from dispatcher.errors import ConfigurationError, Refused
from dispatcher.services import doors, signals
from dispatcher.services.context import Context
from dispatcher.services.doors import AskAgain, Door, Doors, TooMany
from dispatcher.settings import SOURCE
from dispatcher.web.answers import Refusal
from dispatcher.web.intake import read_body
from dispatcher.web.threads import Threads
from dispatcher.web.webhooks import as_received

LARGEST_POST = 1024 * 1024
"""Bytes. The largest that a tool documents are 256 KiB; a group of alerts may be longer."""
OPEN_POSTS = 64
"""Posts of one source that may be open at once, slow ones included."""
STRANGERS = "?"

_log = log.get(__name__)


class Gate:
    """Counts the open posts of each source."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Hold a place while the block runs. Raises Refusal 429 when there is none."""
        if self._open[name] >= OPEN_POSTS:
            raise Refusal(429, retry_after="1", connection="close")
        self._open[name] += 1
        try:
            yield
        finally:
            self._open[name] -= 1
            if not self._open[name]:
                del self._open[name]


class Known:
    """The open sources. Posts that come while these are read again wait for that one reading, so a flood costs one."""

    def __init__(self, ctx: Context, threads: Threads) -> None:
        self._doors, self._threads = Doors(ctx), threads
        self._reading: asyncio.Task[None] | None = None

    async def find(self, tool: str, source: str) -> Door | None:
        """As `Doors.find`, by what was read within the last two seconds."""
        if not self._doors.is_fresh:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._threads.run("doors", self._doors.refresh))
            await asyncio.shield(self._reading)  # the post that began it may go away; the others still wait
        return self._doors.find(tool, source)


def router(ctx: Context, threads: Threads) -> APIRouter:
    """Two routes on one address. 2xx means that the post is in the ledger."""
    routes = APIRouter()
    known, gate = Known(ctx, threads), Gate()

    @routes.post("/signals/{tool}/{source}", status_code=202, response_model=None)
    async def take_signal(tool: str, source: str, request: Request) -> Response:
        door = await _door(known, tool, source)
        name = f"{tool}/{door.source}" if door else STRANGERS
        with gate.place(name):
            body = await read_body(request, largest=LARGEST_POST)
            if door is None:
                raise Refusal(401)
            taken = await _take(ctx, threads, door, request, body)
        told = {"id": taken.id, "signals": taken.signals, "repeat": taken.repeat}
        return JSONResponse(told, status_code=202, background=BackgroundTask(ctx.doorbell.ring_events))

    @routes.options("/signals/{tool}/{source}", response_model=None)
    async def greet(tool: str, source: str, request: Request) -> Response:
        door = await _door(known, tool, source)
        told = doors.greeting(door, dict(request.headers)) if door else {}
        if not told:
            raise Refusal(405, allow="POST")
        return Response(status_code=200, headers=dict(told))

    return routes


async def _door(known: Known, tool: str, source: str) -> Door | None:
    """The open source, or None. What stands behind a dot is a token and is looked at by the tool alone."""
    name = source.partition(".")[0]
    if not doors.known(tool) or not SOURCE.fullmatch(name):
        raise Refusal(404)
    try:
        return await known.find(tool, name)
    except ConfigurationError as error:
        _log.error("source_not_set_up", tool=tool, source=name, why=error.why)
        raise Refusal(503, retry_after="60") from None


async def _take(ctx: Context, threads: Threads, door: Door, request: Request, body: bytes) -> signals.Taken:
    received = as_received(ctx, request, body)
    try:
        await signals.prepare(ctx, door, received)
        taken = await threads.run(f"{door.tool}/{door.source}", signals.take, ctx, door, received)
        await signals.confirm(ctx, door, received)
    except TooMany as error:
        raise Refusal(429, retry_after=str(math.ceil(error.wait))) from None
    except AskAgain as error:
        _log.warning("sender_not_asked", tool=door.tool, source=door.source, why=error.what)
        raise Refusal(503, retry_after="20") from None
    except Refused as error:
        raise Refusal(415 if error.code == "E-SIGNAL-FORM" else 400) from None
    return taken
