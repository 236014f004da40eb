"""What could not be read is kept, shown to whoever looks, and applied when a person says so."""

import pytest

from dispatcher.errors import NotFound, NotPermitted
from dispatcher.ledger import people
from dispatcher.model.event import Event, EventType
from dispatcher.model.person import Person, Role
from dispatcher.services import doctor, events, parked, suppressions
from tests.services.inbox_world import applied, arrived, build, store


@pytest.fixture
def world(tmp_path, database_url):
    made = build(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def _person(world, role):
    with world.ctx.ledger.write() as tx:
        return people.add(tx, Person(0, role.title(), roles=frozenset({role})), 1)


def _post(world, body):
    store(world, body)
    events.apply(world.ctx)


def test_a_post_in_a_new_form_is_applied_once_the_program_can_read_it(world):
    _post(world, b"[1]")
    _post(world, b"[2, ")
    _post(world, b"<3>")
    found = parked.listing(world.ctx, 10)
    assert [(one.id, one.account) for one in found] == [(3, "mail"), (2, "mail")]
    assert "JSONDecodeError" in found[0].why
    world.vendors["mail"].parse = lambda request: [arrived(world, len(request.body))]
    operator = _person(world, Role.OPERATOR)
    assert parked.retry(world.ctx, operator, "mail", 3) == 1
    assert [one.id for one in parked.listing(world.ctx, 10)] == [2]
    assert _unsettled(world) == 2
    assert parked.retry(world.ctx, operator, "mail") == 1
    assert not events.apply(world.ctx)
    assert (applied(world), _unsettled(world), parked.listing(world.ctx, 10)) == (3, 0, [])


def _unsettled(world):
    with world.ctx.ledger.read() as tx:
        return tx.scalar("SELECT count(*) FROM anomaly WHERE settled_at IS NULL")


def test_whoever_may_not_settle_may_not_and_nothing_parked_is_said(world):
    _post(world, b"?")
    with pytest.raises(NotPermitted):
        parked.retry(world.ctx, _person(world, Role.AUTHOR), "mail")
    operator = _person(world, Role.OPERATOR)
    with pytest.raises(NotFound, match="No post"):
        parked.retry(world.ctx, operator, "text")
    assert parked.retry(world.ctx, operator, "mail") == 1


def test_the_doctor_names_the_account_and_the_mend(world):
    assert not [one for one in doctor.examine(world.settings, lambda *_: ({}, {})) if one.about == "events"]
    _post(world, b"?")
    (told,) = [one for one in doctor.examine(world.settings, lambda *_: ({}, {})) if one.about == "events"]
    assert "1 posts of mail" in told.said
    assert "dispatcher event retry mail" in told.mend


def _lifted_after_a_post(world):
    """A post is parked; then a bounce of the first person is suppressed, and lifted by one of us."""
    operator = _person(world, Role.OPERATOR)
    _post(world, b"?")
    suppressions.add(world.ctx, operator, "p1@example.com", reason="hard_bounce")
    world.clock.pass_by(60)
    suppressions.remove(world.ctx, operator, "p1@example.com", reason="the mailbox was repaired")
    return operator


def test_what_an_old_post_says_does_not_undo_what_a_person_lifted_since(world):
    operator = _lifted_after_a_post(world)
    world.clock.pass_by(60)
    keys = [f"{world.ctx.ledger_id}.{world.sent}.{seq}" for seq in (0, 1)]
    bounces = [Event(EventType.BOUNCED, key, suppresses="hard_bounce") for key in keys]
    world.vendors["mail"].parse = lambda request: bounces
    parked.retry(world.ctx, operator, "mail")
    assert not events.apply(world.ctx)
    assert world.sums(world.sent, "email") == {"planned": 10, "accepted": 8, "failed": 2}
    assert [one.address for one in suppressions.listing(world.ctx)] == ["p2@example.com"]
    _post(world, b"!")  # heard after it was lifted
    assert {one.address for one in suppressions.listing(world.ctx)} == {"p1@example.com", "p2@example.com"}


def test_another_reason_than_the_one_that_was_lifted_is_heard(world):
    operator = _lifted_after_a_post(world)
    key = f"{world.ctx.ledger_id}.{world.sent}.0"
    complaint = Event(EventType.COMPLAINED, key, suppresses="spam_report")
    world.vendors["mail"].parse = lambda request: [complaint]
    parked.retry(world.ctx, operator, "mail")
    assert not events.apply(world.ctx)
    assert [one.reason for one in suppressions.listing(world.ctx)] == ["spam_report"]
