"""SendGrid: e-mail over the v3 Web API, its Event Webhook, and Email Activity for the reconcile.

Read 2026-11-22:
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
https://www.twilio.com/docs/sendgrid/for-developers/sending-email/personalizations
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features
https://www.twilio.com/docs/sendgrid/for-developers/sending-email/getting-started-email-activity-api
and the vendor's OpenAPI description (github.com/twilio/sendgrid-oai).

Oddities:
- No idempotency key. One request carries up to 1,000 personalizations and is taken or refused as a whole.
- X-Message-Id names the request; an event's `sg_message_id` begins with it, up to the first dot. A late bounce carries
  no `sg_message_id` at all, so only `custom_args` lead back to a recipient. They are kept as "not personal data".
- Substitutions go verbatim into subject, text and HTML; their sum is limited to 10,000 bytes per personalization.
- Sandbox mode answers 200 in place of 202. The account's own settings would add footers, subscription text and
  tracked links; each is switched off here, since what was approved is what is sent.
- Undelivered webhook batches are posted again for up to 24 hours, and nothing says that they are signed anew. Hence
  `events_max_age` of 25 hours. A replay inside it moves nobody: proof only rises.
- Email Activity is a paid extra and answers six questions a minute.
"""

import base64
import functools
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

import orjson
from pydantic import Field, field_validator

from dispatcher.errors import BadSignature, Refused
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, NotSent, Outcome, OutcomeUnknown, Rejected
from dispatcher.model.rendition import Envelope, Picture, Rendition
from dispatcher.provider import (
    HeaderText,
    ProviderSettings,
    Secret,
    Sender,
    by_status,
    copy_number,
    mail_address,
    reason,
    slot_value,
)
from dispatcher.wire import Answer, Wire, WireError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

SUBSTITUTION_BYTES = 10_000
SURELY_SHORT = 1_000
"""Characters of values that cannot come near the limit, not even as six bytes each beside all their tags."""
FUTURE_SECONDS = 300
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"

_ARMOUR = re.compile(r"-----[A-Z ]+-----|\s")
_LINK = re.compile(r"https?://[!-;=?-~]+")
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")

EVENTS: Mapping[str, tuple[EventType, str | None]] = {
    "processed": (EventType.PROCESSED, None),
    "deferred": (EventType.DEFERRED, None),
    "delivered": (EventType.DELIVERED, None),
    "bounce": (EventType.BOUNCED, "hard_bounce"),
    "blocked": (EventType.BLOCKED, None),
    "dropped": (EventType.DROPPED, None),
    "open": (EventType.OPENED, None),
    "click": (EventType.CLICKED, None),
    "spamreport": (EventType.COMPLAINED, "spam_report"),
    "unsubscribe": (EventType.UNSUBSCRIBED, "opt_out"),
    "group_unsubscribe": (EventType.UNSUBSCRIBED, "opt_out"),
}
"""The vendor's word → ours, and the suppression it proves. A bounce of type `blocked` is listed as its own word."""

DROPS: Mapping[str, str] = {
    "bounced address": "hard_bounce",
    "unsubscribed address": "opt_out",
    "spam reporting address": "spam_report",
    "invalid": "invalid",
}
"""Reasons of `dropped` that say something about the person; quota and content say nothing."""


class SendGridSettings(ProviderSettings):
    """One SendGrid account or subuser; European subusers set `base_url` to https://api.eu.sendgrid.com."""

    base_url: str = "https://api.sendgrid.com"
    api_key: Secret
    sender: Sender = Field(min_length=3)
    sender_name: HeaderText = ""
    reply_to: Sender = ""
    asm_group_id: int | None = Field(default=None, gt=0)
    ip_pool: str = Field(default="", pattern=r"^(.{2,64})?$")
    sandbox_mode: bool = False
    webhook_key: str = ""
    events_max_age: float = Field(default=25 * 3600, gt=0)
    activity: bool = False

    @field_validator("webhook_key")
    @classmethod
    def _is_a_p256_key(cls, key: str) -> str:
        bare = _ARMOUR.sub("", key)
        try:
            der = base64.b64decode(bare, validate=True)
        except ValueError:
            der = b"?"
        if der and not (der.startswith(_P256) and len(der) == 91):
            raise ValueError("must be the verification key that SendGrid shows for the signed Event Webhook")
        return bare


def _frame(settings: SendGridSettings) -> dict[str, Any]:
    """All of a body that does not depend on the message or the people."""
    sender = {"email": settings.sender}
    if settings.sender_name:
        sender["name"] = settings.sender_name
    frame: dict[str, Any] = {
        "from": sender,
        "mail_settings": {"footer": {"enable": False}},
        "tracking_settings": {
            "click_tracking": {"enable": False, "enable_text": False},
            "open_tracking": {"enable": False},
            "subscription_tracking": {"enable": False},
            "ganalytics": {"enable": False},
        },
    }
    if settings.reply_to:
        frame["reply_to"] = {"email": settings.reply_to}
    if settings.asm_group_id:
        frame["asm"] = {"group_id": settings.asm_group_id}
    if settings.ip_pool:
        frame["ip_pool_name"] = settings.ip_pool
    if settings.sandbox_mode:
        frame["mail_settings"]["sandbox_mode"] = {"enable": True}
    return frame


