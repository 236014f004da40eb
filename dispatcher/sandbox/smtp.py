"""The pretend SMTP relay, on a port of its own.

Read: RFC 5321 and 4954. It offers PIPELINING, SIZE, 8BITMIME, SMTPUTF8 and, where the account has a password, AUTH
PLAIN and LOGIN; no TLS, since it only listens on loopback. A mail is accepted when 250 is the answer to its last dot;
before that answer it stands in the record. An address that names `bounce`, `drop` or `block` is refused with 550,
`defer` with 450 at its first try.
"""

import asyncio
import base64
import binascii
import re
import secrets
import socket
import struct
from dataclasses import dataclass, field

from dispatcher.sandbox import smtp_rules
from dispatcher.sandbox.config import DownHow, Fault, Kind
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.fate import Fate, mail_fate
from dispatcher.sandbox.message import Message
from dispatcher.sandbox.record import hash_address
from dispatcher.sandbox.recorder import Stamp
from dispatcher.sandbox.vendor import Shared, secret_of

MAX_SIZE = 30_000_000
_PATH = re.compile(r"(?:FROM|TO):\s*<([^<>\s]*)>((?:\s+\S+)*)\s*", re.IGNORECASE)
_REFUSED = {
    Fate.BOUNCED: "550 5.1.1 no such mailbox",
    Fate.DROPPED: "550 5.1.2 no such domain",
    Fate.BLOCKED: "550 5.7.1 refused by policy",
}
_PLAYED = frozenset((*_REFUSED, Fate.DEFERRED))


class _HangUp(Exception):
    """The conversation is over."""


@dataclass(slots=True)
class _Mail:
    """One transaction."""

    began: Stamp
    fault: Fault | None = None
    sender: str = ""
    options: str = ""
    recipients: list[tuple[str, Fate]] = field(default_factory=list)


