"""A provider's report about a delivery, in our words."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class EventType(StrEnum):
    """Normalised event vocabulary; a vendor's word we do not know is UNKNOWN."""

    PROCESSED = "processed"  # the vendor has taken the message on
    DEFERRED = "deferred"  # the far side asked the vendor to wait; nothing decided
    DELIVERED = "delivered"  # the far side took it
    BOUNCED = "bounced"  # permanently refused by the far side
    BLOCKED = "blocked"  # refused this time (reputation, content); the address may be fine
    UNDELIVERED = "undelivered"  # the carrier reports it did not arrive
    DROPPED = "dropped"  # the vendor decided not to try
    COMPLAINED = "complained"  # the person marked it as spam
    UNSUBSCRIBED = "unsubscribed"  # the person asked for no more
    OPENED = "opened"
    CLICKED = "clicked"
    UNKNOWN = "unknown"


class Event(NamedTuple):
    """One report; a tuple, as there are millions of them.

    `key` is our Envelope key as echoed by the vendor (None if it echoed none), `copy` its number.

    A vendor that echoes no number (None) is taken to speak of the newest copy. `vendor_word` is what it calls this.
    `suppresses` names a suppression reason this event proves (hard_bounce, spam_report, opt_out, invalid).
    It has no id: proof only rises, so a repeat says nothing new.
    """

    type: EventType
    key: str | None
    vendor_word: str = ""
    copy: int | None = None
    reason: str = ""
    suppresses: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """An inbound POST exactly as it arrived. Header names are lower case; `url` is the public URL with its query."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