def _words(rendition: Rendition) -> dict[str, Any]:
    """Subject and content; plain text has to come before HTML."""
    kinds = (("text", "text/plain"), ("html", "text/html"))
    content = [{"type": mime, "value": rendition.parts[part]} for part, mime in kinds if rendition.parts.get(part)]
    words: dict[str, Any] = {"subject": rendition.parts["subject"], "content": content}
    if rendition.picture:
        words["attachments"] = [_inline(rendition.picture)]
    return words


def _inline(picture: Picture) -> dict[str, str]:
    """Once in a request, however many people it is for; shown where the HTML says so, and not as a file."""
    named = {"content_id": picture.cid, "filename": picture.name}
    return {"content": picture.data, "type": picture.kind, "disposition": "inline", **named}


def _substitutions(rendition: Rendition, envelope: Envelope) -> dict[str, str]:
    found = {slot.tag: slot_value(slot, envelope) for slot in rendition.slots}
    if sum(map(len, found.values())) > SURELY_SHORT and len(orjson.dumps(found)) > SUBSTITUTION_BYTES:
        raise Refused("The recipient's values are longer than SendGrid allows (10,000 bytes).", code="E-LEN")
    return found


def _marks(envelope: Envelope) -> dict[str, str]:
    """What every event about this mail echoes: our key and, where it is not the first, the number of the copy."""
    return {"d": envelope.key, "n": str(envelope.copy)} if envelope.copy > 1 else {"d": envelope.key}


