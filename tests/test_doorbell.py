"""The doorbell against a real server that is there, is killed, is frozen, forgets everything, or never was."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import redis

from dispatcher import doorbell as module
from dispatcher.doorbell import QUEUES, Doorbell
from dispatcher.embedded.broker import Broker
from dispatcher.model.kinds import Channel


class Hands:
    """A monotonic clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Hands()


@pytest.fixture
def bell(redis_url, clock):
    bell = Doorbell(redis_url, slots=2, monotonic=clock)
    yield bell
    bell.close()


@pytest.fixture
def server(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def own_broker():
    with Broker() as broker:
        yield broker


def test_a_ring_names_a_task_and_a_channel_and_nothing_else(bell, server):
    assert bell.ring(Channel.EMAIL)
    message = json.loads(server.lindex("email", 0))
    assert message["headers"]["task"] == "workers.drain"
    assert message["headers"]["argsrepr"] == "('email',)"
    assert message["headers"]["eta"] is None
    assert message["content-type"] == "application/json"


def test_events_have_a_queue_of_their_own(bell, server, clock):
    assert bell.ring_events()
    assert json.loads(server.lindex("events", 0))["headers"]["task"] == "workers.apply_events"
    clock.now += 1
    assert bell.ring_events(), "one is waiting: that is enough"
    assert server.llen("events") == 1


def test_no_more_rings_wait_than_there_are_free_hands(bell, server, clock):
    for _ in range(10):
        assert bell.ring("sms")
        clock.now += 1
    assert bell.waiting() == {queue: 2 if queue == "sms" else 0 for queue in QUEUES}


def test_two_rings_at_once_are_one(bell, server, clock):
    assert bell.ring("sms")
    clock.now += 0.05
    assert bell.ring("sms")
    assert server.llen("sms") == 1
    assert bell.ring("email"), "each queue remembers its own"
    clock.now += 0.1
    assert bell.ring("sms")
    assert server.llen("sms") == 2


def test_who_waits_elsewhere(bell, server):
    bell.ring("email")
    server.rpush("tick", "a tick")
    assert bell.waiting(["sms", "tick"]) == {"sms": 0, "tick": 1}


def test_a_server_that_forgets_everything_is_rung_again(bell, server, clock):
    assert bell.ring("email")
    server.flushall()
    clock.now += 1
    assert bell.ring("email")
    assert server.llen("email") == 1


def test_a_dead_server_costs_little_and_a_new_one_is_found(own_broker, clock):
    bell = Doorbell(own_broker.redis_url, monotonic=clock)
    assert bell.ring("email")
    os.kill(own_broker.pid, signal.SIGKILL)
    time.sleep(0.1)
    clock.now += 1
    began = time.monotonic()
    assert not bell.ring("email")
    assert not bell.ring_events()
    assert bell.waiting() is None
    assert time.monotonic() - began < 10
    own_broker.ensure()
    assert not bell.ring("email"), "left alone for a second"
    clock.now += module.BROKEN_SECONDS
    assert bell.ring("email")


def test_a_frozen_server_holds_nobody_up(own_broker):
    bell = Doorbell(own_broker.redis_url)
    assert bell.ring("email")
    os.kill(own_broker.pid, signal.SIGSTOP)
    try:
        time.sleep(module.REMEMBERED_SECONDS)
        began = time.monotonic()
        assert [bell.ring("email") for _ in range(20)] == [False] * 20
        assert time.monotonic() - began < 8
    finally:
        os.kill(own_broker.pid, signal.SIGCONT)


@pytest.mark.parametrize("url", ["", "redis://127.0.0.1:1/0", "unix:///nonexistent/redis.sock"])
def test_no_server_at_all(url):
    bell = Doorbell(url)
    assert not bell.ring("email")
    assert not bell.ring_events()
    assert bell.waiting() is None
    bell.close()


def test_a_server_that_is_full_is_no_error_either(own_broker, clock):
    with redis.Redis.from_url(own_broker.redis_url) as client:
        client.config_set("maxmemory", "1")
    assert not Doorbell(own_broker.redis_url, monotonic=clock).ring("email")


def test_many_threads_may_ring_one_bell(bell, server, clock):
    answers = []

    def ring():
        for queue in ("email", "sms", "social", "chat"):
            answers.append(bell.ring(queue))

    threads = [threading.Thread(target=ring) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 64
    assert all(1 <= count <= 16 for queue, count in bell.waiting().items() if queue in ("email", "sms"))


def test_it_knows_no_worker():
    source = "import sys; from dispatcher.doorbell import Doorbell; Doorbell('redis://127.0.0.1:1').ring('email');"
    source += "raise SystemExit(any(name.split('.')[0] == 'workers' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", source], check=False).returncode == 0
