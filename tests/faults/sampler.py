"""Reads the sums of one broadcast in one snapshot, again and again, from a process of its own.

    DATABASE=... python -m tests.faults.sampler BROADCAST [RECOUNT_EVERY]

Ends with its standard input, and then says in one line of JSON what it saw.
"""

import json
import os
import subprocess
import sys
import threading
import time

from dispatcher.ledger import counts
from dispatcher.ledger.engine import Ledger
from dispatcher.model.states import DeliveryState

PAUSE = 0.08
LEAST = 5.0
"""Samples a second that a run must have had, reckoned over the time in which the database answered."""
RECOUNT_EVERY = 12
"""Every so many samples all rows are counted as well, in the same snapshot; the more rows, the more seldom."""
ROWS_RECOUNTED = 10_000
"""As many deliveries are counted within one pause or two."""


def watch(ledger, broadcast, over, recount_every=RECOUNT_EVERY):
    """Sample until `over`; what was seen."""
    seen = {"samples": 0, "recounts": 0, "wrong": [], "missed": 0, "away": 0.0}
    began = time.monotonic()
    while not over.wait(PAUSE):
        asked = time.monotonic()
        try:
            with ledger.read() as tx:
                seen["wrong"] += [(channel, list(row)) for channel, row in _wrong(tx, broadcast)]
                if seen["samples"] % recount_every == 0:
                    seen["wrong"] += [list(found) for found in counts.wrong_batches(tx, broadcast)]
                    seen["recounts"] += 1
            seen["samples"] += 1
        except Exception:
            seen["missed"] += 1
            seen["away"] += time.monotonic() - asked + PAUSE
    return seen | {"seconds": time.monotonic() - began}


def _wrong(tx, broadcast):
    for channel, row in counts.by_channel(tx, broadcast).items():
        if sum(getattr(row, state.name.lower()) for state in DeliveryState) != row.planned:
            yield channel, row


class Sampler:
    """The process, seen from the run that it watches."""

    def __init__(self, url, broadcast, deliveries=0):
        every = RECOUNT_EVERY * max(1, deliveries // ROWS_RECOUNTED)
        command = [sys.executable, "-m", "tests.faults.sampler", str(broadcast), str(every)]
        env = os.environ | {"DATABASE": str(url)}
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)

    def end(self):
        """What it saw."""
        told, _ = self._process.communicate("", timeout=120)
        return json.loads(told)


def rate(seen):
    """Samples a second while the database was there."""
    return seen["samples"] / max(0.1, seen["seconds"] - seen["away"])


def main():
    over = threading.Event()
    ledger = Ledger(os.environ["DATABASE"])
    threading.Thread(target=lambda: (sys.stdin.read(), over.set()), daemon=True).start()
    print(json.dumps(watch(ledger, int(sys.argv[1]), over, *map(int, sys.argv[2:]))))
    ledger.close()


if __name__ == "__main__":
    main()
