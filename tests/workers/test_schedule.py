"""Beat: a real process whose ticks a real worker answers, and which outlives the death of its broker."""

import os
import signal
import time
from itertools import pairwise

import pytest
import redis

from dispatcher.doorbell import QUEUES
from dispatcher.embedded.procfile import Program, load
from dispatcher.embedded.supervisor import Patience, Supervisor
from tests.embedded.test_supervisor import Lines
from tests.embedded.waiting import gone, until
from tests.workers.conftest import ROOT, Hands
from workers import schedule


def test_there_is_one_entry_and_it_never_expires():
    assert list(schedule.SCHEDULE) == ["tick"]
    entry = schedule.SCHEDULE["tick"]
    assert entry["schedule"] == 1.0
    assert not {"expires", "eta", "countdown"} & set(entry["options"])


@pytest.mark.e2e
def test_a_backlog_is_answered_once_by_each_child_then_one_tick_a_second_and_no_file_is_left(hands, redis_url):
    hands.celery("beat")
    with redis.Redis.from_url(redis_url) as server:
        assert until(lambda: server.llen("tick"))
        server.rpush("tick", *[server.lindex("tick", 0)] * 500)
        hands.worker()
        assert until(lambda: hands.calls("tick") and not server.llen("tick"), 60)
    backlog = len(hands.calls("tick"))
    assert 1 <= backlog < 100
    ticks = hands.wait_for("tick", backlog + 4)[backlog:]
    apart = [later["at"] - earlier["at"] for earlier, later in pairwise(ticks)]
    assert all(0.4 < gap < 3 for gap in apart), apart
    assert {path.name for path in hands.folder.iterdir()} == {"do.json", "calls.ndjson"}


@pytest.mark.e2e
def test_beat_without_a_broker_says_what_to_set(hands):
    beat = hands.celery("beat", env=hands.env(DISPATCHER_REDIS_URL=""))
    assert beat.wait(30) == 3
    assert "DISPATCHER_REDIS_URL" in hands.log.read_text()


@pytest.mark.e2e
def test_everything_goes_on_after_the_server_was_killed(tmp_path, own_broker):
    """Worker and beat of the Procfile under the supervisor; the server dies, then the worker, then the beat."""
    hands = Hands(tmp_path, own_broker.redis_url)
    programs = [
        Program(one.name, tuple(word.replace("workers.app", "tests.workers.stubbed") for word in one.argv))
        for one in load(ROOT / "Procfile", {})
        if one.name != "web"
    ]
    assert [one.name for one in programs] == ["worker", "beat"]
    assert set(programs[0].argv[programs[0].argv.index("-Q") + 1].split(",")) == set(QUEUES)
    lines = Lines()
    patience = Patience(restart_first=0.1, look_every=0.05)
    supervisor = Supervisor(
        programs, env=hands.env(), cwd=tmp_path, say=lines, keep=[own_broker.ensure], patience=patience
    )
    with supervisor:
        hands.wait_for("tick", 2)
        for victim in ("server", "worker", "beat"):
            pid = own_broker.pid if victim == "server" else supervisor.pids()[victim]
            os.kill(pid, signal.SIGKILL)
            assert gone(pid)
            dead_since = time.monotonic()
            assert until(lambda since=dead_since: hands.calls("tick")[-1]["at"] > since + 0.5, 60), (victim, lines.told)
        pids = list(supervisor.pids().values())
    assert all(gone(pid) for pid in pids)
