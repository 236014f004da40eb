"""What a draft leaves behind: braces, blanks to fill, marks of a drill, mixed languages."""

import re
from collections.abc import Iterable

from dispatcher.compose import marks
from dispatcher.compose.lint.passages import Passage, plain_line
from dispatcher.compose.lint.phrases import pattern
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule
from dispatcher.model.fact import spoken
from dispatcher.model.kinds import FactState, Mode, Purpose
from dispatcher.model.template import Profile

_LEFT = re.compile(
    r"\{\{|\}\}|\{%|%\}|\$\{\w*|%\([a-z_]+\)s"
    r"|\[[A-Z][A-Z0-9 _/-]{2,}\]|\[(?:insert|your|name|date|time|link|x|nom|heure|lien|votre|à|to be)\b[^\]]*\]"
    r"|(?<=\S )_{3,}(?!\w)|(?<!\w)(?:DD/MM|MM/DD|JJ/MM)(?:/\w+)?(?!\w)|\?{3,}"
    r"|(?<!\w)\*[a-z_]+\*(?!\w)|<(?:insert|name|date|time|link)\b[^>]*>"
    r"|(?<!\w)(?:TODO|TBC|TBD|FIXME|X{3,}|lorem ipsum|à compléter)(?!\w)",
    re.IGNORECASE,
)
_CODED = re.compile(r"\b\S*\d\S*\b|\b[B-DF-HJ-NP-TV-XZ2-9]{7}\b")
"""Figures, times, and the code of a message."""
_CALENDAR = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|may|june|july|august|september"
    r"|october|november|december|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|janvier|février|mars|avril|mai"
    r"|juin|juillet|août|septembre|octobre|novembre|décembre|utc|gmt|bst|cet|cest)\b",
    re.IGNORECASE,
)
_PLAIN_WORDS = re.compile(r"\[(?:x)\]", re.IGNORECASE)
_TAG = re.compile(r"Q[0-9a-z]{8,32}\d\d[tms]Q")


