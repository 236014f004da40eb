"""A slow vendor is used up to the account's limit of requests in flight, by two batches at once, and never beyond."""

import asyncio

import pytest

from dispatcher.model.broadcast import BATCH
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted
from tests.services.world import World


class Slow:
    """Answers a first round at once, then nobody until as many calls are under way as may be, then everybody."""

    def __init__(self, limit, clock):
        self._limit = limit
        self._clock = clock
        self._full = asyncio.Event()
        self._under_way = []
        self.begun = self.answered = self.peak = 0
        self.batches = set()

    async def send(self, rendition, envelopes, *, expires_at):
        batch = int(envelopes[0].key.split(".")[2]) // BATCH
        self.begun += 1
        self._under_way.append(batch)
        self.peak = max(self.peak, len(self._under_way))
        if len(self._under_way) == self._limit:
            self.batches |= set(self._under_way)
            self._full.set()
        if self.begun > self._limit:
            async with asyncio.timeout(60):
                while not self._full.is_set():
                    self._clock.pass_by(0.03)  # answers are written, and felt, after a twentieth of a second
                    await asyncio.sleep(0.02)
        await asyncio.sleep(0)
        self._under_way.remove(batch)
        self.answered += len(envelopes)
        return [Accepted("m")] * len(envelopes)


@pytest.mark.parametrize("limit", [4, 10])
def test_the_limit_is_reached_and_never_passed(tmp_path, limit):
    world = World(tmp_path)
    vendor = world.add_account("mail", Channel.EMAIL, in_flight=limit, timeout=120)
    world.audience(4 * BATCH)
    world.release(world.broadcast(["email"], {"email": ["mail"]}, size=100))
    slow = Slow(limit, world.clock)
    vendor.send = slow.send
    world.drain("email")
    assert slow.answered == 4 * BATCH
    assert slow.peak == limit
    assert len(slow.batches) >= 2
