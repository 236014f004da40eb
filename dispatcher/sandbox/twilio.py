"""The pretend Twilio: Messages of the API 2010-04-01, and its status callbacks.

References: the vendor's OpenAPI description (April 2026) and its pages on messages and callbacks (November 2026).
Oddities played: 201 with `num_segments` "0" while a Messaging Service has not chosen a sender; no callback for the
first word; callbacks carry neither time nor number and may overtake each other; lists filter by the day a message
was sent, so that one not yet sent is missing from them.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import orjson
from aiohttp import web

from dispatcher.sandbox.config import Kind
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.fate import Fate, number_fate
from dispatcher.sandbox.message import Text
from dispatcher.sandbox.record import hash_address
from dispatcher.sandbox.recorder import Stamp
from dispatcher.sandbox.schedule import Report
from dispatcher.sandbox.sms_text import segments
from dispatcher.sandbox.texts import Texts, page
from dispatcher.sandbox.twilio_rules import Refused, check
from dispatcher.sandbox.vendor import Answer, Shared, Taken, secret_of

API = "/2010-04-01/Accounts"

LIVES: Mapping[Fate, tuple[str, ...]] = {
    Fate.DELIVERED: ("sent", "delivered"),
    Fate.UNREACHABLE: ("sent", "undelivered"),
    Fate.UNKNOWN_NUMBER: ("sent", "undelivered"),
    Fate.LANDLINE: ("sent", "undelivered"),
    Fate.FILTERED: ("sent", "undelivered"),
    Fate.FAILED: ("failed",),
    Fate.SILENT: ("sent",),
}

_PLAYED = frozenset((*LIVES, Fate.OPTED_OUT, Fate.INVALID))

ERROR_CODES: Mapping[Fate, int] = {
    Fate.UNREACHABLE: 30003,
    Fate.UNKNOWN_NUMBER: 30005,
    Fate.LANDLINE: 30006,
    Fate.FILTERED: 30007,
    Fate.FAILED: 30008,
}


class Twilio:
    """All Twilio accounts of one sandbox."""

    kind = Kind.TWILIO
    max_body = 1_000_000

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._desks = {desk.account.user: desk for desk in shared.desks_of(self.kind)}
        self.texts = Texts(shared.config.keep_texts)

    def desk_of(self, request: web.Request) -> Desk | None:
        """By account SID and auth token, which must belong to the account in the path."""
        scheme, _, coded = request.headers.get("Authorization", "").partition(" ")
        try:
            user, _, token = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None
        desk = self._desks.get(user)
        if scheme.lower() != "basic" or desk is None or token != secret_of(desk.account):
            return None
        return desk if request.match_info.get("account") == user else None

    def refusal(self, status: int, desk: Desk | None) -> Answer:
        """An error that has nothing to do with the message."""
        code = {401: 20003, 404: 20404, 413: 20413, 429: 20429, 503: 20503}.get(status, 20500)
        words = {401: "Authenticate", 429: "Too Many Requests", 503: "Service Unavailable"}
        answer = _error(code, words.get(status, "Internal Server Error"), status)
        if status == 429 and desk is not None:
            answer.headers["Retry-After"] = f"{desk.faults.retry_after:g}"
        return answer

    def take(self, request: web.Request, body: bytes, desk: Desk, began: Stamp) -> Taken:
        """One message, or its refusal with the vendor's code."""
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        callback = fields.get("StatusCallback", "")
        key = self._key(callback)
        try:
            text = self._text(fields, key, desk, began)
        except Refused as refused:
            return Taken(_error(refused.code, refused.message, 400), key=key)
        headers = {"Twilio-Concurrent-Requests": str(desk.in_flight), "Twilio-Request-Duration": "0.010"}
        answer = Answer(201, orjson.dumps(self._view(text, self._first_word(text))), headers)
        return Taken(answer, messages=[text], key=key, settle=lambda: self._settle(text, fields))

    def _text(self, fields: Mapping[str, str], key: str | None, desk: Desk, began: Stamp) -> Text:
        to, sender, service, body = (fields.get(n, "") for n in ("To", "From", "MessagingServiceSid", "Body"))
        fate = self._shared.fate_of(to, number_fate(to, self._shared.fates.suffixes), _PLAYED)
        check(fields, fate)
        if fate is Fate.OPTED_OUT or to in desk.suppressed:
            raise Refused(21610, "Attempt to send to unsubscribed recipient")
        return Text(
            vendor="twilio", account=desk.name, key=key, address=to, to=hash_address(to),
            id="SM" + secrets.token_hex(16), fate=fate, accepted_at=began.wall, sender=sender, service=service,
            body=body, segments=segments(body), callback=fields.get("StatusCallback", ""),
            accepted=self._shared.clock.monotonic(), life=self._shared.schedule.plot(_life(fate, service)),
        )  # fmt: skip

    def _key(self, callback: str) -> str | None:
        try:
            query = urlsplit(callback).query
        except ValueError:
            return None
        return parse_qs(query).get(self._shared.config.key_argument, [None])[0] if query else None

    def _settle(self, text: Text, fields: Mapping[str, str]) -> None:
        self.texts.add(text)
        self._shared.keep(text, lambda: dict(fields))
        if text.callback:
            self._shared.schedule.add(text, text.life)

    def _first_word(self, text: Text) -> str:
        return "accepted" if text.service else "queued"

    def word_of(self, text: Text) -> str:
        """The state of a message now, in the vendor's word, whether or not a callback told it."""
        now = self._shared.clock.monotonic()
        reached = [word for at, word in text.life if at <= now]
        return reached[-1] if reached else self._first_word(text)

    def _view(self, text: Text, word: str) -> dict[str, Any]:
        """The message as the API shows it."""
        uri = f"{API}/{self._shared.desks[text.account].account.user}/Messages/{text.id}"
        bad = word in ("undelivered", "failed")
        waits = word in ("accepted", "queued")
        chosen = not (text.service and waits)
        created = _date(text.accepted_at)
        return {
            "account_sid": self._shared.desks[text.account].account.user, "api_version": "2010-04-01",
            "body": text.body, "date_created": created, "date_updated": created,
            "date_sent": None if waits else created, "direction": "outbound-api",
            "error_code": ERROR_CODES.get(text.fate) if bad else None, "error_message": None,
            "from": text.sender or ("+12025550100" if chosen else None), "messaging_service_sid": text.service or None,
            "num_media": "0", "num_segments": str(text.segments) if chosen else "0", "price": None,
            "price_unit": "USD", "sid": text.id, "status": word, "to": text.address, "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
        }  # fmt: skip

    def encode(self, report: Report) -> tuple[str, dict[str, str], dict[str, str]]:
        """One callback: its URL, its form and its headers."""
        text = report.message
        assert isinstance(text, Text)
        fields = {
            "SmsSid": text.id, "SmsStatus": report.word, "MessageStatus": report.word, "To": text.address,
            "MessageSid": text.id, "AccountSid": self._shared.desks[text.account].account.user,
            "From": text.sender or "+12025550100", "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if text.service:
            fields["MessagingServiceSid"] = text.service
        if report.word in ("undelivered", "failed"):
            fields["ErrorCode"] = str(ERROR_CODES.get(text.fate, 30008))
        if report.word in ("delivered", "undelivered"):
            fields["RawDlrDoneDate"] = datetime.fromtimestamp(report.occurred_at, UTC).strftime("%y%m%d%H%M")
        token = hashlib.blake2b(f"{text.id}:{report.word}".encode(), digest_size=16).hexdigest()
        return text.callback, fields, {"I-Twilio-Idempotency-Token": token}

    def fetch(self, desk: Desk, sid: str) -> Answer:
        """One message by its id."""
        text = self.texts.get(sid)
        if text is None or text.account != desk.name:
            return _error(20404, "The requested resource was not found", 404)
        return Answer(200, orjson.dumps(self._view(text, self.word_of(text))))

    def list(self, desk: Desk, query: Mapping[str, str], uri: str) -> Answer:
        """A page of messages, newest first."""
        visible = self._shared.clock.monotonic() - desk.faults.list_lag
        views = [self._view(text, self.word_of(text)) for text in self.texts.find(desk.name, query, visible)]
        found = page(views, query, uri)
        if found is None:
            return _error(20001, "Page and PageSize must be numbers in their range", 400)
        return Answer(200, orjson.dumps(found))


def _life(fate: Fate, service: str) -> tuple[str, ...]:
    return ("queued", *LIVES[fate]) if service else LIVES[fate]


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))


def _error(code: int, message: str, status: int) -> Answer:
    body = {
        "code": code, "message": message, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status,
    }  # fmt: skip
    return Answer(status, orjson.dumps(body))
