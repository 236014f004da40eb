"""What is under way at once: one window for all batches of a process, and waiting that misses no answer."""

import asyncio
import contextlib

import pytest

from dispatcher.ledger import counts
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, OutcomeUnknown
from dispatcher.services import dispatch
from dispatcher.services.calls import Calls
from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _texts(world, people, in_flight):
    vendor = world.add_account("text", Channel.SMS, most=1, in_flight=in_flight)
    world.audience(people)
    made = world.broadcast(["sms"], {"sms": ["text"]})
    world.release(made)
    return vendor, made


@pytest.mark.parametrize("in_flight", [1, 3, 16])
def test_a_kill_could_leave_no_more_unknown_than_the_window(world, in_flight):
    """Whatever two batches have under way together, answered and not yet written included."""
    vendor, made = _texts(world, 1200, in_flight)
    seen = []

    async def send(rendition, envelopes, *, expires_at):
        with world.ctx.ledger.read() as tx:
            seen.append(counts.by_channel(tx, made)["sms"].sending)
        await asyncio.sleep(0)
        vendor.told.extend(e.address for e in envelopes)
        return [Accepted("m")]

    vendor.send = send
    world.drain("sms", rounds=60)
    assert world.sums(made, "sms") == {"planned": 1200, "accepted": 1200}
    assert len(vendor.told) == len(set(vendor.told)) == 1200
    assert max(seen) <= in_flight
    assert max(seen) > in_flight // 2, "the window is used"
    assert world.ctx.concurrency.room("text", in_flight) == world.ctx.concurrency.size("text", in_flight)


def test_a_batch_that_ends_badly_gives_its_places_back(world):
    vendor, _ = _texts(world, 40, 8)

    async def hang(rendition, envelopes, *, expires_at):
        await asyncio.sleep(3600)

    async def cut_short():
        drain = asyncio.create_task(dispatch.drain(world.ctx, "sms"))
        while world.ctx.concurrency.room("text", 8) > 0:
            await asyncio.sleep(0.001)
        drain.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drain

    vendor.send = hang
    asyncio.run(cut_short())
    assert world.ctx.concurrency.room("text", 8) == 4


async def _outcome(after):
    await asyncio.sleep(after)
    return OutcomeUnknown(str(after))


def test_answers_come_as_they_are_ready_and_none_is_missed():
    async def run():
        calls, came = Calls(), []
        for after in (0.0, 0.0, 0.05):
            calls.begin(_outcome(after))
        while calls:
            came += await calls.answers(60)
        return [one.reason for one in came], len(calls), await calls.answers(0.001)

    assert asyncio.run(run()) == (["0.0", "0.0", "0.05"], 0, [])


def test_waiting_ends_without_an_answer_too():
    async def run():
        calls = Calls()
        calls.begin(_outcome(3600))
        before = await calls.answers(0.001), len(calls)
        calls.cancel()
        with pytest.raises(asyncio.CancelledError):
            await calls.answers(60)
        return before

    assert asyncio.run(run()) == ([], 1)


def test_what_a_call_raised_is_raised():
    async def fail():
        raise ValueError("why")

    async def run():
        calls = Calls()
        calls.begin(fail())
        await calls.answers(60)

    with pytest.raises(ValueError, match="why"):
        asyncio.run(run())
