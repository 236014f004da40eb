"""The fact sheet of an incident: set, retract, list. Every value that ever stood there is kept."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile
from pathlib import Path

from dispatcher.compose.factfile import read_fact_file
from dispatcher.compose.facts import read_facts, unknown_name
from dispatcher.errors import NotFound, Refused, TemplateError, UsageError
from dispatcher.ledger import broadcasts, derived, incidents
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import Fact, FactKey, FactKind, FactSpec
from dispatcher.model.incident import Incident
from dispatcher.model.kinds import FactState
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.people import Right, door_of, may, require
from dispatcher.services import followups, own_facts, source
from dispatcher.services.context import Context

_OUT = frozenset(
    {
        BroadcastState.RELEASED,
        BroadcastState.PAUSED,
        BroadcastState.STOPPED,
        BroadcastState.EXPIRED,
        BroadcastState.DONE,
    }
)
_DRAFTED = frozenset({BroadcastState.DRAFT, BroadcastState.RETURNED})
_WAITING = frozenset({BroadcastState.SUBMITTED, BroadcastState.APPROVED}) | _DRAFTED
_STATED = frozenset({FactState.BELIEVED, FactState.CONFIRMED})


@dataclass(frozen=True, slots=True)
class Telling:
    """How sure we are, who says so, and since when it is true. `kind` is the type of a fact that no template knows."""

    state: FactState = FactState.CONFIRMED
    source: str = ""
    as_of: datetime | None = None
    kind: FactKind | None = None


@dataclass(frozen=True, slots=True)
class Retraction:
    """What was taken back, the broadcasts that had told it, and the corrections drafted for whom they reached.

    `would_tell` are those that say it and have not left: edit or reject them.
    """

    facts: tuple[Fact, ...]
    told_by: tuple[Broadcast, ...]
    drafts: tuple[Broadcast, ...] = ()
    would_tell: tuple[Broadcast, ...] = ()


def read_file(path: Path) -> dict[FactKey, object]:
    """Raw facts of a TOML or JSON file by (name, locale)."""
    return read_fact_file(path)


def set_facts(
    ctx: Context, actor: Person, ref: str, raw: Mapping[FactKey, object], telling: Telling = Telling()
) -> list[Fact]:
    """Facts as they stand from now on, all or none. With the state unknown a fact keeps no value."""
    require(actor, Right.INCIDENT)
    if telling.state is FactState.RETRACTED:
        raise UsageError("A fact is taken back with retract.", mend="dispatcher fact retract REF NAME --reason WHY")
    facts = _typed(ctx, actor, raw, telling)
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        _put(tx, ctx, actor, incident, facts, f"facts {telling.state}")
    return facts


def confirm(
    ctx: Context, actor: Person, ref: str, names: Collection[str] = (), *, seen: Collection[Fact] | None = None
) -> list[Fact]:
    """A person stands in for what was only believed, such as what a machine told: the same values, confirmed. Without
    names all that is believed; a name that stands for nothing believed is refused.

    `seen` is what the person was shown: what a machine has told since then stays believed.
    """
    require(actor, Right.INCIDENT)
    now = ctx.clock.now()
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        believed = [fact for fact in incidents.facts(tx, incident.id) if fact.state is FactState.BELIEVED]
        if strange := sorted(set(names) - {fact.name for fact in believed}):
            raise NotFound(f"{strange[0]} is not believed.", mend=f"dispatcher fact list {incident.ref}")
        sure = [
            replace(fact, state=FactState.CONFIRMED, source=fact.source or actor.name, set_by=actor.name, set_at=now)
            for fact in believed
            if (not names or fact.name in names) and (seen is None or fact in seen)
        ]
        if sure:
            _put(tx, ctx, actor, incident, sure, "facts confirmed")
    return sure


def believed(ctx: Context, ref: str) -> list[Fact]:
    """What nobody has confirmed yet."""
    with ctx.ledger.read() as tx:
        standing = incidents.facts(tx, incidents.by_ref(tx, ref).id)
    return [fact for fact in standing if fact.state is FactState.BELIEVED]


def retract_fact(ctx: Context, actor: Person, ref: str, name: str, reason: str) -> Retraction:
    """Take a fact back, in every language. Nothing may state it any more; who told it is listed, also where its author
    had given it to the broadcast. One that only broadcasts were given is taken back with every value they have.

    Where the person may draft, the correction of each such broadcast is drafted in the same moment, for exactly those
    whom it reached or may have reached, and what of it has not left is held. What is released and has reached nobody
    yet is held whoever retracts.
    """
    require(actor, Right.INCIDENT)
    if not reason.strip():
        raise UsageError("A retraction needs its reason.", mend='Add --reason "..."')
    with ctx.ledger.write() as tx:
        incident = _open(tx, ref)
        standing = _standing(ctx, tx, incident, name)
        said = [_since_first_said(tx, incident, fact) for fact in standing]
        taken = [replace(fact, state=FactState.RETRACTED, source=reason.strip()) for fact in standing]
        _put(tx, ctx, actor, incident, sorted(taken, key=lambda fact: fact.locale or ""), "facts retracted")
        told = _told_by(ctx, tx, incident, said, _OUT)
        would = _told_by(ctx, tx, incident, said, _WAITING)
        reached = [one for one in told if derived.reached_anybody(tx, one.id)]
        for one in (one for one in told if one not in reached):
            followups.hold_in(ctx, tx, actor, broadcasts.get(tx, one.id, lock=True))
        drafts = _corrections(ctx, tx, actor, reached) if may(actor, Right.DRAFT) else ()
    return Retraction(tuple(taken), told, drafts, would)


def _standing(ctx: Context, tx: Tx, incident: Incident, name: str) -> list[Fact]:
    """What there is to take back: the sheet's; of what it never held, what broadcasts were given by their authors."""
    sheet = [fact for fact in incidents.facts(tx, incident.id) if fact.name == name]
    if said := [fact for fact in sheet if fact.state is not FactState.RETRACTED]:
        return said
    about = (broadcasts.get(tx, number) for number in incidents.broadcast_ids(tx, incident.id))
    given = [f for one in about if name in own_facts.standing(ctx, tx, one) for f in own_facts.of(ctx, one)]
    if (found := [f for f in given if f.name == name]) and not sheet:
        return list({(f.locale, repr(f.value)): replace(f, set_at=None) for f in found}.values())
    raise NotFound(f"{incident.ref} has no fact {name}.", mend=f"dispatcher fact list {incident.ref}")


