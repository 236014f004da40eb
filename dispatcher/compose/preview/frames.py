"""One frame per rendition and recipient: the very parts that would be sent, and what the channel makes of them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.channels import sms, social
from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Envelope, Picture, Rendition
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
    picture: Picture | None = None


def frames(renditions: Sequence[Rendition], samples: Sequence[Sample]) -> list[Frame]:
    """Every rendition for every sample that reads it. A text without slots, and any post, is the same for all."""
    made = []
    for one in renditions:
        readers = [s for s in samples if s.locale in ("", one.locale)] or [Sample("everybody", {})]
        shown = readers if one.slots else [Sample("everybody", {})]
        made += [frame_of(one, sample) for sample in shown]
    return made


def frame_of(one: Rendition, sample: Sample) -> Frame:
    """One rendition with the values of one recipient in it."""
    envelope = Envelope(key="preview", address="", values=sample.values)
    try:
        parts = {name: fill(text, one, envelope) for name, text in one.parts.items()}
    except Refused as error:
        return Frame(one.channel, one.locale, one.variant, sample.why, {}, (), error.what)
    measures = tuple(_measures(one.channel, parts))
    return Frame(one.channel, one.locale, one.variant, sample.why, parts, measures, picture=one.picture)


def _measures(channel: Channel, parts: Mapping[str, str]) -> Iterable[Measure]:
    if channel is Channel.SMS:
        yield _segments(parts["text"])
    elif channel is Channel.SOCIAL:
        yield from (_weight(name, text) for name, text in parts.items())
    elif channel is Channel.EMAIL:
        yield Measure("subject", len(parts["subject"]), 90, "characters")
        if "html" in parts:
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


@dataclass(frozen=True, slots=True)
class Changed:
    """What one text says that the last update did not, word by word. A text that nobody got before has no changes."""

    channel: Channel
    locale: str
    variant: str
    changes: tuple[Change, ...]

    @property
    def is_same(self) -> bool:
        """Not a word has moved."""
        return all(change.kind == "kept" for change in self.changes)

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        words = [[change.kind, change.words] for change in self.changes]
        return {"channel": self.channel, "locale": self.locale, "variant": self.variant, "words": words}


def changed(older: Sequence[Rendition], newer: Sequence[Rendition]) -> list[Changed]:
    """Each newer text beside the older one for the same readers, both with the defaults of their slots."""
    before = {(one.channel, one.locale, one.variant): one for one in older}
    pairs = ((before.get((one.channel, one.locale, one.variant)), one) for one in newer)
    return [
        Changed(one.channel, one.locale, one.variant, tuple(compare(plain(old), plain(one))))
        for old, one in pairs
        if old is not None
    ]


def plain(one: Rendition) -> str:
    """What a rendition says to read: the text of a mail or message with its subject, the posts of a thread."""
    said = [text for name, text in one.parts.items() if name != "html"]
    text = "\n\n".join(said)
    for slot in one.slots:
        text = text.replace(slot.tag, f"[{slot.name}]" if slot.default is None else slot.default)
    return text
