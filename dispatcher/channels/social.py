"""The rules of a public post: X's weighted length, exactly, and threads that stay under it.

Source: X's published text configuration, version 3: 280 at most; a link 23; an emoji sequence 2; U+0000 to U+10FF and
general punctuation 1; everything else 2; counted after NFC.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import regex

from dispatcher.channels import links

LIMIT = 280
LINK_WEIGHT = 23
ADVISED = 275
"""Aim for this: X's own tables of emoji and top-level domains move on without notice."""

LONGEST = 25_000
"""Code points; no plan of X takes more, and nothing longer is weighed."""

_LIGHT = re.compile("[\u0000-\u10ff\u2000-\u200d\u2010-\u201f\u2032-\u2037]")
_INVALID = frozenset("\ufffe\ufeff\uffff")
_SKIN = "[\U0001f3fb-\U0001f3ff]"
_JOINER = "\u200d"
_PICTURE = "\ufe0f"
_TAKES_SKIN = r"(?V1)\p{Emoji_Modifier_Base}"
_PLAIN_BY_DEFAULT = r"(?V1)[\p{Emoji}--\p{Emoji_Presentation}]"


@dataclass(frozen=True, slots=True)
class PostWeight:
    """`invalid` holds code points that X refuses in any post."""

    weight: int
    limit: int
    invalid: tuple[str, ...]

    @property
    def fits(self) -> bool:
        """X takes it: something is said, nothing is refused, and it is short enough."""
        return 0 < self.weight <= self.limit and not self.invalid

    @property
    def left(self) -> int:
        """How much more it takes; negative when over."""
        return self.limit - self.weight

    @property
    def permillage(self) -> int:
        """How full it is, in thousandths, rounded down."""
        return self.weight * 1000 // self.limit


def weigh(text: str, limit: int = LIMIT) -> PostWeight:
    """The weighted length of one post. CR LF counts as two; write LF."""
    normal = unicodedata.normalize("NFC", text)
    invalid = tuple(f"U+{ord(char):04X}" for char in sorted(_INVALID.intersection(normal)))
    if len(normal) > LONGEST:
        return PostWeight(weight=len(normal), limit=limit, invalid=invalid)
    return PostWeight(weight=sum(weight for _, weight in _weights(normal)), limit=limit, invalid=invalid)


def fitting(text: str, limit: int = LIMIT) -> int:
    """The code point offset (in NFC) up to which a post fits: where a preview draws its mark."""
    normal = unicodedata.normalize("NFC", text)[:LONGEST]
    used = fits = 0
    for end, weight in _weights(normal):
        used += weight
        if used > limit:
            break
        fits = end
    return fits


def thread(text: str, limit: int = LIMIT) -> tuple[str, ...]:
    """The text as posts that each fit, cut between paragraphs, else sentences, else words, else graphemes.

    Nothing is lost or added but the white space at a cut. A text that fits is one post.
    """
    clean = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    if not clean:
        return ()
    return tuple(_packed(clean, list(_CUTS), limit))


_CUTS = (r"\s*\n\s*\n\s*", r"(?<=[.!?…])\s+|(?<=[。！？])\s*", r"\s+", r"(?V1)(?<=\X)(?=\X)")
"""From the best place to cut to the last resort."""


def _packed(text: str, cuts: list[str], limit: int) -> Iterator[str]:
    """Fill posts greedily with pieces of one kind of cut; a piece too long alone is cut finer."""
    if weigh(text, limit).weight <= limit or not cuts:
        yield text
        return
    begin = end = 0
    for start, stop in _spans(text, cuts[0]):
        if weigh(text[begin:stop], limit).weight <= limit:
            end = stop
            continue
        if end > begin:
            yield text[begin:end]
        begin = start
        end = stop
        if weigh(text[start:stop], limit).weight > limit:
            *whole, last = _packed(text[start:stop], cuts[1:], limit)
            yield from whole
            begin, end = stop - len(last), stop
    if end > begin:
        yield text[begin:end]


def _spans(text: str, cut: str) -> Iterator[tuple[int, int]]:
    """Start and end of each piece between two cuts, empty ones left out."""
    start = 0
    for found in regex.finditer(cut, text):
        if found.start() > start:
            yield start, found.start()
        start = found.end()
    if start < len(text):
        yield start, len(text)


def _weights(text: str) -> Iterator[tuple[int, int]]:
    """End offset and weight of each unit: a link, an emoji sequence, a code point."""
    spans = {found.start(): found.end() for found in _emoji().finditer(text)}
    weights = dict.fromkeys(spans, 2)
    for link in links.find(text):
        spans[link.start], weights[link.start] = link.end, LINK_WEIGHT
    at = 0
    while at < len(text):
        end = spans.get(at, at + 1)
        yield end, weights[at] if at in spans else 1 if _LIGHT.match(text, at) else 2
        at = end


@cache
def _emoji() -> re.Pattern[str]:
    """One pattern for every emoji that is a sequence; longest kinds first."""
    lists = _sequences()
    sequences = sorted((_joined_pattern(word) for word in lists["joined"]), key=len, reverse=True)
    tags = ("".join(chr(0xE0000 + ord(char)) for char in word) for word in lists["tagged"])
    pairs = ("".join(chr(0x1F1E6 + ord(char) - ord("A")) for char in word) for word in lists["flags"])
    pictured = "".join(chr(int(code, 16)) for code in lists["pictured"])
    kinds = (
        *sequences,
        f"\U0001f3f4(?:{'|'.join(tags)})\U000e007f",
        "|".join(pairs),
        f"[#*0-9]{_PICTURE}?\u20e3",
        f"[{_having(_TAKES_SKIN)}]{_SKIN}",
        f"[©®{pictured}{_having(_PLAIN_BY_DEFAULT)}]{_PICTURE}",
    )
    return re.compile("|".join(kinds))


def _joined_pattern(word: str) -> str:
    """Elements held by a joiner; where an element takes a skin tone, the tone stands in place of U+FE0F."""
    return _JOINER.join(map(_element_pattern, word.split("+")))


def _element_pattern(element: str) -> str:
    base, *picture = (chr(int(code, 16)) for code in element.split("-"))
    if not regex.match(_TAKES_SKIN, base):
        return base + "".join(picture)
    return f"{base}(?:{_PICTURE}|{_SKIN})" if picture else f"{base}{_SKIN}?"


def _having(properties: str) -> str:
    """Every character of some Unicode properties, for a pattern that knows none; Latin-1 left out."""
    return "".join(regex.findall(properties, "".join(map(chr, range(0x203C, 0x1FB00)))))


def _sequences() -> dict[str, list[str]]:
    """The lists of `emoji.txt` by name."""
    lists: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("emoji.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("["):
            words = lists.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            words.extend(line.split())
    return lists
