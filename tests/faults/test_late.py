"""What comes late: truths of workers that slept, repeats that will not happen, answers of a ledger that was away."""

import pytest

from dispatcher.ledger import attempts, counts
from dispatcher.model.broadcast import broadcast_ref
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted
from dispatcher.services import control, ticking
from tests.services.world import OPERATOR, UNKNOWN, World

pytestmark = pytest.mark.faults


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    made.add_account("mail", Channel.EMAIL)
    made.audience(20)
    yield made
    made.ctx.ledger.close()


def _asleep(world, channel, account, last):
    """Whoever intended a call for the first `last + 1` of a batch and sleeps through the end of the lease."""
    request = world.intended(world.claimed(channel), account, 0, last)
    world.clock.pass_by(60 + 16)
    ticking.tick(world.ctx)
    return request


def _late_truth(world, made, request, state, word):
    finding = attempts.Finding(request.attempt_id, 0, 9, state, 10)
    with world.ctx.ledger.write() as tx:
        attempts.record(tx, made, 0, [finding], [attempts.Closing(request, "mail", word, 0, None, None)], 1)


def test_a_late_truth_beside_other_calls_keeps_the_counters_right(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    request = _asleep(world, "email", "mail", 9)
    world.intended(world.claimed("email"), "mail", 10, 19)
    _late_truth(world, made, request, attempts.D.ACCEPTED, "accepted")
    with world.ctx.ledger.read() as tx:
        assert counts.wrong_batches(tx, made) == []
    assert world.sums(made, "email") == {"planned": 20, "accepted": 10, "sending": 10}


def test_a_closed_broadcast_goes_on_when_a_sleeper_says_it_never_sent(world):
    made = world.broadcast(["email"], {"email": ["mail"]})
    world.release(made)
    request = _asleep(world, "email", "mail", 9)
    world.drain("email")
    ticking.tick(world.ctx)
    _late_truth(world, made, request, attempts.D.WAITING, "not_sent")
    ticking.tick(world.ctx)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 20, "accepted": 20}


def test_at_least_once_is_not_closed_before_it_was_sent_again(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, policy=Policy.AT_LEAST_ONCE)
    world.release(made)
    world.vendors["mail"].script.append(UNKNOWN)
    world.drain("email")
    ticking.tick(world.ctx)
    world.clock.pass_by(901)
    ticking.tick(world.ctx)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 20, "accepted": 20}


def test_what_was_to_be_repeated_is_unknown_after_a_stop(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, policy=Policy.AT_LEAST_ONCE)
    world.release(made)
    world.vendors["mail"].script.append(UNKNOWN)
    world.drain("email")
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE account SET state = 'paused'")
    world.clock.pass_by(901)
    world.drain("email")
    assert world.sums(made, "email") == {"planned": 20, "waiting": 20}
    control.stop(world.ctx, OPERATOR, broadcast_ref(made), reason="wrong")
    assert world.sums(made, "email") == {"planned": 20, "unknown": 20}


def test_a_late_answer_that_knows_nothing_does_not_unsay_what_was_proved(world):
    """Else the first part of a thread would be posted once more."""
    vendor = world.add_account("x1", Channel.SOCIAL, most=1)
    made = world.broadcast(["social"], {"social": ["x1"]}, posts=("a", "b"), version=None)
    world.release(made)
    request = _asleep(world, "social", "x1", 0)
    vendor.found = {"x1": Accepted("t1")}
    world.clock.pass_by(121)
    while world.sums(made, "social") != {"planned": 1, "waiting": 1}:
        world.drain("social", rounds=1)
        assert vendor.told == []
    late = [attempts.Finding(request.attempt_id, 0, 0, attempts.D.UNKNOWN, 1, "reset")]
    with world.ctx.ledger.write() as tx:
        attempts.record(tx, made, 0, late, [attempts.Closing(request, "x1", "unknown", 0, None, "reset")], 1)
        assert attempts.accepted_parts(tx, made, 0) == {1: "t1"}
    ticking.tick(world.ctx)
    world.drain("social")
    assert vendor.told == [("x1", 2)]
    assert world.sums(made, "social") == {"planned": 1, "accepted": 1}
