"""Several copies of one delivery: what a vendor says about one of them is not taken for its word about another."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispatcher.ledger import counts
from dispatcher.model.broadcast import broadcast_ref
from dispatcher.model.event import Event, EventType, WebhookRequest
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted
from dispatcher.model.states import DeliveryState as D
from dispatcher.services import control, events, settling
from tests.services.world import OPERATOR, UNKNOWN, World

pytestmark = pytest.mark.faults
WORDS = {"processed": D.ACCEPTED, "delivered": D.DELIVERED, "bounced": D.FAILED}
SETTLED = 901


@pytest.fixture
def world(tmp_path, database_url):
    made = _world(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _world(folder, url):
    made = World(folder, url)
    vendor = made.add_account("mail", Channel.EMAIL)
    vendor.verify = lambda request: None
    vendor.parse = lambda request: [
        Event(EventType(word), key, copy=copy) for key, copy, word in json.loads(request.body)
    ]
    made.audience(3)
    return made


def _twice(world, last=None):
    """A delivery whose first copy had no answer, so that a second went out; `last` is the second answer."""
    made = world.broadcast(["email"], {"email": ["mail"]}, policy=Policy.AT_LEAST_ONCE)
    world.release(made)
    world.vendors["mail"].script.extend([UNKNOWN, last or Accepted("m2")])
    world.drain("email")
    world.clock.pass_by(SETTLED)
    world.drain("email")
    world.drain("email")
    return made


def _tell(world, made, *told):
    key = f"{world.ctx.ledger_id}.{made}.0"
    body = json.dumps([(key, copy, word) for copy, word in told]).encode()
    events.store(world.ctx, "mail", WebhookRequest("POST", "/", {}, body, world.clock.now()))
    events.apply(world.ctx)
    return _state(world, made)


def _state(world, made):
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, made) == []
        return D(tx.scalar("SELECT state FROM delivery WHERE broadcast_id = :b AND seq = 0", b=made))


def test_a_late_failure_of_the_first_copy_does_not_beat_the_second_that_arrived(world):
    made = _twice(world)
    assert _tell(world, made, (2, "delivered")) is D.DELIVERED
    assert _tell(world, made, (1, "bounced")) is D.DELIVERED
    assert _tell(world, made, (2, "bounced")) is D.FAILED


def test_a_failure_of_the_newest_copy_is_hidden_by_nothing_but_an_arrival(world):
    made = _twice(world)
    assert _tell(world, made, (1, "processed")) is D.ACCEPTED
    assert _tell(world, made, (2, "bounced")) is D.FAILED
    assert _tell(world, made, (1, "delivered")) is D.DELIVERED
    assert _tell(world, made, (1, "bounced")) is D.FAILED


def test_a_copy_that_comes_to_nothing_gives_the_lead_back_to_the_next(world):
    made = _twice(world)
    assert _tell(world, made, (1, "delivered")) is D.DELIVERED
    assert _tell(world, made, (1, "bounced")) is D.ACCEPTED


def test_an_unanswered_second_copy_is_settled_by_the_first_that_arrived(world):
    made = _twice(world, UNKNOWN)
    assert _state(world, made) is D.UNKNOWN
    assert _tell(world, made, (1, "bounced")) is D.UNKNOWN
    assert _tell(world, made, (2, "delivered")) is D.DELIVERED


def test_a_vendor_that_numbers_nothing_speaks_of_the_newest_copy(world):
    made = _twice(world)
    assert _tell(world, made, (1, "bounced"), (None, "processed")) is D.ACCEPTED
    assert _tell(world, made, (None, "bounced")) is D.FAILED


def test_what_was_said_of_a_failed_copy_does_not_end_the_retry_of_a_person(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    world.drain("email")
    assert _tell(world, made, (1, "bounced")) is D.FAILED
    assert settling.retry(world.ctx, OPERATOR, broadcast_ref(made)) == 1
    assert _tell(world, made, (1, "bounced"), (1, "processed")) is D.WAITING
    world.drain("email")
    assert _tell(world, made, (1, "bounced")) is D.ACCEPTED
    assert world.vendors["mail"].calls[-1] == ["p1@example.com"]


def test_no_repeat_goes_to_somebody_whose_first_copy_arrived_meanwhile(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    world.vendors["mail"].script.append(UNKNOWN)
    world.drain("email")
    settling.settle(world.ctx, OPERATOR, broadcast_ref(made), "resend", "they must know")
    assert _tell(world, made, (1, "delivered")) is D.DELIVERED
    world.drain("email")
    assert world.vendors["mail"].calls[-1] == ["p2@example.com", "p3@example.com"]


def test_who_may_have_been_told_is_not_cancelled_by_a_stop_after_a_vain_repeat(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    world.vendors["mail"].script.append(UNKNOWN)
    world.drain("email")
    settling.settle(world.ctx, OPERATOR, broadcast_ref(made), "resend", "they must know")
    with world.ctx.ledger.write() as tx:  # a repeat that the vendor put off has told its own reason meanwhile
        tx.change("UPDATE delivery SET reason = NULL")
    control.stop(world.ctx, OPERATOR, broadcast_ref(made), reason="wrong")
    assert world.sums(made, "email") == {"planned": 3, "unknown": 3}


def test_who_may_have_been_told_and_then_asked_for_no_more_is_unknown(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    world.vendors["mail"].script.append(UNKNOWN)
    world.drain("email")
    settling.settle(world.ctx, OPERATOR, broadcast_ref(made), "resend", "they must know")
    with world.ctx.ledger.write() as tx:
        tx.change(
            "INSERT INTO suppression (channel, address, scope, reason, source, created_at)"
            " VALUES ('email', 'p1@example.com', 'all', 'opt_out', 'x', 1)"
        )
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 3, "unknown": 1, "accepted": 2}


@pytest.fixture(scope="module")
def lasting(tmp_path_factory):
    made = _world(tmp_path_factory.mktemp("copies"), "")
    yield made
    made.ctx.ledger.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=st.lists(st.tuples(st.integers(1, 2), st.sampled_from(sorted(WORDS))), max_size=8), whole=st.booleans())
def test_any_order_and_any_pieces_come_to_the_same_state(lasting, told, whole):
    made = _twice(lasting)
    if whole:
        _tell(lasting, made, *told)
    else:
        for one in told:
            _tell(lasting, made, one)
    best = {c: max((WORDS[w] for copy, w in told if copy == c), default=None) for c in (1, 2)}
    newest = max(best[2] or D.ACCEPTED, D.ACCEPTED)
    assert _state(lasting, made) is (D.DELIVERED if D.DELIVERED in best.values() else newest)


def test_a_seed_plays_the_same_history_whatever_was_played_before_it():
    alone, after = _play("--from", "2", "--seeds", "1"), _play("--from", "1", "--seeds", "2")
    assert (alone["played"], after["played"]) == (1, 2)
    assert alone["last"] == after["last"]


def _play(*words):
    command = [sys.executable, "-m", "tests.faults.simulation", *words]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
