"""A disk that fills up in the middle: nothing is sent that was not written down, and all goes on when there is room."""

import asyncio
import contextlib
import os

import pytest

from dispatcher.ledger import counts
from dispatcher.ledger.engine import LedgerFault
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted
from dispatcher.services import dispatch, ticking
from tests.services.world import World

pytestmark = pytest.mark.faults
MOMENTS = (0, 3, 7)
TIMES = 10 if os.environ.get("DISPATCHER_TEST_FULL") else 1
"""How often the disk fills up at each moment: before the first call, and in the third and the seventh."""
SIZE, WINDOW = 50, 2
OPEN = 2 * WINDOW * SIZE
"""Under way when the disk is full: a window's calls, and as many that began before an answer was to be written."""


@pytest.mark.parametrize("calls_before", MOMENTS * TIMES)
def test_no_send_without_an_intent_on_a_full_disk(tmp_path, calls_before):
    world = World(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", **{"dispatch.lease_seconds": 2})
    vendor = world.add_account("mail", Channel.EMAIL, in_flight=WINDOW)
    world.audience(1000)
    made = world.broadcast(["email"], {"email": ["mail"]}, size=SIZE)
    world.release(made)
    limit = {"pages": 0}
    _cap(world.ctx.ledger, limit)

    def fill_up(envelopes):
        limit["pages"] = 1
        return [Accepted("m")] * len(envelopes)

    if calls_before:
        vendor.script.extend([None] * (calls_before - 1) + [fill_up])
    else:
        limit["pages"] = 1
    _drain_until_it_fails(world)
    told = len(vendor.told)
    assert {address for address, _ in vendor.told} <= _intended(world, made)
    assert told < 1000, "the disk was never full"
    limit["pages"] = 0
    world.clock.pass_by(100)
    ticking.tick(world.ctx)
    world.drain("email")
    sums = world.sums(made, "email")
    assert sums.get("accepted", 0) + sums.get("unknown", 0) == 1000
    assert sums.get("unknown", 0) <= OPEN
    assert len(vendor.told) == len(set(vendor.told))
    assert len(vendor.told) >= sums["accepted"]
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, made) == []
        assert tx.scalar("PRAGMA integrity_check") == "ok"
    world.ctx.ledger.close()


def _intended(world, made):
    """Whom an intent that stands in the ledger names."""
    with world.ctx.ledger.read() as tx:
        rows = tx.all(
            "SELECT r.email FROM intent i JOIN delivery d ON d.broadcast_id = i.broadcast_id"
            " AND d.seq / 1000 = i.no AND d.attempt_id BETWEEN i.first_id AND i.last_id"
            " JOIN recipient r ON r.version_id = 1 AND r.rid = d.rid WHERE i.broadcast_id = :b",
            b=made,
        )
    return {row.email for row in rows}


def _cap(ledger, limit):
    """SQLite never shrinks below what is there: one page means not one more. 0 lifts it."""
    begin = ledger.driver.begin

    def capped(connection, *, writing):
        first = begin(connection, writing=writing)
        connection.execute(f"PRAGMA max_page_count = {limit['pages'] or 1_073_741_823}")
        return first

    ledger.driver.begin = capped


def _drain_until_it_fails(world):
    """The ledger says no; the clock runs on meanwhile, so that nobody waits for ever."""

    async def run():
        async def hasten():
            while True:
                world.clock.pass_by(1)
                await asyncio.sleep(0.05)

        clock = asyncio.create_task(hasten())
        try:
            for _ in range(40):
                await dispatch.drain(world.ctx, "email", seconds=1e9)
        finally:
            clock.cancel()

    with contextlib.suppress(LedgerFault):
        asyncio.run(run())
