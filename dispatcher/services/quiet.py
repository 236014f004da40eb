"""Quiet hours of our own people: a reminder that can wait does, and wakes nobody.

They are read in each person's own zone, and hold for what is minor only. Nothing that readers were promised, and no
regulator's clock, is broken for somebody's sleep: what falls due before the quiet ends is told at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dispatcher.model.incident import Incident
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Person
from dispatcher.model.promise import Promise, PromiseKind
from dispatcher.services.context import Context


def apply(ctx: Context, incident: Incident) -> bool:
    """Whether quiet hours hold for reminders about this incident."""
    return bool(ctx.settings.reminders.quiet) and incident.severity.rank > Severity.MAJOR.rank


def sleeps_until(ctx: Context, person: Person, now: datetime) -> datetime | None:
    """When the quiet hours in which this person is now end; None for somebody awake. Of an hour that comes twice the
    second is no quiet one any more."""
    begins, ends = ctx.settings.reminders.quiet_hours()
    zone = ZoneInfo(person.zone or ctx.settings.organisation.time_zone)
    local = now.astimezone(zone)
    overnight = ends <= begins
    clock = local.time().replace(tzinfo=None)
    if not (clock >= begins or clock < ends if overnight else begins <= clock < ends):
        return None
    day = local.date() + timedelta(days=1 if overnight and clock >= begins else 0)
    until = datetime.combine(day, ends, tzinfo=zone).astimezone(UTC)
    return until if until > now else None


def awake(ctx: Context, chain: Sequence[Person], now: datetime) -> list[Person]:
    """Those whom a reminder wakes not."""
    return [person for person in chain if sleeps_until(ctx, person, now) is None]


def wait(ctx: Context, chain: Sequence[Person], promise: Promise, now: datetime) -> datetime | None:
    """Until when a reminder waits for the first of these to get up; None where it must not, or nobody sleeps."""
    ends = [until for person in chain if (until := sleeps_until(ctx, person, now)) is not None]
    if not ends or len(ends) < len(chain) or promise.kind is PromiseKind.DUTY:
        return None
    until = min(ends)
    return None if promise.kind is PromiseKind.PROMISE and promise.due_at <= until else until
