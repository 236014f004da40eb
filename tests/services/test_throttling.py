"""A vendor that wants fewer calls, or later ones: its word is heeded, and nobody else waits for it."""

import pytest

from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Throttled
from tests.services.world import UNKNOWN, World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _texts(world, people, **account):
    vendor = world.add_account("text", Channel.SMS, **account)
    world.audience(people)
    made = world.broadcast(["sms"], {"sms": ["text"]}, size=1)
    world.release(made)
    return vendor, made


def test_throttled_waits_as_long_as_the_vendor_asks(world):
    vendor, made = _texts(world, 1)
    vendor.script.append(Throttled(30.0))
    world.drain("sms")
    assert world.sums(made, "sms") == {"planned": 1, "waiting": 1}
    world.clock.pass_by(29)
    world.drain("sms")
    assert len(vendor.calls) == 1
    world.clock.pass_by(5)
    world.drain("sms")
    assert world.sums(made, "sms") == {"planned": 1, "accepted": 1}


def test_who_is_throttled_without_a_time_comes_later_and_the_others_go_now(world):
    vendor, made = _texts(world, 300)
    vendor.script.extend([None, [Throttled()], None, None, [Throttled()]])
    world.drain("sms")
    assert world.sums(made, "sms") == {"planned": 300, "waiting": 2, "accepted": 298}
    assert len(vendor.calls) == 300
    world.clock.pass_by(600)
    world.drain("sms")
    assert world.sums(made, "sms") == {"planned": 300, "accepted": 300}
    assert len(vendor.told) == len(set(vendor.told)) == 300


def test_a_vendor_that_throttles_again_and_again_is_left_alone(world):
    vendor, made = _texts(world, 300, in_flight=10)
    vendor.script.extend([[Throttled()]] * 300)
    world.drain("sms")
    assert len(vendor.calls) <= 10
    assert world.sums(made, "sms") == {"planned": 300, "waiting": 300}


def test_throttling_between_lost_answers_does_not_hide_them(world):
    vendor, made = _texts(world, 300, in_flight=4)
    vendor.script.extend([[Throttled()], UNKNOWN] * 150)
    world.drain("sms", rounds=1)
    assert world.sums(made, "sms")["unknown"] <= 5


def test_no_time_is_no_time_whether_zero_or_none(world):
    vendor, made = _texts(world, 50)
    vendor.script.append([Throttled(0.0)])
    world.drain("sms")
    assert world.sums(made, "sms") == {"planned": 50, "waiting": 1, "accepted": 49}


def test_the_window_halves_when_throttled_and_grows_again(world):
    windows = world.ctx.concurrency
    assert windows.size("a", 64) == 32
    windows.answered("a", 64, throttled=True, now=10.0)
    windows.answered("a", 64, throttled=True, now=10.5)
    assert windows.size("a", 64) == 16
    for _ in range(16):
        windows.answered("a", 64, throttled=False, now=11.0)
    assert windows.size("a", 64) == 17


def test_a_vendor_that_never_throttled_is_given_the_whole_window_after_one_round(world):
    windows = world.ctx.concurrency
    for _ in range(32):
        windows.answered("a", 64, throttled=False, now=1.0)
    assert windows.size("a", 64) == 64
