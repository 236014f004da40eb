"""SMTP: e-mail through any relay, the way out that needs no vendor.

Read 2026-11-22: RFC 5321 (SMTP), RFC 3463 (enhanced codes), RFC 3834 (Auto-Submitted), RFC 8058 (one-click
unsubscribe), and https://aiosmtplib.readthedocs.io for the client, version 5.1.

Oddities:
- 250 after DATA hands the message over; a connection lost between DATA and that answer leaves it open (RFC 1047).
  The Message-ID is fixed per delivery, so that a receiver can drop a repeat.
- One recipient per message, always: no path takes a list. A relay is asked for one message per call, over connections
  that are kept for a while.
- There is nobody to ask afterwards: no events, no lookup. Bounces go to `bounce_to`, open cases to the policy.
- Python's header folding can be made to write a header of its own out of an encoded word (CVE-2024-6923), hence every
  finished message is parsed again and its header names are compared with those intended.
- The standard library makes the structure once per rendition; a recipient costs two encoded bodies and a few headers.
"""

import asyncio
import base64
import contextlib
import re
import ssl
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.errors import MultipartInvariantViolationDefect
from email.headerregistry import Address
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from email.policy import SMTP as POLICY
from email.utils import format_datetime
from enum import IntEnum
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from pydantic import Field, model_validator

from dispatcher.errors import Refused
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.provider import HeaderText, ProviderSettings, Secret, Sender, fill, is_loopback, mail_address, reason
from dispatcher.wire import Wire, is_too_late

if TYPE_CHECKING:
    from aiosmtplib import SMTP

IDLE_SECONDS = 10.0
"""A connection idle for longer is not used again; relays wait minutes, but some of them much less."""
MESSAGES_PER_CONNECTION = 100
"""Many relays close a connection after some hundred messages; we are first to do so."""
_RENDITIONS_KEPT = 16
_KEY, _LINK = re.compile(r"[A-Za-z0-9.]+"), re.compile(r"https?://[!-;=?-~]+")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_SLOW_DOWN = re.compile(r"\b4\.7\.\d+\b|too many|rate limit|too fast", re.IGNORECASE)
_NOBODY = re.compile(r"\b5\.1\.(?:1|2|3|6|10)\b")
_NOT_OUR_RELAY = re.compile(r"(?i)relay(?:ing)?\b.*(?:denied|not permitted|not allowed|access)|not permitted to relay")
_NOT_ABOUT_THE_PERSON = frozenset({500, 502, 503, 530, 534, 535, 538})


class SmtpSettings(ProviderSettings):
    """One relay. `base_url` is smtp://host:587 (STARTTLS) or smtps://host:465 (TLS from the first byte).

    `starttls`: auto asks for it everywhere but on this machine. `bounce_to` receives bounces (the envelope's sender);
    `domain` stands in the Message-ID and in our greeting; both default to the sender's.
    """

    schemes: ClassVar[Sequence[str]] = ("smtp", "smtps")

    sender: Sender = Field(min_length=3)
    sender_name: HeaderText = ""
    reply_to: Sender = ""
    bounce_to: Sender = ""
    domain: str = Field(default="", pattern=r"^[A-Za-z0-9.-]*$")
    username: HeaderText = ""
    password: Secret | None = None
    starttls: Literal["auto", "required", "off"] = "auto"
    ca_file: str = ""

    @model_validator(mode="after")
    def _login_is_whole_and_covered(self) -> Self:
        if bool(self.username) != bool(self.password):
            raise ValueError("set username and password together, or neither")
        if self.username and not (self.implicit_tls or self.upgrades or is_loopback(self.base_url)):
            raise ValueError("a password may travel only under TLS: leave starttls at auto, or use smtps://")
        return self

    @property
    def place(self) -> tuple[str, int]:
        """Host and port: 587 for submission, 465 for implicit TLS, unless the URL says otherwise."""
        url = urlsplit(self.base_url)
        return url.hostname or "", url.port or (465 if self.implicit_tls else 587)

    @property
    def implicit_tls(self) -> bool:
        """TLS from the first byte."""
        return self.base_url.startswith("smtps://")

    @property
    def upgrades(self) -> bool:
        """STARTTLS is asked for, and without it nothing is sent."""
        return not self.implicit_tls and (
            self.starttls == "required" or (self.starttls == "auto" and not is_loopback(self.base_url))
        )

    @property
    def own_domain(self) -> str:
        """What stands in Message-ID and EHLO."""
        return self.domain or self.sender.rpartition("@")[2]


