"""What the public may read about us, gathered from the ledger.

Public is what a second person has approved and somebody has released: the pages and posts of live service broadcasts
about public incidents. An incident without such words is not shown at all. Its phase, and the promise of the next
word, count when a person set them; those that the program set on a signal count once words were submitted after them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Any

from dispatcher.compose.facts import read_value
from dispatcher.ledger import broadcasts, documents, incidents, promises, published
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.fact import FactKind, ServiceState
from dispatcher.model.incident import Incident, Phase
from dispatcher.model.kinds import Channel, Mode
from dispatcher.model.promise import Circle, PromiseKind
from dispatcher.model.states import BroadcastState
from dispatcher.people import PROGRAM
from dispatcher.reporting.public.publication import Publication, PublicIncident, Publisher, Sent, Text, Update
from dispatcher.reporting.public.wording import headline
from dispatcher.services.context import Context

INCIDENTS = 50
"""As many incidents are shown as readers of such pages expect."""
CODES = 200
"""Messages whose codes a tree on disk answers, the newest."""
_HEADLINE = 120
_SENTENCE = re.compile(r"(?<=[.!?])\s")


@dataclass(frozen=True, slots=True)
class _Move:
    """A phase, and from when on the public may know it."""

    at: datetime
    ref: str
    phase: Phase
    by_person: bool


def publisher(ctx: Context) -> Publisher:
    """Who publishes, by the settings."""
    told = ctx.settings.organisation
    base = ctx.settings.public_url.rstrip("/") or f"http://{ctx.settings.host}:{ctx.settings.port}"
    return Publisher(
        name=told.name,
        url=ctx.settings.status.url.rstrip("/") or f"{base}/status",
        domain=told.domain,
        contact=told.contact,
        phone=told.phone,
        help_url=told.help_url,
        locale=told.locale,
        zone=told.time_zone,
        never_ask={told.locale.split("-")[0]: told.never_ask} | dict(told.never_ask_in),
    )


def gather(ctx: Context) -> Publication:
    """Everything that is public now."""
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        rows = published.broadcasts_of_incidents(tx, now, INCIDENTS)
        told = [_incident(tx, number, list(group)) for number, group in groupby(rows, attrgetter("incident_id"))]
        codes = [sent(broadcasts.get(tx, number)) for number in published.sent(tx, now, CODES)]
    return Publication(publisher(ctx), tuple(told), ctx.settings.status.services, tuple(codes))


def title_of(broadcast: Broadcast) -> str:
    """What a message is called in public: words that a person had before them with their yes. The title is no part of
    what a tool's signal drafts, nor of what a pre-approval binds."""
    if broadcast.author_id == PROGRAM.id or broadcast.preapproval_id is not None:
        return broadcast.template_id.replace("-", " ").capitalize()
    return broadcast.title


def sent(broadcast: Broadcast) -> Sent:
    """What whoever asks about the code of a released broadcast is told."""
    assert broadcast.release_at is not None
    channels = tuple(str(channel) for channel in broadcast.plan.channels)
    stopped = broadcast.state is BroadcastState.STOPPED
    drill = broadcast.mode is Mode.DRILL
    return Sent(broadcast.code, title_of(broadcast), broadcast.release_at, channels, stopped, drill)


def _incident(tx: Tx, number: int, rows: Sequence[Row[Any]]) -> PublicIncident:
    incident = incidents.get(tx, number)
    words = [broadcasts.get(tx, row.id) for row in rows]
    words.sort(key=lambda one: (_released(one), one.id))
    acts = published.moves(tx, number)
    moves = _in_force(list(_moves(incident, acts, words)))
    first = _named(acts[0].detail.partition(" to ")[0]) or Phase.INVESTIGATING if acts else incident.phase
    updates = [_update(tx, one, _phase_at(first, moves, _released(one))) for one in words]
    updates += _wordless(moves, updates)
    updates.sort(key=lambda one: (one.at, one.ref), reverse=True)
    return PublicIncident(
        ref=incident.ref,
        severity=incident.severity,
        updates=tuple(updates),
        services=_services(tx, words),
        next_update_at=_promise(tx, incident),
    )


def _released(broadcast: Broadcast) -> datetime:
    assert broadcast.release_at is not None
    return broadcast.release_at


def _moves(incident: Incident, acts: Sequence[Row[Any]], words: Sequence[Broadcast]) -> Iterator[_Move]:
    """Each change of phase with the instant from which it is public, if it ever became so."""
    for act in acts:
        at = from_ms(int(act.at))
        by_person = bool(act.person_id) and act.door != "signal"
        later = (_released(one) for one in words if one.submitted_at and one.submitted_at >= at)
        known_at = at if by_person else next(later, None)
        if known_at is None:
            continue
        if phase := _phase_of(act):
            yield _Move(known_at, f"{incident.ref}-{act.id}", phase, by_person)


