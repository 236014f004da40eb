"""Playbooks at work: incident, facts, promise, drafts and whom to tell; nothing that reaches anybody."""

import datetime as dt

import pytest

from dispatcher.errors import NotPermitted
from dispatcher.ledger import audiences, broadcasts
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Channel, FactState, Mode
from dispatcher.model.person import Role
from dispatcher.model.states import BroadcastState
from dispatcher.people import PROGRAM, Right, may
from dispatcher.services import approval, facts, incidents, playbooks, sending, signals
from tests.intake.table import SAMPLES
from tests.services.signal_world import open_door, open_world, opened, person, send

BOOK = """
id = "all"
title = "Everything"
[[when]]
[incident]
title = "{title}"
at_end = "AT_END"
[promise_minutes]
critical = 20
[words]
checkout = "online orders"
[facts.problem]
say = "Some customers have trouble with {words[0]}."
[facts.affected]
say = ["{words[0]}", "{words[1]}"]
[facts.since]
say = "{occurred_at}"
[facts.doing]
say = "We work on it with {labels.nobody}."
[[draft]]
on = ["opened", "reopened"]
template = "holding-statement"
audience = "customers"
[[draft]]
on = ["opened"]
template = "employee-notice"
audience = "employees"
[[draft]]
on = ["resolved"]
template = "full-restoration"
audience = "customers"
[[tell]]
whom = ["operator", "Zoe"]
""".replace("AT_END", "resolve")


def house(tmp_path, book=BOOK, url=""):
    world = open_world(tmp_path, url, book)
    world.add_account("mail", Channel.EMAIL)
    with world.ctx.ledger.write() as tx:
        made = audiences.open_version(tx, "customers", fields=[], source="x", region="", imported_by=None, now=0)
        tx.change("UPDATE audience_version SET size = 3 WHERE id = :id", id=made.id)
    world.audience(3, version=made.id)
    person(world, "Olu", Role.OPERATOR)
    return world


@pytest.fixture
def world(tmp_path, database_url):
    return house(tmp_path, url=database_url)


def begin(world, **more):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    start = world.clock.now()
    assert send(world, door, sample.event("incident.triggered", "P", start, **more)) == ["opened"]
    return door, sample, start


def view(world, ref="INC-1"):
    return incidents.show(world.ctx, ref)


def acts(world, verb, ref="INC-1"):
    return [entry.detail for entry in view(world, ref).timeline if entry.verb == verb]


def test_from_a_signal_to_a_draft(world):
    begin(world)
    shown = view(world)
    assert shown.incident.title == "Checkout answers with errors"
    assert shown.incident.next_update_at == world.clock.now() + dt.timedelta(minutes=20)
    assert shown.incident.data["playbook"] == "all"
    sheet = {fact.name: fact for fact in shown.facts}
    assert {name: fact.value for name, fact in sheet.items()} == {
        "problem": "Some customers have trouble with online orders.",
        "affected": ["online orders"],
        "since": world.clock.now().isoformat(timespec="minutes"),
    }
    assert {fact.state for fact in sheet.values()} == {FactState.BELIEVED}
    assert {fact.source for fact in sheet.values()} == {"pagerduty/pagerduty"}
    (draft,) = shown.broadcasts
    assert (draft.state, draft.template_id, draft.author_id) == (BroadcastState.DRAFT, "holding-statement", 0)
    assert draft.plan.channels == (Channel.EMAIL,)
    assert {entry.door for entry in shown.timeline} == {"signal", "program"}
    assert acts(world, "staff not told") == [f"nothing reaches Ada, Olu: INC-1 investigating: {shown.incident.title}"]
    assert acts(world, "to be told") == ["Ada, Olu"]


def test_what_cannot_be_done_is_told_and_stops_nothing(world):
    begin(world)
    (told,) = acts(world, "playbook could not")
    assert told.startswith("draft employee-notice:")
    assert len(view(world).broadcasts) == 1


def test_nothing_of_it_can_reach_anybody_without_two_people(world):
    begin(world)
    (draft,) = view(world).broadcasts
    assert {right for right in Right if may(PROGRAM, right)} == {Right.INCIDENT, Right.DRAFT}
    for act in (
        lambda: approval.submit(world.ctx, PROGRAM, draft.ref),
        lambda: approval.approve(world.ctx, PROGRAM, draft.ref),
        lambda: sending.send(world.ctx, PROGRAM, draft.ref, confirm_audience=3),
    ):
        with pytest.raises(NotPermitted):
            act()
    world.drain(Channel.EMAIL)
    assert world.vendors["mail"].calls == []


