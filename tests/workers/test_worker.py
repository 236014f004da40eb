"""A real Celery worker: real prefork children, real signals, a real server that is killed under it."""

import os
import signal
import time

import pytest
import redis

from dispatcher.doorbell import Doorbell
from tests.embedded.waiting import gone, until
from tests.workers.conftest import Hands

pytestmark = pytest.mark.e2e


def ready(hands, count=2):
    """Wait until every child has its Context."""
    hands.wait_for("built", count)


def test_each_child_builds_its_own_context_after_the_fork(crew):
    worker = crew.processes[0].pid
    assert crew.bell.ring("email")
    assert crew.bell.ring_events()
    (drained,), (applied,) = crew.wait_for("drain"), crew.wait_for("apply")
    assert drained["channel"] == "email"
    built = {call["pid"] for call in crew.calls("built")}
    assert built == set(crew.children())
    assert {drained["pid"], applied["pid"]} <= built
    assert worker not in built


def test_more_to_do_rings_again_and_nothing_more_stays_silent(crew):
    crew.do(more=True, seconds=0.15)
    assert crew.bell.ring("sms")
    crew.wait_for("drained", 4)
    crew.do()
    assert until(lambda: not crew.bell.waiting()["sms"])
    time.sleep(0.5)
    count = len(crew.calls("drain"))
    time.sleep(0.5)
    assert len(crew.calls("drain")) == count


def test_a_long_drain_gives_way_and_comes_back(crew):
    crew.do(seconds=30)
    for number in (1, 2):
        crew.bell.ring("email")
        crew.wait_for("drain", number)
        time.sleep(0.3)
    rung = time.monotonic()
    crew.bell.ring("sms")
    assert until(lambda: any(call["channel"] == "sms" for call in crew.calls("drain")))
    crew.do()
    (first,) = [call for call in crew.calls("drain") if call["channel"] == "sms"]
    assert first["at"] - rung < 10
    assert until(lambda: len([c for c in crew.calls("drain") if c["channel"] == "email"]) > 2), "it was rung again"
    assert until(lambda: len(crew.calls("drain")) == len(crew.calls("drained")))


def test_a_drain_goes_on_while_its_child_applies_events(hands, bell):
    hands.do(seconds=30)
    hands.worker(children=1)
    ready(hands, 1)
    bell.ring("email")
    hands.wait_for("drain")
    bell.ring_events()
    hands.wait_for("apply")
    assert not hands.calls("drained")
    hands.do()
    hands.wait_for("drained")
    kinds = [call["what"] for call in hands.calls() if call["what"] in ("drain", "drained", "apply")]
    assert kinds[:3] == ["drain", "apply", "drained"], "it was attended again, not begun again beside itself"


def test_nothing_is_under_way_beside_a_post_of_which_workers_died(hands, bell):
    hands.do(seconds=30, deadly=True, more=True)
    hands.worker(children=1)
    ready(hands, 1)
    bell.ring("email")
    hands.wait_for("drain")
    bell.ring_events()
    hands.wait_for("apply")
    kinds = [call["what"] for call in hands.calls() if call["what"] in ("drain", "drained", "apply")]
    assert kinds[: kinds.index("apply") + 1] == ["drain", "drained", "apply"]
    hands.wait_for("drain", 2)
    hands.do()


def test_a_drain_that_no_task_attends_is_cut_by_no_signal(hands, bell):
    hands.do(seconds=30, unwind=0.7)
    worker = hands.worker(children=1)
    ready(hands, 1)
    bell.ring("email")
    hands.wait_for("drain")
    with redis.Redis.from_url(hands.redis_url) as client:
        for _ in range(30):  # every ring is lost, also the one for whoever would attend it next
            client.flushall()
            time.sleep(0.1)
    os.killpg(worker.pid, signal.SIGTERM)
    hands.wait_for("drained")
    assert worker.wait(60) == 0
    assert not hands.calls("cancelled")


def test_a_forgetful_server_is_served_on(crew):
    crew.bell.ring("email")
    crew.wait_for("drain")
    with redis.Redis.from_url(crew.redis_url) as client:
        client.flushall()
    time.sleep(0.2)
    crew.bell.ring("email")
    crew.wait_for("drain", 2)


def test_a_killed_child_is_replaced_and_its_ring_is_not_repeated(crew):
    crew.do(seconds=30)
    crew.bell.ring("email")
    (call,) = crew.wait_for("drain")
    os.kill(call["pid"], signal.SIGKILL)
    crew.wait_for("built", len(crew.calls("built")) + 1)
    crew.do()
    crew.bell.ring("sms")
    crew.wait_for("drained")
    assert [one["channel"] for one in crew.calls("drain")] == ["email", "sms"]


