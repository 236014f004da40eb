"""Whose yes is needed, whose counts, and who stands in for whom when nobody answers.

Levels come from the template and from the severity; several where the template demands it. A deputy counts as the
person they stand in for while that person is away, or once the question was left unanswered for too long. That is
read from the clock when somebody answers, so it holds even if no tick has run; `asking_for_yes` only tells them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import zip_longest
from typing import Any

from dispatcher.errors import NotPermitted
from dispatcher.ledger import approvals, broadcasts, people, preapprovals, waves
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_ref
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Level, Person
from dispatcher.model.template import Template
from dispatcher.people import Right, may, require_level
from dispatcher.services import source
from dispatcher.services.context import Context

BREAK_GLASS = 2
"""How many people it takes to release without the levels that are demanded."""


@dataclass(frozen=True, slots=True)
class Voice:
    """At which level somebody speaks, and for whom if not for themselves."""

    level: Level
    instead_of: Person | None = None


def needed(ctx: Context, template: Template, severity: Severity) -> tuple[Level, ...]:
    """The levels whose yes is needed, the highest first: the template's, its own raised by the severity's."""
    own = max(template.level, ctx.settings.approval.level[severity], key=lambda level: level.rank)
    return tuple(sorted((own, *template.approvals), key=lambda level: -level.rank))


def needed_by(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> tuple[Level, ...]:
    """The levels that this broadcast needs: also those of the waves that it leads, and a correction at least those of
    the words that it takes back; of each as it was submitted and as its template is now."""
    others = list(waves.members(tx, broadcast.id))
    if broadcast.relation == "correction" and broadcast.origin_id is not None:
        others.append(broadcast.origin_id)
    along = [broadcast, *(broadcasts.get(tx, number) for number in others)]
    demands = [needed(ctx, words, one.severity) for one in along for words in source.readings(ctx, one)]
    return reduce(_together, demands, needed(ctx, template, broadcast.severity))


def _together(first: Sequence[Level], second: Sequence[Level]) -> tuple[Level, ...]:
    """The fewest levels, the highest first, that satisfy both."""
    pairs = zip_longest(first, second, fillvalue=min(Level, key=lambda level: level.rank))
    return tuple(max(pair, key=lambda level: level.rank) for pair in pairs)


def missing(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template, bound: str) -> list[Level]:
    """Levels whose yes to this digest is still missing; each person's yes serves one of them."""
    if broadcast.preapproval_id is not None or len(broken_glass(tx, broadcast, bound)) >= BREAK_GLASS:
        return []
    rows = approvals.decisions(tx, broadcast.id, bound, ["approve"])
    return lacking(needed_by(ctx, tx, broadcast, template), [Level(row.level) for row in rows])


def lacking(needs: Sequence[Level], given: Sequence[Level]) -> list[Level]:
    """Of the needed levels, the highest first, those that no yes covers; each yes covers one."""
    have = sorted(given, key=lambda level: -level.rank)
    left = []
    for level in needs:
        if have and have[0].covers(level):
            have.pop(0)
        else:
            left.append(level)
    return left


def broken_glass(tx: Tx, broadcast: Broadcast, bound: str) -> Sequence[Any]:
    """Those who said that this digest must go without the levels it needs."""
    return approvals.decisions(tx, broadcast.id, bound, ["break_glass"])


def voice(ctx: Context, tx: Tx, actor: Person, broadcast: Broadcast, wanted: Sequence[Level]) -> Voice:
    """How the actor's yes counts among the levels that are wanted; NotPermitted where it would not."""
    said = approvals.decisions(tx, broadcast.id, broadcast.digest or "", ["approve"])
    if actor.id in {row.person_id for row in said}:
        raise NotPermitted(f"{actor.name} has approved it already.", mend="Another person's yes is needed.")
    if stand_in := next((row.name for row in said if row.for_id == actor.id), None):
        raise NotPermitted(
            f"{stand_in} has approved it for {actor.name} already.", mend="Another person's yes is needed."
        )
    if not wanted:  # the settings demand less than when the others answered
        return Voice(actor.level)
    lowest = min(wanted, key=lambda level: level.rank)
    if actor.level.covers(lowest):
        return Voice(actor.level)
    spoken = {row.person_id for row in said} | {row.for_id for row in said}
    principals = [one for one in _stands_in_for(ctx, tx, actor, broadcast) if one.id not in spoken]
    if fit := [one for one in principals if one.level.covers(lowest)]:
        first = max(fit, key=lambda one: one.level.rank)
        return Voice(first.level, first)
    require_level(actor, lowest)
    return Voice(actor.level)


def _stands_in_for(ctx: Context, tx: Tx, actor: Person, broadcast: Broadcast) -> list[Person]:
    """Approvers who are away, or who have not answered in time, and whose deputy the actor is.

    Nobody lends their level to a yes to their own words.
    """
    now = to_ms(ctx.clock.now())
    asked = approvals.asked(tx, broadcast.id, broadcast.digest)
    over = asked is not None and asked.due_at <= now
    rows = [row for row in approvals.deputies(tx) if row.deputy_id == actor.id]
    principals = [people.get(tx, row.person_id) for row in rows if over or (row.away_until or 0) > now]
    editors = broadcasts.editors(tx, broadcast.id)
    return [one for one in principals if may(one, Right.APPROVE) and one.id not in editors]


def approved_by(tx: Tx, broadcast: Broadcast) -> tuple[str, ...]:
    """Who stands for it, as people read it."""
    rows = approvals.decisions(tx, broadcast.id, broadcast.digest or "", ["approve", "break_glass"])
    if broadcast.preapproval_id is not None:
        return (f"pre-approval {preapprovals.get(tx, broadcast.preapproval_id).name}",)
    return tuple(row.name + _how(row) for row in rows)


def _how(row: Any) -> str:
    if row.decision == "break_glass":
        return " (break-glass)"
    return f" (for {row.for_name})" if row.for_name else ""


def due(ctx: Context, severity: Severity, now: int) -> int:
    """Until when (ms) approvers have time before their deputies are asked."""
    return now + int(ctx.settings.approval.answer_minutes[severity] * 60_000)


def approvers(tx: Tx, broadcast: Broadcast) -> list[Person]:
    """Everybody who may approve and has not edited it."""
    editors = broadcasts.editors(tx, broadcast.id)
    return [one for one in people.active(tx) if may(one, Right.APPROVE) and one.id not in editors]


def open_reviews(ctx: Context) -> list[Mapping[str, Any]]:
    """Broken glass that waits for a review, the oldest first."""
    with ctx.ledger.read() as tx:
        return [
            {"ref": broadcast_ref(row.broadcast_id), "since": from_ms(row.opened_at), "why": row.detail}
            for row in approvals.reviews(tx)
        ]
