"""A wall clock that steps: nobody believes it about how long an unanswered call lies back."""

from datetime import timedelta

import pytest

from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Channel, Policy
from dispatcher.services import clockwatch, explaining, ticking
from tests.services.world import UNKNOWN, World

SETTLE = 900


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("mail", Channel.EMAIL)
    made.audience(3)
    yield made
    made.ctx.ledger.close()


def _unanswered(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, policy=Policy.AT_LEAST_ONCE, expires=90_000)
    world.release(made)
    world.vendors["mail"].script.append(UNKNOWN)
    ticking.tick(world.ctx)
    world.drain("email")
    return made


def _step(world, seconds):
    world.clock.moment += timedelta(seconds=seconds)


def _calls(world, ticks=1):
    for _ in range(ticks):
        ticking.tick(world.ctx)
        world.drain("email")
    return len(world.vendors["mail"].calls)


def test_a_step_forward_is_not_a_settle_time(world):
    made = _unanswered(world)
    _step(world, 3600)
    assert _calls(world) == 1
    world.clock.pass_by(SETTLE - 1)
    assert _calls(world) == 1
    world.clock.pass_by(2)
    assert _calls(world, 2) == 2
    assert world.sums(made, "email") == {"planned": 3, "accepted": 3}


def test_whoever_settles_sees_the_step_before_any_tick_does(world):
    _unanswered(world)
    _step(world, 3600)
    world.drain("email")
    world.drain("email")
    assert len(world.vendors["mail"].calls) == 1


def test_a_step_back_after_a_step_forward_begins_the_wait_again_and_not_an_hour_later(world):
    _unanswered(world)
    _step(world, 3600)
    assert _calls(world) == 1
    world.clock.pass_by(60)
    _step(world, -3600)
    assert _calls(world) == 1
    world.clock.pass_by(SETTLE + 1)
    assert _calls(world, 2) == 2


def test_a_clock_that_drifts_holds_nothing_up(world):
    _unanswered(world)
    for _ in range(10):
        world.clock.pass_by(SETTLE / 10)
        _step(world, 1.5)
        ticking.tick(world.ctx)
    assert _calls(world, 2) == 2
    with world.ctx.ledger.read() as tx:
        assert clockwatch.last_step(tx).by == 0


def test_a_machine_that_is_new_to_the_ledger_waits_one_settle_time(world, monkeypatch):
    _unanswered(world)
    world.clock.pass_by(SETTLE + 1)
    monkeypatch.setattr(clockwatch, "_machine", lambda: "clock of another machine")
    assert _calls(world) == 1
    world.clock.pass_by(SETTLE + 1)
    assert _calls(world, 2) == 2


def test_a_step_in_another_machines_future_holds_nobody_here():
    ahead = clockwatch.Step(at=10_000_000, by=9_000_000)
    assert not ahead.holds(1_000_000, 900_000)
    assert ahead.holds(10_000_000, 900_000)
    assert not ahead.holds(10_900_000, 900_000)


def test_a_step_is_written_down_once_and_told(world):
    made = _unanswered(world)
    _step(world, 600)
    for _ in range(3):
        ticking.tick(world.ctx)
    with world.ctx.ledger.read() as tx:
        acts = tx.all("SELECT detail FROM act WHERE verb = 'clock stepped'")
        assert [row.detail for row in acts] == ["forward by 600 s"]
        broadcast = broadcasts.get(tx, made)
        [told] = explaining.explain(world.ctx, tx, broadcast, "email", {"unknown": 3}, None, {})
    assert "clock" in told.why
    assert told.next_at == world.clock.now() + timedelta(seconds=SETTLE)
