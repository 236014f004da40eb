"""The deterministic simulation: real services on the real SQL, with crashes and naps at every step, replayed by a seed.

python -m tests.faults.simulation --seeds 200 --from 1      # seeds that break a promise are printed
"""

import argparse
import asyncio
import dataclasses
import json
import os
import random
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

from dispatcher import log
from dispatcher.ledger import controls, counts, sweeps
from dispatcher.ledger.engine import Ledger
from dispatcher.model.clock import to_ms
from dispatcher.model.event import WebhookRequest
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.states import DeliveryState
from dispatcher.policy.concurrency import Concurrency
from dispatcher.policy.limits import Limits
from dispatcher.provider import ProviderSettings
from dispatcher.services import dispatch, events, ticking
from dispatcher.services.context import Account
from tests.faults.pretended import SETTLE, TIMEOUT, Lister, Vendor
from tests.faults.virtual import Crash, Machine, failure_of
from tests.services.world import World

PEOPLE, SIZE, WORKERS = 14, 4, 3
CHAOS, LONGEST = 16.0, 300.0
CHANNELS = {"email": Channel.EMAIL, "sms": Channel.SMS}
QUIET = {
    "dispatch.lease_seconds": 4, "dispatch.grace_seconds": 1, "dispatch.late_minutes": 100_000, "log.level": "error",
    "dispatch.retry.first_seconds": 0.5, "dispatch.retry.longest_seconds": 2, "dispatch.breaker.failures": 50,
    "dispatch.settle_seconds.email": SETTLE, "dispatch.settle_seconds.sms": SETTLE,
}  # fmt: skip


class Simulation:
    """A ledger with two broadcasts (at most once, at least once) on two channels, copied afresh for every seed."""

    def __init__(self, folder):
        self.folder = Path(folder)
        world = World(self.folder / "template", f"sqlite:///{self.folder / 'template.db'}", **QUIET)
        for name, channel in CHANNELS.items():
            world.add_account(name, channel)
        world.audience(PEOPLE)
        accounts = {name: [name] for name in CHANNELS}
        self.broadcasts = {
            policy: world.broadcast(list(CHANNELS), accounts, policy=policy, size=SIZE, expires=90_000)
            for policy in (Policy.AT_MOST_ONCE, Policy.AT_LEAST_ONCE)
        }
        for made in self.broadcasts.values():
            world.release(made)
        self.ctx = world.ctx
        with world.ctx.ledger.write() as tx:
            tx.change("UPDATE control SET release_at = release_at - 1, expires_at = expires_at + 900000000")
        world.ctx.ledger.close()

    def run(self, seed):
        """What went wrong with this seed; nothing, if all is well."""
        path = self.folder / "ledger.db"
        for old in self.folder.glob("ledger.db*"):
            old.unlink()
        shutil.copy(self.folder / "template.db", path)
        shutil.rmtree(self.folder / "template" / "out", ignore_errors=True)
        random.seed(seed)
        history = History(self, seed, Ledger(f"sqlite:///{path}"))
        try:
            return history.play()
        finally:
            self.mark = history.mark()
            history.ledger.close()


