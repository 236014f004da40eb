"""Rings the workers. A ring says "look at the ledger", carries a channel's name at most, and may be lost at any time.

Tasks are rung by name, so nothing here imports `workers`. Whoever rings has already committed; a ring that fails
costs a second, because the tick finds the work. So a ring never raises, never waits long for a broker that is gone,
and is left out where enough of them are waiting already.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dispatcher import log
from dispatcher.embedded.urls import for_celery
from dispatcher.model.kinds import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAIN = "workers.drain"
APPLY_EVENTS = "workers.apply_events"
TELL_OUTWARD = "workers.tell_outward"
TICK = "workers.tick"
EVENTS_QUEUE = "events"
OUTWARD_QUEUE = "outward"
TICK_QUEUE = "tick"

QUEUES: tuple[str, ...] = (*(str(channel) for channel in Channel), EVENTS_QUEUE, OUTWARD_QUEUE, TICK_QUEUE)
"""Every queue there is: one per channel, so that none waits behind another; systems that answer slowly have theirs."""

REMEMBERED_SECONDS = 0.1
"""A second ring for the same queue within this time is left out."""
BROKEN_SECONDS = 1.0
"""After a failure the broker is left alone for so long."""
TIMEOUT_SECONDS = 0.5
"""For a connect, and for each answer."""

TRANSPORT: dict[str, Any] = {
    "socket_timeout": TIMEOUT_SECONDS,
    "socket_connect_timeout": TIMEOUT_SECONDS,
    "socket_keepalive": True,
    "retry_on_timeout": False,
    "max_retries": 0,
    "visibility_timeout": 60,
}

_log = log.get(__name__)


class Doorbell:
    """One per process. `slots` is how many rings of a channel may wait: as many as there are free hands, not batches.

    Without a URL there is no broker and every ring returns False.
    """

    def __init__(self, redis_url: str, *, slots: int = 2, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._url = redis_url
        self._slots = slots
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._app: Any = None
        self._rung: dict[str, float] = {}
        self._broken_until = 0.0

    def ring(self, channel: Channel | str) -> bool:
        """Call a worker to drain this channel. True if a ring is on its way, False if the broker was not reached."""
        return self._ring(DRAIN, str(channel), (str(channel),), self._slots)

    def ring_events(self) -> bool:
        """Call a worker to apply stored events; one at a time is enough."""
        return self._ring(APPLY_EVENTS, EVENTS_QUEUE, (), 1)

    def ring_outward(self) -> bool:
        """Call a worker to tell our own systems; one at a time is enough."""
        return self._ring(TELL_OUTWARD, OUTWARD_QUEUE, (), 1)

    def waiting(self, queues: Sequence[str] = QUEUES) -> dict[str, int] | None:
        """How many rings wait in each queue, or None if the broker was not reached."""
        if not self._url or self._monotonic() < self._broken_until:
            return None
        try:
            with self._connection() as connection, connection.default_channel.client.pipeline() as pipe:
                for queue in queues:
                    pipe.llen(queue)
                return dict(zip(queues, pipe.execute(), strict=True))
        except _faults() as fault:
            self._give_up_for_now(fault)
            return None

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            if self._app is not None:
                self._app.close()
                self._app = None

    def _ring(self, task: str, queue: str, args: tuple[str, ...], slots: int) -> bool:
        now = self._monotonic()
        if now - self._rung.get(queue, float("-inf")) < REMEMBERED_SECONDS:
            return True
        if (waiting := self.waiting([queue])) is None:
            return False
        if waiting[queue] < slots and not self._send(task, queue, args):
            return False
        self._rung[queue] = now
        return True

    def _send(self, task: str, queue: str, args: tuple[str, ...]) -> bool:
        try:
            with self._connection() as connection:
                self._celery().send_task(
                    task, args=args, queue=queue, connection=connection, retry=False, ignore_result=True
                )
        except _faults() as fault:
            self._give_up_for_now(fault)
            return False
        return True

    def _give_up_for_now(self, fault: BaseException) -> None:
        self._broken_until = self._monotonic() + BROKEN_SECONDS
        _log.warning("doorbell_unreachable", error=type(fault).__name__)

    @contextmanager
    def _connection(self) -> "Iterator[Any]":
        with self._celery().pool.acquire(block=True, timeout=TIMEOUT_SECONDS) as connection:
            yield connection

    def _celery(self) -> Any:
        with self._lock:
            if self._app is None:
                self._app = self._make()
            return self._app

    def _make(self) -> Any:
        from celery import Celery

        app = Celery("dispatcher.doorbell", broker=for_celery(self._url), set_as_current=False, fixups=[])
        app.conf.update(
            broker_transport_options=TRANSPORT,
            broker_connection_timeout=TIMEOUT_SECONDS,
            broker_pool_limit=4,
            task_publish_retry=False,
            task_ignore_result=True,
            task_serializer="json",
            accept_content=["json"],
        )
        return app


def _faults() -> tuple[type[BaseException], ...]:
    """What a broker that is gone, full or confused makes its clients raise; loaded when first needed."""
    from kombu.exceptions import ChannelError, ConnectionError, KombuError
    from redis.exceptions import RedisError

    return (OSError, KombuError, ConnectionError, ChannelError, RedisError)
