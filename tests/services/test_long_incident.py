"""A day of a critical incident, and the weeks after it, with a moved clock: the log of reminders beside the cadence."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from dispatcher.ledger import broadcasts, people
from dispatcher.ledger import promises as rows
from dispatcher.model.clock import to_ms
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Channel, Severity
from dispatcher.model.person import Person, Role
from dispatcher.model.promise import Circle, PromiseKind, PromiseState
from dispatcher.services import incidents, promises, reminders
from dispatcher.services.incidents import Change, Opening
from tests.services.world import World

START = datetime(2026, 3, 28, 10, 0, tzinfo=UTC)
"""A Saturday; the night after it London's clocks go forward."""
CREW = ("Ana", "Ben", "Cleo", "Dan")


def hours(n):
    return timedelta(hours=n)


def minutes(n):
    return timedelta(minutes=n)


class Newsroom:
    """The world, and a comms team that speaks when a plan says so."""

    def __init__(self, tmp_path):
        self.world = World(tmp_path, **{"organisation.time_zone": "Europe/London"})
        self.world.clock.moment = START
        self.world.add_account("m", Channel.EMAIL)
        self.world.audience(1, version=99)
        self.crew = [self._person(name) for name in CREW]
        reminders.set_rota(self.world.ctx, self.crew[0], self.crew)
        opening = Opening("Orders stopped", severity=Severity.CRITICAL)
        self.incident = incidents.open_incident(self.world.ctx, self.crew[0], opening)

    def _person(self, name):
        with self.world.ctx.ledger.write() as tx:
            wanted = Person(0, name, email=f"{name.lower()}@example.com", roles=frozenset({Role.AUTHOR}))
            return people.add(tx, wanted, to_ms(START))

    def until(self, moment):
        """The tick looks every minute."""
        while self.world.clock.now() < moment:
            self.world.clock.pass_by(60)
            reminders.run(self.world.ctx, to_ms(self.world.clock.now()))

    def say(self, template="outage-update"):
        """An update goes out now, and tells of the next one by the cadence."""
        world = self.world
        made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["m"]}, version=99)
        with world.ctx.ledger.write() as tx:
            due = promises.suggest(world.ctx, tx, self.incident, Circle.CUSTOMERS)
            told = to_ms(due) if due else None
            broadcasts.change(
                tx, made, incident_id=1, template_id=template, submitted_at=to_ms(world.clock.now()),
                next_update_at=told,
            )  # fmt: skip
        world.release(made)
        world.drain("email")
        reminders.run(world.ctx, to_ms(world.clock.now()))
        return due

    def told(self, clock="customers"):
        """(step, minutes since the promise's due time, person) of each reminder that went out, by time."""
        found = [r for r in reminders.listing(self.world.ctx, ended_too=True) if r.told_at and r.clock == clock]
        return [(r.step, (r.told_at - r.promised_at) / minutes(1), r.person) for r in found]

    def customers(self):
        with self.world.ctx.ledger.read() as tx:
            return [p for p in rows.of(tx, 1) if p.clock == "customers"]


@pytest.fixture
def newsroom(tmp_path):
    return Newsroom(tmp_path)


def test_a_day_of_a_critical_incident_beside_the_cadence(newsroom):
    """First word in 5 minutes, 20-minute updates for two hours, hourly to the day; one word is forgotten."""
    newsroom.until(START + minutes(4))
    spans = []
    while newsroom.world.clock.now() < START + hours(24):
        now = newsroom.world.clock.now()
        due = newsroom.say()
        spans.append((now - START, due - now))
        forgotten = START + hours(5) < due < START + hours(6) + minutes(1)
        newsroom.until(due + minutes(31) if forgotten else due - minutes(1))
    allowed = [(minutes(20), hours(2)), (hours(1), hours(24))]
    for age, span in spans:
        most = next(longest for longest, end in allowed if age < end)
        assert span == most, f"after {age}"
    late = [(step, at, person) for step, at, person in newsroom.told() if step.startswith(("due", "late"))]
    assert late == [("due", 0, "Ana"), ("late_5", 5, "Ben"), ("late_15", 15, "Cleo"), ("late_30", 30, "Dan")]
    early = [at for step, at, _ in newsroom.told() if step == "early"]
    assert len(early) == len(spans) + 1, "one for the first word, and one for each promise"
    assert set(early[1:]) == {-5.0, -15.0}, "a quarter of the interval before it is due"
    assert [step for step, _, _ in newsroom.told()].count("scope") == 1, "how far it reaches, 5 minutes after the first"
    states = [p.state for p in newsroom.customers()]
    assert states.count(PromiseState.MISSED) == 1
    assert states.count(PromiseState.OPEN) == 1
    assert set(states) == {PromiseState.KEPT, PromiseState.MISSED, PromiseState.OPEN}


def test_every_other_circle_is_reminded_by_its_own_cadence(newsroom):
    """Nobody speaks to them for a day: each is nudged about its first word at 75 %, at its time, and after."""
    newsroom.until(START + hours(24))
    own = {"employees": 5, "suppliers": 240, "press": 60, "executives": 120}
    for clock, due in own.items():
        found = [(step, at) for step, at, _ in newsroom.told(clock)]
        early = -(due * 0.25 // 1)
        assert found == [
            ("early", early), ("due", 0), ("late_5", 5), ("late_15", 15), ("late_30", 30),
        ], clock  # fmt: skip


def test_weeks_are_told_at_fixed_hours_and_the_clocks_change_moves_none(newsroom):
    """Days 2 to 7 twice a day at 09:00 and 17:00 London time, then weekly, over the change of clocks."""
    newsroom.until(START + minutes(4))
    newsroom.world.clock.moment = START + hours(25)
    dues = []
    while newsroom.world.clock.now() < START + timedelta(days=16) and len(dues) < 99:
        due = newsroom.say("daily-brief")
        dues.append(due)
        newsroom.world.clock.moment = due - minutes(2)
        reminders.run(newsroom.world.ctx, to_ms(newsroom.world.clock.now()))
    summer = {utc.hour for utc in dues}
    assert summer == {8, 16}, "09:00 and 17:00 are 08:00 and 16:00 UTC after the change"
    daily = [due for due in dues if due < START + timedelta(days=7)]
    assert len(daily) == len({due for due in daily}) == 12
    weekly = [b - a for a, b in pairwise(dues) if a > START + timedelta(days=7)]
    assert timedelta(days=7) in weekly
    assert all(timedelta(days=6) < span <= timedelta(days=7) for span in weekly)
    assert {p.state for p in newsroom.customers()[1:]} == {PromiseState.KEPT, PromiseState.OPEN}


def test_after_it_is_resolved_the_closing_note_the_apology_and_the_lessons_are_owed(newsroom):
    newsroom.until(START + minutes(4))
    newsroom.say()
    newsroom.until(START + minutes(15))
    incidents.update(newsroom.world.ctx, newsroom.crew[0], "INC-1", Change(phase=Phase.RESOLVED))
    newsroom.until(START + minutes(20))
    newsroom.say("full-restoration")
    now = START + minutes(15)
    with newsroom.world.ctx.ledger.read() as tx:
        found = {p.clock: (p.state, p.due_at - now) for p in rows.of(tx, 1) if p.kind is PromiseKind.TARGET}
    assert found["closing"] == (PromiseState.KEPT, minutes(30))
    assert found["apology"] == (PromiseState.OPEN, hours(24))
    assert found["lessons"] == (PromiseState.OPEN, timedelta(days=14))
    assert newsroom.customers()[-1].state is PromiseState.KEPT
