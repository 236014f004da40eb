"""What came back is written along with the next intent: it is kept whatever becomes of that intent."""

import asyncio
import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from dispatcher.ledger import claims
from dispatcher.ledger.engine import LedgerFault
from dispatcher.model.kinds import Channel
from dispatcher.services import dispatch, routing, ticking
from dispatcher.services.handover import hand_over
from tests.services.world import World

pytestmark = pytest.mark.faults
PEOPLE, WINDOW = 12, 4


class Cut:
    """The real ledger; the transaction with this number ends in a fault, before its commit or after it."""

    def __init__(self, world, number, committed):
        self._world, self._left, self._committed = world, number, committed

    def __getattr__(self, name):
        return getattr(self._world.ctx.ledger, name)

    @contextmanager
    def write(self):
        self._left -= 1
        fault = LedgerFault(OSError("cut off"), transient=True) if self._left == 0 else None
        with self._world.ctx.ledger.write() as tx:
            yield tx
            if fault and not self._committed:
                raise fault
        if fault:
            raise fault


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("text", Channel.SMS, in_flight=WINDOW)
    made.audience(PEOPLE)
    yield made
    made.ctx.ledger.close()


def _taken_up(world):
    made = world.broadcast(["sms"], {"sms": ["text"]}, size=1)
    world.release(made)
    claim = dispatch._claim(world.ctx, Channel.SMS)
    return made, dispatch._prepare(world.ctx, claim, routing.choose(world.ctx, claim))


def _is_exact(world, made, unknown):
    """Nobody twice, nobody lost; only those whose intent was cut off are unknown."""
    world.clock.pass_by(60 + 16)
    ticking.tick(world.ctx)
    world.drain("sms")
    told = [address for call in world.vendors["text"].calls for address in call]
    assert len(told) == len(set(told)) == PEOPLE - unknown
    expected = {"planned": PEOPLE, "accepted": PEOPLE - unknown, "unknown": unknown}
    assert world.sums(made, "sms") == {name: n for name, n in expected.items() if n}


@pytest.mark.parametrize("number", [2, 3, 4])
@pytest.mark.parametrize("committed", [False, True])
def test_answers_outlive_the_intent_that_was_to_be_written_with_them(world, number, committed):
    made, work = _taken_up(world)
    asyncio.run(hand_over(dataclasses.replace(world.ctx, ledger=Cut(world, number, committed)), work, lambda: False))
    calls = len(world.vendors["text"].calls)
    found = world.sums(made, "sms")
    assert 0 < calls < PEOPLE
    assert found["accepted"] == calls
    assert bool(found.get("sending")) == committed
    _is_exact(world, made, found.get("sending", 0))


def test_answers_are_kept_when_nobody_can_say_what_the_caps_allow(world):
    made, work = _taken_up(world)
    work.account = dataclasses.replace(
        work.account, settings=work.account.settings.model_copy(update={"per_day": 1000})
    )
    ledger = Cut(world, 0, committed=False)
    ledger.read = _after(2, world.ctx.ledger.read)
    asyncio.run(hand_over(dataclasses.replace(world.ctx, ledger=ledger), work, lambda: False))
    calls = len(world.vendors["text"].calls)
    assert 0 < calls < PEOPLE
    assert world.sums(made, "sms") == {"planned": PEOPLE, "waiting": PEOPLE - calls, "accepted": calls}
    _is_exact(world, made, 0)


def _after(times, read):
    """A door that fails once it was used so often."""
    used = iter(range(1000))

    @contextmanager
    def door():
        if next(used) >= times:
            raise LedgerFault(OSError("gone"), transient=True)
        with read() as tx:
            yield tx

    return door


def test_answers_are_kept_when_the_next_envelopes_cannot_be_made(world):
    made, work = _taken_up(world)
    sealed = iter(range(1000))

    class Broken:
        def seal(self, *asked):
            if next(sealed) >= 1:
                raise RuntimeError("no envelope")
            return whole.seal(*asked)

    whole, work.sealer = work.sealer, Broken()
    with pytest.raises(RuntimeError):
        asyncio.run(hand_over(world.ctx, work, lambda: False))
    assert world.sums(made, "sms").get("accepted", 0) >= 1


@pytest.mark.postgres
def test_a_turn_that_waits_for_a_stop_holds_no_batch(tmp_path, postgres_server):
    """A stop locks the control row, then batches: the other way round, each would wait for the other."""
    url = postgres_server.fresh()
    world = World(tmp_path, url)
    world.add_account("text", Channel.SMS, in_flight=WINDOW)
    world.audience(PEOPLE)
    made, work = _taken_up(world)
    with ThreadPoolExecutor(1) as pool:
        with world.ctx.ledger.write() as stop:
            stop.all("SELECT state FROM control WHERE broadcast_id = :b FOR UPDATE", b=made)
            turn = pool.submit(asyncio.run, hand_over(world.ctx, work, lambda: False))
            _until_somebody_waits(stop)
            stop.change("SET LOCAL lock_timeout = '300ms'")
            claims.lock_batches(stop, made, [0])
            stop.change("UPDATE control SET state = 'stopped' WHERE broadcast_id = :b", b=made)
        turn.result()
    assert world.vendors["text"].calls == []
    assert world.sums(made, "sms") == {"planned": PEOPLE, "waiting": PEOPLE}
    world.ctx.ledger.close()
    postgres_server.drop(url)


def _until_somebody_waits(tx):
    ends = time.monotonic() + 10
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    while not tx.scalar(waits):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_answers_are_written_although_the_batch_went_to_somebody_else(world):
    made, work = _taken_up(world)
    vendor = world.vendors["text"]

    def taken_away(envelopes):
        with world.ctx.ledger.write() as tx:
            tx.change("UPDATE batch SET fence = fence + 1 WHERE broadcast_id = :b", b=made)

    vendor.script.append(taken_away)
    asyncio.run(hand_over(world.ctx, work, lambda: False))
    begun = len(vendor.calls)
    assert world.sums(made, "sms") == {"planned": PEOPLE, "waiting": PEOPLE - begun, "accepted": begun}
    assert 0 < begun < PEOPLE
    _is_exact(world, made, 0)
