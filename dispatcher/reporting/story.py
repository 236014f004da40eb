"""What a report tells, as plain values: services gather it, this room only adds up and draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sums:
    """The terms of one channel (`planned` and each word of `model.states.TERMS`), and why, one level down."""

    channel: str
    terms: Mapping[str, int]
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def __getitem__(self, term: str) -> int:
        return self.terms.get(term, 0)


@dataclass(frozen=True, slots=True)
class Moment:
    """How many deliveries had got how far, `seconds` after the release."""

    seconds: float
    accepted: int
    delivered: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Deliveries of a channel by the whole milliseconds from release to the vendor's acceptance."""

    channel: str
    waits: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class Act:
    """One line of the timeline: when, who, what, and why if a reason was given."""

    at: datetime
    who: str
    what: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """How well we kept our word about the incident: minutes to the first word, promises, people any word reached.

    `duties` are regulators' clocks: kept, missed, running.
    """

    incident: str
    first_word_minutes: float | None
    kept: int
    missed: int
    moved: int
    people_reached: int
    duties: tuple[int, int, int] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning of the check: the rule and what it said, who let it pass and why; nobody: it went as it was."""

    rule: str
    what: str
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Words:
    """What was said, one rendition: label (`email · en`) and its text with slots named."""

    label: str
    text: str
    deliveries: int = 0


@dataclass(frozen=True, slots=True)
class Proof:
    """One row of the judgement by an independent record: what the ledger says, what the other side says."""

    claim: str
    ledger: int
    other: int

    @property
    def holds(self) -> bool:
        """Both sides say the same."""
        return self.ledger == self.other


@dataclass(frozen=True, slots=True)
class Story:
    """Everything on the page. Times are aware UTC; `mode` is live or drill."""

    ref: str
    title: str
    mode: str
    state: str
    made_at: datetime
    channels: tuple[Sums, ...]
    test_endpoint: bool = False
    audience: str = ""
    audience_size: int = 0
    people_reached: int = 0
    digest: str = ""
    drafted_by: str = ""
    approved_by: str = ""
    released_at: datetime | None = None
    curve: tuple[Moment, ...] = ()
    spreads: tuple[Spread, ...] = ()
    acts: tuple[Act, ...] = ()
    words: tuple[Words, ...] = ()
    warnings: tuple[Warned, ...] = ()
    word: Kept | None = None
    proofs: tuple[Proof, ...] = ()
    codes: str = ""
    """The goodwill codes that it issued, in one line; empty where it issued none."""
    followed: str = ""
    """How far its correction or update has come to those who read it; empty where nothing follows it."""

    @property
    def mode_word(self) -> str:
        """The word that stands in every heading."""
        return "DRILL" if self.mode == "drill" else "LIVE · TEST ENDPOINT" if self.test_endpoint else "LIVE"
