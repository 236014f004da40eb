"""One truth: the parts, channels and languages of a broadcast say the same, and say what the fact sheet says."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from dispatcher.compose.lint import counted
from dispatcher.compose.lint.numerals import differences
from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.lint.phrases import Unless, hits, negated, pattern, says, sentences
from dispatcher.compose.lint.rules import Case, Hit, Weight, rule
from dispatcher.model.fact import FactKind, Place, ServiceState
from dispatcher.model.kinds import FactState
from dispatcher.model.template import Profile


@rule(
    "L28", Weight.BLOCK, "Two texts of this broadcast do not say the same.",
    why="People compare. One number or name that differs makes both texts doubtful.",
    mend="Print the fact in both, instead of writing it out.",
    source="NCSC, effective communications in a cyber incident",
)  # fmt: skip
def contradictions(case: Case) -> Iterable[Hit]:
    """Mail with and without HTML; each text against its translation and the fact sheet; glitch against cyber attack."""
    for one, other in (*_mail_pairs(case), *_translations(case)):
        missing = differences(one, other)
        if missing:
            where = f"{other.part} in {other.locale}" if one.locale != other.locale else other.part
            told = ", ".join(sorted(missing))
            yield Hit(one, 0, told, f"{one.target}: {one.part} and {where} differ in {told}.")
    yield from _counted(case)
    yield from _terms(case)
    yield from _data_claims(case)
    yield from _service_claims(case)


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


def _counted(case: Case) -> Iterable[Hit]:
    """Channels that count the same thing differently, or tell different days of its start; a person may know why."""
    for one, other, said, told in counted.differences(case.passages):
        yield Hit(other, 0, told, f"{one.target} says {said}; {other.target} says {told}.", Weight.WARN)


def _terms(case: Case) -> Iterable[Hit]:
    glitches = [(p, h) for p in case.passages for h in hits(p, "glitch", negated)]
    attacked = next((p for p in case.passages if next(iter(hits(p, "cyber", negated)), None)), None)
    if glitches and attacked:
        passage, hit = glitches[0]
        what = f"{passage.target} speaks of a {hit.words}, {attacked.target} of a cyber incident."
        yield Hit(passage, hit.line, hit.words, what)


def _data_claims(case: Case) -> Iterable[Hit]:
    """A sentence that says of a kind of data what the matrix does not say."""
    rows = [row for matrix in case.said(FactKind.MATRIX) for row in matrix]
    for row in rows:
        name = f"data_{row['data']}"
        surely_not = row["place"] == Place.NOT_TAKEN and row["state"] == FactState.CONFIRMED
        for passage in case.passages:
            for sentence, _ in sentences(passage, name):
                claim = _claims_taken(sentence.text, passage.language)
                too_much = claim is True and row["place"] != Place.TAKEN
                if too_much or (claim is False and not surely_not):
                    told = "taken" if claim else "not taken"
                    place = str(row["place"]).replace("_", " ")
                    what = (
                        f"{passage.target} says {told} of {row['data']}; the fact sheet says {place}, {row['state']}."
                    )
                    yield Hit(passage, sentence.line, sentence.text[:60], what)


def _claims_taken(sentence: str, language: str) -> bool | None:
    """True: something was taken, it says. False: it was not. None: it leaves that open, or speaks of neither."""
    wanted = pattern("taken_claim", language)
    found = wanted.search(sentence) if wanted else None
    if found is None or says(sentence, "open_question", language):
        return None
    return not (negated(sentence, found, language) or says(found[0], "negation", language))


def _service_claims(case: Case) -> Iterable[Hit]:
    """A sentence that calls a service back that is down, or down that works. Services with two states by region are
    left to the reader."""
    rows = [row for services in case.said(FactKind.SERVICES) for row in services]
    states: dict[str, set[Any]] = {}
    for row in rows:
        states.setdefault(str(row["name"]).lower(), set()).add(row["state"])
    for name, found in states.items():
        wrong = {ServiceState.DOWN: "works_claim", ServiceState.OPERATIONAL: "down_claim"}.get(next(iter(found)))
        if len(found) == 1 and wrong:
            for passage in case.passages:
                for hit in hits(passage, wrong, negated, _other_service(name), _not_now):
                    what = f"{passage.target} says {hit.words!r} of {name}; the fact sheet says {next(iter(found))}."
                    yield Hit(passage, hit.line, hit.words, what)


def _other_service(name: str) -> Unless:
    """The words shortly before the claim are not this service's name."""
    return lambda sentence, found, _language: not sentence[: found.start()].lower().rstrip().endswith(name)


def _not_now(sentence: str, _found: re.Match[str], language: str) -> bool:
    """The sentence tells of another time, or of what is hoped for."""
    return says(sentence, "aim", language) or says(sentence, "another_time", language)


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
