"""The channels as they stand: open or frozen, and the accounts that carry them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dispatcher.ledger import accounts, controls
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel. `accounts` by name: kind, state (open, broken, paused) and why."""

    channel: Channel
    frozen_at: datetime | None
    reason: str
    accounts: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """One element of `channel list --json`."""
        return {
            "channel": self.channel,
            "state": "frozen" if self.frozen_at else "open",
            "frozen_at": self.frozen_at,
            "reason": self.reason,
            "accounts": self.accounts,
        }


def overview(ctx: Context) -> list[ChannelState]:
    """Every channel there is, with the accounts of the settings."""
    with ctx.ledger.read() as tx:
        gates, states = controls.gates(tx), accounts.states(tx)
    return [_channel(ctx, channel, gates.get(channel), states) for channel in Channel]


def _channel(ctx: Context, channel: Channel, gate: Any, states: dict[str, Any]) -> ChannelState:
    frozen_at = from_ms(gate.frozen_at) if gate is not None else None
    told = {}
    for account in ctx.on(channel):
        row = states.get(account.name)
        state, reason = (row.state, row.reason) if row is not None else (accounts.OPEN, "")
        told[account.name] = {"kind": account.kind, "state": state, "why": reason, "test_endpoint": account.is_loopback}
    return ChannelState(channel, frozen_at, gate.reason if gate is not None else "", told)
