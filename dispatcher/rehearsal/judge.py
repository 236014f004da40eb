"""Holds the ledger against the pretend vendors' own record, which knows nothing of the ledger, and against the list."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dispatcher.reporting.story import Proof
from dispatcher.sandbox.fate import Fate
from dispatcher.sandbox.record import hash_address, lines

ENDS: Mapping[str, str] = {
    Fate.DELIVERED: "delivered",
    Fate.DEFERRED: "delivered",
    Fate.COMPLAINED: "delivered",
    Fate.UNSUBSCRIBED: "delivered",
    Fate.SILENT: "accepted",
    Fate.BOUNCED: "failed",
    Fate.BLOCKED: "failed",
    Fate.DROPPED: "failed",
    Fate.LATE_BOUNCE: "failed",
    Fate.UNREACHABLE: "failed",
    Fate.UNKNOWN_NUMBER: "failed",
    Fate.LANDLINE: "failed",
    Fate.FILTERED: "failed",
    Fate.FAILED: "failed",
}
"""What the ledger must say once every event about a message with this fate is in."""

_REACHED = ("accepted", "delivered")
_LEFT_OUT = ("suppressed", "held", "pending", "sending", "cancelled", "expired")


@dataclass
class Record:
    """The vendors' side: who was told (hashed addresses by vendor), what became of them, and who was told twice."""

    told: dict[str, Counter[str]] = field(default_factory=dict)
    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    posted: set[str] = field(default_factory=set)
    twice: int = 0


def read(path: Path) -> Record:
    """The record as it stands."""
    record, keys = Record(), Counter[str]()
    for line in lines(path):
        if line.kind != "accepted":
            continue
        keys[line.key or line.message] += 1
        if line.account == "x":
            record.posted.add(line.account)
            continue
        record.told.setdefault(line.account, Counter())[line.to] += 1
        record.ends[line.account, ENDS.get(line.fate, line.fate)] += 1
    record.twice = sum(count - 1 for count in keys.values())
    return record


def judge(rows: Iterable[Mapping[str, Any]], record: Record, listed: Mapping[str, int]) -> list[Proof]:
    """Every claim of the ledger beside what the other side says.

    `rows` are those of `broadcast export`; `listed` is how many people of the list have an address on each channel.
    """
    seen = _Seen()
    for row in rows:
        seen.add(row, record)
    proofs = [
        Proof(f"{channel}: people on the list", seen.planned[channel], count) for channel, count in listed.items()
    ]
    for channel, account in (("email", "sendgrid"), ("sms", "twilio")):
        claim = f"{channel}: counted as reached, found at the vendor"
        proofs.append(Proof(claim, _reached(seen, channel), seen.found[channel]))
        for state in ("delivered", "failed"):
            proofs.append(_end(channel, account, state, seen, record))
    return [
        *proofs,
        Proof("social: our accounts that posted", _reached(seen, "social"), len(record.posted)),
        Proof("left out, but told all the same", 0, seen.told_all_the_same),
        Proof("told, but not in the ledger", 0, _strangers(record, seen)),
        Proof("told twice", 0, record.twice),
    ]


class _Seen:
    """The ledger's rows, counted."""

    def __init__(self) -> None:
        self.planned: Counter[str] = Counter()
        self.states: Counter[tuple[str, str]] = Counter()
        self.found: Counter[str] = Counter()
        self.failed_after: Counter[str] = Counter()
        self.told_all_the_same = 0
        self.addresses: set[str] = set()

    def add(self, row: Mapping[str, Any], record: Record) -> None:
        channel, state = row["channel"], row["state"]
        self.planned[channel] += 1
        self.states[channel, state] += 1
        mark = hash_address(row["address"] or "")
        self.addresses.add(mark)
        told = any(mark in people for people in record.told.values())
        self.found[channel] += told and state in _REACHED
        self.failed_after[channel] += told and state == "failed"
        self.told_all_the_same += told and state in _LEFT_OUT


def _reached(seen: _Seen, channel: str) -> int:
    return sum(seen.states[channel, state] for state in _REACHED)


def _end(channel: str, account: str, state: str, seen: _Seen, record: Record) -> Proof:
    """`failed` in the ledger also counts what a vendor refused, which its record does not hold as told."""
    ledger = seen.failed_after[channel] if state == "failed" else seen.states[channel, state]
    words = "taken on, then failed" if state == "failed" else state
    return Proof(f"{channel}: {words}", ledger, record.ends[account, state])


def _strangers(record: Record, seen: _Seen) -> int:
    return sum(1 for people in record.told.values() for mark in people if mark not in seen.addresses)
