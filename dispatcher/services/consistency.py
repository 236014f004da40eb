"""One truth over all broadcasts of an incident: nobody is told to do nothing by one and to do something by another."""

from collections.abc import Iterator

from dispatcher.compose.lint.across import Clash, Told, clashes
from dispatcher.compose.rendering import Composed
from dispatcher.ledger import broadcasts, documents, predecessors
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.services.findings import Finding

CODE = "W-L08"
_WHY = 'M&S, 2025: "no need to take any action", while passwords were about to be reset. People compare what they got.'


def findings(tx: Tx, broadcast: Broadcast, said: Composed) -> Iterator[Finding]:
    """What stands against the words of another broadcast that is approved or out and that nothing has replaced."""
    for number in predecessors.standing(tx, broadcast):
        other = broadcasts.get(tx, number)
        frozen = Composed(tuple(broadcasts.renditions(tx, number).values()), tuple(documents.of(tx, number)))
        for clash in clashes(_told(broadcast, said), _told(other, frozen)):
            yield _finding(broadcast, other, clash)


def _told(broadcast: Broadcast, said: Composed) -> Told:
    wrong = [str(value) for name, _, value in broadcast.facts if name == "wrong"]
    return Told(said, tuple(wrong) if broadcast.relation == "correction" else ())


def _finding(broadcast: Broadcast, other: Broadcast, clash: Clash) -> Finding:
    ours, theirs = f"{broadcast.ref} says “{clash.ours}”", f"{other.ref} ({other.state}) says “{clash.theirs}”"
    mend = f"Take it out here, or take back the other: dispatcher broadcast correct {other.ref}"
    if other.state == "approved":
        mend = f"Take it out here, or there: dispatcher broadcast edit {other.ref}"
    place, what = clash.place, f"{ours}, but {theirs}."
    return Finding(
        CODE, "warning", what, _WHY, mend, f"{place.target}/{place.part}", place.locale, clash.ours, clash.line
    )
