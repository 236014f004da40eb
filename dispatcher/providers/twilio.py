"""Twilio: SMS over the Messages resource, its status callbacks, and the message list for the reconcile.

Read 2026-11-22:
https://www.twilio.com/docs/messaging/api/message-resource
https://www.twilio.com/docs/messaging/guides/track-outbound-message-status
https://www.twilio.com/docs/usage/webhooks/webhooks-security
https://www.twilio.com/docs/api/errors
and the vendor's OpenAPI description (github.com/twilio/twilio-oai, v2010).

Oddities:
- One recipient per request and no idempotency key: a create whose answer was lost may have been done, also after a
  500. Only 429 (20429) was certainly not processed.
- Without `ValidityPeriod` a message may arrive ten hours late; it is set from the broadcast's expiry.
- `SmartEncoded` would replace characters of the approved text, so it is switched off by name.
- Callbacks come in any order, carry no time, are tried once and gain parameters without notice: our key stands in the
  callback URL, and the signature covers all parameters. There is no callback for the first state.
- `num_segments` is "0" until a Messaging Service has chosen its sender.
- The vendor advises against logic on error codes, so they are data here and HTTP decides where a code is not listed.
  21408 and 21612 speak of one destination, not of our account: they cost one recipient and do not stop the rest.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar, Self
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

import orjson
from pydantic import Field, model_validator

from dispatcher.errors import BadSignature, Refused
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.provider import ProviderSettings, Secret, by_status, copy_number, fill, reason
from dispatcher.wire import Answer, Wire, WireError

SIGNATURE = "x-twilio-signature"
SIGNATURE_SETTINGS = "x-twilio-webhooks-signature-settings"
LONGEST_VALIDITY = 36_000
SHORTEST_VALIDITY = 5
LIST_SIZE = 20
LIST_CAP = 256 * 1024
CLOCK_SLACK = timedelta(seconds=60)
"""How far our clock and the vendor's may differ when a listed message is compared with our attempt."""

_ALGORITHMS = {"HMAC_SHA1": hashlib.sha1, "HMAC_SHA256": hashlib.sha256}
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True)
class Code:
    """What an error code means. `suppresses` as in Rejected; `kind` is the outcome of an answer that carries it."""

    words: str
    kind: type[Outcome] = Rejected
    suppresses: str | None = None


CODES: Mapping[int, Code] = {
    21610: Code("the person has opted out", suppresses="opt_out"),
    30004: Code("the person has blocked this sender", suppresses="opt_out"),
    21211: Code("not a valid number", suppresses="invalid"),
    21214: Code("not a reachable number", suppresses="invalid"),
    21217: Code("not a valid number", suppresses="invalid"),
    21614: Code("not a mobile number", suppresses="invalid"),
    21635: Code("a landline", suppresses="invalid"),
    30005: Code("unknown number", suppresses="invalid"),
    30006: Code("a landline, or the carrier cannot be reached", suppresses="invalid"),
    21408: Code("sending to this country is not switched on"),
    21612: Code("this sender cannot reach this number"),
    30003: Code("the handset cannot be reached"),
    30007: Code("filtered as unwanted by the carrier"),
    30008: Code("the carrier gives no reason"),
    30036: Code("expired before it could be sent"),
    30500: Code("an error inside the vendor"),
    21617: Code("the text is longer than 1,600 characters"),
    20003: Code("the credentials are refused", Misconfigured),
    20005: Code("the account is not active", Misconfigured),
    20404: Code("no such account", Misconfigured),
    21603: Code("the sender is missing", Misconfigured),
    21606: Code("the sender cannot send SMS", Misconfigured),
    21609: Code("the callback address is refused", Misconfigured),
    21659: Code("the sender is not ours", Misconfigured),
    21660: Code("the sender belongs to another account", Misconfigured),
    21701: Code("no such messaging service", Misconfigured),
    21703: Code("the messaging service has no sender", Misconfigured),
    21705: Code("no such messaging service", Misconfigured),
    30002: Code("the account is suspended", Misconfigured),
    30034: Code("the sender is not registered (A2P 10DLC)", Misconfigured),
    14107: Code("sending too fast", Throttled),
    20429: Code("too many requests", Throttled),
    21611: Code("the sender's queue is full", Throttled),
    30001: Code("the sender's queue is full"),
    20500: Code("an error inside the vendor", OutcomeUnknown),
    20503: Code("the vendor is not available", OutcomeUnknown),
    30410: Code("the carrier did not answer in time"),
}

