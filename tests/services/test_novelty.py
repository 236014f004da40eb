"""A third update in a row that tells nothing new is warned of; one new fact, or other readers, and it is not."""

from datetime import timedelta

import pytest

from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.services import approval, checking, drafting, facts, incidents, promises, sending
from dispatcher.services.incidents import Opening
from tests.services.desk import Desk

STANDS = {
    "summary": "Online orders are down.",
    "services": "online orders:down",
    "workaround": "You can order by phone.",
}
IDLE = (
    {"changed": "Nothing has changed since our last update.", "doing": "We are still working on it."},
    {"changed": "There is no news yet.", "doing": "Our engineers are working to fix the problem."},
    {"changed": "The situation is unchanged.", "doing": "We continue to investigate."},
)
NEWS = {"changed": "Our supplier has sent a new part.", "doing": "We build it in now."}


@pytest.fixture
def desk(tmp_path, database_url):
    made = Desk(tmp_path, database_url, **{"organisation.verify_url": "https://example.com/verify"})
    opening = Opening("Orders stopped", severity=Severity.MINOR, mode=Mode.LIVE)
    incidents.open_incident(made.ctx, made.ana, opening)
    yield made
    made.ctx.ledger.close()


def update(desk, facts, **more):
    incidents.promise(desk.ctx, desk.ana, "INC-1", desk.clock.now() + timedelta(minutes=90))
    given = {"incident": "INC-1", "severity": Severity.MINOR} | more
    return desk.draft("outage-update", facts=STANDS | facts, **given)


def out(desk, facts, **more):
    made = update(desk, facts, **more)
    send(desk, made)
    desk.clock.pass_by(40 * 60)
    return made


def send(desk, made):
    approval.submit(desk.ctx, desk.ana, made.ref)
    approval.approve(desk.ctx, desk.ben, made.ref)
    sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5, undo=0)
    desk.drain("email")
    promises.hear(desk.ctx, to_ms(desk.clock.now()))


def warned(desk, made):
    return [one for one in checking.check(desk.ctx, made.ref).findings if one.code == "W-NEWS"]


def test_the_third_that_tells_nothing_new_is_warned_of_and_the_mend_is_said(desk):
    first = out(desk, IDLE[0])
    second = out(desk, IDLE[1])
    [told] = warned(desk, update(desk, IDLE[2]))
    assert told.level == "warning"
    assert told.what == f"It tells nothing that {first.ref} and {second.ref} have not told already."
    assert "dispatcher fact set INC-1 NAME=VALUE" in told.mend
    assert "--every 4h" in told.mend


def test_one_new_fact_is_enough_and_so_is_one_in_between(desk):
    out(desk, IDLE[0])
    assert warned(desk, update(desk, IDLE[1])) == []
    out(desk, NEWS)
    assert warned(desk, update(desk, IDLE[1])) == []
    out(desk, IDLE[2])
    assert warned(desk, update(desk, NEWS | {"changed": "The new part works."})) == []
    assert warned(desk, update(desk, IDLE[1] | {"services": "online orders:operational"})) == []


def same_again(desk, made):
    return [one.what for one in checking.check(desk.ctx, made.ref).findings if one.code == "W-SAME"]


def test_the_same_again_within_half_an_hour_is_warned_of_and_what_the_fact_sheet_says_now_is_not_the_same(desk):
    """Both are drafted from the fact sheet alone, as the next word usually is."""

    def sheet(**values):
        facts.set_facts(desk.ctx, desk.ana, "INC-1", {(name, None): value for name, value in values.items()})

    def bare():
        wanted = drafting.Draft("outage-update", audience="customers", channels=[Channel.EMAIL], incident="INC-1")
        return drafting.draft(desk.ctx, desk.ana, wanted)

    sheet(**STANDS, **NEWS)
    incidents.promise(desk.ctx, desk.ana, "INC-1", desk.clock.now() + timedelta(minutes=90))
    send(desk, first := bare())
    desk.clock.pass_by(20 * 60)
    assert same_again(desk, second := bare()) == [f"{first.ref} said the same to the same people within 30 minutes."]
    sheet(changed="The new part works.")
    assert same_again(desk, second) == []


def test_other_readers_have_not_had_it(desk):
    desk.listed("suppliers", 5, number=1)
    out(desk, IDLE[0])
    out(desk, IDLE[1], audience="suppliers")
    assert warned(desk, update(desk, IDLE[2])) == []
