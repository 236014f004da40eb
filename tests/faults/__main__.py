"""`python -m tests.faults`: every scenario, a table, and everything about every run in a file.

python -m tests.faults --only T1,T20 --seed 7 --backend postgresql --quick
python -m tests.faults --only mutants --mutant fence
python -m tests.faults --only T36 --recipients 50000
"""

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests import postgres
from tests.faults import doubled, failpoints, restored, stopping
from tests.faults.mutants import MUTANTS, try_one
from tests.faults.scenarios import BOTH, POSTGRES, SCENARIOS, SQLITE, play

FULL = {"DISPATCHER_TEST_FULL": "1"}
"""Makes the tests of this folder take the counts of the whole suite instead of those of every day."""
SEEDS, QUICK_SEEDS = 2000, 60
SEED_SECONDS, MUTANT_SECONDS = 1800, 15


@dataclass(frozen=True)
class Staged:
    """A scenario with a stage of its own. `play(seed, url, times=...)` gives (good, words, seconds). One that is
    `timed` asks for seconds and stays in the lane of real processes; the others go beside it."""

    name: str
    what: str
    play: object
    backends: tuple
    times: int
    few: int
    budget: int
    timed: bool = False


@dataclass(frozen=True)
class Tests:
    """A scenario that lives in a test file."""

    name: str
    what: str
    path: str
    budget: int


STAGED = (
    Staged("T9", "deaths between commit and ring", failpoints.crashes, SQLITE, 50, 3, 80),
    Staged("T13", "an older copy is restored", restored.rolled_back, BOTH, 5, 1, 260),
    Staged("T13b", "a copy in a second home", restored.second_home, BOTH, 1, 1, 50),
    # Two broadcasts by four terminals each: a terminal is a process that loads the program. The thousand double submits
    # are T26b, twenty keys by fifty hands.
    Staged("T26", "the same at once from many terminals", doubled.many_hands, BOTH, 2, 1, 70),
    Staged("T28", "stop, pause, freeze; two groups; correction", stopping.two_groups, POSTGRES, 21, 3, 150, True),
)
TESTS = (
    Tests("T6c", "a full disk between intent and call", "tests/faults/test_disk.py", 45),
    Tests("T8", "recipients over whom workers die", "tests/faults/test_poison.py", 150),
    Tests("T13c", "holds, epochs, anchors", "tests/services/test_hold.py", 15),
    Tests("T14", "sixteen claimers", "tests/faults/test_claims.py", 60),
    Tests("T16", "clock steps and daylight saving", "tests/faults/test_clock.py", 15),
    # Jumps of minutes and a step back of less than one; steps of an hour are played by the simulation alone.
    Tests("T16b", "a real beat over a change of clocks", "tests/faults/test_faketime.py", 120),
    Tests("T16c", "reminders under any clock and beat", "tests/services/test_reminders.py", 60),
    Tests("T19c", "an outage in the middle of a batch", "tests/faults/test_outage.py", 10),
    Tests("T22", "events in any order, any number of times", "tests/faults/test_fold.py", 200),
    Tests("T22b", "several copies of one delivery", "tests/faults/test_copies.py", 40),
    Tests("T23", "signatures with a bit flipped", "tests/faults/test_signatures.py", 20),
    Tests("T26b", "fifty hands with one key", "tests/faults/test_keys.py", 30),
)


class Table:
    """Rows as they come, and the whole of them in a file at the end."""

    def __init__(self, path):
        self.path, self.rows, self._lock = Path(path), [], threading.Lock()

    def add(self, name, what, backend, seed, good, told, seconds, budget=0, **more):
        row = {"name": name, "what": what, "backend": backend, "seed": seed, "good": good, "told": told,
               "seconds": round(seconds, 1), "budget": budget, **more}  # fmt: skip
        mark = "ok " if good else "RED"
        took = f"{seconds:4.0f} of {budget:4} s" if budget else f"{seconds:4.0f} s"
        with self._lock:
            self.rows.append(row)
            print(f"{mark} {name:4} {what:46} {backend:10} seed {seed:<6} {took}  {told}", flush=True)
            self.path.write_text(json.dumps(self.rows, indent=1, default=str))


