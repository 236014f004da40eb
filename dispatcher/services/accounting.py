"""What became of everyone: the sum of promise 1 per channel and in total, read in one snapshot."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dispatcher.ledger import accounts, anomalies, broadcasts, codes, controls, counts, incidents, meta
from dispatcher.ledger.codes import Grant
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id, broadcast_ref
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Mode
from dispatcher.model.states import TERMS, BroadcastState, ControlState, DeliveryState, shown
from dispatcher.people import PROGRAM
from dispatcher.services import findings, sign_off, wave_order
from dispatcher.services.context import Context
from dispatcher.services.explaining import Explanation, explain
from dispatcher.services.findings import Finding
from dispatcher.services.wave_order import Wave

LOOKED_INTO = 100
"""Batches of a channel whose reasons a look counts: up to 100,000 people, some 50 ms."""


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One channel: `planned` is the sum of `terms`, always. `reasons` by term: why, and how many (see `show`)."""

    state: str
    planned: int
    terms: Mapping[str, int]
    frozen: str | None = None
    reason: str = ""
    accounts: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def reconciles(self) -> bool:
        """Whether the sum holds."""
        return self.planned == sum(self.terms.values())

    def as_dict(self) -> dict[str, Any]:
        """The documented object."""
        told = {"planned": self.planned, **self.terms, "state": self.state}
        extra = {"frozen": self.frozen, "why": self.reason, "accounts": dict(self.accounts)}
        return told | {k: v for k, v in extra.items() if v} | {"reasons": {k: dict(v) for k, v in self.reasons.items()}}


@dataclass(frozen=True, slots=True)
class BroadcastView:
    """A broadcast as it stands in one snapshot."""

    broadcast: Broadcast
    channels: Mapping[str, ChannelView]
    approved_by: tuple[str, ...]
    author: str
    incident: str
    anomalies: Mapping[str, int]
    test_endpoints: tuple[str, ...]
    hold: str | None
    timeline: tuple[Mapping[str, Any], ...] = ()
    explanations: tuple[Explanation, ...] = ()
    warnings: tuple[Finding, ...] = ()
    """What the check warned of when it was submitted, each with who let it pass and why."""
    codes: Grant | None = None
    waves: tuple[Wave, ...] = ()
    """The order of release, where several go under one approval; `release_size` is the size that is confirmed then."""
    release_size: int = 0

    @property
    def total(self) -> dict[str, int]:
        """Every term over all channels."""
        return {term: sum(view.terms.get(term, 0) for view in self.channels.values()) for term in TERMS} | {
            "planned": sum(view.planned for view in self.channels.values())
        }

    @property
    def reconciles(self) -> bool:
        """Whether every sum holds."""
        return all(view.reconciles for view in self.channels.values())

    @property
    def finished(self) -> bool:
        """Nothing of it will change by itself except through later events or settling."""
        total = self.total
        return not (total["pending"] or total["sending"] or total["held"]) and total["planned"] > 0

    def as_dict(self) -> dict[str, Any]:
        """`broadcast show --json`."""
        b = self.broadcast
        return {
            "ref": b.ref,
            "title": b.title,
            "template": b.template_id,
            "incident": self.incident or None,
            "mode": str(b.mode),
            "state": str(b.state),
            "purpose": str(b.purpose),
            "severity": str(b.severity),
            "digest": b.digest,
            "code": b.code,
            "author": self.author,
            "approved_by": list(self.approved_by),
            "audience_size": b.audience_size,
            "release_at": _iso(b.release_at),
            "expires_at": _iso(b.expires_at),
            "channels": {name: view.as_dict() for name, view in self.channels.items()},
            "total": self.total,
            "reconciles": self.reconciles,
            "anomalies": dict(self.anomalies),
            "test_endpoints": list(self.test_endpoints),
            "hold": self.hold,
            "explanations": [one.as_dict() for one in self.explanations],
            "warnings": [one.as_dict() for one in self.warnings],
            "codes": self.codes.as_dict() if self.codes else None,
            "waves": [one.as_dict() for one in self.waves],
            "release_size": self.release_size,
            "timeline": [dict(line) for line in self.timeline],
        }


