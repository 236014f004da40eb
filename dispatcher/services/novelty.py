"""What tells its readers nothing new: the same message again within minutes, and updates in a row without a new fact.

The words themselves may differ (L40 sees to those that do not): what is compared is facts, of the author and of the
fact sheet at the moment of each word, without the sentences that only say that work goes on.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from dispatcher.compose.lint.substance import substance
from dispatcher.ledger import broadcasts, incidents, measures
from dispatcher.ledger import promises as rows
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.fact import Fact, FactValue, sheet
from dispatcher.model.kinds import FactState, Purpose
from dispatcher.model.template import Profile
from dispatcher.services import own_facts, source
from dispatcher.services.context import Context
from dispatcher.services.findings import Finding

CODE = "W-NEWS"
SAME_AGAIN = timedelta(minutes=30)
"""Within this the same message again is taken for a slip."""
IN_A_ROW = 2
"""Words before this one that are looked at."""
_COUNTED = frozenset({"day"})
"""Facts that change by themselves."""

Told = frozenset[tuple[str, str]]


def again(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """A warning where the same people were told the same within the last half hour."""
    lately = measures.sent_lately(tx, broadcast.id, to_ms(ctx.clock.now() - SAME_AGAIN))
    if not lately:
        return
    mine = _told(ctx, tx, broadcast)
    same = next((one for one in (broadcasts.get(tx, no) for no in lately) if _told(ctx, tx, one) == mine), None)
    if same is not None:
        what = f"{same.ref} said the same to the same people within 30 minutes."
        yield Finding("W-SAME", "warning", what, "", "Look twice.")


def findings(ctx: Context, tx: Tx, broadcast: Broadcast) -> Iterator[Finding]:
    """A warning where this and the last word to these readers each tell nothing that the one before has not told."""
    if broadcast.incident_id is None or broadcast.release_at is not None or not _is_update(ctx, broadcast):
        return
    before = _last_words(ctx, tx, broadcast)
    if len(before) < IN_A_ROW or not all(_is_update(ctx, one) for one in before):
        return
    first, second, mine = (_told(ctx, tx, one) for one in (*before, broadcast))
    if mine <= second <= first:
        incident = f"INC-{broadcast.incident_id}"
        what = f"It tells nothing that {' and '.join(one.ref for one in before)} have not told already."
        why = "Whoever reads the same a third time stops reading, and misses the one that matters."
        mend = f"Tell one new thing: dispatcher fact set {incident} NAME=VALUE; or announce that you speak less often: "
        yield Finding(CODE, "warning", what, why, mend + f"dispatcher incident promise {incident} 'in 4h' --every 4h")


def _is_update(ctx: Context, broadcast: Broadcast) -> bool:
    return source.profile(ctx, broadcast) is Profile.UPDATE


def _last_words(ctx: Context, tx: Tx, broadcast: Broadcast) -> Sequence[Broadcast]:
    """The last words about this incident that reached the same audience, the older first."""
    readers = rows.audience_of(tx, broadcast.id)
    found: list[Broadcast] = []
    for row in reversed(rows.words_said(tx, broadcast.incident_id or 0)):
        if len(found) == IN_A_ROW:
            break
        if row.id == broadcast.id or row.purpose == Purpose.PROMOTIONAL or rows.audience_of(tx, row.id) != readers:
            continue
        one = broadcasts.get(tx, row.id)
        if one.mode is broadcast.mode and one.relation != "rerouted":
            found.insert(0, one)
    return found


def _told(ctx: Context, tx: Tx, broadcast: Broadcast) -> Told:
    """What its facts say in our own language: as they were when its words were frozen, else as they are."""
    at = broadcast.submitted_at or ctx.clock.now()
    asked = {spec.name for spec in own_facts.specs_of(ctx, broadcast)} - _COUNTED
    known = [one for one in incidents.history(tx, broadcast.incident_id or 0) if one.set_at and one.set_at <= at]
    stood = sheet(*([one] for one in known), own_facts.of(ctx, broadcast))
    language = ctx.settings.organisation.locale
    return frozenset(
        piece
        for (name, locale), fact in stood.items()
        if name in asked and locale is None and fact.state is not FactState.RETRACTED
        for piece in _pieces(fact, language)
    )


def _pieces(fact: Fact, language: str) -> Iterator[tuple[str, str]]:
    """Each statement of a fact: the sentences of a text, the items of a list. A sentence is no news under another
    name; a number is."""
    items: Sequence[FactValue] = fact.value if isinstance(fact.value, list) else [fact.value]
    for item in items:
        if isinstance(item, str):
            yield from (("", sentence) for sentence in substance(item, language))
        else:
            yield fact.name, broadcasts.canonical(item)
