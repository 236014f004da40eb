"""One truth: the parts, channels and languages of a broadcast say the same, and say what the fact sheet says."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.lint.phrases import hits, negated, says
from dispatcher.compose.lint.rules import Case, Hit, Weight, rule
from dispatcher.model.fact import FactKind, ServiceState
from dispatcher.model.template import Profile

_NUMBER = re.compile(r"(?<![\w#])\d+(?:[ \u202f\u00a0,.]\d{3})*(?:[:.,]\d+)?(?!\w)|\d{1,2} h \d{2}")
_AWAY = re.compile(r"https?://\S+|\S+@\S+|\+?\d[\d -]{7,}\d|\bINC-\d+\b|^\s*\d+\.\s", re.MULTILINE)
_TIME_FR = re.compile(r"\b(\d{1,2}) h(?: (\d{2}))?\b")
_TIME_12 = re.compile(r"\b(\d{1,2})(?:[:.](\d{2}))? ?([ap])\.?m\b", re.IGNORECASE)


def numbers(passage: Passage) -> Counter[str]:
    """Every number that a reader would compare: counts, times, days; not addresses, telephones or list marks."""
    text = _TIME_FR.sub(lambda at: f"{int(at[1])}:{at[2] or '00'}", _AWAY.sub(" ", passage.text))
    text = _TIME_12.sub(lambda at: f"{int(at[1]) % 12 + 12 * (at[3] in 'pP')}:{at[2] or '00'}", text)
    bare = (re.sub(r"[ \u202f\u00a0,](?=\d{3})", "", found) for found in _NUMBER.findall(text))
    return Counter(number.lstrip("0") or "0" for number in bare)


@rule(
    "L28", Weight.BLOCK, "Two texts of this broadcast do not say the same.",
    why="People compare. One number or name that differs makes both texts doubtful.",
    mend="Print the fact in both, instead of writing it out.",
    source="NCSC, effective communications in a cyber incident",
)  # fmt: skip
def contradictions(case: Case) -> Iterable[Hit]:
    """Mail with and without HTML; each text against its translation; glitch against cyber attack."""
    for one, other in (*_mail_pairs(case), *_translations(case)):
        missing = numbers(one).keys() ^ numbers(other).keys()
        if missing:
            where = f"{other.part} in {other.locale}" if one.locale != other.locale else other.part
            told = ", ".join(sorted(missing))
            yield Hit(one, 0, told, f"{one.target}: {one.part} and {where} differ in {told}.")
    yield from _terms(case)


def _mail_pairs(case: Case) -> Iterator[tuple[Passage, Passage]]:
    parts = {(p.locale, p.variant, p.part): p for p in case.of("email")}
    for (locale, variant, part), passage in parts.items():
        if part == "html" and (locale, variant, "text") in parts:
            yield passage, parts[locale, variant, "text"]


def _translations(case: Case) -> Iterator[tuple[Passage, Passage]]:
    """Each text beside the same text in the first language of the broadcast."""
    first = case.brief.locales[0]
    originals = {(p.target, p.part, p.variant): p for p in case.passages if p.locale == first}
    for passage in case.passages:
        original = originals.get((passage.target, passage.part, passage.variant))
        if original and passage.locale != first and not passage.is_html:
            yield original, passage


def _terms(case: Case) -> Iterable[Hit]:
    glitches = [(p, h) for p in case.passages for h in hits(p, "glitch", negated)]
    attacked = next((p for p in case.passages if says(p.text, "cyber", p.language)), None)
    if glitches and attacked:
        passage, hit = glitches[0]
        what = f"{passage.target} speaks of a {hit.words}, {attacked.target} of a cyber incident."
        yield Hit(passage, hit.line, hit.words, what)


@rule(
    "L36", Weight.BLOCK, "The message says all is well while something is not.",
    why="Canva's page was green while its users were locked out: a false all-clear is worse than none.",
    mend="Correct the services, or say which are not back.",
)  # fmt: skip
def false_all_clear(case: Case) -> Iterable[Hit]:
    """ "Back to normal" while a listed service is not; an apology or a last word while one is not."""
    rows = [row for services in case.said(FactKind.SERVICES) for row in services]
    ailing = next((row["name"] for row in rows if row["state"] != ServiceState.OPERATIONAL), None)
    if ailing is None:
        return
    if case.template.profile in (Profile.APOLOGY, Profile.CLOSING):
        yield Hit(None, 0, ailing, f"{case.template.title} says it is over, but {ailing} is not working as it should.")
    for passage in case.passages:
        for hit in hits(passage, "all_well", negated):
            what = f"It says {hit.words!r}, but {ailing} is not working as it should."
            yield Hit(passage, hit.line, hit.words, what)


@rule(
    "L44", Weight.BLOCK, "The mail cannot be read by everybody.",
    why="Screen readers need the language, and words for pictures; text readers need a text part.",
    mend="Use the layout layout_mail.mjml; give each picture an alt text.",
    source="WCAG 2.2, 3.1.1 and 1.1.1",
)  # fmt: skip
def accessible(case: Case) -> Iterable[Hit]:
    """HTML names its language, pictures have words, and no picture stands alone for information."""
    for passage in case.passages:
        if not passage.is_html:
            continue
        if not passage.page_language or passage.page_language.split("-")[0] != passage.language:
            what = f"The HTML says lang={passage.page_language!r}, its words are {passage.language}."
            yield Hit(passage, 0, passage.page_language or "", what)
        for image in passage.images:
            if image.alt is None:
                yield Hit(passage, image.line, "<img>", "A picture has no alt text.")
