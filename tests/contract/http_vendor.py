"""A vendor of one test: a real socket that reads whole HTTP requests, keeps them, and answers as scripted.

A script gets the request and returns bytes to write or a `Fault`. Nothing here knows any vendor.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus


class Fault(Enum):
    """What a far end can do instead of answering."""

    MUTE = auto()  # says nothing and keeps the connection
    RESET = auto()  # RST after the request was read
    RESET_EARLY = auto()  # RST after the head of the request, its body still on the way
    CLOSE = auto()  # orderly end without an answer
    HALF = auto()  # a promised body that never comes whole
    ENDLESS = auto()  # a body without end
    DRIP = auto()  # one byte of the body now and then
    GARBAGE = auto()  # bytes that are no HTTP


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


def reply(status=200, body=b"", headers=None):
    """An answer with its length; a dict or list becomes JSON."""
    if not isinstance(body, bytes):
        body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})}
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Something"
    lines = [f"HTTP/1.1 {status} {phrase}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass
class HttpVendor:
    """`async with HttpVendor(script) as vendor`; then `vendor.url` and `vendor.requests`."""

    script: object
    tls: object = None
    requests: list = field(default_factory=list)
    opened: int = 0
    open: int = 0
    writers: list = field(default_factory=list)

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        host, port = self.server.sockets[0].getsockname()
        self.url = f"http{'s' if self.tls else ''}://{host}:{port}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        self.drop_all()
        await asyncio.sleep(0)

    def drop_all(self):
        """Close every connection that is open now."""
        for writer in self.writers:
            writer.close()
        self.writers.clear()

    async def until_idle(self, seconds=1.0):
        """Wait until nobody is connected any more."""
        async with asyncio.timeout(seconds):
            while self.open:
                await asyncio.sleep(0.005)

    async def _serve(self, reader, writer):
        self.opened += 1
        self.open += 1
        self.writers.append(writer)
        try:
            await self._converse(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, OSError):
            pass
        except asyncio.CancelledError:
            pass
        finally:
            self.open -= 1
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _converse(self, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.rstrip("\r\n").split("\r\n")
            method, target, _ = first.split(" ", 2)
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            request = Request(method, target, headers, b"")
            answer = self.script(request) if self._is_early else None
            if answer is Fault.RESET_EARLY:
                return self._reset(writer)
            request.body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(request)
            answer = self.script(request) if answer is None else answer
            if isinstance(answer, Fault):
                return await self._misbehave(answer, reader, writer)
            writer.write(answer)
            await writer.drain()

    @property
    def _is_early(self):
        return self.script is early_reset

    async def _misbehave(self, fault, reader, writer):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        if fault is Fault.MUTE:
            await reader.read()
        elif fault is Fault.RESET:
            self._reset(writer)
        elif fault is Fault.HALF:
            writer.write(head + b'Content-Length: 1000\r\n\r\n{"half":')
            await writer.drain()
        elif fault is Fault.GARBAGE:
            writer.write(b"\x00\x17garbage\r\n\r\n" * 4)
            await writer.drain()
        elif fault is Fault.ENDLESS:
            writer.write(head + b"\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        elif fault is Fault.DRIP:
            writer.write(head + b"Content-Length: 1000\r\n\r\n")
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)

    @staticmethod
    def _reset(writer):
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


def early_reset(_request):
    return Fault.RESET_EARLY


def always(answer):
    """A script that answers the same to everything."""
    return lambda _request: answer


def closed_port():
    """A URL where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@contextlib.contextmanager
def in_thread(server):
    """Run a server in an event loop of its own, for clients in other threads."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(5)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.__aexit__(), loop).result(5)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
        loop.close()
