"""Breaking the glass: two people release what the levels demanded cannot be reached for. Everybody hears of it, and it
is reviewed afterwards.

It lowers nothing but the level: neither of the two has edited the message, what blocks stays blocked, and both speak
about the same digest.
"""

from dispatcher.errors import NotPermitted, Refused
from dispatcher.ledger import approvals, broadcasts
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.people import Right, may, require, require_second_person
from dispatcher.services import approval, notices, overriding, sign_off, told_promise, waves
from dispatcher.services.context import Context
from dispatcher.services.digests import require_unaltered


def break_glass(ctx: Context, actor: Person, ref: str, reason: str, *, seen: str = "") -> Broadcast:
    """One of the two says that it must go now. With the second it is approved, and a review is open."""
    if not may(actor, Right.APPROVE):
        require(actor, Right.SEND)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    notices.prepare(ctx)
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = approval.submitted(tx, ref)
        waves.require_alone(tx, broadcast, "break-glass")
        for one in (broadcast, *(broadcasts.get(tx, number) for number in waves.followers(tx, broadcast))):
            _require_grave(ctx, one)
        require_second_person(actor, broadcasts.editors(tx, broadcast.id))
        bound = require_unaltered(tx, broadcast)
        approval.require_seen(broadcast, bound, seen)
        told_promise.require_all_ahead(ctx, tx, broadcast, ctx.clock.now())
        before = sign_off.broken_glass(tx, broadcast, bound)
        if actor.id in {row.person_id for row in before}:
            raise NotPermitted(
                f"{actor.name} has said so already.", mend=f"A second person: dispatcher broadcast break-glass {ref}"
            )
        broadcasts.add_approval(tx, broadcast, actor.id, actor.level, "break_glass", reason.strip(), now)
        broadcasts.note_act(
            tx, "broke the glass", now, person_id=actor.id, broadcast_id=broadcast.id, detail=reason.strip()
        )
        if len(before) + 1 >= sign_off.BREAK_GLASS:
            _let_go(ctx, tx, broadcast, bound, now)
        return broadcasts.get(tx, broadcast.id)


def _let_go(ctx: Context, tx: Tx, broadcast: Broadcast, bound: str, now: int) -> None:
    said = sign_off.broken_glass(tx, broadcast, bound)
    reasons = "; ".join(f"{row.name}: {row.reason}" for row in said)
    if left := ", ".join(dict.fromkeys(one.code for one in overriding.open_warnings(tx, broadcast))):
        reasons += f" (open warnings: {left})"
    broadcasts.move(tx, broadcast, BroadcastState.APPROVED, approved_at=now)
    waves.approve_followers(tx, broadcast, said, now)
    approvals.open_review(tx, broadcast.id, bound, reasons, now)
    text = (
        f"{broadcast.title}. {reasons}\nIt goes without the approval that it needs.\n"
        f"Stop it: dispatcher broadcast stop {broadcast.ref}\nReview it: dispatcher broadcast review {broadcast.ref}"
    )
    everybody = [*sign_off.approvers(tx, broadcast)]
    notices.tell(ctx, tx, everybody, broadcast, "break-glass", f"The glass was broken for {broadcast.ref}", text)


def _require_grave(ctx: Context, broadcast: Broadcast) -> None:
    allowed = ctx.settings.approval.break_glass
    if not allowed[broadcast.severity]:
        words = " or ".join(severity for severity, may_be in allowed.items() if may_be) or "no severity"
        raise Refused(
            f"{broadcast.ref} is {broadcast.severity}; the glass is broken for {words} only.",
            mend=f"dispatcher broadcast approve {broadcast.ref}, by somebody of the level it needs.",
            code="E-GLASS",
        )


def review(ctx: Context, actor: Person, ref: str, verdict: str) -> None:
    """Look at it afterwards and say what you think. Neither of the two who broke the glass may."""
    require(actor, Right.APPROVE)
    if not verdict.strip():
        raise Refused("What you think of it is missing.", mend="--reason TEXT")
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref), lock=True)
        row = next((row for row in approvals.reviews(tx) if row.broadcast_id == broadcast.id), None)
        if row is None:
            raise Refused(f"Nothing of {broadcast.ref} waits for a review.", mend="dispatcher broadcast review")
        said = approvals.decisions(tx, broadcast.id, row.digest, ["break_glass", "void_break_glass"])
        if actor.id in {one.person_id for one in said}:
            raise NotPermitted(f"{actor.name} broke the glass; another approver reviews it.", mend="Ask another one.")
        require_second_person(actor, broadcasts.editors(tx, broadcast.id))
        approvals.close_review(tx, broadcast.id, actor.id, verdict.strip(), now)
        broadcasts.note_act(tx, "reviewed", now, person_id=actor.id, broadcast_id=broadcast.id, detail=verdict.strip())
