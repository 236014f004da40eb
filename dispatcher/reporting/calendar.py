"""Promises and reminders as an iCalendar (RFC 5545) for calendar programs. For our own people only."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

LINE_OCTETS = 75
_ESCAPED = str.maketrans({"\\": "\\\\", ";": "\\;", ",": "\\,", "\n": "\\n", "\r": None})
_UNPRINTED = {code: None for code in (*range(0x09), *range(0x0B, 0x20), 0x7F)}
SHOWN = timedelta(minutes=10)
"""How long an entry stands in the calendar: it is an instant, and some programs hide what has no length."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `uid` is the same whenever the entry is written again; `alarm` rings at its time."""

    uid: str
    at: datetime
    summary: str
    about: str = ""
    alarm: bool = False


def render(entries: Iterable[Entry], *, name: str, now: datetime) -> bytes:
    """The calendar; lines end with CR LF and are folded between characters."""
    lines: list[str] = ["BEGIN:VCALENDAR", "VERSION:2.0", f"PRODID:-//{_text(name)}//dispatcher//EN"]
    lines += ["CALSCALE:GREGORIAN", f"X-WR-CALNAME:{_text(name)}"]
    for entry in entries:
        lines += _event(entry, now)
    lines.append("END:VCALENDAR")
    return b"".join(_folded(line) for line in lines)


def _event(entry: Entry, now: datetime) -> Iterator[str]:
    yield "BEGIN:VEVENT"
    yield f"UID:{_text(entry.uid)}"
    yield f"DTSTAMP:{_instant(now)}"
    yield f"DTSTART:{_instant(entry.at)}"
    yield f"DTEND:{_instant(entry.at + SHOWN)}"
    yield f"SUMMARY:{_text(entry.summary)}"
    if entry.about:
        yield f"DESCRIPTION:{_text(entry.about)}"
    yield "TRANSP:TRANSPARENT"
    if entry.alarm:
        yield from (
            "BEGIN:VALARM",
            "ACTION:DISPLAY",
            f"DESCRIPTION:{_text(entry.summary)}",
            "TRIGGER:PT0S",
            "END:VALARM",
        )
    yield "END:VEVENT"


def _instant(at: datetime) -> str:
    """UTC, to the second: no zone needs to be described, and no change of clocks moves it."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _text(words: str) -> str:
    return words.translate(_UNPRINTED).translate(_ESCAPED)


def _folded(line: str) -> bytes:
    """At most 75 octets a line, a character never cut in two; what goes on begins with a blank."""
    pieces, current = [], b""
    for char in line:
        encoded = char.encode("utf-8", "replace")
        if len(current) + len(encoded) > LINE_OCTETS:
            pieces.append(current)
            current = b" "
        current += encoded
    return b"\r\n".join([*pieces, current]) + b"\r\n"


WORDS: Mapping[str, str] = {
    "promise": "Word promised to {whom} by now",
    "target": "Word to {whom} by now, by our own cadence",
    "duty": "{whom} must be told by now",
}
"""What a clock means when it runs out, by its kind."""
