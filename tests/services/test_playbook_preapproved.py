"""The one exception: a message that was approved in peace and whose playbook says that it goes."""

from datetime import timedelta

import pytest

from dispatcher.errors import ConfigurationError
from dispatcher.ledger import audiences, people
from dispatcher.model.kinds import Channel, Severity
from dispatcher.model.person import Level, Person, Role
from dispatcher.model.states import BroadcastState
from dispatcher.services import accounting, incidents, playbooks, preapproval, sending, signals
from dispatcher.services.terms import Limits, Terms
from tests.intake.table import SAMPLES
from tests.services.signal_world import open_door, open_world, post

BOOK = """
id = "all"
title = "Everything"
[[when]]
[incident]
title = "{title}"
[promise_minutes]
critical = 20
[facts.problem]
say = "Customers have trouble with {services[0]}."
[facts.affected]
say = ["online orders"]
[facts.unknown]
say = ["We do not know the cause yet."]
[facts.doing]
say = "Our engineers are working on it."
[facts.since]
say = "{occurred_at}"
[[draft]]
template = "holding-statement"
preapproval = "first word"
send = SEND
"""
LIMITS = {
    "problem": Limits(matches=r"Customers have trouble with [a-z ]{1,40}\."),
    "affected": Limits(one_of=("online orders",)),
    "unknown": Limits(one_of=("We do not know the cause yet.",)),
    "doing": Limits(one_of=("Our engineers are working on it.",)),
    "since": Limits(within_hours=2),
}


@pytest.fixture
def build(tmp_path):
    made = []

    def world_with(*, send="true", **terms):
        world = open_world(tmp_path, book=BOOK.replace("SEND", send), mode="live")
        world.add_account("mail", Channel.EMAIL)
        with world.ctx.ledger.write() as tx:
            version = audiences.open_version(tx, "customers", fields=[], source="x", region="", imported_by=None, now=0)
            tx.change("UPDATE audience_version SET size = 3 WHERE id = :id", id=version.id)
            roles = {"Ana": Role.AUTHOR, "Ben": Role.APPROVER, "Olu": Role.OPERATOR}
            found = {
                name: people.add(tx, Person(0, name, roles=frozenset({role}), level=Level.DIRECTOR), 1)
                for name, role in roles.items()
            }
        world.audience(3, version=version.id)
        world.olu = found["Olu"]
        given = {
            "template": "holding-statement", "channels": (Channel.EMAIL,), "audience": "customers",
            "audience_most": 10, "ends": world.clock.now() + timedelta(days=30), "facts": LIMITS, "unattended": True,
            "promise_minutes": 60, "warnings": {"L43": "what a machine says is believed"},
        }  # fmt: skip
        preapproval.add(world.ctx, found["Ana"], "first word", Terms(**(given | terms)))
        preapproval.approve(world.ctx, found["Ben"], "first word")
        made.append(world)
        return world

    yield world_with
    for world in made:
        world.ctx.ledger.close()


def fire(world, service="checkout"):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    payload = sample.event("incident.triggered", "P", world.clock.now())
    payload["event"]["data"]["service"]["summary"] = service
    post(world, door, payload)
    signals.apply(world.ctx)
    view = incidents.show(world.ctx, "INC-1")
    return view.broadcasts[-1], {entry.verb: entry.detail for entry in view.timeline}


def test_within_its_limits_it_goes_with_the_undo_window_and_is_shown_as_such(build):
    world = build()
    made, said = fire(world)
    assert made.state is BroadcastState.RELEASED, said.get("playbook could not")
    assert made.release_at == world.clock.now() + timedelta(seconds=10)
    assert accounting.show(world.ctx, made.ref).approved_by == ("pre-approval first word",)
    (signal,) = signals.recent(world.ctx, limit=1)
    assert f"sent {made.ref} under pre-approval first word" in signal.detail


def test_what_a_person_took_back_is_not_sent_again(build):
    world = build()
    made, _ = fire(world)
    sending.undo(world.ctx, world.olu, made.ref)
    with world.ctx.ledger.write() as tx:  # as if the worker had died before it could note the signal as done
        tx.change("UPDATE signal SET done = 0")
        tx.change("UPDATE signal_post SET state = 0, lease_until = 0")
    signals.apply(world.ctx)
    (again,) = incidents.show(world.ctx, "INC-1").broadcasts
    assert (again.id, again.state) == (made.id, BroadcastState.APPROVED)


@pytest.mark.parametrize(
    ("terms", "service", "limit"),
    [
        ({}, "checkout; call +44 1632 960999", "problem"),
        ({"audience_most": 2}, "checkout", "audience_most"),
        ({"severities": (Severity.MINOR,)}, "checkout", "severities"),
        ({"promise_minutes": 5}, "checkout", "promise"),
    ],
)
def test_beyond_its_limits_it_stays_a_draft_for_the_ordinary_approval(build, terms, service, limit):
    made, said = fire(build(**terms), service)
    assert made.state is BroadcastState.DRAFT
    assert "pre-approval first word" in said["playbook could not"]
    assert limit in said["playbook could not"]


def test_where_playbook_or_terms_want_a_person_it_waits_for_one(build):
    made, _ = fire(build(send="false"))
    assert made.state is BroadcastState.APPROVED


def test_terms_that_want_a_person_win_over_the_playbook(build):
    made, said = fire(build(unattended=False))
    assert made.state is BroadcastState.APPROVED
    assert "may not send" in said["playbook could not"]


def test_a_playbook_cannot_send_what_nobody_approved(tmp_path):
    path = tmp_path / "bold.toml"
    path.write_text('id = "bold"\ntitle = "x"\n[[when]]\n[[draft]]\ntemplate = "holding-statement"\nsend = true\n')
    with pytest.raises(ConfigurationError) as caught:
        playbooks.read_file(path)
    assert "nothing else goes out by itself" in caught.value.why
