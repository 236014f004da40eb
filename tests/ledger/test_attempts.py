"""Whatever shape the requests and answers of a turn have, each delivery names its own attempt and has its own fate."""

import random
from itertools import islice

import pytest

from dispatcher.ledger import attempts
from dispatcher.ledger.attempts import Closing, Finding, Request
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState as D
from tests.services.world import World

PEOPLE, SEEDS, TURNS = 60, 12, 6
WORDS = {"waiting": D.WAITING, "sending": D.SENDING, "accepted": D.ACCEPTED, "failed": D.FAILED}


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    made.add_account("mail", Channel.EMAIL)
    made.audience(PEOPLE)
    yield made
    made.ctx.ledger.close()


def _requests(rng, waiting, first_id, now):
    """Runs of waiting deliveries without gaps within, some alike as the hand-over makes them, some not; their ids rise,
    mostly by one."""
    size, found, at = rng.choice((1, 1, 3, 5)), [], 0
    odd = rng.random() < 0.5
    while at < len(waiting):
        want = rng.randint(1, size) if odd else size
        run = [waiting[at]]
        while len(run) < want and at + len(run) < len(waiting) and waiting[at + len(run)] == run[-1] + 1:
            run.append(waiting[at + len(run)])
        at += len(run)
        if not odd or rng.random() < 0.8:
            found.append(run)
    if odd:
        rng.shuffle(found)
    ids = first_id
    made = []
    for run in islice(found, rng.randint(1, 9)):
        made.append(Request(ids, run[0], run[-1], len(run), now))
        ids += 1 if not odd or rng.random() < 0.7 else 2
    return made


def _answers(rng, requests):
    """For some of them: one fate for all, or one for each delivery."""
    alike = rng.random() < 0.5
    told = {}
    for one in rng.sample(requests, rng.randint(1, len(requests))):
        places = range(one.first_seq, one.last_seq + 1)
        fates = [D.ACCEPTED] * one.size if alike else [rng.choice((D.ACCEPTED, D.FAILED, D.WAITING)) for _ in places]
        told[one] = dict(zip(places, fates, strict=True))
    return told


def _findings(told):
    for one, fates in told.items():
        if len(set(fates.values())) == 1:
            yield Finding(one.attempt_id, one.first_seq, one.last_seq, fates[one.first_seq], one.size, whole=True)
        else:
            for seq, fate in fates.items():
                yield Finding(one.attempt_id, seq, seq, fate, 1)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_delivery_has_its_own_attempt_and_fate(world, seed):
    rng = random.Random(seed)
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    claim, now = world.claimed("email"), to_ms(world.clock.now())
    state, names, open_, last = dict.fromkeys(range(PEOPLE), D.WAITING), {}, [], 100
    told = {}
    for _ in range(TURNS):
        requests = _requests(rng, [seq for seq, s in state.items() if s is D.WAITING], last + 1, now)
        findings, closings = list(_findings(told)), [Closing(one, "mail", "accepted", 1, "m", None) for one in told]
        with world.ctx.ledger.write() as tx:
            if requests:
                assert attempts.intend(tx, claim, "mail", requests, now, now + 60_000, findings, closings)
            elif findings:
                assert attempts.record(tx, made, 0, findings, closings, now) == sum(f.size for f in findings)
        for fates in told.values():
            state.update(fates)
        for one in requests:
            last = one.attempt_id
            places = range(one.first_seq, one.last_seq + 1)
            names.update(dict.fromkeys(places, one.attempt_id))
            state.update(dict.fromkeys(places, D.SENDING))
        open_ = [one for one in [*open_, *requests] if one not in told]
        told = _answers(rng, open_) if open_ else {}
        _same(world, made, state, names)


def _same(world, made, state, names):
    with world.ctx.ledger.read() as tx:
        rows = tx.all("SELECT seq, state, attempt_id FROM delivery WHERE broadcast_id = :b ORDER BY seq", b=made)
    assert {row.seq: row.state for row in rows} == {seq: int(s) for seq, s in state.items()}
    assert {row.seq: row.attempt_id for row in rows if row.attempt_id} == names
    counted = {word: list(state.values()).count(s) for word, s in WORDS.items()}
    sums = world.sums(made, "email")
    assert {word: sums.get(word, 0) for word in counted} == counted
