"""What Twilio's reference asks of a message before it takes it on, with the vendor's code for each refusal.

Read: the vendor's OpenAPI description (April 2026) and its error dictionary (November 2026). The sentences are short
forms of the vendor's own; it says itself that only people should read them.
"""

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from dispatcher.sandbox.fate import Fate

_E164 = re.compile(r"\+[1-9]\d{6,14}")
_SENDER = re.compile(r"\+[1-9]\d{6,14}|\d{3,8}|(?=.*[A-Za-z])[A-Za-z0-9 &+_-]{1,11}")
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")


class Refused(Exception):
    """A message that the vendor will not take, with its code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def check(fields: Mapping[str, str], fate: Fate) -> None:
    """The vendor's rules, in the order in which it checks them."""
    _present(fields)
    _well_formed(fields, fate)


def _present(fields: Mapping[str, str]) -> None:
    to, sender, service, body = (fields.get(n, "") for n in ("To", "From", "MessagingServiceSid", "Body"))
    if not to:
        raise Refused(21604, "A 'To' phone number is required.")
    if not sender and not service:
        raise Refused(21603, "A 'From' phone number or MessagingServiceSid is required.")
    if not (body or fields.get("MediaUrl") or fields.get("ContentSid")):
        raise Refused(21602, "Message body is required.")
    if len(body) > 1600:
        raise Refused(21617, "The concatenated message body exceeds the 1600 character limit")


def _well_formed(fields: Mapping[str, str], fate: Fate) -> None:
    to, sender, service = (fields.get(name, "") for name in ("To", "From", "MessagingServiceSid"))
    if not _E164.fullmatch(to) or fate is Fate.INVALID:
        raise Refused(21211, "Invalid 'To' Phone Number")
    if sender and not _SENDER.fullmatch(sender):
        raise Refused(21212, "Invalid 'From' Phone Number")
    if service and not _SERVICE.fullmatch(service):
        raise Refused(21701, "The Messaging Service resource does not exist")
    if sender == to:
        raise Refused(21266, "'To' and 'From' number cannot be the same")
    # no code of its own is documented for a period out of range: the general one stands in
    if whole(fields.get("ValidityPeriod", "36000"), 1, 36_000) is None:
        raise Refused(20001, "ValidityPeriod must be an integer from 1 to 36000")
    if not _callable(fields.get("StatusCallback", "")):
        raise Refused(21609, "Invalid StatusCallback")


def _callable(url: str) -> bool:
    """Whether the vendor would post there: a full URL whose hostname has no underscore."""
    if not url:
        return True
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "_" not in (parts.hostname or "")
    except ValueError:
        return False


def whole(text: str, least: int, most: int) -> int | None:
    """A decimal number within bounds, else None."""
    value = int(text) if text.isdecimal() and len(text) < 12 else -1
    return value if least <= value <= most else None
