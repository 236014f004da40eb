"""Times: the next update, zones, and words that age badly."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispatcher.compose.brief import Brief
from dispatcher.compose.lint.passages import Passage, Sentence
from dispatcher.compose.lint.phrases import hits, says, sentences
from dispatcher.compose.lint.rules import Case, Hit, Weight, each, rule
from dispatcher.model.fact import FactKind, Place
from dispatcher.model.template import Profile

A_MINUTE = timedelta(minutes=1)
"""Promises are told in whole minutes, rounded up."""
LONGEST_SILENCE = timedelta(days=7)
"""No cadence of an open incident is slower than weekly."""

_CLOCK = re.compile(
    r"(?<![\w:.,£$€-])(?:"
    r"(?:[01]?\d|2[0-3])(?::|\s?h\s?)[0-5]\d(?!\d|[.,]\d|%)"
    r"|(?:1[0-2]|0?[1-9])(?:[:.][0-5]\d)?\s?[ap]\.?m\b"
    r"|(?:(?<=\bat )|(?<=\bby )|(?<=\bfrom )|(?<=\bsince ))(?:[01]?\d|2[0-3])\.[0-5]\d(?!\d|%)"
    r")",
    re.IGNORECASE,
)
_ANY_ZONE = re.compile(r"\W{0,2}\(?([A-Z]{2,5}(?:[+-]\d{1,2}(?::\d\d)?)?\b|UK time|heure de [A-Z]\w+)")
_UTC_PAIR = re.compile(r"\W{0,2}\(?[A-Z]{2,5}\W{1,2}\(?\d{1,2}(?::| h )\d\d UTC")
_NAMED = {(12, 0): "noon|midday|midi", (0, 0): "midnight|minuit"}
_RANGE = re.compile(r"\d\s?(?:[ap]m|h(?:\s?\d\d)?)?\s?(?:to|until|-|–|à)\s?\d", re.IGNORECASE)


def _needs_next(case: Case) -> bool:
    """An open incident promises the next word; a breach does while something is still being checked."""
    if case.template.profile is Profile.UPDATE:
        return True
    rows = [row for matrix in case.said(FactKind.MATRIX) for row in matrix]
    return case.template.profile.is_breach and any(row["place"] == Place.CHECKING for row in rows)


@rule(
    "L02", Weight.BLOCK, "The message does not say when the next update comes.",
    why="People can wait when they know how long. Without a time they call, guess and share rumours.",
    mend="Promise it: dispatcher incident promise REF TIME; and let each part say it.",
    source="PagerDuty, external communication guidelines",
)  # fmt: skip
def next_update(case: Case) -> Iterable[Hit]:
    """The promise exists, and every channel tells it."""
    if not _needs_next(case):
        return
    moment = case.brief.next_update_at
    if moment is None:
        yield Hit(None, 0, "", "No next update is promised.")
        return
    told = _spelt(moment, case.brief)
    for target, locale, passages in _by_target(case):
        if not any(told.search(p.text) for p in passages):
            yield Hit(passages[0], 0, "", f"{target} ({locale}) does not say when the next update comes.")


def _spelt(moment: datetime, brief: Brief) -> re.Pattern[str]:
    """Its time of day in our zone: 20:00, 20 h 00, 8 pm."""
    local = moment.astimezone(ZoneInfo(brief.organisation.zone))
    minute, half = f"{local.minute:02d}", "ap"[local.hour >= 12]
    past = f"[:.]{minute}" if local.minute else "(?:[:.]00)?"
    ways = [
        rf"0?{local.hour}(?:[:.]{minute}|\s?h\s?{minute})",
        rf"{local.hour % 12 or 12}{past}\s?{half}\.?m",
        _NAMED.get((local.hour, local.minute), ""),
        "" if local.minute else rf"{local.hour}\s?h",
    ]
    return re.compile(rf"(?<![\w:.])(?:{'|'.join(filter(None, ways))})(?!\w)", re.IGNORECASE)


_INFORMS = frozenset(("email", "sms", "social", "chat", "page", "banner"))


def _by_target(case: Case) -> Iterator[tuple[str, str, list[Passage]]]:
    keys = dict.fromkeys((p.target, p.locale, p.variant) for p in case.passages if p.target in _INFORMS)
    for target, locale, variant in keys:
        yield target, locale, [p for p in case.of(target) if (p.locale, p.variant) == (locale, variant)]


@rule(
    "L03", Weight.BLOCK, "The next update is promised for a time that cannot be kept.",
    why="A broken promise costs more trust than the outage.",
    mend="Promise a time that is ahead and within the cadence, or announce a longer silence first: "
    "dispatcher incident promise REF TIME --every SPAN; "
    "for one message alone: dispatcher broadcast edit REF --next-update TIME",
    source="PagerDuty, stakeholder communications: promise a maximum",
)  # fmt: skip
def promise_in_time(case: Case) -> Iterable[Hit]:
    """The promise is ahead of now, and not further than any cadence allows. A correction and a breach notice need
    not promise anything, but tell what stands promised."""
    promised, now = case.brief.next_update_at, case.brief.as_of
    tells = _needs_next(case) or case.template.profile is Profile.CORRECTION or case.template.profile.is_breach
    if promised is None or not tells:
        return
    if promised <= now:
        yield Hit(None, 0, f"{promised:%Y-%m-%d %H:%M}Z", "The next update is promised for a time that has passed.")
    elif promised - now > LONGEST_SILENCE and case.template.profile is Profile.UPDATE:
        yield Hit(None, 0, f"{promised:%Y-%m-%d %H:%M}Z", "The next update is more than a week away.")
    elif (latest := case.brief.latest_update_at) and promised > latest + A_MINUTE and _is_open(case):
        what = f"The next update is promised later than the cadence allows ({latest:%Y-%m-%d %H:%M}Z)."
        yield Hit(None, 0, f"{promised:%Y-%m-%d %H:%M}Z", what)


def _is_open(case: Case) -> bool:
    return case.template.profile is Profile.UPDATE


@rule(
    "L04", Weight.BLOCK, "A time of day has no zone, or one that readers elsewhere do not know.",
    why="Messages are read in other countries: AWS told an outage in Pacific time only.",
    mend="Give the time as a fact of the kind moment; it prints its zone.",
)  # fmt: skip
@each
def zones(passage: Passage, case: Case) -> Iterable[Hit]:
    """Each clock time is followed by UTC, our own zone, or a zone with its UTC time in brackets."""
    for sentence in passage.sentences:
        for found in _CLOCK.finditer(sentence.text):
            if not _zoned(sentence.text[found.end() :], case.brief) and not _opening_hours(sentence, passage):
                yield Hit(passage, sentence.line, found[0])
    for sentence, found in sentences(passage, "clock_in_words"):
        every_day = says(sentence.text, "recurrent", passage.language)
        if not every_day and not _zoned(sentence.text[found.end() :], case.brief):
            yield Hit(passage, sentence.line, found[0])


def _zoned(after: str, brief: Brief) -> bool:
    named = _ANY_ZONE.match(after)
    return bool(_UTC_PAIR.match(after)) or bool(named and named[1].split("+")[0].split("-")[0] in _known_zones(brief))


def _known_zones(brief: Brief) -> frozenset[str]:
    """UTC, GMT and what our own zone is called in winter and in summer."""
    zone, year = ZoneInfo(brief.organisation.zone), brief.as_of.year
    seasons = (datetime(year, month, 1, tzinfo=zone).tzname() or "" for month in (1, 7))
    return frozenset(("UTC", "GMT", "UK time", *seasons))


def _opening_hours(sentence: Sentence, passage: Passage) -> bool:
    return bool(_RANGE.search(sentence.text)) and says(sentence.text, "recurrent", passage.language)


@rule(
    "L05", Weight.WARN, "A word of time is true only on the day it is read.",
    why="Messages are forwarded and read later. 04/05/26 is April to some readers and May to others.",
    mend="Name the day: 4 May 2026.",
    source="GOV.UK style guide: dates",
)  # fmt: skip
@each
def relative_time(passage: Passage, _case: Case) -> Iterable[Hit]:
    """Today, tomorrow, soon, shortly; dates in figures."""
    yield from hits(passage, "relative_time")


@rule(
    "L35", Weight.WARN, "An end of the trouble is promised as if it were certain.",
    why="Repairs take longer than planned; a target can move, a promise breaks.",
    mend="Say that it is a target, and what it depends on.",
    source="PagerDuty, external communication guidelines",
)  # fmt: skip
@each
def certain_end(passage: Passage, _case: Case) -> Iterable[Hit]:
    """ "Will be back by", without aim, target, expect or plan in the sentence."""
    yield from hits(passage, "certain_end", lambda sentence, _found, language: says(sentence, "aim", language))
