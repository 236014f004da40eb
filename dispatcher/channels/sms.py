"""The rules of a text message: which alphabet it needs, how many parts it is billed and sent as, where they break.

Sources: 3GPP TS 23.038 (GSM 7 bit default alphabet and extension table), TS 23.040 (concatenation header: six octets
of each part), and Twilio's segment rule of 2026: a grapheme or an escape pair never straddles two parts.
"""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import regex

BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each. Not among them, though often taken for granted: ç, á, í, ó, ú, the backtick and the tab."""

EXTENSION = frozenset("\f^{}\\[~]|€")
"""Two septets each: escape and the character."""

LONGEST = 1600
"""Characters of one message that Twilio takes (code points); over it the call is refused."""

_ESCAPE = "\x1b"
_ESCAPED = str.maketrans({char: _ESCAPE + char for char in EXTENSION})
_WITHOUT_GSM = str.maketrans(dict.fromkeys(BASIC | EXTENSION))
_GRAPHEME = regex.compile(r"\r|\n|\X")
_CONJUNCT = regex.compile(r"(?V1)(?<=[\p{InCB=Linker}\p{InCB=Extend}])(?=\p{InCB=Consonant})")


class Encoding(StrEnum):
    """What a message is carried in. One character outside GSM-7 turns the whole message into UCS-2."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"

    @property
    def single(self) -> int:
        """Units of a message in one part: septets, or UTF-16 code units."""
        return 160 if self is Encoding.GSM7 else 70

    @property
    def part(self) -> int:
        """Units of each part of a longer message, the rest being its header."""
        return 153 if self is Encoding.GSM7 else 67


@dataclass(frozen=True, slots=True)
class Offender:
    """A character that forces UCS-2: its Unicode name, how often it stands there and where first (code points)."""

    char: str
    name: str
    count: int
    first: int


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """`units` are septets or UTF-16 code units; `splits` the code point offsets at which parts 2, 3, ... begin.

    `left` is what the last part still takes before one more is needed.
    """

    encoding: Encoding
    characters: int
    units: int
    segments: int
    offenders: tuple[Offender, ...]
    splits: tuple[int, ...]
    left: int

    @property
    def fits(self) -> bool:
        """Short enough to be taken at all."""
        return self.characters <= LONGEST


def is_gsm7(text: str) -> bool:
    """Whether every character is in the default alphabet or its extension."""
    return not text.translate(_WITHOUT_GSM)


def count(text: str) -> SegmentCount:
    """Encoding, units, parts, who is to blame and where the parts break. An empty text is one part."""
    encoding = Encoding.GSM7 if is_gsm7(text) else Encoding.UCS2
    units, splits = _gsm7(text) if encoding is Encoding.GSM7 else _ucs2(text)
    room = encoding.part if splits else encoding.single
    last = _units(text[splits[-1] :] if splits else text, encoding)
    return SegmentCount(
        encoding=encoding,
        characters=len(text),
        units=units,
        segments=len(splits) + 1,
        offenders=offenders(text) if encoding is Encoding.UCS2 else (),
        splits=splits,
        left=room - last,
    )


def segments(text: str) -> int:
    """The number of parts alone: the quick way through an audience."""
    if len(text) <= 160 and is_gsm7(text) and len(text.translate(_ESCAPED)) <= 160:
        return 1
    return count(text).segments


def parts(text: str, counted: SegmentCount) -> tuple[str, ...]:
    """The text as each part carries it, for previews."""
    edges = (0, *counted.splits, len(text))
    return tuple(text[start:end] for start, end in pairwise(edges))


def offenders(text: str) -> tuple[Offender, ...]:
    """Every character that keeps the text out of GSM-7, in order of appearance."""
    tally = Counter(text.translate(_WITHOUT_GSM))
    return tuple(
        Offender(char=char, name=character_name(char), count=times, first=text.index(char))
        for char, times in tally.items()
    )


