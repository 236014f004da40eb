"""A warning is let pass by a person, for a reason that is kept, for exactly this text; what blocks stays blocked."""

from collections.abc import Sequence

from dispatcher.errors import IllegalTransition, Refused
from dispatcher.ledger import approvals, broadcasts
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person
from dispatcher.model.states import BroadcastState
from dispatcher.people import Right, require
from dispatcher.services import checking
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding, marked, submitted

_BEFORE = frozenset({BroadcastState.DRAFT, BroadcastState.RETURNED, BroadcastState.SUBMITTED})


def override(ctx: Context, actor: Person, ref: str, rules: Sequence[str], reason: str) -> list[Finding]:
    """Let the open warnings of these rules pass. Again and again is fine: what was let pass stays as it was said."""
    require(actor, Right.OVERRIDE)
    if not reason.strip():
        raise Refused("A reason is missing.", mend="--reason TEXT")
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        basis, found = submitted(tx, broadcast)
    _require_before(broadcast)
    if not basis:
        result = checking.check(ctx, ref)
        basis, found = result.basis, list(result.findings)
    chosen = [one for rule in dict.fromkeys(rules) for one in _named(found, rule.strip().upper(), broadcast)]
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        _require_before(broadcasts.get(tx, broadcast.id, lock=True))
        there = {(row.rule, row.what) for row in approvals.overrulings(tx, broadcast.id, basis)}
        for rule, what in dict.fromkeys((one.code, one.scope) for one in chosen):
            if (rule, what) not in there:
                approvals.overrule(tx, broadcast.id, rule, basis, what, actor.id, reason.strip(), now)
                broadcasts.note_act(
                    tx, f"overrode {rule}", now, person_id=actor.id, broadcast_id=broadcast.id, detail=reason.strip()
                )
        return marked(chosen, approvals.overrulings(tx, broadcast.id, basis))


def open_warnings(tx: Tx, broadcast: Broadcast) -> list[Finding]:
    """Warnings of the frozen text that nobody has taken upon themselves."""
    return [one for one in submitted(tx, broadcast)[1] if one.is_open]


def require_none_open(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """Return unless the settings want every warning of this mode answered for and one is open."""
    if ctx.settings.approval.open_warnings[broadcast.mode] != "refuse":
        return
    if found := open_warnings(tx, broadcast):
        rules = ",".join(dict.fromkeys(one.code for one in found))
        raise Refused(
            f"{broadcast.ref} has warnings that nobody has answered for: {rules}.",
            why=" ".join(dict.fromkeys(one.what for one in found)),
            mend=(
                f"dispatcher broadcast return {broadcast.ref} --reason TEXT, to have it mended",
                f"dispatcher broadcast override {broadcast.ref} --rule {rules} --reason TEXT",
            ),
            code="E-WARN",
        )


def _require_before(broadcast: Broadcast) -> None:
    if broadcast.state not in _BEFORE:
        raise IllegalTransition(
            f"{broadcast.ref} is {broadcast.state}; its warnings are past.",
            mend=f"dispatcher broadcast show {broadcast.ref}",
        )


def _named(found: Sequence[Finding], rule: str, broadcast: Broadcast) -> list[Finding]:
    """The warnings of one rule."""
    mine = [one for one in found if one.code.upper() == rule]
    if blocking := [one for one in mine if one.level == "error"]:
        raise Refused(
            f"{rule} blocks; nobody can override it: {blocking[0].what}",
            why=blocking[0].why,
            mend=blocking[0].mend or f"dispatcher broadcast edit {broadcast.ref}",
            code="E-OVR",
        )
    warnings = [one for one in mine if one.level == "warning"]
    if not warnings:
        raise Refused(
            f"{broadcast.ref} has no warning {rule}.",
            mend=f"dispatcher broadcast check {broadcast.ref} lists them.",
            code="E-OVR",
        )
    return warnings
