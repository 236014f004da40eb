"""A newer word against an older one that is under way: in a worker's hands, or on a host whose clock is behind."""

import asyncio

import pytest

from dispatcher.model.kinds import Channel
from dispatcher.services import dispatch, followups, routing
from dispatcher.services.handover import hand_over
from tests.services.follow_world import build, first, released, sums

pytestmark = pytest.mark.faults
BEHIND = 30
"""Seconds by which the older one's host is behind."""


@pytest.fixture
def world(tmp_path, database_url):
    made = build(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _due(world, broadcast, at):
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = :at WHERE broadcast_id = :b", at=at, b=broadcast.id)


def test_a_batch_claimed_before_the_newer_one_was_released_goes_to_nobody(world):
    old = released(world, first(world, channels=(Channel.EMAIL,)))
    claim = dispatch._claim(world.ctx, Channel.EMAIL)
    work = dispatch._prepare(world.ctx, claim, routing.choose(world.ctx, claim))
    new = released(world, followups.update(world.ctx, world.author, old.ref))
    asyncio.run(hand_over(world.ctx, work, lambda: False))
    assert world.mail.calls == []
    world.drain("email")
    assert sums(world, new) == {"accepted": 6}


def test_once_the_newer_one_began_the_older_one_is_over_whatever_the_clocks_say(world):
    old = released(world, first(world, channels=(Channel.EMAIL,)))
    _due(world, old, 9_999_999_999_999)
    world.clock.pass_by(2 * BEHIND)
    new = released(world, followups.update(world.ctx, world.author, old.ref))
    world.drain("email")
    told = len(world.mail.calls)
    assert sums(world, new) == {"accepted": 6}
    _due(world, old, 0)
    world.clock.pass_by(-BEHIND)
    world.drain("email")
    assert len(world.mail.calls) == told
