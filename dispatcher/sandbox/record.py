"""The sandbox's own account of what arrived, read back: the independent judge of the ledger.

One JSON object a line. `kind` is `accepted` (a vendor took one message on) or `refused` (a request came and nothing
of it was taken on). Times come twice: `began` and `ended` in seconds of the machine's monotonic clock, the same for
all processes, and `began_at` in seconds since 1970.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `answer` is what the caller was told (`202`), or the fault that hid it (`reset_accepted`).

    `key` is ours as the vendor got it, None where it carries none; `message` the vendor's id; `to` the hash of the
    address; `address` is empty unless the sandbox was told to keep plain addresses; `text` only for public posts.
    """

    kind: str
    vendor: str
    account: str
    request: str
    answer: str
    began: float
    ended: float
    began_at: float
    key: str | None = None
    message: str = ""
    to: str = ""
    address: str = ""
    fate: str = ""
    text: str = ""


@dataclass(slots=True)
class Tally:
    """What the record proves. `torn`: unreadable lines, at most one for each kill of the sandbox itself."""

    counts: Counter[str] = field(default_factory=Counter)
    accepted_at: dict[str, list[float]] = field(default_factory=dict)
    by_account: Counter[str] = field(default_factory=Counter)
    requests: dict[str, set[str]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    keyless: list[Line] = field(default_factory=list)
    last_began: float | None = None
    torn: int = 0

    @property
    def duplicates(self) -> dict[str, int]:
        """Keys that were accepted more than once, with how often."""
        return {key: count for key, count in self.counts.items() if count > 1}

    @property
    def messages(self) -> int:
        """Messages accepted, repeats and those without a key included."""
        return self.by_account.total()

    def add(self, line: Line) -> None:
        """Count one line in."""
        self.last_began = max(line.began, self.last_began or 0.0)
        self.requests.setdefault(line.account, set()).add(line.request)
        if line.kind != "accepted":
            self.refused[line.answer] += 1
            return
        self.by_account[line.account] += 1
        if line.key is None:
            self.keyless.append(line)
            return
        self.counts[line.key] += 1
        self.accepted_at.setdefault(line.key, []).append(line.ended)


def hash_address(address: str) -> str:
    """How the record names an address: the first half of SHA-256 over it, exactly as it arrived."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


def _line(raw: bytes) -> Line | None:
    try:
        found: dict[str, Any] = orjson.loads(raw)
        return Line(**found)
    except (orjson.JSONDecodeError, TypeError):
        return None


def lines(path: Path | str, *, key: str | None = None) -> Iterator[Line]:
    """Every readable line, oldest first; with `key` only that key's."""
    with Path(path).open("rb") as file:
        for raw in file:
            line = _line(raw)
            if line is not None and (key is None or line.key == key):
                yield line


def judge(path: Path | str) -> Tally:
    """Read the whole record, line by line, and count."""
    tally = Tally()
    with Path(path).open("rb") as file:
        for raw in file:
            line = _line(raw)
            if line is None:
                tally.torn += bool(raw.strip())
            else:
                tally.add(line)
    return tally
