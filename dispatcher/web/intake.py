"""Reads a request's body, with limits on its size, its time and its coding, before anybody looks at it."""

import asyncio

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
            body = await _read(request, largest)
    except TimeoutError:
        raise Refusal(408, connection="close") from None
    except ClientDisconnect:
        raise Refusal(400, connection="close") from None
    if body is None:
        await _discard(request)
        raise Refusal(413, connection="close")
    return body


async def _read(request: Request, largest: int) -> bytes | None:
    """The body, or None as soon as it is larger than allowed."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > largest:
            return None
        pieces.append(piece)
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _discard(request: Request) -> None:
    size, more = 0, True
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while more and size < DISCARDED:
                message = await request.receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        return