def test_a_told_child_that_is_left_over_ends_by_itself(crew):
    crew.do(seconds=30)
    crew.bell.ring("email")
    (call,) = crew.wait_for("drain")
    os.kill(call["pid"], signal.SIGTERM)
    crew.wait_for("drained")
    assert gone(call["pid"]), "the pool replaces it"
    crew.do()
    crew.bell.ring("sms")
    crew.wait_for("drained", 2)


def test_a_context_that_cannot_be_built_is_tried_again(hands, bell):
    hands.do(cannot_build=True)
    worker = hands.worker()
    ready(hands)
    assert bell.ring("email")
    hands.wait_for("built", 3)
    assert worker.poll() is None
    hands.do()
    time.sleep(0.2)
    assert bell.ring("email")
    hands.wait_for("drain")


def test_term_stops_claiming_lets_calls_end_and_exits_cleanly(hands, bell):
    hands.do(seconds=30, unwind=0.5)
    worker = hands.worker()
    ready(hands)
    bell.ring("email")
    hands.wait_for("drain")
    worker.send_signal(signal.SIGTERM)
    (drained,) = hands.wait_for("drained")
    assert drained["seconds"] < 10
    assert worker.wait(60) == 0
    assert not bell.waiting()["email"], "it was acknowledged, so nobody repeats it"


def test_term_to_every_process_cuts_no_call_in_two(hands, bell):
    hands.do(seconds=30, unwind=0.7)
    worker = hands.worker()
    ready(hands)
    bell.ring("email")
    hands.wait_for("drain")
    os.killpg(worker.pid, signal.SIGTERM)
    (drained,) = hands.wait_for("drained")
    assert drained["seconds"] < 10
    assert worker.wait(60) == 0
    assert not hands.calls("cancelled")


def test_a_soft_limit_cancels_the_drain_and_the_child_works_on(hands, bell):
    hands.do(seconds=30, deaf=True, limits=[1, 20])
    hands.worker(children=1)
    ready(hands, 1)
    bell.ring("email")
    (cancelled,) = hands.wait_for("cancelled")
    hands.do(limits=[1, 20])
    bell.ring("sms")
    (drained,) = hands.wait_for("drained")
    assert drained["pid"] == cancelled["pid"]


def test_a_worker_that_is_killed_leaves_no_child(hands):
    worker = hands.worker()
    ready(hands)
    pids = hands.children()
    assert len(pids) >= 2
    os.kill(worker.pid, signal.SIGKILL)
    assert all(gone(pid) for pid in pids)


def test_a_worker_that_takes_no_more_rings_ends(hands, bell):
    hands.do(deaf_after=1)
    worker = hands.worker()
    ready(hands)
    bell.ring("email")
    hands.wait_for("drained")
    time.sleep(2)
    assert worker.poll() is None, "with nothing to take it lives"
    hands.do(deaf_worker=True)
    hands.wait_for("deafened")
    time.sleep(0.3)
    bell.ring("email")
    assert worker.wait(60) == 0
    assert len(hands.calls("drain")) == 1
    assert "worker_is_deaf" in hands.log.read_text()


def test_a_worker_whose_hands_were_full_when_the_broker_went_works_on_when_it_is_back(tmp_path, own_broker):
    hands, bell = Hands(tmp_path, own_broker.redis_url), Doorbell(own_broker.redis_url, slots=8)
    try:
        hands.do(seconds=30, deaf_after=3600)
        worker = hands.worker()
        ready(hands)
        assert bell.ring("email")
        assert bell.ring("sms")
        hands.wait_for("drain", 2)
        os.kill(own_broker.pid, signal.SIGKILL)
        hands.do(deaf_after=3600)
        hands.wait_for("drained", 2)
        assert until(lambda: "Couldn't ack" in hands.log.read_text()), "the broker did not hear that they are done"
        own_broker.ensure()
        assert until(lambda: bell.ring("email") and len(hands.calls("drained")) > 2)
        assert worker.poll() is None, "by itself, and not because its watchdog ended it"
    finally:
        bell.close()
        hands.end()


def test_a_worker_without_a_broker_says_what_to_set(hands):
    worker = hands.celery("worker", env=hands.env(DISPATCHER_REDIS_URL=""))
    assert worker.wait(60) == 3
    assert "DISPATCHER_REDIS_URL" in hands.log.read_text()


def test_an_unknown_queue_is_refused(hands):
    worker = hands.celery("worker", "-Q", "emial")
    assert worker.wait(60) != 0
    assert "emial" in hands.log.read_text()
