"""A thousand releases that come due within seconds, while Redis is away and one beat becomes three: each goes out once
and none before its time."""

import contextlib
import os
import signal
import time
from collections import defaultdict

from dispatcher.embedded.procfile import parse
from dispatcher.ledger import counts
from dispatcher.model.clock import to_ms
from dispatcher.sandbox.record import lines
from tests.faults import plays

FAR = 1_000_001
"""Who is told of the occurrences: nobody whom the broadcast beside them is for."""
SHARE = 2 / 3
"""Occurrences for each person of that broadcast."""
AHEAD, WINDOW = 6.0, 8.0
"""Seconds until the first is due, and until the last is after it."""
PATIENCE = 240.0


def come_due(arena, made, dice):
    """Plan them, put three metronomes where one was, and take the broker away while they come due."""
    with arena.ctx.ledger.read() as tx:
        people = counts.by_channel(tx, made)["email"].planned
    planned = [
        arena.broadcast(1, first=FAR + n, channels=("email",), release_in=3600, ring=False)
        for n in range(int(people * SHARE))
    ]
    env = arena.ctx.settings.child_environment()
    for _ in range(2):
        arena._run(parse("beat: celery -A workers.app beat", env), env)
    due = _plan(arena, made, planned)
    time.sleep(AHEAD - 1)
    with contextlib.suppress(ProcessLookupError):
        os.kill(arena.broker.pid, signal.SIGKILL)
    time.sleep(WINDOW / 2)
    arena.broker.ensure()
    return lambda arena, made: _look(arena, made, due)


def _plan(arena, made, planned):
    """When each is due, by number, in ms: spread over the window, the broadcast beside them with the first."""
    first = to_ms(arena.ctx.clock.now()) + int(AHEAD * 1000)
    due = {one: first + int(place * WINDOW * 1000 / len(planned)) for place, one in enumerate(planned)}
    with arena.ctx.ledger.write() as tx:
        for one, at in [(made, first), *due.items()]:
            for table, column in (("control", "broadcast_id"), ("broadcast", "id")):
                tx.change(
                    f"UPDATE {table} SET release_at = :at, expires_at = :until WHERE {column} = :b",
                    at=at, until=at + 3_600_000, b=one,
                )  # fmt: skip
    return due


def _look(arena, made, due):
    until = time.monotonic() + PATIENCE
    while (left := _left(arena, due)) and time.monotonic() < until:
        time.sleep(0.5)
    _, wrong = plays.nothing_early(arena, made)
    told = _told(arena)
    early = [one for one, at in due.items() if told[one] and min(told[one]) < at / 1000 - plays.EARLY_SECONDS]
    odd = {len(told[one]) for one in due} - {1}
    found = [wrong] if wrong else []
    found += [f"{left} occurrences still wait"] if left else []
    found += [f"{len(early)} occurrences before their time"] if early else []
    found += [f"occurrences told {sorted(odd)} times"] if odd else []
    return f"{len(due)} occurrences", ", ".join(found)


def _left(arena, due):
    with arena.ctx.ledger.read() as tx:
        rows = tx.all("SELECT broadcast_id AS id FROM batch WHERE waiting + sending > 0")
    return sum(row.id in due for row in rows)


def _told(arena):
    """When each broadcast's requests that were taken on had begun, by number, in seconds since 1970."""
    found = defaultdict(list)
    for line in lines(arena.vendors.record):
        if line.kind == "accepted" and line.key:
            found[int(line.key.split(".")[1])].append(line.began_at)
    return found
