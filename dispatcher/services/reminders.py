"""Nudges that protect a promise: each step of it is told once, to whoever is in charge, then to the next on the rota.

An occurrence is a row with its instant in UTC. The tick that takes a row tells it in the same transaction, so neither a
restart nor a second tick, a missing beat or a clock that steps loses one or tells it twice. What came due together
while nothing ran is told together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispatcher.errors import Refused, UsageError
from dispatcher.ledger import broadcasts, incidents, people
from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.incident import Incident
from dispatcher.model.person import Person
from dispatcher.model.promise import Circle, Promise, PromiseKind, Reminder, ReminderState, reminder_id
from dispatcher.people import PROGRAM, Right, may, require
from dispatcher.services import hold, promises, quiet, staff
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class Nudge:
    """Reminders that one person hears of together: all about the same promise, the most pressing last."""

    person: Person | None
    promise: Promise
    reminders: tuple[Reminder, ...]


def run(ctx: Context, now: int) -> int:
    """Hear words that were said, note what is broken, tell what is due; how many notices went out. On hold: none."""
    if hold.guard(ctx):
        return 0
    promises.hear(ctx, now)
    promises.miss(ctx, now)
    with ctx.ledger.read() as tx:
        if not rows.any_due(tx, now):
            return 0
    with ctx.ledger.write() as tx:
        told = [_tell(ctx, tx, nudge, now) for nudge in _nudges(ctx, tx, rows.take_due(tx, now), now)]
    for one in told:
        if one is not None:
            staff.ring(ctx, one)
    return sum(1 for one in told if one is not None)


def listing(ctx: Context, *, incident: str = "", ended_too: bool = False) -> list[Reminder]:
    """Reminders of running clocks by time; on demand those that ended as well."""
    with ctx.ledger.read() as tx:
        number = incidents.by_ref(tx, incident).id if incident else None
        return rows.reminders(tx, incident_id=number, open_only=not ended_too)


def one(ctx: Context, ref: str) -> Reminder:
    """One reminder."""
    with ctx.ledger.read() as tx:
        return rows.reminder(tx, reminder_id(ref))


def snooze(ctx: Context, actor: Person, ref: str, span: timedelta) -> Reminder:
    """Be reminded again after `span`; nothing about this promise comes sooner, and the promise does not move."""
    most = timedelta(minutes=ctx.settings.reminders.longest_snooze_minutes)
    if not timedelta() < span <= most:
        raise UsageError(f"A reminder sleeps for {promises.spoken(most)} at most.", mend="Say it like 10m.")
    now = ctx.clock.now()
    until = to_ms(now + span)
    with ctx.ledger.write() as tx:
        _require_part(tx, actor)
        found, promise = _at_hand(tx, ref)
        rows.hold_back(tx, promise.id, until)
        if found.state is ReminderState.TOLD:
            again = f"again_{until}"
            rows.add_step(tx, promise.id, again, found.rank, until)
        detail = f"{found.ref} ({promise.clock}) until {promises.said(ctx, now + span)}"
        promises.note(tx, "reminder snoozed", actor, promise.incident_id, now, detail)
        return rows.reminder(tx, found.id)


def acknowledge(ctx: Context, actor: Person, ref: str) -> Reminder:
    """Take it in hand: the reminders that follow come to this person, and only the last one to the next again."""
    now = ctx.clock.now()
    with ctx.ledger.write() as tx:
        _require_part(tx, actor)
        found, promise = _at_hand(tx, ref)
        if found.told_at is None:
            raise Refused(
                f"{found.ref} has not been told yet.", mend=f"dispatcher reminder snooze {found.ref} --for 10m"
            )
        rows.acknowledge(tx, promise.id, actor.id, to_ms(now))
        rows.change(tx, promise.id, holder_id=actor.id, acked_at=to_ms(now))
        promises.note(tx, "reminder acknowledged", actor, promise.incident_id, now, f"{found.ref} ({promise.clock})")
        return rows.reminder(tx, found.id)


def hand_over(ctx: Context, actor: Person, ref: str, to: Person) -> Reminder:
    """Somebody else is in charge of this promise from now on, and is told so."""
    now = ctx.clock.now()
    hold.guard(ctx)
    with ctx.ledger.write() as tx:
        _require_part(tx, actor)
        if not _takes_part(tx, to):
            mend = "Hand it to an author, an operator, or somebody on the rota: dispatcher reminder rota"
            raise Refused(f"{to.name} may not work on incidents.", mend=mend)
        found, promise = _at_hand(tx, ref)
        rows.change(tx, promise.id, holder_id=to.id, acked_at=None)
        incident = incidents.get(tx, promise.incident_id)
        told = staff.tell_in(tx, ctx, [to], _handed(ctx, incident, promise, actor, to, now))
        promises.note(tx, "handed over", actor, incident.id, now, f"{found.ref} ({promise.clock}) to {to.name}")
    if told is not None:
        staff.ring(ctx, told)
    return found


def rota(ctx: Context) -> list[Person]:
    """Who is reminded, in order."""
    with ctx.ledger.read() as tx:
        return [people.get(tx, number) for number in rows.rota(tx)]


def set_rota(ctx: Context, actor: Person, order: Sequence[Person]) -> None:
    """Who is reminded from now on, in this order."""
    require(actor, Right.INCIDENT)
    if len({person.id for person in order}) != len(order):
        raise UsageError("Somebody is named twice.", mend="Name each person once, in the order in which they are told.")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        rows.set_rota(tx, [person.id for person in order])
        names = ", ".join(person.name for person in order) or "nobody"
        broadcasts.note_act(tx, "rota set", now, person_id=actor.id, detail=names)


def _takes_part(tx: Tx, person: Person) -> bool:
    """Who works on incidents, or is on the rota: whoever is reminded can say that it is in hand."""
    return may(person, Right.INCIDENT) or (person.active and person.id in rows.rota(tx))


def _require_part(tx: Tx, actor: Person) -> None:
    if not _takes_part(tx, actor):
        require(actor, Right.INCIDENT)


def _at_hand(tx: Tx, ref: str) -> tuple[Reminder, Promise]:
    found = rows.reminder(tx, reminder_id(ref))
    promise = rows.get(tx, found.promise_id)
    if not promise.is_open:
        raise Refused(f"{found.ref} is over: the promise was {promise.state}.", mend="dispatcher reminder list")
    return found, promise


def _nudges(ctx: Context, tx: Tx, taken: Sequence[Reminder], now: int) -> list[Nudge]:
    """One for each promise and person."""
    last = len(ctx.settings.reminders.late_minutes)
    by_promise: dict[int, list[Reminder]] = {}
    for one in taken:
        by_promise.setdefault(one.promise_id, []).append(one)
    found = []
    for number, some in by_promise.items():
        promise = rows.get(tx, number)
        chain = _who_hears(ctx, tx, promise, some, now)
        if chain is None:
            continue
        by_person: dict[Person | None, list[Reminder]] = {}
        for one in sorted(some, key=lambda r: (r.planned_at, r.id)):
            by_person.setdefault(_whom(chain, promise, one, last), []).append(one)
        found += [Nudge(person, promise, tuple(mine)) for person, mine in by_person.items()]
    return found


def _who_hears(ctx: Context, tx: Tx, promise: Promise, some: Sequence[Reminder], now: int) -> Sequence[Person] | None:
    """The chain, without those who sleep while somebody is awake; None where all sleep and it can wait for them."""
    chain, moment = chain_of(tx, promise, now), from_ms(now)
    if not quiet.apply(ctx, incidents.get(tx, promise.incident_id)):
        return chain
    if until := quiet.wait(ctx, chain, promise, moment):
        rows.put_off(tx, [one.id for one in some], to_ms(until))
        detail = f"{', '.join(one.ref for one in some)} ({promise.clock}) until {promises.said(ctx, until)}"
        promises.note(tx, "reminder waits: quiet hours", PROGRAM, promise.incident_id, moment, detail)
        return None
    return quiet.awake(ctx, chain, moment) or chain


def _whom(chain: Sequence[Person], promise: Promise, one: Reminder, last: int) -> Person | None:
    """The n-th of the chain, round and round. Who acknowledged keeps it to the last step but one."""
    if not chain:
        return None
    if promise.acked_at is not None and one.rank < last:
        return chain[0]
    rank = 1 if promise.acked_at is not None else one.rank
    return chain[rank % len(chain)]


def chain_of(tx: Tx, promise: Promise, now: int) -> list[Person]:
    """Who is told of a promise, in order: whoever is in charge, then the rota, each away person's deputy instead.

    Without a rota: whoever opened the incident, then everybody who may work on one.
    """
    everybody = {person.id: person for person in people.active(tx)}
    opener = incidents.get(tx, promise.incident_id).opened_by or 0
    order = rows.rota(tx) or [opener, *(p.id for p in everybody.values() if may(p, Right.INCIDENT))]
    away = rows.away(tx, now)
    ids = [away.get(number, number) for number in (promise.holder_id or 0, *order)]
    return [everybody[number] for number in dict.fromkeys(ids) if number in everybody]


def _tell(ctx: Context, tx: Tx, nudge: Nudge, now: int) -> staff.Told | None:
    incident = incidents.get(tx, nudge.promise.incident_id)
    newest = nudge.reminders[-1]
    if nudge.person is None:
        promises.note(tx, "reminder for nobody", PROGRAM, incident.id, from_ms(now), f"{newest.ref}: add people first")
        return None
    told = staff.tell_in(tx, ctx, [nudge.person], _notice(ctx, incident, nudge, from_ms(now)))
    number = int(told.ref.removeprefix("B-")) if told is not None and told.ref else None
    rows.set_told(tx, [one.id for one in nudge.reminders], nudge.person.id, number)
    return told


def _notice(ctx: Context, incident: Incident, nudge: Nudge, now: datetime) -> staff.Notice:
    promise, newest = nudge.promise, nudge.reminders[-1]
    due = promises.said(ctx, promise.due_at, nudge.person or PROGRAM)
    left = promise.due_at - now
    when = f"in {promises.spoken(left)}" if left > timedelta() else f"overdue by {promises.spoken(left)}"
    when = "now" if abs(left) < timedelta(seconds=30) else when
    subject = f"{incident.ref}: {_owed(promise)} {when}"
    steps = ", ".join(f"{one.ref} {one.step}" for one in nudge.reminders)
    text = (
        f"{incident.title} ({incident.severity}, {incident.phase}).\n{_owed(promise)}: by {due}, {when}.\n\n"
        f"Say it: {_how_to_say(incident, promise)}\nIn hand: dispatcher reminder ack {newest.ref}\n"
        f"Later: dispatcher reminder snooze {newest.ref} --for 10m\n({steps})"
    )
    return staff.Notice(
        subject=subject, text=text, short=f"{subject} ({due}). {newest.ref}", key=f"reminder:{newest.id}",
        severity=incident.severity, mode=incident.mode, incident_id=incident.id,
    )  # fmt: skip


def _how_to_say(incident: Incident, promise: Promise) -> str:
    """The command that begins what is owed, to those whom it is owed to."""
    if promise.kind is PromiseKind.DUTY:
        return f"dispatcher incident duty {incident.ref} {promise.clock} --done TEXT"
    if promise.clock in _LAST_WORDS:
        words = _LAST_WORDS[promise.clock]
        return f"dispatcher broadcast draft --incident {incident.ref} --template {words} --audience NAME"
    to = "" if promise.clock == Circle.CUSTOMERS else f" --to {promise.clock}"
    return f"dispatcher incident still {incident.ref}{to} --fact changed=TEXT"


_LAST_WORDS = {"closing": "full-restoration", "apology": "apology", "lessons": "lessons"}
"""Templates for what is owed once it is over."""
_WORDS: Mapping[PromiseKind, str] = {
    PromiseKind.PROMISE: "next word promised to {}",
    PromiseKind.TARGET: "word owed to {} by the cadence",
    PromiseKind.DUTY: "regulator's clock {}",
}


def _owed(promise: Promise) -> str:
    if promise.clock in promises.AFTERWARDS:
        return f"still owed: {promise.clock}"
    return _WORDS[promise.kind].format(promise.clock)


def _handed(
    ctx: Context, incident: Incident, promise: Promise, actor: Person, to: Person, now: datetime
) -> staff.Notice:
    subject = f"{incident.ref}: {actor.name} handed you what is owed to {promise.clock}"
    return staff.Notice(
        subject=subject,
        text=f"{incident.title}. {_owed(promise)}: by {promises.said(ctx, promise.due_at, to)}.",
        key=f"handed:{promise.id}:{to_ms(now)}",
        severity=incident.severity,
        mode=incident.mode,
        incident_id=incident.id,
    )