class History:
    """One seed from the first instant to the verdict."""

    def __init__(self, simulation, seed, ledger):
        self.simulation, self.seed, self.ledger = simulation, seed, ledger
        self.machine = Machine(seed)
        self.dice = self.machine.dice
        self.wrong = []
        self.stopped_at = {}
        self.jumps = self.dice.random() < 0.3
        self.machine.look = self._look
        self.vendors = {
            name: (Lister if name == "sms" else Vendor)(self.machine, channel, self._post)
            for name, channel in CHANNELS.items()
        }
        own = ProviderSettings(base_url="http://127.0.0.1:9", in_flight=4, timeout=TIMEOUT)
        accounts = {n: Account(n, "simulated", CHANNELS[n], v, own) for n, v in self.vendors.items()}
        self.outside = dataclasses.replace(
            simulation.ctx, ledger=ledger, clock=self.machine.clock, accounts=accounts, doorbell=_Silence()
        )

    def play(self):
        for number in range(WORKERS):
            self.machine.spawn(f"w{number}", self.ledger, self._worker)
        for number in range(2):
            self.machine.spawn(f"t{number}", self.ledger, self._ticker)
        self._plan_acts()
        self.machine.run(until=CHAOS)
        self.machine.chaos = False
        self._replace_the_dead()
        self.machine.run(until=LONGEST, done=self._over)
        return self._judge()

    def mark(self):
        """What two plays of one history have in common, and hardly any two histories."""
        machine = self.machine
        return (machine.steps, machine.deaths, machine.naps, round(machine.now, 6), machine.dice.random())

    def _context(self, process):
        return dataclasses.replace(
            self.outside, ledger=process.ledger, host=process.name, concurrency=Concurrency(),
            limits=Limits("", self.machine.clock, prefix="", share=1),
        )  # fmt: skip

    async def _worker(self, process):
        ctx = self._context(process)
        while True:
            for channel in self.dice.sample(list(CHANNELS), len(CHANNELS)):
                await dispatch.drain(ctx, channel)
            await asyncio.sleep(self.dice.uniform(0.2, 1.5) if self.machine.chaos else 4.0)

    async def _ticker(self, process):
        ctx = self._context(process)
        while True:
            ticking.tick(ctx)
            events.apply(ctx)
            await asyncio.sleep(1.0 if self.machine.chaos else 4.0)

    def _plan_acts(self):
        """What happens besides: the dead are replaced, clocks step, somebody stops, people opt out."""
        for second in range(2, int(CHAOS), 2):
            self.machine.at(second, self._replace_the_dead)
        if self.jumps:
            self.machine.at(self.dice.uniform(1, CHAOS), self._step_the_clock)
        if self.dice.random() < 0.4:
            self.machine.at(self.dice.uniform(0.3, 8), self._stop)

    def _replace_the_dead(self):
        for process in [p for p in self.machine.processes if p.dead or failure_of(p)]:
            if (error := failure_of(process)) and not isinstance(error, Crash):
                self.wrong.append(f"{process.name} ended with {type(error).__name__}: {error}")
            self.machine.processes.remove(process)
            work = self._worker if process.name.startswith("w") else self._ticker
            self.machine.spawn(f"{process.name[:1]}{self.machine.steps}", self.ledger, work)

    def _step_the_clock(self):
        self.machine.wall_step += self.dice.choice([self.dice.uniform(10, 3600), -self.dice.uniform(1, 20)])

    def _stop(self):
        made = self.dice.choice(list(self.simulation.broadcasts.values()))
        with self.ledger.write() as tx:
            controls.move(tx, made, "stopped", to_ms(self.machine.clock.now()))
            sweeps.leave_repeats(tx, made)
        self.stopped_at[made] = self.machine.now

    def _post(self, vendor, found):
        account = next(name for name, one in self.vendors.items() if one is vendor)
        body = json.dumps(found).encode()
        events.store(self.outside, account, WebhookRequest("POST", "/", {}, body, self.machine.clock.now()))

    def _look(self):
        """The sums, as anybody may read them at any time."""
        with self.ledger.read() as tx:
            for made in self.simulation.broadcasts.values():
                for channel, row in counts.by_channel(tx, made).items():
                    if sum(getattr(row, s.name.lower()) for s in DeliveryState) != row.planned:
                        self.wrong.append(f"at {self.machine.now:.1f} the sums of {made}/{channel} do not hold")

    def _over(self):
        if self.machine.now < CHAOS + SETTLE or self.machine.has_plans() or self.machine.steps % 20:
            return False
        with self.ledger.read() as tx:
            if tx.scalar("SELECT count(*) FROM inbox WHERE state = 0"):
                return False
            open_rows = tx.scalar(
                "SELECT coalesce(sum(b.sending + CASE WHEN c.state = 'stopped' THEN 0 ELSE b.waiting END), 0)"
                " FROM batch b"
                " JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
            )
            undecided = tx.scalar(
                "SELECT count(*) FROM delivery WHERE state = 4 AND (reason IS NULL OR reason NOT LIKE 'left by%')"
            )
        return not open_rows and not undecided

    def _judge(self):
        with self.ledger.read() as tx:
            for made in self.simulation.broadcasts.values():
                self.wrong += [f"counter {one}" for one in counts.wrong_batches(tx, made)]
            rows = tx.all(
                "SELECT d.*, b.channel, c.policy, c.state AS control FROM delivery d"
                " JOIN batch b ON b.broadcast_id = d.broadcast_id AND b.no = d.seq / 1000"
                " JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
            )
            flagged = {(r.broadcast_id, r.seq) for r in tx.all("SELECT * FROM anomaly WHERE kind = 'possible repeat'")}
        for row in rows:
            self._judge_row(row, (row.broadcast_id, row.seq) in flagged)
        for made, at in self.stopped_at.items():
            late = [k for v in self.vendors.values() for t, k in v.began if t > at + 2 and k.split(".")[1] == str(made)]
            if late:
                self.wrong.append(f"{len(late)} calls began more than 2 s after the stop")
        return self.wrong

    def _judge_row(self, row, flagged):
        key = f"{self.outside.ledger_id}.{row.broadcast_id}.{row.seq}"
        vendor, state = self.vendors[row.channel], DeliveryState(row.state)
        told, word = (
            vendor.told[key],
            f"{row.channel}/{row.policy}/{row.seq} is {DeliveryState(row.state).name.lower()}",
        )
        if told > 1 and (not flagged or row.policy == Policy.AT_MOST_ONCE):
            self.wrong.append(f"{word}: told {told} times, {'though flagged' if flagged else 'not flagged'}")
        if told > 1 and row.channel == "sms":
            self.wrong.append(f"{word}: told {told} times, though the vendor's list would have said so")
        if state is DeliveryState.SENDING or (state is DeliveryState.WAITING and row.control != "stopped"):
            self.wrong.append(f"{word} for ever")
        if told == 0 and state in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED):
            self.wrong.append(f"{word}, but nobody was told")
        if told and state in (DeliveryState.WAITING, DeliveryState.CANCELLED, DeliveryState.EXPIRED):
            self.wrong.append(f"{word}, but was told")
        final = _last_word(vendor.copies.get(key, [0]), vendor.final.get(key, {}))
        if final is not None and state is not final:
            self.wrong.append(f"{word}, but the last word about it is {final.name.lower()}")


