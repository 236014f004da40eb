"""Processes that die inside `send`: before its commit, between commit and ring, and right after the ring.

    python -m tests.faults.failpoints TIMES

makes that many broadcasts for each place, in the home that the environment names, and prints what became of them.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

from dispatcher.bootstrap import build
from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.services import approval, drafting, facts, incidents, people, sending
from dispatcher.settings import Settings
from tests.faults import terminal
from tests.faults.arena import Arena, settled
from tests.faults.scenarios import CALM
from tests.faults.verdicts import verdict_of

DEAD = 9
PLACES = ("before the commit", "before the ring", "after the ring")


class Crash:
    """A doorbell over which the process dies."""

    def __init__(self, doorbell, place):
        self._doorbell, self._place = doorbell, place

    def ring(self, channel):
        if self._place == "after the ring":
            self._doorbell.ring(channel)
        os._exit(DEAD)


def crashes(seed, url, *, times):
    """Whether each broadcast was told once where `send` was committed, and to nobody where not; (good, words, s)."""
    began, wrong, told = time.monotonic(), [], Counter()
    with (
        tempfile.TemporaryDirectory(prefix="failpoints-") as folder,
        Arena(Path(folder), seed, database_url=url, faults=CALM) as arena,
    ):
        arena.await_web()
        terminal.staff(arena)
        terminal.customers(arena)
        for place, made in _die(arena, times):
            if place != PLACES[0] and not settled(arena, made, 180):
                wrong.append(f"B-{made} did not end ({place})")
            found = verdict_of(arena, made, finished=place != PLACES[0])
            told[place] += sum(found.states.get(state, 0) for state in ("accepted", "delivered", "failed"))
            found.finished = True  # what did not end was told above; what never began is no fault
            wrong += [] if found.good else [f"{place}: {found.line()}"]
    wrong += ["told before the commit"] if told[PLACES[0]] else []
    wrong += [f"nobody told {place}" for place in PLACES[1:] if not told[place]]
    words = f"{times} deaths at each of {len(PLACES)} places, told {dict(told)}, wrong: {wrong[:2] or 'none'}"
    return not wrong, words, time.monotonic() - began


def _die(arena, times):
    env = arena.ctx.settings.child_environment()
    command = [sys.executable, "-m", "tests.faults.failpoints", str(times)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise AssertionError(done.stderr[-800:])
    return json.loads(done.stdout)


def main():
    """Prepare everything, then let a forked process die over each."""
    ctx = build(Settings.load())
    made = [(PLACES[n % len(PLACES)], *_approved(ctx)) for n in range(int(sys.argv[1]) * len(PLACES))]
    ctx.ledger.close()
    for place, number, size in made:
        if os.fork() == 0:
            _send(place, number, size)
            os._exit(0)
        _, state = os.wait()
        if os.waitstatus_to_exitcode(state) != DEAD:
            sys.exit(f"{place}: the process did not die")
    print(json.dumps([(place, number) for place, number, _ in made]))


def _approved(ctx):
    author, approver = people.by_name(ctx, "Ana"), people.by_name(ctx, "Ben")
    wanted = drafting.Draft(
        template="holding-statement", audience="customers", channels=(Channel.EMAIL,), mode=Mode.DRILL,
        incident=_incident(ctx, author),
    )  # fmt: skip
    made = drafting.draft(ctx, author, wanted)
    size = approval.submit(ctx, author, made.ref).audience_size
    approval.approve(ctx, approver, made.ref)
    return made.id, size


def _incident(ctx, author):
    """One of its own for each broadcast: a later word about the same incident would take the place of an earlier."""
    soon = ctx.clock.now() + timedelta(minutes=40)
    opened = incidents.open_incident(
        ctx, author, incidents.Opening("Orders stopped", Severity.MINOR, next_update_at=soon)
    )
    facts.set_facts(ctx, author, opened.ref, facts.read_file(terminal.EXAMPLE))
    return opened.ref


def _send(place, number, size):
    ctx = build(Settings.load())
    ctx = dataclasses.replace(ctx, doorbell=Crash(ctx.doorbell, place))
    if place == "before the commit":
        broadcasts.note_act = lambda *_, **__: os._exit(DEAD)
    sending.send(ctx, people.by_name(ctx, "Olu"), f"B-{number}", confirm_audience=size, undo=0)


if __name__ == "__main__":
    main()
