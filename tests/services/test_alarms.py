"""What operators hear at once, and what must not hold up deliveries."""

import pytest

from dispatcher.ledger import accounts, people
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Person, Role
from dispatcher.services import alarms, status_tree, ticking
from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("mail", Channel.EMAIL)
    made.add_account("text", Channel.SMS, 1)
    return made


def operator(world, **reach):
    with world.ctx.ledger.write() as tx:
        wanted = Person(0, "Olu", roles=frozenset({Role.OPERATOR}), **reach)
        return people.add(tx, wanted, to_ms(world.clock.now()))


def stop(world, name):
    with world.ctx.ledger.write() as tx:
        accounts.pause(tx, name, "401 the key is not valid", to_ms(world.clock.now()))


def notices(world):
    with world.ctx.ledger.read() as tx:
        return [row[0] for row in tx.all("SELECT title FROM broadcast WHERE purpose = 'staff' ORDER BY id")]


def test_an_account_that_stopped_is_told_once_by_what_still_works(world):
    operator(world, email="olu@example.com", phone="+447700900001")
    stop(world, "text")
    for _ in range(3):
        ticking.tick(world.ctx)
        world.drain("email")
    assert notices(world) == ["The account text (sms) has stopped"]
    assert [address for address, _ in world.vendors["mail"].told] == ["olu@example.com"]
    assert world.vendors["text"].told == []


def test_the_next_time_is_told_again(world):
    operator(world, email="olu@example.com")
    stop(world, "text")
    ticking.tick(world.ctx)
    with world.ctx.ledger.write() as tx:
        accounts.reopen(tx, "text", to_ms(world.clock.now()))
    world.clock.pass_by(5)
    stop(world, "text")
    ticking.tick(world.ctx)
    assert len(notices(world)) == 2


def test_whom_nothing_reaches_is_noted_once_and_not_every_second(world):
    operator(world)
    stop(world, "text")
    for _ in range(3):
        alarms.run(world.ctx, 0)
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM act WHERE verb = 'staff not told'") == 1


def test_what_fails_around_the_deliveries_is_raised_after_their_turn(world, monkeypatch):
    def full(_ctx, _now):
        raise OSError(28, "No space left on device")

    rung = []
    monkeypatch.setattr(status_tree, "publish_if_due", full)
    monkeypatch.setattr(ticking, "_ring", lambda _ctx, _now: rung.append(1))
    with pytest.raises(ExceptionGroup) as caught:
        ticking.tick(world.ctx)
    assert [type(one) for one in caught.value.exceptions] == [OSError]
    assert rung == [1]
