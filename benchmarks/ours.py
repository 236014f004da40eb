"""What is measured of this program, each by its real path: planned, released, handed over by real workers."""

import os
import subprocess
import sys
import time

from benchmarks import raw
from benchmarks.field import RENDITIONS
from benchmarks.files import command
from dispatcher.model.kinds import Channel
from dispatcher.services import control


def dispatched(field, channels, version, people, size=200):
    """One broadcast from planning to its last ledger row."""
    before = field.ledger_bytes()
    broadcast, plan_seconds = field.plan(version, channels, size)
    field.zero()
    released = field.release(broadcast, channels)
    peak = field.settled(broadcast)
    seen = field.count()
    accepted = sum(row.accepted for row in field.sums(broadcast).values())
    if accepted != people * len(channels) or sum(seen["recipients"].values()) != accepted:
        raise RuntimeError(f"{accepted} accepted of {people * len(channels)}, the sink saw {seen['recipients']}")
    took = field.finished(broadcast) - released
    return broadcast, {
        "rate": accepted / took, "seconds": took, "plan_seconds": plan_seconds,
        "first_request": {c: seen["first"][c] - released for c in channels},
        "wire_rate": {c: seen["recipients"][c] / max(seen["last"][c] - seen["first"][c], 1e-3) for c in channels},
        "connections": seen["connections"], "pss": peak,
        "ledger_bytes": (field.ledger_bytes() - before) / accepted,
    }  # fmt: skip


def raw_rate(field, channel, people, size):
    """Recipients a second of the bare loop with the same bytes; requests enough that connecting does not count."""
    distinct = min(people, 20 * size)
    requests = raw.written(field.ctx.accounts[_account(channel)], RENDITIONS[channel], distinct, size)
    times = max(1, people // distinct, 500 // len(requests))
    return distinct * times / raw.posted(requests, times, raw.IN_FLIGHT[channel])


def _account(channel):
    return {"email": "sendgrid", "sms": "twilio"}[channel]


def stopped(field, version, channel, size=200):
    """Seconds from the stop's return to the begin of the last request, while a broadcast is under way."""
    broadcast, _ = field.plan(version, [channel], size)
    field.zero()
    field.release(broadcast, [channel])
    until = time.monotonic() + 20
    while not field.count()["first"][channel] and time.monotonic() < until:
        time.sleep(0.01)
    control.stop(field.ctx, field.operator(), f"B-{broadcast}")
    at = time.time()
    time.sleep(2.5)
    seen = field.count()
    if any(row.sending for row in field.sums(broadcast).values()):
        raise RuntimeError("requests were under way 2.5 s after the stop")
    return max(0.0, seen["last"][channel] - at), seen["recipients"][channel]


def command_cpu(field, *words, times=3):
    """Median CPU seconds of a whole `dispatcher` command, start of the interpreter included."""
    return sorted(command(field, *words)().cpu for _ in range(times))[times // 2]


def bare_cpu(times=3):
    """Median CPU seconds of an interpreter that does nothing, to stand beside it."""
    spent = []
    for _ in range(times):
        _, state, used = os.wait4(subprocess.Popen([sys.executable, "-c", "pass"]).pid, 0)
        assert state == 0
        spent.append(used.ru_utime + used.ru_stime)
    return sorted(spent)[times // 2]


__all__ = ["Channel", "bare_cpu", "command_cpu", "dispatched", "raw_rate", "stopped"]
