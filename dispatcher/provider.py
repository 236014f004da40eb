"""The contract between this program and a vendor, and `load()` by entry point.

An adapter turns envelopes into one request and the vendor's answer into outcomes. It never sleeps, retries, logs
bodies or addresses, or touches the ledger; concurrency, limits and retry belong to `services.dispatch` and `policy`.
"""

import html
import re
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import entry_points
from typing import ClassVar, Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, Field

from dispatcher.errors import ConfigurationError, Refused
from dispatcher.model.event import Event, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Outcome
from dispatcher.model.rendition import Envelope, Rendition, Slot, SlotForm
from dispatcher.wire import Wire

GROUP = "dispatcher.providers"


class ProviderSettings(BaseModel):
    """What every account has. `base_url` is the one seam; `events_url` is where the vendor posts its events to us."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True)

    kind: str = ""
    enabled: bool = True
    base_url: str
    timeout: float = Field(default=10.0, gt=0, le=120)
    events_url: str = ""
    in_flight: int = Field(default=8, ge=1, le=1000)
    per_second: float = Field(default=0, ge=0)
    per_day: int = Field(default=0, ge=0)
    recipients_per_request: int = Field(default=0, ge=0, le=1000)
    spend_cap: float = Field(default=0, ge=0)
    unit_cost: float = Field(default=0, ge=0)


class Provider(Protocol):
    """One class per vendor and channel. `recipients_per_request` is the vendor's ceiling."""

    name: ClassVar[str]
    channel: ClassVar[Channel]
    Settings: ClassVar[type[ProviderSettings]]
    recipients_per_request: ClassVar[int]

    def __init__(self, settings: ProviderSettings, wire: Wire) -> None: ...

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
        """Every event in the request; an unlisted word becomes EventType.UNKNOWN."""
        ...


@runtime_checkable
class AnswersQueries(Protocol):
    """A vendor that can be asked afterwards whether it has a message (reconcile)."""

    async def lookup(self, rendition: Rendition, envelope: Envelope, *, since: datetime) -> Outcome | None:
        """Accepted with its id if the vendor has it, Rejected if it refused it, None if it shows no trace."""
        ...


def kinds() -> list[str]:
    """Names of every provider that is installed."""
    return sorted(e.name for e in entry_points(group=GROUP))


def load(kind: str) -> type[Provider]:
    """The provider class behind a name. Its SDK loads only now."""
    for entry in entry_points(group=GROUP, name=kind):
        loaded: type[Provider] = entry.load()
        return loaded
    raise ConfigurationError(
        f"No provider is called {kind!r}.",
        why=f"Installed are: {', '.join(kinds()) or 'none'}.",
        mend="Set kind = one of these in the account's block under [providers].",
    )


def _unsafe_in_header(char: str) -> bool:
    return unicodedata.category(char) in ("Cc", "Zl", "Zp")


def slot_value(slot: Slot, envelope: Envelope) -> str:
    """The recipient's value, made safe for where it stands; refused where it cannot be made safe.

    Header-bound values may hold no control character, line separator or encoded-word start (CVE-2024-6923).
    """
    value = envelope.values.get(slot.name) or slot.default or ""
    if slot.form is SlotForm.HTML:
        return html.escape(value, quote=True)
    if slot.form is SlotForm.HEADER and ("=?" in value or any(map(_unsafe_in_header, value))):
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
