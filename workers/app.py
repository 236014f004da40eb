"""The Celery application: `celery -A workers.app worker` and `celery -A workers.app beat`.

The broker is a doorbell. A ring may be lost, doubled, late or answered by nobody, so nothing here tries to keep one:
no results, no retries, no ETA, no canvas. What has to happen stands in the ledger, and the tick finds it.
"""

import gc
import logging
import signal
import sys
import warnings
from typing import TYPE_CHECKING, Any

from celery import Celery, bootsteps, signals
from celery.exceptions import SecurityWarning
from celery.worker import state

from dispatcher import log
from dispatcher.bootstrap import build
from dispatcher.doorbell import APPLY_EVENTS, EVENTS_QUEUE, OUTWARD_QUEUE, TELL_OUTWARD, TICK, TICK_QUEUE, Doorbell
from dispatcher.embedded.sizing import worker_processes
from dispatcher.embedded.urls import for_celery
from dispatcher.errors import ConfigurationError
from dispatcher.settings import Settings
from workers import child, schedule
from workers.broker import PromptAMQP
from workers.queues import declared
from workers.watchdog import Watchdog

if TYPE_CHECKING:
    from dispatcher.services.context import Context
    from dispatcher.services.dispatch import Drained

SOFT_LIMIT_SECONDS = 150
"""Longer than a drain (2 s) and the longest call an account may allow (120 s): the last line, not the deadline."""
HARD_LIMIT_SECONDS = 170
MEMORY_LIMIT_KIB = 600_000

GARBAGE = 10_000
"""Objects made before a child looks for rings of them. A batch makes about as many, and all live until it is done:
looking every 700, as Python does by itself, was a fifth of the cost of a mail."""
POOL_LOOK_SECONDS = 0.5

BRIEF = (TICK_QUEUE, EVENTS_QUEUE, OUTWARD_QUEUE)
"""Queues whose tasks a drain goes on beside."""

_CHATTY = ("celery.worker.strategy", "celery.app.trace", "celery.beat")


def make(settings: Settings) -> Celery:
    """The application with every setting spelled out."""
    broker = for_celery(settings.redis_url)
    app = Celery("workers", broker=broker, amqp=PromptAMQP, include=["workers.tasks"], fixups=[])
    app.conf.update(
        # Work is acknowledged after it is done; a child that was killed is not replaced by a loop of repeats.
        task_acks_late=True,
        task_reject_on_worker_lost=False,
        task_soft_time_limit=SOFT_LIMIT_SECONDS,
        task_time_limit=HARD_LIMIT_SECONDS,
        # Nothing is kept and nothing is tried twice.
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        result_backend=None,
        task_publish_retry=False,
        task_serializer="json",
        accept_content=["json"],
        # Queues are named once; a misspelled one is an error.
        task_queues=declared(),
        task_default_queue=EVENTS_QUEUE,
        task_create_missing_queues=False,
        task_routes={
            TICK: {"queue": TICK_QUEUE},
            APPLY_EVENTS: {"queue": EVENTS_QUEUE},
            TELL_OUTWARD: {"queue": OUTWARD_QUEUE},
        },
        # Prefork: a soft time limit works, and a child that dies takes one channel's drain with it.
        worker_pool="prefork",
        worker_concurrency=worker_processes(settings.workers.processes),
        worker_prefetch_multiplier=1,
        worker_max_memory_per_child=MEMORY_LIMIT_KIB,
        worker_proc_alive_timeout=60,
        worker_soft_shutdown_timeout=20,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=False,
        worker_send_task_events=False,
        worker_redirect_stdouts=False,
        # A broker that is gone is waited for, for ever; one that is silent is left after `socket_timeout`.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": 60,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
        },
        beat_schedule=schedule.SCHEDULE,
        beat_scheduler=schedule.SCHEDULER,
        timezone="UTC",
        enable_utc=True,
    )
    app.steps["consumer"].add(PromptPool)
    return app