EVENTS: Mapping[str, EventType] = {
    "accepted": EventType.PROCESSED,
    "scheduled": EventType.PROCESSED,
    "queued": EventType.PROCESSED,
    "sending": EventType.PROCESSED,
    "sent": EventType.PROCESSED,
    "delivered": EventType.DELIVERED,
    "read": EventType.DELIVERED,
    "undelivered": EventType.UNDELIVERED,
    "failed": EventType.DROPPED,
    "canceled": EventType.DROPPED,
}

_DEAD = frozenset({"failed", "undelivered", "canceled"})


class TwilioSettings(ProviderSettings):
    """One Twilio account. Exactly one of `sender` and `messaging_service_sid`; an API key may stand in for the token.

    `auth_token` is needed in any case: Twilio signs its callbacks with it. `webhook_key` is the shared key, where the
    account signs with one.
    """

    base_url: str = "https://api.twilio.com"
    in_flight: int = Field(default=64, ge=1, le=1000)
    account_sid: str = Field(pattern=r"^AC[0-9a-fA-F]{32}$")
    auth_token: Secret
    api_key_sid: str = Field(default="", pattern=r"^(SK[0-9a-fA-F]{32})?$")
    api_key_secret: Secret | None = None
    sender: str = Field(default="", pattern=r"^(\+?[0-9]{3,15}|[A-Za-z0-9 &+_-]{1,11})?$")
    messaging_service_sid: str = Field(default="", pattern=r"^(MG[0-9a-fA-F]{32})?$")
    webhook_key: Secret | None = None

    @model_validator(mode="after")
    def _one_sender_and_whole_key(self) -> Self:
        if bool(self.sender) == bool(self.messaging_service_sid):
            raise ValueError("set either sender or messaging_service_sid")
        if bool(self.api_key_sid) != bool(self.api_key_secret):
            raise ValueError("set api_key_sid and api_key_secret together, or neither")
        return self

    def authorization(self) -> str:
        """The value of the Authorization header."""
        user = self.api_key_sid or self.account_sid
        secret = self.api_key_secret or self.auth_token
        return "Basic " + base64.b64encode(f"{user}:{secret.get_secret_value()}".encode()).decode()


