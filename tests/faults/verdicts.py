"""Holds the ledger against the vendors' own record: who was lost, who was told twice, whose state is not true."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain

from dispatcher.ledger import controls, counts
from dispatcher.model.states import DeliveryState
from dispatcher.sandbox.record import lines
from tests.faults import sampler

TOLD_NOBODY = (DeliveryState.WAITING, DeliveryState.CANCELLED, DeliveryState.EXPIRED)
CLOSED_ONLY = (DeliveryState.CANCELLED, DeliveryState.EXPIRED, DeliveryState.FALLBACK)
"""States for which something must have been ended, or held back, by somebody."""
HIT = 0.8
"""Share of kills that must have caught an open intent or request for a run to count."""


@dataclass
class Hits:
    """What the storms did. `hit`: kills that caught a process with an open intent; `processes`: pool children killed;
    `open`: deliveries that those had under way when they were struck;
    `slowest`: the longest a process took to end when asked, in seconds."""

    asked: int = 0
    kills: int = 0
    hit: int = 0
    processes: int = 0
    open: int = 0
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
    `unforeseen`: told without a committed intent. `refused`: told though suppressed. `strange`: put where nothing that
    happened can have put them: suppressed without having asked for it, failed without a word of the vendor, cancelled
    or expired where nothing was ended."""

    planned: int = 0
    lost: int = 0
    twice: int = 0
    flagged: int = 0
    unknown: int = 0
    false_accepts: int = 0
    refused: int = 0
    unforeseen: int = 0
    strange: int = 0
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
        wrong = (self.lost, self.twice, self._false, self.wrong_sums)
        return self.finished and not any(wrong) and not self.note

    @property
    def _false(self):
        return self.false_accepts + self.refused + self.unforeseen + self.strange

    def line(self):
        kills = f"kills {self.kills_that_hit}/{self.kills} hit; " if self.kills else ""
        storms = f"{self.storms} blows; " if self.storms else ""
        wrong = f"lost {self.lost} twice {self.twice} false {self._false}"
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
    told, turned_away = _told(arena.vendors.record, f"{arena.ctx.ledger_id}.{broadcast}.")
    states, found = Counter(), Verdict(finished=finished)
    with arena.ctx.ledger.read() as tx:
        flagged, wrong = _flagged(tx, broadcast), counts.wrong_batches(tx, broadcast)
        intended, closed = _intended(tx, broadcast), closed_channels(tx, broadcast)
        found.strange = _suppressed_for_nothing(tx, broadcast)
        for row in _rows(tx, broadcast):
            state, times = DeliveryState(row.state), told.of(row.seq)
            states[state.name.lower()] += 1
            if row.channel != "social":
                _judge(found, state, times, row.seq in flagged, row.channel in closed)
                found.strange += _is_strange(state, row, times + turned_away.of(row.seq), row.channel in closed)
                found.lost += bool(row.channel in asked and state is DeliveryState.UNKNOWN and times)
    found.planned, found.flagged = states.total(), len(flagged)
    found.unforeseen = sum(1 for seq in told.places() if not intended.of(seq))
    found.states, found.unknown = dict(states), states["unknown"]
    found.wrong_sums = len(wrong)
    if seen:
        found.wrong_sums += len(seen["wrong"])
        found.samples, found.per_second = seen["samples"], sampler.rate(seen)
    return found


class Tally:
    """How often each delivery was met: a byte for each, so that a million are judged in the memory of a few."""

    def __init__(self):
        self._times = bytearray()

    def add(self, first, last):
        """Everybody from `first` to `last` was met once more."""
        if last >= len(self._times):
            self._times.extend(bytes(last + 1 - len(self._times)))
        for seq in range(first, last + 1):
            self._times[seq] = min(255, self._times[seq] + 1)

    def of(self, seq):
        return self._times[seq] if seq < len(self._times) else 0

    def places(self):
        """Who was met at all."""
        return (seq for seq, times in enumerate(self._times) if times)


def _told(record, prefix):
    """Whom the vendors took on and whom they refused by name, read line by line."""
    tallies = {"accepted": Tally(), "refused": Tally()}
    for line in lines(record):
        if line.key and line.key.startswith(prefix):
            seq = int(line.key.removeprefix(prefix))
            tallies[line.kind].add(seq, seq)
    return tallies["accepted"], tallies["refused"]


def closed_channels(tx, broadcast):
    """Where nothing more may be handed over: who waits there is told by the control row that it is over."""
    return {name for name, row in controls.of(tx, broadcast).items() if row.state in ("expired", "stopped")}


def _judge(found, state, times, flagged, closed):
    if times > 1 and not flagged:
        found.twice += 1
    if times == 0 and state in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED):
        found.false_accepts += 1
    if times and state is DeliveryState.SUPPRESSED:
        found.refused += 1
    if times and state in TOLD_NOBODY:
        found.lost += 1
    left = state is DeliveryState.SENDING or (state is DeliveryState.WAITING and not closed)
    if found.finished and left:
        found.lost += 1


def _is_strange(state, row, seen, closed):
    """`seen`: how often the vendor took this one on or refused it by name."""
    if state is DeliveryState.FAILED:
        return not seen and not (row.reason or "").startswith("quarantined")
    return state in CLOSED_ONLY and not closed


def _suppressed_for_nothing(tx, broadcast):
    """How many count as suppressed who have an address on that channel and never asked for no more."""
    return tx.scalar(
        "SELECT count(*) FROM delivery d JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / 1000"
        " JOIN broadcast o ON o.id = d.broadcast_id"
        " JOIN recipient r ON r.version_id = o.audience_version_id AND r.rid = d.rid"
        " WHERE d.broadcast_id = :b AND d.state = 1"
        " AND CASE b.channel WHEN 'email' THEN r.email ELSE r.phone END IS NOT NULL"
        " AND NOT EXISTS (SELECT 1 FROM suppression s WHERE s.channel = b.channel"
        " AND s.address = CASE b.channel WHEN 'email' THEN r.email ELSE r.phone END)",
        b=broadcast,
    )


def _rows(tx, broadcast):
    return chain.from_iterable(
        tx.stream(
            "SELECT d.seq, d.state, d.reason, b.channel FROM delivery d JOIN batch b ON b.broadcast_id = d.broadcast_id"
            " AND b.no = d.seq / 1000 WHERE d.broadcast_id = :b",
            b=broadcast,
        )
    )


def _flagged(tx, broadcast):
    rows = tx.all("SELECT seq FROM anomaly WHERE broadcast_id = :b AND kind = 'possible repeat'", b=broadcast)
    return {row.seq for row in rows}


def _intended(tx, broadcast):
    tally = Tally()
    intent = "i.broadcast_id = a.broadcast_id AND i.no = a.no AND a.id BETWEEN i.first_id AND i.last_id"
    asked = tx.stream(
        f"SELECT a.first_seq, a.last_seq FROM attempt a WHERE a.broadcast_id = :b AND (a.outcome = 'doubted'"
        f" OR EXISTS (SELECT 1 FROM intent i WHERE {intent}))",
        b=broadcast,
    )
    for row in chain.from_iterable(asked):
        tally.add(row.first_seq, row.last_seq)
    return tally
