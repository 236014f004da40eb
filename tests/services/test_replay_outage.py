"""A day on which our cloud supplier is down: from its page's post through the playbook and the desk to the last word,
with one promise forgotten on the way. Invented names; the clock is moved, the rest is real."""

import pytest

from dispatcher.errors import Refused
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Channel, FactState
from dispatcher.model.person import Role
from dispatcher.services import approval, drafting, facts, incidents, still
from dispatcher.services.doors import Doors
from dispatcher.services.facts import Telling
from dispatcher.services.still import Wanted
from tests.intake.table import SAMPLES
from tests.services.replay_world import ON_ONE, House, hours, minutes, utc
from tests.services.signal_world import open_door, person, send

START = utc(2026, 3, 3, 6, 50)
SAMPLE = SAMPLES["statuspage"]
BOOK = """
id = "supplier"
title = "Our cloud is down"
[[when]]
tools = ["statuspage"]
[incident]
title = "Cloud: {title}"
phases = { identified = "identified", monitoring = "monitoring" }
at_end = "resolve"
[promise_minutes]
critical = 20
[words]
Payments = "parcel labels"
[facts.problem]
say = "Customers cannot print {words[0]}."
[facts.since]
say = "{occurred_at}"
[facts.services]
say = "{words[0]}:down"
[[draft]]
on = ["opened"]
template = "third-party-outage"
audience = "customers"
[[draft]]
on = ["resolved"]
template = "full-restoration"
audience = "customers"
[[tell]]
on = ["opened"]
whom = ["comms_lead", "operator"]
"""


@pytest.fixture
def house(tmp_path, database_url):
    folder = tmp_path / "playbooks"
    folder.mkdir()
    (folder / "supplier.toml").write_text(BOOK, encoding="utf-8")
    made = House(tmp_path, "Tidewell Parcels", START, database_url, playbooks_dir=str(folder))
    made.listed("customers", 5)
    made.admin = person(made, "Ada", Role.ADMIN)
    made.doors = Doors(made.ctx)
    made.door = open_door(made, "statuspage")
    made.clock.moment = START
    yield made
    made.ctx.ledger.close()


def post(house, state):
    """The supplier's page changes; its post is taken, judged and applied."""
    return send(house, house.door, SAMPLE.incident(state, "S-1", house.now()))


def begin(house):
    """The signal, what the playbook made of it, and the author's part of the draft."""
    assert post(house, "investigating") == ["opened"]
    house.incident = "INC-1"
    house.look()
    [draft] = house.view().broadcasts
    return draft


def first_word(house):
    draft = begin(house)
    house.until(START + minutes(4))
    sheet(house, problem="Customers cannot print parcel labels.", since="2026-03-03 06:48 Europe/London",
          services="parcel labels:down; parcel tracking:operational",
          doing="We print labels at our depots with a second service.")  # fmt: skip
    approval.submit(house.ctx, house.ana, draft.ref)
    house.until(START + minutes(6))
    [waiting] = house.view().broadcasts
    approval.approve(house.ctx, house.crew["Lea"], waiting.ref, seen=waiting.digest)
    return house.released(waiting)


def sheet(house, **values):
    raw = {(name, None): value for name, value in values.items()}
    facts.set_facts(house.ctx, house.ana, house.incident, raw, Telling(FactState.CONFIRMED))


def news(house, words, **more):
    """`incident still` with one new sentence, from the draft to the hand-over."""
    given = {"summary": words, "changed": words, **more}
    made = still.draft(house.ctx, house.ana, house.incident, Wanted(
        facts={(name, None): value for name, value in given.items()},
        channels=(Channel.EMAIL,), template="outage-update",
    ))  # fmt: skip
    return house.sent(made)


def shown(house):
    """What the status page says of it: phase, components, and how many updates."""
    [one] = house.public("api/v2/incidents.json")["incidents"]
    parts = {part["name"]: part["status"] for part in house.public()["components"]}
    return one["status"], parts, [update["id"] for update in one["incident_updates"]]


def test_from_the_suppliers_page_to_the_first_word(house):
    draft = begin(house)
    assert (draft.template_id, draft.author_id, draft.state) == ("third-party-outage", 0, "draft")
    assert house.view().incident.next_update_at == START + minutes(20)
    assert {fact.state for fact in house.view().facts} == {FactState.BELIEVED}
    assert house.notices() == {"Lea": 1, "Olu": 1}, "those whom the playbook names, once each"
    assert house.faults(draft) == {"E-FACT"}, "what we do ourselves no signal knows"
    with pytest.raises(Refused):
        approval.submit(house.ctx, house.ana, draft.ref)
    assert house.public()["incidents"] == [], "a signal shows nothing to anybody"


