"""The firewall between promotion and everything else.

Promotion goes to people who agreed, with one click to end it: whoever of an audience has not agreed is left out. It
waits for a person while an incident goes on: for incidents of the same mode whose severity the settings name, unless
the incident is resolved; for one that the public does not know of only where it is critical or life-safety, as a small
internal trouble is no reason for silence and a hidden grave one is.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from dispatcher.errors import Refused
from dispatcher.ledger import audiences, broadcasts, controls, incidents, marketing, measures
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.ledger.sparing import EVERYBODY, Sparing
from dispatcher.model.broadcast import Broadcast, broadcast_id, broadcast_ref
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.incident import incident_ref
from dispatcher.model.kinds import Channel, Mode, Purpose, Severity
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState, ControlState
from dispatcher.people import door_of
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding

_HIDDEN = (Severity.LIFE_SAFETY, Severity.CRITICAL)
_WHY = "While we are in trouble, advertising makes it worse. It waits for a person."


def scope_of(purpose: Purpose) -> str:
    """Which narrower suppressions hold besides those for everything."""
    return "promotional" if purpose is Purpose.PROMOTIONAL else "all"


def scopes(purpose: Purpose) -> list[str]:
    """The scopes of the suppressions that hold."""
    return sorted({"all", scope_of(purpose)})


def sparing(ctx: Context, tx: Tx, broadcast: Broadcast) -> Sparing:
    """Who gets nothing besides those who are suppressed: of promotion, whoever has not agreed or had enough lately.

    In a drill nobody real is told, so an audience that does not know of consent at all serves it, and a drill is never
    too much for anybody. Whoever got wrong words gets their correction, however much they had.
    """
    if broadcast.purpose is not Purpose.PROMOTIONAL:
        return EVERYBODY
    dispatch = ctx.settings.dispatch
    most = 0 if broadcast.relation == "correction" else dispatch.promotional_most
    since = to_ms(ctx.clock.now() - timedelta(days=dispatch.promotional_days))
    asked = broadcast.mode is Mode.LIVE or _knows_consent(ctx, tx, broadcast)
    consent = ctx.settings.marketing.consent_column if asked else ""
    return Sparing(consent, most, since, mode=broadcast.mode, but=broadcast.id)


def _knows_consent(ctx: Context, tx: Tx, broadcast: Broadcast) -> bool:
    version = broadcast.audience_version_id
    return version is not None and ctx.settings.marketing.consent_column in audiences.version(tx, version).fields


def findings(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """What keeps a promotional broadcast back, and whom it leaves out."""
    if broadcast.purpose is not Purpose.PROMOTIONAL:
        return
    yield from _consent(ctx, tx, broadcast)
    if Channel.EMAIL in broadcast.plan.channels and not ctx.settings.public_url:
        level = "error" if broadcast.mode is Mode.LIVE else "warning"
        why = "A promotional mail carries a link that ends such mails with one click (RFC 8058)."
        yield Finding("E-UNSUB", level, "There is no address for the unsubscribe link.", why, "Set public_url.")
    for row in _reasons_to_wait(ctx, tx, broadcast):
        yield Finding(
            "I-PAUSE", "info", f"{incident_ref(row.id)} is open: this waits for a person.", row.title,
            f"dispatcher broadcast send {broadcast.ref} --despite-incident REASON",
        )  # fmt: skip


def _consent(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """Who has not agreed is left out: that is the law and no warning, but a person should know how many they are.
    Nobody left is no broadcast."""
    column = ctx.settings.marketing.consent_column
    if not column or broadcast.audience_version_id is None:
        return
    version = audiences.version(tx, broadcast.audience_version_id)
    why = "Promotion may go only to people who asked for it, or agreed."
    mend = f"Import the people who agreed, with a column {column} that says yes."
    if not _knows_consent(ctx, tx, broadcast):
        told = f"The audience has no column {column}: nobody is known to have agreed."
        level = "error" if broadcast.mode is Mode.LIVE else "warning"
        yield Finding("E-CONSENT", level, told, why, mend)
        return
    lacking = measures.without_consent(tx, version.id, sparing(ctx, tx, broadcast))
    if lacking == version.size:
        yield Finding("E-CONSENT", "error", f"None of {version.size:,} people has agreed to promotion.", why, mend)
    elif lacking:
        told = f"{lacking:,} of {version.size:,} people have not agreed to promotion; they are left out."
        yield Finding("I-CONSENT", "info", told, why, mend)


def _reasons_to_wait(ctx: Context, tx: Tx, broadcast: Broadcast) -> Sequence[Row[Any]]:
    """Open incidents because of which this broadcast waits, and that nobody let it go in spite of."""
    if broadcast.purpose is not Purpose.PROMOTIONAL:
        return ()
    freed = marketing.freed(tx, broadcast.id)
    return [row for row in _open(ctx, tx, broadcast.mode) if row.id not in freed]


def _open(ctx: Context, tx: Tx, mode: Mode) -> Sequence[Row[Any]]:
    return marketing.incidents(tx, mode, ctx.settings.marketing.pause_for, _HIDDEN)


def hold_back(ctx: Context, ref: str) -> None:
    """Put an approved promotional broadcast on the list of what waits. The refusal itself comes with `require_free`."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        if broadcast.state is not BroadcastState.APPROVED or not _reasons_to_wait(ctx, tx, broadcast):
            return
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        for row in _reasons_to_wait(ctx, tx, broadcast):
            if marketing.hold(tx, broadcast.id, row.id, now):
                broadcasts.note_act(
                    tx, "marketing waits", now, door="program", broadcast_id=broadcast.id, detail=incident_ref(row.id)
                )


