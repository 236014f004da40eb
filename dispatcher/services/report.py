"""Writes the report of a broadcast: gathers its story from the ledger and hands it to `reporting`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dispatcher.ledger import audiences, broadcasts, curves, incidents
from dispatcher.ledger.engine import Tx
from dispatcher.model.clock import to_ms
from dispatcher.model.rendition import Rendition
from dispatcher.reporting import page, sums
from dispatcher.reporting.story import Act, Kept, Moment, Proof, Spread, Story, Sums, Warned, Words
from dispatcher.services import accounting, kept, reach
from dispatcher.services.accounting import BroadcastView
from dispatcher.services.codes import money
from dispatcher.services.context import Context


def write_report(ctx: Context, ref: str, folder: Path, *, proofs: Sequence[Proof] = ()) -> Path:
    """The report as one HTML file in `folder`, named after the broadcast; an older one is replaced."""
    told = story(ctx, ref, proofs=proofs)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"report-{told.ref}.html"
    path.write_text(page.render(told, ctx.settings.templates_dir), encoding="utf-8")
    return path


def story(ctx: Context, ref: str, *, proofs: Sequence[Proof] = ()) -> Story:
    """Everything a report tells. `proofs` are comparisons with a record that is not ours."""
    view = accounting.show(ctx, ref, whole=True)
    broadcast = view.broadcast
    with ctx.ledger.read() as tx:
        curve, spreads = _speed(tx, broadcast.id, broadcast.release_at)
        reached = curves.people_reached(tx, broadcast.id)
        words = _words(tx, broadcast.id)
        audience = _audience(tx, broadcast.audience_version_id)
        word = _word(tx, broadcast.incident_id)
    return Story(
        ref=broadcast.ref,
        title=broadcast.title,
        mode=broadcast.mode,
        state=broadcast.state,
        made_at=ctx.clock.now(),
        channels=tuple(Sums(name, {"planned": c.planned, **c.terms}, c.reasons) for name, c in view.channels.items()),
        test_endpoint=bool(view.test_endpoints),
        audience=audience,
        word=word,
        audience_size=broadcast.audience_size or 0,
        people_reached=reached,
        digest=broadcast.digest or "",
        drafted_by=view.author,
        approved_by=", ".join(view.approved_by),
        released_at=broadcast.release_at,
        curve=curve,
        spreads=spreads,
        acts=_acts(view),
        words=words,
        warnings=tuple(
            dict.fromkeys(Warned(one.code, one.what, one.overridden_by, one.reason) for one in view.warnings)
        ),
        proofs=tuple(proofs),
        codes=_codes(view),
        followed=reach.words(ctx, ref),
    )


def _codes(view: BroadcastView) -> str:
    held = view.codes
    if held is None:
        return ""
    worth = f", worth {money(held.kept * held.pool.worth)}" if held.pool.worth else ""
    return f"{held.kept:,} of {held.pool.name} issued{worth}; {held.released:,} given back"


def _speed(tx: Tx, broadcast: int, release_at: datetime | None) -> tuple[tuple[Moment, ...], tuple[Spread, ...]]:
    if release_at is None:
        return (), ()
    since = to_ms(release_at)
    waits: dict[str, dict[int, int]] = {}
    for row in curves.accepted(tx, broadcast, since):
        waits.setdefault(row.channel, {})[max(0, row.wait)] = int(row.n)
    delivered = {max(0, row.wait): int(row.n) for row in curves.delivered(tx, broadcast, since)}
    accepted: dict[int, int] = {}
    for histogram in waits.values():
        for wait, count in histogram.items():
            accepted[wait] = accepted.get(wait, 0) + count
    return tuple(sums.cumulate(accepted, delivered)), tuple(Spread(name, found) for name, found in waits.items())


def _word(tx: Tx, number: int | None) -> Kept | None:
    if number is None:
        return None
    incident = incidents.get(tx, number)
    told = kept.tally(tx, incident)
    said, owed = told.promises, told.duties
    return Kept(
        incident.ref, told.first_word_minutes, said.kept, said.missed, said.moved, told.people_reached,
        (owed.kept, owed.missed, owed.running),
    )  # fmt: skip


def _audience(tx: Tx, version_id: int | None) -> str:
    return audiences.name_of(tx, version_id) if version_id is not None else ""


def _acts(view: BroadcastView) -> tuple[Act, ...]:
    return tuple(
        Act(
            datetime.fromisoformat(line["at"]),
            line["who"] or "the program",
            " ".join(filter(None, (line["verb"], line["channel"]))),
            line["detail"] or "",
        )
        for line in view.timeline
    )


def _words(tx: Tx, broadcast: int) -> tuple[Words, ...]:
    planned = curves.by_rendition(tx, broadcast)
    found = broadcasts.renditions(tx, broadcast).items()
    return tuple(Words(_label(one), _text(one), planned.get(key, 0)) for key, one in found)


def _label(rendition: Rendition) -> str:
    return " · ".join(filter(None, (rendition.channel, rendition.locale, rendition.variant)))


def _text(rendition: Rendition) -> str:
    """The parts as people read them, slots by name; markup is left out, since the text part says the same."""
    parts: Mapping[str, Any] = {name: text for name, text in rendition.parts.items() if name != "html"}
    text = "\n\n".join(f"{name}:\n{words}" if len(parts) > 1 else words for name, words in parts.items())
    for slot in rendition.slots:
        text = text.replace(slot.tag, f"⟨{slot.name}⟩")
    return text
