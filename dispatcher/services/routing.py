"""Which account carries a batch: the first of the plan that is open and under its caps; a broken one is probed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dispatcher.ledger import accounts, broadcasts, usage
from dispatcher.ledger.claims import Claim
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.log import get
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Mode
from dispatcher.services.context import Account, Context

log = get(__name__)


def planned(ctx: Context, tx: Tx, claim: Claim) -> list[Account]:
    """The accounts that the approved plan names for this batch, in its order.

    Of a drill only those on this machine, whatever the settings have become since it was sent.
    """
    found = broadcasts.get(tx, claim.broadcast_id)
    names = found.plan.accounts.get(claim.channel, ()) if claim.account is None else (claim.account,)
    have = [ctx.accounts[name] for name in names if name in ctx.accounts]
    inside = [one for one in have if one.is_loopback or found.mode is not Mode.DRILL]
    if len(inside) < len(have):
        log.error("drill_kept_inside", broadcast=found.ref, channel=claim.channel)
    return inside


@dataclass(frozen=True, slots=True)
class Choice:
    """An account to use; `probing`: it was broken, one call at a time shall show whether it is mended."""

    account: Account
    probing: bool = False


def choose(ctx: Context, claim: Claim) -> Choice | None:
    """An account that may be used now; None: all are broken, stopped or at their caps, the batch waits.

    The first of the plan carries the work. A broken one gets a probe now and then, and once mended a share that grows.
    A batch that came back certainly unsent several times moves on to the next open account.
    """
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        states = accounts.states(tx)
        candidates = [a for a in planned(ctx, tx, claim) if not _at_cap(tx, a, now)]
    usable = [a for a in candidates if a.name not in states or states[a.name].state == accounts.OPEN]
    for account in candidates:
        if account in usable:
            break
        if _may_probe(ctx, account, states, now):
            return Choice(account, probing=True)
    if not usable:
        return next((Choice(a, probing=True) for a in candidates if _may_probe(ctx, a, states, now)), None)
    turns = claim.tries // ctx.settings.dispatch.retry.failover_after
    ordered = usable[turns % len(usable) :] + usable[: turns % len(usable)]
    return Choice(next((a for a in ordered if _has_share(claim, states.get(a.name))), ordered[0]))


def _has_share(claim: Claim, row: Row[Any] | None) -> bool:
    """Spread batches evenly over a hundred places; an account takes as many as its weight."""
    return row is None or (claim.broadcast_id * 31 + claim.no * 37) % 100 < row.weight


def _at_cap(tx: Tx, account: Account, now: int) -> bool:
    settings = account.settings
    if not settings.per_day and not settings.spend_cap:
        return False
    recipients, spent = usage.today(tx, account.name, now)
    over_day = bool(settings.per_day) and recipients >= settings.per_day
    return over_day or (bool(settings.spend_cap) and spent + settings.unit_cost > settings.spend_cap)


def _may_probe(ctx: Context, account: Account, states: Mapping[str, Row[Any]], now: int) -> bool:
    row = states.get(account.name)
    if row is None or row.state != accounts.BROKEN or (row.probe_at or 0) > now:
        return False
    with ctx.ledger.write() as tx:
        return accounts.take_probe(tx, account.name, int(ctx.settings.dispatch.breaker.open_seconds * 1000), now)
