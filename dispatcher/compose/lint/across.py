"""Whether two messages about one incident tell people the opposite: to do nothing, and to do something."""

from collections.abc import Iterator
from dataclasses import dataclass

from dispatcher.compose.lint.passages import Passage, read
from dispatcher.compose.lint.phrases import sentences
from dispatcher.compose.lint.safety import asked, repeats
from dispatcher.compose.rendering import Composed


@dataclass(frozen=True, slots=True)
class Told:
    """What one broadcast says, and the wrong words that it repeats in order to take them back."""

    said: Composed
    wrong: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """Words of ours and theirs that contradict each other, and where ours stand."""

    place: Passage
    line: int
    ours: str
    theirs: str


Words = tuple[Passage, int, str]


def clashes(mine: Told, theirs: Told) -> Iterator[Clash]:
    """At most one for each language and way round: a reader sees both messages, whatever the channel."""
    for language in dict.fromkeys(one.language for one in _texts(mine)):
        calm, ask = _calm(mine, language), _asking(mine, language)
        calmed, asked_for = _calm(theirs, language), _asking(theirs, language)
        for ours, opposite in ((calm, asked_for), (ask, calmed)):
            if ours and opposite:
                yield Clash(*ours, opposite[2])


def _texts(told: Told) -> list[Passage]:
    """Every text once: the HTML of a mail says what its text says."""
    return [one for one in read(told.said) if one.target != "email" or not one.is_html]


def _calm(told: Told, language: str) -> Words | None:
    found = (
        (passage, sentence.line, match[0])
        for passage in _texts(told)
        if passage.language == language
        for sentence, match in sentences(passage, "no_action")
        if not repeats(sentence.text, told.wrong)
    )
    return next(found, None)


def _asking(told: Told, language: str) -> Words | None:
    found = ((passage, *words) for passage in _texts(told) if passage.language == language for words in asked(passage))
    return next(found, None)
