"""`python -m tests.faults`: every scenario, a table, and everything about every run in a file.

python -m tests.faults --only T1,T20 --seed 7 --backend postgresql --quick
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import postgres
from tests.faults import stopping
from tests.faults.mutants import MUTANTS, try_one
from tests.faults.scenarios import SCENARIOS, play

TESTS = {
    "T6": ("a full disk", "tests/faults/test_disk.py"),
    "T8": ("recipients over whom workers die", "tests/faults/test_poison.py"),
    "T13": ("restored and copied ledgers", "tests/services/test_hold.py"),
    "T14": ("sixteen claimers", "tests/faults/test_claims.py"),
    "T16": ("clock steps and daylight saving", "tests/faults/test_clock.py"),
    "T22": ("events in any order, any number of times", "tests/faults/test_fold.py"),
    "T23": ("signatures with a bit flipped", "tests/faults/test_signatures.py"),
}
SEEDS, QUICK_SEEDS = 2000, 60


class Table:
    """Rows as they come, and the whole of them in a file at the end."""

    def __init__(self, path):
        self.path, self.rows = Path(path), []

    def add(self, name, what, backend, seed, good, told, seconds, **more):
        self.rows.append(
            {"name": name, "what": what, "backend": backend, "seed": seed, "good": good, "told": told,
             "seconds": round(seconds, 1), **more}
        )  # fmt: skip
        mark = "ok " if good else "RED"
        print(f"{mark} {name:4} {what:44} {backend:10} seed {seed:<6} {seconds:5.0f} s  {told}", flush=True)
        self.path.write_text(json.dumps(self.rows, indent=1, default=str))


def main():
    asked = _asked()
    table, server = Table(asked.json), _Server()
    began = time.monotonic()
    print(f"seed {asked.seed}; results go to {asked.json}", flush=True)
    try:
        with ThreadPoolExecutor(1) as beside:
            simulated = beside.submit(_simulate, asked) if _wanted(asked, "T20") else None
            _processes(asked, table, server)
            _tests(asked, table)
            if simulated:
                table.add("T20", "the deterministic simulation", "sqlite", asked.seed, *simulated.result())
        _mutants(asked, table)
    finally:
        server.stop()
    red = [row for row in table.rows if not row["good"]]
    print(f"{len(table.rows)} runs, {len(red)} red, {time.monotonic() - began:.0f} s")
    sys.exit(bool(red))


def _asked():
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--only", default="", help="names, with commas: T1,T20,mutants")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100_000))
    parser.add_argument("--backend", choices=("sqlite", "postgresql"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", default="faults.json")
    return parser.parse_args()


def _wanted(asked, name):
    return not asked.only or name in asked.only.split(",")


class _Server:
    """PostgreSQL, started when first asked for; None where there is none."""

    def __init__(self):
        self._server = None

    def fresh(self):
        if self._server is None:
            self._server = postgres.Server(os.environ.get("DISPATCHER_TEST_POSTGRES", ""))
            if not self._server.url:
                if (found := postgres.binaries()) is None:
                    return None
                self._server.start(found)
        return self._server.fresh()

    def stop(self):
        if self._server is not None:
            self._server.stop()


def _processes(asked, table, server):
    for scenario in SCENARIOS:
        for backend in scenario.backends if _wanted(asked, scenario.name) else ():
            if asked.backend in (None, backend):
                url = server.fresh() if backend == "postgresql" else ""
                if url is not None:
                    _one(asked, table, scenario, backend, url)
    if _wanted(asked, "T28") and asked.backend in (None, "postgresql") and (url := server.fresh()):
        began = time.monotonic()
        good, told = stopping.two_groups(asked.seed, url, times=2 if asked.quick else 10)
        table.add("T28", "stop, two groups of workers", "postgresql", asked.seed, good, told, time.monotonic() - began)


def _one(asked, table, scenario, backend, url):
    try:
        found = play(scenario, asked.seed, url, quick=asked.quick)
    except Exception as error:
        table.add(scenario.name, scenario.what, backend, asked.seed, False, f"{type(error).__name__}: {error}", 0.0)
        return
    good = found.good and not found.note
    table.add(
        scenario.name, scenario.what, backend, asked.seed, good, f"{found.line()} {found.note}", found.seconds,
        verdict=found.__dict__,
    )  # fmt: skip


def _tests(asked, table):
    for name, (what, path) in TESTS.items():
        if _wanted(asked, name):
            began = time.monotonic()
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=600", path]
            done = subprocess.run(command, capture_output=True, text=True)
            told = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else done.stderr[-200:]
            table.add(name, what, "both", asked.seed, done.returncode == 0, told, time.monotonic() - began)


def _simulate(asked):
    seeds = QUICK_SEEDS if asked.quick else SEEDS
    command = [sys.executable, "-m", "tests.faults.simulation", "--from", asked.seed, "--seeds", seeds, "--enough", 5]
    done = subprocess.run([*map(str, command), "--seconds", "1800"], capture_output=True, text=True)
    try:
        found = json.loads(done.stdout[done.stdout.index("{") :].splitlines()[0])
    except ValueError:
        return False, done.stderr[-300:], 0.0
    return not found["bad"], f"{found['played']} seeds, bad: {found['bad'] or 'none'}", found["seconds"]


def _mutants(asked, table):
    for mutant in MUTANTS if _wanted(asked, "mutants") else ():
        death = try_one(mutant, seed=asked.seed)
        table.add("mut", mutant.name, "sqlite", asked.seed, death.good, f"{death.state}: {death.by}", death.seconds)


if __name__ == "__main__":
    main()
