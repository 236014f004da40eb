"""Goodwill codes under crashes: nobody gets two, no code reaches two people, and what a process dies over is either
done or not.

The vendors' own record says who was told which code; the ledger is only asked whether its counters add up.
"""

import asyncio
import dataclasses
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections import Counter, defaultdict

import pytest

from dispatcher import log
from dispatcher.ledger import broadcasts, codes, controls, counts, planning, sweeps
from dispatcher.ledger.engine import Ledger
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.states import DeliveryState
from dispatcher.provider import ProviderSettings
from dispatcher.services import dispatch, ticking
from dispatcher.services.context import Account
from tests.faults.pretended import SETTLE, TIMEOUT, Vendor
from tests.faults.virtual import Crash, Machine, failure_of
from tests.services.world import World

pytestmark = pytest.mark.faults
PEOPLE, LATER, CHAOS, LONGEST = 14, 4, 14.0, 200.0
CHANNELS = {"email": Channel.EMAIL, "sms": Channel.SMS}
QUICK = {
    "dispatch.lease_seconds": 4, "dispatch.grace_seconds": 1, "dispatch.late_minutes": 100_000, "log.level": "error",
    "dispatch.retry.first_seconds": 0.5, "dispatch.retry.longest_seconds": 2, "dispatch.breaker.failures": 50,
    "dispatch.settle_seconds.email": SETTLE, "dispatch.settle_seconds.sms": SETTLE, "dispatch.promotional_most": 0,
}  # fmt: skip
SEEDS = {"sqlite": range(1, 13), "postgresql": range(101, 104)}


class Witness(Vendor):
    """Writes down which code it carried to whom."""

    def __init__(self, machine, channel, carried):
        super().__init__(machine, channel, lambda vendor, found: None)
        self.carried = carried

    def _take(self, envelopes):
        for one in envelopes:
            self.carried.append((one.key, int("".join(filter(str.isdigit, one.address))[-5:]), one.values["code"]))
        super()._take(envelopes)


