"""The part of the fault suite that every test run can bear; `make faults` runs the whole."""

import pytest

from tests.faults import simulation
from tests.faults.scenarios import Scenario, play
from tests.faults.storms import flush_redis, kill_child, kill_others, kill_worker

pytestmark = pytest.mark.faults


def test_a_hundred_histories_keep_the_promise():
    found = simulation.search(1, 100, seconds=45)
    assert not found["bad"]
    assert found["played"] >= 10


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_a_real_run_with_kills_loses_nobody_and_tells_nobody_twice():
    storm = Scenario("T1", "kills", (kill_child, kill_worker, kill_others, flush_redis), (500, 4), (0, 0), pace=40)
    found = play(storm, 3, "", quick=True)
    assert found.good, found.line()
    assert found.samples > 10
