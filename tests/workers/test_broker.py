"""The hold on the broker: what a worker believes to be in its hands when an acknowledgement fails."""

import os
import signal

import kombu
import pytest
import redis

from dispatcher.embedded.urls import for_celery
from workers.broker import FreeHands, PromptConnection

QUEUE = "hands"


@pytest.fixture
def channel(own_broker):
    """One that takes a single message at a time."""
    with PromptConnection(for_celery(own_broker.redis_url)) as connection:
        made = connection.channel()
        made.basic_qos(0, 1, False)
        yield made


def _taken(channel):
    queue = kombu.Queue(QUEUE, kombu.Exchange(QUEUE), routing_key=QUEUE, channel=channel)
    queue.declare()
    kombu.Producer(channel, exchange=queue.exchange, routing_key=QUEUE).publish({})
    message = queue.get()
    assert not channel.qos.can_consume()
    return queue, message


def test_an_acknowledgement_that_the_broker_refuses_frees_the_hand(channel, own_broker):
    queue, message = _taken(channel)
    with redis.Redis.from_url(own_broker.redis_url) as client:
        client.config_set("min-replicas-to-write", 1)  # it refuses every change, as one with a full disk does
        with pytest.raises(redis.ResponseError):
            message.ack()
        client.config_set("min-replicas-to-write", 0)
    assert channel.qos.can_consume()
    channel.qos.restore_by_tag(message.delivery_tag)  # as after the visibility timeout
    again = queue.get()
    assert again.delivery_tag == message.delivery_tag
    assert not channel.qos.can_consume(), "the same message is in the hand again"
    again.ack()
    assert channel.qos.can_consume()
    assert queue.get() is None


def test_an_acknowledgement_that_nobody_hears_frees_the_hand(channel, own_broker):
    _, message = _taken(channel)
    os.kill(own_broker.pid, signal.SIGKILL)
    with pytest.raises(redis.ConnectionError):
        message.ack()
    assert channel.qos.can_consume()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "rediss://127.0.0.1:1/0", "sentinel://127.0.0.1:1/0"])
def test_every_way_to_redis_counts_its_hands_alike(url):
    assert issubclass(PromptConnection(url).get_transport_cls().Channel.QoS, FreeHands)


def test_a_broker_of_another_kind_keeps_its_own_way():
    assert PromptConnection("memory://").get_transport_cls().__module__ == "kombu.transport.memory"
