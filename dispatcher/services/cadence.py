"""When the next word is due by the settings: the longest silence at an incident's age, and the hour it falls on.

Long incidents speak at fixed local hours, which are worked out here and kept as UTC. An hour that a clock change skips
is the one after the gap; an hour that comes twice is the first of the two.
"""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dispatcher.model.incident import Incident
from dispatcher.model.promise import Circle
from dispatcher.services.context import Context
from dispatcher.settings.cadence import business_days, length

HALF_DAY, DAY = timedelta(hours=12), timedelta(days=1)
_CLOCK_CHANGE = timedelta(hours=1)
_STAGES = (timedelta(hours=2), DAY, timedelta(days=7))
_FIRST_STAGE = 2


def first_word(ctx: Context, incident: Incident, circle: Circle) -> timedelta | None:
    """How soon after it began these readers hear of it; None where only a change is told."""
    return ctx.settings.cadence.row(circle, incident.severity)[0]


def scope_after(ctx: Context, incident: Incident, circle: Circle) -> timedelta | None:
    """How soon after the first word they hear how far it reaches."""
    return ctx.settings.cadence.row(circle, incident.severity)[1]


def interval(ctx: Context, incident: Incident, circle: Circle, now: datetime) -> timedelta | None:
    """The longest silence at this age and severity; None where only a change is told."""
    age = now - incident.opened_at
    stage = _FIRST_STAGE + sum(age >= end for end in _STAGES)
    return ctx.settings.cadence.row(circle, incident.severity)[stage]


def next_due(ctx: Context, span: timedelta, now: datetime) -> datetime:
    """When the next word is due after this silence: a long silence ends at a fixed local hour."""
    if span < HALF_DAY:
        return now + span
    zone = ZoneInfo(ctx.settings.organisation.time_zone)
    hours = [time.fromisoformat(hour) for hour in ctx.settings.cadence.fixed_hours]
    if not hours:
        return now + span
    local = now.astimezone(zone)
    if span < DAY:
        later = (_at(local.date() + timedelta(days=d), hour, zone) for d in (0, 1, 2) for hour in hours)
        return next(moment for moment in later if moment > now + span / 4)  # a word just before 09:00 is that of 09:00
    day = local.date() + timedelta(days=span.days)
    before = [hour for hour in hours if hour <= local.time()]
    return _at(day, before[-1] if before else hours[0], zone)


def latest(ctx: Context, span: timedelta, now: datetime) -> datetime:
    """The last moment that this silence allows. A day with a clock change may be an hour longer."""
    slack = _CLOCK_CHANGE if span >= HALF_DAY else timedelta()
    return max(now + span + slack, next_due(ctx, span, now))


def _at(day: date, hour: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, hour, tzinfo=zone).astimezone(UTC)


def duty_due(ctx: Context, name: str, since: datetime) -> datetime:
    """When a regulator must have heard, counted from the moment we knew."""
    text = ctx.settings.duties.all()[name]
    if days := business_days(text):
        return _business_day(ctx, since, days)
    return since + (length(text) or timedelta())


def _business_day(ctx: Context, since: datetime, days: int) -> datetime:
    """The end of the n-th business day after, in the organisation's zone."""
    zone = ZoneInfo(ctx.settings.organisation.time_zone)
    day = since.astimezone(zone).date()
    while days:
        day += DAY
        days -= day.weekday() < 5 and day.isoformat() not in ctx.settings.duties.holidays
    return _at(day, time(23, 59), zone)
