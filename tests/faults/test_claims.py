"""Sixteen claimers at once: no batch is ever in two hands, none is claimed twice under one fence."""

import os
import threading
from collections import Counter

import pytest

from dispatcher.ledger import claims
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from tests.services.world import World

pytestmark = pytest.mark.faults
CLAIMERS, PEOPLE = 16, 12_000
CLAIMS = 10_000 if os.environ.get("DISPATCHER_TEST_FULL") else 48
"""Each takes up to a thousand deliveries."""


def _mislead_planner(world):
    """Statistics of empty tables, which stay: the plan that PostgreSQL then chooses may be a bad one."""
    if not world.ctx.ledger.is_sqlite:
        with world.ctx.ledger.write() as tx:
            for table in ("batch", "control", "channel_gate"):
                tx.change(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
                tx.change(f"ANALYZE {table}")


def test_sixteen_claimers_never_hold_the_same_batch(tmp_path, database_url):
    world = World(tmp_path, database_url)
    world.add_account("mail", Channel.EMAIL)
    _mislead_planner(world)
    world.audience(PEOPLE)
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    now, held, wrong, taken = to_ms(world.clock.now()), set(), [], Counter()
    guard = threading.Lock()

    def claimer(number):
        for _ in range(CLAIMS // CLAIMERS):
            with world.ctx.ledger.write() as tx:
                claim = claims.claim(tx, "email", f"c{number}", now, 0, 60_000)
            if claim is None:
                continue
            with guard:
                wrong.extend([claim.no] if claim.no in held else [])
                held.add(claim.no)
                taken[claim.no, claim.fence] += 1
            with guard:
                held.discard(claim.no)
            with world.ctx.ledger.write() as tx:
                claims.release(tx, claim, 0, 0)

    hands = [threading.Thread(target=claimer, args=(n,)) for n in range(CLAIMERS)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    with world.ctx.ledger.read() as tx:
        leased = tx.scalar("SELECT count(*) FROM batch WHERE owner IS NOT NULL")
    assert (wrong, leased, max(taken.values())) == ([], 0, 1)
    assert taken.total() > CLAIMS / 4, "the claimers mostly found nothing"
    world.ctx.ledger.close()


def test_what_is_claimed_stays_claimed_until_it_is_given_back(tmp_path, database_url):
    world = World(tmp_path, database_url)
    world.add_account("mail", Channel.EMAIL)
    world.audience(3000)
    world.release(world.broadcast(["email"], {"email": ["mail"]}))
    now, found = to_ms(world.clock.now()), []
    for number in range(5):
        with world.ctx.ledger.write() as tx:
            claim = claims.claim(tx, "email", f"c{number}", now, 0, 60_000)
        found.append(claim and claim.no)
    assert found == [0, 1, 2, None, None]
    world.ctx.ledger.close()
