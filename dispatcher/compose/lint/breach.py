"""What a notice of a data breach must hold, and what it may not be mixed with."""

import re
from collections.abc import Iterable
from typing import Any

from dispatcher.compose.lint.passages import Passage, plain_line
from dispatcher.compose.lint.phrases import hits, negated, of_swindlers
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule
from dispatcher.model.fact import FactKind, Place, spoken
from dispatcher.model.kinds import Channel, FactState, Purpose
from dispatcher.model.person import Level
from dispatcher.model.template import Profile

_SILENT = (FactState.UNKNOWN, FactState.RETRACTED)
_PHONE = re.compile(r"\d[\d ().-]{4,}\d")
_NO_DIGIT = re.compile(r"\D")
_NATIONAL = 9
"""Digits at the end of a telephone number that are the same with and without the prefix of its country."""


def _is_breach(case: Case) -> bool:
    return case.template.profile.is_breach


def _notices(case: Case) -> list[Passage]:
    """The texts that are the notice itself: mail and letter, whole."""
    return [p for p in case.of("email", "letter") if p.part != "subject"]


@rule(
    "L09", Weight.BLOCK, "The breach notice names no contact.",
    why="The law wants a data protection officer or another contact in it.",
    mend="Set organisation.dpo_email, and print it.",
    source="GDPR Art. 33(3)(b), 34(2)",
)  # fmt: skip
def contact(case: Case) -> Iterable[Hit]:
    """The address or telephone number for data protection stands in every notice."""
    org = case.brief.organisation
    wanted = [word for word in (org.dpo_email, org.contact_email) if word]
    for passage in _notices(case) if _is_breach(case) else ():
        if not any(word in passage.text for word in wanted) and not _gives(passage.text, org.contact_phone):
            yield Hit(passage, 0, "")


def _gives(text: str, phone: str) -> bool:
    """The number stands in the text, with or without the country and however it is spaced."""
    own = _NO_DIGIT.sub("", phone)[-_NATIONAL:]
    spaced = len(own) == _NATIONAL and any(own in _NO_DIGIT.sub("", number) for number in _PHONE.findall(text))
    return spaced or bool(phone and phone in text)


@rule(
    "L10", Weight.BLOCK, "The breach notice does not say which data, or says too much.",
    why="People protect themselves by what was taken. \"Not taken\" must be certain, or it will be withdrawn.",
    mend="Fill the matrix of data; say not_taken only with the state confirmed, else checking.",
    source="GDPR Art. 33(3)(a); FTC",
)  # fmt: skip
def data_types(case: Case) -> Iterable[Hit]:
    """There is a matrix with something in it, and nothing is called not taken that is not confirmed."""
    if not _is_breach(case):
        return
    rows: list[dict[str, Any]] = [row for matrix in case.said(FactKind.MATRIX) for row in matrix]
    if not any(row["place"] in (Place.TAKEN, Place.CHECKING) for row in rows):
        yield Hit(None, 0, "", "No data type is named as taken or still being checked.")
    for row in rows:
        if row["place"] == Place.NOT_TAKEN and row["state"] != FactState.CONFIRMED:
            yield Hit(None, 0, row["data"], f"{row['data']} is called not taken, but that is only {row['state']}.")


def _lacks(case: Case, name: str, what: str) -> Iterable[Hit]:
    """Every notice says it: it prints the fact of that name, or words of its own that tell the same."""
    if not _is_breach(case):
        return
    given = any(fact.value and fact.state not in _SILENT for (one, _), fact in case.brief.facts.items() if one == name)
    notices = _notices(case)
    if not notices and not given:
        yield Hit(None, 0, "", what)
    for passage in notices:
        if not (_prints(case, name, passage) or any(True for _ in hits(passage, f"says_{name}", negated))):
            yield Hit(passage, 0, "", what, mend=_print(name) if given else "")


def _print(name: str) -> str:
    return f"Print the fact {name} in this part, or say in it what the fact says."


def _prints(case: Case, name: str, passage: Passage) -> bool:
    """Some of what the fact says to these readers stands in the text."""
    fact = spoken(case.brief.facts, name, passage.locale)
    if fact is None or fact.state in _SILENT or not fact.value:
        return False
    items = fact.value if isinstance(fact.value, list) else [fact.value]
    lines = (plain_line(line).rstrip(".") for item in items for line in str(item).splitlines())
    text = " ".join(passage.lines)
    return any(line and line in text for line in lines)


@rule(
    "L11", Weight.BLOCK, "The breach notice does not say what may follow from it.",
    why="The law wants the likely consequences in it.",
    mend="--fact consequences=...",
    source="GDPR Art. 33(3)(c), 34(2)",
)  # fmt: skip
def consequences(case: Case) -> Iterable[Hit]:
    """Mail and letter print the fact `consequences`, or tell consequences in words of their own."""
    yield from _lacks(case, "consequences", "The breach notice does not say what may follow from it.")


