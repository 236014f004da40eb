"""Facts that a broadcast was given by its author instead of by the fact sheet, in the form that the sheet has."""

from collections.abc import Iterable, Sequence

from dispatcher.compose.facts import read_facts
from dispatcher.errors import NotFound, TemplateError
from dispatcher.ledger import incidents
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.fact import Fact, FactSpec
from dispatcher.model.kinds import FactState
from dispatcher.services import source
from dispatcher.services.context import Context


def of(ctx: Context, broadcast: Broadcast) -> list[Fact]:
    """Each by name and language. What cannot be read states nothing; its check says so."""
    specs, found = specs_of(ctx, broadcast), []
    for name, locale, value in broadcast.facts:
        try:
            found += read_facts(
                specs, {(name, locale): value}, state=FactState.CONFIRMED, source=broadcast.ref,
                as_of=broadcast.created_at,
            )  # fmt: skip
        except TemplateError:
            continue
    return found


def specs_of(ctx: Context, broadcast: Broadcast) -> Sequence[FactSpec]:
    """Its template's; where that is gone or broken since, those of all the others: a name has one kind everywhere."""
    try:
        return source.standing(ctx, broadcast).facts
    except (NotFound, TemplateError):
        return tuple(ctx.catalogue.vocabulary().values())


def state(ctx: Context, broadcast: Broadcast, facts: Iterable[Fact]) -> bool:
    """Whether it was given one of these with the same value in the same language."""
    own = {(one.name, one.locale): one.value for one in of(ctx, broadcast)}
    return any((one.name, one.locale) in own and own[one.name, one.locale] == one.value for one in facts)


def standing(ctx: Context, tx: Tx, broadcast: Broadcast) -> set[str]:
    """Names of those that nobody has taken back."""
    return {own.name for own in of(ctx, broadcast)} - set(taken_back(ctx, tx, broadcast))


def taken_back(ctx: Context, tx: Tx, broadcast: Broadcast) -> list[str]:
    """Names of those whose value the incident has taken back and not set again since."""
    if broadcast.incident_id is None or not broadcast.facts:
        return []
    history = incidents.history(tx, broadcast.incident_id)
    return sorted({own.name for own in of(ctx, broadcast) if _is_retracted(own, history)})


def _is_retracted(own: Fact, history: list[Fact]) -> bool:
    """The sheet may name the language of the same words where the author did not, or the other way round."""
    same = [one for one in history if (one.name, one.value) == (own.name, own.value)]
    return bool(same) and same[-1].state is FactState.RETRACTED
