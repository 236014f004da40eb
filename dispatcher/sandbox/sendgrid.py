"""The pretend SendGrid: POST /v3/mail/send, and what its Event Webhook says afterwards.

References: the vendor's OpenAPI description of v3 mail (January 2026) and its event reference (November 2026).
Oddities played: 202 with an empty body; X-Message-Id names the request, `sg_message_id` the mail and begins with it;
custom arguments come back as top-level keys but never win over the vendor's own; a late bounce has no
`sg_message_id`; an address that bounced, complained or unsubscribed is dropped from then on.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from dispatcher.sandbox.config import Kind
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.fate import Fate, mail_fate
from dispatcher.sandbox.message import Mail
from dispatcher.sandbox.record import hash_address
from dispatcher.sandbox.recorder import Stamp
from dispatcher.sandbox.schedule import Report
from dispatcher.sandbox.sendgrid_rules import Problems, check, enabled
from dispatcher.sandbox.vendor import Answer, Shared, Taken, secret_of

MAX_BODY = 30_000_000

LIVES: Mapping[Fate, tuple[str, ...]] = {
    Fate.DELIVERED: ("processed", "delivered"),
    Fate.DEFERRED: ("processed", "deferred", "delivered"),
    Fate.BOUNCED: ("processed", "bounce"),
    Fate.BLOCKED: ("processed", "blocked"),
    Fate.DROPPED: ("dropped",),
    Fate.COMPLAINED: ("processed", "delivered", "spamreport"),
    Fate.UNSUBSCRIBED: ("processed", "delivered", "unsubscribe"),
    Fate.LATE_BOUNCE: ("processed", "delivered", "late bounce"),
    Fate.SILENT: (),
}

_NO_MORE: Mapping[Fate, str] = {
    Fate.BOUNCED: "Bounced Address",
    Fate.LATE_BOUNCE: "Bounced Address",
    Fate.COMPLAINED: "Spam Reporting Address",
    Fate.UNSUBSCRIBED: "Unsubscribed Address",
}

_REFUSALS: Mapping[int, str] = {
    401: "The provided authorization grant is not valid.",
    413: "The request is larger than 30 MB.",
    429: "too many requests",
    503: "The service is not available.",
}

_DETAILS: Mapping[str, dict[str, Any]] = {
    "processed": {},
    "delivered": {"response": "250 OK"},
    "deferred": {"response": "451 4.7.1 try again later", "attempt": "1"},
    "bounce": {"reason": "550 5.1.1 unknown recipient", "status": "5.1.1", "type": "bounce",
               "bounce_classification": "Invalid Address"},
    "blocked": {"reason": "554 5.7.1 refused by policy", "status": "5.7.1", "type": "blocked",
                "bounce_classification": "Reputation"},
    "late bounce": {"reason": "550 5.2.1 mailbox is gone", "status": "5.2.1", "type": "bounce",
                    "bounce_classification": "Invalid Address"},
    "dropped": {"reason": "Invalid", "status": "5.0.0"},
    "spamreport": {},
    "unsubscribe": {},
}  # fmt: skip


class SendGrid:
    """All SendGrid accounts of one sandbox."""

    kind = Kind.SENDGRID
    max_body = MAX_BODY

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._desks = {f"Bearer {secret_of(desk.account)}": desk for desk in shared.desks_of(self.kind)}

    def desk_of(self, request: web.Request) -> Desk | None:
        """By API key."""
        return self._desks.get(request.headers.get("Authorization", ""))

    def refusal(self, status: int, desk: Desk | None) -> Answer:
        """An error that has nothing to do with the mail."""
        headers = {}
        if status == 429 and desk is not None:
            wait = desk.faults.retry_after
            reset = int(self._shared.clock.now().timestamp() + wait) + 1
            headers = {"Retry-After": f"{wait:g}", "X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0",
                       "X-RateLimit-Reset": str(reset)}  # fmt: skip
        return _errors(status, [{"message": _REFUSALS.get(status, "error"), "field": None, "help": None}], headers)

    def take(self, request: web.Request, body: bytes, desk: Desk, began: Stamp) -> Taken:
        """All mails of one request, or none."""
        if request.content_type != "application/json" or "Content-Encoding" in request.headers:
            return Taken(_errors(415, [{"message": "Send JSON, not compressed.", "field": None, "help": None}]))
        try:
            mail = orjson.loads(body)
        except orjson.JSONDecodeError:
            mail = None
        if problems := check(mail, began.wall):
            return Taken(_errors(400, problems))
        if problems := _stranger(mail, desk):
            return Taken(_errors(403, problems))
        if enabled(mail, "sandbox_mode"):
            return Taken(Answer(200))
        return self._mails(mail, desk, began)

    def _mails(self, mail: dict[str, Any], desk: Desk, began: Stamp) -> Taken:
        request = secrets.token_urlsafe(16)
        shared = mail.get("custom_args") or {}
        pairs = [
            (self._mail(desk, request, at, person, entry["email"], shared, began), person)
            for at, person, entry in _entries(mail)
        ]
        if enabled(mail, "bypass_list_management"):
            for message, _ in pairs:
                message.reason = ""
        return Taken(
            Answer(202, headers={"X-Message-Id": request}, content_type="text/plain"),
            messages=[message for message, _ in pairs],
            settle=lambda: self._settle(desk, mail, pairs),
        )

    def _mail(
        self, desk: Desk, request: str, at: int, person: Mapping[str, Any], address: str,
        shared: Mapping[str, Any], began: Stamp,
    ) -> Mail:  # fmt: skip
        own = person.get("custom_args")
        echo = {**shared, **own} if own and shared else own or shared
        return Mail(
            vendor="sendgrid", account=desk.name, key=echo.get(self._shared.config.key_argument), address=address,
            to=hash_address(address), id=f"{request}.sandbox0001.{at:X}.0",
            fate=self._shared.fate_of(address, mail_fate(address), LIVES), accepted_at=began.wall, request=request,
            echo=echo, reason=desk.suppressed.get(address, ""),
        )  # fmt: skip

    def _settle(self, desk: Desk, mail: dict[str, Any], pairs: list[tuple[Mail, Mapping[str, Any]]]) -> None:
        schedule = self._shared.schedule
        for message, person in pairs[-(self._shared.kept.maxlen or 0) :]:
            self._shared.keep(message, partial(show, mail, person))
        for message, _ in pairs:
            if (reason := _NO_MORE.get(message.fate)) and not message.reason:
                desk.suppressed[message.address] = reason
            if desk.account.events_url:
                words = ("dropped",) if message.reason else LIVES[message.fate]
                schedule.add(message, schedule.plot(words))

    def encode(self, report: Report) -> dict[str, Any]:
        """One event as the webhook carries it."""
        mail = report.message
        assert isinstance(mail, Mail)
        mark = hashlib.blake2b(f"{mail.id}:{report.word}".encode(), digest_size=16).digest()
        event: dict[str, Any] = {
            **mail.echo,
            "email": mail.address,
            "timestamp": int(report.occurred_at),
            "smtp-id": f"<{mail.request}@sandbox-ismtpd-0>",
            "event": {"blocked": "bounce", "late bounce": "bounce"}.get(report.word, report.word),
            "sg_event_id": base64.urlsafe_b64encode(mark).rstrip(b"=").decode(),
            "sg_message_id": mail.id,
            **_DETAILS[report.word],
        }
        if report.word == "dropped" and mail.reason:
            event["reason"] = mail.reason
        if report.word == "late bounce":
            del event["sg_message_id"]
        return event


def _entries(mail: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any], Mapping[str, Any]]]:
    at = 0
    for person in mail["personalizations"]:
        for kind in ("to", "cc", "bcc"):
            for entry in person.get(kind, ()):
                yield at, person, entry
                at += 1


def _stranger(mail: Mapping[str, Any], desk: Desk) -> Problems:
    found = Problems()
    if desk.account.senders and mail["from"]["email"] not in desk.account.senders:
        found.say("from", "The from address is not a verified sender of this account.")
    return found


def show(mail: Mapping[str, Any], person: Mapping[str, Any]) -> dict[str, Any]:
    """What the recipient sees: substitutions made in subject and content, in one pass as the vendor does."""
    values: Mapping[str, str] = person.get("substitutions", {})
    return {
        "from": person.get("from", mail["from"]),
        "to": person["to"],
        "cc": person.get("cc", []),
        "bcc": person.get("bcc", []),
        "subject": _fill(person.get("subject", mail.get("subject", "")), values),
        "headers": {**mail.get("headers", {}), **person.get("headers", {})},
        "content": {part["type"]: _fill(part["value"], values) for part in mail.get("content", [])},
        "custom_args": {**mail.get("custom_args", {}), **person.get("custom_args", {})},
        "settings": {name: mail[name] for name in ("mail_settings", "tracking_settings", "asm") if name in mail},
    }


def _fill(text: str, values: Mapping[str, str]) -> str:
    if not values:
        return text
    tags = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
    return re.sub(tags, lambda found: values[found[0]], text)


def _errors(status: int, errors: list[dict[str, Any]], headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, orjson.dumps({"errors": errors}), headers or {})
