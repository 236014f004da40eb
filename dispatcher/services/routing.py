"""Which account carries a batch: the first of the plan that is open; a broken one gets one probing batch at a time."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from dispatcher.ledger import accounts, broadcasts
from dispatcher.ledger.claims import Claim
from dispatcher.model.clock import to_ms
from dispatcher.services.context import Account, Context


def planned(ctx: Context, claim: Claim) -> list[Account]:
    """The accounts that the approved plan names for this batch, in its order."""
    if claim.account is not None:
        names: tuple[str, ...] = (claim.account,)
    else:
        with ctx.ledger.read() as tx:
            names = broadcasts.get(tx, claim.broadcast_id).plan.accounts.get(claim.channel, ())
    return [ctx.accounts[name] for name in names if name in ctx.accounts]


def choose(ctx: Context, claim: Claim) -> Account | None:
    """An account that may be used now; None: all are broken or stopped, the batch waits.

    A batch that came back certainly unsent several times moves on to the next open account.
    """
    candidates = planned(ctx, claim)
    with ctx.ledger.read() as tx:
        states = accounts.states(tx)
    usable = [a for a in candidates if a.name not in states or states[a.name].state == accounts.OPEN]
    if usable:
        turns = claim.tries // ctx.settings.dispatch.retry.failover_after
        return usable[turns % len(usable)]
    return next((account for account in candidates if _may_probe(ctx, account, states)), None)


def _may_probe(ctx: Context, account: Account, states: Mapping[str, Row[Any]]) -> bool:
    row = states.get(account.name)
    now = to_ms(ctx.clock.now())
    if row is None or row.state != accounts.BROKEN or (row.probe_at or 0) > now:
        return False
    with ctx.ledger.write() as tx:
        return accounts.take_probe(tx, account.name, int(ctx.settings.dispatch.breaker.open_seconds * 1000), now)
