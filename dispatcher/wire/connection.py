"""One kept connection that speaks HTTP/1.1: a request at a time, each written once, its answer read by llhttp.

llhttp is Node's parser, strict as it comes. What is told apart here is only whether an answer came whole, and whether
the connection may carry another request.
"""

import asyncio
import select
from typing import Any, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from dispatcher.wire.answer import Answer, AnswerLost

_HEAD_CAP = 64 * 1024
"""Bytes of an answer that may be anything but its body."""
_PIECE = 256 * 1024
"""A larger body is handed to the transport in pieces of this size, each after the one before has left."""


class Connection(asyncio.Protocol):
    """Made by `loop.create_connection`. `exchange` may be called unless it `is_closed`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._poll = select.poll()
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._answer: asyncio.Future[Answer] | None = None
        self._room: asyncio.Future[None] | None = None
        self._most = self._taken = self._read = 0
        self._headers: dict[str, str] = {}
        self._pieces: list[bytes] = []
        self._has_head = self._spoilt = False
        self.idle_since = 0.0

    # --- what a pool asks

    def is_closed(self) -> bool:
        """Whether it can carry no further request, as far as is known without asking."""
        return self._spoilt or self._transport is None or self._transport.is_closing()

    def is_gone(self) -> bool:
        """Is nobody at the far end? An idle connection that can be read was closed, or speaks out of turn.

        To be asked of one that was used: a fresh one with TLS may be readable, since the far end gives out tickets.
        """
        return self.is_closed() or bool(self._poll.poll(0))

    def hang_up(self) -> None:
        """Close at once; whoever waits for an answer has lost it."""
        self._spoilt = True
        if self._transport is not None:
            self._transport.abort()

    # --- one request

    async def exchange(self, head: bytes, body: bytes | None, timeout: float, deadline: float, most: int) -> Answer:
        """Write, then read the whole answer, by `deadline` of the loop's clock. Everything that fails is AnswerLost.

        A body of the answer above `most` bytes cuts the connection, and so does a cancelled call.
        """
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._answer = answer
        self._most, self._taken, self._read = most, 0, 0
        self._begin_answer()
        timer = self._loop.call_at(deadline, self._fail, f"no answer within {timeout:g} s")
        try:
            await self._write(head, body or b"", answer)
            return await answer
        except BaseException:
            self.hang_up()
            raise
        finally:
            timer.cancel()
            self._answer = None

    async def _write(self, head: bytes, body: bytes, answer: "asyncio.Future[Answer]") -> None:
        transport = cast(asyncio.Transport, self._transport)
        if len(body) <= _PIECE:
            transport.write(head + body)
            return
        transport.write(head)
        for start in range(0, len(body), _PIECE):
            if answer.done():
                self._spoilt = True  # the next request would be taken for the rest of this one
                return  # an answer that comes before the request has left ends it
            transport.write(body[start : start + _PIECE])
            if self._room is not None:
                await asyncio.wait((self._room, answer), return_when=asyncio.FIRST_COMPLETED)

    def _fail(self, why: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(AnswerLost(why))
        self.hang_up()

    def _begin_answer(self) -> None:
        self._headers, self._pieces, self._has_head = {}, [], False

    # --- asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), select.POLLIN)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._ends_with_the_connection():
            self._finish(keep=False)
        word = type(exc).__name__ if exc is not None else "ServerDisconnected"
        self._spoilt = True
        self.resume_writing()
        self._fail(f"connection lost ({word})")

    def pause_writing(self) -> None:
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        self._room = None

    def data_received(self, data: bytes) -> None:
        if self._answer is None or self._answer.done():
            self.hang_up()  # out of turn
            return
        self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade):
            self._fail("connection lost (not HTTP)")
            return
        if self._read - self._taken > _HEAD_CAP and not self._answer.done():
            self._fail(f"an answer's head longer than {_HEAD_CAP // 1024} KiB")

    # --- llhttp

    def on_message_begin(self) -> None:
        if self._answer is None or self._answer.done():
            self._spoilt = True  # a second answer to one request

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")

    def on_headers_complete(self) -> None:
        self._has_head = self._parser.get_status_code() >= 200

    def on_body(self, piece: bytes) -> None:
        self._taken += len(piece)
        if self._taken > self._most:
            self._fail(f"answer longer than {self._most // 1024} KiB")
        else:
            self._pieces.append(piece)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._begin_answer()  # the vendor goes on, the answer itself is still to come
        else:
            self._finish(keep=self._parser.should_keep_alive())

    def _finish(self, *, keep: bool) -> None:
        if self._answer is None or self._answer.done():
            return
        self._answer.set_result(Answer(self._parser.get_status_code(), self._headers, b"".join(self._pieces)))
        self._headers = {}  # a second answer must not write into this one
        transport: Any = self._transport
        self._spoilt = self._spoilt or not keep or transport.get_write_buffer_size() > 0

    def _ends_with_the_connection(self) -> bool:
        """Whether an answer is under way that says nowhere how long it is."""
        return self._has_head and not ({"content-length", "transfer-encoding"} & self._headers.keys())
