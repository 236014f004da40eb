"""What the public may read about our incidents: only words that were approved and released, and what they said.

Nothing internal has a place in these nouns: no title of an incident, no note, no name of a person, no fact that was
never spoken. Who fills them decides what is public; who reads them can only print it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dispatcher.model.fact import ServiceState
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Severity

EPOCH = datetime.fromtimestamp(0, UTC)
OVER = frozenset({"resolved", "closed"})
"""Phases in which an incident is over."""


@dataclass(frozen=True, slots=True)
class Text:
    """Released words in one language. `body` is Markdown where the words came from a page, else plain text."""

    locale: str
    headline: str
    body: str
    markdown: bool = True


@dataclass(frozen=True, slots=True)
class Update:
    """One released message about an incident, or (without texts) a phase that a person has set since.

    The organisation's own language comes first. `approved_before`: it was approved in peace, for such a case.
    """

    ref: str
    at: datetime
    phase: Phase
    texts: tuple[Text, ...] = ()
    correction: bool = False
    stopped: bool = False
    approved_before: bool = False

    def text(self, language: str) -> Text | None:
        """The words for a reader of this language: the language, else our own."""
        wanted = language.split("-")[0]
        return next((one for one in self.texts if one.locale.split("-")[0] == wanted), next(iter(self.texts), None))


@dataclass(frozen=True, slots=True)
class PublicIncident:
    """An incident as the public knows it. `updates` are the newest first and never empty.

    `next_update_at` is what we promised in public.
    """

    ref: str
    severity: Severity
    updates: tuple[Update, ...]
    services: Mapping[str, ServiceState] = field(default_factory=dict)
    next_update_at: datetime | None = None

    @property
    def phase(self) -> Phase:
        """How far we are, as said last."""
        return self.updates[0].phase

    @property
    def is_over(self) -> bool:
        """Whether it has been said to be over."""
        return self.phase.value in OVER

    @property
    def began_at(self) -> datetime:
        """When the public first heard of it."""
        return self.updates[-1].at

    @property
    def changed_at(self) -> datetime:
        """When the public last heard of it."""
        return self.updates[0].at

    def name(self, language: str) -> str:
        """The newest headline that was released."""
        spoken = (update.text(language) for update in self.updates)
        return next((text.headline for text in spoken if text is not None), self.ref)

    def since(self, phase: str) -> datetime | None:
        """When the phase it is in now, or one it went through, was last reached."""
        reached = None
        for update in self.updates:
            if update.phase.value == phase:
                reached = update.at
            elif reached is not None:
                break
        return reached

    @property
    def over_at(self) -> datetime | None:
        """When it was said to be over, if it is."""
        if not self.is_over:
            return None
        reached = self.updates[0].at
        for update in self.updates:
            if update.phase.value not in OVER:
                break
            reached = update.at
        return reached


@dataclass(frozen=True, slots=True)
class Sent:
    """A message of ours that somebody may ask about by its code. Never to whom it went."""

    code: str
    title: str
    at: datetime
    channels: tuple[str, ...]
    stopped: bool = False
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Publisher:
    """Who publishes, and where: `url` is the address of the tree without a slash at its end."""

    name: str
    url: str
    domain: str
    contact: str
    phone: str
    help_url: str
    locale: str
    zone: str
    never_ask: Mapping[str, str] = field(default_factory=dict)

    def asks_never(self, language: str) -> str:
        """What we never ask people for, in a language or in our own."""
        return self.never_ask.get(language) or self.never_ask.get(self.locale, "")


@dataclass(frozen=True, slots=True)
class Publication:
    """Everything. `incidents` are the newest first; `services` are those that are named even when all is well."""

    publisher: Publisher
    incidents: tuple[PublicIncident, ...] = ()
    services: tuple[str, ...] = ()
    sent: tuple[Sent, ...] = ()

    @property
    def changed_at(self) -> datetime:
        """When something was last published; so the same words give the same bytes."""
        return max((one.changed_at for one in self.incidents), default=EPOCH)

    @property
    def current(self) -> tuple[PublicIncident, ...]:
        """Incidents that are not over."""
        return tuple(one for one in self.incidents if not one.is_over)

    def standing(self) -> Iterator[tuple[str, ServiceState, datetime]]:
        """Each service, how it works by the newest words about it, and since when these stand."""
        worst = list(ServiceState)
        found: dict[str, tuple[ServiceState, datetime]] = dict.fromkeys(
            self.services, (ServiceState.OPERATIONAL, self.changed_at)
        )
        for incident in self.current:
            for name, state in incident.services.items():
                known = found.get(name)
                if known is None or worst.index(state) > worst.index(known[0]):
                    found[name] = (state, incident.changed_at)
        yield from ((name, state, at) for name, (state, at) in found.items())
