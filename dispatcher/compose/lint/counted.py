"""What texts count and since when: 6 shops are shut, 214 customers, since 4 March. Channels must not differ in it.

Only what can be told apart from other counts is compared: the same thing of which the same is said, and the day on
which it began; and only where two texts have none in common, for one may tell more than the other.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from dispatcher.compose.lint.numerals import days, in_figures
from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.lint.phrases import pattern

Key = tuple[str, str]
"""What is counted and what is said of it."""
_SAME = {"store": "shop", "branche": "shop", "branch": "shop", "colleague": "employee", "boutique": "magasin"}
_NUMBER = r"\d+(?:[., \u202f]\d{3})*"
_NEAR = 45
"""Characters after "since" in which its day stands."""


def differences(passages: Sequence[Passage]) -> Iterator[tuple[Passage, Passage, str, str]]:
    """(one, other, what one says, what the other says), once for each thing they differ in."""
    groups: dict[tuple[str, str], list[Passage]] = defaultdict(list)
    for passage in passages:
        if not (passage.target == "email" and passage.is_html):
            groups[passage.language, passage.variant].append(passage)
    for group in groups.values():
        yield from _among(group)


def _among(group: Sequence[Passage]) -> Iterator[tuple[Passage, Passage, str, str]]:
    first: dict[Key, tuple[Passage, dict[str, str]]] = {}
    for passage in group:
        for key, told in _claims(passage).items():
            earlier, before = first.setdefault(key, (passage, told))
            if earlier.target != passage.target and not before.keys() & told.keys():
                yield earlier, passage, "; ".join(before.values()), "; ".join(told.values())


def _claims(passage: Passage) -> dict[Key, dict[str, str]]:
    """By what is claimed: each number or day, with the words that tell it."""
    found: dict[Key, dict[str, str]] = defaultdict(dict)
    for sentence in passage.sentences:
        for key, told, words in (*_counts(sentence.text, passage.language), *_began(sentence.text, passage.language)):
            found[key][told] = words
    return found


def _counts(sentence: str, language: str) -> Iterator[tuple[Key, str, str]]:
    things, links = pattern("counted_thing", language), pattern("says_of", language)
    if things is None or links is None:
        return
    counted = re.compile(
        rf"(?P<number>{_NUMBER}) (?:of |de )?(?:\w+ )?(?P<thing>{things.pattern}) {links.pattern} (?P<said>\w+)",
        re.IGNORECASE,
    )
    for found in counted.finditer(in_figures(sentence, language)):
        stem = re.sub(r"(?:s|x)$", "", found["thing"].lower())
        yield (_SAME.get(stem, stem), found["said"].lower()), re.sub(r"\D", "", found["number"]), found[0]


def _began(sentence: str, language: str) -> Iterator[tuple[Key, str, str]]:
    since = pattern("since", language)
    for found in since.finditer(sentence) if since else ():
        near = sentence[found.end() : found.end() + _NEAR]
        for day in list(days(near, language))[:1]:
            yield ("since", ""), day, f"{found[0]}{near}".rstrip(" .")
