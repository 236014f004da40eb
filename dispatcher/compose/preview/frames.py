"""One frame per rendition and recipient: the very parts that would be sent, and what the channel makes of them."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.channels import sms, social
from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.provider import fill

_WORD = re.compile(r"\s+|[^\s]+")


@dataclass(frozen=True, slots=True)
class Sample:
    """A recipient to look at. `why` says what the sample shows; `values` are raw, by field name."""

    why: str
    values: Mapping[str, str]
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Measure:
    """What a part comes to. `used` of `limit` in `unit`; `cuts` are offsets at which further segments begin."""

    part: str
    used: int
    limit: int
    unit: str
    pieces: int = 1
    cuts: tuple[int, ...] = ()
    note: str = ""

    @property
    def fits(self) -> bool:
        """The channel takes it."""
        return self.used <= self.limit


@dataclass(frozen=True, slots=True)
class Frame:
    """One message for one recipient. `refusal` tells why it could not be filled; then it has no parts."""

    channel: Channel
    locale: str
    variant: str
    sample: str
    parts: Mapping[str, str]
    measures: tuple[Measure, ...]
    refusal: str = ""


def choose(people: Iterable[Sample]) -> list[Sample]:
    """Of many, those in whom trouble shows: the longest values, an empty one, one in another script. In one pass."""
    longest = emptiest = foreign = None
    for person in people:
        size = sum(map(len, person.values.values()))
        if longest is None or size > longest[0]:
            longest = (size, person)
        if emptiest is None and (not person.values or not all(v.strip() for v in person.values.values())):
            emptiest = person
        if foreign is None and any(map(_other_script, person.values.values())):
            foreign = person
    found = [("longest", longest[1] if longest else None), ("empty", emptiest), ("other script", foreign)]
    return [Sample(why, person.values, person.locale) for why, person in found if person]


def _other_script(value: str) -> bool:
    return any(char.isalpha() and not unicodedata.name(char, "").startswith("LATIN") for char in value)


def frames(renditions: Sequence[Rendition], samples: Sequence[Sample]) -> list[Frame]:
    """Every rendition for every sample that reads it. A text without slots, and any post, is the same for all."""
    made = []
    for one in renditions:
        readers = [s for s in samples if s.locale in ("", one.locale)] or [Sample("everybody", {})]
        shown = readers if one.slots else [Sample("everybody", {})]
        made += [_frame(one, sample) for sample in shown]
    return made


def _frame(one: Rendition, sample: Sample) -> Frame:
    envelope = Envelope(key="preview", address="", values=sample.values)
    try:
        parts = {name: fill(text, one, envelope) for name, text in one.parts.items()}
    except Refused as error:
        return Frame(one.channel, one.locale, one.variant, sample.why, {}, (), error.what)
    return Frame(one.channel, one.locale, one.variant, sample.why, parts, tuple(_measures(one.channel, parts)))


def _measures(channel: Channel, parts: Mapping[str, str]) -> Iterable[Measure]:
    if channel is Channel.SMS:
        yield _segments(parts["text"])
    elif channel is Channel.SOCIAL:
        yield from (_weight(name, text) for name, text in parts.items())
    elif channel is Channel.EMAIL:
        yield Measure("subject", len(parts["subject"]), 90, "characters")
        yield Measure("html", len(parts["html"].encode()), 102_400, "bytes", note="Gmail clips above 100 KiB")


def _segments(text: str) -> Measure:
    counted = sms.count(text)
    dear = ", ".join(offender.name for offender in counted.offenders[:3])
    return Measure(
        part="text",
        used=counted.characters,
        limit=sms.LONGEST,
        unit="characters",
        pieces=counted.segments,
        cuts=counted.splits,
        note=f"{counted.encoding}{f' because of {dear}' if dear else ''}",
    )


def _weight(name: str, text: str) -> Measure:
    weighed = social.weigh(text)
    return Measure(name, weighed.weight, weighed.limit, "weighted characters")


@dataclass(frozen=True, slots=True)
class Change:
    """A run of words: kept, added or removed against the last update."""

    kind: str
    words: str


def compare(before: str, after: str) -> list[Change]:
    """Word by word, what changed."""
    from difflib import SequenceMatcher

    old, new = _WORD.findall(before), _WORD.findall(after)
    changes = []
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            changes.append(Change("kept", "".join(new[c:d])))
            continue
        changes += [Change("removed", "".join(old[a:b]))] if b > a else []
        changes += [Change("added", "".join(new[c:d]))] if d > c else []
    return changes
