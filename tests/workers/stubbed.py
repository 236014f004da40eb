"""The real Celery application over services that do as a test tells them.

`celery -A tests.workers.stubbed worker` in a folder with a `do.json`. What is replaced is what a task calls, and only
that: broker, pool, signals, loop, limits and doorbell are the real ones. Every call leaves a line in `calls.ndjson`.
"""

import asyncio
import json
import os
import sys
import threading
import time
import types
from pathlib import Path
from types import SimpleNamespace

from dispatcher.doorbell import Doorbell
from dispatcher.model.clock import SystemClock

FOLDER = Path(os.environ["STUB_FOLDER"])


def orders():
    return json.loads((FOLDER / "do.json").read_text())


def note(what, **more):
    line = json.dumps({"what": what, "pid": os.getpid(), "at": time.monotonic()} | more) + "\n"
    with (FOLDER / "calls.ndjson").open("a") as calls:
        calls.write(line)


class Wire:
    async def close(self):
        note("closed")


def build(settings):
    note("built")
    if orders().get("cannot_build"):
        raise OSError("the ledger is not there")
    doorbell = Doorbell(settings.redis_url, slots=2)
    return SimpleNamespace(doorbell=doorbell, clock=SystemClock(), settings=settings, wire=Wire())


async def drain(ctx, channel, *, seconds=2.0, stopping=lambda: False):
    """As long as the orders say while it runs; `deaf` does not listen, `unwind` is what it takes to end."""
    note("drain", channel=channel)
    began = time.monotonic()
    try:
        while time.monotonic() - began < (order := orders()).get("seconds", 0):
            if stopping() and not order.get("deaf"):
                break
            await asyncio.sleep(0.03)
        await asyncio.sleep(order.get("unwind", 0))
    except asyncio.CancelledError:
        note("cancelled", channel=channel)
        raise
    note("drained", channel=channel, seconds=time.monotonic() - began)
    return SimpleNamespace(more=order.get("more", False))


def apply(ctx, *, seconds=2.0, make_way=lambda: None):
    if orders().get("deadly"):
        make_way()
    note("apply")
    return False


def tick(ctx):
    note("tick")


def module(name, **contents):
    stub = types.ModuleType(name)
    stub.__dict__.update(contents)
    sys.modules[name] = stub
    parent, _, leaf = name.rpartition(".")
    __import__(parent)
    setattr(sys.modules[parent], leaf, stub)


module("dispatcher.bootstrap", build=build)
module("dispatcher.services.dispatch", drain=drain)
module("dispatcher.services.events", apply=apply)
module("dispatcher.services.signals", apply=lambda ctx, **_: False)
module("dispatcher.services.ticking", tick=tick)

from celery import signals  # noqa: E402

from workers import app as workers_app  # noqa: E402
from workers import watchdog  # noqa: E402

app = workers_app.app
if patience := orders().get("deaf_after"):
    watchdog.DEAF_SECONDS = patience


@signals.worker_ready.connect(weak=False)
def obey(sender, **_):
    """Stop taking rings when told so, as a worker does that lost its broker unhappily."""

    def watch():
        while not orders().get("deaf_worker"):
            time.sleep(0.05)
        sender.task_consumer.cancel()
        note("deafened")

    threading.Thread(target=watch, daemon=True).start()


if limits := orders().get("limits"):
    app.conf.update(task_soft_time_limit=limits[0], task_time_limit=limits[1])
