"""What is shown: data on stdout, words on stderr, tables without boxes so that any reader can read them."""

import json
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from dispatcher.cli.session import Session

_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def printable(text: str, *, lines: bool = False) -> str:
    """Recipient data can hold escape sequences and direction marks: none of them reaches a terminal."""
    return "".join(c if _harmless(c) or (lines and c == "\n") else "\ufffd" for c in text)


def _harmless(char: str) -> bool:
    return char not in _BIDI and unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp")


def plain_value(value: Any) -> Any:
    """What JSON cannot say by itself: instants as ISO 8601 in UTC, our dataclasses as objects."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    return list(value) if isinstance(value, (set, frozenset, tuple)) else str(value)


def as_json(payload: Any) -> str:
    """One line of JSON, as a stream of lines needs it."""
    return json.dumps(payload, ensure_ascii=False, default=plain_value)


def show(session: Session, payload: Any, words: Callable[[], str] | str) -> None:
    """The payload with --json, else the words; `words` may be a function so that its work is not done in vain."""
    if session.json:
        text = json.dumps(payload, ensure_ascii=False, default=plain_value, indent=2)
    else:
        text = words if isinstance(words, str) else words()
    if text:
        click.echo(text, color=session.color)


def say(session: Session, words: str) -> None:
    """A remark beside the data: stderr, and not at all for a machine."""
    if not session.json:
        click.echo(words, err=True, color=session.color)


def is_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def number(value: Any) -> str:
    """12480 as 12,480; a missing one as a dash."""
    return "–" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def width(text: str) -> int:
    """Columns on a terminal: wide characters take two, marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


class Styled(str):
    """A cell of our own making whose colour is wanted; anything else is made harmless."""


def _cell(value: Any) -> str:
    return value if isinstance(value, Styled) else printable(number(value))


def _pad(text: str, columns: int, right: bool) -> str:
    space = " " * max(0, columns - width(click.unstyle(text)))
    return space + text if right else text + space


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Columns two spaces apart; a column of numbers stands to the right."""
    body = [[_cell(value) for value in row] for row in rows]
    right = [bool(rows) and all(isinstance(row[i], int | float | None) for row in rows) for i in range(len(headers))]
    widths = [max(width(click.unstyle(r[i])) for r in [list(headers), *body]) for i in range(len(headers))]
    lines = [[*headers], *body]
    return "\n".join(
        "  ".join(_pad(c, w, r) for c, w, r in zip(line, widths, right, strict=True)).rstrip() for line in lines
    )


def pairs(items: Mapping[str, Any]) -> str:
    """Label and value, one a line."""
    columns = max((len(label) for label in items), default=0)
    return "\n".join(f"{label:<{columns}}  {_cell(value)}" for label, value in items.items())


def badge(mode: str, *, test_endpoint: bool = False) -> str:
    """The mode in words first and colour second."""
    if mode == "drill":
        return click.style(" DRILL ", fg="black", bg="cyan", bold=True) + " nothing leaves this machine"
    if test_endpoint:
        return click.style(" LIVE · TEST ENDPOINT ", fg="black", bg="yellow", bold=True) + " a loopback vendor answers"
    return click.style(" LIVE ", fg="white", bg="red", bold=True) + " real people will be told"