class Relay:
    """Listens, and holds one conversation for each connection."""

    kind = Kind.SMTP

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.desks = shared.desks_of(self.kind)
        self.deferred: set[str] = set()
        self._conversations: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await Conversation(self, reader, writer).run()
        except (_HangUp, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            self._conversations.discard(task)
            writer.close()

    async def hang_up(self) -> None:
        """End every conversation."""
        for task in list(self._conversations):
            task.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def open_desk(self) -> Desk | None:
        """The account that needs no login, if there is one."""
        return next((desk for desk in self.desks if not secret_of(desk.account)), None)

    def login(self, user: str, password: str) -> Desk | None:
        """The account with these credentials."""
        return next((d for d in self.desks if (d.account.user, secret_of(d.account)) == (user, password)), None)


class Conversation:
    """The state of one connection."""

    def __init__(self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._relay, self._reader, self._writer = relay, reader, writer
        self._desk = relay.open_desk()
        self._mail: _Mail | None = None
        self._shared = relay.shared

    async def run(self) -> None:
        """Greet, then answer command by command."""
        self._refuse_if_down()
        await self._say("220 sandbox ESMTP")
        while True:
            line = (await self._reader.readuntil(b"\r\n"))[:-2].decode("utf-8", "replace")
            verb, _, rest = line.partition(" ")
            handler = getattr(self, f"_do_{verb.lower()}", None) if verb.isalpha() else None
            if handler is None:
                await self._say("500 5.5.2 not understood")
            else:
                await handler(rest.strip())

    async def _say(self, line: str) -> None:
        self._writer.write(line.encode() + b"\r\n")
        await self._writer.drain()

    def _refuse_if_down(self) -> None:
        for desk in self._relay.desks:
            if desk.down() in (DownHow.RESET, DownHow.REFUSE):
                self._cut()

    def _cut(self) -> None:
        found: socket.socket = self._writer.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        raise _HangUp

    async def _do_ehlo(self, _: str) -> None:
        offers = ["sandbox", "PIPELINING", f"SIZE {MAX_SIZE}", "8BITMIME", "SMTPUTF8"]
        if any(secret_of(desk.account) for desk in self._relay.desks):
            offers.append("AUTH PLAIN LOGIN")
        self._mail = None
        await self._say("\r\n".join([f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]))

    async def _do_helo(self, _: str) -> None:
        self._mail = None
        await self._say("250 sandbox")

    async def _do_noop(self, _: str) -> None:
        await self._say("250 2.0.0 ok")

    async def _do_vrfy(self, _: str) -> None:
        await self._say("252 2.5.0 try it")

    async def _do_rset(self, _: str) -> None:
        self._mail = None
        await self._say("250 2.0.0 ok")

    async def _do_quit(self, _: str) -> None:
        await self._say("221 2.0.0 bye")
        raise _HangUp

    async def _do_auth(self, rest: str) -> None:
        how, _, first = rest.partition(" ")
        if how.upper() == "PLAIN":
            parts = (await self._secret(first, "")).split("\0")
            user, password = (parts[1], parts[2]) if len(parts) == 3 else ("", "")
        elif how.upper() == "LOGIN":
            user = await self._secret(first, "VXNlcm5hbWU6")
            password = await self._secret("", "UGFzc3dvcmQ6")
        else:
            await self._say("504 5.5.4 not offered")
            return
        desk = self._relay.login(user, password)
        self._desk = desk or self._desk
        await self._say("235 2.7.0 welcome" if desk else "535 5.7.8 wrong user or password")

    async def _secret(self, given: str, prompt: str) -> str:
        if not given:
            await self._say(f"334 {prompt}")
            given = (await self._reader.readuntil(b"\r\n")).decode("ascii", "replace").strip()
        try:
            return base64.b64decode(given, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""

    async def _do_mail(self, rest: str) -> None:
        path = _PATH.fullmatch(rest)
        if self._desk is None:
            await self._say("530 5.7.0 log in first")
        elif self._mail is not None or path is None:
            await self._say("503 5.5.1 not now" if path else "501 5.5.4 not a path")
        else:
            await self._begin(self._desk, path[1], path[2].upper())

    async def _begin(self, desk: Desk, sender: str, options: str) -> None:
        began = self._shared.recorder.stamp()
        desk.counters["requests"] += 1
        if (how := desk.down()) is not None:
            self._refused(desk, f"down.{how}", began)
            if how is not DownHow.UNAVAILABLE:
                self._cut()
            await self._say("421 4.3.2 out of order")
            raise _HangUp
        fault = desk.draw()
        if fault is not None:
            desk.counters[f"fault.{fault}"] += 1
        if fault is Fault.THROTTLE:
            self._refused(desk, "450", began)
            await self._say("450 4.7.1 too many mails, come back later")
            return
        if fault is Fault.RESET:
            self._refused(desk, fault, began)
            self._cut()
        self._mail = _Mail(began, fault, sender, options)
        await self._say("250 2.1.0 ok")

    async def _do_rcpt(self, rest: str) -> None:
        path = _PATH.fullmatch(rest)
        if self._mail is None or path is None or "@" not in path[1]:
            await self._say("503 5.5.1 not now" if self._mail is None else "501 5.5.4 not a path")
            return
        address = path[1]
        fate = self._shared.fate_of(address, mail_fate(address), _PLAYED)
        if fate is Fate.DEFERRED and address not in self._relay.deferred:
            self._relay.deferred.add(address)
            await self._turn_away(self._mail, "450 4.2.0 try again later")
        elif fate in _REFUSED:
            await self._turn_away(self._mail, _REFUSED[fate])
        else:
            self._mail.recipients.append((address, fate))
            await self._say("250 2.1.5 ok")

    async def _turn_away(self, mail: _Mail, line: str) -> None:
        if self._desk is not None:
            self._refused(self._desk, line[:3], mail.began)
        await self._say(line)

    async def _do_data(self, _: str) -> None:
        mail, desk = self._mail, self._desk
        if mail is None or desk is None or not mail.recipients:
            await self._say("503 5.5.1 no recipients")
            return
        await self._say("354 go on")
        data = await self._data()
        self._mail = None
        if latency := desk.latency():
            await asyncio.sleep(latency)
        if mail.fault is Fault.STALL:
            await asyncio.sleep(desk.faults.stall_seconds)
            if self._writer.transport.is_closing() or self._reader.at_eof():
                self._refused(desk, Fault.STALL, mail.began)
                raise _HangUp
        await self._judge(desk, mail, data)

    async def _data(self) -> bytes:
        """Everything up to the lone dot, with the dots of the wire taken out again."""
        data = bytearray(b"\r\n")
        while not data.endswith(b"\r\n.\r\n"):
            data += await self._reader.readuntil(b".\r\n")
            if len(data) > MAX_SIZE:
                await self._say("552 5.3.4 too big")
                raise _HangUp
        return bytes(data[2:-3]).replace(b"\r\n..", b"\r\n.").removeprefix(b".")

    async def _judge(self, desk: Desk, mail: _Mail, data: bytes) -> None:
        if mail.fault in (Fault.ERROR, Fault.GARBAGE):
            self._refused(desk, mail.fault, mail.began)
            await self._say("451 4.3.0 something broke" if mail.fault is Fault.ERROR else "It works!")
            return
        found = smtp_rules.headers(data)
        refused = smtp_rules.complaint(
            data, found, eight_bit="8BITMIME" in mail.options, utf8="SMTPUTF8" in mail.options
        )
        key = smtp_rules.key_of(found, self._shared.config.key_header)
        if refused is not None:
            self._refused(desk, refused[:3], mail.began, key)
            await self._say(refused)
            return
        self._accept(desk, mail, data, found, key)
        await self._answer(desk, mail.fault)

    def _accept(self, desk: Desk, mail: _Mail, data: bytes, found: list[tuple[str, str]], key: str | None) -> None:
        name = dict(found)["message-id"]
        messages = [
            Message(vendor="smtp", account=desk.name, key=key, address=address, to=hash_address(address), id=name,
                    fate=fate, accepted_at=mail.began.wall)
            for address, fate in mail.recipients
        ]  # fmt: skip
        answer = str(mail.fault) if mail.fault is not None and mail.fault.accepts else "250"
        self._shared.recorder.accepted(messages, secrets.token_hex(8), answer, mail.began)
        desk.counters["accepted"] += len(messages)
        text = data.decode("utf-8", "replace")
        for message in messages:
            self._shared.keep(message, lambda: {"from": mail.sender, "headers": found, "data": text})

    async def _answer(self, desk: Desk, fault: Fault | None) -> None:
        match fault:
            case Fault.RESET_ACCEPTED:
                self._cut()
            case Fault.ERROR_ACCEPTED:
                await self._say("451 4.3.0 something broke")
                return
            case Fault.GARBAGE_ACCEPTED:
                await self._say("It works!")
                return
            case Fault.TRUNCATED:
                self._writer.write(b"25")
                await self._writer.drain()
                raise _HangUp
            case Fault.STALL_ACCEPTED:
                await asyncio.sleep(desk.faults.stall_seconds)
            case Fault.SLOW:
                await self._dribble(desk.faults.slow_seconds)
        await self._say("250 2.0.0 ok, queued")

    async def _dribble(self, seconds: float) -> None:
        for number in range(10):
            await asyncio.sleep(seconds / 10)
            await self._say(f"250-still thinking {number}")

    def _refused(self, desk: Desk, answer: str, began: Stamp, key: str | None = None) -> None:
        desk.counters[f"refused.{answer}"] += 1
        self._shared.recorder.refused("smtp", desk.name, secrets.token_hex(8), str(answer), began, key)
