"""Stop, with two groups of workers of separate homes on one PostgreSQL, measured by when the vendor saw requests."""

import tempfile
import time
from pathlib import Path

from dispatcher.model.kinds import Policy
from dispatcher.model.person import Level, Person, Role
from dispatcher.sandbox.record import lines
from dispatcher.services import control
from tests.faults.arena import Arena, verdict_of
from tests.faults.scenarios import CALM

OPERATOR = Person(0, "Operator", roles=frozenset({Role.OPERATOR}), level=Level.COMMS_LEAD)
LIMIT = 2.0


class Second(Arena):
    """A further group of workers: a home of its own, the first one's vendors."""

    def __init__(self, folder, first, url):
        super().__init__(folder, 0, database_url=url)
        self.first = first

    def _vendors(self, port):
        self._secret = self.first._secret
        return self.first.vendors


def two_groups(seed, url, *, times):
    """Whether no request began more than 2 s after any of `times` stops, and the longest it took."""
    with tempfile.TemporaryDirectory(prefix="first-") as here, tempfile.TemporaryDirectory(prefix="second-") as there:
        with Arena(Path(here), seed, database_url=url, faults=CALM) as first:
            first.await_web()
            with Second(Path(there), first, url):
                late, wrong, told = [], 0, 0
                for _ in range(times):
                    made, after = _one_stop(first)
                    late.append(after)
                    found = verdict_of(first, made, finished=False)
                    told += found.planned
                    wrong += found.lost + found.twice + found.wrong_sums + found.false_accepts
    return max(
        late
    ) <= LIMIT and not wrong, f"{times} stops, last request {max(late):.2f} s after, wrong {wrong} of {told}"


def _one_stop(arena):
    made = arena.broadcast(1500, policy=Policy.AT_MOST_ONCE)
    until = time.monotonic() + 30
    while arena.open_work() == 0 and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.7)
    control.stop(arena.ctx, OPERATOR, f"B-{made}", reason="told wrongly")
    stopped = time.monotonic()
    time.sleep(LIMIT + 3)
    prefix = f"{arena.ctx.ledger_id}.{made}."
    began = [line.began for line in lines(arena.vendors.record) if (line.key or "").startswith(prefix)]
    return made, max(began, default=stopped) - stopped
