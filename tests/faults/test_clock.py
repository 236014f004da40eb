"""Clocks that step and days that have 23 or 25 hours: releases and expiries are instants, not times of day."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispatcher.ledger import controls
from dispatcher.ledger.engine import wal_is_safe
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.kinds import Channel
from dispatcher.services import ticking
from tests.services.world import World

pytestmark = pytest.mark.faults
ZONES = {  # six that change their clocks, with both changes; then a leap day, and one that changes them no more
    "Europe/London": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "Europe/Berlin": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "America/New_York": (datetime(2026, 3, 8, 7, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "Pacific/Auckland": (datetime(2026, 4, 4, 14, tzinfo=UTC), datetime(2026, 9, 26, 14, tzinfo=UTC)),
    "America/Santiago": (datetime(2026, 4, 5, 3, tzinfo=UTC), datetime(2026, 9, 6, 4, tzinfo=UTC)),
    "Asia/Kathmandu": (datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 2, 29, tzinfo=UTC)),
    "America/Sao_Paulo": (datetime(2026, 2, 15, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)),
}


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}")
    made.add_account("mail", Channel.EMAIL)
    made.audience(10)
    yield made
    made.ctx.ledger.close()


@pytest.mark.parametrize("zone", ZONES)
def test_an_hour_is_an_hour_across_every_change_of_clocks(world, zone):
    vendor = world.vendors["mail"]
    for told, change in enumerate(ZONES[zone]):
        world.clock.moment = (change - timedelta(minutes=30)).astimezone(ZoneInfo(zone)).astimezone(UTC)
        world.release(world.broadcast(["email"], {"email": ["mail"]}, expires=3600), after=3600)
        world.clock.pass_by(3599)
        ticking.tick(world.ctx)
        world.drain("email")
        assert len(vendor.calls) == told
        world.clock.pass_by(2)
        world.drain("email")
        assert len(vendor.calls) == told + 1


def test_stored_instants_come_back_in_the_repeated_hour():
    first = datetime(2026, 10, 25, 1, 30, tzinfo=ZoneInfo("Europe/London"))
    second = first.replace(fold=1)
    assert to_ms(second) - to_ms(first) == 3_600_000
    assert from_ms(to_ms(second)) == second.astimezone(UTC)


def test_a_step_back_sends_nothing_twice(world):
    world.release(world.broadcast(["email"], {"email": ["mail"]}))
    world.drain("email")
    world.clock.moment -= timedelta(hours=1)
    ticking.tick(world.ctx)
    world.drain("email")
    assert len(world.vendors["mail"].calls) == 1


def test_a_step_forward_expires_what_it_must_and_sends_nothing_late(world):
    made = world.broadcast(["email"], {"email": ["mail"]}, expires=600)
    world.release(made, after=60)
    world.clock.moment += timedelta(hours=1)
    world.drain("email")
    ticking.tick(world.ctx)
    assert world.vendors["mail"].calls == []
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, made)["email"].state == "expired"


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 40, 1), False), ((3, 44, 5), False), ((3, 44, 6), True), ((3, 50, 6), False), ((3, 50, 7), True),
        ((3, 51, 2), False), ((3, 51, 3), True), ((3, 52, 0), True), ((4, 0, 0), True), ((3, 45, 9), False),
    ],
)  # fmt: skip
def test_the_gate_for_the_write_ahead_log(version, safe):
    assert wal_is_safe(version) is safe
