"""What people are shown: sums that hold, and every number with its why, since and next."""

import pytest

from dispatcher.ledger import controls
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import NotSent, Throttled
from dispatcher.services import accounting
from tests.services.world import UNKNOWN, World


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _email(world, people, **more):
    vendor = world.add_account("mail", Channel.EMAIL)
    world.audience(people)
    made = world.broadcast(["email"], {"email": ["mail"]}, **more)
    return vendor, made


def _told(world, made):
    view = accounting.show(world.ctx, f"B-{made}")
    assert view.reconciles
    return {one.term: one for one in view.explanations}, view


def test_before_release_everybody_is_held_and_the_next_step_is_named(world):
    _, made = _email(world, 5)
    told, view = _told(world, made)
    assert told["held"].count == 5
    assert f"send B-{made}" in told["held"].next
    assert view.total["held"] == view.total["planned"] == 5


def test_an_unknown_says_since_when_and_what_its_neighbours_heard(world):
    vendor, made = _email(world, 300)
    world.release(made)
    vendor.script.append(UNKNOWN)
    world.drain("email")
    told, _ = _told(world, made)
    assert told["unknown"].count == 200
    assert told["unknown"].since == world.clock.now()
    assert (told["unknown"].next_at - told["unknown"].since).total_seconds() == 900
    assert "Of 100 others" in told["unknown"].why
    assert "stay listed" in told["unknown"].next
    world.clock.pass_by(5000)
    world.drain("email")
    world.drain("email")
    told, _ = _told(world, made)
    assert "settle" in told["unknown"].next


def test_at_least_once_says_that_it_sends_again(world):
    vendor, made = _email(world, 3, policy=Policy.AT_LEAST_ONCE)
    world.release(made)
    vendor.script.append(UNKNOWN)
    world.drain("email")
    assert "sent again" in _told(world, made)[0]["unknown"].next


def test_what_waits_for_a_retry_says_when(world):
    vendor, made = _email(world, 3)
    world.release(made)
    vendor.script.append(Throttled(40.0))
    world.drain("email")
    told, view = _told(world, made)
    assert (told["pending"].next_at - world.clock.now()).total_seconds() == pytest.approx(40, abs=1)
    assert view.total["pending"] == 3


def test_broken_accounts_are_named(world):
    vendor, made = _email(world, 3000)
    world.release(made)
    vendor.script.extend([NotSent("refused")] * 50)
    for _ in range(3):
        world.drain("email")
        world.clock.pass_by(6)
    told, view = _told(world, made)
    assert "mail is broken" in told["pending"].why
    assert view.channels["email"].accounts["mail"].startswith("broken")


@pytest.mark.parametrize(("state", "term", "word"), [("paused", "held", "resume"), ("stopped", "cancelled", "")])
def test_pause_and_stop_read_from_one_row(world, state, term, word):
    _, made = _email(world, 1500)
    world.release(made)
    with world.ctx.ledger.write() as tx:
        controls.move(tx, made, state, to_ms(world.clock.now()), reason="wrong date in it")
    told, view = _told(world, made)
    assert view.total[term] == 1500
    assert "wrong date in it" in told[term].why
    assert word in told[term].next


def test_a_look_counts_the_reasons_of_so_many_batches_and_the_report_of_all(world, monkeypatch):
    monkeypatch.setattr(accounting, "LOOKED_INTO", 1)
    world.add_account("mail", Channel.EMAIL)
    world.add_account("text", Channel.SMS)
    world.audience(2500)
    made = world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]})
    with world.ctx.ledger.write() as tx:
        for seq, why in ((7, "bounce"), (1007, "full"), (1008, "full"), (3007, "landline")):
            tx.change("UPDATE delivery SET state = 7, reason = :why WHERE seq = :seq", why=why, seq=seq)
        tx.change("UPDATE batch SET waiting = waiting - 1, failed = 1 WHERE no IN (0, 3)")
        tx.change("UPDATE batch SET waiting = waiting - 2, failed = 2 WHERE no = 1")
    first = accounting.show(world.ctx, f"B-{made}").channels
    assert [first[name].reasons for name in ("email", "sms")] == [
        {"failed": {"bounce": 1}},
        {"failed": {"landline": 1}},
    ]
    assert first["email"].terms["failed"] == 3
    whole = accounting.show(world.ctx, f"B-{made}", whole=True).channels
    assert whole["email"].reasons == {"failed": {"full": 2, "bounce": 1}}
