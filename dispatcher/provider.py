"""The contract between this program and a vendor, `load()` by entry point, and what every adapter needs.

An adapter turns envelopes into one request and the vendor's answer into outcomes. It never sleeps, retries, logs
bodies or addresses, or touches the ledger; concurrency, limits and retry belong to `services.dispatch` and `policy`.
"""

import functools
import html
import ipaddress
import re
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated, ClassVar, Protocol, runtime_checkable
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator

from dispatcher.errors import ConfigurationError, Refused
from dispatcher.log import redact
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.event import Event, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Misconfigured, Outcome, OutcomeUnknown, Throttled
from dispatcher.model.rendition import Envelope, Rendition, Slot, SlotForm
from dispatcher.wire import Wire

GROUP = "dispatcher.providers"

_ATOM = r"[\w!#$%&'*+/=?^`{|}~-]++"
_LABEL = r"[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*"
_ASCII_ADDRESS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+", re.ASCII)
_UNSAFE_IN_HEADER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]|=\\?")
"""Control characters (category Cc), line and paragraph separators, and the start of an encoded word."""

_REASON_LENGTH = 160
_UNKEPT = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
"""What PostgreSQL (NUL), an encoder (half a pair) or a terminal (the rest) chokes on, and an event with it for ever."""
_MAY_HAVE_BEEN_DONE = frozenset({408, 409, 425, 499})


def _one_line_ascii(secret: SecretStr) -> SecretStr:
    value = secret.get_secret_value().strip()
    if not value:
        raise ValueError("is empty")
    if not value.isascii() or not value.isprintable():
        raise ValueError("holds a line break or a character that no key has")
    return SecretStr(value)


def _address(text: str) -> str:
    if text and not _ASCII_ADDRESS.fullmatch(text):
        raise ValueError("must be one plain e-mail address, like care@example.com")
    return text


def _one_line(text: str) -> str:
    if _UNSAFE_IN_HEADER.search(text):
        raise ValueError("holds a line break, a control character or '=?'")
    return text


Secret = Annotated[SecretStr, AfterValidator(_one_line_ascii)]
"""A credential: never empty, blanks around it dropped, fit to stand in an HTTP header."""
Sender = Annotated[str, AfterValidator(_address)]
"""An e-mail address of ours in a setting; may be empty where the setting is optional."""
HeaderText = Annotated[str, AfterValidator(_one_line)]
"""Free text of a setting that becomes part of a header."""


def is_loopback(url: str) -> bool:
    """Whether the host of a URL is this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _near(host: str) -> bool:
    """This machine, a private network, or a name without a dot: where plain http exposes no credential."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal", ".test"))


class ProviderSettings(BaseModel):
    """What every account has. `base_url` is the one seam; `events_url` is where the vendor posts its events to us."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)
    schemes: ClassVar[Sequence[str]] = ("https", "http")

    kind: str = Field(default="", description="The provider; by default the account's own name.")
    enabled: bool = Field(default=True, description="False keeps the account from being used.")
    base_url: str = Field(description="Where the vendor's API is; the sandbox puts its own address here.")
    timeout: float = Field(default=10.0, gt=0, le=120, description="Seconds that one call may take in all.")
    events_url: str = Field(
        default="", description="Where the vendor posts its events; by default /webhooks/NAME below public_url."
    )
    in_flight: int = Field(default=8, ge=1, le=1000, description="Requests under way at once, per worker process.")
    per_second: float = Field(default=0, ge=0, description="Deliveries a second over all workers; 0 is no limit.")
    per_day: int = Field(default=0, ge=0, description="Deliveries a day; 0 is no limit.")
    recipients_per_request: int = Field(
        default=0, ge=0, le=1000, description="Recipients in one request; 0 takes dispatch.request_size."
    )
    spend_cap: float = Field(default=0, ge=0, description="What one broadcast may cost on this account; 0 is no cap.")
    unit_cost: float = Field(default=0, ge=0, description="What one delivery, or one SMS segment, costs.")

    @field_validator("base_url")
    @classmethod
    def _base_is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in cls.schemes or not parts.hostname or parts.port == 0:
            raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in cls.schemes)} and name a host")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("may hold no user name, password, query or fragment")
        if parts.scheme == "http" and not _near(parts.hostname):
            raise ValueError("must begin with https://, or credentials would travel in the clear")
        return url.rstrip("/")

    @field_validator("events_url")
    @classmethod
    def _events_url_is_plain(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and (parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment):
            raise ValueError("must be a whole http(s) address without a fragment")
        return url


class Provider(Protocol):
    """One class per vendor and channel. `recipients_per_request` is the vendor's ceiling."""

    name: ClassVar[str]
    channel: ClassVar[Channel]
    Settings: ClassVar[type[ProviderSettings]]
    recipients_per_request: ClassVar[int]

    def __init__(self, settings: ProviderSettings, wire: Wire, clock: Clock = SystemClock()) -> None: ...

    async def send(
        self, rendition: Rendition, envelopes: Sequence[Envelope], *, expires_at: datetime
    ) -> Sequence[Outcome]:
        """One request; one outcome per envelope, in order. Never raises for a vendor's answer."""
        ...


