"""Workers that fall on a delivery: after the third crash it is put aside, and the others go on."""

import pytest

from dispatcher.ledger import claims, leases
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from tests.services.world import World

LIMIT = 3


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("mail", Channel.EMAIL)
    made.audience(5)
    yield made
    made.ctx.ledger.close()


def _fall(world, made, seq):
    """A worker claims the batch, writes down whom it is about to touch, and is never heard of again."""
    now = to_ms(world.clock.now())
    with world.ctx.ledger.write() as tx:
        claim = claims.claim(tx, "email", "worker", now, 0, 60_000)
        assert leases.suspect(tx, claim, seq)
        assert leases.break_lease(tx, made, 0, now, LIMIT) == 0
    return world.sums(made, "email")


def test_the_third_crash_over_the_same_delivery_puts_it_aside(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    told = [_fall(world, made, 2) for _ in range(LIMIT)]
    assert told == [{"planned": 5, "waiting": 5}] * 2 + [{"planned": 5, "waiting": 4, "failed": 1}]
    with world.ctx.ledger.read() as tx:
        [aside] = tx.all("SELECT seq, reason FROM delivery WHERE state = 7")
    assert tuple(aside) == (2, leases.QUARANTINED.format(n=LIMIT))


def test_crashes_over_different_deliveries_put_nobody_aside(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    for seq in (0, 1, 2, 3, 0, 1):
        assert _fall(world, made, seq) == {"planned": 5, "waiting": 5}
