"""A template rendered for one channel, locale and variant, and what is needed to address one recipient of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from dispatcher.model.kinds import Channel


class SlotForm(StrEnum):
    """Where a slot stands, which decides how its value is made safe."""

    TEXT = "text"
    HTML = "html"
    HEADER = "header"


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for recipient data. `tag` is the random mark that stands in the part; `name` the recipient's field."""

    tag: str
    name: str
    form: SlotForm
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Rendition:
    """Exact text with slots.

    `parts` by channel: email `subject`, `html`, `text`; sms `text`; social `post.1`, `post.2`, ...; chat `text`.
    """

    channel: Channel
    locale: str
    variant: str
    parts: Mapping[str, str]
    slots: tuple[Slot, ...] = ()

    @property
    def posts(self) -> tuple[str, ...]:
        """The ordered parts of a thread; one element for a single post."""
        named = sorted((int(k.split(".")[1]), v) for k, v in self.parts.items() if k.startswith("post."))
        return tuple(text for _, text in named)

    def sha256(self) -> str:
        """Digest of every byte that the approver saw, slots included."""
        plain = {
            "channel": self.channel,
            "locale": self.locale,
            "variant": self.variant,
            "parts": dict(self.parts),
            "slots": [[s.tag, s.name, s.form, s.default] for s in self.slots],
        }
        return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Envelope:
    """One recipient of one request. `key` is opaque and unique across ledgers; the vendor echoes it.

    `copy` numbers the times that this delivery was handed over; the vendor echoes it too, so that its word about one
    copy is not taken for its word about another. It is no part of the key, which stays the same for all of them.
    `values` are raw recipient data by field name; `part` and `in_reply_to` serve threads.
    `unsubscribe_url` is set where the purpose demands one-click unsubscribe (RFC 8058).
    """

    key: str
    address: str
    values: Mapping[str, str] = field(default_factory=dict)
    part: int = 1
    in_reply_to: str | None = None
    unsubscribe_url: str | None = None
    copy: int = 1
