"""A recipient over whom workers die: put aside after three crashes, and everybody else is told."""

import asyncio
import contextlib
import os
import random
import subprocess
import sys
from collections import Counter

import pytest

from dispatcher.ledger import counts
from dispatcher.ledger.engine import Ledger
from dispatcher.model.clock import SystemClock, to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted
from dispatcher.services import dispatch, ticking
from tests.faults.poison_worker import DIED, POISON, WINDOW
from tests.services.world import World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
PEOPLE, SIZE = 400, 10
COMPANIES = 12 if os.environ.get("DISPATCHER_TEST_FULL") else 3
ASIDE = [int(stem[1:-1]) - 1 for stem in POISON]


def _plan(tmp_path, policy):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    world = World(tmp_path, url)
    world.clock.moment = SystemClock().now()
    world.add_account("mail", Channel.EMAIL)
    world.audience(PEOPLE)
    made = world.broadcast(["email"], {"email": ["mail"]}, policy=policy, size=SIZE)
    world.release(made)
    assert to_ms(world.clock.now()) > 0
    world.ctx.ledger.close()
    return url, made


def _work(tmp_path, url, where, most=60):
    """Start a worker again each time it dies of a poisonous recipient; how often it died."""
    for deaths in range(most):
        command = [sys.executable, "-m", "tests.faults.poison_worker", str(tmp_path), url, where]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode == 0:
            return deaths
        assert done.returncode == DIED, done.stderr
    raise AssertionError(f"{most} workers died and there is no end")


def _outcome(tmp_path, url, made):
    ledger = Ledger(url)
    with ledger.read() as tx:
        assert counts.wrong_batches(tx, made) == []
        sums = counts.by_channel(tx, made)["email"]
        aside = tx.all("SELECT seq, reason FROM delivery WHERE reason LIKE 'quarantined%' ORDER BY seq")
    ledger.close()
    told = Counter(line.split()[1] for line in (tmp_path / "told.txt").read_text().splitlines())
    return sums, aside, told


def test_a_crash_before_the_intent_costs_only_the_poisonous(tmp_path):
    url, made = _plan(tmp_path, Policy.AT_MOST_ONCE)
    deaths = _work(tmp_path, url, "before")
    sums, aside, told = _outcome(tmp_path, url, made)
    assert [row.seq for row in aside] == ASIDE
    assert (sums.failed, sums.waiting, sums.sending) == (len(ASIDE), 0, 0)
    assert sums.accepted + sums.unknown == PEOPLE - len(ASIDE)
    sealed = [int(line) for line in (tmp_path / "deaths.txt").read_text().splitlines()]
    careless = sum(rows > 1 for rows in sealed)
    assert sums.unknown <= careless * WINDOW * SIZE, "who dies over one alone leaves nobody else unknown"
    assert careless <= 2 * len(ASIDE), "two on each, should its batch have been given back in peace before"
    assert len(sealed) - careless >= len(ASIDE), "the last crash on each has a name"
    assert sums.accepted <= len(told)
    assert max(told.values()) == 1
    assert not any(address.startswith(POISON) for address in told)
    assert deaths >= 3 * len(ASIDE), "three crashes on each"


def test_a_crash_in_the_call_is_unknown_and_stops_nobody_else(tmp_path):
    url, made = _plan(tmp_path, Policy.AT_MOST_ONCE)
    deaths = _work(tmp_path, url, "call")
    sums, aside, told = _outcome(tmp_path, url, made)
    assert (aside, sums.waiting, sums.sending) == ([], 0, 0)
    assert sums.accepted + sums.unknown == PEOPLE
    assert len(ASIDE) <= sums.unknown <= deaths * WINDOW * SIZE
    assert sums.accepted <= len(told)
    assert max(told.values()) == 1