class Story:
    """Two broadcasts from one pool with codes for the first alone, which is stopped half way and gives some back."""

    def __init__(self, folder, url, seed):
        self.world = World(folder, url, **QUICK)
        self.machine, self.seed = Machine(seed), seed
        self.dice, self.carried = self.machine.dice, []
        accounts = {name: [name] for name in CHANNELS}
        for name, channel in CHANNELS.items():
            self.world.add_account(name, channel)
        self.world.audience(PEOPLE)
        self.world.audience(LATER, version=2)
        kinds = ((1, Policy.AT_MOST_ONCE), (2, Policy.AT_LEAST_ONCE))
        self.first, self.second = (
            self.world.broadcast(list(CHANNELS), accounts, version=version, size=3, policy=policy, expires=90_000)
            for version, policy in kinds
        )
        with self.world.ctx.ledger.write() as tx:
            self.pool = codes.open_pool(tx, "thanks", 5_000_000, None, 1, 1).id
            codes.add(tx, self.pool, [f"CODE-{i:04d}" for i in range(PEOPLE)])
            codes.bind(tx, self.first, self.pool, PEOPLE)
            self._release(tx, self.first)
        own = ProviderSettings(base_url="http://127.0.0.1:9", in_flight=3, timeout=TIMEOUT)
        vendors = {name: Witness(self.machine, channel, self.carried) for name, channel in CHANNELS.items()}
        accounts = {n: Account(n, "simulated", CHANNELS[n], v, own) for n, v in vendors.items()}
        self.vendors = vendors
        self.ctx = dataclasses.replace(self.world.ctx, clock=self.machine.clock, accounts=accounts, doorbell=_Silence())
        self.wrong = []

    def _release(self, tx, made):
        now = to_ms(self.machine.clock.now())
        until = now + 90_000_000
        controls.move(tx, made, "released", now, release_at=now - 1, expires_at=until)
        broadcasts.change(tx, made, state="released", release_at=now - 1, expires_at=until)

    def play(self):
        for number in range(3):
            self.machine.spawn(f"w{number}", self.ctx.ledger, self._worker)
        self.machine.spawn("t0", self.ctx.ledger, self._ticker)
        self.machine.spawn("t1", self.ctx.ledger, self._ticker)
        self.machine.spawn("b0", self.ctx.ledger, self._binder)
        for second in range(2, int(CHAOS), 2):
            self.machine.at(second, self._replace_the_dead)
        self.machine.at(self.dice.uniform(0.05, 1.5), self._stop)
        self.machine.run(until=CHAOS)
        self.machine.chaos = False
        self._replace_the_dead()
        self.machine.run(until=LONGEST, done=self._over)
        self._judge()
        self.world.ctx.ledger.close()
        return self.wrong

    async def _worker(self, process):
        ctx = dataclasses.replace(self.ctx, ledger=process.ledger, host=process.name)
        while True:
            for channel in self.dice.sample(list(CHANNELS), 2):
                await dispatch.drain(ctx, channel)
            await asyncio.sleep(self.dice.uniform(0.2, 1.5) if self.machine.chaos else 4.0)

    async def _ticker(self, process):
        ctx = dataclasses.replace(self.ctx, ledger=process.ledger)
        while True:
            ticking.tick(ctx)
            await asyncio.sleep(1.0 if self.machine.chaos else 4.0)

    async def _binder(self, process):
        """Plans the second broadcast again and again until the stock is there, and releases it."""
        while True:
            with process.ledger.write() as tx:
                if codes.grant(tx, self.second) is None and codes.pool(tx, "thanks").stock >= LATER:
                    if codes.bind(tx, self.second, self.pool, LATER) != LATER:
                        self.wrong.append("fewer bound than the stock had")
                    self._release(tx, self.second)
            await asyncio.sleep(1.0)

    def _stop(self):
        with self.world.ctx.ledger.write() as tx:
            controls.move(tx, self.first, "stopped", to_ms(self.machine.clock.now()))
            broadcasts.change(tx, self.first, state="stopped")
            sweeps.leave_repeats(tx, self.first)

    def _replace_the_dead(self):
        work = {"w": self._worker, "t": self._ticker, "b": self._binder}
        for process in [p for p in self.machine.processes if p.dead or failure_of(p)]:
            if (error := failure_of(process)) and not isinstance(error, Crash):
                self.wrong.append(f"{process.name} ended with {type(error).__name__}: {error}")
            self.machine.processes.remove(process)
            self.machine.spawn(f"{process.name[:1]}{self.machine.steps}", self.ctx.ledger, work[process.name[:1]])

    def _over(self):
        if self.machine.now < CHAOS + SETTLE or self.machine.has_plans() or self.machine.steps % 20:
            return False
        with self.world.ctx.ledger.read() as tx:
            return not tx.scalar(
                "SELECT coalesce(sum(b.sending + CASE WHEN c.state IN ('stopped', 'planned') THEN 0 ELSE b.waiting END)"
                ", 0) FROM batch b JOIN control c ON c.broadcast_id = b.broadcast_id AND c.channel = b.channel"
            ) and not tx.scalar("SELECT count(*) FROM code_grant WHERE swept = 0 AND broadcast_id = :b", b=self.first)

    def _judge(self):
        people_of, codes_of, ours = defaultdict(set), defaultdict(set), Counter()
        for key, person, code in self.carried:
            people_of[code].add(person if self._same_plan(code) else (key.split(".")[1], person))
            codes_of[key.split(".")[1], person].add(code)
            ours[key] += 1
        self.wrong += [f"{code} reached {len(who)} people" for code, who in people_of.items() if len(who) > 1]
        self.wrong += [f"{who} got {len(had)} codes" for who, had in codes_of.items() if len(had) > 1]
        with self.world.ctx.ledger.read() as tx:
            self.wrong += [f"counter {one}" for one in codes.wrong_counters(tx)]
            self.wrong += [f"counter {one}" for b in (self.first, self.second) for one in counts.wrong_batches(tx, b)]
            given = tx.all(
                "SELECT rid FROM code_binding WHERE released_at IS NOT NULL AND broadcast_id = :b", b=self.first
            )
            told = {person for key, person, _ in self.carried if key.split(".")[1] == str(self.first)}
            self.wrong += [f"person {row.rid} was told and the code given back" for row in given if row.rid in told]
            stuck = tx.scalar("SELECT count(*) FROM delivery WHERE state = :s", s=int(DeliveryState.SENDING))
        if stuck:
            self.wrong.append(f"{stuck} under way for ever")

    def _same_plan(self, code):
        """A code stands for its person within one broadcast; in two broadcasts it may not stand at all."""
        return len({key.split(".")[1] for key, _, one in self.carried if one == code}) == 1


