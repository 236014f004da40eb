"""How well we kept our word about an incident: the first word, promises by what became of them, regulators, reach."""

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.incident import Incident
from dispatcher.model.promise import Promise, PromiseKind, PromiseState


@dataclass(frozen=True, slots=True)
class Count:
    """Clocks by what became of them; one that still runs and is overdue is missed and running."""

    kept: int = 0
    missed: int = 0
    moved: int = 0
    running: int = 0


@dataclass(frozen=True, slots=True)
class Tally:
    """Minutes to the first word to customers, what readers were owed, what regulators were, and people reached.

    Our own targets for a word to readers are counted with the promises; regulators' clocks are not.
    """

    first_word_minutes: float | None
    promises: Count
    duties: Count
    people_reached: int


def tally(tx: Tx, incident: Incident) -> Tally:
    """How well we kept our word about an incident so far."""
    found, first = rows.of(tx, incident.id), incident.first_word_at
    return Tally(
        first_word_minutes=round((first - incident.opened_at).total_seconds() / 60, 1) if first else None,
        promises=_count([one for one in found if one.kind is not PromiseKind.DUTY]),
        duties=_count([one for one in found if one.kind is PromiseKind.DUTY]),
        people_reached=rows.people_reached(tx, incident.id),
    )


def _count(found: Sequence[Promise]) -> Count:
    return Count(
        kept=sum(one.state is PromiseState.KEPT for one in found),
        missed=sum(one.state is PromiseState.MISSED or (one.is_open and one.missed_at is not None) for one in found),
        moved=sum(one.state is PromiseState.MOVED for one in found),
        running=sum(one.is_open for one in found),
    )
