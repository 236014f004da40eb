"""A template rendered for one channel, locale and variant, and what is needed to address one recipient of it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

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
class Picture:
    """A picture that goes along inside a mail, which shows it by its `cid`. `kind` is its media type, `data`
    its bytes in base64, `width` and `height` are pixels."""

    kind: str
    width: int
    height: int
    data: str = field(repr=False)
    sha256: str

    @property
    def cid(self) -> str:
        """Its Content-ID, of the form that RFC 5322 has: the same bytes have the same."""
        return f"signatory-{self.sha256[:12]}@inline"

    @property
    def name(self) -> str:
        """What its file is called."""
        return f"signatory.{self.kind.rpartition('/')[2]}"

    @property
    def url(self) -> str:
        """The picture written out, for what has no mail around it."""
        return f"data:{self.kind};base64,{self.data}"


@dataclass(frozen=True, slots=True)
class Rendition:
    """Exact text with slots.

    `parts` by channel: email `subject`, `html`, `text`; sms `text`; social `post.1`, `post.2`, ...; chat `text`.
    `picture` is the one that the HTML of a mail shows.
    """

    channel: Channel
    locale: str
    variant: str
    parts: Mapping[str, str]
    slots: tuple[Slot, ...] = ()
    picture: Picture | None = None

    @property
    def posts(self) -> tuple[str, ...]:
        """The ordered parts of a thread; one element for a single post."""
        named = sorted((int(k.split(".")[1]), v) for k, v in self.parts.items() if k.startswith("post."))
        return tuple(text for _, text in named)

    def sha256(self) -> str:
        """Digest of every byte that the approver saw, slots included."""
        plain: dict[str, object] = {
            "channel": self.channel,
            "locale": self.locale,
            "variant": self.variant,
            "parts": dict(self.parts),
            "slots": [[s.tag, s.name, s.form, s.default] for s in self.slots],
        }
        if self.picture is not None:
            plain["picture"] = [self.picture.kind, hashlib.sha256(self.picture.data.encode()).hexdigest()]
        return hashlib.sha256(json.dumps(plain, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


class Envelope(NamedTuple):
    """One recipient of one request; a tuple, as there are millions of them.

    `key` is opaque and unique across ledgers; the vendor echoes it.
    `copy` numbers the times that this delivery was handed over; the vendor echoes it too, so that its word about one
    copy is not taken for its word about another. It is no part of the key, which stays the same for all of them.
    `values` are raw recipient data by field name; `part` and `in_reply_to` serve threads.
    `unsubscribe_url` is set where the purpose demands one-click unsubscribe (RFC 8058).
    """

    key: str
    address: str
    values: Mapping[str, str] = MappingProxyType({})
    part: int = 1
    in_reply_to: str | None = None
    unsubscribe_url: str | None = None
    copy: int = 1
