"""Release waves: page, staff, customers, press under one approval, each held until the one before is out.

The first broadcast leads: its digest covers the order and the digests of the others, its approval is theirs, its send
starts them all. The tick opens each further wave; what it needs to know stands in the ledger, so it may die, run twice
or come late. A wave whose turn came during an outage waits for a person, like any late release.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dispatcher.errors import DispatcherError, IllegalTransition, NotFound, NotPermitted, Refused, UsageError
from dispatcher.ledger import approvals, broadcasts, planning, waves
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.broadcast import Broadcast, broadcast_id, broadcast_ref
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.people import Right, require
from dispatcher.services import hold, marketing, releasing, retracted, sign_off, source, succession, told_promise
from dispatcher.services.context import Context
from dispatcher.services.digests import require_unaltered
from dispatcher.services.wave_order import Wave, ref_of, told_of

_WRITING = (BroadcastState.DRAFT, BroadcastState.RETURNED)
_UNSENT = (*_WRITING, BroadcastState.SUBMITTED, BroadcastState.APPROVED)

log = get(__name__)


def define(ctx: Context, actor: Person, ref: str, order: Sequence[tuple[str, str]]) -> list[Wave]:
    """The order of release: (name, ref, or empty for a person's own work). REF leads, so its ref comes first."""
    require(actor, Right.DRAFT)
    with ctx.ledger.write() as tx:
        lead = broadcasts.get(tx, broadcast_id(ref), lock=True)
        if lead.state not in _WRITING:
            raise IllegalTransition(
                f"{lead.ref} is {lead.state}; its waves are fixed.", mend=f"dispatcher broadcast edit {lead.ref}"
            )
        members = [(name, broadcast_id(one) if one else None) for name, one in order]
        _require_fit(tx, lead, members)
        waves.define(tx, lead.id, members)
        broadcasts.note_edit(tx, lead.id, lead.version, actor.id, to_ms(ctx.clock.now()))
        told = ", ".join(name for name, _ in order)
        broadcasts.note_act(
            tx, "waves set", to_ms(ctx.clock.now()), person_id=actor.id, broadcast_id=lead.id, detail=told
        )
        return told_of(tx, lead.id)


def skip(ctx: Context, actor: Person, ref: str, name: str, reason: str) -> list[Wave]:
    """Wait for this wave no longer. One under way goes on; one that has not begun stays approved and can be sent by
    itself."""
    return _pass(ctx, actor, ref, name, reason, waves.SKIPPED, "wave skipped")


def done(ctx: Context, actor: Person, ref: str, name: str, reason: str = "") -> list[Wave]:
    """A person's own work, as a page that is now published, is out."""
    return _pass(ctx, actor, ref, name, reason or "done by a person", waves.OUT, "wave out")


def leads(tx: Tx, broadcast: Broadcast) -> bool:
    """Whether others go with this broadcast."""
    return bool(waves.of(tx, broadcast.id))


def start(ctx: Context, tx: Tx, lead: Broadcast, at: datetime) -> Broadcast:
    """The lead was sent: all wait from now on, and the first one opens. The caller has checked the lead itself."""
    if not waves.arm(tx, lead.id):
        mend = f"dispatcher broadcast waves {lead.ref} shows how far they are."
        raise IllegalTransition(f"The waves of {lead.ref} were sent already.", mend=mend)
    first = waves.of(tx, lead.id)[0]
    waves.move(tx, lead.id, first.no, waves.WAITING, waves.OPEN, opened_at=to_ms(at))
    return releasing.release(ctx, tx, lead, at) if first.broadcast_id == lead.id else lead


def take_back(tx: Tx, lead: Broadcast) -> bool:
    """Undo of the lead, before anything of it went: the waves wait for another send. Whether there were any."""
    return bool(waves.disarm(tx, lead.id))


def require_ready(tx: Tx, lead: Broadcast) -> None:
    """Return if everything that goes with the lead is approved and as it was then."""
    for number in waves.members(tx, lead.id):
        one = broadcasts.get(tx, number)
        if one.state is not BroadcastState.APPROVED:
            raise Refused(
                f"{one.ref} goes with {lead.ref} and is {one.state}.",
                mend=f"dispatcher broadcast submit {one.ref}, then submit and approve {lead.ref} again.",
            )
        require_unaltered(tx, one)


def require_submitted(tx: Tx, lead: Broadcast) -> None:
    """Return if the words of all that goes with the lead are frozen, so that its digest covers them."""
    for number in waves.members(tx, lead.id):
        one = broadcasts.get(tx, number)
        if one.state not in (BroadcastState.SUBMITTED, BroadcastState.APPROVED):
            raise Refused(
                f"{one.ref} goes with {lead.ref}.", mend=f"dispatcher broadcast submit {one.ref} comes first."
            )


def require_alone(tx: Tx, broadcast: Broadcast, verb: str) -> None:
    """Return unless another broadcast leads this one; one whose wave was skipped is free again."""
    place = waves.place(tx, broadcast.id)
    if place is not None and place.lead_id != broadcast.id and place.state != waves.SKIPPED:
        lead = broadcast_ref(place.lead_id)
        raise Refused(f"{broadcast.ref} is a wave of {lead}.", mend=f"dispatcher broadcast {verb} {lead}")


def followers(tx: Tx, lead: Broadcast) -> list[int]:
    """The broadcasts that go with this one."""
    return waves.members(tx, lead.id)


def approve_followers(tx: Tx, lead: Broadcast, yeses: Sequence[Row[Any]], now: int) -> None:
    """The yes to the lead is a yes to all that its digest covers."""
    for number in waves.members(tx, lead.id):
        one = broadcasts.get(tx, number, lock=True)
        require_unaltered(tx, one)
        known = approvals.decisions(tx, one.id, one.digest or "", ["approve", "break_glass"])
        said = {(row.person_id, row.decision) for row in known}
        for row in (row for row in yeses if (row.person_id, row.decision) not in said):
            broadcasts.add_approval(
                tx, one, row.person_id, row.level, row.decision, f"as a wave of {lead.ref}", now, for_id=row.for_id
            )
        if one.state is BroadcastState.SUBMITTED:
            broadcasts.move(tx, one, BroadcastState.APPROVED, approved_at=now)
        broadcasts.note_act(tx, "approved", now, broadcast_id=one.id, detail=f"as a wave of {lead.ref}")


def lock_lead(tx: Tx, number: int) -> None:
    """Whoever locks a follower and its lead locks the lead first, as its approval and the tick do."""
    place = waves.place(tx, number)
    if place is not None and place.lead_id != number:
        broadcasts.get(tx, place.lead_id, lock=True)


def void_lead(tx: Tx, broadcast: Broadcast) -> None:
    """An edit of what goes with a lead: the lead's approval is void too, and so is its send."""
    place = waves.place(tx, broadcast.id)
    if place is None or place.lead_id == broadcast.id:
        return
    lead = broadcasts.get(tx, place.lead_id, lock=True)
    if lead.state in (BroadcastState.SUBMITTED, BroadcastState.APPROVED):
        broadcasts.move(tx, lead, BroadcastState.DRAFT)
        planning.clear(tx, lead.id)
        take_back(tx, lead)
        approvals.void(tx, lead.id)
        broadcasts.change(tx, lead.id, digest=None, approved_at=None, submitted_at=None, audience_size=None)


def run(ctx: Context, now: int) -> None:
    """Note which waves are out and open those whose turn it is: each in a transaction of its own."""
    with ctx.ledger.read() as tx:
        out, due = waves.now_out(tx), waves.due(tx)
    for row in out:
        with ctx.ledger.write() as tx:
            waves.move(tx, row.lead_id, row.no, waves.OPEN, waves.OUT, out_at=row.at or now)
    if out:
        with ctx.ledger.read() as tx:
            due = waves.due(tx)
    for row in due:
        _open(ctx, row, now)


def _open(ctx: Context, row: Row[Any], now: int) -> None:
    try:
        with ctx.ledger.write() as tx:
            lead = broadcasts.get(tx, row.lead_id, lock=True)
            if not waves.move(tx, lead.id, row.no, waves.WAITING, waves.OPEN, opened_at=now):
                return
            broadcasts.note_act(
                tx, "wave opened", now, door="program", broadcast_id=lead.id, detail=f"{row.no} {row.name}"
            )
            if row.broadcast_id is None:
                return
            released = _release(ctx, tx, row, now)
    except DispatcherError as error:
        _hold(ctx, row, error)
        return
    releasing.ring_what_is_due(ctx, released, ctx.clock.now())


def _release(ctx: Context, tx: Tx, row: Row[Any], now: int) -> Broadcast:
    one = broadcasts.get(tx, row.broadcast_id, lock=True)
    if one.state is not BroadcastState.APPROVED:
        raise IllegalTransition(f"{one.ref} is {one.state}.")
    if left := sign_off.missing(ctx, tx, one, source.standing(ctx, one), require_unaltered(tx, one)):
        raise NotPermitted(f"{one.ref} needs another approval.", why=f"Missing: {', '.join(left)}.")
    marketing.require_quiet(ctx, tx, one)
    succession.require_newest(ctx, tx, one)
    retracted.require_none(ctx, tx, one)
    told_promise.require_ahead(ctx, tx, one, ctx.clock.now())
    at = from_ms(min(row.since or now, now))
    broadcasts.note_act(tx, "sent", now, door="program", broadcast_id=one.id, detail=f"as wave {row.no}: {row.name}")
    return releasing.release(ctx, tx, one, at or ctx.clock.now())


def _hold(ctx: Context, row: Row[Any], error: DispatcherError) -> None:
    """It may not go as it stands; a person sees why. Nothing of the failed release was written."""
    with ctx.ledger.write() as tx:
        told = waves.explain(tx, row.lead_id, row.no, f"{error.what} {error.why}".strip())
    if told:
        log.warning("wave_held", lead=row.lead_id, wave=row.no, why=error.code)


def _pass(ctx: Context, actor: Person, ref: str, name: str, reason: str, to: str, verb: str) -> list[Wave]:
    require(actor, Right.SEND)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        lead = broadcasts.get(tx, broadcast_id(ref), lock=True)
        found = [one for one in waves.of(tx, lead.id) if name in (one.name, str(one.no), ref_of(one))]
        if not found:
            raise NotFound(f"{lead.ref} has no wave {name!r}.", mend=f"dispatcher broadcast waves {lead.ref}")
        [one] = found[:1]
        if to == waves.OUT and one.broadcast_id is not None:
            raise Refused(f"{one.name} is out when the ledger says so.", mend="skip lets the next one go.")
        if one.state not in (waves.WAITING, waves.OPEN):
            raise IllegalTransition(f"The wave {one.name} is {one.state}.", mend="Only one that is awaited can pass.")
        waves.move(tx, lead.id, one.no, one.state, to, reason=reason.strip(), out_at=None)
        broadcasts.note_act(
            tx, verb, now, person_id=actor.id, broadcast_id=lead.id, detail=f"{one.name}: {reason.strip()}"
        )
    if not hold.guard(ctx):
        run(ctx, now)
    with ctx.ledger.read() as tx:
        return told_of(tx, lead.id)


def _require_fit(tx: Tx, lead: Broadcast, members: Sequence[tuple[str, int | None]]) -> None:
    numbers = [one for _, one in members if one is not None]
    names = [name for name, _ in members]
    if not numbers or numbers[0] != lead.id or len(set(numbers)) < len(numbers) or len(set(names)) < len(names):
        raise UsageError(f"{lead.ref} comes first, and each wave once.", mend=f"--order page,{lead.ref},B-8,B-9")
    if len(members) < 2:
        raise UsageError("One wave is no order.", mend=f"--order page,{lead.ref}")
    for number in numbers[1:]:
        one = broadcasts.get(tx, number, lock=True)
        if one.state not in _UNSENT or one.mode != lead.mode or waves.members(tx, one.id):
            raise Refused(f"{one.ref} cannot go with {lead.ref}: it is {one.mode}, {one.state}, or leads others.")
        place = waves.place(tx, one.id)
        if place is not None and place.lead_id != lead.id:
            raise Refused(f"{one.ref} is a wave of {broadcast_ref(place.lead_id)} already.", mend="Draft it anew.")
