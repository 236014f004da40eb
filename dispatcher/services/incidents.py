"""Incidents: open, follow, promise the next word, close. Each act is one line of the timeline."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.errors import Refused, UsageError
from dispatcher.ledger import broadcasts, incidents
from dispatcher.ledger import promises as promise_rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_ref
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.fact import Fact
from dispatcher.model.incident import Incident, Phase, Visibility
from dispatcher.model.kinds import FactState, Mode, Severity
from dispatcher.model.person import Person
from dispatcher.model.promise import Circle, Promise
from dispatcher.model.states import BroadcastState
from dispatcher.people import Right, door_of, require
from dispatcher.services import promises, quiet
from dispatcher.services.context import Context
from dispatcher.services.kept import Tally, tally

_WAITING = frozenset({BroadcastState.SUBMITTED, BroadcastState.APPROVED, BroadcastState.PAUSED})


@dataclass(frozen=True, slots=True)
class Opening:
    """What is known when an incident is opened. Mode None is the site's."""

    title: str
    severity: Severity = Severity.MAJOR
    mode: Mode | None = None
    phase: Phase = Phase.INVESTIGATING
    visibility: Visibility = Visibility.PUBLIC
    next_update_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What an update changes; None leaves it as it is."""

    title: str | None = None
    severity: Severity | None = None
    phase: Phase | None = None
    visibility: Visibility | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the timeline. `broadcast` names the broadcast it belongs to, if any."""

    at: datetime
    verb: str
    person: str
    door: str
    broadcast: str
    channel: str
    detail: str


@dataclass(frozen=True, slots=True)
class IncidentView:
    """Everything about one incident. Notices to our own people are no broadcasts of it; the timeline has them."""

    incident: Incident
    facts: tuple[Fact, ...]
    broadcasts: tuple[Broadcast, ...]
    timeline: tuple[Entry, ...]
    clocks: tuple[Promise, ...]
    tally: Tally

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of facts that we say we do not know."""
        return tuple(fact.name for fact in self.facts if fact.state is FactState.UNKNOWN)


def open_incident(ctx: Context, actor: Person, opening: Opening) -> Incident:
    """A new incident."""
    with ctx.ledger.write() as tx:
        return open_within(tx, ctx, actor, opening)


def open_within(tx: Tx, ctx: Context, actor: Person, opening: Opening) -> Incident:
    """A new incident in a transaction that is open already, so that it stands or falls with what caused it."""
    require(actor, Right.INCIDENT)
    now = ctx.clock.now()
    title = _title(opening.title)
    number = incidents.add(
        tx,
        {
            "title": title,
            "severity": opening.severity,
            "phase": opening.phase,
            "visibility": opening.visibility,
            "mode": opening.mode or ctx.settings.mode,
            "opened_by": actor.id,
            "opened_at": to_ms(now),
        },
    )
    promises.note(tx, "opened", actor, number, now, f"{title} ({opening.severity})", door=door_of(actor))
    made = incidents.get(tx, number)
    if opening.next_update_at:
        promises.make(ctx, tx, actor, made, opening.next_update_at)
    promises.begin(ctx, tx, made)
    return incidents.get(tx, number)


def list_incidents(ctx: Context, *, closed_too: bool = False) -> list[Incident]:
    """Open incidents, the newest first; on demand the closed ones as well."""
    with ctx.ledger.read() as tx:
        return incidents.recent(tx, open_only=not closed_too)


def show(ctx: Context, ref: str) -> IncidentView:
    """One incident with its fact sheet, broadcasts and timeline."""
    with ctx.ledger.read() as tx:
        incident = incidents.by_ref(tx, ref)
        return IncidentView(
            incident=incident,
            facts=tuple(incidents.facts(tx, incident.id)),
            broadcasts=tuple(broadcasts.get(tx, number) for number in incidents.broadcast_ids(tx, incident.id)),
            timeline=_timeline(tx, incident.id),
            clocks=tuple(promise_rows.of(tx, incident.id)),
            tally=tally(tx, incident),
        )


def update(ctx: Context, actor: Person, ref: str, change: Change) -> Incident:
    """Change what is known about an open incident; a note alone is an entry of the timeline."""
    require(actor, Right.INCIDENT)
    now = ctx.clock.now()
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        title = _title(change.title) if change.title is not None else None
        wanted = {
            "title": title,
            "severity": change.severity,
            "phase": change.phase,
            "visibility": change.visibility,
        }
        values = {name: value for name, value in wanted.items() if value not in (None, getattr(incident, name))}
        if values:
            incidents.change(tx, incident.id, **values)
        for name, value in values.items():
            detail = f"{getattr(incident, name)} to {value}"
            promises.note(tx, f"{name} changed", actor, incident.id, now, detail, door=door_of(actor))
        if change.note.strip():
            promises.note(tx, "noted", actor, incident.id, now, change.note.strip(), door=door_of(actor))
        changed = incidents.get(tx, incident.id)
        if values.get("phase") is Phase.RESOLVED:
            promises.resolved(ctx, tx, changed)
        if "visibility" in values or "severity" in values:
            promises.begin(ctx, tx, changed)
        if quiet.apply(ctx, incident) and not quiet.apply(ctx, changed):
            promise_rows.wake(tx, incident.id)
        return incidents.get(tx, incident.id)


def promise(
    ctx: Context,
    actor: Person,
    ref: str,
    at: datetime,
    *,
    circle: Circle = Circle.CUSTOMERS,
    every: timedelta | None = None,
) -> Incident:
    """The "next update by" for these readers. A new promise replaces the old one; both stay on record.

    `every` announces an interval that is longer than the usual cadence.
    """
    require(actor, Right.INCIDENT)
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        promises.make(ctx, tx, actor, incident, at, circle=circle, every=every)
        return incidents.get(tx, incident.id)


def beyond_cadence(ctx: Context, ref: str, at: datetime, circle: Circle) -> datetime | None:
    """The last moment that the cadence allows, if a promise for `at` is later: a message that told it is refused."""
    with ctx.ledger.read() as tx:
        latest = promises.terms(ctx, tx, incidents.by_ref(tx, ref), circle).latest
    return latest if latest is not None and at > latest + timedelta(minutes=1) else None


def duty(
    ctx: Context, actor: Person, ref: str, name: str, *, since: datetime | None = None, done: str = ""
) -> Incident:
    """Start a regulator's clock from the moment we knew, or stop it: `done` says what they were told."""
    require(actor, Right.INCIDENT)
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        if done:
            promises.end_duty(ctx, tx, actor, incident, name, done)
        else:
            promises.start_duty(ctx, tx, actor, incident, name, since or ctx.clock.now())
        return incident


