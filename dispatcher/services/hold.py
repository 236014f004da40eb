"""The anchor outside the ledger, and the hold of a ledger that is behind it: a restored or copied one sends nothing.

What it had released may have been sent by the copy that is lost, so all of that is unknown from the start of the
hold: vendors and events can still settle it, and nothing of it goes out a second time unless a person says so.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dispatcher.ledger import broadcasts, codes, meta, sweeps
from dispatcher.model.clock import to_ms
from dispatcher.model.person import Person
from dispatcher.people import Right, require
from dispatcher.services.context import Context


def is_held(ctx: Context) -> bool:
    """Whether this ledger may not send."""
    return reason(ctx) is not None


def reason(ctx: Context) -> str | None:
    """Why this ledger is held; None if it is not."""
    with ctx.ledger.read() as tx:
        return meta.get(tx, "hold")


def guard(ctx: Context) -> str | None:
    """Compare ledger and anchor: hold a ledger that is behind, else move the anchor up. The reason, if held."""
    with _anchor(ctx) as (anchor, keep):
        with ctx.ledger.read() as tx:
            held = meta.get(tx, "hold")
            found = None if held else _doubt(tx, ctx, anchor)
            last, epoch = meta.last_attempt(tx), int(meta.get(tx, "epoch") or 1)
        if found:
            _hold(ctx, found)
        if held or found:
            return held or found
        keep({"epoch": epoch, "attempt": last, "site": _site(ctx)})
    return None


def release(ctx: Context, actor: Person, why: str) -> None:
    """A person has reconciled: a new epoch begins, attempt ids go on after the anchor's."""
    require(actor, Right.RELEASE_HOLD)
    with _anchor(ctx) as (anchor, keep):
        known = int((anchor or {}).get("attempt", 0))
        with ctx.ledger.write() as tx:
            epoch = int(meta.get(tx, "epoch") or 1) + 1
            meta.put(tx, "epoch", str(epoch))
            meta.raise_attempts(tx, known)
            meta.drop(tx, "hold")
            meta.put(tx, "site", meta.site(tx))
            last = meta.last_attempt(tx)
            broadcasts.note_act(tx, "hold released", to_ms(ctx.clock.now()), person_id=actor.id, detail=why)
        keep({"epoch": epoch, "attempt": last, "site": _site(ctx)})


def _doubt(tx: Any, ctx: Context, anchor: dict[str, Any] | None) -> str | None:
    """Why this ledger may not be the one that sent last; None where it plainly is."""
    site, known = meta.site(tx), meta.get(tx, "site")
    if site and known and site != known:
        return "This database was copied from another server."
    if anchor is None:
        lone = not site and meta.has_gone_live(tx)
        return "The ledger has sent before, or was about to, but its anchor is not on this machine." if lone else None
    if int(anchor["epoch"]) > int(meta.get(tx, "epoch") or 1):
        return "The ledger is from before the last release of a hold."
    if int(anchor["attempt"]) > meta.last_attempt(tx):
        return f"The ledger is {int(anchor['attempt']) - meta.last_attempt(tx)} attempts behind its anchor."
    return None


def _hold(ctx: Context, why: str) -> None:
    with ctx.ledger.write() as tx:
        if meta.get(tx, "hold") is None:
            now = to_ms(ctx.clock.now())
            meta.put(tx, "hold", why)
            batches = sweeps.doubt(tx, now)
            pools = codes.close_pools(tx, "A lost copy of this ledger may have issued codes from it.")
            detail = f"{why} {batches} batches became unknown." + (f" {pools} pools of codes closed." if pools else "")
            broadcasts.note_act(tx, "hold begun", now, door="program", detail=detail)


def _site(ctx: Context) -> str:
    with ctx.ledger.read() as tx:
        site, known = meta.site(tx), meta.get(tx, "site")
    if site and known is None:
        with ctx.ledger.write() as tx:
            meta.put(tx, "site", site)
    return site


@contextmanager
def _anchor(ctx: Context) -> Iterator[tuple[dict[str, Any] | None, Any]]:
    """This ledger's entry in the anchor file, and a function that keeps a new one: locked, fsynced, never lowered.

    Nobody waits for the lock: its holder may be a frozen process. Who does not get it compares, and keeps nothing.
    """
    path = Path(ctx.settings.anchor.path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".{path.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = True
        except BlockingIOError:
            ours = False
        entries = json.loads(path.read_text()) if path.exists() and path.stat().st_size else {}

        def keep(entry: dict[str, Any]) -> None:
            if ours and entries.get(ctx.ledger_id) != entry:
                _write(path, entries | {ctx.ledger_id: entry})

        yield entries.get(ctx.ledger_id), keep


def _write(path: Path, entries: dict[str, Any]) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("w") as file:
        json.dump(entries, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
