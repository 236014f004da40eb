"""The promise clocks: one per incident and circle of readers. Each promise is a row that ends kept, missed or moved.

A clock runs from the moment a promise is made. The first hand-over of a broadcast to those readers settles it and
starts the next one with the time that the broadcast told. While the trouble lasts a clock never stops: where a word
told no time that is still ahead, the cadence says when the next one is due, as a target of our own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dispatcher.errors import NotFound, TemplateError, UsageError
from dispatcher.ledger import broadcasts, incidents
from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.log import get
from dispatcher.model.broadcast import Broadcast, broadcast_ref
from dispatcher.model.clock import from_ms, in_words, to_ms
from dispatcher.model.incident import Incident, Phase, Visibility
from dispatcher.model.kinds import Purpose
from dispatcher.model.person import Person
from dispatcher.model.promise import Circle, Promise, PromiseKind, PromiseState, schedule
from dispatcher.model.template import Profile, Template
from dispatcher.people import PROGRAM, door_of
from dispatcher.services import cadence, source
from dispatcher.services.context import Context

_CIRCLES = {
    "customers": Circle.CUSTOMERS, "public": Circle.CUSTOMERS, "employees": Circle.EMPLOYEES,
    "front_line": Circle.EMPLOYEES, "suppliers": Circle.SUPPLIERS, "partners": Circle.SUPPLIERS,
    "press": Circle.PRESS, "executives": Circle.EXECUTIVES,
}  # fmt: skip
_HEARS = {
    Visibility.PUBLIC: tuple(Circle),
    Visibility.INTERNAL: (Circle.EMPLOYEES, Circle.EXECUTIVES),
    Visibility.PRIVATE: (),
}
_NO_NEWS = frozenset({Profile.THANKS, Profile.WARNING})
AFTERWARDS = {"closing": timedelta(minutes=30), "apology": timedelta(hours=24), "lessons": timedelta(days=14)}
"""What readers are still owed once it is over, from the moment it was resolved."""
_NOTICED_MS = 2 * 24 * 3600 * 1000

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a message to these readers has to keep to.

    `next_update_at` is what it will tell; `longest` the silence that the cadence allows now, `announced` a longer one
    that readers were told of, `latest` the last moment that both allow. None: no limit, only a change is told.
    """

    circle: Circle
    next_update_at: datetime | None
    longest: timedelta | None
    announced: timedelta | None
    latest: datetime | None


@dataclass(frozen=True, slots=True)
class Word:
    """Something said to readers: when a vendor first took it, by which broadcast, and what it told of the next one.

    `ends` is the closing note, after which nobody waits for another.
    """

    at: datetime
    broadcast_id: int | None = None
    written_at: datetime | None = None
    next_at: datetime | None = None
    ends: bool = False


def circle_of(template: Template, audience: str = "") -> Circle:
    """Whose clock a message belongs to: the audience's own name if it is a circle's, else the template's readers."""
    if audience in _CIRCLES:
        return _CIRCLES[audience]
    return next((_CIRCLES[one] for one in template.audiences if one in _CIRCLES), Circle.CUSTOMERS)


def terms(ctx: Context, tx: Tx, incident: Incident, circle: Circle, proposed: datetime | None = None) -> Terms:
    """What holds for a message about this incident to these readers. `proposed` is the broadcast's own next update."""
    now = ctx.clock.now()
    running = rows.running(tx, incident.id).get(circle)
    promised = running.due_at if running is not None and running.kind is PromiseKind.PROMISE else None
    usual = cadence.interval(ctx, incident, circle, now)
    announced = rows.last_every(tx, incident.id, circle)
    longest = max(usual, announced) if usual and announced else usual
    return Terms(
        circle,
        proposed or promised or incident.next_update_at,
        usual,
        announced,
        cadence.latest(ctx, longest, now) if longest else None,
    )