class Twilio:
    """SMS through Twilio, one person in a request."""

    name: ClassVar[str] = "twilio"
    channel: ClassVar[Channel] = Channel.SMS
    Settings: ClassVar[type[ProviderSettings]] = TwilioSettings
    recipients_per_request: ClassVar[int] = 1

    def __init__(self, settings: TwilioSettings, wire: Wire, clock: Clock = SystemClock()) -> None:
        self._settings = settings
        self._wire = wire
        self._clock = clock
        self._url = f"{settings.base_url}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        self._headers = {
            "Authorization": settings.authorization(),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
        url, service = settings.events_url, {"MessagingServiceSid": settings.messaging_service_sid}
        sender = {"From": settings.sender} if settings.sender else service
        self._always = urlencode({"SmartEncoded": "false"} | sender)
        self._callback = f"&StatusCallback={quote_plus(url + ('&' if '?' in url else '?'))}" if url else ""

    async def send(
        self, rendition: Rendition, envelopes: Sequence[Envelope], *, expires_at: datetime
    ) -> Sequence[Outcome]:
        """One message to one number."""
        (envelope,) = envelopes
        left = int((expires_at - self._clock.now()).total_seconds())
        if left < SHORTEST_VALIDITY:
            return [NotSent("expires too soon to be sent")]
        return [await self._post(self._form(rendition, envelope, min(left, LONGEST_VALIDITY)))]

    def _form(self, rendition: Rendition, envelope: Envelope, validity: int) -> bytes:
        """What is the same for everybody is encoded once, not with each text."""
        form = {"To": envelope.address, "Body": fill(rendition.parts["text"], rendition, envelope)}
        form["ValidityPeriod"] = str(validity)
        callback = f"{self._callback}{quote_plus(_marks(envelope))}" if self._callback else ""
        return f"{urlencode(form)}&{self._always}{callback}".encode()

    async def _post(self, body: bytes) -> Outcome:
        try:
            answer = await self._wire.request(
                "POST", self._url, headers=self._headers, body=body, timeout=self._settings.timeout
            )
        except WireError as error:
            return error.outcome
        told = answer.json()
        if answer.status in (200, 201):
            return _created(told)
        return self._refused(answer, told)

    def _refused(self, answer: Answer, told: Mapping[str, Any]) -> Outcome:
        number = _int(told.get("code"))
        code = CODES.get(number) if number else None
        why = reason(number, code.words if code else told.get("message")) or f"HTTP {answer.status}"
        wait = answer.wait(self._clock.now())
        if answer.status == 429 or (code and code.kind is Throttled):
            return Throttled(wait)
        if code and answer.status < 500:
            return _as_outcome(code, why)
        if answer.status == 400:
            return Rejected(why)
        return by_status(answer.status, why, wait)

    async def lookup(self, rendition: Rendition, envelope: Envelope, *, since: datetime) -> Outcome | None:
        """Lists what went to this number and compares text and time.

        Only `To` filters: the date filters look at the time of sending, which a queued message has not got.
        """
        url = f"{self._url}?{urlencode({'To': envelope.address, 'PageSize': LIST_SIZE})}"
        try:
            answer = await self._wire.request(
                "GET", url, headers=self._headers, timeout=self._settings.timeout, answer_cap=LIST_CAP
            )
        except WireError as error:
            return OutcomeUnknown(str(error))
        listed = answer.json().get("messages")
        if answer.status != 200 or not isinstance(listed, list):
            return OutcomeUnknown(f"the message list answered HTTP {answer.status}")
        text = fill(rendition.parts["text"], rendition, envelope)
        ours = (entry for entry in listed if isinstance(entry, dict) and _is_ours(entry, text, since - CLOCK_SLACK))
        return next(map(_created, ours), None)

    async def fate(self, provider_message_id: str, key: str, copy: int) -> Sequence[Event] | None:
        """The message as it stands now, read as the callback that would have said so."""
        url = f"{self._url.removesuffix('.json')}/{provider_message_id}.json"
        try:
            answer = await self._wire.request("GET", url, headers=self._headers, timeout=self._settings.timeout)
        except WireError:
            return None
        if answer.status != 200:
            return [] if answer.status == 404 else None
        told = answer.json()
        return [_event(str(told.get("status")), _int(told.get("error_code")), key, copy)]

    def verify(self, request: WebhookRequest) -> None:
        """HMAC over our own public URL (never the Host header) and every parameter, or over the URL of a JSON body."""
        given = request.headers.get(SIGNATURE, "").encode()
        key, algorithm = self._signed_with(request.headers.get(SIGNATURE_SETTINGS, ""))
        tail = "".join(_sorted_parameters(request))
        for url in _spellings(self._public_url(request)):
            digest = hmac.new(key, (url + tail).encode(), algorithm).digest()
            if hmac.compare_digest(base64.b64encode(digest), given):
                return
        raise BadSignature("The callback is not signed by this Twilio account.")

    def _signed_with(self, named: str) -> tuple[bytes, Any]:
        """The key and the hash; with the settings header it is the shared key, without it the auth token and SHA-1."""
        if not named:
            return self._settings.auth_token.get_secret_value().encode(), hashlib.sha1
        pairs = dict(part.strip().partition("=")[::2] for part in named.split(","))
        algorithm = _ALGORITHMS.get(pairs.get("algorithm", "HMAC_SHA1").upper())
        if algorithm is None or self._settings.webhook_key is None:
            raise BadSignature(
                "The callback is signed with a key that this account does not name.",
                mend="Set webhook_key to the shared key of the Twilio account.",
            )
        return self._settings.webhook_key.get_secret_value().encode(), algorithm

    def _public_url(self, request: WebhookRequest) -> str:
        if not self._settings.events_url:
            return request.url
        base = self._settings.events_url.partition("?")[0]
        query = urlsplit(request.url).query
        return f"{base}?{query}" if query else base

    def parse(self, request: WebhookRequest) -> Sequence[Event]:
        """One callback is one event."""
        fields = _fields(request)
        word = fields.get("MessageStatus") or fields.get("SmsStatus") or ""
        number = _int(fields.get("ErrorCode"))
        query = dict(parse_qsl(urlsplit(request.url).query))
        return [_event(word, number, query.get("d"), copy_number(query.get("n")))]


