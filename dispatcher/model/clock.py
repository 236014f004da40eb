"""Time comes in by the door: one Clock is injected, nothing else asks what time it is."""

import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol, overload


class Clock(Protocol):
    """`now` is an aware UTC datetime; `monotonic` seconds that never step."""

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


def in_words(moment: datetime, zone: tzinfo) -> str:
    """How an instant is said: local time and zone, and UTC beside it where that is another."""
    local, utc = moment.astimezone(zone), moment.astimezone(UTC)
    own = f"{local:%a %d %b %H:%M} {local.tzname()}"
    return own if local.utcoffset() == timedelta() else f"{own} ({utc:%H:%M} UTC)"


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970, as the ledger stores instants."""
    return round(moment.timestamp() * 1000)


@overload
def from_ms(ms: int) -> datetime: ...
@overload
def from_ms(ms: None) -> None: ...
@overload
def from_ms(ms: int | None) -> datetime | None: ...
def from_ms(ms: int | None) -> datetime | None:
    """The aware UTC datetime of a stored instant."""
    return None if ms is None else datetime.fromtimestamp(ms / 1000, UTC)
