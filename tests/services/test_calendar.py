"""Promises and reminders as our own people's calendars show them."""

from datetime import timedelta

import icalendar
import pytest

from dispatcher.ledger import people
from dispatcher.model.kinds import Mode
from dispatcher.model.person import Person, Role
from dispatcher.services import calendar, incidents
from dispatcher.services.incidents import Opening
from tests.services.world import World


@pytest.fixture
def world(tmp_path, database_url):
    world = World(tmp_path, database_url)
    with world.ctx.ledger.write() as tx:
        world.ana = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), 1)
    yield world
    world.ctx.ledger.close()


def events(world, ref=""):
    return icalendar.Calendar.from_ical(calendar.upcoming(world.ctx, ref)).walk("VEVENT")


def test_a_promise_and_its_reminders_are_there_until_they_are_over(world):
    due = world.clock.now() + timedelta(minutes=30)
    opening = Opening("Tills; down, all", mode=Mode.DRILL, next_update_at=due)
    made = incidents.open_incident(world.ctx, world.ana, opening)
    found = events(world)
    (promise,) = [e for e in found if "customers" in e["summary"] and "promised" in e["summary"]]
    assert promise.decoded("dtstart") == due
    assert "EXERCISE. Tills; down, all." in promise["description"]
    reminders = [e for e in found if str(e["uid"]).startswith("reminder-") and "customers" in e["summary"]]
    assert {r.decoded("dtstart") for r in reminders} >= {due - timedelta(minutes=7.5), due, due + timedelta(minutes=30)}
    assert {str(e["uid"]) for e in events(world, made.ref)} == {str(e["uid"]) for e in found}
    incidents.close(world.ctx, world.ana, made.ref)
    assert events(world) == []