def _iso(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def show(ctx: Context, ref: str, *, reasons: bool = True, whole: bool = False) -> BroadcastView:
    """One broadcast with its sums; `reasons` adds why and the timeline (left out while watching).

    The whys are those of the first `LOOKED_INTO` batches with trouble of each channel, unless the `whole` is wanted:
    a look costs the same at any size.
    """
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        channels = _channels(tx, ctx, broadcast, reasons=reasons, most=None if whole else LOOKED_INTO)
        approved_by = sign_off.approved_by(tx, broadcast)
        author = tx.scalar("SELECT name FROM person WHERE id = :id", id=broadcast.author_id)
        incident = incidents.get(tx, broadcast.incident_id).ref if broadcast.incident_id else ""
        odd = {row.kind: row.n for row in anomalies.of_broadcast(tx, broadcast.id)}
        lines = _timeline(tx, broadcast.id) if reasons else ()
        told = _explanations(ctx, tx, broadcast, channels) if reasons else ()
        held = meta.get(tx, "hold")
        granted = codes.grant(tx, broadcast.id)
        order, size = wave_order.order_of(tx, broadcast)
        warned = [one for one in findings.submitted(tx, broadcast)[1] if one.level == "warning"] if reasons else []
    return BroadcastView(
        broadcast, channels, approved_by, author or _program(broadcast), incident, odd,
        _test_endpoints(ctx, broadcast), held, lines, told, tuple(warned), granted,
        tuple(order), size,
    )  # fmt: skip


def _program(broadcast: Broadcast) -> str:
    return PROGRAM.name if broadcast.author_id == PROGRAM.id else ""


def recent(ctx: Context, limit: int = 20) -> list[Broadcast]:
    """The newest broadcasts."""
    with ctx.ledger.read() as tx:
        return broadcasts.recent(tx, limit)


def watch(ctx: Context, ref: str, sleep: Any, *, every: float = 0.5) -> Iterator[BroadcastView]:
    """Views until it has ended. `sleep` takes seconds; it is handed in so that a caller can stop."""
    while True:
        view = show(ctx, ref, reasons=False)
        yield view
        ended = {BroadcastState.DONE, BroadcastState.STOPPED, BroadcastState.EXPIRED, BroadcastState.REJECTED}
        if view.broadcast.state in ended and not view.total["sending"]:
            return
        sleep(every)


def _channels(tx: Tx, ctx: Context, broadcast: Broadcast, *, reasons: bool, most: int | None) -> dict[str, ChannelView]:
    rows = counts.by_channel(tx, broadcast.id)
    gates, states = controls.gates(tx), accounts.states(tx)
    why = _reasons(tx, broadcast.id, most) if reasons else {}
    views = {}
    for channel, control in controls.of(tx, broadcast.id).items():
        gate = gates.get(channel)
        frozen = gate.reason if gate is not None and gate.frozen_at is not None else None
        names = broadcast.plan.accounts.get(control.channel, ())
        views[channel] = ChannelView(
            state=control.state,
            planned=rows[channel].planned if channel in rows else 0,
            terms=_terms(rows.get(channel), ControlState(control.state), frozen=frozen is not None),
            frozen=frozen,
            reason=control.reason or _succession(control),
            accounts={n: _account_words(states[n]) if n in states else "open" for n in names},
            reasons=why.get(channel, {}),
        )
    return views


def _succession(control: Any) -> str:
    """When a newer broadcast will end this channel's rest."""
    if control.superseded_by is None or control.state not in ("released", "paused", "late"):
        return ""
    return f"until {broadcast_ref(control.superseded_by)} takes over at {_iso(from_ms(control.expires_at))}"


def _explanations(
    ctx: Context, tx: Tx, broadcast: Broadcast, channels: Mapping[str, ChannelView]
) -> tuple[Explanation, ...]:
    rows = controls.of(tx, broadcast.id)
    return tuple(
        one
        for channel, view in channels.items()
        for one in explain(ctx, tx, broadcast, channel, view.terms, rows[channel], view.accounts)
    )


def _account_words(row: Any) -> str:
    return f"{row.state}: {row.reason}" if row.reason and row.state != "open" else str(row.state)


def _terms(row: Any, control: ControlState, *, frozen: bool) -> dict[str, int]:
    terms = dict.fromkeys(TERMS, 0)
    if row is not None:
        for state in DeliveryState:
            terms[shown(state, control, frozen=frozen)] += getattr(row, state.name.lower())
    return terms


def _reasons(tx: Tx, broadcast: int, most: int | None) -> dict[str, dict[str, dict[str, int]]]:
    told: dict[str, dict[str, dict[str, int]]] = {}
    for row in counts.reasons(tx, broadcast, most):
        term = DeliveryState(row.state).name.lower()
        told.setdefault(row.channel, {}).setdefault(term, {})[row.reason or "no reason given"] = row.n
    return told


def _timeline(tx: Tx, broadcast: int) -> tuple[Mapping[str, Any], ...]:
    return tuple(
        {
            "at": _iso(from_ms(row.at)), "verb": row.verb, "who": row.name, "door": row.door, "channel": row.channel,
            "detail": row.detail,
        }
        for row in broadcasts.acts(tx, broadcast)
    )  # fmt: skip


def test_endpoints(ctx: Context, ref: str) -> tuple[str, ...]:
    """Accounts of a live broadcast that lead to this machine."""
    with ctx.ledger.read() as tx:
        return _test_endpoints(ctx, broadcasts.get(tx, broadcast_id(ref)))


def _test_endpoints(ctx: Context, broadcast: Broadcast) -> tuple[str, ...]:
    """Accounts of a live broadcast that lead to this machine: labelled wherever it is shown."""
    if broadcast.mode is not Mode.LIVE:
        return ()
    names = {name for some in broadcast.plan.accounts.values() for name in some}
    return tuple(sorted(filter(ctx.stays_here, names)))
