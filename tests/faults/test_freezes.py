"""A worker that sleeps between two lines: with its claim, at the ledger's door, in the commit, before the call."""

import asyncio
import dataclasses
from contextlib import contextmanager

import pytest

from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.services import dispatch, routing, ticking
from dispatcher.services.handover import hand_over
from tests.services.world import World

pytestmark = pytest.mark.faults
PEOPLE = 20


class Bed:
    """The real ledger; whoever writes for the first time sleeps at the door, in the commit or right after it."""

    def __init__(self, world, where, seconds):
        self._world, self._where, self._seconds = world, where, seconds

    def __getattr__(self, name):
        return getattr(self._world.ctx.ledger, name)

    @contextmanager
    def write(self):
        self._sleep("at the door")
        with self._world.ctx.ledger.write() as tx:
            yield tx
            self._sleep("in the commit")
        self._sleep("before the call")

    def _sleep(self, where):
        if where == self._where:
            self._where = None
            self._world.clock.pass_by(self._seconds)


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("mail", Channel.EMAIL)
    made.audience(PEOPLE)
    yield made
    made.ctx.ledger.close()


def _released(world, **plan):
    made = world.broadcast(["email"], {"email": ["mail"]}, **plan)
    world.release(made)
    return made


def _taken_up(world):
    claim = dispatch._claim(world.ctx, Channel.EMAIL)
    return dispatch._prepare(world.ctx, claim, routing.choose(world.ctx, claim))


def _go_on(world, work, where="nowhere", seconds=0.0):
    ctx = dataclasses.replace(world.ctx, ledger=Bed(world, where, seconds))
    asyncio.run(hand_over(ctx, work, lambda: False))


def _told(world):
    return [address for call in world.vendors["mail"].calls for address in call]


def test_who_wakes_up_after_its_lease_hands_over_nothing(world):
    made = _released(world)
    sleeper = _taken_up(world)
    world.clock.pass_by(60 + 16)
    ticking.tick(world.ctx)
    world.drain("email")
    _go_on(world, sleeper)
    assert len(_told(world)) == len(set(_told(world))) == PEOPLE
    assert world.sums(made, "email") == {"planned": PEOPLE, "accepted": PEOPLE}


@pytest.mark.parametrize(("where", "seconds"), [("in the commit", 1.0), ("before the call", 1.0)])
def test_a_call_that_does_not_begin_right_after_its_intent_is_not_made(world, where, seconds):
    made = _released(world)
    _go_on(world, _taken_up(world), where, seconds)
    assert _told(world) == []
    assert world.sums(made, "email") == {"planned": PEOPLE, "waiting": PEOPLE}


def test_an_intent_is_dated_when_the_ledger_let_it_in(world):
    _released(world)
    asked = to_ms(world.clock.now())
    _go_on(world, _taken_up(world), "at the door", 7.0)
    with world.ctx.ledger.read() as tx:
        [intent] = tx.all("SELECT started_at FROM intent")
        [attempt] = tx.all("SELECT started_at FROM attempt")
        [batch] = tx.all("SELECT lease_until FROM batch")
    assert intent.started_at == attempt.started_at == asked + 7_000
    assert batch.lease_until == asked + 7_000 + 60_000
    assert len(_told(world)) == PEOPLE


def test_nobody_is_called_who_expired_while_the_ledger_was_waited_for(world):
    _released(world, expires=65)
    _go_on(world, _taken_up(world), "at the door", 66.0)
    assert _told(world) == []


def test_whose_lease_ran_out_a_moment_ago_is_left_alone(world):
    made = _released(world)
    work = _taken_up(world)
    world.intended(work.claim, "mail", 0, PEOPLE - 1)
    world.clock.pass_by(60 + 14)
    ticking.tick(world.ctx)
    assert world.sums(made, "email") == {"planned": PEOPLE, "sending": PEOPLE}
    world.clock.pass_by(2)
    ticking.tick(world.ctx)
    assert world.sums(made, "email") == {"planned": PEOPLE, "unknown": PEOPLE}
