"""One message that a pretend vendor has taken on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.sandbox.fate import Fate


@dataclass(slots=True)
class Message:
    """`to` is the hash of `address`; `text` is kept for public posts only; `key` is ours, if the wire carried one."""

    vendor: str
    account: str
    key: str | None
    address: str
    to: str
    id: str
    fate: Fate
    accepted_at: float
    text: str = ""


@dataclass(slots=True)
class Mail(Message):
    """A mail given to SendGrid: what its events must echo."""

    request: str = ""
    echo: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


@dataclass(slots=True)
class Text(Message):
    """A text message given to Twilio. `life` is when (monotonic) it reaches which word of Twilio's."""

    sender: str = ""
    service: str = ""
    body: str = ""
    segments: int = 1
    callback: str = ""
    accepted: float = 0.0
    life: tuple[tuple[float, str], ...] = ()


@dataclass(slots=True)
class Post(Message):
    """A public post on X."""

    reply_to: str = ""
    accepted: float = 0.0
