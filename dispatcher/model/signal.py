"""What an incident tool told us, in our words, whoever the tool is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from dispatcher.model.incident import Visibility


class SignalKind(StrEnum):
    """What happened at the tool. MITIGATED is not RESOLVED: part of it may be back, and other words are due."""

    OPENED = "opened"
    ACKNOWLEDGED = "acknowledged"  # somebody looks at it
    UPDATED = "updated"  # severity, service, title or phase changed
    STATUS_UPDATE = "status_update"  # somebody wrote words about it
    MITIGATED = "mitigated"  # the harm is less; it is not over
    RESOLVED = "resolved"
    REOPENED = "reopened"
    CANCELLED = "cancelled"  # it was none, or a duplicate
    NOTED = "noted"  # worth a line, moves nothing: a note, a silence, no data
    TEST = "test"  # somebody tries the connection
    IGNORED = "ignored"  # not about an incident, or a word we do not know

    @property
    def moves(self) -> bool:
        """Whether it may touch an incident at all."""
        return self not in (SignalKind.TEST, SignalKind.IGNORED)

    @property
    def is_live(self) -> bool:
        """Whether it says that something is going on, so that it may open an incident we do not know yet."""
        return self in _LIVE

    @property
    def ends(self) -> bool:
        """Whether it says that it is over."""
        return self in (SignalKind.RESOLVED, SignalKind.CANCELLED)


_LIVE = frozenset(
    {
        SignalKind.OPENED,
        SignalKind.ACKNOWLEDGED,
        SignalKind.UPDATED,
        SignalKind.STATUS_UPDATE,
        SignalKind.REOPENED,
    }
)


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing a tool said. Every text is cleaned and cut; none of it is ever rendered as a template.

    `external_id` is what the tool calls the incident, the same in all its signals; `external_ref` what people there
    call it. `delivery_id` is the tool's own id of this very message, empty where it has none. `word` is the tool's word
    for what happened, `phase_raw` and `severity_raw` its words for phase and severity.
    """

    kind: SignalKind
    external_id: str
    word: str = ""
    delivery_id: str = ""
    external_ref: str = ""
    title: str = ""
    text: str = ""
    severity_raw: str = ""
    phase_raw: str = ""
    services: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    url: str = ""
    occurred_at: datetime | None = None
    visibility: Visibility = Visibility.PUBLIC
    labels: Mapping[str, str] = field(default_factory=dict)