class Stage(IntEnum):
    """How far a hand-over has come; decides what a refusal or a loss means."""

    SESSION = 0
    RECIPIENT = 1
    DATA = 2


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A message without its people: header block, then text between the encoded bodies."""

    names: tuple[str, ...]
    bodies: tuple[str, ...]
    pieces: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one recipient, ready for the wire."""

    to: str
    message_id: str
    raw: bytes


@dataclass(slots=True)
class Line:
    """A connection to the relay. `dirty`: a transaction was refused half way and has to be reset."""

    smtp: "SMTP"
    carried: int = 0
    idle_since: float = 0.0
    dirty: bool = False

    def drop(self) -> None:
        """Close without another word, whatever is still in the buffer."""
        if isinstance(self.smtp.transport, asyncio.WriteTransport):
            self.smtp.transport.abort()
        self.smtp.close()


def encoded(text: str) -> bytes:
    """A body in base64, its line ends as mail has them."""
    return base64.encodebytes(_LINE_END.sub(b"\r\n", text.encode("utf-8", "replace")) + b"\r\n").replace(b"\n", b"\r\n")


def skeleton(settings: SmtpSettings, rendition: Rendition) -> Skeleton:
    """The structure, made by the standard library around marks that stand where the bodies will."""
    bodies = tuple(name for name in ("text", "html") if rendition.parts.get(name))
    if not bodies:
        raise Refused("The message has neither a text nor an HTML part.", code="E-TPL")
    message = EmailMessage(policy=POLICY)
    message["From"] = Address(settings.sender_name, addr_spec=settings.sender)
    if settings.reply_to:
        message["Reply-To"] = Address(addr_spec=settings.reply_to)
    message["Auto-Submitted"] = "auto-generated"
    for at, name in enumerate(bodies):
        add = message.add_alternative if at else message.set_content
        add(f"mark of {name}\n", subtype="plain" if name == "text" else "html", charset="utf-8", cte="base64")
    if (shown := rendition.picture) and (html := message.get_body(("html",))):
        data, (kind, form) = base64.b64decode(shown.data), shown.kind.split("/")
        html.add_related(data, kind, form, disposition="inline", cid=f"<{shown.cid}>", filename=shown.name)
    rest, pieces = message.as_bytes(), []
    for name in bodies:
        before, _, rest = rest.partition(encoded(f"mark of {name}"))
        pieces.append(before)
    return Skeleton(tuple(message.keys()), bodies, (*pieces, rest))


def head(settings: SmtpSettings, rendition: Rendition, envelope: Envelope, now: datetime) -> dict[str, bytes]:
    """The header lines of one recipient, by name; each ends in CR LF."""
    if not _KEY.fullmatch(envelope.key):
        raise Refused("The key of the delivery cannot stand in a Message-ID.", code="E-HDR")
    lines = {
        "To": f"To: {mail_address(envelope.address)}\r\n",
        "Subject": _folded("Subject", fill(rendition.parts["subject"], rendition, envelope)),
        "Date": f"Date: {format_datetime(now)}\r\n",
        "Message-ID": f"Message-ID: <{envelope.key}@{settings.own_domain}>\r\n",
    }
    if envelope.unsubscribe_url:
        if not _LINK.fullmatch(envelope.unsubscribe_url):
            raise Refused("The unsubscribe address cannot stand in a header.", code="E-HDR")
        lines["List-Unsubscribe"] = f"List-Unsubscribe: <{envelope.unsubscribe_url}>\r\n"
        lines["List-Unsubscribe-Post"] = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    return {name: line.encode("ascii") for name, line in lines.items()}


