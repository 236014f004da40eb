"""Messages as people will get them, before anybody does: for chosen recipients, beside what the last update said."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.compose.lint.checking import lint
from dispatcher.compose.lint.rules import Finding, Weight
from dispatcher.compose.preview import page, terminal
from dispatcher.compose.preview.frames import Changed, Frame, Sample, changed, frame_of
from dispatcher.compose.rendering import Composed
from dispatcher.errors import Refused
from dispatcher.ledger import broadcasts, measures, planning, predecessors
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.ledger.sparing import Sparing
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Template
from dispatcher.services import briefing, checking, codes, findings, marketing, readership, source
from dispatcher.services.context import Context

OWN = "our own accounts"
NOBODY = "without a recipient"


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as one person gets it."""

    channel: str
    locale: str
    variant: str
    why: str
    recipient: int
    address: str
    parts: dict[str, str]
    frame: Frame

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "frame"}


@dataclass(frozen=True, slots=True)
class Look:
    """Everything there is to see of a broadcast. `compared_with` is the ref of the last update, if there was one."""

    broadcast: Broadcast
    said: Composed
    previews: tuple[Preview, ...]
    findings: tuple[Finding, ...]
    changes: tuple[Changed, ...]
    compared_with: str

    def as_dict(self) -> dict[str, Any]:
        """`broadcast preview --json`."""
        return {
            "ref": self.broadcast.ref,
            "previews": [one.as_dict() for one in self.previews],
            "documents": [
                {"name": one.name, "locale": one.locale, "variant": one.variant, "format": one.format, "text": one.text}
                for one in self.said.documents
            ],
            "compared_with": self.compared_with or None,
            "changes": [one.as_dict() for one in self.changes],
        }

    def as_text(self, width: int) -> str:
        """For the terminal: frames side by side, then what changed."""
        shown = [terminal.as_text([one.frame for one in self.previews], width)]
        if self.changes:
            shown.append(terminal.changes_as_text(self.changes, self.compared_with, width))
        return "\n\n".join(filter(None, shown))

    def as_html(self) -> str:
        """One page that needs nothing else."""
        one = self.broadcast
        return page.as_html(
            f"{one.ref} {one.title}",
            [preview.frame for preview in self.previews],
            self.said.documents,
            self.findings,
            page.Comparison(self.compared_with, self.changes),
            note=f"{one.mode.upper()} · {one.state} · version {one.version}",
        )


def preview(ctx: Context, ref: str, recipient: str | None = None) -> list[Preview]:
    """Every channel for one named recipient, or for those who show what can go wrong."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        template = source.of(ctx, broadcast)
        said = checking.said_now(ctx, tx, broadcast, template)
        return _previews(ctx, tx, broadcast, template, said.renditions, recipient)


def look(ctx: Context, ref: str, recipient: str | None = None, channels: Sequence[Channel] = ()) -> Look:
    """Previews of these channels (all, if none is named), documents, findings, and what is new."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        template = source.of(ctx, broadcast)
        said = checking.said_now(ctx, tx, broadcast, template)
        shown = [one for one in said.renditions if not channels or one.channel in channels]
        previews = _previews(ctx, tx, broadcast, template, shown, recipient)
        before = predecessors.last(tx, broadcast)
        older = list(broadcasts.renditions(tx, before).values()) if before else []
        found = _findings(ctx, tx, broadcast, template, said)
    return Look(broadcast, said, tuple(previews), found, tuple(changed(older, shown)), f"B-{before}" if before else "")


def _findings(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template, said: Composed) -> tuple[Finding, ...]:
    """Nothing is found where the message has no source to put right. What is frozen was looked at when it was: the
    clock and the promises of its incident have moved on since."""
    if broadcast.is_frozen:
        return tuple(_as_found(one) for one in findings.submitted(tx, broadcast)[1] if one.of_text)
    if not template.sources or not (said.documents or said.renditions):
        return ()
    return tuple(lint(template, briefing.brief(ctx, tx, broadcast, template), said))


def _as_found(one: findings.Finding) -> Finding:
    """A finding on record as the page shows it, with who let it pass."""
    target, _, part = one.channel.partition("/")
    weight = Weight.BLOCK if one.level == "error" else Weight.WARN
    mend = f"Let pass by {one.overridden_by}: {one.reason}" if one.overridden_by else one.mend
    return Finding(one.code, weight, one.what, one.words, target, part, one.locale, "", one.line, one.why, "", mend)


def _previews(
    ctx: Context,
    tx: Tx,
    broadcast: Broadcast,
    template: Template,
    rendered: Sequence[Rendition],
    recipient: str | None,
) -> list[Preview]:
    spared = marketing.sparing(ctx, tx, broadcast)
    read, have = readership.readers(tx, broadcast, template), readership.keys(rendered)
    made: dict[tuple[readership.Key, int], Preview] = {}
    shown = codes.sample(tx, broadcast)
    for why, row in _chosen(tx, broadcast, recipient, spared):
        word = json.loads(row.fields).get(read.column) if read.column else None
        for one in rendered:
            key = (one.channel, one.locale, one.variant)
            if _address(one, row) and key == read.key(one.channel, row.locale, word, have):
                made[key, row.rid] = _of(one, why, row, shown)
    seen = {key for key, _ in made}
    if recipient is None and broadcast.audience_version_id is not None:
        for one, locales, words in readership.readings(read, rendered):
            among = planning.readers(tx, locales, read.column, words)
            reader = measures.a_reader(tx, broadcast.audience_version_id, one.channel, among, spared)
            key = (one.channel, one.locale, one.variant)
            if reader is not None and key not in seen:
                made[key, reader.rid] = _of(one, "one of its readers", reader, shown)
    seen = {key for key, _ in made}
    rest = [one for one in rendered if (one.channel, one.locale, one.variant) not in seen]
    made_for_nobody = [
        _of(one, NOBODY if one.channel.counts_people else OWN, None, shown) for one in _told(rest, recipient)
    ]
    return [*made.values(), *made_for_nobody]


def _told(rest: Sequence[Rendition], recipient: str | None) -> Sequence[Rendition]:
    """Beside a named recipient only our own accounts are shown; else every rendition that no chosen one reads."""
    return [one for one in rest if recipient is None or not one.channel.counts_people]


def _of(one: Rendition, why: str, row: Row[Any] | None, shown: Mapping[str, str]) -> Preview:
    """`shown` stands instead of values that may not be seen."""
    values = (json.loads(row.fields) if row is not None and row.fields else {}) | dict(shown)
    address = _address(one, row) if row is not None else ""
    frame = frame_of(one, Sample(why, values, one.locale))
    parts = dict(frame.parts) or {name: f"[not sendable: {frame.refusal}]" for name in one.parts}
    rid = row.rid if row is not None else 0
    return Preview(str(one.channel), one.locale, one.variant, why, rid, address, parts, frame)


def _address(one: Rendition, row: Row[Any]) -> str:
    return {Channel.EMAIL: row.email, Channel.SMS: row.phone}.get(one.channel) or ""


def _chosen(tx: Tx, broadcast: Broadcast, recipient: str | None, spared: Sparing) -> list[tuple[str, Row[Any]]]:
    if broadcast.audience_version_id is None:
        return []
    if recipient is None:
        return list(measures.telling_recipients(tx, broadcast.audience_version_id, spared))
    row = measures.one_recipient(tx, broadcast.audience_version_id, recipient)
    if row is None:
        raise Refused(
            "Nobody in this audience has that address.", mend="dispatcher audience show NAME lists a few.", code="E-AUD"
        )
    return [("as asked", row)]
