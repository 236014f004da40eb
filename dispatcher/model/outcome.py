"""What one attempt at one recipient came to. A closed list: adapters return these, policy reads their class data.

`retryable`: the same delivery may be handed over again without risk of a second message.
`settled`: nothing more will be done for the delivery by us.
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Outcome:
    """Base of the closed list below."""

    word: ClassVar[str] = ""
    retryable: ClassVar[bool] = False
    settled: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Accepted(Outcome):
    """The vendor took responsibility; its id for the message, or for the request that carried it."""

    word: ClassVar[str] = "accepted"
    settled: ClassVar[bool] = True
    provider_message_id: str
    segments: int | None = None
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Throttled(Outcome):
    """Not processed, asked to come back later; `retry_after` in seconds, None where the vendor names no time."""

    word: ClassVar[str] = "throttled"
    retryable: ClassVar[bool] = True
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class NotSent(Outcome):
    """Certainly not processed: never connected, or a documented refusal to process right now."""

    word: ClassVar[str] = "not_sent"
    retryable: ClassVar[bool] = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rejected(Outcome):
    """A permanent refusal for this recipient. `suppresses` names the suppression reason it proves, if any."""

    word: ClassVar[str] = "rejected"
    settled: ClassVar[bool] = True
    reason: str
    suppresses: str | None = None
    isolate: bool = False
    """The vendor refused a whole request because of some recipient in it: split and find which."""


@dataclass(frozen=True, slots=True)
class Misconfigured(Outcome):
    """Our account or settings are wrong: stops the account, calls the operator, costs no recipient."""

    word: ClassVar[str] = "misconfigured"
    retryable: ClassVar[bool] = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OutcomeUnknown(Outcome):
    """The request may have been processed. Never resent blindly, never moved to another provider."""

    word: ClassVar[str] = "unknown"
    reason: str = ""