@runtime_checkable
class ReportsEvents(Protocol):
    """A vendor that posts events to `/webhooks/{account}`."""

    def verify(self, request: WebhookRequest) -> None:
        """Return if the vendor signed these raw bytes, recently; raise BadSignature otherwise."""
        ...

    def parse(self, request: WebhookRequest) -> Sequence[Event]:
        """Every event in the request; an unlisted word becomes EventType.UNKNOWN. Refused if it cannot be read."""
        ...


@runtime_checkable
class AnswersQueries(Protocol):
    """A vendor that can be asked afterwards whether it has a message (reconcile)."""

    async def lookup(self, rendition: Rendition, envelope: Envelope, *, since: datetime) -> Outcome | None:
        """Accepted with its id if the vendor has it, Rejected if it refused it, None if it shows no trace.

        Anything else means that the question got no answer this time and proves nothing: ask again later.
        """
        ...


@runtime_checkable
class TellsFates(Protocol):
    """A vendor that can be asked what became of a message it took on, should its events be lost."""

    async def fate(self, provider_message_id: str, key: str, copy: int) -> Sequence[Event] | None:
        """What its events would have said by now; None if it gave no answer this time: ask again later."""
        ...


def can_be_asked(provider: Provider) -> bool:
    """Whether this account's vendor can be asked. `asks` is False where that is bought apart and was not."""
    return isinstance(provider, AnswersQueries) and bool(getattr(provider, "asks", True))


@functools.cache
def _installed() -> dict[str, EntryPoint]:
    """Read once: every look at the entry points opens the metadata of every package."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def kinds() -> list[str]:
    """Names of every provider that is installed."""
    return sorted(_installed())


def load(kind: str) -> type[Provider]:
    """The provider class behind a name. Its SDK loads only now."""
    if kind in _installed():
        loaded: type[Provider] = _installed()[kind].load()
        return loaded
    raise ConfigurationError(
        f"No provider is called {kind!r}.",
        why=f"Installed are: {', '.join(kinds()) or 'none'}.",
        mend="Set kind = one of these in the account's block under [providers].",
    )


_HTML, _HEADER = SlotForm.HTML, SlotForm.HEADER
"""By a name of their own: finding a member in its enumeration costs more than all the rest of a slot."""


def slot_value(slot: Slot, envelope: Envelope) -> str:
    """The recipient's value, made safe for where it stands; refused where it cannot be made safe.

    Header-bound values may hold no control character, line separator or encoded-word start (CVE-2024-6923).
    """
    value = envelope.values.get(slot.name) or slot.default or ""
    if slot.form is _HTML:
        return html.escape(value, quote=True)
    if slot.form is _HEADER and _UNSAFE_IN_HEADER.search(value):
        raise Refused(
            f"The value of {slot.name} cannot stand in a header.",
            why="It holds a line break, a control character or the start of an encoded word.",
            mend="Correct the recipient's row and import the audience again.",
            code="E-HDR",
        )
    return value


def fill(text: str, rendition: Rendition, envelope: Envelope) -> str:
    """One part with the recipient's values in its slots, in one pass: a value is never scanned for tags."""
    slots = {slot.tag: slot for slot in rendition.slots}
    if not slots:
        return text
    pattern = "|".join(map(re.escape, slots))
    return re.sub(pattern, lambda found: slot_value(slots[found[0]], envelope), text)


def mail_address(text: str) -> str:
    """An e-mail address as it travels: ASCII, a domain in another script as its IDNA form. Refused if there is none."""
    if len(text) <= 254 and _ASCII_ADDRESS.fullmatch(text):
        return text
    from email_validator import EmailNotValidError, validate_email

    try:
        travelling = validate_email(text, check_deliverability=False).ascii_email
    except EmailNotValidError as error:
        raise Refused("This is not an e-mail address.", mend="Correct the recipient's row.", code="E-ADR") from error
    if travelling is None:
        raise Refused("The part before the @ is not ASCII, which most mail servers refuse.", code="E-ADR")
    return travelling


def reason(*words: object) -> str:
    """A vendor's words on one line, fit for ledger and log: no address, number or secret, not endless."""
    text = _UNKEPT.sub("", " ".join(str(word) for word in words if word not in (None, "")))
    return redact(" ".join(text.split()))[:_REASON_LENGTH]


def copy_number(echoed: object) -> int:
    """The number of the copy as a vendor echoes it; the first one carries none."""
    text = str(echoed)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def by_status(status: int, why: str = "", wait: float | None = None) -> Outcome:
    """What an HTTP status proves when the vendor documents nothing more precise.

    A redirect or a 4xx was not processed, and a code that no adapter lists speaks about our account, not about a
    recipient; whatever else may have been processed.
    """
    if status == 429:
        return Throttled(wait)
    words = reason(f"HTTP {status}", why)
    if 300 <= status < 500 and status not in _MAY_HAVE_BEEN_DONE:
        return Misconfigured(words)
    return OutcomeUnknown(words)