def require_free(ctx: Context, tx: Tx, actor: Person, broadcast: Broadcast, despite: str) -> None:
    """Return if no incident makes it wait, or if a person lets it go `despite` them, with the reason."""
    waiting = _reasons_to_wait(ctx, tx, broadcast)
    now = to_ms(ctx.clock.now())
    if waiting and not despite.strip():
        refs = " and ".join(incident_ref(row.id) for row in waiting)
        raise Refused(
            f"{broadcast.ref} is promotion; it waits for {refs} to end.",
            why=_WHY,
            mend=(
                "Wait until it is resolved; dispatcher broadcast missed lists what waits.",
                f"dispatcher broadcast send {broadcast.ref} --despite-incident REASON",
            ),
            code="E-PAUSE",
        )
    for row in waiting:
        marketing.let_go(tx, broadcast.id, row.id, actor.id, despite.strip(), now)
        broadcasts.note_act(
            tx, "marketing let go", now, person_id=actor.id, door=door_of(actor), broadcast_id=broadcast.id,
            detail=f"{incident_ref(row.id)}: {despite.strip()}",
        )  # fmt: skip


def require_quiet(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """Return if no incident makes it wait: for what the program releases, as it decides nothing in spite of one."""
    if waiting := _reasons_to_wait(ctx, tx, broadcast):
        refs = " and ".join(incident_ref(row.id) for row in waiting)
        raise Refused(f"{broadcast.ref} is promotion; it waits for {refs} to end.", why=_WHY, code="E-PAUSE")


def pause_running(ctx: Context, now: int) -> None:
    """Promotion that is out already is paused, once for each incident: who resumes it has decided."""
    with ctx.ledger.read() as tx:
        due = [found for mode in Mode for found in _to_pause(ctx, tx, mode)]
    for number, incident in due:
        with ctx.ledger.write() as tx:
            _pause(tx, number, incident, now)


def _to_pause(ctx: Context, tx: Tx, mode: Mode) -> list[tuple[int, int]]:
    running = marketing.under_way(tx, mode)
    reasons = [row.id for row in _open(ctx, tx, mode)] if running else []
    return [(number, incident) for number, known in running for incident in reasons if incident not in known]


def _pause(tx: Tx, number: int, incident: int, now: int) -> None:
    broadcast = broadcasts.get(tx, number, lock=True)
    if broadcast.state is not BroadcastState.RELEASED or not marketing.hold(tx, number, incident, now):
        return
    why = f"{incident_ref(incident)} is open: promotion waits for a person"
    controls.move(tx, number, ControlState.PAUSED, now, reason=why)
    broadcasts.move(tx, broadcast, BroadcastState.PAUSED)
    broadcasts.note_act(tx, "marketing paused", now, door="program", broadcast_id=number, detail=why)


def missed(ctx: Context, incident: str = "") -> list[Mapping[str, Any]]:
    """What people did not get because of an incident, or of any: in the order in which it began to wait."""
    with ctx.ledger.read() as tx:
        which = incidents.by_ref(tx, incident).id if incident else None
        rows = marketing.missed(tx, which)
    return [
        {
            "ref": broadcast_ref(row.broadcast_id),
            "title": row.title,
            "state": row.state,
            "incident": incident_ref(row.incident_id),
            "since": from_ms(row.at),
            "meant": int(row.meant),
            "missed": int(row.meant) - int(row.went),
            "let_go_by": row.name or "",
            "reason": row.reason,
        }
        for row in rows
    ]
