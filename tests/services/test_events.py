"""Events lift deliveries, whatever their order and however often they come."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.ledger import events
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DELIVERY, PROOF_RANK, DeliveryState
from tests.services.world import UNKNOWN, World

PROOFS = [DeliveryState.ACCEPTED, DeliveryState.DELIVERED, DeliveryState.FAILED]


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _sent(world, people, script=()):
    vendor = world.add_account("mail", Channel.EMAIL)
    vendor.script.extend(script)
    world.audience(people)
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    world.drain("email")
    return made


def test_any_order_and_any_repeat_come_to_the_same(world):
    made = _sent(world, 2200)
    dice = random.Random(7)
    told = {seq: dice.sample(PROOFS, dice.randint(1, 3)) for seq in range(2200)}
    stream = [(seq, state) for seq, states in told.items() for state in states * 2]
    dice.shuffle(stream)
    for start in range(0, len(stream), 500):
        with world.ctx.ledger.write() as tx:
            best = {}
            for seq, state in stream[start : start + 500]:
                best[seq] = max(best.get(seq, (state, None)), (state, None), key=lambda proof: proof[0])
            events.fold(tx, made, best)
    wanted = {state: sum(max(states) is state for states in told.values()) for state in PROOFS}
    sums = world.sums(made, "email")
    assert {state: sums[state.name.lower()] for state in PROOFS} == wanted


def test_an_event_settles_an_unknown(world):
    made = _sent(world, 3, [UNKNOWN])
    with world.ctx.ledger.write() as tx:
        assert (
            events.fold(tx, made, {0: (DeliveryState.DELIVERED, None), 1: (DeliveryState.FAILED, "mailbox full")})
        ) == {DeliveryState.DELIVERED: 1, DeliveryState.FAILED: 1}
    assert world.sums(made, "email") == {"planned": 3, "delivered": 1, "failed": 1, "unknown": 1}


def test_an_event_never_wakes_somebody_who_was_not_called(world):
    world.add_account("mail", Channel.EMAIL)
    world.audience(2)
    made = world.broadcast(["email"], {"email": ["mail"]})
    with world.ctx.ledger.write() as tx:
        assert not events.fold(tx, made, {0: (DeliveryState.DELIVERED, None)})
        assert events.misfits(tx, made, [0, 1999]) == [(0, "waiting"), (1999, "missing")]
    assert world.sums(made, "email") == {"planned": 2, "waiting": 2}


def test_who_arrived_in_a_second_is_added_up_and_nobody_leaves_no_row(world):
    with world.ctx.ledger.write() as tx:
        events.arrived(tx, {(2, 1000): 3, (1, 2000): 0, (1, 1000): 1})
        events.arrived(tx, {(1, 1000): 4})
        rows = tx.all("SELECT broadcast_id, at, n FROM arrival ORDER BY broadcast_id")
    assert [tuple(row) for row in rows] == [(1, 1000, 5), (2, 1000, 3)]


@given(st.lists(st.sampled_from(list(PROOF_RANK)), min_size=1, max_size=6))
def test_proofs_only_ever_rise_along_legal_transitions(found):
    state = DeliveryState.SENDING
    for proof in found:
        if PROOF_RANK[proof] > PROOF_RANK[state]:
            assert proof in DELIVERY[state]
            state = proof
    assert PROOF_RANK[state] == max(PROOF_RANK[s] for s in [DeliveryState.SENDING, *found])
