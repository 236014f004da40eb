"""Every number of `broadcast show` in words: why it is so, since when, and what happens next."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dispatcher.ledger import waits
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import from_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.services import clockwatch
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class Explanation:
    """One number explained. `since` and `next_at` where there is such a moment."""

    channel: str
    term: str
    count: int
    why: str
    next: str = ""
    since: datetime | None = None
    next_at: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; empty fields are left out."""
        told = {name: getattr(self, name) for name in self.__slots__}
        moments = ("since", "next_at")
        return {k: v.isoformat(timespec="seconds") if k in moments else v for k, v in told.items() if v}


def explain(
    ctx: Context,
    tx: Tx,
    broadcast: Broadcast,
    channel: str,
    terms: Mapping[str, int],
    control: Any,
    accounts: Mapping[str, str],
) -> Iterator[Explanation]:
    """Explanations for one channel's numbers that do not speak for themselves."""
    if n := terms.get("unknown"):
        yield _unknown(ctx, tx, broadcast, Channel(channel), n)
    if n := terms.get("pending"):
        yield _pending(tx, broadcast, channel, n, accounts)
    if n := terms.get("held"):
        yield _held(broadcast, channel, n, control)
    if n := terms.get("accepted"):
        yield Explanation(channel, "accepted", n, "The vendor took them; its last word is still to come.")
    if n := terms.get("expired"):
        yield Explanation(channel, "expired", n, "Their time was over before they could go.", "Draft a new broadcast.")
    if n := terms.get("cancelled"):
        why = control.reason or "Stopped by a person, or not needed as another channel reached them."
        yield Explanation(channel, "cancelled", n, why)


def _unknown(ctx: Context, tx: Tx, broadcast: Broadcast, channel: Channel, n: int) -> Explanation:
    found = waits.unknown(tx, broadcast.id, channel)
    since = from_ms(found.since) if found is not None and found.since is not None else None
    settle = timedelta(seconds=ctx.settings.dispatch.settle_seconds[channel])
    why = "The answer to their request was lost; the vendor may have sent them or not."
    if found is not None and found.since is not None:
        answered, spoken = waits.neighbours(tx, broadcast.id, channel, found.since, found.latest)
        if answered:
            why += f" Of {answered:,} others sent within ten minutes of them the vendor has spoken about {spoken:,}."
    decide = f"dispatcher broadcast settle {broadcast.ref} --unknown resend|leave --reason TEXT"
    if found is not None and found.left_alone == n:
        return Explanation(
            channel, "unknown", n, why, f"They stay listed: told at most once. A person decides: {decide}", since
        )
    again = broadcast.plan.policy.get(channel) is Policy.AT_LEAST_ONCE
    end = "are sent again, marked as possible repeats" if again else "stay listed, as people are told at most once"
    next_at = since + settle if since else None
    if next_at and (held := clockwatch.held_until(ctx, tx, int(settle.total_seconds() * 1000))):
        why += " A machine's clock has stepped, so the wait began again at that moment."
        next_at = max(next_at, held)
    what = _whom_to_ask(ctx, waits.accounts_of_unknown(tx, broadcast.id, channel)).format(end=end)
    return Explanation(channel, "unknown", n, why, what, since, next_at)


def _whom_to_ask(ctx: Context, accounts: Sequence[str]) -> str:
    """What happens when the settle time is over, by what the vendors of these accounts can tell."""
    from dispatcher.provider import ReportsEvents, can_be_asked

    providers = [ctx.accounts[name].provider for name in accounts if name in ctx.accounts]
    if any(can_be_asked(provider) for provider in providers):
        return "The vendor is asked then; those it does not know {end}."
    if any(isinstance(provider, ReportsEvents) for provider in providers):
        return "This vendor cannot be asked. An event may tell until then; those of whom none has come {end}."
    return "Nobody can be asked, and no event will come: then they {end}."


def _pending(tx: Tx, broadcast: Broadcast, channel: str, n: int, accounts: Mapping[str, str]) -> Explanation:
    found = waits.pending(tx, broadcast.id, channel)
    ill = [f"{name} is {state}" for name, state in accounts.items() if state != "open"]
    if ill and len(ill) == len(accounts):
        mend = "dispatcher channel probe ACCOUNT, once it is mended; a broken one is also tried now and then."
        return Explanation(channel, "pending", n, f"No account can carry them: {'; '.join(ill)}.", mend)
    due = found.next_due if found is not None else None
    if found is not None and found.tries and due:
        why = f"Certainly not sent in {found.tries} tries; they wait for the next."
        return Explanation(channel, "pending", n, why, "They are tried again then.", None, from_ms(due))
    why = "They are being handed over." if found is not None and found.held_by else "They wait for a worker."
    return Explanation(channel, "pending", n, why)


def _held(broadcast: Broadcast, channel: str, n: int, control: Any) -> Explanation:
    because = f": {control.reason}" if control.reason else ""
    words = {
        "planned": ("Not released yet.", f"dispatcher broadcast send {broadcast.ref}"),
        "paused": (f"Paused{because}.", f"dispatcher broadcast resume {broadcast.ref}"),
        "late": (f"Late{because}.", f"A person decides: dispatcher broadcast resume or stop {broadcast.ref}"),
        "released": (
            "The channel is frozen, or they wait for another channel's result.",
            f"dispatcher channel thaw {channel}",
        ),
    }
    why, after = words.get(control.state, (f"{control.state}{because}.", ""))
    return Explanation(channel, "held", n, why, after)
