"""What the channels bear: segments, weights, subjects."""

from collections.abc import Iterable

from dispatcher.channels import sms, social
from dispatcher.compose.lint.rules import Case, Hit, Weight, rule

SEGMENTS_WARN = 2
SEGMENTS_BLOCK = 3
"""Who we are, what happened, when we speak next and how to check it fill two segments; a third is the exception."""

SUBJECT_WARN = 90
SUBJECT_BLOCK = 200
_OFFENDERS_OF_A_SCRIPT = 8
"""With so many different characters outside GSM-7 the text is in another script, and nothing can be rewritten."""


@rule(
    "L22", Weight.WARN, "The text message is long.",
    why="Each segment is paid for, and long messages arrive in pieces.",
    mend="Shorten the facts it prints.",
    source="3GPP TS 23.040",
)  # fmt: skip
def segments(case: Case) -> Iterable[Hit]:
    """Over two segments warns, over three blocks. Counted with the defaults of the slots."""
    for passage in case.of("sms"):
        counted = sms.count(passage.raw)
        if counted.segments > SEGMENTS_WARN:
            weight = Weight.BLOCK if counted.segments > SEGMENTS_BLOCK else Weight.WARN
            what = f"The text message takes {counted.segments} segments ({counted.encoding})."
            yield Hit(passage, 0, f"{counted.characters} characters", what, weight)


@rule(
    "L23", Weight.WARN, "One character makes the whole text message dearer.",
    why="A single character outside the GSM alphabet cuts a segment from 160 to 70 characters.",
    mend="Write it otherwise.",
    source="3GPP TS 23.038",
)  # fmt: skip
def characters(case: Case) -> Iterable[Hit]:
    """Each character that forces UCS-2, with what could stand instead. Other scripts are left in peace."""
    for passage in case.of("sms"):
        found = sms.offenders(passage.raw)
        plainer = {proposal.char: proposal.replacement for proposal in sms.proposals(passage.raw)}
        for offender in found if len(found) <= _OFFENDERS_OF_A_SCRIPT else ():
            instead = plainer.get(offender.char)
            mend = "Write it otherwise." if instead is None else f"Write {instead!r}." if instead else "Leave it out."
            what = f"{offender.char!r}, {offender.name}, forces the dear encoding."
            yield Hit(passage, _line(passage.raw, offender.first), offender.char, what, mend=mend)


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


@rule(
    "L24", Weight.BLOCK, "A post is longer than the network takes.",
    why="It would be refused, or cut in the middle of a sentence.",
    mend="Shorten the facts it prints, or cut it with a line of --- into a thread.",
    source="X, counting characters",
)  # fmt: skip
def posts(case: Case) -> Iterable[Hit]:
    """Over 280 weighted characters blocks; from 276 on warns, since the network's tables move on."""
    for passage in case.of("social"):
        weighed = social.weigh(passage.raw)
        if not weighed.fits:
            what = f"{passage.part} weighs {weighed.weight} of {weighed.limit}."
            if weighed.invalid:
                what = f"{passage.part} holds {weighed.invalid[0]}, which the network refuses."
            yield Hit(passage, 0, passage.raw[-40:], what)
        elif weighed.weight > social.ADVISED:
            what = f"{passage.part} weighs {weighed.weight}; aim for {social.ADVISED} at most."
            yield Hit(passage, 0, passage.raw[-40:], what, Weight.WARN)


@rule(
    "L45", Weight.WARN, "The subject is long.",
    why="Phones show about 40 characters, desks about 90.",
    mend="Put what happened first and shorten the rest.",
)  # fmt: skip
def subjects(case: Case) -> Iterable[Hit]:
    """Over 90 characters warns, over 200 blocks."""
    for passage in case.of("email"):
        size = len(passage.raw)
        if passage.part == "subject" and size > SUBJECT_WARN:
            weight = Weight.BLOCK if size > SUBJECT_BLOCK else Weight.WARN
            yield Hit(passage, 1, passage.raw[:60], f"The subject has {size} characters.", weight)
