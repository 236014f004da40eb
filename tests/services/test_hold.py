"""A restored or copied ledger sends nothing until a person has looked, and then tells nobody twice."""

import shutil

import pytest

from dispatcher.errors import LedgerHeld
from dispatcher.ledger import controls, meta
from dispatcher.ledger.engine import sqlite_module
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.outcome import Accepted
from dispatcher.model.person import Level, Person, Role
from dispatcher.services import dispatch, hold, sending, ticking
from tests.services.world import World

OPERATOR = Person(1, "Operator", roles=frozenset({Role.OPERATOR, Role.ADMIN}), level=Level.COMMS_LEAD)
LEDGER = "ledger.db"


@pytest.fixture
def home(tmp_path):
    made = tmp_path / "home"
    made.mkdir()
    return made


def _world(home, anchor=None):
    more = {"anchor.path": str(anchor)} if anchor else {}
    made = World(home, f"sqlite:///{home / LEDGER}", **more)
    mail = made.add_account("mail", Channel.EMAIL)
    text = made.add_account("text", Channel.SMS, most=1)
    return made, mail, text


def _halfway(home, policy=Policy.AT_MOST_ONCE):
    """A ledger whose copy was taken before anything was sent; email and texts went out after it."""
    world, mail, text = _world(home)
    world.audience(300)
    made = world.broadcast(["email", "sms"], {"email": ["mail"], "sms": ["text"]}, mode="live", policy=policy)
    world.release(made)
    ticking.tick(world.ctx)
    _copy(home / LEDGER, home / "copy.db")
    world.drain("email")
    world.drain("sms")
    ticking.tick(world.ctx)
    assert len(mail.told) == len(text.told) == 300
    world.ctx.ledger.close()
    return made, mail.told + text.told


def _copy(ledger, to):
    """As a backup tool does it: the write-ahead log included."""
    with sqlite_module().connect(ledger) as here, sqlite_module().connect(to) as there:
        here.backup(there)
    here.close()
    there.close()


def _restore(home):
    for old in home.glob(f"{LEDGER}*"):
        old.unlink()
    shutil.move(home / "copy.db", home / LEDGER)
    return _world(home)


def test_a_new_ledger_writes_its_anchor_and_goes_on(home):
    world, _, _ = _world(home)
    assert hold.guard(world.ctx) is None
    assert world.ctx.ledger_id in (home / "out" / "anchor.json").read_text()


def test_a_restored_ledger_is_held_by_the_first_drain_already(home):
    made, _ = _halfway(home)
    world, mail, text = _restore(home)
    world.drain("email")
    world.drain("sms")
    assert mail.calls == text.calls == []
    assert "behind its anchor" in hold.reason(world.ctx)
    with pytest.raises(LedgerHeld):
        sending.send(world.ctx, OPERATOR, f"B-{made}", confirm_audience=300)


def test_what_a_restored_ledger_had_released_is_unknown_and_goes_to_nobody_again(home):
    made, _ = _halfway(home)
    world, mail, text = _restore(home)
    ticking.tick(world.ctx)
    assert world.sums(made, "email") == {"planned": 300, "unknown": 300}
    hold.release(world.ctx, OPERATOR, "asked the vendors")
    for _ in range(3):
        ticking.tick(world.ctx)
        world.drain("email")
        world.drain("sms")
        world.clock.pass_by(600)
    assert mail.calls == text.calls == []
    assert hold.reason(world.ctx) is None


def test_the_vendors_word_settles_a_restored_ledger(home):
    made, _ = _halfway(home)
    world, _mail, text = _restore(home)
    ticking.tick(world.ctx)
    text.found = {f"+4477009{i:05d}": Accepted(f"found{i}") for i in range(1, 301)}
    world.clock.pass_by(301)
    hold.release(world.ctx, OPERATOR, "asked the vendors")
    for _ in range(4):
        world.drain("sms")
    assert world.sums(made, "sms") == {"planned": 300, "accepted": 300}
    assert text.calls == []


def test_attempt_ids_go_on_after_those_of_the_lost_ledger(home):
    _halfway(home)
    world, _, _ = _restore(home)
    ticking.tick(world.ctx)
    with world.ctx.ledger.read() as tx:
        before = meta.last_attempt(tx)
    hold.release(world.ctx, OPERATOR, "looked")
    with world.ctx.ledger.read() as tx:
        assert meta.last_attempt(tx) > before
        assert meta.get(tx, "epoch") == "2"


def test_a_copy_in_a_second_home_is_held(home, tmp_path):
    _made, _told = _halfway(home)
    second = tmp_path / "second"
    second.mkdir()
    _copy(home / LEDGER, second / LEDGER)
    world, mail, text = _world(second)
    world.drain("email")
    ticking.tick(world.ctx)
    world.drain("sms")
    assert mail.calls == text.calls == []
    assert "anchor is not on this machine" in hold.reason(world.ctx)


def test_the_first_home_goes_on_beside_its_copy(home, tmp_path):
    _halfway(home)
    world, _, _ = _world(home)
    assert hold.guard(world.ctx) is None


def test_a_release_of_the_future_survives_a_hold(home):
    world, _, _ = _world(home)
    world.audience(10)
    later = world.broadcast(["email"], {"email": ["mail"]}, mode="live")
    world.release(later, after=3600)
    hold.guard(world.ctx)
    anchor = home / "out" / "anchor.json"
    anchor.write_text(anchor.read_text().replace('"attempt": 0', '"attempt": 7'))
    assert "7 attempts behind" in hold.guard(world.ctx)
    assert world.sums(later, "email") == {"planned": 10, "waiting": 10}
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, later)["email"].state == "released"


def test_drains_of_a_held_ledger_report_nothing(home):
    import asyncio

    _halfway(home)
    world, _, _ = _restore(home)
    done = asyncio.run(dispatch.drain(world.ctx, "email", seconds=1e9))
    assert (done.batches, done.deliveries, done.more) == (0, 0, False)


def test_a_copy_taken_between_release_and_first_call_is_held(home, tmp_path):
    world, _, _ = _world(home)
    world.audience(30)
    world.release(world.broadcast(["email"], {"email": ["mail"]}, mode="live"))
    world.ctx.ledger.close()
    second = tmp_path / "second"
    second.mkdir()
    _copy(home / LEDGER, second / LEDGER)
    world, mail, _ = _world(second)
    world.drain("email")
    assert mail.calls == []
    assert "anchor is not on this machine" in hold.reason(world.ctx)
