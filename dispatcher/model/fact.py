"""What is known about an incident: typed statements, each with a state, a source and a time.

Values are kept in plain, JSON-able form (a moment is ISO 8601 with its offset, a duration is whole minutes), so that a
fact means the same in the ledger, in a file and in the process that renders it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from dispatcher.model.kinds import FactState

FactValue: TypeAlias = str | int | bool | list[Any] | dict[str, Any] | None


class FactKind(StrEnum):
    """The type of a fact: decides how it is read, checked and printed."""

    LINE = "line"  # words without a line break
    TEXT = "text"  # one or more paragraphs
    MOMENT = "moment"  # an instant with its zone
    DURATION = "duration"  # whole minutes
    NUMBER = "number"  # a count
    YES_NO = "yes_no"
    URL = "url"  # https only
    EMAIL = "email"
    PHONE = "phone"  # as it should be read out
    LIST = "list"  # short items, no order
    STEPS = "steps"  # short items, in order
    SERVICES = "services"  # service x region x how it works now
    MATRIX = "matrix"  # data type x taken, not taken, still checking


_WORDED = frozenset({FactKind.LINE, FactKind.TEXT, FactKind.LIST, FactKind.STEPS, FactKind.SERVICES})


class Place(StrEnum):
    """Where a data type stands in the matrix of a breach."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    CHECKING = "checking"


class ServiceState(StrEnum):
    """How a service works now, in the words of public status pages."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"


DATA_TYPES = (
    "name", "contact", "address", "date_of_birth", "order_history", "household", "payment_masked", "payment_full",
    "password_hash", "password_plain", "government_id", "health", "children", "employment", "bank_account",
)  # fmt: skip
"""Data types that have words in each language (`templates/messages/shared/words.toml`). Others are named freely."""


@dataclass(frozen=True, slots=True)
class FactSpec:
    """What a template asks for. `confirmed`: the message may not state it while it is only believed.

    `required_for` are variants that cannot do without it, although the others can.
    """

    name: str
    kind: FactKind
    required: bool
    confirmed: bool = False
    about: str = ""
    required_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """One statement. `locale` None is the organisation's own language; `as_of` is when it was true."""

    name: str
    kind: FactKind
    value: FactValue
    state: FactState = FactState.CONFIRMED
    locale: str | None = None
    source: str = ""
    as_of: datetime | None = None
    set_by: str = ""
    set_at: datetime | None = None

    @property
    def has_words(self) -> bool:
        """The value holds words of one language, so each further language needs its own."""
        if self.kind is FactKind.MATRIX and isinstance(self.value, list):
            return any(row.get("note") or row["data"] not in DATA_TYPES for row in self.value)
        return self.kind in _WORDED


FactKey: TypeAlias = tuple[str, str | None]
FactSheet: TypeAlias = Mapping[FactKey, Fact]
"""Facts by (name, locale)."""


def sheet(*layers: list[Fact] | tuple[Fact, ...]) -> dict[FactKey, Fact]:
    """Facts laid over each other; a later layer wins. A new value in our own language drops older translations."""
    laid: dict[FactKey, Fact] = {}
    for layer in layers:
        renewed = {fact.name for fact in layer if fact.locale is None}
        laid = {key: fact for key, fact in laid.items() if key[0] not in renewed}
        laid.update({(fact.name, fact.locale): fact for fact in layer})
    return laid


def spoken(facts: FactSheet, name: str, locale: str) -> Fact | None:
    """The fact as the reader of a locale gets it: the locale, its language, else our own language."""
    for candidate in (locale, locale.split("-")[0], None):
        if (name, candidate) in facts:
            return facts[name, candidate]
    return None