class PromptPool(bootsteps.StartStopStep):  # type: ignore[misc]
    """Replaces a child that died within half a second.

    Celery looks when the child's pipe closes, which for a child with threads is before it can be reaped, and then
    not again for five seconds.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """With every connection to the broker: the hub forgets its timers when one is lost."""
        if consumer.hub is not None:
            consumer.hub.call_repeatedly(POOL_LOOK_SECONDS, consumer.pool.maintain_pool)


class Child:
    """This pool child: made with the first task or right after the fork, whichever succeeds first."""

    def __init__(self, ctx: "Context") -> None:
        self.ctx = ctx
        self.loop = child.Loop()
        self.drain: child.Drain[Drained] = child.Drain(self.loop)
        self.ticked_at = float("-inf")

    def turn(self, channel: str) -> child.Turn:
        """When a drain of this channel shall end."""
        mine = app.amqp.queues.consume_from
        others = [name for name in mine if name != channel and name not in BRIEF]
        brief = [name for name in mine if name in BRIEF]
        return child.Turn(stopping, self.ctx.doorbell, others, brief, self.ctx.settings.dispatch.drain_seconds)

    def make_way(self, channel: str) -> None:
        """A child drains one channel at a time: end the drain of any other, and ring for what is left of it."""
        other = self.drain.channel
        if other != channel and self.drain.end() is not None:
            self.ctx.doorbell.ring(other)  # it was told to end, so it cannot say whether there is more

    def close(self) -> None:
        """Hang up politely, once a drain has what is under way back; what still runs then is cancelled."""
        try:
            self.drain.end()
        finally:
            self.loop.close(self.ctx.wire.close())


settings = Settings.load()
app = make(settings)
stopping = child.Stop()
_here: list[Child] = []


def here() -> Child:
    """The child this runs in. Where its Context cannot be built the task fails, and the next tick tries again."""
    if not _here:
        _here.append(Child(build(settings)))
    return _here[0]


@signals.worker_process_init.connect
def _begin_child(**_: Any) -> None:
    gc.freeze()
    gc.set_threshold(GARBAGE)
    here()


@signals.worker_process_shutdown.connect
def _end_child(**_: Any) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it is ending already: another must not cut what it waits for
    if _here:
        _here.pop().close()


@signals.worker_ready.connect
def _watch_over(sender: Any, **_: Any) -> None:
    doorbell, queues = Doorbell(settings.redis_url), list(app.amqp.queues.consume_from)
    Watchdog(
        waiting=lambda: doorbell.waiting(queues),
        taken=lambda: state.all_total_count[0],
        is_busy=lambda: len(state.reserved_requests) >= sender.pool.num_processes,
    ).start()


@signals.worker_shutting_down.connect
def _begin_to_stop(**_: Any) -> None:
    child.worker_is_stopping()


@signals.task_prerun.connect
def _begin_task(**_: Any) -> None:
    stopping.begin()


@signals.task_postrun.connect
def _end_task(**_: Any) -> None:
    stopping.end()


@signals.setup_logging.connect
def _log(**_: Any) -> None:
    """Our log instead of Celery's; its lines about each task are left out, there are several a second."""
    log.configure(level=settings.log.level, form=settings.log.form)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


@signals.celeryd_init.connect
def _be_brief(instance: Any = None, **_: Any) -> None:
    """No banner, and no warning about root: what makes root dangerous here is pickle, and we take JSON only."""
    instance.quiet = True
    warnings.filterwarnings("ignore", category=SecurityWarning)


@signals.worker_init.connect
def _load_what_every_child_needs(**_: Any) -> None:
    """Before the fork: loaded in a child, it would hold up that child's first calls beyond their half second."""
    import dispatcher.wire.pool  # noqa: F401


@signals.celeryd_init.connect
@signals.beat_init.connect
def _need_a_broker(**_: Any) -> None:
    if not settings.redis_url:
        error = ConfigurationError(
            "No broker is set.",
            mend="Set DISPATCHER_REDIS_URL, or let `dispatcher up --embedded` start a private one.",
            code="E-CFG-RDS",
        )
        sys.stderr.write(f"{error.what} {' '.join(error.mend)}\n")
        raise SystemExit(error.exit_code)