@rule(
    "L12", Weight.BLOCK, "The breach notice lacks what we have done, or what people can do.",
    why="The law wants the measures in it; and people need something to do.",
    mend="--fact measures=... and --fact steps=...",
    source="GDPR Art. 33(3)(d), 34(2); CERC, promote action",
)  # fmt: skip
def measures(case: Case) -> Iterable[Hit]:
    """Mail and letter print the facts `measures` and `steps`, or tell such in words of their own."""
    yield from _lacks(case, "measures", "The breach notice does not say what we have done.")
    yield from _lacks(case, "steps", "The breach notice does not say what people can do.")


@rule(
    "L13", Weight.BLOCK, "A breach notice carries promotion.",
    why="It must be a message of its own: people throw promotions away unread.",
    mend="Take it out. Thanks and vouchers come later, as a broadcast of their own.",
    source="EDPB Guidelines 9/2022; ICO, direct marketing and regulatory communications",
)  # fmt: skip
@each
def dedicated(passage: Passage, case: Case) -> Iterable[Hit]:
    """Words of selling in a breach notice."""
    if _is_breach(case):
        yield from hits(passage, "promotion", negated, of_swindlers)


@rule(
    "L14", Weight.BLOCK, "A breach notice reaches nobody directly.",
    why="A page, a press release or a post is no effective way to tell the people concerned.",
    mend="Add email, or send the letter.",
    source="EDPB Guidelines 9/2022",
)  # fmt: skip
def direct(case: Case) -> Iterable[Hit]:
    """Mail is among the channels, or a letter among the documents."""
    direct_ways = Channel.EMAIL in case.brief.channels or "letter" in case.template.documents
    if _is_breach(case) and not direct_ways:
        yield Hit(None, 0, ", ".join(case.brief.channels))


US = "us"
"""The variant for people in the United States."""
HEADINGS = (
    "What Happened", "What Information Was Involved", "What We Are Doing", "What You Can Do", "For More Information",
)  # fmt: skip
_POINTS = re.compile(r"font(?:-size)?\s*:[^;}]*?(\d+(?:\.\d+)?)pt")


@rule(
    "L15", Weight.BLOCK, "The notice does not have the form that California demands.",
    why="The law prescribes its title, its five headings, and letters of at least 10 points.",
    mend="Use the template data-breach-us, or the variant us of data-breach, as it is.",
    source="California Civil Code 1798.82(d)",
)  # fmt: skip
def californian(case: Case) -> Iterable[Hit]:
    """Title and headings in order, in English mail and letter; no smaller type than 10 points in the letter."""
    whole = case.template.profile is Profile.BREACH_US
    for passage in _notices(case) if _is_breach(case) else ():
        if passage.language != "en" or not (whole or passage.variant == US):
            continue
        wanted = ("Notice of Data Breach", *HEADINGS)
        places = [passage.text.find(words) for words in wanted]
        lost = [words for words, at in zip(wanted, places, strict=True) if at < 0]
        if lost or places != sorted(places):
            yield Hit(passage, 0, lost[0] if lost else "", f"{passage.target} lacks {lost[0]!r}." if lost else "")
        sizes = _POINTS.findall(passage.raw) if passage.target == "letter" else ()
        yield from (Hit(passage, 0, size) for size in sizes if float(size) < 10)


@rule(
    "L37", Weight.BLOCK, "The message names culprits, ransom, liability or shares without the lawyers.",
    why="What is said about them is used in court and on the market, and is often wrong.",
    mend="Take it out, or use a template that legal approves.",
    source="NCSC, effective communications in a cyber incident",
)  # fmt: skip
@each
def attribution(passage: Passage, case: Case) -> Iterable[Hit]:
    """Words of attribution, denied or not, where legal is not among the approvals."""
    if Level.LEGAL not in case.template.approvals:
        yield from hits(passage, "attribution")


@rule(
    "L39", Weight.BLOCK, "A service message carries promotion.",
    why="Service messages reach people who refused advertising; promotion in one breaks the law and their trust.",
    mend="Take it out, or send it as a promotional broadcast to those who agreed.",
    source="PECR; ICO; CAN-SPAM",
)  # fmt: skip
@each
def firewall(passage: Passage, case: Case) -> Iterable[Hit]:
    """Words of selling in anything that is not promotional."""
    if case.brief.purpose is not Purpose.PROMOTIONAL and not _is_breach(case):
        yield from hits(passage, "promotion", negated, of_swindlers)