def _last_word(copies, words):
    """What the last words about each copy come to: one that arrived is enough, else the newest copy counts."""
    if "delivered" in words.values():
        return DeliveryState.DELIVERED
    return DeliveryState.FAILED if words.get(max(copies)) == "bounced" else None


class _Silence:
    """A doorbell that nobody hears: the loops look by themselves."""

    def ring(self, channel=None):
        return False

    ring_events = waiting = ring


def place():
    """A folder in memory where there is one: the simulation is about order, not about disks."""
    shm = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix="sim-", dir=shm if os.access(shm, os.W_OK) else None)


def search(first, count, *, enough=1, seconds=3600.0):
    """Play seeds until `enough` went wrong: which were bad and why, how many were played, the mark of the last."""
    began, bad, played = time.monotonic(), {}, 0
    with place() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda fault: None  # coroutines of dead processes are thrown away half way
        log.configure(level="error")
        simulation = Simulation(folder)
        for seed in range(first, first + count):
            played += 1
            if wrong := simulation.run(seed):
                bad[seed] = wrong[:5]
                print(f"seed {seed}: {wrong[0]}", file=sys.stderr, flush=True)
            if played % 50 == 0:
                print(f"{played} of {count} seeds, {len(bad)} bad", file=sys.stderr, flush=True)
            if len(bad) >= enough or time.monotonic() - began > seconds:
                break
    return {
        "bad": bad, "played": played, "seconds": round(time.monotonic() - began, 1), "last": simulation.mark,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--enough", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    asked = parser.parse_args()
    found = search(asked.first, asked.seeds, enough=asked.enough, seconds=asked.seconds)
    json.dump(found, sys.stdout)
    sys.exit(bool(found["bad"]))


if __name__ == "__main__":
    main()
