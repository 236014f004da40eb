"""One message to one audience over chosen channels, and what was planned for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from dispatcher.errors import UsageError
from dispatcher.model.kinds import Channel, Mode, Policy, Purpose, Severity
from dispatcher.model.states import BroadcastState

BATCH = 1000
"""Deliveries per batch at most; a delivery's batch is seq // BATCH."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Deliveries of `channel` wait until the same person's delivery on `instead_of` failed or was silent."""

    channel: Channel
    instead_of: Channel
    after_seconds: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What approval binds beside words and people. Durations in seconds."""

    channels: tuple[Channel, ...]
    accounts: Mapping[Channel, tuple[str, ...]]
    request_size: Mapping[Channel, int]
    expires_after: int
    policy: Mapping[Channel, Policy]
    fallback: tuple[Fallback, ...] = ()
    default_locale: str = "en"
    variant: str = ""
    """The variant that everybody reads where `variant_by` is empty, and that our own accounts speak."""
    variant_by: str = ""
    """The column of the audience that names each recipient's variant."""
    codes: str = ""
    """The pool from which everybody gets a goodwill code; empty where none is given."""

    def as_dict(self) -> dict[str, object]:
        """Plain data, as stored and hashed."""
        return {
            "channels": list(self.channels),
            "accounts": {c: list(names) for c, names in self.accounts.items()},
            "request_size": dict(self.request_size),
            "expires_after": self.expires_after,
            "policy": dict(self.policy),
            "fallback": [[f.channel, f.instead_of, f.after_seconds] for f in self.fallback],
            "default_locale": self.default_locale,
            "variant": self.variant,
            "variant_by": self.variant_by,
            "codes": self.codes,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> "Plan":
        """The plan behind `as_dict`."""
        plain: dict[str, object] = dict(data)
        return cls(
            channels=tuple(Channel(str(c)) for c in _list(plain["channels"])),
            accounts={Channel(c): tuple(map(str, _list(v))) for c, v in _items(plain["accounts"])},
            request_size={Channel(c): int(str(v)) for c, v in _items(plain["request_size"])},
            expires_after=int(str(plain["expires_after"])),
            policy={Channel(c): Policy(str(v)) for c, v in _items(plain["policy"])},
            fallback=tuple(_fallback(row) for row in _list(plain["fallback"])),
            default_locale=str(plain["default_locale"]),
            variant=str(plain["variant"]),
            variant_by=str(plain["variant_by"]),
            codes=str(plain["codes"]),
        )


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _items(value: object) -> list[tuple[str, object]]:
    return [(str(k), v) for k, v in value.items()] if isinstance(value, Mapping) else []


def _fallback(row: object) -> Fallback:
    channel, instead_of, after = _list(row)
    return Fallback(Channel(str(channel)), Channel(str(instead_of)), int(str(after)))


@dataclass(frozen=True, slots=True)
class Broadcast:
    """A row of the ledger as a noun.

    `facts` are (name, locale, raw value) as the author gave them; `digest` is set by submit; `audience_size` counts
    people, not deliveries. `source` is the outline of the template that the frozen words came from, as it is stored.
    """

    id: int
    title: str
    template_id: str
    purpose: Purpose
    severity: Severity
    mode: Mode
    state: BroadcastState
    version: int
    plan: Plan
    facts: tuple[tuple[str, str | None, object], ...]
    code: str
    nonce: str
    author_id: int
    created_at: datetime
    incident_id: int | None = None
    audience_version_id: int | None = None
    digest: str | None = None
    audience_size: int | None = None
    submitted_at: datetime | None = None
    approved_at: datetime | None = None
    release_at: datetime | None = None
    expires_at: datetime | None = None
    closed_at: datetime | None = None
    origin_id: int | None = None
    relation: str | None = None
    next_update_at: datetime | None = None
    signatory: str = ""
    preapproval_id: int | None = None
    source: str = ""
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """How people name it."""
        return broadcast_ref(self.id)

    @property
    def is_frozen(self) -> bool:
        """Whether its words stand: from submit on, or from release where nothing was submitted."""
        return self.digest is not None or self.release_at is not None


def broadcast_ref(broadcast_id: int) -> str:
    """`B-7`."""
    return f"B-{broadcast_id}"


def broadcast_id(ref: str) -> int:
    """7 for `B-7`, `b-7` or `7`."""
    text = ref.strip().upper().removeprefix("B-")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise UsageError(f"{ref!r} is not a broadcast.", mend="Name it like B-7; dispatcher broadcast show lists them.")
    return int(text)
