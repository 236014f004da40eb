"""A vendor that answers nothing usable is left alone after a few failures in a row, in the middle of a batch too."""

import pytest

from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Misconfigured, NotSent
from tests.services.world import UNKNOWN, World

pytestmark = pytest.mark.faults
PEOPLE, SIZE, WINDOW = 800, 10, 4


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    made.add_account("mail", Channel.EMAIL, in_flight=WINDOW)
    made.audience(PEOPLE)
    yield made
    made.ctx.ledger.close()


@pytest.mark.parametrize("answer", [UNKNOWN, NotSent("refused")])
def test_an_outage_costs_a_few_requests_not_a_batch(world, answer):
    made = world.broadcast(["email"], {"email": ["mail"]}, size=SIZE)
    world.release(made)
    vendor = world.vendors["mail"]
    vendor.script.extend([answer] * PEOPLE)
    world.drain("email")
    patience = world.ctx.settings.dispatch.breaker.failures
    assert 1 <= len(vendor.calls) <= patience + 2 * WINDOW
    assert world.sums(made, "email").get("waiting", 0) >= PEOPLE - len(vendor.calls) * SIZE


def test_a_probe_that_fails_costs_one_request(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, size=SIZE)
    world.release(made)
    vendor = world.vendors["mail"]
    vendor.script.extend([UNKNOWN] * PEOPLE)
    world.drain("email")
    before = len(vendor.calls)
    world.clock.pass_by(world.ctx.settings.dispatch.breaker.open_seconds + 1)
    world.drain("email", rounds=1)
    assert len(vendor.calls) == before + 1


def test_after_the_outage_everybody_who_waited_is_told(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, size=SIZE)
    world.release(made)
    vendor = world.vendors["mail"]
    vendor.script.extend([UNKNOWN] * 7)
    for _ in range(60):
        world.drain("email")
        world.clock.pass_by(31)
    sums = world.sums(made, "email")
    assert sums["accepted"] == PEOPLE - sums["unknown"]
    assert sums["unknown"] == 7 * SIZE
    assert len(vendor.told) == len(set(vendor.told))


@pytest.mark.parametrize("refusal", [UNKNOWN, Misconfigured("401")])
def test_an_account_that_no_tick_has_seen_yet_is_left_alone_too(world, refusal):
    made = world.broadcast(["email"], {"email": ["mail"]}, size=SIZE)
    world.release(made)
    with world.ctx.ledger.write() as tx:
        tx.change("DELETE FROM account")
    world.vendors["mail"].script.extend([refusal] * PEOPLE)
    world.drain("email")
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT state FROM account") == ("broken" if refusal is UNKNOWN else "paused")
    assert len(world.vendors["mail"].calls) <= world.ctx.settings.dispatch.breaker.failures + 2 * WINDOW