def list_facts(ctx: Context, ref: str, *, name: str = "", history: bool = False) -> list[Fact]:
    """The fact sheet as it stands; with `history` every value it ever had, the oldest first."""
    with ctx.ledger.read() as tx:
        incident = incidents.by_ref(tx, ref)
        found = incidents.history(tx, incident.id) if history else incidents.facts(tx, incident.id)
    return [fact for fact in found if name in ("", fact.name)]


def _open(tx: Tx, ref: str) -> Incident:
    incident = incidents.by_ref(tx, ref, lock=True)
    if not incident.is_open:
        raise Refused(f"{incident.ref} is closed.", mend="Open a new incident: dispatcher incident open")
    return incident


def _put(tx: Tx, ctx: Context, actor: Person, incident: Incident, facts: Iterable[Fact], verb: str) -> None:
    """Our own language goes first: a new value there makes the translations that stood until now void."""
    now = to_ms(ctx.clock.now())
    ordered = sorted(facts, key=lambda fact: (fact.name, fact.locale or ""))
    for fact in ordered:
        incidents.put_fact(tx, incident.id, fact, actor.id, now)
    names = ", ".join(sorted({fact.name for fact in ordered}))
    broadcasts.note_act(tx, verb, now, person_id=actor.id, door=door_of(actor), incident_id=incident.id, detail=names)


def _typed(ctx: Context, actor: Person, raw: Mapping[FactKey, object], telling: Telling) -> list[Fact]:
    now = ctx.clock.now()
    specs = _specs(ctx, {name for name, _ in raw}, telling.kind)
    as_of = telling.as_of or now
    if telling.state is FactState.UNKNOWN:
        return [
            Fact(name, specs[name].kind, None, telling.state, locale, telling.source, as_of, actor.name, now)
            for name, locale in raw
        ]
    return read_facts(
        specs.values(),
        raw,
        state=telling.state,
        source=telling.source,
        as_of=as_of,
        set_by=actor.name,
        set_at=now,
    )


def _specs(ctx: Context, names: set[str], kind: FactKind | None) -> dict[str, FactSpec]:
    """The type of each fact: as the templates know it, else as the caller says."""
    known = ctx.catalogue.vocabulary()
    strange = sorted(names - known.keys())
    if strange and kind is None:
        raise TemplateError(
            f"No template knows the fact {strange[0]}.",
            why=_unknown(ctx, strange[0], known),
            mend="Correct the name, or keep it for ourselves with --kind line.",
            code="E-FACT",
        )
    own = {name: FactSpec(name, kind, required=False) for name in strange if kind}
    return {name: known[name] for name in names & known.keys()} | own


def _unknown(ctx: Context, name: str, known: Mapping[str, FactSpec]) -> str:
    """Why no template knows it: perhaps because the one that does cannot be read."""
    broken = ctx.catalogue.unreadable()
    return f"The template {broken[0]} cannot be read; it may know it." if broken else unknown_name(name, known)


def _corrections(ctx: Context, tx: Tx, actor: Person, told: Iterable[Broadcast]) -> tuple[Broadcast, ...]:
    """A draft for each broadcast; all of them reached somebody."""
    return tuple(followups.correct_in(ctx, tx, actor, broadcasts.get(tx, one.id, lock=True)) for one in told)


def _since_first_said(tx: Tx, incident: Incident, fact: Fact) -> Fact:
    """The fact with the moment from which it stood with this value, however often it was set anew: what is believed
    at first and confirmed an hour later was told in between as well."""
    earlier = [one for one in incidents.history(tx, incident.id, fact.name) if one.locale == fact.locale]
    run = takewhile(lambda one: one.value == fact.value and one.state in _STATED, reversed(earlier))
    return replace(fact, set_at=min((one.set_at for one in run if one.set_at), default=fact.set_at))


def _told_by(
    ctx: Context, tx: Tx, incident: Incident, facts: list[Fact], states: Collection[BroadcastState]
) -> tuple[Broadcast, ...]:
    """Broadcasts in these states that state one of the facts: by their author's own words, or since their words were
    frozen after the fact was set and their template asks for it."""
    about = [broadcasts.get(tx, number) for number in incidents.broadcast_ids(tx, incident.id)]
    return tuple(
        one
        for one in about
        if one.state in states and (own_facts.state(ctx, one, facts) or any(_tells(ctx, one, fact) for fact in facts))
    )


def _tells(ctx: Context, broadcast: Broadcast, fact: Fact) -> bool:
    if broadcast.state in _DRAFTED:
        return False
    if broadcast.submitted_at is None or fact.set_at is None or broadcast.submitted_at < fact.set_at:
        return False
    if any(name == fact.name for name, _, _ in broadcast.facts):
        return False
    try:
        return source.standing(ctx, broadcast).spec(fact.name) is not None
    except (NotFound, TemplateError):  # gone, or broken since: it may well state it
        return True
