"""What was approved before a fact was taken back may not go out after it; nor what its author had written it into."""

from collections.abc import Iterator

from dispatcher.errors import Refused
from dispatcher.ledger import incidents, published
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import FactState
from dispatcher.services import own_facts, source
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding


def require_none(ctx: Context, tx: Tx, broadcast: Broadcast) -> None:
    """Return unless the frozen words state a fact of the incident that was taken back since they were frozen."""
    if told := _told_and_retracted(ctx, tx, broadcast):
        raise Refused(
            f"{broadcast.ref} states what was taken back since: {', '.join(told)}.",
            why="Its words were frozen before the retraction.",
            mend=f"dispatcher broadcast edit {broadcast.ref}, and have it approved anew; or reject it.",
            code="E-RETRACTED",
        )


def findings(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """Facts of the author's own that were taken back: the sheet cannot silence those."""
    for name in own_facts.taken_back(ctx, tx, broadcast):
        why = "It was given to this broadcast with --fact, so the fact sheet does not replace it."
        mend = f"dispatcher broadcast edit {broadcast.ref} --without-fact {name}, or --fact {name}=VALUE"
        yield Finding("E-RETRACTED", "error", f"It states what was taken back: {name}.", why, mend)


def _told_and_retracted(ctx: Context, tx: Tx, broadcast: Broadcast) -> list[str]:
    frozen = broadcast.submitted_at
    if broadcast.incident_id is None or frozen is None:
        return []
    since = {
        fact.name: fact.value
        for fact in incidents.history(tx, broadcast.incident_id)
        if fact.state is FactState.RETRACTED and fact.locale is None and fact.set_at and fact.set_at >= frozen
    }
    own = {name for name, _, _ in broadcast.facts}
    asked = {spec.name for spec in source.standing(ctx, broadcast).facts}
    stood = {
        name: published.fact_as_of(tx, broadcast.incident_id, name, to_ms(frozen))
        for name in since.keys() & asked - own
    }
    told = {name for name, fact in stood.items() if fact is not None and fact.value == since[name]}
    return sorted(told | set(own_facts.taken_back(ctx, tx, broadcast)))
