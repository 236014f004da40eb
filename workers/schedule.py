"""The only schedule: one tick a second. Everything that is due is a row in the ledger; a tick makes somebody look.

Any number of beats may run, and a tick may be lost, late, doubled or run twice at once. It carries no `expires`:
that would compare the clocks of two hosts, and with clocks a few seconds apart every tick would be thrown away. A
backlog of old ticks costs next to nothing instead, because a child answers ticks that follow each other closely once.
"""

from typing import Any

from dispatcher.doorbell import TICK, TICK_QUEUE

SECONDS = 1.0

SCHEDULE: dict[str, dict[str, Any]] = {
    "tick": {"task": TICK, "schedule": SECONDS, "options": {"queue": TICK_QUEUE, "ignore_result": True}}
}

SCHEDULER = "celery.beat:Scheduler"
"""The scheduler without a file: there is nothing to remember between two runs."""
