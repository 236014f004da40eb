"""A maker of machines says too early that no data of its customers is affected, and takes it back to everybody who
read it and to nobody else. Replayed with invented names, over eight days."""

import pytest

from dispatcher.errors import Refused
from dispatcher.model.incident import Visibility
from dispatcher.model.kinds import Channel, FactState, Severity
from dispatcher.model.outcome import Accepted, OutcomeUnknown, Rejected
from dispatcher.model.promise import Circle
from dispatcher.services import drafting, facts, incidents, reach, sending
from dispatcher.services.facts import Telling
from dispatcher.services.incidents import Change, Opening
from tests.services.replay_world import ON_ONE, House, days, hours, minutes, utc

START = utc(2026, 3, 2, 8, 0)
MAIL_AND_TEXT = (Channel.EMAIL, Channel.SMS)
CLAIM = "As of 08:30 GMT on 2 March 2026 we have found no sign that customer data was taken. We are still checking."
TRUTH = "Files with names and contact details of customers were copied."
HOLDING = {
    "problem": "Our workshops cannot order parts, and our assembly lines stand still.",
    "since": "2026-03-02 06:50 Europe/London",
    "affected": ["parts orders", "deliveries of new machines"],
    "unknown": ["We do not know yet how long this will last."],
    "doing": "Our teams are bringing the systems back, one after another.",
}
"""The fact sheet of the first hour, without the claim."""
UPDATE = {
    "summary": "Parts orders work again. Deliveries do not.",
    "changed": "Parts orders have worked again since 08:00 GMT on 2 March 2026.",
    "services": "parts orders:operational; deliveries of new machines:down",
}
"""News that says nothing of data."""


def sheet(house, values, state=FactState.CONFIRMED):
    raw = {(name, None): value for name, value in values.items()}
    return facts.set_facts(house.ctx, house.ana, house.incident, raw, Telling(state, source="the crisis team"))


def promise(house, span, circle=Circle.CUSTOMERS):
    incidents.promise(house.ctx, house.ana, house.incident, house.now() + span, circle=circle)


@pytest.fixture
def house(tmp_path, database_url):
    made = House(tmp_path, "Wexcombe Machines", START, database_url)
    made.listed("customers", 6)
    made.listed("suppliers", 3, first=11)
    made.listed("press", 2, first=21, phones=False)
    made.listed("employees", 4, first=31)
    made.listed("dealers", 2, first=41)
    opening = Opening("Plants stand still", severity=Severity.CRITICAL)
    made.incident = incidents.open_incident(made.ctx, made.ana, opening).ref
    yield made
    made.ctx.ledger.close()


def told_too_early(house):
    """The first hour: the claim goes to customers, suppliers and press; a lost answer and a full box on the way."""
    sheet(house, HOLDING | {"known": [CLAIM]}, FactState.BELIEVED)
    house.until(START + minutes(3))
    promise(house, minutes(17))
    promise(house, hours(4), Circle.SUPPLIERS)
    customers = house.say("holding-statement", "customers", channels=MAIL_AND_TEXT, passing=["L43", "L45"])
    house.mail.script.append([Accepted("m"), Rejected("the box is full"), OutcomeUnknown("answer lost")])
    suppliers = house.say("holding-statement", "suppliers", passing=["L43", "L45"])
    house.until(START + minutes(9))
    sheet(house, HOLDING | {"known": [CLAIM]})
    promise(house, minutes(50), Circle.PRESS)
    press = house.say("holding-statement", "press", passing=["L45"])
    return customers, suppliers, press


def mended(house, draft):
    """The draft of a correction, with what was wrong and what is right."""
    words = {
        "wrong": "We said that we had found no sign that customer data was taken.",
        "right": TRUTH,
        "right_since": "2026-03-09 21:00 Europe/London",
        "what_it_means": "We will write to each person whose data was copied, and say which data.",
    }
    raw = {(name, None): value for name, value in words.items()}
    return drafting.edit(house.ctx, house.ana, draft.ref, raw)


def released_for_later(house, at):
    """The claim once more, to dealers, promising the next word for some hours after it will go out."""
    made = house.drafted("holding-statement", "dealers")
    drafting.edit(house.ctx, house.ana, made.ref, {}, next_at=at + hours(6))
    house.approved(made, passing=["L45"])
    return sending.send(house.ctx, house.olu, made.ref, confirm_audience=2, at=at)


@ON_ONE
def test_what_nobody_can_know_yet_is_not_said_in_the_first_hour(house):
    sheet(house, HOLDING)
    promise(house, minutes(17))
    said = {
        "Customer data is safe.": ("faults", "L07"),
        "No customer data is affected.": ("warnings", "L06"),
        "We have found no sign that customer data was taken.": ("warnings", "L06"),
    }
    for words, (kind, code) in said.items():
        made = house.drafted("holding-statement", "customers", {"known": [words]})
        assert code in getattr(house, kind)(made), words
    dated = house.drafted("holding-statement", "customers", {"known": [CLAIM]})
    assert (house.faults(dated), house.warnings(dated)) == (set(), {"L45"})


