"""Events in any order, any number of times, in any pieces: the same states, and they equal the fold from scratch."""

import itertools
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.ledger import counts
from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.kinds import Channel
from dispatcher.model.states import DeliveryState
from dispatcher.services import events
from tests.services.world import World

pytestmark = pytest.mark.faults
WORDS = {
    "processed": DeliveryState.ACCEPTED, "delivered": DeliveryState.DELIVERED, "bounced": DeliveryState.FAILED,
    "dropped": DeliveryState.FAILED, "deferred": None, "opened": None,
}  # fmt: skip
PEOPLE = 6
GROUPS = 160
"""So many examples share one broadcast, each with people of its own: handing over takes longer than events do."""
EXAMPLES = 10_000 if os.environ.get("DISPATCHER_TEST_FULL") else 120
EVENTS = st.lists(st.tuples(st.integers(0, PEOPLE - 1), st.sampled_from(sorted(WORDS))), min_size=1, max_size=25)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("fold"), "")
    vendor = made.add_account("mail", Channel.EMAIL)
    vendor.verify = lambda request: None
    vendor.parse = lambda request: [Event(EventType(word), key) for key, word in json.loads(request.body)]
    made.audience(PEOPLE * GROUPS)
    made.groups = _groups(made)
    yield made
    made.ctx.ledger.close()


def _groups(world):
    """People of whom nothing was said yet: (broadcast, the first of them), again and again."""
    while True:
        made = world.broadcast(["email"], {"email": ["mail"]}, size=1000)
        world.release(made)
        world.drain("email")
        yield from zip(itertools.repeat(made), range(0, PEOPLE * GROUPS, PEOPLE))


def _tell(world, made, first, told):
    body = json.dumps([(f"{world.ctx.ledger_id}.{made}.{first + one}", word) for one, word in told]).encode()
    events.store(world.ctx, "mail", WebhookRequest("POST", "/", {}, body, world.clock.now()))


def _states(world, made, first):
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, made) == []
        rows = tx.all(
            "SELECT seq, state FROM delivery WHERE broadcast_id = :b AND seq BETWEEN :lo AND :hi",
            b=made, lo=first, hi=first + PEOPLE - 1,
        )  # fmt: skip
    return {row.seq - first: DeliveryState(row.state) for row in rows}


def _arrived(world, made):
    with world.ctx.ledger.read() as tx:
        return tx.scalar("SELECT coalesce(sum(n), 0) FROM arrival WHERE broadcast_id = :b", b=made)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=EVENTS, again=st.randoms(use_true_random=False), pieces=st.integers(1, 4))
def test_the_fold_is_the_greatest_of_all_that_was_said(world, told, again, pieces):
    made, first = next(world.groups)
    events.apply(world.ctx)  # what an example that was broken off has left
    before = _arrived(world, made)
    mixed = told + again.sample(told, again.randint(0, len(told)))
    again.shuffle(mixed)
    for start in range(pieces):
        _tell(world, made, first, mixed[start::pieces])
        if again.random() < 0.5:
            events.apply(world.ctx)
    events.apply(world.ctx)
    expected = {seq: DeliveryState.ACCEPTED for seq in range(PEOPLE)}
    for seq, word in told:
        if WORDS[word] is not None:
            expected[seq] = max(expected[seq], WORDS[word])
    assert _states(world, made, first) == expected
    delivered = sum(state is DeliveryState.DELIVERED for state in expected.values())
    assert delivered <= _arrived(world, made) - before <= sum((seq, "delivered") in told for seq in range(PEOPLE))
