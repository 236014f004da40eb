"""What a call over the wire ends in: a whole answer, or one of two ways of having none, and why there is none."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from dispatcher.model.outcome import NotSent, Outcome, OutcomeUnknown

_DAY = 86_400.0


class WireError(Exception):
    """No usable answer. The message is a short reason that names no address, URL or secret."""

    @property
    def outcome(self) -> Outcome:
        """What this means for every delivery of the request."""
        raise NotImplementedError


class NeverConnected(WireError):
    """Not one byte of the request was written: refused, no such host, TLS, time ran out while connecting."""

    @property
    def outcome(self) -> Outcome:
        return NotSent(str(self))


class AnswerLost(WireError):
    """The request began to be written and no whole answer came back: it may have been processed."""

    @property
    def outcome(self) -> Outcome:
        return OutcomeUnknown(str(self))


class ForbiddenAddress(OSError):
    """A host lies where this wire may not go."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are lower case; of a repeated header the last value stands."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The JSON object in the body; empty when the body is anything else."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}
        return found if isinstance(found, dict) else {}

    def wait(self, now: datetime, reset: str = "") -> float | None:
        """Seconds to wait, 0 to one day: `Retry-After` (number or date), else the unix second in the header `reset`."""
        named = _seconds(self.headers.get("retry-after", ""), now)
        if named is None and reset:
            at = _number(self.headers.get(reset, ""))
            named = None if at is None else at - now.timestamp()
        return None if named is None else min(max(named, 0.0), _DAY)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _seconds(text: str, now: datetime) -> float | None:
    if not text or (plain := _number(text)) is not None:
        return plain if text else None
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
