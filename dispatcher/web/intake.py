"""Reads a request's body, with limits on its size, its time and its coding, before anybody looks at it."""

import asyncio
import contextlib

from starlette.requests import ClientDisconnect, Request

from dispatcher.web.answers import Refusal

LARGEST_BODY = 2 * 1024 * 1024
"""Bytes. SendGrid posts up to 768 KiB of events at once."""
SLOWEST_BODY = 10.0
"""Seconds from the headers to the last byte."""
DISCARDED = 8 * 1024 * 1024
"""Bytes of a body that is too large which are still read and dropped, so that its sender can read our answer."""
DISCARD_SECONDS = 1.0


async def read_body(request: Request, *, largest: int = LARGEST_BODY, seconds: float = SLOWEST_BODY) -> bytes:
    """The body byte for byte. Raises Refusal 400, 408, 413 or 415."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Refusal(415, accept_encoding="identity", connection="close")
    if int(request.headers.get("content-length") or 0) > largest:
        await _discard(request)
        raise Refusal(413, connection="close")
    try:
        async with asyncio.timeout(seconds):
            body, more = await _read(request, largest)
    except TimeoutError:
        raise Refusal(408, connection="close") from None
    except ClientDisconnect:
        raise Refusal(400, connection="close") from None
    if len(body) > largest:
        if more:
            await _discard(request)
        raise Refusal(413, connection="close")
    return body


async def _read(request: Request, largest: int) -> tuple[bytes, bool]:
    """The body, or its beginning as soon as that is larger than allowed; whether more of it may come."""
    pieces: list[bytes] = []
    size, more = 0, True
    while more and size <= largest:
        piece, more = await _piece(request)
        size += len(piece)
        pieces.append(piece)
    return b"".join(pieces), more


async def _piece(request: Request) -> tuple[bytes, bool]:
    message = await request.receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), bool(message.get("more_body", False))


async def _discard(request: Request) -> None:
    """Let the sender finish, within limits: hanging up on a sender makes it lose our answer."""
    size, more = 0, True
    with contextlib.suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(DISCARD_SECONDS):
            while more and size < DISCARDED:
                piece, more = await _piece(request)
                size += len(piece)