@rule(
    "L01", Weight.BLOCK, "Something is left to fill in.",
    why="A blank that goes out tells everybody that nobody read it.",
    mend="Fill the blank or take it out.",
)  # fmt: skip
@each
def blanks(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Braces, bracketed names, TODO and its like, slot tags that nothing fills. The mark of a drill is no blank."""
    mark = f"[{marks.word(passage.language)}]"
    for number, line in enumerate(passage.lines, start=1):
        for found in (*_LEFT.finditer(line), *_TAG.finditer(line)):
            if found[0] != mark and not _PLAIN_WORDS.fullmatch(found[0]):
                yield Hit(passage, number, found[0])


@rule(
    "L40", Weight.BLOCK, "The message can be taken for another one.",
    why="Hawaii, 2018: a drill went out as a real alert. The same words twice look as if nobody were at work.",
    mend="Let the mode of the broadcast put the mark on; write none yourself.",
    source="PagerDuty, stakeholder communications; FCC, DOC-350119",
)  # fmt: skip
def mistaken(case: Case) -> Iterable[Hit]:
    """A drill for the real thing or the other way round; an update for the last one; a correction for a first word."""
    if case.template.purpose is Purpose.DRILL and case.brief.mode is Mode.LIVE:
        yield Hit(None, 0, case.template.id, f"{case.template.title} is for drills only.")
    for passage in case.passages:
        yield from _drill_mark(passage, case)
    yield from _same_again(case)
    yield from _nameless_correction(case)


def _same_again(case: Case) -> Iterable[Hit]:
    """No sentence is new to these readers, but for times and codes."""
    if case.template.profile not in (Profile.UPDATE, Profile.CORRECTION):
        return
    before = {(str(one.channel), one.locale, one.variant): one.text for one in case.brief.previous}
    for passage in case.passages:
        old = before.get((passage.target, passage.locale, passage.variant))
        if old is not None and passage.part in ("text", "post.1"):
            known = set(map(_but_for_times, _cut(old)))
            if all(_but_for_times(piece) in known for piece in _cut(passage.text)):
                what = f"{passage.target} ({passage.locale}) says the same as the last update."
                yield Hit(
                    passage, 0, "", what, mend="Add one new sentence that is of use: what has changed or was tried."
                )


def _cut(text: str) -> list[str]:
    return [piece for piece in re.split(r"(?<=[.!?])\s+|\n", text) if piece.strip()]


def _but_for_times(sentence: str) -> str:
    """Its words without figures, days and codes."""
    return " ".join(re.findall(r"[^\W\d_]+", _CALENDAR.sub(" ", _CODED.sub(" ", plain_line(sentence))).lower()))


def _nameless_correction(case: Case) -> Iterable[Hit]:
    """A correction says in each message which one it takes back."""
    names = [name.lower() for name in case.brief.corrects]
    for passage in case.of("email", "sms", "letter", "page") if names else ():
        if passage.part != "subject" and not any(name in passage.text.lower() for name in names):
            what = f"{passage.target} does not name the message that it corrects."
            mend = f"Name its code {case.brief.corrects[0]}, for example in the fact original."
            yield Hit(passage, 0, "", what, Weight.WARN, mend)


def _drill_mark(passage: Passage, case: Case) -> Iterable[Hit]:
    start = " ".join(passage.lines)[:80].lstrip("[ ")
    word = marks.word(passage.language)
    if case.brief.mode is Mode.DRILL and not start.startswith(word):
        yield Hit(passage, 1, start[:40], f"A drill must begin with {word}.")
    if case.brief.mode is Mode.LIVE and (said := _opening(start, word, passage)):
        yield Hit(passage, 1, said, f"A live message may not begin with {said}.")


def _opening(start: str, word: str, passage: Passage) -> str:
    """The mark of a drill, or words of our own that say the same; empty where it begins with neither."""
    drill = pattern("drill", passage.language)
    found = drill.match(start) if drill else None
    return word if start.startswith(word) else found[0] if found else ""


@rule(
    "L41", Weight.WARN, "This language has no text of its own.",
    why="People who asked for one language get another.",
    mend="Write the missing part, or send to these people in the language they get.",
)  # fmt: skip
def fallbacks(case: Case) -> Iterable[Hit]:
    """Each channel that a locale gets in another language."""
    for target, asked, given in case.composed.fallbacks:
        about = next((p for p in case.passages if p.target == target and p.locale == asked), None)
        yield Hit(about, 0, given, f"{target} has no part in {asked}: its readers get {given}.")


@rule(
    "L42", Weight.WARN, "A fact is not translated.",
    why="One sentence in another language makes the whole message look forged.",
    mend="Give the fact in that language: --fact NAME@LOCALE=...",
)  # fmt: skip
def untranslated(case: Case) -> Iterable[Hit]:
    """Facts in words, printed in a language in which nobody has said them."""
    own = case.brief.organisation.locale.split("-")[0]
    for passage in {p.locale: p for p in reversed(case.passages)}.values():
        if passage.language == own:
            continue
        for spec in case.template.facts:
            fact = spoken(case.brief.facts, spec.name, passage.locale)
            if fact and fact.locale is None and fact.has_words:
                yield Hit(passage, 0, spec.name, f"The fact {spec.name} is not given in {passage.locale}.")
    yield from _words_of_ours(case, own)


def _words_of_ours(case: Case, own: str) -> Iterable[Hit]:
    """What the organisation itself says in every message, once for each language in which it does not."""
    org = case.brief.organisation
    for name in ("never_ask", "contact_hours", "signatory_role"):
        texts = getattr(org, name)
        told = {locale.split("-")[0] for locale in texts}
        said = texts.get(org.locale, "\0")
        for passage in {p.language: p for p in reversed(case.passages) if said in p.text}.values():
            if passage.language != own and passage.language not in told:
                what = f"organisation.{name} is not given in {passage.language}."
                mend = f"Say it in the settings: [organisation.{name.replace('never_ask', 'never_ask_in')}]"
                yield Hit(passage, 0, name, what, mend=mend)


@rule(
    "L43", Weight.WARN, "The message states what we only believe.",
    why="Jaguar Land Rover, 2025: \"no evidence\" of stolen data was withdrawn after five days.",
    mend="Confirm the fact, say that it is not certain, or leave it out.",
)  # fmt: skip
def believed(case: Case) -> Iterable[Hit]:
    """Facts that are believed. Where the template wants them confirmed, this blocks."""
    for spec in case.template.facts:
        states = {fact.state for (name, _), fact in case.brief.facts.items() if name == spec.name}
        if FactState.BELIEVED in states:
            weight = Weight.BLOCK if spec.confirmed else Weight.WARN
            yield Hit(None, 0, spec.name, f"The fact {spec.name} is believed, not confirmed.", weight)
