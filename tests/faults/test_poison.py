"""A recipient over whom workers die: put aside after three crashes, and everybody else is told."""

import subprocess
import sys
from collections import Counter

import pytest

from dispatcher.ledger import counts
from dispatcher.ledger.engine import Ledger
from dispatcher.model.clock import SystemClock, to_ms
from dispatcher.model.kinds import Channel, Policy
from tests.faults.poison_worker import DIED, POISON
from tests.services.world import World

pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]
PEOPLE = 400
ASIDE = [int(stem[1:-1]) - 1 for stem in POISON]


def _plan(tmp_path, policy):
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    world = World(tmp_path, url)
    world.clock.moment = SystemClock().now()
    world.add_account("mail", Channel.EMAIL)
    world.audience(PEOPLE)
    made = world.broadcast(["email"], {"email": ["mail"]}, policy=policy, size=50)
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
    assert max(told.values()) == 1
    assert not any(address.startswith(POISON) for address in told)
    assert deaths >= 3 * len(ASIDE), "three crashes on each"


def test_a_crash_in_the_call_is_unknown_and_stops_nobody_else(tmp_path):
    url, made = _plan(tmp_path, Policy.AT_MOST_ONCE)
    _work(tmp_path, url, "call")
    sums, aside, told = _outcome(tmp_path, url, made)
    assert (aside, sums.waiting, sums.sending) == ([], 0, 0)
    assert sums.accepted + sums.unknown == PEOPLE
    assert max(told.values()) == 1


def test_who_is_sent_again_and_again_in_vain_is_put_aside(tmp_path):
    url, made = _plan(tmp_path, Policy.AT_LEAST_ONCE)
    _work(tmp_path, url, "call")
    sums, aside, _ = _outcome(tmp_path, url, made)
    assert [row.seq for row in aside] == ASIDE
    assert (sums.failed, sums.accepted) == (len(ASIDE), PEOPLE - len(ASIDE))
