"""What services hand the composer: the organisation that speaks, and everything one broadcast wants said.

The composer asks nobody: no clock, no ledger, no environment. What it needs stands here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.errors import TemplateError
from dispatcher.model.fact import Fact, FactKey
from dispatcher.model.kinds import Channel, Mode, Purpose, Severity
from dispatcher.model.person import Level
from dispatcher.model.rendition import Picture

LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
NONCE = re.compile(r"[0-9a-z]{8,32}")


@dataclass(frozen=True, slots=True)
class Organisation:
    """Who speaks. Texts by locale fall back to the language, then to `locale`, the organisation's own language.

    `sms_name` opens every text message; `domains` are the only hosts that a link may lead to; `zone` is the IANA zone
    in which times are told.
    """

    name: str
    sms_name: str
    domains: tuple[str, ...]
    status_url: str
    verify_url: str
    contact_email: str
    contact_phone: str
    never_ask: Mapping[str, str]
    contact_hours: Mapping[str, str] = field(default_factory=dict)
    signatory_name: str = ""
    signatory_role: Mapping[str, str] = field(default_factory=dict)
    signatory_picture: Picture | None = None
    dpo_name: str = ""
    dpo_email: str = ""
    press_email: str = ""
    post_address: str = ""
    accounts: tuple[str, ...] = ()
    supplier_names: tuple[str, ...] = ()
    locale: str = "en"
    zone: str = "Europe/London"

    def said(self, texts: Mapping[str, str], locale: str) -> str:
        """One of the texts above in the reader's language, or in our own."""
        for candidate in (locale, locale.split("-")[0], self.locale):
            if candidate in texts:
                return texts[candidate]
        return ""


@dataclass(frozen=True, slots=True)
class Said:
    """What the same readers were told last: one rendition as plain text."""

    channel: Channel
    locale: str
    variant: str
    text: str


@dataclass(frozen=True, slots=True)
class Signature:
    """Whose name stands under the message, and how senior that must be. `level` None: nobody of the directory."""

    name: str
    level: Level | None
    needed: Level


@dataclass(frozen=True, slots=True)
class Brief:
    """One broadcast to be said.

    `as_of` is the moment the words are true for; `nonce` makes slot tags unguessable (a fresh random one for each
    broadcast); `code` is the short code people type to verify the message; `variants` beside the plain one.
    `latest_update_at` is the last moment that the cadence allows for the next update; `previous` the last word to the
    same readers; `corrects` the names (code, ref) of the message that this one takes back.
    """

    organisation: Organisation
    facts: Mapping[FactKey, Fact]
    channels: tuple[Channel, ...]
    locales: tuple[str, ...]
    as_of: datetime
    nonce: str
    code: str
    incident_ref: str = ""
    next_update_at: datetime | None = None
    purpose: Purpose = Purpose.SERVICE
    mode: Mode = Mode.LIVE
    severity: Severity = Severity.MAJOR
    variants: tuple[str, ...] = ("",)
    signature: Signature | None = None
    latest_update_at: datetime | None = None
    previous: tuple[Said, ...] = ()
    corrects: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not NONCE.fullmatch(self.nonce):
            raise TemplateError("The nonce of a broadcast is 8 to 32 small letters or digits.")
        for locale in self.locales:
            if not LOCALE.fullmatch(locale):
                raise TemplateError(f"{locale!r} is no locale.", mend="Write it like en, fr or en-US.")
        if not self.locales:
            raise TemplateError("No locale was chosen.", mend="Name at least one, for example en.")