def _in_force(moves: Sequence[_Move]) -> list[_Move]:
    """Without those that were overtaken before they became public."""
    return [move for place, move in enumerate(moves) if all(later.at > move.at for later in moves[place + 1 :])]


def _phase_of(act: Row[Any]) -> Phase | None:
    """The phase that an act led to. For the public a closed incident is a resolved one."""
    if act.verb == "closed":
        return Phase.RESOLVED
    return _named(act.detail.rpartition(" to ")[2])


def _named(word: str) -> Phase | None:
    return next((phase for phase in Phase if phase.value == word), None)


def _phase_at(first: Phase, moves: Sequence[_Move], at: datetime) -> Phase:
    """The phase that was public at an instant: the one it was opened with, until a change became public."""
    return [first, *(move.phase for move in moves if move.at <= at)][-1]


def _wordless(moves: Sequence[_Move], updates: Sequence[Update]) -> Iterator[Update]:
    """Phases that a person set after the first word and that no message has told since."""
    first = updates[0].at
    phase = updates[0].phase
    spoken = sorted(updates, key=lambda one: one.at)
    for move in moves:
        phase = next((one.phase for one in reversed(spoken) if one.at < move.at), phase)
        if move.by_person and move.at > first and move.phase is not phase:
            spoken = sorted([*spoken, told := Update(move.ref, move.at, move.phase)], key=lambda one: one.at)
            yield told


def _promise(tx: Tx, incident: Incident) -> datetime | None:
    """What customers were promised: by a person, or in words that were released; not what only a signal set."""
    running = promises.running(tx, incident.id).get(Circle.CUSTOMERS)
    if running is None or running.kind is not PromiseKind.PROMISE or not incident.is_open:
        return None
    return running.due_at if running.made_by or running.told_by else None


def _update(tx: Tx, broadcast: Broadcast, phase: Phase) -> Update:
    return Update(
        ref=broadcast.ref,
        at=_released(broadcast),
        phase=phase,
        texts=tuple(_texts(tx, broadcast)),
        correction=broadcast.relation == "correction",
        stopped=broadcast.state is BroadcastState.STOPPED,
        approved_before=broadcast.preapproval_id is not None,
    )


def _texts(tx: Tx, broadcast: Broadcast) -> list[Text]:
    """The approved page in each language, our own first; without a page the approved posts."""
    pages = [one for one in documents.of(tx, broadcast.id) if one.name == "page" and not one.slots]
    plain = [one for one in pages if one.variant == broadcast.plan.variant] or pages[:1]
    told = [Text(one.locale, *headline(one.text)) for one in plain]
    if not told:
        found = broadcasts.renditions(tx, broadcast.id).values()
        posts = (one for one in found if one.channel is Channel.SOCIAL and not one.slots)
        told = [_of_posts(one.locale, one.posts) for one in posts][:1]
    return sorted(told, key=lambda one: (one.locale != broadcast.plan.default_locale, one.locale))


def _of_posts(locale: str, posts: Sequence[str]) -> Text:
    first = _SENTENCE.split(" ".join(posts[0].split()), maxsplit=1)[0]
    short = first if len(first) <= _HEADLINE else first[: _HEADLINE - 1].rsplit(" ", 1)[0] + "…"
    return Text(locale, short, "\n\n".join(posts), markdown=False)


def _services(tx: Tx, words: Sequence[Broadcast]) -> Mapping[str, ServiceState]:
    """How services work by the newest message that said so: exactly the fact that was printed in it."""
    for broadcast in reversed(words):
        value = _services_fact(tx, broadcast)
        if isinstance(value, list):
            return {_service(row): ServiceState(row["state"]) for row in value}
    return {}


def _services_fact(tx: Tx, broadcast: Broadcast) -> object:
    if not any(one.name == "page" for one in documents.of(tx, broadcast.id)):
        return None
    own = {name: raw for name, locale, raw in broadcast.facts if locale is None}
    if "services" in own:
        return read_value(FactKind.SERVICES, own["services"])
    at = broadcast.submitted_at
    if broadcast.incident_id is None or at is None:
        return None
    fact = published.fact_as_of(tx, broadcast.incident_id, "services", to_ms(at))
    return fact.value if fact is not None and fact.kind is FactKind.SERVICES else None


def _service(row: Mapping[str, Any]) -> str:
    return f"{row['name']} ({row['region']})" if row.get("region") else str(row["name"])