def character_name(char: str) -> str:
    """The Unicode name and code point, so that an invisible character can be found in the source."""
    return f"{unicodedata.name(char, 'unnamed character').lower()} (U+{ord(char):04X})"


def _gsm7(text: str) -> tuple[int, tuple[int, ...]]:
    """Septets and breaks. A part that would end in an escape ends one septet early."""
    septets = text.translate(_ESCAPED)
    total = len(septets)
    if total <= Encoding.GSM7.single:
        return total, ()
    splits, at, read = [], 0, 0
    while total - at > Encoding.GSM7.part:
        end = at + Encoding.GSM7.part
        end -= septets[end - 1] == _ESCAPE
        read += end - at - septets.count(_ESCAPE, at, end)
        splits.append(read)
        at = end
    return total, tuple(splits)


def _ucs2(text: str) -> tuple[int, tuple[int, ...]]:
    """UTF-16 code units and breaks, filled greedily by whole graphemes."""
    total = _utf16(text)
    if total <= Encoding.UCS2.single:
        return total, ()
    splits: list[int] = []
    used = read = 0
    for piece in _pieces(text):
        size = _utf16(piece)
        if used + size > Encoding.UCS2.part:
            splits.append(read)
            used = 0
        used += size
        read += len(piece)
    return total, tuple(splits)


def _pieces(text: str) -> Iterable[str]:
    """What stays together: graphemes as Twilio knows them, which may part an Indic conjunct between its letters.

    One that is longer than a whole part (stacked marks) can only be cut between its code points.
    """
    for found in _GRAPHEME.finditer(text):
        for piece in _CONJUNCT.split(found[0]) if len(found[0]) > 2 else (found[0],):
            yield from piece if _utf16(piece) > Encoding.UCS2.part else (piece,)


def _units(text: str, encoding: Encoding) -> int:
    return len(text.translate(_ESCAPED)) if encoding is Encoding.GSM7 else _utf16(text)


def _utf16(text: str) -> int:
    return len(text) + sum(char > "\uffff" for char in text)


_PLAINER: Mapping[str, str] = {
    **dict.fromkeys("‘’‚‛′`´ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−", "-"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\t", " "),
    **dict.fromkeys("\u2028\u2029", "\n"),
    **dict.fromkeys("\u00ad\u200b\ufeff", ""),
    **dict.fromkeys("•‣◦·", "-"),
    "…": "...",
    "ﬁ": "fi",
    "ﬂ": "fl",
    "№": "No",
    "™": "(TM)",
    "®": "(R)",
    "©": "(c)",
    "×": "x",
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
}
"""Typography whose plain form says the same. Letters are not here: an accent may be part of a name or a meaning."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One replacement that would keep the text in GSM-7; `safe` says that nothing but typography changes."""

    char: str
    name: str
    replacement: str
    count: int
    safe: bool


def proposals(text: str) -> tuple[Proposal, ...]:
    """What an author may replace to stay in GSM-7. Offered only: nothing is ever rewritten unasked.

    Characters without any plain form (emoji, other scripts) have no proposal, and keep the text in UCS-2.
    """
    offered = ((found, _plainer(found.char)) for found in offenders(text))
    return tuple(
        Proposal(found.char, found.name, plain, found.count, safe=found.char in _PLAINER)
        for found, plain in offered
        if plain is not None
    )


def rewritten(text: str, accepted: Iterable[Proposal]) -> str:
    """The text with the proposals that a person accepted."""
    table = {ord(proposal.char): proposal.replacement for proposal in accepted}
    return text.translate(table)


def _plainer(char: str) -> str | None:
    """The plain form: from the table, else the letter without its accents if that is in the alphabet."""
    if char in _PLAINER:
        return _PLAINER[char]
    bare = "".join(mark for mark in unicodedata.normalize("NFKD", char) if not unicodedata.combining(mark))
    return bare if bare and bare != char and is_gsm7(bare) else None
