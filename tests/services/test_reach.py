"""Who read the first word and not yet the second, and what a retracted fact sets going."""

import pytest

from dispatcher.errors import NotPermitted, Refused
from dispatcher.model.kinds import Channel, FactState
from dispatcher.model.outcome import Accepted, OutcomeUnknown, Rejected
from dispatcher.services import (
    facts,
    followups,
    reach,
    sending,
)
from tests.services.follow_world import EXAMPLES, approved, build, first, released, sums, who


@pytest.fixture
def world(tmp_path, database_url):
    made = build(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


def test_reach_counts_people_and_lists_those_who_saw_the_first_and_not_the_second(world):
    old = released(world, first(world, channels=(Channel.EMAIL,)))
    world.mail.script.extend([[Accepted("m"), OutcomeUnknown("lost")], Accepted("m"), [Accepted("m"), Rejected("no")]])
    world.drain("email")
    assert reach.of(world.ctx, old.ref).as_dict()["relation"] is None
    fix = followups.correct(world.ctx, world.author, old.ref)
    before = reach.of(world.ctx, old.ref)
    assert (before.read, before.perhaps, before.missing) == (4, 1, 5)
    assert before.followers == (fix.ref,)
    released(world, fix)
    assert dict(reach.of(world.ctx, old.ref).stands) == {"not told": 0, "on its way": 5, "perhaps told": 0, "told": 0}
    world.mail.script.extend([[Accepted("m"), OutcomeUnknown("lost")], [Rejected("no"), Accepted("m")]])
    world.drain("email")
    after = reach.of(world.ctx, old.ref)
    assert dict(after.stands) == {"not told": 1, "on its way": 0, "perhaps told": 1, "told": 3}
    assert sum(after.stands.values()) == after.read + after.perhaps
    rows = list(reach.missed(world.ctx, world.operator, old.ref))
    assert [(row["email"], row["read"], row["stands"]) for row in rows] == [
        ("p2@example.com", "perhaps", "perhaps told"), ("p3@example.com", "yes", "not told"),
    ]  # fmt: skip
    with pytest.raises(NotPermitted):
        list(reach.missed(world.ctx, world.author, old.ref))


def test_a_retracted_fact_drafts_the_correction_for_those_it_reached(world):
    raw = facts.read_file(EXAMPLES / "outage-update" / "example.toml")
    facts.set_facts(world.ctx, world.author, world.incident, raw)
    world.clock.pass_by(1)
    told = released(world, first(world, facts={}))
    waits = approved(world, first(world, facts={}, title="not yet"))
    world.mail.script.extend([[Accepted("m"), Rejected("no")], Accepted("m"), Accepted("m")])
    world.drain("email")
    world.clock.pass_by(1)
    done = facts.retract_fact(world.ctx, world.author, world.incident, "summary", "it was not true")
    assert [one.ref for one in done.told_by] == [told.ref]
    assert [one.ref for one in done.would_tell] == [waits.ref]
    [fix] = done.drafts
    assert (fix.relation, fix.origin_id) == ("correction", told.id)
    assert [mail for mail, _ in who(world, fix)] == ["1", "3", "4", "5", "6"]
    assert sums(world, told, "sms") == {"held": 6}
    with pytest.raises(Refused, match="summary") as caught:
        sending.send(world.ctx, world.operator, waits.ref, confirm_audience=waits.audience_size, undo=0)
    assert caught.value.code == "E-RETRACTED"


def test_a_fact_that_was_taken_back_stops_only_what_states_it(world):
    """Frozen after the retraction, or with other words of its own, a broadcast does not state it."""
    raw = facts.read_file(EXAMPLES / "outage-update" / "example.toml")
    facts.set_facts(world.ctx, world.author, world.incident, raw)
    own = approved(world, first(world, facts=raw | {("summary", None): "Our tills are slow."}))
    same = approved(world, first(world, facts=raw, title="the same words, given by its author"))
    world.clock.pass_by(60)
    facts.retract_fact(world.ctx, world.author, world.incident, "summary", "it was not true")
    world.clock.pass_by(60)
    facts.set_facts(world.ctx, world.author, world.incident, raw | {("summary", None): "All tills work."})
    anew = approved(world, first(world, facts={}))
    with pytest.raises(Refused, match="summary"):
        sending.send(world.ctx, world.operator, same.ref, confirm_audience=same.audience_size, undo=0)
    for one in (own, anew):
        sent = sending.send(world.ctx, world.operator, one.ref, confirm_audience=one.audience_size, undo=0)
        assert sent.state == "released"


def test_who_was_told_while_it_was_only_believed_is_corrected_as_well(world):
    """The same words, believed at first and confirmed later, are one statement; other words before them are not."""
    example = facts.read_file(EXAMPLES / "outage-update" / "example.toml")
    raw = {key: value for key, value in example.items() if key[1] is None}
    facts.set_facts(world.ctx, world.author, world.incident, raw | {("summary", None): "All tills are down."})
    world.clock.pass_by(60)
    released(world, first(world, facts={}, channels=(Channel.EMAIL,)))
    world.drain("email")
    world.clock.pass_by(60)
    told = []
    for state in (FactState.BELIEVED, FactState.CONFIRMED):
        facts.set_facts(world.ctx, world.author, world.incident, raw, facts.Telling(state))
        world.clock.pass_by(60)
        told.append(released(world, first(world, facts={}, channels=(Channel.EMAIL,))))
        world.drain("email")
        world.clock.pass_by(60)
    done = facts.retract_fact(world.ctx, world.author, world.incident, "summary", "it was not true")
    assert [one.ref for one in done.told_by] == [one.ref for one in told]


def test_an_operator_retracts_and_is_told_who_must_be_corrected(world):
    raw = facts.read_file(EXAMPLES / "outage-update" / "example.toml")
    facts.set_facts(world.ctx, world.operator, world.incident, raw)
    world.clock.pass_by(1)
    told = released(world, first(world, facts={}))
    world.drain("email")
    done = facts.retract_fact(world.ctx, world.operator, world.incident, "summary", "it was not true")
    assert ([one.ref for one in done.told_by], done.drafts) == ([told.ref], ())
