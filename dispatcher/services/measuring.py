"""The arithmetic of channels over the real audience: segments, bytes and weights with the worst recipient named."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dispatcher.channels import sms, social
from dispatcher.errors import Refused
from dispatcher.ledger import measures
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.sparing import Sparing
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.provider import fill, slot_value
from dispatcher.services import codes, readership

SUBSTITUTION_BYTES = 10_000
"""What one recipient's substitutions may hold together (SendGrid v3 mail/send, read 2026-11-22)."""

Told = tuple[str, str, str, str, str]
"""code, level, what, why, mend."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One channel, measured. `segments` is the sum over everybody."""

    segments: int | None = None
    most_segments: int | None = None
    encoding: str | None = None
    weights: tuple[int, ...] = ()
    findings: tuple[Told, ...] = ()


def measure(
    tx: Tx,
    broadcast: Broadcast,
    channel: Channel,
    rendered: Sequence[Rendition],
    read: readership.Readers,
    spared: Sparing,
) -> Measured:
    """Everything that can be counted about a channel before it is used, over those who have agreed to it."""
    mine = [one for one in rendered if one.channel is channel]
    if channel is Channel.SOCIAL:
        return _posts(mine)
    if broadcast.audience_version_id is None or not channel.counts_people:
        return Measured()
    shown = codes.sample(tx, broadcast)
    groups = (
        (one, values | shown, n, rid)
        for one, locales, variants in readership.readings(read, mine)
        for values, n, rid in _people(tx, broadcast.audience_version_id, one, locales, (read.column, variants), spared)
    )
    return _texts(groups) if channel is Channel.SMS else _mails(groups)


def text_parts(one: Rendition, fields: str) -> int:
    """Parts of a text message as one recipient gets it."""
    values = json.loads(fields) if fields else {}
    return sms.segments(_filled(one.parts["text"], one, Envelope("count", "", values)))


def _filled(text: str, one: Rendition, envelope: Envelope) -> str:
    try:
        return fill(text, one, envelope)
    except Refused as error:
        return f"[not sendable: {error.what}]"


def _people(
    tx: Tx,
    version_id: int,
    one: Rendition,
    locales: Sequence[readership.Word],
    variants: tuple[str, Sequence[readership.Word]],
    spared: Sparing,
) -> Iterator[tuple[dict[str, str], int, int]]:
    """Distinct slot values of those who read this rendition: (values, how many, one of them)."""
    names = sorted({slot.name for slot in one.slots})
    for page in measures.slot_values(tx, version_id, one.channel, locales, names, *variants, spared):
        for row in page:
            yield {n: str(v) for n, v in zip(names, row, strict=False) if v is not None}, row.n, row.rid or 0


def _posts(mine: Sequence[Rendition]) -> Measured:
    weights, findings = [], []
    for one in mine:
        for number, post in enumerate(one.posts, start=1):
            weighed = social.weigh(post)
            weights.append(weighed.weight)
            if not weighed.fits:
                what = f"Post {number} weighs {weighed.weight} of {social.LIMIT}."
                findings.append(("E-LEN", "error", what, "X refuses it; nothing is cut for you.", "Shorten it."))
    return Measured(weights=tuple(weights), findings=tuple(findings))


Group = tuple[Rendition, dict[str, str], int, int]


def _texts(groups: Iterator[Group]) -> Measured:
    total = most = 0
    worst: tuple[str, int] = ("", 0)
    longest = 0
    foreign: dict[str, int] = {}
    for one, values, n, rid in groups:
        text = _filled(one.parts["text"], one, Envelope("check", "", values))
        counted = sms.segments(text)
        total += counted * n
        longest = max(longest, len(text))
        if counted > most:
            most, worst = counted, (text, rid)
        if not sms.is_gsm7(text):
            for offender in sms.offenders(text):
                foreign[offender.char] = foreign.get(offender.char, 0) + n
    return Measured(
        segments=total,
        most_segments=most,
        encoding=str(sms.count(worst[0]).encoding) if worst[0] else None,
        findings=tuple(_text_findings(longest, most, worst[1], foreign)),
    )


def _text_findings(longest: int, most: int, rid: int, foreign: Mapping[str, int]) -> Iterator[Told]:
    if longest > sms.LONGEST:
        what = f"A text of {longest} characters cannot be sent; the most is {sms.LONGEST}."
        yield "E-LEN", "error", what, f"Recipient {rid} has the longest.", "Shorten it."
    for char, people in sorted(foreign.items(), key=lambda item: -item[1])[:5]:
        what = f"{sms.character_name(char)} makes the text UCS-2 for {people} people."
        yield "W-UCS2", "warning", what, "A part then holds 67 characters instead of 153.", "Use another character."
    if most > 1:
        yield "I-SEG", "info", f"The longest text takes {most} parts (recipient {rid}).", "", ""


def _mails(groups: Iterator[Group]) -> Measured:
    largest, rid_of_largest, unsafe, rid_of_unsafe = 0, 0, 0, 0
    for one, values, n, rid in groups:
        try:
            size = _substitution_bytes(one, values)
        except Refused:
            unsafe, rid_of_unsafe = unsafe + n, rid
            continue
        if size > largest:
            largest, rid_of_largest = size, rid
    findings: list[Told] = []
    if largest > SUBSTITUTION_BYTES:
        what = f"The values of recipient {rid_of_largest} take {largest} bytes; a vendor takes {SUBSTITUTION_BYTES}."
        findings.append(("E-BYTES", "error", what, "", "Shorten the longest column."))
    if unsafe:
        what = f"{unsafe} people have a value that cannot stand in a subject; they will not be sent to."
        why = f"Recipient {rid_of_unsafe} is one: a line break or the start of an encoded word."
        findings.append(("W-HDR", "warning", what, why, "Correct the rows and import again."))
    return Measured(findings=tuple(findings))


def _substitution_bytes(one: Rendition, values: Mapping[str, str]) -> int:
    envelope = Envelope("check", "", values)
    return sum(len(slot.tag.encode()) + len(slot_value(slot, envelope).encode()) for slot in one.slots)
