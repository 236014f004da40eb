"""Sabotage: each mutant takes one defence away from a copy of the program, and some run must turn red.

A mutant whose text is no longer found fails too, so that none of them rots.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
COPIED = ("dispatcher", "workers", "tests", "templates", "config", "pyproject.toml")
CLAIMS, LEASES, SWEEPS = (f"dispatcher/ledger/{name}.py" for name in ("claims", "leases", "sweeps"))
HANDOVER, OUTCOMES, SETTLE = (f"dispatcher/services/{name}.py" for name in ("handover", "outcomes", "reconciling"))
SIMULATION = "simulation"
FREEZES, COPIES = "tests/faults/test_freezes.py", "tests/faults/test_copies.py -k late_failure"
EVENTS = "tests/services/test_events.py"


@dataclass(frozen=True)
class Mutant:
    """One act of sabotage. `kills`: the simulation, or a pytest expression; `harmless`: why nothing may turn red."""

    name: str
    edits: tuple[tuple[str, str, str], ...]
    kills: str = SIMULATION
    harmless: str = ""


MUTANTS = (
    Mutant(
        "an expired lease reads as not sent",
        ((LEASES, "SET state = 4, reason = 'the worker stopped", "SET state = 0, reason = 'the worker stopped"),),
    ),
    Mutant(
        "no fence on writes",
        (
            (CLAIMS, " AND fence = :fence AND owner IS NOT NULL", " AND :fence = :fence"),
            (CLAIMS, 'AND state = 0",\n        {"id"', 'AND state < 7",\n        {"id"'),
        ),
        kills=f"{FREEZES} -k wakes_up",
    ),
    Mutant(
        "no fence alone",
        ((CLAIMS, " AND fence = :fence AND owner IS NOT NULL", " AND :fence = :fence"),),
        kills=FREEZES,
        harmless="the intent also demands that every row still waits, and takes back all of itself if one does not",
    ),
    Mutant(
        "no grace after the lease",
        (("dispatcher/services/ticking.py", "now - int(ctx.settings.dispatch.grace_seconds * 1000)", "now"),),
        kills=f"{FREEZES} -k ran_out",
    ),
    Mutant(
        "no deadline before the call",
        ((HANDOVER, "stale = ctx.clock.monotonic() > latest", "stale = False"),),
        kills=f"{FREEZES} -k right_after_its_intent",
    ),
    Mutant(
        "an intent is dated when it is asked for",
        ((HANDOVER, "    with ctx.ledger.write() as tx:\n        now = to_ms(ctx.clock.now())\n",
          "    now = to_ms(ctx.clock.now())\n    with ctx.ledger.write() as tx:\n"),),
        kills=f"{FREEZES} -k let_it_in",
    ),
    Mutant(
        "a server's error is tried again",
        (
            (
                OUTCOMES,
                "        case OutcomeUnknown():\n            return DeliveryState.UNKNOWN",
                "        case OutcomeUnknown():\n            return DeliveryState.WAITING",
            ),
        ),
    ),
    Mutant(
        "the intent is written after the call",
        (
            (HANDOVER, "if requests and not claims.intend(tx, work.claim, work.account.name, requests, now, lease):\n"
             "            raise LeaseLost", "work.late = lease"),
            (HANDOVER, "    lost: bool = False\n", "    lost: bool = False\n    late: int = 0\n"),
            (HANDOVER, '    posts = work.rendition.posts if', "    with ctx.ledger.write() as tx:\n"
             "        claims.intend(tx, work.claim, work.account.name, [request], to_ms(ctx.clock.now()), work.late)\n"
             "    posts = work.rendition.posts if"),
        ),
    ),
    Mutant(
        "a look-up is trusted before the settle time",
        ((SETTLE, "- ctx.settings.dispatch.settle_seconds[channel] * 1000\n    with", "\n    with"),),
    ),
    Mutant(
        "an answer is believed only under the fence",
        (
            (
                CLAIMS,
                '_move(tx, broadcast_id, findings, "delivery.state = 4 AND r.state <> 4")',
                "0",
            ),
        ),
        kills="tests/services/test_dispatch.py -k late_truth",
    ),
    Mutant(
        "the last event wins",
        (("dispatcher/ledger/events.py", 'f"{state} < {proof} AND ({state}', 'f"{state} <> {proof} AND ({state}'),),
        kills=f"{EVENTS} -k any_order",
    ),
    Mutant(
        "events are kept twice",
        (("dispatcher/ledger/engine.py", ' ON CONFLICT DO NOTHING", rows)', '", rows)'),),
        kills=f"{EVENTS} -k kept_once",
    ),
    Mutant(
        "a claim without a lease",
        ((CLAIMS, "AND b.waiting > 0 AND b.owner IS NULL AND", "AND b.waiting > 0 AND"),),
        kills="tests/faults/test_claims.py",
    ),
    Mutant(
        "the sweeper sends the unknown again",
        ((SETTLE, "elif row.policy == Policy.AT_LEAST_ONCE and", "elif"),),
    ),
    Mutant(
        "a repeat is not listed",
        ((SETTLE, '                tx, "possible repeat",', '                tx, "repeat",'),),
    ),
    Mutant(
        "stop is not looked at",
        ((CLAIMS, 'control.state == "released" and', ""),),
        kills="tests/services/test_dispatch.py -k after_stop",
    ),
    Mutant(
        "opt-outs after approval are not looked at",
        ((HANDOVER, "    kept = _without_suppressed(tx, work, chosen)", "    kept = list(chosen)"),),
        kills="tests/services/test_dispatch.py -k opts_out",
    ),
    Mutant(
        "a restored ledger is believed",
        (("dispatcher/services/hold.py", 'if int(anchor["attempt"]) > meta.last_attempt(tx):', "if False:"),),
        kills="tests/services/test_hold.py -k restored",
    ),
    Mutant(
        "a restored ledger doubts nothing",
        (("dispatcher/services/hold.py", "batches = sweeps.doubt(tx, now)", "batches = 0"),),
        kills="tests/services/test_hold.py -k restored",
    ),
    Mutant(
        "nobody is put aside",
        ((LEASES, "    _quarantine_suspect(tx, broadcast_id, no, quarantine_after)\n", ""),),
        kills="tests/ledger/test_leases.py",
    ),
    Mutant(
        "what was to be repeated is cancelled",
        ((SWEEPS, "return settle_rows(tx, broadcast_id, seqs, DeliveryState.WAITING, DeliveryState.UNKNOWN, STOPPED)"
          " if seqs else 0", "return 0"),),
        kills="tests/faults/test_late.py -k after_a_stop",
    ),
    Mutant(
        "a clock that stepped is believed",
        (("dispatcher/services/clockwatch.py", "return -STEP_MS <= now - self.at < settle_ms", "return False"),),
        kills="tests/services/test_clockwatch.py -k step_forward",
    ),
    Mutant(
        "a mail cut off by its deadline goes on",
        (("dispatcher/providers/smtp.py", "self.smtp.transport.abort()", "self.smtp.transport.close()"),),
        kills="tests/providers/test_smtp.py -k cut_off",
    ),
    Mutant(
        "a word about one copy counts for all",
        (("dispatcher/services/events.py", "proofs[seq, event.copy] = (state", "proofs[seq, None] = (state"),),
        kills=COPIES,
    ),
    Mutant(
        "an earlier copy is forgotten",
        (("dispatcher/ledger/copies.py", "AND d.state = :was ON CONFLICT", "AND d.state = -:was ON CONFLICT"),),
        kills=COPIES,
    ),
)  # fmt: skip


@dataclass
class Death:
    """What became of a mutant."""

    name: str
    state: str
    by: str
    seconds: float

    @property
    def good(self):
        return self.state in ("killed", "harmless")


def try_one(mutant, *, seed=1, seeds=150, seconds=120.0):
    """Apply the sabotage to a copy and run what should see it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        _copy(copy)
        if lost := [path for path, old, _ in mutant.edits if not _edit(copy / path, *_pair(mutant, path, old))]:
            return Death(mutant.name, "its text is gone", ", ".join(lost), 0.0)
        code, by = _run(copy, mutant, seed, seeds, seconds)
    state = {0: "harmless" if mutant.harmless else "ALIVE", 1: "killed"}.get(code, "did not run")
    return Death(mutant.name, state, mutant.harmless if state == "harmless" else by, time.monotonic() - began)


def _pair(mutant, path, old):
    return next((o, n) for p, o, n in mutant.edits if (p, o) == (path, old))


def _copy(to):
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, to / name)


def _edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return text.count(old) == 1


def _run(copy, mutant, seed, seeds, seconds):
    """How the run ended (1: red), and by what."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("DISPATCHER_")} | {"PYTHONPATH": str(copy)}
    if mutant.kills == SIMULATION:
        words = ["-m", "tests.faults.simulation", "--from", seed, "--seeds", seeds, "--seconds", seconds]
    else:
        words = ["-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-n", "0", "-m", "not postgres"]
        words += mutant.kills.split()
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=copy, env=env, capture_output=True, text=True, timeout=600
    )
    return done.returncode, _told(mutant, done)


def _told(mutant, done):
    if mutant.kills != SIMULATION:
        failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return (failed or [f"{mutant.kills}: exit {done.returncode}"])[0][:150]
    try:
        found = json.loads(done.stdout[done.stdout.index("{") :])
    except ValueError:
        return done.stderr[-200:]
    bad = found["bad"]
    return f"seed {next(iter(bad))}: {next(iter(bad.values()))[0]}" if bad else f"{found['played']} seeds stayed green"
