import signal

import pytest

from workers.watchdog import DEAF_SECONDS, GRACE_SECONDS, Watchdog


class Worker:
    """What a watchdog sees, set by the test."""

    def __init__(self):
        self.now, self.rings, self.taken, self.busy, self.ended = 0.0, {"email": 0, "tick": 1}, 7, False, []
        self.dog = Watchdog(
            lambda: self.rings, lambda: self.taken, lambda: self.busy, end=self.ended.append, monotonic=lambda: self.now
        )
        self.dog.look()

    def pass_by(self, seconds):
        for _ in range(int(seconds)):
            self.now += 1
            self.dog.look()


@pytest.fixture
def worker():
    return Worker()


def test_rings_beside_a_free_hand_end_it_politely_then_firmly(worker):
    worker.pass_by(DEAF_SECONDS - 1)
    assert worker.ended == []
    worker.pass_by(1)
    assert worker.ended == [signal.SIGTERM]
    worker.pass_by(GRACE_SECONDS - 1)
    assert worker.ended == [signal.SIGTERM]
    worker.pass_by(1)
    assert worker.ended == [signal.SIGTERM, signal.SIGKILL]


@pytest.mark.parametrize("rings", [None, {}, {"email": 0, "tick": 0}])
def test_no_ring_or_no_broker_is_no_fault(worker, rings):
    worker.rings = rings
    worker.pass_by(100)
    assert worker.ended == []


def test_a_worker_with_full_hands_may_leave_rings(worker):
    worker.busy = True
    worker.pass_by(100)
    assert worker.ended == []


def test_a_worker_that_takes_one_now_and_then_lives(worker):
    for _ in range(20):
        worker.pass_by(DEAF_SECONDS - 2)
        worker.taken += 1
    assert worker.ended == []


def test_the_time_runs_from_the_last_good_sign(worker):
    worker.pass_by(10)
    worker.busy = True
    worker.pass_by(1)
    worker.busy = False
    worker.pass_by(DEAF_SECONDS - 1)
    assert worker.ended == []
    worker.pass_by(1)
    assert worker.ended == [signal.SIGTERM]


def test_a_frozen_worker_is_not_blamed_for_its_sleep(worker):
    worker.now += 600
    worker.dog.look()
    worker.pass_by(5)
    assert worker.ended == []