def _marks(envelope: Envelope) -> str:
    """What the vendor echoes about one copy, as the end of the callback's address."""
    return urlencode({"d": envelope.key} | ({"n": str(envelope.copy)} if envelope.copy > 1 else {}))


def _event(word: str, number: int | None, key: str | None, copy: int) -> Event:
    """One word about one message, the same whether it was told or asked for."""
    code = CODES.get(number) if number else None
    return Event(
        EVENTS.get(word, EventType.UNKNOWN),
        key,
        word[:64],
        copy,
        reason(number, code.words if code else "") if number else "",
        code.suppresses if code and word in _DEAD else None,
    )


def _as_outcome(code: Code, why: str) -> Outcome:
    if code.kind is Rejected:
        return Rejected(why, code.suppresses)
    return code.kind(why)  # type: ignore[call-arg]  # Misconfigured or OutcomeUnknown; Throttled was answered before


def _created(told: Mapping[str, Any]) -> Outcome:
    """A message as the vendor shows it, in the answer to its creation or in a list."""
    sid = told.get("sid")
    if not isinstance(sid, str) or not sid:
        return OutcomeUnknown("taken, but the answer names no message")
    if told.get("status") in _DEAD:
        number = _int(told.get("error_code"))
        code = CODES.get(number) if number else None
        return Rejected(reason(number, code.words if code else told.get("status")), code.suppresses if code else None)
    return Accepted(sid, _int(told.get("num_segments")) or None)


def _is_ours(entry: Mapping[str, Any], text: str, not_before: datetime) -> bool:
    if str(entry.get("body", "")).strip() != text.strip() or entry.get("direction") == "inbound":
        return False
    try:
        return parsedate_to_datetime(str(entry.get("date_created"))) >= not_before
    except (TypeError, ValueError):
        return False


def _int(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _is_json(request: WebhookRequest) -> bool:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _parameters(request: WebhookRequest) -> list[tuple[str, str]]:
    if _is_json(request):
        return []
    try:
        return parse_qsl(request.body.decode(), keep_blank_values=True, max_num_fields=500)
    except ValueError as error:
        raise Refused("The callback's form cannot be read.", code="E-EVT") from error


def _fields(request: WebhookRequest) -> dict[str, str]:
    if not _is_json(request):
        return dict(_parameters(request))
    try:
        told = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Refused("The callback is not JSON.", code="E-EVT") from error
    return {name: str(value) for name, value in told.items()} if isinstance(told, dict) else {}


def _sorted_parameters(request: WebhookRequest) -> Iterator[str]:
    """What follows the URL in the signed text: each distinct name and value, sorted. Nothing for a proven JSON body."""
    if _is_json(request):
        named = dict(parse_qsl(urlsplit(request.url).query)).get("bodySHA256", "")
        if not hmac.compare_digest(hashlib.sha256(request.body).hexdigest().encode(), named.encode()):
            raise BadSignature("The callback's body is not the one that was signed.")
        return
    try:
        fields = sorted(set(_parameters(request)))
    except Refused as error:
        raise BadSignature(error.what) from error
    for name, value in fields:
        yield name + value


def _spellings(url: str) -> Iterator[str]:
    """The URL as it is, then with and without the default port: the vendor signs either."""
    yield url
    parts = urlsplit(url)
    default = _PORTS.get(parts.scheme)
    host = parts.netloc
    if parts.port is None:
        yield parts._replace(netloc=f"{host}:{default}").geturl()
    elif parts.port == default:
        yield parts._replace(netloc=host.rpartition(":")[0]).geturl()