def of_broadcast(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> Terms | None:
    """The terms of a broadcast; None where it is about no incident."""
    if broadcast.incident_id is None:
        return None
    incident = incidents.get(tx, broadcast.incident_id)
    circle = circle_of(template, rows.audience_of(tx, broadcast.id))
    return terms(ctx, tx, incident, circle, broadcast.next_update_at)


def suggest(ctx: Context, tx: Tx, incident: Incident, circle: Circle) -> datetime | None:
    """When the next word would be due by the cadence, or by the interval that was announced."""
    now = ctx.clock.now()
    span = rows.last_every(tx, incident.id, circle) or cadence.interval(ctx, incident, circle, now)
    return cadence.next_due(ctx, span, now) if span else None


def begin(ctx: Context, tx: Tx, incident: Incident) -> None:
    """The clocks of an incident as visible as it is now: who may hear of it, hears the first word within the cadence.

    These are our own targets; nobody was promised anything yet. Who may not hear of it any more is owed nothing.
    """
    now, hears = ctx.clock.now(), _HEARS[incident.visibility]
    for clock, running in rows.running(tx, incident.id, lock=True).items():
        if clock in set(Circle) - set(hears):
            rows.settle(tx, running.id, PromiseState.DROPPED, to_ms(now))
            if clock == Circle.CUSTOMERS:
                incidents.change(tx, incident.id, next_update_at=None)
    begun = {one.clock for one in rows.of(tx, incident.id) if one.state is not PromiseState.DROPPED}
    for circle in hears:
        span = cadence.first_word(ctx, incident, circle)
        if span is not None and circle not in begun:
            _start(ctx, tx, incident, circle, now + span, now, kind=PromiseKind.TARGET)


def make(
    ctx: Context,
    tx: Tx,
    actor: Person,
    incident: Incident,
    at: datetime,
    *,
    circle: Circle = Circle.CUSTOMERS,
    every: timedelta | None = None,
) -> Promise:
    """Promise these readers the next word by `at`. The promise before it is settled; both stay on record."""
    now = ctx.clock.now()
    if at <= now:
        raise UsageError(
            "The next update cannot be promised for a time that has passed.", mend="Name a later time, with its zone."
        )
    before = rows.running(tx, incident.id, lock=True).get(circle)
    if before is not None:
        _replace(ctx, tx, actor, incident, before, now)
    made = _start(
        ctx, tx, incident, circle, at, now, by=actor, every=every, holder=before.holder_id if before else None
    )
    if before is not None and before.kind is PromiseKind.PROMISE and now < before.due_at < at:
        rows.add_step(tx, made.id, "moved", 0, to_ms(before.due_at))
    verb = "promised" if circle is Circle.CUSTOMERS else f"promised to {circle}"
    note(tx, verb, actor, incident.id, now, at.isoformat(timespec="minutes"))
    if every is not None:
        note(tx, "interval announced", actor, incident.id, now, f"{circle}: every {spoken(every)}")
    return made


def _replace(ctx: Context, tx: Tx, actor: Person, incident: Incident, before: Promise, now: datetime) -> None:
    """What becomes of a promise that another one takes the place of."""
    state = PromiseState.MOVED if before.kind is PromiseKind.PROMISE else PromiseState.DROPPED
    if now > before.due_at:
        state = PromiseState.MISSED
    rows.settle(tx, before.id, state, to_ms(now))
    if state is not PromiseState.DROPPED and before.kind is PromiseKind.PROMISE:
        note(tx, f"promise {state}", actor, incident.id, now, f"{before.clock}: {said(ctx, before.due_at)}")


def _start(
    ctx: Context,
    tx: Tx,
    incident: Incident,
    clock: str,
    due: datetime,
    made_at: datetime,
    *,
    kind: PromiseKind = PromiseKind.PROMISE,
    by: Person = PROGRAM,
    every: timedelta | None = None,
    told_by: int | None = None,
    holder: int | None = None,
) -> Promise:
    told = ctx.settings.reminders
    made = Promise(
        0, incident.id, str(clock), kind, PromiseState.OPEN, made_at, due, by.id, every, told_by, holder
    )  # fmt: skip
    steps = schedule(made_at, due, told.early, told.late_minutes)
    if clock == Circle.CUSTOMERS and kind is PromiseKind.PROMISE:
        incidents.change(tx, incident.id, next_update_at=to_ms(due))
    return rows.make(tx, made, [(step, rank, to_ms(moment)) for step, rank, moment in steps])


def start_duty(
    ctx: Context, tx: Tx, actor: Person, incident: Incident, name: str, since: datetime
) -> Sequence[Promise]:
    """Start the clock of a regulator, or of all whose names begin so; a clock that runs already goes on."""
    names = [one for one in ctx.settings.duties.all() if one == name or one.startswith(f"{name}_")]
    if not names:
        raise NotFound(f"No duty is called {name!r}.", mend=f"Known: {', '.join(ctx.settings.duties.all())}.")
    running = rows.running(tx, incident.id, lock=True)
    made = []
    for one in (one for one in names if one not in running):
        due = cadence.duty_due(ctx, one, since)
        made.append(_start(ctx, tx, incident, one, due, since, kind=PromiseKind.DUTY, by=actor))
        note(tx, "duty begun", actor, incident.id, ctx.clock.now(), f"{one}: {said(ctx, due)}")
    return made


def end_duty(ctx: Context, tx: Tx, actor: Person, incident: Incident, name: str, detail: str = "") -> Promise:
    """The regulator was told; kept or missed by the clock."""
    now = ctx.clock.now()
    running = rows.running(tx, incident.id, lock=True).get(name)
    if running is None or running.kind is not PromiseKind.DUTY:
        raise NotFound(f"No clock {name!r} runs for {incident.ref}.", mend=f"dispatcher incident show {incident.ref}")
    state = PromiseState.KEPT if now <= running.due_at else PromiseState.MISSED
    rows.settle(tx, running.id, state, to_ms(now))
    note(tx, f"duty {state}", actor, incident.id, now, f"{name} {detail}".strip())
    return rows.get(tx, running.id)


def resolved(ctx: Context, tx: Tx, incident: Incident) -> None:
    """It is over for those who heard of it: from now on we owe them the closing note, the apology and the lessons."""
    if incident.first_word_at is None:
        return
    now, running = ctx.clock.now(), rows.running(tx, incident.id, lock=True)
    for name, span in AFTERWARDS.items():
        if name not in running:
            _start(ctx, tx, incident, name, now + span, now, kind=PromiseKind.TARGET)


def end(ctx: Context, tx: Tx, actor: Person, incident: Incident) -> None:
    """Every clock of an incident stops: what was due and not kept is missed, the rest is dropped."""
    now = ctx.clock.now()
    for promise in rows.running(tx, incident.id, lock=True).values():
        state = PromiseState.MISSED if promise.due_at < now else PromiseState.DROPPED
        rows.settle(tx, promise.id, state, to_ms(now))


def hear(ctx: Context, now: int) -> int:
    """Notice the words that vendors have taken since; how many. Each broadcast counts once, whoever looks.

    One whose template is broken waits until it is mended: its kind is not known, and it holds up no other.
    """
    with ctx.ledger.read() as tx:
        waiting = rows.unworded(tx, now, now - _NOTICED_MS)
        said_at = {number: at for number in waiting if (at := rows.first_told_at(tx, number)) is not None}
    for number, at in said_at.items():
        try:
            with ctx.ledger.write() as tx:
                if rows.note_word(tx, number, at):
                    _heard(ctx, tx, broadcasts.get(tx, number), from_ms(at))
        except TemplateError as error:
            log.warning("word_waits_for_its_template", broadcast=broadcast_ref(number), why=error.what)
    return len(said_at)


def _heard(ctx: Context, tx: Tx, broadcast: Broadcast, at: datetime) -> None:
    incident = incidents.get(tx, broadcast.incident_id or 0, lock=True)
    try:
        template = source.standing(ctx, broadcast)
    except NotFound:
        return
    if template.profile in _NO_NEWS or broadcast.purpose is Purpose.PROMOTIONAL:
        return
    ends = template.profile is Profile.CLOSING
    word = Word(at, broadcast.id, broadcast.submitted_at, broadcast.next_update_at, ends)
    word_said(ctx, tx, incident, circle_of(template, rows.audience_of(tx, broadcast.id)), word)
    _settle_afterwards(tx, incident, template, word)


def word_said(ctx: Context, tx: Tx, incident: Incident, circle: Circle, word: Word) -> None:
    """Readers heard from us: their promise is kept or missed, and the next one begins with what they were told."""
    if circle is Circle.CUSTOMERS and incident.first_word_at is None:
        incidents.change(tx, incident.id, first_word_at=to_ms(word.at), first_word_by=word.broadcast_id)
        minutes = (word.at - incident.opened_at).total_seconds() / 60
        note(tx, "first word", PROGRAM, incident.id, word.at, f"{minutes:.1f} minutes after it was opened")
    if not incident.is_open:
        return
    first = not rows.words_to(tx, incident.id, circle)
    running = rows.running(tx, incident.id, lock=True).get(circle)
    if running is not None and _announces(running, word):
        _announced(ctx, tx, running, word)
        stands: Promise | None = running
    else:
        stands = _renewed(ctx, tx, incident, circle, running, word)
    scope = cadence.scope_after(ctx, incident, circle)
    if first and scope and stands is not None and word.at + scope < stands.due_at:
        rows.add_step(tx, stands.id, "scope", 0, to_ms(word.at + scope))


def _announces(running: Promise, word: Word) -> bool:
    """Whether this word is the one that tells readers of a promise made for it."""
    if running.kind is not PromiseKind.PROMISE or running.told_by is not None or running.due_at <= word.at:
        return False
    return running.made_at <= (word.written_at or word.at) and word.next_at in (None, running.due_at)


def _announced(ctx: Context, tx: Tx, running: Promise, word: Word) -> None:
    rows.change(tx, running.id, told_by=word.broadcast_id)
    rows.drop_reminders(tx, running.id, to_ms(word.at), "moved")
    before = rows.moved_into(tx, running)
    if before is not None:
        _close(ctx, tx, before, word)


def _renewed(
    ctx: Context, tx: Tx, incident: Incident, circle: Circle, running: Promise | None, word: Word
) -> Promise | None:
    """The running promise ends with this word; the next one is what the word told, or the time it told again, or what
    the cadence says."""
    told = word.next_at
    if running is not None:
        _close(ctx, tx, running, word)
        if told is None and running.kind is PromiseKind.PROMISE:
            told = running.due_at
    holder = running.holder_id if running else None
    if told is not None and told > word.at and not word.ends:
        return _start(ctx, tx, incident, circle, told, word.at, told_by=word.broadcast_id, holder=holder)
    if circle is Circle.CUSTOMERS and running is not None:
        incidents.change(tx, incident.id, next_update_at=None)
    return None if word.ends or incident.phase is Phase.RESOLVED else _owed(ctx, tx, incident, circle, word, holder)


def _owed(ctx: Context, tx: Tx, incident: Incident, circle: Circle, word: Word, holder: int | None) -> Promise | None:
    """Readers were told no next time that is still ahead: the cadence runs for us, though nobody was promised it."""
    span = rows.last_every(tx, incident.id, circle) or cadence.interval(ctx, incident, circle, word.at)
    if span is None:
        return None
    due = cadence.next_due(ctx, span, word.at)
    note(tx, "no next time told", PROGRAM, incident.id, word.at, f"{circle}: by the cadence {said(ctx, due)}")
    return _start(
        ctx, tx, incident, circle, due, word.at, kind=PromiseKind.TARGET, told_by=word.broadcast_id, holder=holder
    )


def _close(ctx: Context, tx: Tx, promise: Promise, word: Word) -> None:
    state = PromiseState.KEPT if word.at <= promise.due_at else PromiseState.MISSED
    rows.settle(tx, promise.id, state, to_ms(word.at), word.broadcast_id)
    if state is PromiseState.KEPT and promise.missed_at is not None:
        rows.change(tx, promise.id, missed_at=None)  # a clock that ran ahead said so, and was set right
    verb = {PromiseState.KEPT: "kept", PromiseState.MISSED: "kept late"}[state]
    note(tx, f"promise {verb}", PROGRAM, promise.incident_id, word.at, f"{promise.clock}: {said(ctx, promise.due_at)}")


def _settle_afterwards(tx: Tx, incident: Incident, template: Template, word: Word) -> None:
    by_profile = {Profile.CLOSING: "closing", Profile.APOLOGY: "apology"}
    wanted = template.id if template.id in AFTERWARDS else by_profile.get(template.profile, "")
    owed = rows.running(tx, incident.id).get(wanted)
    if owed is not None and owed.kind is PromiseKind.TARGET and wanted in AFTERWARDS:
        state = PromiseState.KEPT if word.at <= owed.due_at else PromiseState.MISSED
        rows.settle(tx, owed.id, state, to_ms(word.at), word.broadcast_id)


def miss(ctx: Context, now: int) -> int:
    """Write down the promises that have just been broken; how many. Each is noted once."""
    with ctx.ledger.read() as tx:
        if not rows.any_missed(tx, now):
            return 0
    with ctx.ledger.write() as tx:
        broken = rows.miss(tx, now)
        for promise in broken:
            verb = "promise missed" if promise.kind is PromiseKind.PROMISE else f"{promise.kind} missed"
            note(tx, verb, PROGRAM, promise.incident_id, from_ms(now), f"{promise.clock}: {said(ctx, promise.due_at)}")
    return len(broken)


def said(ctx: Context, at: datetime, reader: Person = PROGRAM) -> str:
    """An instant in the reader's zone, by default the organisation's, and in UTC."""
    return in_words(at, ZoneInfo(reader.zone or ctx.settings.organisation.time_zone))


def spoken(span: timedelta) -> str:
    """`1 d 2 h`, `45 min`."""
    minutes = round(abs(span.total_seconds()) / 60)
    days, hours = divmod(minutes // 60, 24)[0], minutes // 60 % 24
    pieces = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes % 60} min" if minutes % 60 else ""]
    return " ".join(piece for piece in pieces if piece) or "0 min"


def note(tx: Tx, verb: str, actor: Person, number: int, now: datetime, detail: str, *, door: str = "") -> None:
    """A line of the timeline; what the clock itself does, by no door that is named, is the program's."""
    door = door or ("program" if actor is PROGRAM else door_of(actor))
    broadcasts.note_act(tx, verb, to_ms(now), person_id=actor.id or None, door=door, incident_id=number, detail=detail)
