"""Reads `18:30`, `tomorrow 07:00`, `in 30m`, `in 1h 15m` and ISO 8601, and says back how it was read."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dispatcher.errors import UsageError

_SPAN = re.compile(r"(?:in\s+)?((?:\d+\s*[smhd]\w*\s*)+)$", re.IGNORECASE)
_PIECE = re.compile(r"(\d+)\s*([smhd])", re.IGNORECASE)
_CLOCK = re.compile(r"(?:(today|tomorrow)\s+)?(\d{1,2}):(\d{2})(?:\s+(\S+))?$", re.IGNORECASE)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_FORMS = "18:30, tomorrow 07:00, in 30m, or 2026-11-22T18:30+01:00"


def read_when(text: str, now: datetime, zone: str) -> datetime:
    """The instant that was meant, aware. A time of day is read in `zone` unless it names its own."""
    words = text.strip()
    if span := _SPAN.fullmatch(words):
        return now + read_span(span[1])
    if clock := _CLOCK.fullmatch(words):
        return _at_clock(clock, now, _zone(clock[4] or zone))
    return _iso(words, now, zone)


def read_span(text: str) -> timedelta:
    """`90`, `90s`, `10m`, `1h 30m`: a bare number is seconds."""
    words = text.strip().lower().removeprefix("in ")
    if words.isascii() and words.isdigit():
        return timedelta(seconds=int(words))
    pieces = _PIECE.findall(words)
    if not pieces or not _SPAN.fullmatch(words):
        raise UsageError(f"{text!r} is not a length of time.", mend="Say it like 90s, 10m or 1h 30m.")
    return sum((timedelta(**{_UNITS[unit.lower()]: int(n)}) for n, unit in pieces), timedelta())


def _at_clock(found: re.Match[str], now: datetime, zone: tzinfo) -> datetime:
    local = now.astimezone(zone)
    hour, minute = int(found[2]), int(found[3])
    if hour > 23 or minute > 59:
        raise UsageError(f"There is no {found[2]}:{found[3]} on a clock.", mend=f"Say it like {_FORMS}.")
    day = local.date() + timedelta(days=1 if (found[1] or "").lower() == "tomorrow" else 0)
    moment = _settled(datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone))
    if moment <= now:
        raise UsageError(
            f"{hour}:{minute:02} is already past today ({local:%H:%M %Z} now).",
            mend=f"For the next day say: tomorrow {hour}:{minute:02}.",
        )
    return moment


def _iso(words: str, now: datetime, zone: str) -> datetime:
    head, _, last = words.rpartition(" ")
    named = last if head and not last[0].isdigit() else ""
    try:
        moment = datetime.fromisoformat(head if named else words)
    except ValueError:
        raise UsageError(f"{words!r} is not a time.", mend=f"Say it like {_FORMS}.") from None
    if moment.tzinfo is None:
        moment = _settled(moment.replace(tzinfo=_zone(named or zone)))
    if moment <= now:
        raise UsageError(f"{told(moment, zone)} is past.", mend="Leave --at out to send now.")
    return moment


def _zone(name: str) -> tzinfo:
    if name.upper() in ("Z", "UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise UsageError(f"No time zone is called {name!r}.", mend="Say it like Europe/London or UTC.") from None


def _settled(moment: datetime) -> datetime:
    """When clocks change an hour comes twice or not at all: then only an offset is exact."""
    if moment.replace(fold=0).utcoffset() == moment.replace(fold=1).utcoffset():
        return moment
    raise UsageError(
        f"{moment:%H:%M} on {moment:%d %b} comes twice or not at all: the clocks change then.",
        mend=f"Say it with its offset, like {moment.replace(fold=0).isoformat()}.",
    )


def told(moment: datetime, zone: str) -> str:
    """How the reading is said back: local time, zone, and UTC beside it."""
    local = moment.astimezone(_zone(zone))
    utc = moment.astimezone(UTC)
    own = f"{local:%a %d %b %H:%M:%S} {local.tzname()}"
    return own if local.utcoffset() == timedelta() else f"{own} ({utc:%H:%M:%S} UTC)"
