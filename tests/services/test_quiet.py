"""Quiet hours of our own people: what waits, for whom, and what never does."""

from datetime import UTC, datetime

import pytest

from dispatcher.errors import ConfigurationError
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Severity
from dispatcher.services import incidents, quiet, reminders
from dispatcher.services.incidents import Change, Opening
from tests.services.test_reminders import NAMES, add, live_on, promised
from tests.services.world import World


def sleepy(tmp_path, *zones, hours="22:00-07:00", start=datetime(2026, 3, 1, 23, 0, tzinfo=UTC), **more):
    """Ana, Ben, … in these zones on the rota; it is an hour into the quiet hours of UTC."""
    world = World(tmp_path, **{"reminders.quiet": hours, "organisation.time_zone": "UTC"})
    world.clock.moment = start
    world.add_account("m", Channel.EMAIL)
    world.crew = [add(world, name, zone=zone) for name, zone in zip(NAMES, zones, strict=False)]
    reminders.set_rota(world.ctx, world.crew[0], world.crew)
    return world


def told(world):
    """(step, time in UTC, person)."""
    found = [r for r in reminders.listing(world.ctx, ended_too=True) if r.told_at]
    return [(r.step, f"{r.told_at:%d %H:%M}", r.person) for r in found]


def test_what_is_minor_waits_for_the_first_who_gets_up(tmp_path):
    """Paris gets up at 06:00 UTC, London at seven; the promise is due at eleven."""
    world = sleepy(tmp_path, "UTC", "Europe/Paris")
    promised(world, 12 * 60)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE reminder SET due_at = :at WHERE step = 'early'", at=to_ms(world.clock.now()) + 3_600_000)
    live_on(world, 9 * 60, step=600)
    assert told(world)[0] == ("early", "02 06:00", "Ben")
    verbs = [e.verb for e in incidents.show(world.ctx, "INC-1").timeline]
    assert verbs.count("reminder waits: quiet hours") == 1


def test_somebody_awake_hears_it_instead(tmp_path):
    world = sleepy(tmp_path, "UTC", "Asia/Tokyo")
    promised(world, 60)
    live_on(world, 61)
    assert told(world) == [("early", "01 23:45", "Ben"), ("due", "02 00:00", "Ben")]


@pytest.mark.parametrize("severity", [Severity.MAJOR, Severity.CRITICAL, Severity.LIFE_SAFETY])
def test_nothing_worse_than_minor_waits(tmp_path, severity):
    world = sleepy(tmp_path, "UTC")
    incidents.open_incident(world.ctx, world.crew[0], Opening("Orders stopped", severity=severity))
    live_on(world, 30)
    assert [person for _, _, person in told(world)][:1] == ["Ana"]


def test_what_turns_out_worse_than_minor_waits_no_longer(tmp_path):
    world = sleepy(tmp_path, "UTC")
    promised(world, 12 * 60)
    with world.ctx.ledger.write() as tx:
        soon = to_ms(world.clock.now()) + 60_000
        tx.change("UPDATE reminder SET due_at = :at, planned_at = :at WHERE step = 'early'", at=soon)
    live_on(world, 5)
    assert told(world) == []
    incidents.update(world.ctx, world.crew[0], "INC-1", Change(severity=Severity.CRITICAL))
    live_on(world, 2)
    assert told(world) == [("early", "01 23:06", "Ana")]


def test_a_promise_to_readers_and_a_regulators_clock_are_never_slept_through(tmp_path):
    world = sleepy(tmp_path, "UTC")
    promised(world, 60)
    incidents.duty(world.ctx, world.crew[0], "INC-1", "dora")
    live_on(world, 245, step=300)
    steps = [(r.clock, r.step) for r in reminders.listing(world.ctx, ended_too=True) if r.told_at]
    assert ("customers", "due") in steps
    assert ("dora", "early") in steps


@pytest.mark.parametrize(
    ("hours", "zone", "now", "until"),
    [
        ("22:00-07:00", "UTC", (2026, 3, 1, 21, 59), None),
        ("22:00-07:00", "UTC", (2026, 3, 1, 22, 0), (2026, 3, 2, 7, 0)),
        ("22:00-07:00", "UTC", (2026, 3, 2, 6, 59), (2026, 3, 2, 7, 0)),
        ("22:00-07:00", "UTC", (2026, 3, 2, 7, 0), None),
        ("12:00-14:00", "UTC", (2026, 3, 2, 13, 0), (2026, 3, 2, 14, 0)),
        ("12:00-14:00", "UTC", (2026, 3, 2, 14, 0), None),
        ("22:00-07:00", "Europe/London", (2026, 3, 28, 23, 0), (2026, 3, 29, 6, 0)),  # clocks go forward in the night
        ("22:00-07:00", "Europe/London", (2026, 10, 24, 23, 0), (2026, 10, 25, 7, 0)),  # and back
        ("22:00-01:30", "Europe/London", (2026, 10, 25, 0, 15), (2026, 10, 25, 0, 30)),
        ("22:00-01:30", "Europe/London", (2026, 10, 25, 1, 15), None),  # the second 01:15
    ],
)
def test_quiet_hours_end_by_the_local_clock(tmp_path, hours, zone, now, until):
    world = sleepy(tmp_path, zone, hours=hours)
    found = quiet.sleeps_until(world.ctx, world.crew[0], datetime(*now, tzinfo=UTC))
    assert found == (until and datetime(*until, tzinfo=UTC))


@pytest.mark.parametrize("hours", ["22-7", "22:00", "25:00-07:00", "07:00-07:00", "0\u0662:00-07:00"])
def test_hours_that_are_none_are_refused_at_the_start(tmp_path, hours):
    with pytest.raises(ConfigurationError) as refused:
        sleepy(tmp_path, "UTC", hours=hours)
    assert "reminders.quiet" in f"{refused.value.why} {refused.value.mend}"
