"""A real process that drains a real ledger with a vendor that writes down whom it told, and dies over some recipients.

    python -m tests.faults.poison_worker FOLDER DATABASE WHERE

WHERE is `before` (while envelopes are made, before the intent), `call` (in the call) or `never`.
"""

import asyncio
import dataclasses
import os
import sys
from pathlib import Path

from dispatcher.model.clock import SystemClock
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted
from dispatcher.services import dispatch, envelopes, ticking
from tests.services.world import World

POISON = tuple(f"p{n}@" for n in ((13, 57, 214, 377) if os.environ.get("DISPATCHER_TEST_FULL") else (13, 377)))
"""In the whole suite 1 % of everybody."""

DIED = 9
WINDOW = 4
"""Calls under way at once."""


class Killer:
    """Takes everybody on but the poisonous, over whom it takes the process down."""

    def __init__(self, vendor, where, record):
        self.vendor, self.where, self.record = vendor, where, record

    async def send(self, rendition, found, *, expires_at):
        if self.where == "call" and any(e.address.startswith(POISON) for e in found):
            os._exit(DIED)
        lines = "".join(f"{e.key} {e.address}\n" for e in found)
        os.write(self.record, lines.encode())
        await asyncio.sleep(0.002)
        return [Accepted("m")] * len(found)


def die_while_sealing(seal, folder):
    def sealed(self, rows, *others):
        if any(row.address.startswith(POISON) for row in rows):
            with (folder / "deaths.txt").open("a") as deaths:
                deaths.write(f"{len(rows)}\n")
            os._exit(DIED)
        return seal(self, rows, *others)

    return sealed


def main():
    folder, url, where = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    world = World(
        folder, url, **{"dispatch.lease_seconds": 2, "dispatch.grace_seconds": 0.5, "dispatch.settle_seconds.email": 1}
    )
    world.clock = SystemClock()
    world.ctx = dataclasses.replace(world.ctx, clock=world.clock)
    vendor = world.add_account("mail", Channel.EMAIL, in_flight=WINDOW)
    record = os.open(folder / "told.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    vendor.send = Killer(vendor, where, record).send
    if where == "before":
        envelopes.Sealer.seal = die_while_sealing(envelopes.Sealer.seal, folder)
    for _ in range(400):
        ticking.tick(world.ctx)
        done = asyncio.run(dispatch.drain(world.ctx, "email", seconds=1))
        if not done.more and not _left(world):
            return
        asyncio.run(asyncio.sleep(0.05))


def _left(world):
    with world.ctx.ledger.read() as tx:
        if tx.scalar("SELECT count(*) FROM control WHERE policy = 'at_least_once'"):
            return tx.scalar("SELECT count(*) FROM delivery WHERE state IN (0, 3, 4)")
        return tx.scalar("SELECT count(*) FROM delivery WHERE state IN (0, 3)")


if __name__ == "__main__":
    main()
