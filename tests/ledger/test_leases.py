"""Workers that fall on a delivery: after the third crash it is put aside, and the others go on."""

import asyncio

import pytest

from dispatcher.ledger import attempts, claims, copies, leases
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
        claim = claims.claim(tx, "email", "worker", now, 0, 60_000, claims.fragile_is_next(tx, "email", now, 0))
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


def test_a_batch_that_was_given_back_in_peace_is_not_worked_on_alone_any_more(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    fragile = []
    for _ in range(2):
        _fall(world, made, 0)
    now = to_ms(world.clock.now())
    with world.ctx.ledger.write() as tx:
        fragile.append(claims.fragile_is_next(tx, "email", now, 0))
        assert claims.claim(tx, "email", "worker", now, 0, 60_000) is None
        claims.release(tx, claims.claim(tx, "email", "worker", now, 0, 60_000, fragile=True), 0, 0)
        fragile.append(claims.fragile_is_next(tx, "email", now, 0))
    assert fragile == [True, False]


def test_who_went_down_with_workers_goes_with_nobody_beside(world):
    """Else whoever is under way beside the one that kills the worker is lost as often, and blamed for it."""
    made = world.broadcast(["email"], {"email": ["mail"]}, size=2)
    world.release(made)
    row = (
        "INSERT INTO attempt (broadcast_id, id, started_at, no, first_seq, last_seq, size, finished_at, account,"
        " outcome)"
    )
    with world.ctx.ledger.write() as tx:
        for number in (1, 2):
            tx.change(f"{row} VALUES (:b, :id, 0, 0, 2, 3, 2, 1, 'mail', 'lost')", b=made, id=-number)
    vendor = world.ctx.accounts["mail"].provider
    under_way, most = [], []
    send = vendor.send

    async def watched(rendition, envelopes, **how):
        under_way.append(len(envelopes))
        most.append(len(under_way))
        await asyncio.sleep(0.01)
        try:
            return await send(rendition, envelopes, **how)
        finally:
            under_way.pop()

    vendor.send = watched
    world.drain("email")
    assert [[f"p{n}@example.com" for n in some] for some in ((1, 2), (3,), (4,), (5,))] == vendor.calls
    assert max(most) == 1


def test_what_a_worker_was_handing_over_when_it_fell_silent_is_closed_as_lost(world):
    """Also of whom an event had told meanwhile: codes, repeats and blame are reckoned by attempts."""
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    now = to_ms(world.clock.now())
    claim = world.claimed("email")
    with world.ctx.ledger.write() as tx:
        first, second = attempts.attempt_ids(tx, 2)
        requests = [attempts.Request(first, 0, 1, 2, now), attempts.Request(second, 2, 2, 1, now)]
        assert attempts.intend(tx, claim, "mail", requests, now, now + 60_000)
    world.clock.pass_by(0.005)
    done = world.intended(claim, "mail", 3, 4)
    third = done.attempt_id
    with world.ctx.ledger.write() as tx:
        answer = attempts.Finding(third, 3, 4, attempts.D.ACCEPTED, 2)
        attempts.record(tx, made, 0, [answer], [attempts.Closing(done, "mail", "accepted", 2, "m", None)], now + 6)
        copies.fold(tx, made, {(1, 1): (attempts.D.DELIVERED, None)})
    with world.ctx.ledger.write() as tx:
        assert leases.break_lease(tx, made, 0, now + 9, LIMIT) == 2
    with world.ctx.ledger.read() as tx:
        found = tx.all(
            "SELECT id, first_seq, last_seq, size, account, started_at, finished_at, outcome FROM attempt ORDER BY id"
        )
    assert [tuple(row) for row in found] == [
        (first, 0, 1, 2, "mail", now, now + 9, "lost"),
        (second, 2, 2, 1, "mail", now, now + 9, "lost"),
        (third, 3, 4, 2, "mail", now + 5, now + 6, "accepted"),
    ]
    assert world.sums(made, "email") == {"planned": 5, "unknown": 2, "accepted": 2, "delivered": 1}
