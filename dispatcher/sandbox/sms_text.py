"""How many segments a text message takes, counted as Twilio's published calculator does.

The GSM 03.38 alphabet if every character is in it (those of its extension count twice), 160 in one segment or 153 in
each of several; else UTF-16 code units, 70 or 67. Neither an escaped character nor a grapheme is ever torn apart.
"""

import regex

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_GRAPHEME = regex.compile(r"\r|\n|\X")


def segments(body: str) -> int:
    """The number of segments; an empty text is one."""
    if all(char in _BASIC or char in _EXTENDED for char in body):
        return _fill([2 if char in _EXTENDED else 1 for char in body], 160, 153)
    return _fill([len(found.encode("utf-16-le")) // 2 for found in _GRAPHEME.findall(body)], 70, 67)


def _fill(units: list[int], single: int, part: int) -> int:
    if sum(units) <= single:
        return 1
    count, room = 1, part
    for unit in units:
        if unit > room:
            count, room = count + 1, part
        room -= unit
    return count