def main():
    asked = _asked()
    table, servers = Table(asked.json), _Servers()
    began = time.monotonic()
    print(f"seed {asked.seed}; planned: {_planned(asked) / 60:.0f} minutes; results go to {asked.json}", flush=True)
    try:
        with ThreadPoolExecutor(2) as beside:
            lanes = [beside.submit(_simulate, asked, table), beside.submit(_beside, asked, table, servers)]
            _processes(asked, table, servers)
            _staged(asked, table, servers, timed=True)
        for lane in lanes:
            lane.result()
    finally:
        servers.stop()
    red = [row for row in table.rows if not row["good"]]
    print(f"{len(table.rows)} runs, {len(red)} red, {time.monotonic() - began:.0f} s")
    sys.exit(bool(red))


def _asked():
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--only", default="", help="names, with commas: T1,T20,mutants")
    parser.add_argument("--mutant", default="", help="of the mutants only those with these words in their name")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100_000))
    parser.add_argument("--recipients", type=int, default=0, help="for T36, which runs only when it is named")
    parser.add_argument("--backend", choices=("sqlite", "postgresql"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", default="faults.json")
    asked = parser.parse_args()
    asked.only = asked.only or ("mutants" if asked.mutant else "")
    known = {one.name for one in (*SCENARIOS, *STAGED, *TESTS)} | {"T20", "mutants"}
    if strange := set(filter(None, asked.only.split(","))) - known:
        parser.error(f"no run is called {', '.join(sorted(strange))}; there are {', '.join(sorted(known))}")
    if asked.mutant and not _mutants_of(asked):
        parser.error(f"no mutant's name has {asked.mutant!r} in it")
    return asked


def _wanted(asked, name):
    return not asked.only or name in asked.only.split(",")


def _scenarios(asked):
    """Those that are played; one that runs alone is not for a run of everything."""
    for one in SCENARIOS:
        if _wanted(asked, one.name) and (asked.only or not one.alone):
            yield one.of_size(asked.recipients) if one.alone and asked.recipients else one


def _on(asked, backend):
    return asked.backend in (None, "postgresql" if backend == "private" else backend)


def _planned(asked):
    """Seconds on two quiet cores. Three lanes: real processes, which mostly wait; the simulation; the rest."""
    staged = [one for one in STAGED if _wanted(asked, one.name)]
    real = _seconds(asked, [*_scenarios(asked), *(one for one in staged if one.timed)])
    tests = sum(one.budget for one in TESTS if _wanted(asked, one.name)) + MUTANT_SECONDS * len(_mutants_of(asked))
    tests += _seconds(asked, [one for one in staged if not one.timed])
    return max(real, SEED_SECONDS if _wanted(asked, "T20") else 0, tests)


def _seconds(asked, rows):
    return sum(one.budget * sum(_on(asked, backend) for backend in one.backends) for one in rows)


class _Servers:
    """PostgreSQL, started when first asked for: one for everybody, or a private one that may be hurt."""

    def __init__(self):
        self._shared = None
        self._private = None
        self._lock = threading.Lock()  # two lanes ask

    def url(self, backend):
        """The address of a fresh database; None where there is no PostgreSQL."""
        if backend == "sqlite":
            return ""
        with self._lock:
            server = self.private() if backend == "private" else self.shared()
            return server.fresh() if server else None

    def private(self):
        """One of our own, with nothing in it."""
        if self._private is None:
            self._private = _started()
        return self._private

    def shared(self):
        if self._shared is None:
            given = os.environ.get("DISPATCHER_TEST_POSTGRES", "")
            self._shared = postgres.Server(given) if given else _started()
        return self._shared

    def end_private(self):
        """A server that was hurt is not used again."""
        if self._private is not None:
            self._private.stop()
            self._private = None

    def stop(self):
        self.end_private()
        if self._shared is not None:
            self._shared.stop()


def _started():
    if (found := postgres.binaries()) is None:
        return None
    server = postgres.Server()
    server.start(found)
    return server


def _processes(asked, table, servers):
    for scenario in _scenarios(asked):
        for backend, url in _places(asked, scenario, servers):
            _one(asked, table, scenario, backend, url, servers)


def _places(asked, one, servers):
    """On which ledgers it is played, each with its address. Where there is no PostgreSQL, that is said."""
    for backend in one.backends:
        if _on(asked, backend):
            if (url := servers.url(backend)) is None:
                print(f"--  {one.name:4} {one.what:46} left out: no PostgreSQL on this machine", flush=True)
            else:
                yield backend, url


def _one(asked, table, scenario, backend, url, servers):
    server, began = servers.private() if backend == "private" else None, time.monotonic()
    shown = "postgresql" if server else backend
    try:
        found = play(scenario, asked.seed, url, quick=asked.quick, server=server)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        table.add(scenario.name, scenario.what, shown, asked.seed, False, told, time.monotonic() - began)
    else:
        table.add(
            scenario.name, scenario.what, shown, asked.seed, found.good, found.line(), found.seconds, scenario.budget,
            verdict=found.__dict__,
        )  # fmt: skip
    finally:
        if server:
            servers.end_private()


def _staged(asked, table, servers, *, timed):
    for one in STAGED:
        for backend, url in _places(asked, one, servers) if _wanted(asked, one.name) and one.timed == timed else ():
            _stage(asked, table, one, backend, url)


def _stage(asked, table, one, backend, url):
    began = time.monotonic()
    try:
        good, told, _ = one.play(asked.seed, url, times=one.few if asked.quick else one.times)
    except Exception as error:
        good, told = False, f"{type(error).__name__}: {error}"
    table.add(one.name, one.what, backend, asked.seed, good, told, time.monotonic() - began, one.budget)


def _beside(asked, table, servers):
    """What takes no interest in seconds: tests, stages, mutants."""
    _tests(asked, table)
    _staged(asked, table, servers, timed=False)
    _mutants(asked, table)


def _tests(asked, table):
    for one in TESTS:
        if _wanted(asked, one.name):
            began = time.monotonic()
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=3600", one.path]
            env = os.environ | ({} if asked.quick else FULL)
            done = subprocess.run(command, capture_output=True, text=True, env=env)
            told = "; ".join(_last_words(done.stdout) or [done.stderr[-200:]])
            seconds = time.monotonic() - began
            good = done.returncode == 0 and " passed" in told  # a file of which all is skipped has shown nothing
            table.add(one.name, one.what, "both", asked.seed, good, told, seconds, one.budget)


def _last_words(said):
    """The sum of a run of tests; before it, of each failure what was expected."""
    lines = said.strip().splitlines()
    return [line for line in lines if line.startswith(("E  ", "FAILED"))][:12] + lines[-1:]


def _simulate(asked, table):
    if _wanted(asked, "T20"):
        good, told, seconds = _histories(asked)
        table.add("T20", "the deterministic simulation", "sqlite", asked.seed, good, told, seconds, SEED_SECONDS)


def _histories(asked):
    seeds = QUICK_SEEDS if asked.quick else SEEDS
    command = [sys.executable, "-m", "tests.faults.simulation", "--from", asked.seed, "--seeds", seeds, "--enough", 5]
    done = subprocess.run([*map(str, command), "--seconds", str(SEED_SECONDS * 5 // 4)], capture_output=True, text=True)
    try:
        found = json.loads(done.stdout[done.stdout.index("{") :].splitlines()[0])
    except ValueError:
        return False, done.stderr[-300:], 0.0
    good = not found["bad"] and found["played"] == seeds
    return good, f"{found['played']} of {seeds} seeds, bad: {found['bad'] or 'none'}", found["seconds"]


def _mutants_of(asked):
    return [one for one in MUTANTS if asked.mutant in one.name] if _wanted(asked, "mutants") else []


def _mutants(asked, table):
    for mutant in _mutants_of(asked):
        death = try_one(mutant, seed=asked.seed)
        table.add("mut", mutant.name, "sqlite", asked.seed, death.good, f"{death.state}: {death.by}", death.seconds)


if __name__ == "__main__":
    main()
