"""A relay of one test: a real socket that speaks SMTP, keeps what it is given, and answers as scripted.

`script` maps a verb (GREET, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA, END, RSET, QUIT) to a reply line, a `Fault`, or a
function of the command line that returns either. END is the answer after the message.
"""

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, field

from tests.contract.http_vendor import Fault

USUAL = {
    "GREET": "220 relay.example.com ESMTP",
    "EHLO": "250-relay.example.com\r\n250-8BITMIME\r\n250 SIZE 10000000",
    "STARTTLS": "220 2.0.0 ready",
    "AUTH": "235 2.7.0 welcome",
    "MAIL": "250 2.1.0 ok",
    "RCPT": "250 2.1.5 ok",
    "DATA": "354 go ahead",
    "END": "250 2.0.0 queued as 4ABC",
    "RSET": "250 2.0.0 reset",
    "QUIT": "221 2.0.0 bye",
}


@dataclass
class Mail:
    sender: str
    recipients: list
    raw: bytes = b""


@dataclass
class SmtpVendor:
    """`async with SmtpVendor({...}) as vendor`; then `vendor.url`, `vendor.mails` and `vendor.commands`."""

    script: dict = field(default_factory=dict)
    tls: object = None
    mails: list = field(default_factory=list)
    commands: list = field(default_factory=list)
    opened: int = 0
    open: int = 0
    writers: list = field(default_factory=list)

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self.server.sockets[0].getsockname()
        self.url = f"smtp://{host}:{port}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.transport.abort()
        await asyncio.sleep(0.01 if self.tls else 0)

    async def until_idle(self, seconds=1.0):
        async with asyncio.timeout(seconds):
            while self.open:
                await asyncio.sleep(0.005)

    async def _serve(self, reader, writer):
        self.opened += 1
        self.open += 1
        self.writers.append(writer)
        try:
            await self._session(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self.open -= 1
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _session(self, reader, writer):
        await self._answer("GREET", "", reader, writer)
        while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
            verb = line.split(" ")[0].upper()
            self.commands.append(verb)
            if verb == "MAIL":
                self.mail = Mail(_between(line), [])
            elif verb == "RCPT":
                self.mail.recipients.append(_between(line))
            accepted = await self._answer(verb, line, reader, writer)
            if verb == "STARTTLS" and accepted:
                await _to_tls(writer, self.tls)
            if verb == "DATA" and accepted == "3":
                self.mail.raw = await _message(reader)
                if await self._answer("END", line, reader, writer):
                    self.mails.append(self.mail)
            if verb == "QUIT":
                return

    async def _answer(self, verb, line, reader, writer):
        answer = self.script.get(verb, USUAL.get(verb, "502 5.5.2 what?"))
        answer = answer(line) if callable(answer) else answer
        if isinstance(answer, Fault):
            await _misbehave(answer, reader, writer)
            raise ConnectionResetError
        writer.write(answer.encode() + b"\r\n")
        await writer.drain()
        if answer.startswith("421"):
            raise ConnectionResetError
        return answer[0] if answer[0] in "23" else ""


async def _to_tls(writer, context):
    plain = writer.transport
    try:
        await writer.start_tls(context)
    except AttributeError as error:  # Python 3.11, when the client hangs up: the writer is left without a transport
        writer._transport = plain
        raise ConnectionResetError from error


async def _misbehave(fault, reader, writer):
    if fault is Fault.MUTE:
        await reader.read()
    elif fault is Fault.RESET:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    elif fault is Fault.GARBAGE:
        writer.write(b"\x00\x17 garbage\r\n" * 4)
        await writer.drain()
        await asyncio.sleep(0.05)
    elif fault is Fault.ENDLESS:
        while True:
            writer.write(b"250-more\r\n" * 4096)
            await writer.drain()


async def _message(reader):
    lines = []
    while (line := await reader.readline()) != b".\r\n":
        if not line:
            raise ConnectionResetError
        lines.append(line[1:] if line.startswith(b".") else line)
    return b"".join(lines)


def _between(line):
    return line.partition("<")[2].partition(">")[0]
