"""The draft that says we are still working on it: only with news, and only a draft."""

from datetime import timedelta

import pytest

from dispatcher.compose.facts import parse_words
from dispatcher.errors import NotPermitted, Refused, UsageError
from dispatcher.ledger import audiences, broadcasts, people
from dispatcher.ledger import promises as rows
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Severity
from dispatcher.model.person import Person, Role
from dispatcher.model.states import BroadcastState
from dispatcher.services import facts, incidents, promises, still
from dispatcher.services.incidents import Opening
from dispatcher.services.still import Wanted
from tests.services.world import World

NEWS = parse_words(["changed=Card payments work again."])


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    made.add_account("m", Channel.EMAIL)
    with made.ctx.ledger.write() as tx:
        now = to_ms(made.clock.now())
        version = audiences.open_version(tx, "customers", fields=(), source="t", region="", imported_by=None, now=now)
        audiences.fill(tx, version.id, [(1, "ana.jones@example.com", None, "en", "{}")])
    return made


@pytest.fixture
def ana(world):
    with world.ctx.ledger.write() as tx:
        made = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), to_ms(world.clock.now()))
    incidents.open_incident(world.ctx, made, Opening("Orders stopped", severity=Severity.CRITICAL))
    return made


def say(world):
    made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["m"]})
    with world.ctx.ledger.write() as tx:
        told = to_ms(world.clock.now())
        broadcasts.change(tx, made, incident_id=1, template_id="outage-update", submitted_at=told)
    world.release(made)
    world.drain("email")
    promises.hear(world.ctx, to_ms(world.clock.now()))


def test_it_is_a_draft_to_those_who_were_told_before_with_the_next_time_by_the_cadence(world, ana):
    made = still.draft(world.ctx, ana, "INC-1", Wanted(facts=NEWS))
    assert (made.state, made.relation, made.audience_version_id) == (BroadcastState.DRAFT, "still", 1)
    assert made.next_update_at == world.clock.now() + timedelta(minutes=20)
    assert made.plan.channels == (Channel.EMAIL,)
    assert facts.list_facts(world.ctx, "INC-1", name="changed")[0].value == "Card payments work again."


def test_it_is_refused_until_something_is_new(world, ana):
    with pytest.raises(Refused, match="Nothing is new"):
        still.draft(world.ctx, ana, "INC-1", Wanted())
    facts.set_facts(world.ctx, ana, "INC-1", NEWS)
    assert still.draft(world.ctx, ana, "INC-1", Wanted()).ref == "B-1"
    world.clock.pass_by(60)
    say(world)
    world.clock.pass_by(60)
    for same in (Wanted(), Wanted(facts=NEWS)):
        with pytest.raises(Refused, match="Nothing is new"):
            still.draft(world.ctx, ana, "INC-1", same)
    for idle in ("changed=We are still working on it.", "doing=Our teams keep working. There is no news yet."):
        with pytest.raises(Refused, match="Nothing is new"):
            still.draft(world.ctx, ana, "INC-1", Wanted(facts=parse_words([idle])))
    facts.set_facts(world.ctx, ana, "INC-1", parse_words(["doing=We test the tills."]))
    assert still.draft(world.ctx, ana, "INC-1", Wanted()).state is BroadcastState.DRAFT


def test_after_a_correction_to_some_the_next_word_is_for_all_and_counts_for_the_same_readers(world, ana):
    say(world)
    with world.ctx.ledger.write() as tx:
        now = to_ms(world.clock.now())
        version = audiences.open_version(
            tx, "correction of B-1", fields=(), source="t", region="", imported_by=None, now=now
        )
        audiences.fill(tx, version.id, [(1, "ana.jones@example.com", None, "en", "{}")])
        broadcasts.change(tx, 1, audience_version_id=1)
    world.clock.pass_by(60)
    made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["m"]}, version=version.id)
    with world.ctx.ledger.write() as tx:
        told = to_ms(world.clock.now())
        broadcasts.change(
            tx, made, incident_id=1, template_id="correction", submitted_at=told, origin_id=1, relation="correction",
            audience_version_id=version.id,
        )  # fmt: skip
        assert rows.audience_of(tx, made) == "customers"
    world.release(made)
    world.drain("email")
    promises.hear(world.ctx, to_ms(world.clock.now()))
    again = still.draft(world.ctx, ana, "INC-1", Wanted(facts=NEWS))
    assert again.audience_version_id == 1


def test_a_time_by_no_cadence_must_be_named(world, ana):
    with pytest.raises(UsageError, match="No cadence"):
        still.draft(world.ctx, ana, "INC-1", Wanted(facts=NEWS, circle=promises.Circle.PRESS, audience="customers"))


def test_only_authors_draft_and_only_about_what_is_open(world, ana):
    with pytest.raises(NotPermitted):
        still.draft(world.ctx, Person(9, "Ben", roles=frozenset({Role.APPROVER})), "INC-1", Wanted(facts=NEWS))
    incidents.close(world.ctx, ana, "INC-1")
    with pytest.raises(Refused, match="closed"):
        still.draft(world.ctx, ana, "INC-1", Wanted(facts=NEWS))
