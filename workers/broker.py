"""How worker and beat hold on to the broker: they look for one that is gone often, and never wait for a lost answer."""

from functools import cache
from typing import Any

from celery.app.amqp import AMQP
from kombu import Connection
from kombu.transport import redis, virtual


class FreeHands(redis.QoS):  # type: ignore[misc]
    """An acknowledgement that the broker did not hear or refused, its disk being full, frees the hand all the same.

    kombu would count the message as being worked on for ever, and a worker with as many of them as it has hands asks
    for no more work: it never learns that the broker is gone, nor that it is back. The broker rings again for such a
    message after its visibility timeout, and a ring too many does no harm.
    """

    def ack(self, delivery_tag: str) -> None:
        """As kombu's; raises what the broker or the way to it raises."""
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


@cache
def _with_free_hands(transport: type) -> type:
    """kombu's way to Redis, through a sentinel or not, with our counting of what is under way."""
    channel = type("Channel", (transport.Channel,), {"QoS": FreeHands})  # type: ignore[attr-defined]
    return type("Transport", (transport,), {"Channel": channel})


class PromptConnection(Connection):  # type: ignore[misc]
    """Looks for a broker that is gone every two seconds at most; kombu's pause grows to thirty."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Any:
        """As kombu's, with shorter pauses."""
        pauses = {"interval_start": 0.5, "interval_step": 0.5, "interval_max": 2.0}
        return super().ensure_connection(*args, **pauses | kwargs)

    def get_transport_cls(self) -> Any:
        """kombu's for what the broker's URL names; for Redis, ours."""
        found = super().get_transport_cls()
        return _with_free_hands(found) if issubclass(found, redis.Transport) else found


class PromptAMQP(AMQP):  # type: ignore[misc]
    """Makes worker and beat use such connections."""

    Connection = PromptConnection
