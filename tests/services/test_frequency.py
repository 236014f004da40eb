"""The check warns when people of an audience had many messages lately."""

import pytest

from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Channel
from dispatcher.services import frequency
from tests.services.world import World

MOST, DAY = 3, 24 * 3600


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url, **{"dispatch.service_most": MOST})
    made.add_account("mail", Channel.EMAIL)
    made.audience(4)
    made.audience(2, version=2)
    yield made
    made.ctx.ledger.close()


def _draft(world, version=1, mode="drill", **changed):
    made = world.broadcast(["email"], {"email": ["mail"]}, version=version, mode=mode)
    if changed:
        with world.ctx.ledger.write() as tx:
            broadcasts.change(tx, made, **changed)
    return made


def _tell(world, times, **draft):
    for _ in range(times):
        world.release(_draft(world, **draft))
        world.drain("email")


def _warned(world, **draft):
    made = _draft(world, **draft)
    with world.ctx.ledger.read() as tx:
        return [(one.code, one.what) for one in frequency.findings(world.ctx, tx, broadcasts.get(tx, made))]


def test_people_with_many_messages_are_counted_by_address_over_all_audiences(world):
    _tell(world, 1)
    _tell(world, MOST - 1, version=2)
    said = "2 of these people had 3 messages or more within 24 hours, up to 3."
    assert _warned(world) == [("W-OFTEN", said)]
    assert _warned(world, version=2) == [("W-OFTEN", said)]


def test_fewer_messages_or_older_ones_warn_nobody(world):
    _tell(world, MOST - 1)
    assert _warned(world) == []
    world.clock.pass_by(DAY + 1)
    _tell(world, 1)
    assert _warned(world) == []


@pytest.mark.parametrize("before", [{"purpose": "promotional"}, {"relation": "test"}, {"mode": "live"}])
def test_promotion_tests_and_the_other_mode_do_not_count(world, before):
    _tell(world, MOST, **before)
    assert _warned(world) == []


@pytest.mark.parametrize("now", [{"purpose": "promotional"}, {"severity": "life_safety"}])
def test_promotion_has_its_own_limit_and_an_alarm_none(world, now):
    _tell(world, MOST)
    assert len(_warned(world)) == 1
    assert _warned(world, **now) == []
