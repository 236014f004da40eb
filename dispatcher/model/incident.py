"""What happened: its severity and phase, and the promise of the next word."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from dispatcher.errors import UsageError
from dispatcher.model.kinds import Mode, Severity


class Phase(StrEnum):
    """How far we are, in the words of public status pages. Resolved is over for the public, closed for us too."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    PARTLY_RESTORED = "partly_restored"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Visibility(StrEnum):
    """Whether anything about it may be drafted for the public. An internal one is for our own people, a private one
    for those who work on it."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Incident:
    """A row of the ledger as a noun. `next_update_at` is what we promised customers; `first_word_at` when
    a vendor took the first word to them; `data` what signals brought."""

    id: int
    title: str
    severity: Severity
    phase: Phase
    visibility: Visibility
    mode: Mode
    opened_at: datetime
    opened_by: int | None = None
    next_update_at: datetime | None = None
    first_word_at: datetime | None = None
    closed_at: datetime | None = None
    data: Mapping[str, object] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        """How people name it."""
        return incident_ref(self.id)

    @property
    def is_open(self) -> bool:
        """Whether it still goes on."""
        return self.closed_at is None


def incident_ref(incident_id: int) -> str:
    """`INC-1`."""
    return f"INC-{incident_id}"


def incident_id(ref: str) -> int:
    """1 for `INC-1`, `inc-1` or `1`."""
    text = ref.strip().upper().removeprefix("INC-")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise UsageError(
            f"{ref!r} names no incident.", mend="Write it like INC-1; dispatcher incident list shows them."
        )
    return int(text)