@ON_ONE
def test_the_desk_the_hand_over_and_what_the_page_then_shows(house):
    out = first_word(house)
    assert len(house.told(out)) == 5 + 5 + 1, "mail, text, and our own account"
    assert {name: one["accepted"] for name, one in house.sums(out).items()} == {"email": 5, "sms": 5, "social": 1}
    assert (house.view().tally.first_word_minutes, house.view().tally.people_reached) == (6.0, 5)
    assert house.notices()["Lea"] == 2, "the alarm, and that words wait for her yes"
    assert shown(house) == (
        "investigating",
        {"parcel labels": "major_outage", "parcel tracking": "operational"},
        ["B-1"],
    )
    assert "07:10 GMT" in house.read(out, "sms")
    with pytest.raises(Refused):
        house.released(house.agreed(drafting.edit(house.ctx, house.ana, out.ref, {})))


@ON_ONE
def test_the_same_post_again_and_a_late_one_change_nothing(house):
    first_word(house)
    before = house.view()
    again = SAMPLE.incident("investigating", "S-1", START)
    assert send(house, house.door, again) == []
    assert post(house, "investigating") == ["same"]
    assert (house.view().facts, house.view().broadcasts) == (before.facts, before.broadcasts)


@ON_ONE
def test_a_forgotten_promise_is_reminded_five_times_and_stays_on_record(house):
    first_word(house)
    house.until(START + minutes(19))
    second = news(house, "Two of our depots print labels again.")
    assert house.ends() == ["dropped", "kept", "open"], "our own target gave way to the playbook's promise"
    due = START + minutes(39)
    assert house.view().incident.next_update_at == due
    house.until(due + minutes(31))
    assert house.nudges()[-5:] == [
        ("early", -5, "Ana"), ("due", 0, "Ana"), ("late_5", 5, "Ben"), ("late_15", 15, "Lea"), ("late_30", 30, "Dora"),
    ]  # fmt: skip
    third = news(house, "Five of our depots print labels again.")
    assert house.ends() == ["dropped", "kept", "missed", "open"]
    assert shown(house)[2] == [third.ref, second.ref, "B-1"]
    with pytest.raises(Refused, match="Nothing is new"):
        still.draft(house.ctx, house.ana, house.incident, Wanted())


@ON_ONE
def test_the_day_ends_resolved_with_words_then_closed(house):
    first_word(house)
    house.until(START + minutes(15))
    assert post(house, "identified") == ["moved"]
    assert shown(house)[0] == "investigating", "what a tool says is public once words follow"
    house.until(START + minutes(19))
    news(house, "Our supplier has found the fault.")
    assert shown(house)[0] == "identified"
    incidents.promise(house.ctx, house.ana, "INC-1", house.now() + hours(4), every=hours(4))
    house.until(START + hours(4), every=300)
    news(house, "Labels print again in all depots, slowly.", services="parcel labels:degraded")
    assert shown(house)[:2] == ("identified", {"parcel labels": "degraded_performance"})
    house.until(START + hours(7), every=300)
    assert post(house, "resolved") == ["moved"]
    assert house.view().incident.phase is Phase.RESOLVED
    assert shown(house)[0] == "identified", "over for the tool, not yet said by us"
    [closing] = [one for one in house.view().broadcasts if one.template_id == "full-restoration"]
    assert house.faults(closing) == {"E-FACT"}
    sheet(house, restored="Parcel labels print again.", restored_at="2026-03-03 13:50 Europe/London",
          services="parcel labels:degraded; parcel tracking:operational")  # fmt: skip
    assert house.faults(closing) == {"L36"}, "no all-clear while one service is slow"
    sheet(house, services="parcel labels:operational; parcel tracking:operational")
    last = house.sent(closing)
    assert len(house.told(last)) == 11
    assert shown(house)[0] == "resolved"
    assert set(shown(house)[1].values()) <= {"operational"}
    assert house.public()["incidents"] == [], "no longer among the open ones"
    assert house.ends("closing") == ["kept"]
    assert house.ends() == ["dropped", "kept", "moved", "kept", "kept"], "the slower pace was announced"
    incidents.close(house.ctx, house.ana, "INC-1", lesson="A second service stands ready.")
    nudged = house.notices()
    house.until(START + hours(24), every=3600)
    assert house.notices() == nudged, "a closed incident reminds nobody"
    assert shown(house)[0] == "resolved"
    assert "missed" not in house.ends()