def _folded(name: str, text: str) -> str:
    try:
        _, value = POLICY.header_store_parse(name, text)
    except ValueError as error:
        raise Refused(f"The {name} holds a line break.", code="E-HDR") from error
    return str(value.fold(policy=POLICY))


def guard(raw: bytes, intended: Sequence[str]) -> None:
    """Parse the finished header block again: exactly the intended names, each as often as intended."""
    parsed = BytesHeaderParser().parsebytes(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    # Python 3.11.2, for one, misses the parts of a multipart message even where it is to read the header alone.
    defects = [one for one in parsed.defects if not isinstance(one, MultipartInvariantViolationDefect)]
    found = Counter(name.lower() for name in parsed)
    if defects or found != Counter(name.lower() for name in intended):
        raise Refused("The finished message has other headers than intended.", code="E-HDR")


class Smtp:
    """E-mail through a relay, one person in a call."""

    name: ClassVar[str] = "smtp"
    channel: ClassVar[Channel] = Channel.EMAIL
    Settings: ClassVar[type[ProviderSettings]] = SmtpSettings
    recipients_per_request: ClassVar[int] = 1

    def __init__(self, settings: SmtpSettings, wire: Wire, clock: Clock = SystemClock()) -> None:
        self._settings = settings
        self._clock = clock
        self._skeletons: dict[int, tuple[Rendition, Skeleton]] = {}
        self._idle: WeakKeyDictionary[asyncio.AbstractEventLoop, list[Line]] = WeakKeyDictionary()
        wire.on_close(self.close)

    async def send(
        self, rendition: Rendition, envelopes: Sequence[Envelope], *, expires_at: datetime
    ) -> Sequence[Outcome]:
        """One message to one address."""
        (envelope,) = envelopes
        try:
            letter = self.letter(rendition, envelope)
        except Refused as error:
            return [Rejected("unsafe value" if error.code == "E-HDR" else error.what)]
        return [await self._deliver(letter)]

    def letter(self, rendition: Rendition, envelope: Envelope) -> Letter:
        """The message as it will travel. Raises Refused where it cannot be made safely."""
        frame = self._skeleton(rendition)
        lines = head(self._settings, rendition, envelope, self._clock.now())
        pieces = [*lines.values(), frame.pieces[0]]
        for name, after in zip(frame.bodies, frame.pieces[1:], strict=True):
            pieces += (encoded(fill(rendition.parts[name], rendition, envelope)), after)
        raw = b"".join(pieces)
        guard(raw, (*lines, *frame.names))
        return Letter(mail_address(envelope.address), f"{envelope.key}@{self._settings.own_domain}", raw)

    def _skeleton(self, rendition: Rendition) -> Skeleton:
        """Kept by identity: a rendition is one object for as long as its batch is at hand."""
        kept = self._skeletons.get(id(rendition))
        if kept is None or kept[0] is not rendition:
            if len(self._skeletons) >= _RENDITIONS_KEPT:
                self._skeletons.clear()
            kept = self._skeletons[id(rendition)] = (rendition, skeleton(self._settings, rendition))
        return kept[1]

    async def _deliver(self, letter: Letter) -> Outcome:
        from aiosmtplib import SMTPException

        stages = [Stage.SESSION]
        try:
            async with asyncio.timeout(self._settings.timeout):
                await self._hand_over(letter, stages)
        except TimeoutError as late:
            return lost(stages[-1], str(late) or f"no answer within {self._settings.timeout:g} s")
        except (SMTPException, OSError) as error:
            return judged(error, stages[-1])
        return Accepted(letter.message_id)

    async def _hand_over(self, letter: Letter, stages: list[Stage]) -> None:
        """One transaction; `stages` tells the caller how far it came."""
        from aiosmtplib import SMTPResponseException

        line = await self._begin()
        try:
            stages.append(Stage.RECIPIENT)
            await line.smtp.rcpt(letter.to)
            stages.append(Stage.DATA)
            await line.smtp.data(letter.raw)
        except SMTPResponseException:
            line.dirty = True
            self._keep(line)
            raise
        except BaseException:
            line.drop()
            raise
        self._keep(line)

    async def _begin(self) -> Line:
        """A connection on which a transaction has begun. One that died while idle is replaced: nothing was sent."""
        from aiosmtplib import SMTPException

        while line := self._rested():
            with contextlib.suppress(SMTPException):
                return await self._mail(line)
        return await self._mail(await self._connected())

    async def _mail(self, line: Line) -> Line:
        if is_too_late():
            self._keep(line)
            raise TimeoutError("it took too long to connect")
        try:
            if line.dirty:
                await line.smtp.rset()
                line.dirty = False
            await line.smtp.mail(self._settings.bounce_to or self._settings.sender)
        except BaseException:
            line.drop()
            raise
        return line

    def _rested(self) -> Line | None:
        lines = self._idle.get(asyncio.get_running_loop(), [])
        while lines:
            line = lines.pop()
            if line.smtp.is_connected and self._clock.monotonic() - line.idle_since < IDLE_SECONDS:
                return line
            line.drop()
        return None

    def _keep(self, line: Line) -> None:
        line.carried += 1
        line.idle_since = self._clock.monotonic()
        if line.smtp.is_connected and line.carried < MESSAGES_PER_CONNECTION:
            self._idle.setdefault(asyncio.get_running_loop(), []).append(line)
        else:
            line.drop()

    async def _connected(self) -> Line:
        from aiosmtplib import SMTP

        settings = self._settings
        host, port = settings.place
        smtp = SMTP(
            hostname=host,
            port=port,
            local_hostname=settings.own_domain,
            username=settings.username or None,
            password=settings.password.get_secret_value() if settings.password else None,
            use_tls=settings.implicit_tls,
            start_tls=settings.upgrades,
            tls_context=self._tls if settings.implicit_tls or settings.upgrades else None,
            timeout=None,
        )
        await smtp.connect()
        return Line(smtp)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self._settings.ca_file or None)

    async def close(self) -> None:
        """Take leave of the relay on every idle connection of the running loop."""
        from aiosmtplib import SMTPException

        for line in self._idle.pop(asyncio.get_running_loop(), []):
            try:
                await line.smtp.quit(timeout=1.0)
            except (SMTPException, OSError):
                line.drop()


