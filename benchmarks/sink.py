"""A vendor that takes everything: answers as SendGrid (202) and Twilio (201) do, and counts what came and when.

It is a process of its own that parses only what it must, so that it is not what is measured. Started as
`python -m benchmarks.sink READY_FILE LEAST MOST`, with the bounds of its latency in seconds. `GET /count` tells, and
`POST /zero` begins anew. Instants are Unix time, comparable with those of other processes here.
"""

import asyncio
import json
import random
import sys
import time
from pathlib import Path

_MAIL = b"HTTP/1.1 202 Accepted\r\nX-Message-Id: m%d\r\nContent-Length: 0\r\n\r\n"
_TEXT = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
_SHOWN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
CHANNELS = ("email", "sms")


class Count:
    """Requests and recipients by channel, and when the first and the last request began."""

    def __init__(self):
        self.zero()

    def zero(self):
        self.requests = dict.fromkeys(CHANNELS, 0)
        self.recipients = dict.fromkeys(CHANNELS, 0)
        self.first = dict.fromkeys(CHANNELS, 0.0)
        self.last = dict.fromkeys(CHANNELS, 0.0)
        self.connections = 0

    def took(self, channel, recipients, began):
        self.requests[channel] += 1
        self.recipients[channel] += recipients
        self.first[channel] = self.first[channel] or began
        self.last[channel] = max(self.last[channel], began)


class Vendor(asyncio.Protocol):
    """One kept connection: one request at a time, as HTTP/1.1 clients without pipelining send them."""

    def __init__(self, count, latency):
        self._count = count
        self._latency = latency
        self._buffer = bytearray()
        self._began = 0.0

    def connection_made(self, transport):
        self._transport = transport
        self._count.connections += 1

    def data_received(self, data):
        if not self._buffer:
            self._began = time.time()
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._buffer[:end])
        size = _length(head)
        if len(self._buffer) - end - 4 < size:
            return
        body = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        self._answer(head.split(b" ", 2), body)

    def _answer(self, line, body):
        path = line[1]
        if path == b"/v3/mail/send":
            self._count.took("email", body.count(b'"to":['), self._began)
            self._say(_MAIL % self._count.requests["email"])
        elif path.startswith(b"/2010-04-01/"):
            self._count.took("sms", 1, self._began)
            told = b'{"sid":"SM%032x","status":"queued","num_segments":"1"}' % self._count.requests["sms"]
            self._say(_TEXT % (len(told), told))
        else:
            if path == b"/zero":
                self._count.zero()
            told = json.dumps(vars(self._count)).encode()
            self._transport.write(_SHOWN % (len(told), told))

    def _say(self, answer):
        if not self._latency[1]:
            self._transport.write(answer)
        else:
            asyncio.get_running_loop().call_later(random.uniform(*self._latency), self._transport.write, answer)


def _length(head):
    low = head.lower()
    at = low.find(b"content-length:")
    return int(low[at + 15 : (low.find(b"\r\n", at) + 1 or len(low) + 1) - 1]) if at >= 0 else 0


async def serve(ready, latency):
    count = Count()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Vendor(count, latency), "127.0.0.1", 0, backlog=2048)
    part = ready.with_suffix(".part")
    part.write_text(str(server.sockets[0].getsockname()[1]))
    part.rename(ready)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), (float(sys.argv[2]), float(sys.argv[3]))))
