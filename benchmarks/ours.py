"""What is measured of this program, each by its real path: planned, released, handed over by real workers."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import raw
from benchmarks.field import RENDITIONS
from dispatcher.model.kinds import Channel
from dispatcher.services import audiences, control


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


def stopped(field, version, channel):
    """Seconds from the stop's return to the begin of the last request, while a broadcast is under way."""
    broadcast, _ = field.plan(version, [channel])
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
    spent = []
    env = os.environ | field.ctx.settings.child_environment()
    for _ in range(times):
        with subprocess.Popen(
            [sys.executable, "-m", "dispatcher", *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            _, state, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(state)
            if process.returncode:
                raise RuntimeError(process.stderr.read().decode())
        spent.append(used.ru_utime + used.ru_stime)
    return sorted(spent)[times // 2]


def imported(field, people):
    """Seconds to read, judge and store a file of so many rows through the service behind `audience import`."""
    path = Path(field.folder) / f"import-{people}.csv"
    with path.open("w", encoding="utf-8") as out:
        out.write("email,name,order_number\n")
        out.writelines(f"i{i}@example.com,Person {i},{i:08d}\n" for i in range(people))
    began = time.perf_counter()
    with audiences.prepared(field.ctx, path) as found:
        audiences.store(field.ctx, field.operator(), found, f"bench-{people}-{random.getrandbits(32)}", rows=people)
    return time.perf_counter() - began


def exported(field, broadcast):
    """Seconds to export a broadcast row by row."""
    from dispatcher.services import exporting

    began = time.perf_counter()
    rows = sum(1 for _ in exporting.rows(field.ctx, field.operator(), f"B-{broadcast}"))
    return rows / (time.perf_counter() - began)


__all__ = ["Channel", "command_cpu", "dispatched", "exported", "imported", "raw_rate", "stopped"]
