"""The figures that a monitor reads: small, without names of people, the same cost at any size."""

from collections.abc import Mapping
from typing import Any

from dispatcher.ledger import accounts, controls, meta, vitals
from dispatcher.ledger.engine import Tx
from dispatcher.model.clock import to_ms
from dispatcher.model.states import TERMS, ControlState, DeliveryState, shown
from dispatcher.services.context import Context
from dispatcher.services.dispatch import lateness_ms


def snapshot(ctx: Context) -> dict[str, Any]:
    """One look at the ledger and one at the broker.

    hold: why nothing is sent, or None · broadcasts: by state · deliveries: by channel and term, of broadcasts that
    are not closed · due: by channel, batches and seconds · events: waiting and seconds · accounts: open, broken,
    paused or off · channels: open or frozen · rings: waiting by queue, None when the broker does not answer.
    """
    now = to_ms(ctx.clock.now())
    with ctx.ledger.read() as tx:
        told = {
            "hold": meta.get(tx, "hold"),
            "broadcasts": vitals.broadcasts_by_state(tx),
            "deliveries": _deliveries(tx),
            "due": _due(ctx, tx, now),
            "events": _events(tx, now),
            "accounts": _accounts(ctx, tx),
            "channels": {c: "frozen" if row.frozen_at is not None else "open" for c, row in controls.gates(tx).items()},
        }
    return told | {"rings": ctx.doorbell.waiting()}


def _deliveries(tx: Tx) -> Mapping[str, Mapping[str, int]]:
    sums: dict[str, dict[str, int]] = {}
    for row in vitals.open_channels(tx):
        terms = sums.setdefault(row.channel, dict.fromkeys(TERMS, 0))
        for state in DeliveryState:
            term = shown(state, ControlState(row.control), frozen=bool(row.frozen))
            terms[term] += int(getattr(row, state.name.lower()) or 0)
    return sums


def _due(ctx: Context, tx: Tx, now: int) -> Mapping[str, Mapping[str, float]]:
    rows = vitals.due(tx, now, now - lateness_ms(ctx))
    return {row.channel: {"batches": row.n, "seconds": _seconds(row.since, now)} for row in rows}


def _events(tx: Tx, now: int) -> Mapping[str, float]:
    row = vitals.posts_waiting(tx)
    return {"waiting": row.n, "seconds": _seconds(row.since, now)}


def _accounts(ctx: Context, tx: Tx) -> Mapping[str, str]:
    known = accounts.states(tx)
    usable = {name: known[name].state if name in known else accounts.OPEN for name in ctx.accounts}
    return dict(sorted((dict.fromkeys(ctx.unusable, "off") | usable).items()))


def _seconds(since: int | None, now: int) -> float:
    return 0.0 if since is None else max(0, now - since) / 1000
