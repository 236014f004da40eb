"""How it sounds: calm, honest, sorry where that is due."""

import re
from collections.abc import Iterable

from dispatcher.compose import marks
from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.lint.phrases import hits, languages, negated, of_swindlers, says, within_clause
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule
from dispatcher.model.kinds import Mode, Severity
from dispatcher.model.template import Profile

_LOUD = re.compile(r"(?<![\w/.-])[A-ZÀ-Þ]{4,}(?:'[A-Z]+)?(?![\w/-]|\.[a-z])")
_ACRONYMS = frozenset(
    ("ACAS", "BACS", "CIFAS", "CNIL", "COVID", "GDPR", "HMRC", "HTTPS", "IBAN", "NCSC", "OFCOM", "RGPD", "SEPA", "STOP")
)  # fmt: skip
_SPACED = re.compile(r"(?<!\w)(?:[A-ZÀ-Þ] ){3,}[A-ZÀ-Þ](?!\w)")
_SHOUTED = re.compile(r"!{2,}|\?!|!\?")
_EMOJI = re.compile("[\U0001f000-\U0001faff\u2600-\u27bf]")


@rule(
    "L26", Weight.WARN, "The message shouts.",
    why="Capitals, double exclamation marks and emoji spread panic, and look like a forgery.",
    mend="Write it in sentences, in small letters.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
@each
def shouting(passage: Passage, case: Case) -> Iterable[Hit]:
    """Words in capitals that are no known acronym and no code; in severe incidents any emoji."""
    severe = case.brief.severity in (Severity.LIFE_SAFETY, Severity.CRITICAL)
    for number, line in enumerate(passage.lines, start=1):
        loud = [found[0] for found in _LOUD.finditer(line) if not _known(found[0], case, passage)]
        loud += [found[0] for found in (*_SPACED.finditer(line), *_SHOUTED.finditer(line))]
        loud += [found[0] for found in _EMOJI.finditer(line) if severe]
        yield from (Hit(passage, number, words) for words in loud)


def _known(word: str, case: Case, passage: Passage) -> bool:
    org = case.brief.organisation
    named = f"{org.name} {org.sms_name} {case.brief.code} {case.brief.incident_ref}".split()
    named += case.brief.corrects
    drill = case.brief.mode is Mode.DRILL and word == marks.word(passage.language)
    return word in _ACRONYMS or word in named or drill


@rule(
    "L27", Weight.WARN, "The message presses people.",
    why="Haste is the tool of swindlers; people must learn that we do not use it.",
    mend="Say what to do and by which date, without pressure.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
@each
def pressure(passage: Passage, case: Case) -> Iterable[Hit]:
    """Urgency and threats aimed at the reader; not what we do ourselves, and not where life is at stake."""
    if case.brief.severity is not Severity.LIFE_SAFETY:
        yield from hits(passage, "urgency", negated, of_swindlers, within_clause("we"))


@rule(
    "L32", Weight.WARN, "The apology lacks its strongest parts.",
    why="Owning the failure and offering repair weigh more than any word of regret.",
    mend="Say that you are responsible, and what you do to put it right.",
    source="Lewicki and others, 2016",
)  # fmt: skip
def whole_apology(case: Case) -> Iterable[Hit]:
    """In an apology, the mail, the letter and the page own the failure and offer repair."""
    if case.template.profile is not Profile.APOLOGY:
        return
    for passage in case.of("email", "letter", "page"):
        if passage.part == "subject" or passage.language not in languages():
            continue
        if not says(passage.text, "owns_it", passage.language):
            yield Hit(passage, 0, "", "The apology does not say that we are responsible.")
        if not says(passage.text, "repairs", passage.language):
            yield Hit(passage, 0, "", "The apology does not say how we put it right.")


@rule(
    "L33", Weight.WARN, "This is an apology that is none.",
    why="\"Sorry if\" and \"any inconvenience\" doubt the harm and make people angrier.",
    mend="Name what happened to people, and be sorry for that.",
    source="Lewicki and others, 2016",
)  # fmt: skip
@each
def half_apologies(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Conditional and passive regrets."""
    yield from hits(passage, "half_apology")


@rule(
    "L34", Weight.WARN, "The harm is made small without a number.",
    why="Co-op, 2025: \"a limited amount of data\" turned into 6.5 million people.",
    mend="Give the number, or say that you do not know it yet.",
    source="NCSC, effective communications in a cyber incident",
)  # fmt: skip
@each
def minimisers(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Small, limited, some, minor; not where the sentence holds a number, or denies it."""
    yield from hits(passage, "minimiser", negated, _numbered)


def _numbered(sentence: str, _found: re.Match[str], language: str) -> bool:
    return bool(re.search(r"\d", sentence)) or says(sentence, "number_word", language)
