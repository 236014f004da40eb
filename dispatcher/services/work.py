"""A claimed batch in the hands of a worker: its rows, who is still to be called, and what has come back so far."""

from collections import Counter, deque
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Any

from dispatcher.ledger.claims import Claim
from dispatcher.ledger.rows import Row
from dispatcher.model.rendition import Rendition
from dispatcher.services.calls import Calls
from dispatcher.services.context import Account
from dispatcher.services.envelopes import Sealer
from dispatcher.services.outcomes import Finished


@dataclass(slots=True)
class Work:
    """A batch at hand and what has become of it so far. `patience`: failures in a row after which it is given back."""

    claim: Claim
    rendition: Rendition
    account: Account
    rows: dict[int, Row[Any]]
    todo: deque[list[int]]
    sealer: Sealer
    size: int = 1
    """Recipients of one request, at most."""
    units: int = 1
    parts: dict[int, str] = field(default_factory=dict)
    again: Counter[int] = field(default_factory=Counter)
    """Hand-overs of this work beyond the first, by seq: next parts of a thread, halves of a refused request."""
    finished: list[Finished] = field(default_factory=list)
    retry_after: float | None = None
    came_back: int = 0
    went: int = 0
    halted: bool = False
    lost: bool = False
    alone: bool = False
    """One call at a time, whatever the account bears: the batch is suspect, or the account is on probation."""
    patience: int = 5
    failures: int = 0
    """Answers in a row that said nothing about a recipient."""
    calls: Calls = field(default_factory=Calls)
    open: int = 0
    """Calls begun whose outcome is not written yet: what a kill would leave unknown."""
    began_at: float = 0.0
    """When calls of it began last, monotonic."""


def cut(rows: Sequence[Row[Any]], size: int, alone: Set[int] = frozenset()) -> deque[list[int]]:
    """Waiting deliveries of a batch as requests of up to `size`, in order; those in `alone` each by itself."""
    requests: deque[list[int]] = deque()
    for seq in (row.seq for row in rows if row.state == 0):
        last = requests[-1] if requests else []
        if not last or len(last) >= size or seq in alone or last[-1] in alone:
            requests.append([seq])
        else:
            last.append(seq)
    return requests
