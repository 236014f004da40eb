"""Faults as they look on the wire: a reset, a body that stops half way, a body that dribbles, nonsense."""

import asyncio
import socket
import struct

from aiohttp import web

from dispatcher.sandbox.vendor import Answer

_GARBAGE = b"<!doctype html><html><head><title>Welcome</title></head><body><h1>It works!</h1></body></html>\n"
_DRIBBLES = 20


def reset(request: web.Request) -> web.StreamResponse:
    """Cut the connection with a TCP reset; what is returned goes nowhere."""
    transport = request.transport
    if transport is not None:
        found: socket.socket = transport.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


def garbage() -> Answer:
    """A 200 from something that is not the vendor."""
    return Answer(200, _GARBAGE, content_type="text/html")


def gone(request: web.Request) -> bool:
    """Whether the caller has hung up."""
    return request.transport is None or request.transport.is_closing()


def whole(answer: Answer) -> web.Response:
    """The answer as it should be."""
    return web.Response(
        status=answer.status, body=answer.body, headers=answer.headers, content_type=answer.content_type
    )


async def truncated(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Promise the whole body, send half of it, hang up."""
    body = answer.body or b" " * 32
    response = _stream(answer)
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def slow(request: web.Request, answer: Answer, seconds: float) -> web.StreamResponse:
    """Send the body a few bytes at a time; blanks behind it make it long enough."""
    body = answer.body.ljust(_DRIBBLES)
    response = _stream(answer)
    response.content_length = len(body)
    await response.prepare(request)
    size = -(-len(body) // _DRIBBLES)
    for start in range(0, len(body), size):
        await asyncio.sleep(seconds / _DRIBBLES)
        if gone(request):
            return response
        await response.write(body[start : start + size])
    await response.write_eof()
    return response


def _stream(answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_type = answer.content_type
    return response
