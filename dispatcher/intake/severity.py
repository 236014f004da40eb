"""From the words of tools to our severities. In doubt the higher one: lowering it later costs a click, not trust."""

import re
from collections.abc import Iterable, Mapping

from dispatcher.model.kinds import Severity

_WORDS: Mapping[Severity, str] = {
    Severity.CRITICAL: "sev0 sev1 p0 p1 s1 1 critical crit fatal emergency disaster extreme blocker page",
    Severity.MAJOR: "sev2 p2 s2 2 high error err major severe significant",
    Severity.MINOR: (
        "sev3 sev4 sev5 p3 p4 p5 s3 s4 3 4 5 warning warn minor moderate medium low info informational information"
        " notice none debug planning maintenance cosmetic"
    ),
}
USUAL: Mapping[str, Severity] = {word: severity for severity, words in _WORDS.items() for word in words.split()}
"""What most people mean. A source's own words stand over these. No word of a tool means danger to life by itself."""


def normal(word: str) -> str:
    """`SEV-1`, `sev 1` and `1 - Critical` as the keys of the map have them."""
    plain = re.sub(r"[\s_.:-]+", "", word.lower())
    numbered = re.fullmatch(r"([0-9])[a-z]+", plain)
    return numbered[1] if numbered else plain


def read(word: str, own: Mapping[str, Severity], unknown: Severity) -> Severity:
    """Our severity for a tool's word; one that nobody knows, or none at all, is `unknown`."""
    key = normal(word)
    mine = {normal(name): severity for name, severity in own.items()}
    return mine.get(key) or USUAL.get(key) or unknown


def worst(words: Iterable[str]) -> str:
    """The word of the highest severity; one that nobody knows counts as the highest."""
    said = [word for word in words if word]
    return min(said, key=lambda word: USUAL.get(normal(word), Severity.LIFE_SAFETY).rank, default="")
