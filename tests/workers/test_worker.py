"""A real Celery worker: real prefork children, real signals, a real server that is killed under it."""

import os
import signal
import time

import psutil
import pytest
import redis

from tests.embedded.waiting import gone, until

pytestmark = pytest.mark.e2e


def children(process):
    return [child.pid for child in psutil.Process(process.pid).children()]


def ready(hands, count=2):
    """Wait until every child has its Context."""
    hands.wait_for("built", count)


def test_each_child_builds_its_own_context_after_the_fork(hands, bell):
    worker = hands.worker()
    ready(hands)
    assert bell.ring("email")
    assert bell.ring_events()
    (drained,), (applied,) = hands.wait_for("drain"), hands.wait_for("apply")
    assert drained["channel"] == "email"
    built = {call["pid"] for call in hands.calls("built")}
    assert built == set(children(worker))
    assert {drained["pid"], applied["pid"]} <= built
    assert worker.pid not in built


def test_more_to_do_rings_again_and_nothing_more_stays_silent(hands, bell):
    hands.do(more=True, seconds=0.15)
    hands.worker()
    assert bell.ring("sms")
    hands.wait_for("drained", 4)
    hands.do(more=False)
    assert until(lambda: not bell.waiting()["sms"])
    time.sleep(0.5)
    count = len(hands.calls("drain"))
    time.sleep(0.5)
    assert len(hands.calls("drain")) == count


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
    assert worker.wait(20) == 0
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
    assert worker.wait(20) == 0
    assert not hands.calls("cancelled")


def test_a_told_child_that_is_left_over_ends_by_itself(hands, bell):
    hands.do(seconds=30)
    hands.worker()
    ready(hands)
    bell.ring("email")
    (call,) = hands.wait_for("drain")
    os.kill(call["pid"], signal.SIGTERM)
    hands.wait_for("drained")
    assert gone(call["pid"]), "the pool replaces it"
    hands.do()
    bell.ring("sms")
    hands.wait_for("drained", 2)


def test_a_long_drain_gives_way_and_comes_back(hands, bell):
    hands.do(seconds=30)
    hands.worker(children=1)
    ready(hands, 1)
    bell.ring("email")
    hands.wait_for("drain")
    time.sleep(0.5)
    rung = time.monotonic()
    bell.ring("sms")
    calls = until(lambda: (all_ := hands.calls("drain")) and all_[-1]["channel"] == "sms" and all_)
    assert calls[-1]["at"] - rung < 1.5
    assert until(lambda: hands.calls("drain")[-1]["channel"] == "email"), "the interrupted drain was rung again"


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


def test_a_killed_child_is_replaced_and_its_ring_is_not_repeated(hands, bell):
    hands.do(seconds=30)
    hands.worker()
    ready(hands)
    bell.ring("email")
    (call,) = hands.wait_for("drain")
    os.kill(call["pid"], signal.SIGKILL)
    ready(hands, 3)
    hands.do()
    bell.ring("sms")
    hands.wait_for("drained")
    assert [one["channel"] for one in hands.calls("drain")] == ["email", "sms"]


def test_a_worker_that_is_killed_leaves_no_child(hands):
    worker = hands.worker()
    ready(hands)
    pids = children(worker)
    assert len(pids) >= 2
    os.kill(worker.pid, signal.SIGKILL)
    assert all(gone(pid) for pid in pids)


def test_a_forgetful_server_is_served_on(hands, bell):
    hands.worker()
    ready(hands)
    bell.ring("email")
    hands.wait_for("drain")
    with redis.Redis.from_url(hands.redis_url) as client:
        client.flushall()
    time.sleep(0.2)
    bell.ring("email")
    hands.wait_for("drain", 2)


def test_a_worker_without_a_broker_says_what_to_set(hands):
    worker = hands.celery("worker", env=hands.env(DISPATCHER_REDIS_URL=""))
    said, _ = worker.communicate(timeout=30)
    assert worker.returncode == 3
    assert "DISPATCHER_REDIS_URL" in said


def test_an_unknown_queue_is_refused(hands):
    worker = hands.celery("worker", "-Q", "emial")
    said, _ = worker.communicate(timeout=30)
    assert worker.returncode != 0
    assert "emial" in said
