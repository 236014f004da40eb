"""What strikes the next request: scripts first, then real limits, then shares."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from dispatcher.sandbox.config import DEFAULT_ACCOUNTS, DownHow, Fault, Faults, Outage
from dispatcher.sandbox.desk import Desk


class HandClock:
    """Moves only when told."""

    def __init__(self):
        self.seconds = 1_000.0

    def now(self):
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self):
        return self.seconds


@pytest.fixture
def clock():
    return HandClock()


def a_desk(clock, seed=7, **faults):
    return Desk(DEFAULT_ACCOUNTS[0], Faults(**faults), clock, seed)


def test_a_desk_without_faults_never_errs(clock):
    desk = a_desk(clock)
    assert {desk.draw() for _ in range(200)} == {None}
    assert desk.latency() == 0


def test_shares_are_met_and_repeat_by_seed(clock):
    desk = a_desk(clock, throttle=0.1, reset_accepted=0.05)
    drawn = [desk.draw() for _ in range(4_000)]
    again = a_desk(clock, throttle=0.1, reset_accepted=0.05)
    assert [again.draw() for _ in range(4_000)] == drawn
    other = a_desk(clock, seed=8, throttle=0.1, reset_accepted=0.05)
    assert [other.draw() for _ in range(4_000)] != drawn
    counts = Counter(drawn)
    assert 320 < counts[Fault.THROTTLE] < 480
    assert 140 < counts[Fault.RESET_ACCEPTED] < 260
    assert set(counts) == {None, Fault.THROTTLE, Fault.RESET_ACCEPTED}


def test_a_share_of_one_strikes_always(clock):
    assert {a_desk(clock, error=1).draw() for _ in range(50)} == {Fault.ERROR}


def test_a_script_comes_first_and_ends(clock):
    desk = a_desk(clock, error=1)
    desk.script(Fault.SLOW, 2)
    assert [desk.draw() for _ in range(3)] == [Fault.SLOW, Fault.SLOW, Fault.ERROR]
    desk.script(Fault.SLOW, 2)
    desk.come_up()
    assert desk.draw() is Fault.ERROR


def test_over_the_rate_is_throttled(clock):
    desk = a_desk(clock, per_second=5)
    assert [desk.draw() for _ in range(7)] == [None] * 5 + [Fault.THROTTLE] * 2
    clock.seconds += 0.5
    assert [desk.draw() for _ in range(3)] == [None, None, Fault.THROTTLE]
    clock.seconds += 60
    assert [desk.draw() for _ in range(6)] == [None] * 5 + [Fault.THROTTLE]


def test_a_rate_below_one_still_lets_one_through(clock):
    desk = a_desk(clock, per_second=0.5)
    clock.seconds += 2
    assert [desk.draw(), desk.draw()] == [None, Fault.THROTTLE]


def test_too_many_at_once_are_throttled(clock):
    desk = a_desk(clock, in_flight=2)
    desk.in_flight = 2
    assert desk.draw() is None
    desk.in_flight = 3
    assert desk.draw() is Fault.THROTTLE


def test_outages_come_by_plan_and_by_hand(clock):
    desk = a_desk(clock, outages=(Outage(start=10, end=20, how="reset"),))
    assert desk.down() is None
    clock.seconds += 10
    assert desk.down() is DownHow.RESET
    desk.go_down(5, DownHow.UNAVAILABLE)
    assert desk.down() is DownHow.UNAVAILABLE
    clock.seconds += 5
    assert desk.down() is DownHow.RESET
    clock.seconds += 5
    assert desk.down() is None
    desk.go_down(60, DownHow.UNAVAILABLE)
    desk.come_up()
    assert desk.down() is None


def test_latency_stays_in_its_span(clock):
    desk = a_desk(clock, latency=(0.1, 0.2))
    drawn = [desk.latency() for _ in range(100)]
    assert all(0.1 <= seconds <= 0.2 for seconds in drawn)
    assert len(set(drawn)) > 50