def judged(error: Exception, stage: Stage) -> Outcome:
    """What went wrong, as an outcome."""
    from aiosmtplib import SMTPConnectError, SMTPException, SMTPResponseException, SMTPServerDisconnected

    if isinstance(error, SMTPResponseException):
        return answered(error.code, error.message, stage)
    if isinstance(error, SMTPException) and not isinstance(error, SMTPConnectError | SMTPServerDisconnected):
        return Misconfigured(reason(error.message))  # STARTTLS or a login that this relay does not offer
    return lost(stage, f"connection lost ({type(error).__name__})")


def lost(stage: Stage, why: str) -> Outcome:
    """No answer: open once DATA had begun, certain before."""
    return OutcomeUnknown(why) if stage is Stage.DATA else NotSent(why)


def answered(code: int, message: str, stage: Stage) -> Outcome:
    """What a reply of the relay means at this stage."""
    why = reason(code, message)
    if 400 <= code < 500:
        return Throttled() if code == 421 or _SLOW_DOWN.search(message) else NotSent(why)
    if not 500 <= code < 600:
        return lost(stage, "an answer that is not SMTP")
    if stage is Stage.DATA:
        return Rejected(why)
    if stage is Stage.SESSION or code in _NOT_ABOUT_THE_PERSON or _NOT_OUR_RELAY.search(message):
        return Misconfigured(why)
    return Rejected(why, "hard_bounce" if _NOBODY.search(message) else None)
