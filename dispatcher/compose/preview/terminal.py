"""Frames in the terminal: side by side where there is room, one below the other where there is not."""

import textwrap
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from dispatcher.compose.preview.frames import Change, Changed, Frame, Measure

NARROWEST = 36
_GAP = "  "
_METER = 20


def as_text(frames: Sequence[Frame], width: int = 100) -> str:
    """Plain text without control characters or colours. HTML parts are left to the page."""
    rows = []
    for group in _groups(frames):
        columns = max(1, min(len(group), (width + len(_GAP)) // (NARROWEST + len(_GAP))))
        room = (width - len(_GAP) * (columns - 1)) // columns
        for start in range(0, len(group), columns):
            rows.append(_beside([list(_column(frame, room)) for frame in group[start : start + columns]], room))
    return "\n\n".join(rows)


def changes_as_text(changes: Sequence[Changed], than: str, width: int = 100) -> str:
    """What is new against the last update: [-taken out-] {+put in+}, in the lines where something changed."""
    shown = []
    for one in changes:
        head = " ".join(filter(None, (one.channel, one.locale, one.variant)))
        marked = "".join(map(_marked, one.changes))
        lines = [line for line in marked.split("\n") if "[-" in line or "{+" in line or "-]" in line or "+}" in line]
        body = [row for line in lines for row in _wrapped(line, width)] or ["no word has changed"]
        shown.append("\n".join([f"{head}, against {than}", "=" * min(width, NARROWEST), *body]))
    return "\n\n".join(shown)


def _marked(change: Change) -> str:
    open_, close = {"kept": ("", ""), "removed": ("[-", "-]"), "added": ("{+", "+}")}[change.kind]
    pieces = change.words.split("\n") if open_ else [change.words]
    return "\n".join(f"{open_}{piece}{close}" if piece.strip() or not open_ else piece for piece in pieces)


def _groups(frames: Sequence[Frame]) -> list[list[Frame]]:
    """Frames of one channel and variant stand beside each other."""
    groups: dict[tuple[str, str], list[Frame]] = {}
    for frame in frames:
        groups.setdefault((frame.channel, frame.variant), []).append(frame)
    return list(groups.values())


def _column(frame: Frame, room: int) -> Iterator[str]:
    variant = f" {frame.variant}" if frame.variant else ""
    yield printable(f"{frame.channel} {frame.locale}{variant}, {frame.sample}")[:room]
    yield "=" * room
    if frame.refusal:
        yield from _wrapped(frame.refusal, room)
        return
    measures = {measure.part: measure for measure in frame.measures}
    for name, text in frame.parts.items():
        if name == "html":
            continue
        yield from [f"[{name}]"] if len(frame.parts) > 1 else []
        yield from _wrapped(text, room)
        yield from textwrap.wrap(_meter(measures[name]), room) if name in measures else []
        yield ""


def _wrapped(text: str, room: int) -> Iterator[str]:
    for line in printable(text).split("\n"):
        yield from textwrap.wrap(line, room, replace_whitespace=False) or [""]


def _meter(measure: Measure) -> str:
    filled = min(_METER, round(_METER * measure.used / measure.limit))
    bar = "#" * filled + "." * (_METER - filled)
    pieces = f", {measure.pieces} segments" if measure.cuts else ""
    return f"{bar} {measure.used}/{measure.limit} {measure.unit}{pieces} {measure.note}"


def printable(text: str) -> str:
    """Text that cannot command a terminal: control characters and invisible marks show as their code point."""
    return "".join(
        c if c == "\n" or unicodedata.category(c) not in ("Cc", "Cf", "Cs") else f"<U+{ord(c):04X}>" for c in text
    )


def _beside(columns: Sequence[Sequence[str]], room: int) -> str:
    lines = zip_longest(*columns, fillvalue="")
    return "\n".join(_GAP.join(_padded(cell, room) for cell in line).rstrip() for line in lines).rstrip()


def _padded(cell: str, room: int) -> str:
    """Filled up by what the terminal shows: wide characters take two columns, combining ones none."""
    shown = sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in cell
    )
    return cell + " " * max(0, room - shown)
