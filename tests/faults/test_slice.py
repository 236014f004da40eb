"""The part of the fault suite that every test run can bear; `make faults` runs the whole."""

import pytest

from tests.faults import simulation
from tests.faults.scenarios import Scenario, play
from tests.faults.storms import flush_redis, kill_beat, kill_child, kill_worker

pytestmark = pytest.mark.faults


def test_a_hundred_histories_keep_the_promise():
    found = simulation.search(1, 100, seconds=45)
    assert not found["bad"]
    assert found["played"] >= 10


@pytest.mark.timeout(180)
@pytest.mark.slow
def test_a_real_run_with_kills_loses_nobody_and_tells_nobody_twice():
    storm = Scenario("T1", "kills", (kill_child, kill_worker, kill_beat, flush_redis), (600, 4), (0, 0))
    found = play(storm, 3, "", quick=True)
    assert found.good, found.line()
    assert found.samples / max(1.0, found.seconds) > 2