class _Silence:
    def ring(self, channel=None):
        return False

    ring_events = ring_outward = waiting = ring


@pytest.mark.timeout(300)
def test_no_code_reaches_two_people_whatever_dies(request, tmp_path, database_url):
    kind = "postgresql" if database_url.startswith("postgres") else "sqlite"
    log.configure(level="error")
    bad, reissued = {}, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sys.unraisablehook = lambda fault: None  # coroutines of dead processes are thrown away half way
        for seed in SEEDS[kind]:
            random.seed(seed)
            folder = tmp_path / str(seed)
            folder.mkdir()
            server = request.getfixturevalue("postgres_server") if kind == "postgresql" else None
            story = Story(folder, server.fresh() if server else f"sqlite:///{folder / 'ledger.db'}", seed)
            if wrong := story.play():
                bad[seed] = wrong[:5]
            reissued += any(key.split(".")[1] == str(story.second) for key, _, _ in story.carried)
    assert bad == {}
    assert reissued >= len(SEEDS[kind]) // 3, "the second broadcast must get codes that came back, or nothing was tried"


BINDER = textwrap.dedent(
    """
    import sys
    from dispatcher.ledger import broadcasts, codes
    from dispatcher.ledger.engine import Ledger
    url, made, pool, people = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    ledger = Ledger(url)
    print("ready", flush=True)
    turn = 0
    while True:
        turn += 1
        with ledger.write() as tx:
            if codes.grant(tx, made) is None:
                codes.bind(tx, made, pool, people)
            elif turn % 3:
                codes.unbind(tx, made)
            else:
                tx.change("UPDATE code_grant SET swept = 0 WHERE broadcast_id = :b", b=made)
                codes.release(tx, made, turn)
                codes.unbind(tx, made)
    """
)


@pytest.mark.timeout(180)
def test_a_process_killed_over_a_binding_has_done_it_or_not(tmp_path, database_url):
    """SIGKILL in the middle of binding and giving back three thousand codes, again and again."""
    world, people = World(tmp_path, database_url), 3000
    world.add_account("email", Channel.EMAIL)
    world.audience(people)
    made = world.broadcast(["email"], {"email": ["email"]})
    with world.ctx.ledger.write() as tx:
        pool = codes.open_pool(tx, "thanks", 1, None, 1, 1).id
        codes.add(tx, pool, [f"CODE-{i:05d}" for i in range(people + 100)])
        plain = [row[2] for row in planning.batch_hashes(tx, made)]
    dice, seen = random.Random(7), set()
    for _ in range(5):
        argv = [sys.executable, "-c", BINDER, database_url, str(made), str(pool), str(people)]
        child = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline().strip() == "ready"
        time.sleep(dice.uniform(0.01, 0.6))
        os.kill(child.pid, signal.SIGKILL)
        child.wait(30)
        child.stdout.close()
        seen.add(_whole(world.ctx.ledger, made, people))
        with world.ctx.ledger.write() as tx:
            codes.unbind(tx, made)
            tx.change_by(
                "UPDATE batch SET hash = r.plain {r} WHERE broadcast_id = :b AND no = r.place",
                {"place": "int", "plain": "text"}, list(enumerate(plain)), b=made,
            )  # fmt: skip
    assert seen <= {0, people}
    world.ctx.ledger.close()


def _whole(ledger: Ledger, made, people):
    """How many are bound, after everything about it was found to agree."""
    with ledger.read() as tx:
        assert codes.wrong_counters(tx) == []
        twice = tx.scalar(
            "SELECT count(*) FROM (SELECT no FROM code_binding WHERE released_at IS NULL GROUP BY no"
            " HAVING count(*) > 1) x"
        )
        held = codes.grant(tx, made)
    assert twice == 0
    return held.bound if held else 0
