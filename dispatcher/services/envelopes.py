"""From ledger rows to envelopes: keys, slot values, unsubscribe addresses."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dispatcher.ledger.rows import Row
from dispatcher.model.kinds import Purpose
from dispatcher.model.rendition import Envelope

_KEY = re.compile(r"([^.]*)\.([0-9]{1,15})\.([0-9]{1,15})(?:\.[^.]*)?", re.DOTALL)


def key_of(ledger_id: str, broadcast_id: int, seq: int, part: int = 1) -> str:
    """What a vendor echoes about one delivery; opaque to it and unique across ledgers."""
    return f"{ledger_id}.{broadcast_id}.{seq}" + (f".p{part}" if part > 1 else "")


def parse_key(key: str) -> tuple[str, int, int] | None:
    """(ledger id, broadcast id, seq) of a key of ours; None for anything else."""
    found = _KEY.fullmatch(key)
    return found and (found[1], int(found[2]), int(found[3]))


@dataclass(frozen=True, slots=True)
class Sealer:
    """Makes the envelopes of one broadcast."""

    ledger_id: str
    broadcast_id: int
    purpose: Purpose
    unsubscribe: str = ""
    """Base address for one-click unsubscribe, ending in `/`; empty where the purpose needs none."""
    sign: Callable[[str], str] = str
    """Makes the last part of that address from a key (`unsubscribes.signer`)."""

    def seal(
        self, rows: Sequence[Row[Any]], part: int, in_reply_to: str | None, copies: Sequence[int]
    ) -> list[Envelope]:
        """One envelope per row, in order; `copies` are the numbers of their hand-overs."""
        keys = [key_of(self.ledger_id, self.broadcast_id, row.seq, part) for row in rows]
        links = [f"{self.unsubscribe}{self.sign(key)}" if self.unsubscribe else None for key in keys]
        values = [orjson.loads(row.fields) if row.fields else {} for row in rows]
        return [
            Envelope(key, row.address, value, part, in_reply_to, link, copy)
            for key, row, value, link, copy in zip(keys, rows, values, links, copies, strict=True)
        ]