def test_the_claim_is_taken_back_to_exactly_those_who_read_it(house):
    customers, suppliers, press = told_too_early(house)
    assert len(house.told(customers)) == 12, "six people, by mail and by text"
    assert house.sums(suppliers) == {"email": {"accepted": 1, "failed": 1, "unknown": 1}}
    update = house.say("outage-update", "customers", UPDATE)
    waits = house.approved(house.drafted("holding-statement", "employees"), passing=["L45"])
    house.until(START + days(8), every=6 * 3600)
    later = released_for_later(house, START + days(9))

    done = facts.retract_fact(house.ctx, house.ana, house.incident, "known", "copied files were found")
    assert [one.ref for one in done.told_by] == [customers.ref, suppliers.ref, press.ref, later.ref]
    assert update.ref not in [one.ref for one in done.told_by], "it never said so"
    assert [one.ref for one in done.would_tell] == [waits.ref]
    with pytest.raises(Refused, match="known"):
        house.released(waits)
    assert [one.origin_id for one in done.drafts] == [customers.id, suppliers.id, press.id]
    house.until(START + days(9) + hours(1), every=3600)
    assert house.sums(later) == {"email": {"held": 2}}, "released for later, and held by the retraction"

    drafts = [mended(house, one) for one in done.drafts]
    assert house.faults(drafts[0]) == {"L03"}, "it would tell the promise of the first day"
    for circle in (Circle.CUSTOMERS, Circle.SUPPLIERS, Circle.PRESS):
        promise(house, hours(6), circle)
    assert [house.faults(one) | house.warnings(one) for one in drafts] == [set()] * 3
    fixes = [house.sent(one) for one in drafts]
    assert house.told(fixes[0]) == house.told(customers)
    assert house.told(fixes[1]) == ["p11@example.com", "p13@example.com"], "the lost answer may have been read"
    assert house.told(fixes[2]) == house.told(press)
    assert f"message {customers.code} of 2 March 2026" in house.read(fixes[0])
    assert f"message {customers.code}" in house.read(fixes[0], "sms")
    for one in (customers, suppliers, press):
        found = reach.of(house.ctx, one.ref)
        assert (found.relation, found.missing, found.stands["told"]) == ("correction", 0, found.read + found.perhaps)
        assert list(reach.missed(house.ctx, house.olu, one.ref)) == []
    assert house.view().tally.people_reached == 6 + 2 + 2


@ON_ONE
def test_a_correction_that_reached_only_some_says_who_still_believes_it(house):
    customers, _, _ = told_too_early(house)
    house.until(START + hours(6), every=3600)
    facts.retract_fact(house.ctx, house.ana, house.incident, "known", "copied files were found")
    promise(house, hours(1))
    [draft] = [one for one in house.view().broadcasts if one.origin_id == customers.id]
    bounced = [Rejected("gone")] + [Accepted("m")] * 5
    house.mail.script.append(bounced)
    house.text.script.append(Rejected("gone"))
    fix = house.sent(mended(house, draft))
    assert house.sums(fix) == {"email": {"accepted": 5, "failed": 1}, "sms": {"accepted": 5, "failed": 1}}
    found = reach.of(house.ctx, customers.ref)
    assert (found.read, found.missing, dict(found.stands)["not told"]) == (6, 1, 1)
    [left] = reach.missed(house.ctx, house.olu, customers.ref)
    assert (left["email"], left["stands"]) == ("p1@example.com", "not told")


@ON_ONE
def test_the_public_reads_the_wrong_words_and_below_them_never_above_the_right_ones(house):
    customers, suppliers, press = told_too_early(house)
    house.until(START + hours(6), every=3600)
    assert "no sign that customer data was taken" in house.public()["incidents"][0]["incident_updates"][0]["body"]
    done = facts.retract_fact(house.ctx, house.ana, house.incident, "known", "copied files were found")
    promise(house, hours(1))
    house.sent(mended(house, done.drafts[0]))
    [shown] = house.public()["incidents"]
    newest, *older = shown["incident_updates"]
    assert shown["name"] == "Correction: we told you something wrong"
    assert TRUTH in newest["body"]
    assert [one["id"] for one in older] == [press.ref, suppliers.ref, customers.ref], "nothing is edited in silence"
    assert house.public(f"verify/{customers.code}/index.html")
    incidents.update(house.ctx, house.ana, house.incident, Change(visibility=Visibility.PRIVATE))
    assert house.public()["incidents"] == []
