"""Recounts every sum of every broadcast from its rows: the counters may never be wrong, and this proves it."""

from dataclasses import asdict, dataclass

from dispatcher.ledger import broadcasts, codes, counts
from dispatcher.model.broadcast import broadcast_ref
from dispatcher.services.context import Context


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter of a batch that is not what its rows say."""

    broadcast: str
    batch: int
    counter: str
    stored: int
    counted: int

    def as_dict(self) -> dict[str, object]:
        """Plain data."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Recount:
    """How many broadcasts were recounted, and what was wrong."""

    broadcasts: int
    differences: tuple[Difference, ...]

    def as_dict(self) -> dict[str, object]:
        """`ledger check --json`."""
        found = [one.as_dict() for one in self.differences]
        return {"broadcasts": self.broadcasts, "differences": found, "reconciles": not found}


def recount(ctx: Context) -> Recount:
    """Every broadcast, each in a snapshot of its own, so that a long ledger holds nobody up."""
    with ctx.ledger.read() as tx:
        ids = broadcasts.all_ids(tx)
    found: list[Difference] = []
    for one in ids:
        with ctx.ledger.read() as tx:
            found += [Difference(broadcast_ref(one), *wrong) for wrong in counts.wrong_batches(tx, one)]
    with ctx.ledger.read() as tx:
        found += [Difference(f"codes of {pool}", 0, *wrong) for pool, wrong in codes.wrong_counters(tx)]
    return Recount(len(ids), tuple(found))
