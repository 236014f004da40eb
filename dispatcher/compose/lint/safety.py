"""What harms people: false comfort, contradictions, questions that only swindlers ask."""

import re
from collections.abc import Iterable

from dispatcher.compose.lint.passages import Passage
from dispatcher.compose.lint.phrases import after, hits, negated, of_swindlers, says, sentences
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule
from dispatcher.model.template import Profile


@rule(
    "L06", Weight.WARN, "Finding nothing is told as if there were nothing.",
    why="Jaguar Land Rover and M&S had to take \"no evidence\" back within days.",
    mend="Say as of when, and that you are still checking: \"As of 14:00 BST on 3 May we have found no evidence that "
    "... We are still checking.\"",
    source="FTC, data breach response guide",
)  # fmt: skip
@each
def no_evidence(passage: Passage, case: Case) -> Iterable[Hit]:
    """ "No evidence" and its like, and a flat "no data is affected" while we still look, unless its paragraph says as
    of when and that checks go on. In a notice of a breach the matrix says what was not taken."""
    severe = case.template.profile.is_breach or passage.target == "press"
    claims = [*sentences(passage, "nothing_found")]
    if case.template.profile is Profile.UPDATE:
        claims += sentences(passage, "flat_denial")
    for sentence, found in claims:
        if _taken_back(sentence.text, case):
            continue
        paragraph = " ".join(s.text for s in passage.sentences if s.line == sentence.line)
        dated = says(paragraph, "as_of", passage.language)
        if not (dated and says(paragraph, "still_checking", passage.language)):
            yield Hit(passage, sentence.line, found[0], weight=Weight.BLOCK if severe else None)


def _taken_back(sentence: str, case: Case) -> bool:
    """A correction has to repeat the wrong words."""
    wrong = (str(fact.value) for (name, _), fact in case.brief.facts.items() if name == "wrong")
    return case.template.profile is Profile.CORRECTION and repeats(sentence, wrong)


def repeats(sentence: str, wrong: Iterable[str]) -> bool:
    """Whether a sentence stands in one of these texts."""
    return any(sentence.strip() in words for words in wrong)


@rule(
    "L07", Weight.BLOCK, "The message promises absolute safety.",
    why="It cannot be known, and it misleads people who should be careful.",
    mend="Say what you have checked and what you have done.",
    source="FTC; NCSC, effective communications in a cyber incident",
)  # fmt: skip
@each
def absolute_safety(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Safe, no risk, cannot happen again; not where it is denied or told of swindlers."""
    yield from hits(passage, "absolute_safety", negated, of_swindlers)


@rule(
    "L08", Weight.BLOCK, "People are told to do nothing, and to do something.",
    why="M&S, 2025: \"no need to take any action\", while passwords were about to be reset.",
    mend="Take out the sentence that nothing needs doing.",
)  # fmt: skip
def contradiction(case: Case) -> Iterable[Hit]:
    """ "No action needed" in one part, something to do in any part of the same language."""
    for passage in case.passages:
        wanted = next((w for p in case.passages if p.language == passage.language for _, w in asked(p)), None)
        if wanted:
            for sentence, found in sentences(passage, "no_action"):
                if not _taken_back(sentence.text, case):
                    yield Hit(passage, sentence.line, f"{found[0]} ... {wanted}")


def asked(passage: Passage) -> list[tuple[int, str]]:
    """What readers are asked to do, with the lines."""
    found = sentences(passage, "action")
    return [(sentence.line, match[0]) for sentence, match in found if not _denied(sentence.text, match, passage)]


def _denied(text: str, found: re.Match[str], passage: Passage) -> bool:
    """ "You do not need to reset your password" asks for nothing."""
    return negated(text, found, passage.language) and not re.match(r"be|stay|remain|please", found[0], re.IGNORECASE)


@rule(
    "L20", Weight.BLOCK, "The message asks for something secret.",
    why="We never ask. A message that does teaches people to answer forged ones.",
    mend="Take it out. Where people must act, let them type our address themselves.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
@each
def asks_for_secrets(passage: Passage, _case: Case) -> Iterable[Hit]:
    """A request for a password, PIN, card or code; not "never give", and not what swindlers ask."""
    yield from hits(passage, "asks", negated, of_swindlers, after("somebody_else_asks"))


@rule(
    "L21", Weight.WARN, "The message does not say how to check that it is from us.",
    why="People are right to doubt. They need a way that does not go through the message itself.",
    mend="Add the verification line: {% include \"verify.txt\" %}",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
def verification(case: Case) -> Iterable[Hit]:
    """Mail, text message and letter each carry the address or the code of the verification page."""
    address = case.brief.organisation.verify_url.removeprefix("https://").rstrip("/")
    for passage in case.of("email", "sms", "letter"):
        if passage.part != "subject" and address not in passage.text and case.brief.code not in passage.text:
            yield Hit(passage, 0, "")


@rule(
    "L25", Weight.BLOCK, "The text message does not begin with who we are.",
    why="The sender's name may be shown as a number; then only the words tell.",
    mend="Begin with {{ org.sms_name }}.",
    source="NCSC, SMS and telephone best practice",
)  # fmt: skip
def sender_named(case: Case) -> Iterable[Hit]:
    """Within the first words, after the mark of a drill."""
    for passage in case.of("sms"):
        if case.brief.organisation.sms_name.lower() not in passage.text[:60].lower():
            yield Hit(passage, 1, passage.text[:40])
