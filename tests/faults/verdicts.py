"""Holds the ledger against the vendors' own record: who was lost, who was told twice, whose state is not true."""

from collections import Counter
from dataclasses import dataclass, field

from dispatcher.ledger import counts
from dispatcher.model.states import DeliveryState
from dispatcher.sandbox.record import judge
from tests.faults import sampler

TOLD_NOBODY = (DeliveryState.WAITING, DeliveryState.CANCELLED, DeliveryState.EXPIRED)
HIT = 0.8
"""Share of kills that must have caught an open intent or request for a run to count."""


@dataclass
class Hits:
    """What the storms did. `hit`: kills that caught a process with an open intent; `processes`: pool children killed;
    `slowest`: the longest a process took to end when asked, in seconds."""

    asked: int = 0
    kills: int = 0
    hit: int = 0
    processes: int = 0
    others: int = 0
    storms: int = 0
    slowest: float = 0.0
    complaints: list = field(default_factory=list)

    def enough(self):
        """Why the run does not count, or nothing."""
        if self.hit < HIT * self.kills:
            return f"only {self.hit} of {self.kills} kills hit an open request"
        return f"only {self.kills} of {self.asked} kills were made" if self.kills < HIT * self.asked else ""


@dataclass
class Verdict:
    """What a run came to. `lost`: neither told nor accounted for. `twice`: told more than once without a flag.
    `unforeseen`: told without a committed intent. `refused`: told though suppressed."""

    planned: int = 0
    lost: int = 0
    twice: int = 0
    flagged: int = 0
    unknown: int = 0
    false_accepts: int = 0
    refused: int = 0
    unforeseen: int = 0
    wrong_sums: int = 0
    samples: int = 0
    per_second: float = 0.0
    kills: int = 0
    kills_that_hit: int = 0
    processes_killed: int = 0
    storms: int = 0
    seconds: float = 0.0
    states: dict = field(default_factory=dict)
    finished: bool = True
    note: str = ""
    told: str = ""
    log: str = ""

    @property
    def good(self):
        wrong = (self.lost, self.twice, self.false_accepts, self.refused, self.unforeseen, self.wrong_sums)
        return self.finished and not any(wrong) and not self.note

    def line(self):
        kills = f"kills {self.kills_that_hit}/{self.kills} hit; " if self.kills else ""
        storms = f"{self.storms} blows; " if self.storms else ""
        wrong = f"lost {self.lost} twice {self.twice} false {self.false_accepts + self.refused + self.unforeseen}"
        parts = (
            f"{self.planned} planned, {wrong} flagged {self.flagged} unknown {self.unknown}; {kills}{storms}",
            f"sums wrong {self.wrong_sums} of {self.samples}, {self.per_second:.0f}/s",
            "" if self.finished else "; NOT FINISHED",
            *(f"; {words}" for words in (self.told, self.note) if words),
        )
        return "".join(parts)


def verdict_of(arena, broadcast, seen=None, *, finished=True, asked=()):
    """Count everybody once more, by the vendors' record. On channels `asked` the vendor was asked about everybody
    unknown: whoever was told must be known by now."""
    tally = judge(arena.vendors.record)
    prefix = f"{arena.ctx.ledger_id}.{broadcast}."
    told = {int(key.removeprefix(prefix)): n for key, n in tally.counts.items() if key.startswith(prefix)}
    with arena.ctx.ledger.read() as tx:
        rows = _rows(tx, broadcast)
        flagged = _flagged(tx, broadcast)
        intended = _intended(tx, broadcast)
        wrong = counts.wrong_batches(tx, broadcast)
    found = Verdict(planned=len(rows), finished=finished, flagged=len(flagged))
    found.unforeseen = sum(1 for seq in told if seq not in intended)
    for row in rows:
        if row.channel != "social":
            _judge(found, DeliveryState(row.state), told.get(row.seq, 0), row.seq in flagged)
            found.lost += row.channel in asked and row.state == DeliveryState.UNKNOWN and row.seq in told
    found.states = dict(Counter(DeliveryState(row.state).name.lower() for row in rows))
    found.unknown = found.states.get("unknown", 0)
    found.wrong_sums = len(wrong)
    if seen:
        found.wrong_sums += len(seen["wrong"])
        found.samples, found.per_second = seen["samples"], sampler.rate(seen)
    return found


def _judge(found, state, times, flagged):
    if times > 1 and not flagged:
        found.twice += 1
    if times == 0 and state in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED):
        found.false_accepts += 1
    if times and state is DeliveryState.SUPPRESSED:
        found.refused += 1
    if times and state in TOLD_NOBODY:
        found.lost += 1
    if found.finished and state in (DeliveryState.WAITING, DeliveryState.SENDING):
        found.lost += 1


def _rows(tx, broadcast):
    return tx.all(
        "SELECT d.seq, d.state, b.channel FROM delivery d JOIN batch b ON b.broadcast_id = d.broadcast_id"
        " AND b.no = d.seq / 1000 WHERE d.broadcast_id = :b",
        b=broadcast,
    )


def _flagged(tx, broadcast):
    rows = tx.all("SELECT seq FROM anomaly WHERE broadcast_id = :b AND kind = 'possible repeat'", b=broadcast)
    return {row.seq for row in rows}


def _intended(tx, broadcast):
    rows = tx.all("SELECT first_seq, last_seq FROM attempt WHERE broadcast_id = :b", b=broadcast)
    return {seq for row in rows for seq in range(row.first_seq, row.last_seq + 1)}