def close(ctx: Context, actor: Person, ref: str, lesson: str = "") -> Incident:
    """The end: nothing is promised any more, nothing more can be set. Waiting broadcasts are settled first."""
    require(actor, Right.INCIDENT)
    now = ctx.clock.now()
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        _require_nothing_waits(tx, incident)
        promises.end(ctx, tx, actor, incident)
        incidents.change(tx, incident.id, phase=Phase.CLOSED, closed_at=to_ms(now), next_update_at=None)
        promises.note(tx, "closed", actor, incident.id, now, lesson.strip(), door=door_of(actor))
        return incidents.get(tx, incident.id)


def _open(tx: Tx, ref: str) -> Incident:
    incident = incidents.by_ref(tx, ref, lock=True)
    if not incident.is_open:
        raise Refused(f"{incident.ref} is closed.", mend="Open a new incident: dispatcher incident open")
    return incident


def _title(words: str) -> str:
    title = " ".join(words.split())
    if not title or len(title) > 200:
        raise UsageError("An incident needs a title of at most 200 characters.", mend='Like "Online orders stopped".')
    return title


def _require_nothing_waits(tx: Tx, incident: Incident) -> None:
    for number in incidents.broadcast_ids(tx, incident.id):
        broadcast = broadcasts.get(tx, number)
        if broadcast.state in _WAITING:
            raise Refused(
                f"{incident.ref} cannot be closed: {broadcast.ref} is {broadcast.state}.",
                mend=f"Send it, or end it: dispatcher broadcast reject {broadcast.ref} (or stop, once released)",
            )


def _timeline(tx: Tx, number: int) -> tuple[Entry, ...]:
    return tuple(
        Entry(
            at=from_ms(int(row.at)),
            verb=row.verb,
            person=row.name or "",
            door=row.door,
            broadcast=broadcast_ref(row.broadcast_id) if row.broadcast_id else "",
            channel=row.channel or "",
            detail=row.detail,
        )
        for row in incidents.acts(tx, number)
    )
