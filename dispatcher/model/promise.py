"""The next word as data: who was promised it, by when, and the nudges that protect it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dispatcher.errors import UsageError


class Circle(StrEnum):
    """Whom we owe words: each has a clock of its own."""

    CUSTOMERS = "customers"
    EMPLOYEES = "employees"
    SUPPLIERS = "suppliers"
    PRESS = "press"
    EXECUTIVES = "executives"


class PromiseKind(StrEnum):
    """A promise was said to readers; a target is our own aim for a word; a duty is owed to a regulator."""

    PROMISE = "promise"
    TARGET = "target"
    DUTY = "duty"


class PromiseState(StrEnum):
    """What became of it. Moved: replaced before it was due and before a word came. Dropped: nobody waits any more."""

    OPEN = "open"
    KEPT = "kept"
    MISSED = "missed"
    MOVED = "moved"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Promise:
    """One "next word by". `told_by` is the broadcast that said it, `settled_by` the one that kept it or came late.

    `every` is the interval that readers were told of, where it is longer than the usual cadence.
    """

    id: int
    incident_id: int
    clock: str
    kind: PromiseKind
    state: PromiseState
    made_at: datetime
    due_at: datetime
    made_by: int | None = None
    every: timedelta | None = None
    told_by: int | None = None
    holder_id: int | None = None
    acked_at: datetime | None = None
    missed_at: datetime | None = None
    settled_at: datetime | None = None
    settled_by: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody still waits for it."""
        return self.settled_at is None


class ReminderState(StrEnum):
    """Waiting until it is due; told once; acknowledged by a person; dropped since the word came first."""

    WAITING = "waiting"
    TOLD = "told"
    ACKNOWLEDGED = "acknowledged"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Reminder:
    """One occurrence. `planned_at` is what the cadence says, `due_at` what a snooze made of it; `rank` 0 goes to
    whoever is in charge, each further one to the next person on the rota."""

    id: int
    promise_id: int
    incident_id: int
    clock: str
    kind: PromiseKind
    promised_at: datetime
    step: str
    rank: int
    planned_at: datetime
    due_at: datetime
    told_at: datetime | None = None
    person: str = ""
    broadcast_id: int | None = None
    acked_at: datetime | None = None
    dropped_at: datetime | None = None

    @property
    def ref(self) -> str:
        """How people name it."""
        return f"R-{self.id}"

    @property
    def state(self) -> ReminderState:
        """How it stands."""
        if self.acked_at is not None:
            return ReminderState.ACKNOWLEDGED
        if self.told_at is not None:
            return ReminderState.TOLD
        return ReminderState.WAITING if self.dropped_at is None else ReminderState.DROPPED


def reminder_id(ref: str) -> int:
    """3 for `R-3`, `r-3` or `3`."""
    text = ref.strip().upper().removeprefix("R-")
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise UsageError(f"{ref!r} names no reminder.", mend="Write it like R-1; dispatcher reminder list shows them.")
    return int(text)


def schedule(
    made_at: datetime, due_at: datetime, early: float, late_minutes: tuple[int, ...]
) -> list[tuple[str, int, datetime]]:
    """Every step of one promise: its name, its rank, and when it is due, all in UTC, so that no clock change moves it.

    `early` is the share of the interval after which the first nudge comes.
    """
    first = made_at + (due_at - made_at) * early
    late = [(f"late_{m}", rank, due_at + timedelta(minutes=m)) for rank, m in enumerate(late_minutes, start=1)]
    return [("early", 0, first), ("due", 0, due_at), *late]
