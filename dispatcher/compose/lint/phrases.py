"""How rules look for words: by language, with an eye for negation and for words put into somebody else's mouth.

The words stand in `words_<language>.toml`. A language without a file is looked at by the rules that need no words.
"""

import re
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

from dispatcher.compose.lint.passages import Passage, Sentence
from dispatcher.compose.lint.rules import Hit

Unless = Callable[[str, re.Match[str], str], bool]
"""Whether a match in a sentence of a language is let pass."""

_REFERENCE = re.compile("<<([a-z_]+)>>")
_CLAUSE_END = re.compile(r"[;:]|, but |, mais ")
_REACH = 45
"""Characters before a match in which a "not" still governs it."""


@cache
def _lists(language: str) -> dict[str, str]:
    path = Path(__file__).with_name(f"words_{language}.toml")
    if not path.is_file():
        return {}
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    joined = {name: "|".join(filter(None, map(str.strip, text.splitlines()))) for name, text in raw.items()}
    return {name: _REFERENCE.sub(lambda found: f"(?:{joined[found[1]]})", text) for name, text in joined.items()}


@cache
def pattern(name: str, language: str) -> re.Pattern[str] | None:
    """The words of that name as one pattern; None in a language without them."""
    text = _lists(language).get(name)
    return re.compile(rf"(?<!\w)(?:{text})(?!\w)", re.IGNORECASE) if text else None


def languages() -> list[str]:
    """Every language that has words."""
    return sorted(path.stem.removeprefix("words_") for path in Path(__file__).parent.glob("words_*.toml"))


def says(text: str, name: str, language: str) -> bool:
    """Whether one of the words of that name is in the text."""
    found = pattern(name, language)
    return bool(found and found.search(text))


def sentences(passage: Passage, name: str) -> Iterator[tuple[Sentence, re.Match[str]]]:
    """Every match, with the sentence it stands in."""
    wanted = pattern(name, passage.language)
    if wanted:
        for sentence in passage.sentences:
            for found in wanted.finditer(sentence.text):
                yield sentence, found


def hits(passage: Passage, name: str, *unless: Unless) -> Iterator[Hit]:
    """A hit for every match that none of the exceptions lets pass."""
    for sentence, found in sentences(passage, name):
        if not any(lets_pass(sentence.text, found, passage.language) for lets_pass in unless):
            yield Hit(passage, sentence.line, found[0])


def negated(sentence: str, found: re.Match[str], language: str) -> bool:
    """A "not" or "never" stands shortly before the match, in the same clause."""
    clause = _CLAUSE_END.split(sentence[: found.start()])[-1]
    return says(clause[-_REACH:], "negation", language)


def of_swindlers(sentence: str, _found: re.Match[str], language: str) -> bool:
    """The sentence tells what swindlers do or say."""
    return says(sentence, "swindlers", language)


def within_clause(name: str) -> Unless:
    """Words of that name stand before the match, in its clause: after a colon somebody else may speak."""
    return lambda sentence, found, language: says(_CLAUSE_END.split(sentence[: found.start()])[-1], name, language)


def after(name: str) -> Unless:
    """Words of that name stand before the match."""
    return lambda sentence, found, language: says(sentence[: found.start()], name, language)
