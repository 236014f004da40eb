"""What a signal means for what we know already: an order of events out of posts that have none.

Late ones change nothing, repeats of a state change nothing, and only a newer word that it began again reopens.
"""

from dataclasses import dataclass
from enum import StrEnum

from dispatcher.model.signal import SignalKind

LIVE, MITIGATED, OVER = "live", "mitigated", "over"
"""States of a subject."""


class Step(StrEnum):
    """What a signal makes of its subject."""

    NOTHING = "nothing"  # it moves nothing by itself
    BEGIN = "begin"  # it began
    AGAIN = "again"  # it was over, or nearly, and began again
    CHANGE = "change"  # more is known
    EASE = "ease"  # mitigated
    END = "end"  # over
    SAME = "same"  # we knew
    LATE = "late"  # it was so before what we know


@dataclass(frozen=True, slots=True)
class Known:
    """How a subject stands: its state, and when (milliseconds) the newest signal about it occurred."""

    state: str
    occurred_at: int


_BEGINS = frozenset({SignalKind.OPENED, SignalKind.REOPENED})
_STATES = frozenset({SignalKind.ACKNOWLEDGED, SignalKind.UPDATED})
"""Kinds that tell a state which is not over: a newer one of these, with a time of its own, says that it goes on."""


def judge(known: Known | None, kind: SignalKind, at: int, *, timed: bool) -> Step:
    """The step. `at` is when it occurred, `timed` whether the tool itself said so."""
    if not kind.moves:
        return Step.NOTHING
    if known is None:
        return _first(kind)
    if at < known.occurred_at:
        return Step.LATE
    if kind.ends:
        return Step.SAME if known.state == OVER else Step.END
    if at == known.occurred_at and known.state != LIVE and kind is not SignalKind.REOPENED:
        return Step.LATE if kind.is_live else Step.SAME
    return _next(known.state, kind, timed)


def _first(kind: SignalKind) -> Step:
    if kind.ends:
        return Step.END
    return Step.BEGIN if kind.is_live else Step.EASE if kind is SignalKind.MITIGATED else Step.NOTHING


def _next(state: str, kind: SignalKind, timed: bool) -> Step:
    if state != LIVE and kind in _BEGINS:
        return Step.AGAIN
    if state == OVER:
        return Step.AGAIN if timed and kind in _STATES else Step.NOTHING
    if kind is SignalKind.MITIGATED:
        return Step.EASE if state == LIVE else Step.SAME
    if kind in _BEGINS:
        return Step.SAME
    return Step.NOTHING if kind is SignalKind.NOTED else Step.CHANGE


def state_after(step: Step, state: str) -> str:
    """The state of a subject after a step."""
    return {Step.BEGIN: LIVE, Step.AGAIN: LIVE, Step.EASE: MITIGATED, Step.END: OVER}.get(step, state)