def test_the_same_state_again_drafts_nothing_more(world):
    """R11."""
    door, sample, start = begin(world)
    for second in range(1, 4):
        world.clock.pass_by(60)
        send(world, door, sample.event("incident.triggered", "P", start + dt.timedelta(seconds=second)))
    assert len(view(world).broadcasts) == 1
    assert len(acts(world, "promised")) == 1


def test_the_end_is_drafted_and_a_new_beginning_too(world):
    door, sample, start = begin(world)
    world.clock.pass_by(60)
    send(world, door, sample.resolved("P", start + dt.timedelta(seconds=5)))
    assert [one.template_id for one in view(world).broadcasts] == ["holding-statement", "full-restoration"]
    world.clock.pass_by(60)
    send(world, door, sample.event("incident.reopened", "P", start + dt.timedelta(seconds=65)))
    assert [one.template_id for one in view(world).broadcasts][2:] == ["holding-statement"]
    assert view(world).incident.phase is Phase.INVESTIGATING
    assert acts(world, "to be told") == ["Ada, Olu"] * 2


def test_what_a_person_said_stands(world):
    begin(world)
    facts.set_facts(world.ctx, world.admin, "INC-1", {("problem", None): "Orders stopped."})
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE signal SET done = 0")
        tx.change("UPDATE signal_post SET state = 0, lease_until = 0")
    signals.apply(world.ctx)
    stands = {fact.name: (fact.value, fact.state) for fact in view(world).facts}
    assert stands["problem"] == ("Orders stopped.", FactState.CONFIRMED)
    assert len(view(world).broadcasts) == 1


def test_an_internal_incident_drafts_for_staff_alone(tmp_path):
    """R15."""
    world = house(
        tmp_path,
        BOOK.replace("[incident]", '[incident]\nvisibility = "internal"').replace('"employees"', '"customers"'),
    )
    begin(world)
    shown = view(world)
    assert shown.incident.visibility is Visibility.INTERNAL
    assert [one.template_id for one in shown.broadcasts] == ["employee-notice"]
    assert shown.incident.next_update_at is None


def test_an_end_may_close_the_incident_unless_something_waits(tmp_path):
    world = house(tmp_path, BOOK.replace('"resolve"', '"close"'))
    door, sample, start = begin(world)
    (draft,) = view(world).broadcasts
    with world.ctx.ledger.write() as tx:
        broadcasts.change(tx, draft.id, state=BroadcastState.SUBMITTED)
    world.clock.pass_by(60)
    send(world, door, sample.resolved("P", start + dt.timedelta(seconds=5)))
    assert view(world).incident.is_open
    assert any(told.startswith("close:") for told in acts(world, "playbook could not"))
    send(world, door, sample.event("incident.triggered", "Q", start + dt.timedelta(seconds=30)))
    world.clock.pass_by(60)
    send(world, door, sample.resolved("Q", start + dt.timedelta(seconds=65)))
    assert not view(world, "INC-2").incident.is_open


def test_the_mode_of_the_site_is_the_incident_s_and_the_draft_s(tmp_path):
    world = house(tmp_path)
    begin(world)
    assert {view(world).incident.mode, view(world).broadcasts[0].mode} == {Mode.LIVE}


def test_one_bad_fact_spoils_no_other(tmp_path):
    world = house(tmp_path, BOOK.replace('"{occurred_at}"', '"just now"'))
    begin(world)
    assert {fact.name for fact in view(world).facts} == {"problem", "affected"}
    assert any("since" in told for told in acts(world, "playbook could not"))


def test_words_of_a_payload_stay_data(tmp_path):
    world = house(tmp_path, BOOK.replace('"Some customers have trouble with {words[0]}."', '"{title}"'))
    begin(world, title="{{ 7*7 }} {labels} <b>{% raw %}")
    assert {fact.value for fact in view(world).facts if fact.name == "problem"} == {"{{ 7*7 }} {labels} <b>{% raw %}"}


def test_a_shelf_read_afresh(tmp_path):
    world = house(tmp_path)
    assert [one.id for one in playbooks.shelf(world.ctx).playbooks if one.enabled] == ["all"]
    (tmp_path / "playbooks/broken.toml").write_text("id = 7", encoding="utf-8")
    assert list(playbooks.shelf(world.ctx).broken) == ["broken.toml"]
    assert playbooks.json_schema()["properties"]["when"]
    assert opened(world) == []
