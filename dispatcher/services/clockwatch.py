"""Watches the wall clock: one that has stepped makes nobody believe that a settle time has passed.

How long an unanswered call lies back is told by the wall clock, as it has to outlive processes. Each tick and each
settling compares it with the monotonic clock of this machine; where the two have moved apart by more than STEP_MS, or
the machine is new to the ledger, every settle time begins again at that moment. That costs a wait and never a repeat.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from uuid import getnode

from dispatcher.ledger import broadcasts, meta
from dispatcher.ledger.engine import Tx
from dispatcher.log import get
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.services.context import Context

STEP_MS = 5_000
"""Further apart than this within one look is a step; less is drift, which is followed."""
DRIFT_MS = 1_000
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_STEP = "clock step"

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """The last time that a machine's wall clock left its monotonic one, or that a machine was new: by how many ms."""

    at: int
    by: int

    def holds(self, now: int, settle_ms: int) -> bool:
        """Whether one settle time has not passed since. A step in another machine's future says nothing here."""
        return -STEP_MS <= now - self.at < settle_ms


def look(ctx: Context) -> None:
    """Compare the clocks; write down how they stand to each other, and a step if there was one."""
    with ctx.ledger.read() as tx:
        if abs(_moved(ctx, tx) or 0) <= DRIFT_MS and _known(tx) is not None:
            return
    with ctx.ledger.write() as tx:
        by, now = _moved(ctx, tx), to_ms(ctx.clock.now())
        if by is None or abs(by) > STEP_MS:
            meta.put(tx, _STEP, json.dumps({"at": now, "by": by or 0}))
        if by is not None and abs(by) > STEP_MS:
            way = "forward" if by > 0 else "back"
            broadcasts.note_act(tx, "clock stepped", now, door="program", detail=f"{way} by {abs(by) / 1000:,.0f} s")
            log.warning("clock_stepped", seconds=by / 1000)
        meta.put(tx, _machine(), str(_offset(ctx)))


def last_step(tx: Tx) -> Step | None:
    """The last one that was seen."""
    found = meta.get(tx, _STEP)
    return Step(**json.loads(found)) if found else None


def forbids(ctx: Context, tx: Tx, settle_ms: int) -> bool:
    """Whether no settle time may be taken as passed now: a step is fresh, or not even written down yet."""
    by = _moved(ctx, tx)
    if by is None or abs(by) > STEP_MS:
        return True
    step = last_step(tx)
    return step is not None and step.holds(to_ms(ctx.clock.now()), settle_ms)


def held_until(ctx: Context, tx: Tx, settle_ms: int) -> datetime | None:
    """Until when a step holds what has this settle time; None if none does."""
    step = last_step(tx)
    if step is None or step.by == 0 or not step.holds(to_ms(ctx.clock.now()), settle_ms):
        return None
    return from_ms(step.at + settle_ms)


def _moved(ctx: Context, tx: Tx) -> int | None:
    """By how many ms the wall clock has left the monotonic one since the last look; None if there was none."""
    known = _known(tx)
    return None if known is None else _offset(ctx) - known


def _known(tx: Tx) -> int | None:
    found = meta.get(tx, _machine())
    return None if found is None else int(found)


def _offset(ctx: Context) -> int:
    return to_ms(ctx.clock.now()) - round(ctx.clock.monotonic() * 1000)


@cache
def _machine() -> str:
    """What the monotonic clock counts from: this boot of this machine, the same for all its processes."""
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.is_file() else f"{getnode():x}"
    return f"clock {boot}"