def test_who_is_sent_again_and_again_in_vain_is_put_aside(tmp_path):
    url, made = _plan(tmp_path, Policy.AT_LEAST_ONCE)
    _work(tmp_path, url, "call")
    sums, aside, _ = _outcome(tmp_path, url, made)
    assert [row.seq for row in aside] == ASIDE
    assert (sums.failed, sums.accepted) == (len(ASIDE), PEOPLE - len(ASIDE))


class Trap:
    """Takes the worker down over one recipient. At first everybody of the other batches is under way until then."""

    def __init__(self, poison, dice):
        self.poison, self.dice = poison, dice
        self.deaths, self.under_way, self.told = [], Counter(), Counter()
        self.life = None

    async def send(self, rendition, envelopes, *, expires_at):
        if any(e.address == self.poison for e in envelopes):
            await self._turns(30)
            self.deaths.append(+self.under_way)
            self.under_way.clear()
            self.life.cancel()
            await asyncio.sleep(3600)
        others = [e.address for e in envelopes if e.address.startswith("b")]
        self.under_way.update(others)
        await self._turns(5000 if others and len(self.deaths) < 2 else self.dice.randint(1, 60))
        self.under_way.subtract(others)
        self.told.update(e.address for e in envelopes)
        return [Accepted("m")] * len(envelopes)

    async def _turns(self, number):
        for _ in range(number):
            await asyncio.sleep(0)


def _live(world, trap):
    """One worker from its start to its death, or until it has nothing to do."""

    async def life():
        trap.life = asyncio.create_task(dispatch.drain(world.ctx, "email", seconds=1e9))
        with contextlib.suppress(asyncio.CancelledError):
            await trap.life

    asyncio.run(life())


def _of_company(world, dice):
    """One batch with one person over whom workers die, among batches of others; who that is."""
    how = {"policy": Policy.AT_LEAST_ONCE, "expires": 10**6}
    people, others = dice.randint(1, 12), dice.randint(1, 3)
    world.audience(people)
    made = [world.broadcast(["email"], {"email": ["mail"]}, size=dice.randint(1, 5), **how)]
    for version in range(2, 2 + others):
        rows = [(version, i, f"b{version}.{i}@example.com", "en", "{}") for i in range(1, 1 + dice.randint(1, 8))]
        with world.ctx.ledger.write() as tx:
            tx.insert("recipient", ("version_id", "rid", "email", "locale", "fields"), rows)
        made.append(world.broadcast(["email"], {"email": ["mail"]}, version=version, size=dice.randint(1, 3), **how))
    for one in made[:1] + dice.sample(made[1:], others):
        world.release(one)
        world.clock.pass_by(1)
    return made, f"p{dice.randint(1, people)}@example.com"


@pytest.mark.parametrize("seed", range(COMPANIES))
def test_who_dies_beside_the_poisonous_in_one_process_is_not_blamed(tmp_path, database_url, seed):
    dice = random.Random(seed)
    world = World(tmp_path, database_url, **{"dispatch.late_minutes": 100_000})
    vendor = world.add_account("mail", Channel.EMAIL, in_flight=dice.choice((32, 64)))
    made, poison = _of_company(world, dice)
    trap = Trap(poison, dice)
    vendor.send = trap.send
    for _ in range(60):
        _live(world, trap)
        world.clock.pass_by(1000)
        ticking.tick(world.ctx)
        sums = [world.sums(one, "email") for one in made]
        if not any(one.get("waiting", 0) + one.get("sending", 0) + one.get("unknown", 0) for one in sums):
            break
    with world.ctx.ledger.read() as tx:
        aside = tx.all("SELECT broadcast_id, reason FROM delivery WHERE state = 7")
    world.ctx.ledger.close()
    assert [row.broadcast_id for row in aside] == made[:1]
    assert (sums[0]["failed"], poison in trap.told) == (1, False)
    assert all(one.get("accepted", 0) == one["planned"] - one.get("failed", 0) for one in sums), sums
    assert [bool(beside) for beside in trap.deaths] == [True, True, False], "twice in company, the third time alone"
