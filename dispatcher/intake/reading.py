"""Reads what tools post: JSON within limits, texts without tricks, times in every spelling that occurs.

Everything here is lenient with what is there and never guesses what is not: a value of the wrong type reads as absent.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin, urlsplit
from zoneinfo import ZoneInfo

import orjson

from dispatcher.errors import Refused

DEEPEST = 48
"""Levels of a payload; real ones have fewer than fifteen."""
TITLE, WORD, PROSE, ID = 200, 80, 4000, 200
MOST_ITEMS, MOST_LABELS = 50, 60

_BIDI = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_ABSENT = frozenset({"", "none", "null", "undefined", "n/a", "false", "nan"})
_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_MAGNITUDES = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9))
_EMPTY: Mapping[str, Any] = {}


class Unreadable(Refused):
    """A post that is not what its tool sends."""

    default_code = "E-SIGNAL-BODY"


def unreadable(what: str) -> Unreadable:
    """What is wrong with a post, without a word of its content."""
    return Unreadable(what, mend="Compare the tool's webhook settings with docs/adding-a-signal-source.md.")


def payload(body: bytes) -> Any:
    """The JSON of a body; Unreadable if it is none, or deeper than any tool's."""
    try:
        found = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        raise unreadable("The body is not JSON.") from None
    level: list[Any] = [found]
    for _ in range(DEEPEST):
        level = [child for node in level for child in _children(node)]
        if not level:
            return found
    raise unreadable("The body is nested too deeply.")


def _children(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        yield from (value for value in node.values() if isinstance(value, dict | list))
    elif isinstance(node, list):
        yield from (value for value in node if isinstance(value, dict | list))


def an_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a body."""
    found = payload(body)
    if not isinstance(found, dict):
        raise unreadable("The body is not a JSON object.")
    return found


def mapping(value: object) -> Mapping[str, Any]:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else _EMPTY


def items(value: object) -> list[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else []


def first(value: Mapping[str, Any], *names: str) -> Any:
    """The first of these members that is there and says something."""
    return next((value[name] for name in names if value.get(name) not in (None, "", [], {})), None)


def clean(text: str, *, lines: bool = False) -> str:
    """The text without control characters, direction marks, surrogates and unassigned tricks."""
    kept = (c if c == "\n" and lines else " " if c in "\n\r\t" else c for c in text if _harmless(c, lines))
    return unicodedata.normalize("NFC", "".join(kept))


def _harmless(char: str, lines: bool) -> bool:
    if char in "\n\r\t":
        return lines or char != "\r"
    return char not in _BIDI and unicodedata.category(char) not in ("Cc", "Cs", "Co", "Zl", "Zp")


def plain(value: object) -> str:
    """A string, number or truth value as text; anything else as nothing."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else ""


def line(value: object, longest: int = TITLE) -> str:
    """One line of text, cut."""
    words = " ".join(clean(plain(value)[: longest * 8]).split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "…"


def prose(value: object, longest: int = PROSE) -> str:
    """Text with line breaks, cut."""
    text = clean(plain(value)[: longest * 4].replace("\r\n", "\n"), lines=True).strip()
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def word(value: object) -> str:
    """A short word of a vocabulary as it came; `{name: ...}`, `{slug: ...}` and the like give theirs."""
    if isinstance(value, dict):
        value = first(value, "slug", "summary", "name", "display_value", "value")
    return line(value, WORD)


def identifier(value: object) -> str:
    """An id as text; a very long one as its digest."""
    text = line(value, 10_000) if not isinstance(value, float) else ""
    return text if len(text) <= ID else "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def required_id(value: object) -> str:
    """An id without which a post says nothing."""
    found = identifier(value)
    if not found or found.lower() in ("none", "null"):
        raise unreadable("The post does not say which incident it is about.")
    return found


def names(value: object) -> tuple[str, ...]:
    """Names from a list of strings or objects, or from words with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, dict):
        value = [value]
    found = (word(one if not isinstance(one, dict) else first(one, "name", "summary", "slug")) for one in items(value))
    return tuple(dict.fromkeys(name for name in found if name))[:MOST_ITEMS]


def labels(**values: object) -> dict[str, str]:
    """Labels that say something, as text."""
    return _bounded(values)


def label_map(value: object) -> dict[str, str]:
    """The labels of an object: its plain members."""
    return _bounded(mapping(value))


def _bounded(values: Mapping[str, object]) -> dict[str, str]:
    pairs = ((line(name, WORD), line(value)) for name, value in values.items())
    return dict([(name, text) for name, text in pairs if name and text][:MOST_LABELS])


def yes(value: object) -> bool:
    """True, "true", "True", "yes" and 1."""
    return value is True or plain(value).strip().lower() in ("true", "yes", "1")


def link(value: object, origin: object = "") -> str:
    """An absolute http(s) address; a relative one is resolved against `origin`, or dropped."""
    text = plain(value).strip()
    if not text or len(text) > 2000 or clean(text) != text or " " in text:
        return ""
    try:
        whole = urljoin(plain(origin).strip(), text)
        parts = urlsplit(whole)
    except ValueError:
        return ""
    return whole if parts.scheme in ("https", "http") and parts.hostname and not parts.username else ""


def moment(value: object, zone: str = "UTC") -> datetime | None:
    """An aware instant in UTC from ISO, RFC 1123 or an epoch of any unit; None where none is meant.

    A time without offset is read in `zone`. The zero time of Go and dates before 1990 mean "absent".
    """
    if value is None or isinstance(value, bool):
        return None
    text = plain(value).strip()
    if text.lower() in _ABSENT:
        return None
    found = _epoch(text) if re.fullmatch(r"\d{1,20}(\.\d{1,9})?", text) else _written(text, zone)
    return found if found and _FIRST <= found < _LAST else None


def _epoch(text: str) -> datetime | None:
    number = float(text)
    unit = next((unit for limit, unit in _MAGNITUDES if number < limit), None)
    return None if unit is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number / unit)


def _written(text: str, zone: str) -> datetime | None:
    iso = re.sub(r"\s*(?:UTC|GMT|Z)$", "+00:00", text[:64]) if not text[:1].isalpha() else text[:64]
    iso = re.sub(r"\s+([+-]\d\d:?\d\d)$", r"\1", iso)
    try:
        found = datetime.fromisoformat(iso)
    except ValueError:
        try:
            found = parsedate_to_datetime(text[:64])
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    try:
        return (found if found.tzinfo else found.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