def _personalization(rendition: Rendition, envelope: Envelope) -> dict[str, Any]:
    """One recipient. Raises Refused where a value or the address cannot be carried safely."""
    made: dict[str, Any] = {"to": [{"email": mail_address(envelope.address)}], "custom_args": _marks(envelope)}
    if rendition.slots:
        made["substitutions"] = _substitutions(rendition, envelope)
    if envelope.unsubscribe_url:
        if not _LINK.fullmatch(envelope.unsubscribe_url):
            raise Refused("The unsubscribe address cannot stand in a header.", code="E-HDR")
        made["headers"] = {
            "List-Unsubscribe": f"<{envelope.unsubscribe_url}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
    return made


class SendGrid:
    """E-mail through SendGrid, up to 1,000 people in a request."""

    name: ClassVar[str] = "sendgrid"
    channel: ClassVar[Channel] = Channel.EMAIL
    Settings: ClassVar[type[ProviderSettings]] = SendGridSettings
    recipients_per_request: ClassVar[int] = 1000

    def __init__(self, settings: SendGridSettings, wire: Wire, clock: Clock = SystemClock()) -> None:
        self._settings = settings
        self._wire = wire
        self._clock = clock
        self._frame = _frame(settings)
        self._headers = {
            "Authorization": f"Bearer {settings.api_key.get_secret_value()}",
            "Content-Type": "application/json",
        }

    async def send(
        self, rendition: Rendition, envelopes: Sequence[Envelope], *, expires_at: datetime
    ) -> Sequence[Outcome]:
        """One request for everyone whose values can be sent; the others are rejected without spoiling it."""
        people, outcomes = self._sort(rendition, envelopes)
        if not people:
            return [outcome or NotSent() for outcome in outcomes]
        common = await self._post(rendition, people)
        if isinstance(common, Rejected) and common.isolate:
            return [common] * len(envelopes)  # one verdict for all, or the caller would not split the request
        return [outcome or common for outcome in outcomes]

    def _sort(
        self, rendition: Rendition, envelopes: Sequence[Envelope]
    ) -> tuple[list[dict[str, Any]], list[Outcome | None]]:
        people: list[dict[str, Any]] = []
        outcomes: list[Outcome | None] = []
        seen: set[str] = set()
        for envelope in envelopes:
            refused: Outcome | None = None
            try:
                person = _personalization(rendition, envelope)
            except Refused as error:
                refused = Rejected("unsafe value" if error.code == "E-HDR" else error.what)
            else:
                if envelope.address in seen:
                    refused = NotSent("this address is in the request already")
                else:
                    seen.add(envelope.address)
                    people.append(person)
            outcomes.append(refused)
        return people, outcomes

    async def _post(self, rendition: Rendition, people: Sequence[Mapping[str, Any]]) -> Outcome:
        body = orjson.dumps({"personalizations": people, **self._frame, **_words(rendition)})
        url = f"{self._settings.base_url}/v3/mail/send"
        try:
            answer = await self._wire.request(
                "POST", url, headers=self._headers, body=body, timeout=self._settings.timeout
            )
        except WireError as error:
            return error.outcome
        return self._outcome(answer, len(people))

    def _outcome(self, answer: Answer, people: int) -> Outcome:
        if answer.status == 202 or (answer.status == 200 and self._settings.sandbox_mode):
            return Accepted(answer.headers.get("x-message-id", ""))
        why, recipient_at_fault = _errors(answer)
        if answer.status == 413 or (answer.status == 400 and recipient_at_fault):
            return Rejected(why or f"HTTP {answer.status}", isolate=people > 1)
        return by_status(answer.status, why, answer.wait(self._clock.now(), "x-ratelimit-reset"))

    @property
    def asks(self) -> bool:
        """Whether the account has Email Activity."""
        return self._settings.activity

    async def lookup(self, rendition: Rendition, envelope: Envelope, *, since: datetime) -> Outcome | None:
        """Asks Email Activity for our key, where the account has it; None where it has not."""
        if not self.asks:
            return None
        marks = " AND ".join(f"unique_args['{name}']=\"{value}\"" for name, value in _marks(envelope).items())
        query = urlencode({"limit": 1, "query": marks})
        url = f"{self._settings.base_url}/v3/messages?{query}"
        try:
            answer = await self._wire.request("GET", url, headers=self._headers, timeout=self._settings.timeout)
        except WireError as error:
            return OutcomeUnknown(str(error))
        messages = answer.json().get("messages")
        if answer.status != 200 or not isinstance(messages, list):
            return OutcomeUnknown(f"Email Activity answered HTTP {answer.status}")
        return _found(messages[0]) if messages else None

    @functools.cached_property
    def _key(self) -> "EllipticCurvePublicKey | None":
        if not self._settings.webhook_key:
            return None
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        key = load_der_public_key(base64.b64decode(self._settings.webhook_key))
        return key if isinstance(key, EllipticCurvePublicKey) else None

    def verify(self, request: WebhookRequest) -> None:
        """ECDSA over the timestamp header followed by the raw body, not older than `events_max_age`."""
        if self._key is None:
            raise BadSignature(
                "Events of this SendGrid account cannot be checked.",
                why="Its webhook_key is not set.",
                mend="Switch on the signed Event Webhook and set webhook_key to the verification key shown there.",
            )
        stamp = request.headers.get(TIMESTAMP, "")
        if not self._is_recent(stamp, request.received_at):
            raise BadSignature("The event request is too old, or says no time.")
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            signature = base64.b64decode(request.headers.get(SIGNATURE, ""), validate=True)
            self._key.verify(signature, stamp.encode() + request.body, ECDSA(SHA256()))
        except (InvalidSignature, ValueError) as error:
            raise BadSignature("The event request is not signed by this SendGrid account.") from error

    def _is_recent(self, stamp: str, now: datetime) -> bool:
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            return False
        return -FUTURE_SECONDS <= now.timestamp() - int(stamp) <= self._settings.events_max_age

    def parse(self, request: WebhookRequest) -> Sequence[Event]:
        """The batch, in the order in which it stands."""
        try:
            entries = orjson.loads(request.body)
        except orjson.JSONDecodeError as error:
            raise Refused("The event request is not JSON.", code="E-EVT") from error
        if not isinstance(entries, list):
            raise Refused("The event request is not a list of events.", code="E-EVT")
        return [_event(entry if isinstance(entry, dict) else {"event": entry}) for entry in entries]


def _errors(answer: Answer) -> tuple[str, bool]:
    """What the vendor says, and whether a recipient may be at fault (else it is our account or the message)."""
    errors = [entry for entry in answer.json().get("errors") or () if isinstance(entry, dict)]
    fields = [str(entry.get("field") or "") for entry in errors]
    ours = bool(fields) and all(field and not field.startswith("personalizations") for field in fields)
    first = errors[0] if errors else {}
    return reason(first.get("field"), first.get("message")) or f"HTTP {answer.status}", not ours


def _found(message: Any) -> Outcome:
    told = message if isinstance(message, dict) else {}
    if told.get("status") == "not_delivered":
        return Rejected("Email Activity says not delivered")
    return Accepted(str(told.get("msg_id", "")).partition(".")[0])


def _event(entry: dict[str, Any]) -> Event:
    word = str(entry.get("event", ""))
    blocked = word == "bounce" and entry.get("type") == "blocked"
    kind, suppresses = EVENTS.get("blocked" if blocked else word, (EventType.UNKNOWN, None))
    if kind is EventType.DROPPED:
        suppresses = DROPS.get(str(entry.get("reason", "")).lower())
    key = entry.get("d")
    why = None if kind is EventType.DELIVERED else entry.get("reason") or entry.get("response")
    return Event(
        kind,
        key if isinstance(key, str) else None,
        word[:64],
        copy_number(entry["n"]) if "n" in entry else 1,
        reason(why) if why else "",
        suppresses,
    )
