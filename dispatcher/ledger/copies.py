"""Deliveries that were handed over again although an earlier copy may have been taken, or was refused.

A vendor's word is about one copy, and within a copy proof only rises: a late bounce beats delivered. Between copies it
is not the loudest word that counts but the person at the other end:

- whoever got one copy was told: delivered, whatever became of the others;
- else the newest copy counts: the failure of an older one says nothing about it, and its own is not hidden;
- a newest copy of which nothing is proved yet is accepted if an older one is.

Only such deliveries have rows here; all others are their one copy.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.ledger import claims, events, lookups, sweeps
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.broadcast import BATCH
from dispatcher.model.states import DeliveryState as D

Proof = tuple[D, str | None]
"""What an event proves, and its reason."""

SILENT = "no answer came, and the vendor has not spoken of it"
_ANSWERED = {"accepted": D.ACCEPTED, "rejected": D.FAILED, "unknown": D.UNKNOWN, "lost": D.UNKNOWN, None: D.SENDING}
"""What the answer to the newest hand-over proves; any other word says that it was not taken."""


def send_again(tx: Tx, broadcast_id: int, seqs: Sequence[int], was: D, reason: str | None) -> int:
    """Unknown or failed deliveries wait for another hand-over; what is known of the last one is kept. How many."""
    claims.lock_batches(tx, broadcast_id, sorted({seq // BATCH for seq in seqs}))
    tx.change(
        "INSERT INTO copy (broadcast_id, seq, number, state, reason)"
        " SELECT d.broadcast_id, d.seq, d.tries, CASE WHEN a.outcome = 'lost' THEN 4 ELSE d.state END, d.reason"
        f" FROM {tx.rows_of({'seq': 'int'})} x {tx.beside('delivery', 'd', 'd.broadcast_id = :b AND d.seq = x.seq')}"
        f" {lookups.attempts(tx, left=True)}"
        " WHERE d.state = :was ON CONFLICT DO NOTHING",
        b=broadcast_id, was=int(was), rows=tx.pack((seq,) for seq in seqs),
    )  # fmt: skip
    return sweeps.settle_rows(tx, broadcast_id, seqs, was, D.WAITING, reason)


def fold(tx: Tx, broadcast_id: int, proofs: Mapping[tuple[int, int | None], Proof]) -> Counter[D]:
    """Under the locked batches, let deliveries follow what events prove about their copies; how many changed to what.

    `proofs` by seq and number of the copy; None where the vendor does not say which, so it is taken for the newest.
    """
    known = _known(tx, broadcast_id, sorted({seq for seq, _ in proofs}))
    single: dict[int, Proof] = {}
    for (seq, _), proof in proofs.items():
        if seq not in known and (seq not in single or single[seq][0] < proof[0]):
            single[seq] = proof
    rose = events.fold(tx, broadcast_id, single) if single else Counter()
    several = {place: proof for place, proof in proofs.items() if place[0] in known}
    return rose + (_follow(tx, broadcast_id, several, known) if several else Counter())


def _known(tx: Tx, broadcast_id: int, seqs: Sequence[int]) -> dict[int, dict[int, Proof]]:
    """What is known of each copy, by seq and number, of those deliveries that have several."""
    if tx.one("SELECT 1 FROM copy WHERE broadcast_id = :b LIMIT 1", b=broadcast_id) is None:
        return {}
    found: dict[int, dict[int, Proof]] = {}
    for row in tx.all(
        f"SELECT c.seq, c.number, c.state, c.reason FROM {tx.rows_of({'seq': 'int'})} x CROSS JOIN copy c"
        " WHERE c.broadcast_id = :b AND c.seq = x.seq",
        b=broadcast_id, rows=tx.pack((seq,) for seq in seqs),
    ):  # fmt: skip
        found.setdefault(row.seq, {})[row.number] = (D(row.state), row.reason)
    return found


def _follow(
    tx: Tx,
    broadcast_id: int,
    proofs: Mapping[tuple[int, int | None], Proof],
    known: Mapping[int, dict[int, Proof]],
) -> Counter[D]:
    rows = _deliveries(tx, broadcast_id, sorted({seq for seq, _ in proofs}))
    risen: dict[tuple[int, int], Proof] = {}
    for (seq, told), proof in proofs.items():
        number = rows[seq].tries if told is None else told
        if number not in known[seq] or known[seq][number][0] < proof[0]:
            risen[seq, number] = known[seq][number] = proof
    if not risen:
        return Counter()
    _keep(tx, broadcast_id, risen)
    moves = []
    for seq in sorted({seq for seq, _ in risen}):
        state, reason = _verdict(rows[seq], known[seq], refused=(seq, rows[seq].tries) in risen)
        if state != rows[seq].state:
            moves.append((seq, int(state), reason))
    _move(tx, broadcast_id, moves)
    return Counter(D(state) for _, state, _ in moves)


def _deliveries(tx: Tx, broadcast_id: int, seqs: Sequence[int]) -> dict[int, Row[Any]]:
    rows = tx.all(
        "SELECT d.seq, d.state, d.tries, d.reason, a.outcome"
        f" FROM {tx.looked_up({'seq': 'int'}, 'delivery', 'd.broadcast_id = :b AND d.seq = x.seq')}"
        f" {lookups.attempts(tx, left=True)}",
        b=broadcast_id, rows=tx.pack((seq,) for seq in seqs),
    )  # fmt: skip
    return {row.seq: row for row in rows}


def _verdict(row: Row[Any], copies: Mapping[int, Proof], *, refused: bool) -> Proof:
    """The state of a delivery with these copies. `refused`: this word is the first about the copy of the last try."""
    state = D(row.state)
    if state not in (D.WAITING, D.SENDING, D.UNKNOWN, D.ACCEPTED, D.DELIVERED, D.FAILED):
        return state, row.reason
    if any(found is D.DELIVERED for found, _ in copies.values()):
        return D.DELIVERED, None
    own, reason = _newest(row, state, copies)
    older_accepted = any(found is D.ACCEPTED for number, (found, _) in copies.items() if number != row.tries)
    if older_accepted and own in (None, D.WAITING, D.SENDING, D.UNKNOWN):
        return D.ACCEPTED, None
    if own is D.WAITING or (state is D.WAITING and own is D.FAILED and not refused):
        return D.WAITING, row.reason
    if own is None:
        doubtful = any(found is D.UNKNOWN for found, _ in copies.values())
        return (D.UNKNOWN, SILENT) if doubtful else (D.FAILED, max(copies.items())[1][1])
    return own, reason


def _newest(row: Row[Any], state: D, copies: Mapping[int, Proof]) -> tuple[D | None, str | None]:
    """The newest copy by its own answer and events; WAITING: still to go; None: it was not taken."""
    if state is D.WAITING:
        base: D | None = D.WAITING
    elif state in (D.SENDING, D.UNKNOWN):
        base = state
    elif state is D.FAILED:
        base = D.UNKNOWN if row.outcome == "lost" else D.FAILED
    else:
        base = _ANSWERED.get(row.outcome)
    word, reason = copies.get(row.tries, (None, None))
    if word is None or word is D.UNKNOWN or (base is not None and word <= base):
        return base, row.reason
    return word, reason


def _keep(tx: Tx, broadcast_id: int, words: Mapping[tuple[int, int], Proof]) -> None:
    rows = [(seq, number, int(state), reason) for (seq, number), (state, reason) in sorted(words.items())]
    tx.change(
        "INSERT INTO copy (broadcast_id, seq, number, state, reason)"
        " SELECT :b, x.seq, x.number, x.state, x.reason"
        f" FROM {tx.rows_of({'seq': 'int', 'number': 'int', 'state': 'int', 'reason': 'text'})} x WHERE x.seq >= 0"
        " ON CONFLICT (broadcast_id, seq, number) DO UPDATE SET state = excluded.state, reason = excluded.reason",
        b=broadcast_id, rows=tx.pack(rows),
    )  # fmt: skip


def _move(tx: Tx, broadcast_id: int, moves: Sequence[tuple[int, int, str | None]]) -> None:
    tx.change_by(
        "UPDATE delivery SET state = r.proof, reason = r.why {r} WHERE broadcast_id = :b AND seq = r.place",
        {"place": "int", "proof": "int", "why": "text"},
        moves,
        b=broadcast_id,
    )
    for no in sorted({seq // BATCH for seq, *_ in moves}):
        claims.recount(tx, broadcast_id, no, no)
