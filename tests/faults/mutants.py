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
ATTEMPTS, CLAIMS, LEASES, SWEEPS = (
    f"dispatcher/ledger/{name}.py" for name in ("attempts", "claims", "leases", "sweeps")
)
HANDOVER, INTENTS, OUTCOMES, SETTLE, WORK = (
    f"dispatcher/services/{name}.py" for name in ("handover", "intents", "outcomes", "reconciling", "work")
)
SIMULATION = "simulation"
FREEZES, COPIES = "tests/faults/test_freezes.py", "tests/faults/test_copies.py -k late_failure"
EVENTS = "tests/services/test_events.py"
CODES, WAVES, PLANNING = (f"dispatcher/ledger/{name}.py" for name in ("codes", "waves", "planning"))
SCHEMA = "dispatcher/ledger/migrations/versions/0001.sql"
SIGN_OFF = "dispatcher/services/sign_off.py"
ABOUT_CODES, ABOUT_SUCCESSION, ABOUT_WAVES, ABOUT_YESES = (
    f"tests/services/test_{name}.py" for name in ("codes", "succession", "waves", "sign_off")
)


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
        "calls of a silent worker are never closed",
        ((LEASES, "    close_open(tx, broadcast_id, no, now)\n", ""),),
        kills="tests/ledger/test_leases.py",
    ),
    Mutant(
        "only who is still under way was lost with a worker",
        ((LEASES, "AND a.id IS NULL AND i.no", "AND d.state = 4 AND a.id IS NULL AND i.no"),),
        kills="tests/ledger/test_leases.py",
    ),
    Mutant(
        "no fence on writes",
        (
            (ATTEMPTS, " AND fence = :fence AND owner IS NOT NULL", " AND :fence = :fence"),
            (ATTEMPTS, "BETWEEN :first AND :last AND state = 0", "BETWEEN :first AND :last AND state < 7"),
            (ATTEMPTS, "{_within(requests)} AND state = 0", "{_within(requests)} AND state < 7"),
        ),
        kills=f"{FREEZES} -k wakes_up",
    ),
    Mutant(
        "no fence alone",
        ((ATTEMPTS, " AND fence = :fence AND owner IS NOT NULL", " AND :fence = :fence"),),
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
        (
            (HANDOVER, "            now = to_ms(ctx.clock.now())\n", ""),
            (HANDOVER, "        sealed = intents.seal(",
             "        now = to_ms(ctx.clock.now())\n        sealed = intents.seal("),
        ),
        kills=f"{FREEZES} -k let_it_in",
    ),
    Mutant(
        "answers share the fate of the intent beside them",
        ((HANDOVER, "if finished and intent is None:", "if finished and not chosen:"),),
        kills="tests/faults/test_turns.py",
    ),
    Mutant(
        "a server's error is tried again",
        ((OUTCOMES, "return DeliveryState.UNKNOWN", "return DeliveryState.WAITING"),),
    ),
    Mutant(
        "the intent is written after the call",
        (
            (INTENTS, "    if not attempts.intend(\n"
             "        tx, work.claim, work.account.name, requests, now, lease,"
             " *outcomes.told(work.account, finished),\n"
             "        along=outcomes.judging(ctx, work.account, finished, now),\n"
             "    ):  # fmt: skip\n        raise LeaseLost", "    work.late = lease\n    if finished:\n"
             "        attempts.record(tx, work.claim.broadcast_id, work.claim.no,"
             " *outcomes.told(work.account, finished), now)"),
            (WORK, "    lost: bool = False\n", "    lost: bool = False\n    late: int = 0\n"),
            (HANDOVER, '    posts = work.rendition.posts if', "    from dispatcher.ledger import attempts\n"
             "    with ctx.ledger.write() as tx:\n        now = to_ms(ctx.clock.now())\n"
             "        attempts.intend(tx, work.claim, work.account.name, [request], now, work.late)\n"
             "    posts = work.rendition.posts if"),
        ),
    ),
    Mutant(
        "a look-up is trusted before the settle time",
        ((SETTLE, "before = to_ms(ctx.clock.now()) - settle_ms", "before = to_ms(ctx.clock.now())"),),
    ),
    Mutant(
        "an answer is believed only under the fence",
        ((ATTEMPTS, "delivery.state = 4 AND r.state <> 4", "delivery.state = 9"),),
        kills="tests/services/test_dispatch.py -k late_truth",
    ),
    Mutant(
        "the last event wins",
        (("dispatcher/ledger/events.py", 'f"{state} < {proof} AND ({state}', 'f"{state} <> {proof} AND ({state}'),),
        kills=f"{EVENTS} -k any_order",
    ),
    Mutant(
        "every report counts in the curve, not everybody who rose",
        (
            (
                "dispatcher/services/events.py",
                "return rose[DeliveryState.DELIVERED]",
                "return sum(proof[0] is DeliveryState.DELIVERED for proof in proved.proofs.values())",
            ),
        ),
        kills="tests/faults/test_fold.py",
    ),
    Mutant(
        "a key makes as many broadcasts as there are hands",
        (
            ("dispatcher/ledger/broadcasts.py", "WHERE request_key = :key", "WHERE request_key = :key AND 1 = 0"),
            (SCHEMA, "request_key TEXT UNIQUE", "request_key TEXT"),
        ),
        kills="tests/faults/test_keys.py",
    ),
    Mutant(
        "a key's broadcast is looked for and not kept unique",
        ((SCHEMA, "request_key TEXT UNIQUE", "request_key TEXT"),),
        kills="tests/faults/test_keys.py",
        harmless="on SQLite one writer at a time looks and makes in one transaction; the constraint is PostgreSQL's",
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
        ((INTENTS, "    barred = found()\n", "    barred = {}\n"),),
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
        "others are under way beside whom workers die over",
        (
            ("dispatcher/services/dispatch.py", "done = [await _lane(ctx, Channel(channel), halting, fragile=True)]",
             "done = []"),
            (CLAIMS, " AND b.fragile {'>' if fragile else '='} 0", ""),
        ),
        kills="tests/faults/test_poison.py -k not_blamed",
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
        (("dispatcher/ledger/copies.py", "WHERE d.state = :was ON CONFLICT", "WHERE d.state = -:was ON CONFLICT"),),
        kills=COPIES,
    ),
    Mutant(
        "approval does not bind who gets which code",
        (
            (CODES, "    _seal_batches(tx, broadcast_id)\n    return bound", "    return bound"),
            (CODES, "    if not codes:\n        return batch_hash", "    return batch_hash"),
        ),
        kills=f"{ABOUT_CODES} -k digest_is_over",
    ),
    Mutant(
        "a code that somebody has is given to another",
        (
            (CODES, "WHERE k.pool_id = c.pool_id AND k.no = c.no AND k.released_at IS NULL)", "WHERE 1 = 0)"),
            (SCHEMA, "CREATE UNIQUE INDEX code_bound_once", "CREATE INDEX code_bound_once"),
        ),
        kills="tests/faults/test_codes.py -k no_code_reaches",
    ),
    Mutant(
        "a code goes back although nobody knows what became of a call",
        ((CODES, "(EXISTS ({maybe}) OR NOT EXISTS ({closed}))", "EXISTS ({maybe})"),),
        kills=f"{ABOUT_CODES} -k nothing_more_is_known",
    ),
    Mutant(
        "a late answer unsays what was proved",
        ((ATTEMPTS, " WHERE attempt.outcome <> 'accepted' OR excluded.outcome = 'accepted'", ""),),
        kills="tests/faults/test_late.py -k unsay",
    ),
    Mutant(
        "a code goes back although its message may have been sent",
        (
            (CODES, "(d.state IN (3, 4, 5, 6)", "(d.state IN (5, 6)"),
            (CODES, "'not_sent', 'throttled',", "'unknown', 'lost', 'not_sent', 'throttled',"),
        ),
        kills=f"{ABOUT_CODES} -k gives_back_what",
    ),
    Mutant(
        "whose code went back is tried again",
        (("dispatcher/services/settling.py", " - codes.given_back(tx, broadcast.id, seqs)", ""),),
        kills=f"{ABOUT_CODES} -k never_retried",
    ),
    Mutant(
        "an older update overtakes a newer one",
        (("dispatcher/services/sending.py", "        succession.require_newest(ctx, tx, broadcast)\n", ""),),
        kills=f"{ABOUT_SUCCESSION} -k cannot_be_sent_after",
    ),
    Mutant(
        "a release ends nothing older",
        (("dispatcher/services/releasing.py", "    succession.take_over(ctx, tx, broadcast, at)\n", ""),),
        kills=f"{ABOUT_SUCCESSION} -k without_any_tick",
    ),
    Mutant(
        "whoever begins the newer one leaves the older one open",
        ((CLAIMS, "        superseding.end(tx, found.broadcast_id, now)\n", ""),),
        kills="tests/faults/test_newer.py -k whatever_the_clocks",
    ),
    Mutant(
        "an intent does not look whether the time is over",
        ((CLAIMS, 'control.state == "released" and control.expires_at > now', 'control.state == "released"'),),
        kills="tests/faults/test_newer.py -k claimed_before",
    ),
    Mutant(
        "undo leaves the older one ended",
        (("dispatcher/services/releasing.py", "    succession.give_way(ctx, tx, broadcast)\n", ""),),
        kills=f"{ABOUT_SUCCESSION} -k undo_gives",
    ),
    Mutant(
        "a wave goes before the one before is out",
        ((WAVES, "p.no < w.no AND p.state NOT IN ('out', 'skipped')", "p.no < w.no AND p.state = 'planned'"),),
        kills=f"{ABOUT_WAVES} -k not_out_holds",
    ),
    Mutant(
        "a wave that reached nobody counts as out",
        ((WAVES, "AND b.accepted + b.delivered > 0)", "AND b.size > 0)"),),
        kills=f"{ABOUT_WAVES} -k not_out_holds",
    ),
    Mutant(
        "a wave opens whatever became of its words",
        (("dispatcher/services/waves.py", "source.standing(ctx, one), require_unaltered(tx, one))",
          "source.standing(ctx, one), one.digest)"),),
        kills=f"{ABOUT_WAVES} -k behind_our_back",
    ),
    Mutant(
        "every group gets a copy for who is in none",
        ((PLANNING, "    if None in wanted:\n        tests.append", "    if True:\n        tests.append"),),
        kills="tests/cli/test_broadcast_files.py -k variant_by_a_column",
    ),
    Mutant(
        "a deputy need not wait",
        ((SIGN_OFF, "if over or (row.away_until or 0) > now]", "]"),),
        kills=f"{ABOUT_YESES} -k left_unanswered",
    ),
    Mutant(
        "a deputy lends a level to a yes to the lender's own words",
        ((SIGN_OFF, "may(one, Right.APPROVE) and one.id not in editors]\n\n\ndef approved_by",
          "may(one, Right.APPROVE)]\n\n\ndef approved_by"),),
        kills=f"{ABOUT_YESES} -k lends_their_level",
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
