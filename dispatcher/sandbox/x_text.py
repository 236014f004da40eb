"""How long X takes a post to be, by its published configuration (version 3), kept to what a judge needs.

A URL with a scheme counts 23, an emoji sequence 2, the ranges below 1 for each character, everything else 2.
Links without a scheme are not looked for here: the count is then too low, never too high.
"""

import unicodedata

import regex

LIMIT = 280

_URL = regex.compile(r"https?://[^\s]+", regex.IGNORECASE)
_GRAPHEME = regex.compile(r"\X")
_EMOJI = regex.compile(
    r"\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|\p{Regional_Indicator}|[0-9#*]\uFE0F?\u20E3"
)
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_FORBIDDEN = frozenset("\ufffe\ufeff\uffff")


def weighted_length(text: str) -> int:
    """The weighted length of a post."""
    plain, links = _URL.subn("", unicodedata.normalize("NFC", text))
    return int(links) * 23 + sum(_weight(found) for found in _GRAPHEME.findall(plain))


def valid(text: str) -> bool:
    """Whether X takes a post of this text, as far as its length and characters go."""
    return bool(text.strip()) and not _FORBIDDEN & set(text) and weighted_length(text) <= LIMIT


def _weight(grapheme: str) -> int:
    if _EMOJI.search(grapheme):
        return 2
    return sum(1 if any(low <= ord(char) <= high for low, high in _LIGHT) else 2 for char in grapheme)
