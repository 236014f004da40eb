"""The promise clocks: what is owed to whom and until when, and what becomes of each promise."""

from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.errors import NotFound, UsageError
from dispatcher.ledger import audiences, broadcasts, incidents
from dispatcher.ledger import promises as rows
from dispatcher.model.clock import to_ms
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Channel, Severity
from dispatcher.model.promise import Circle, PromiseKind, PromiseState
from dispatcher.services import cadence, promises, report
from dispatcher.services import incidents as service
from dispatcher.services.incidents import Change
from dispatcher.services.kept import Count
from tests.services.promise_world import both, clock, minutes, opened, say, states, verbs
from tests.services.world import World

# --- the cadence


@both
def test_a_new_incident_owes_each_circle_its_first_word(world, ana):
    opened(world, ana, severity=Severity.CRITICAL)
    with world.ctx.ledger.read() as tx:
        running = rows.running(tx, 1)
    now = world.clock.now()
    assert {p.clock: p.due_at - now for p in running.values()} == {
        "customers": minutes(5), "employees": minutes(5), "suppliers": minutes(240), "press": minutes(60),
        "executives": minutes(120),
    }  # fmt: skip
    assert {p.kind for p in running.values()} == {PromiseKind.TARGET}
    assert service.show(world.ctx, "INC-1").incident.next_update_at is None


@pytest.mark.parametrize(
    ("visibility", "circles"),
    [(Visibility.INTERNAL, {"employees", "executives"}), (Visibility.PRIVATE, set())],
)
def test_who_may_not_hear_of_it_has_no_clock(world, ana, visibility, circles):
    opened(world, ana, visibility=visibility)
    with world.ctx.ledger.read() as tx:
        assert set(rows.running(tx, 1)) == circles


def test_clocks_follow_the_visibility_and_never_begin_twice(world, ana):
    opened(world, ana, severity=Severity.CRITICAL, next_update_at=world.clock.now() + minutes(20))
    narrowed = service.update(world.ctx, ana, "INC-1", Change(visibility=Visibility.INTERNAL))
    assert narrowed.next_update_at is None
    with world.ctx.ledger.read() as tx:
        assert set(rows.running(tx, 1)) == {"employees", "executives"}
    world.clock.pass_by(600)
    service.update(world.ctx, ana, "INC-1", Change(visibility=Visibility.PUBLIC))
    assert clock(world)[-1] == (PromiseState.OPEN, world.clock.now() + minutes(5))
    say(world, template="full-restoration")
    service.update(world.ctx, ana, "INC-1", Change(severity=Severity.MAJOR))
    assert states(world)[-1] is PromiseState.KEPT, "a clock that ended is not begun by another severity"


@pytest.mark.parametrize(
    ("age", "span"),
    [
        (0, minutes(30)),
        (119, minutes(30)),
        (120, minutes(120)),
        (24 * 60, minutes(24 * 60)),
        (8 * 24 * 60, timedelta(7)),
    ],
)
def test_the_silence_that_is_allowed_grows_with_the_age(world, ana, age, span):
    incident = opened(world, ana)
    at = incident.opened_at + minutes(age)
    assert cadence.interval(world.ctx, incident, Circle.CUSTOMERS, at) == span


def utc(*parts):
    return datetime(*parts, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "span", "due"),
    [
        (utc(2026, 3, 27, 10), timedelta(hours=12), utc(2026, 3, 27, 17)),
        (utc(2026, 3, 27, 17), timedelta(hours=12), utc(2026, 3, 28, 9)),
        (utc(2026, 3, 28, 17), timedelta(hours=12), utc(2026, 3, 29, 8)),  # clocks went forward: 09:00 is 08:00 UTC
        (utc(2026, 3, 28, 9), timedelta(days=1), utc(2026, 3, 29, 8)),
        (utc(2026, 10, 24, 16), timedelta(days=1), utc(2026, 10, 25, 17)),  # and back: 17:00 is 17:00 UTC
        (utc(2026, 10, 24, 16), timedelta(hours=12), utc(2026, 10, 25, 9)),
        (utc(2026, 6, 1, 8, 30), timedelta(days=7), utc(2026, 6, 8, 8)),
        (utc(2026, 3, 28, 9), minutes(30), utc(2026, 3, 28, 9, 30)),
    ],
)
def test_long_silences_end_at_fixed_local_hours_in_both_clock_changes(world, now, span, due):
    assert cadence.next_due(world.ctx, span, now) == due
    assert cadence.latest(world.ctx, span, now) >= due


@pytest.mark.parametrize(
    ("zone", "hour", "due"),
    [
        ("Europe/London", "01:30", utc(2026, 3, 29, 1, 30)),  # a skipped hour is the one after the gap
        ("America/New_York", "02:30", utc(2026, 3, 29, 6, 30)),
    ],
)
def test_a_skipped_hour_is_the_one_after_the_gap(tmp_path, zone, hour, due):
    world = World(tmp_path, **{"organisation.time_zone": zone, "cadence.fixed_hours": hour})
    assert cadence.next_due(world.ctx, timedelta(hours=12), utc(2026, 3, 28, 20)) == due


def test_an_hour_that_comes_twice_is_the_first_of_the_two(tmp_path):
    world = World(tmp_path, **{"organisation.time_zone": "Europe/London", "cadence.fixed_hours": "01:30"})
    assert cadence.next_due(world.ctx, timedelta(hours=12), utc(2026, 10, 24, 20)) == utc(2026, 10, 25, 0, 30)


# --- promises


def test_a_word_in_time_keeps_the_promise_and_begins_the_next(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    first = say(world)
    assert states(world) == [PromiseState.OPEN], "the first word told of the promise, it did not end it"
    with world.ctx.ledger.read() as tx:
        assert rows.running(tx, 1)["customers"].told_by == first
    world.clock.pass_by(20 * 60)
    say(world, next_in=30)
    assert [s for s in states(world)] == [PromiseState.KEPT, PromiseState.OPEN]
    assert clock(world)[1][1] == world.clock.now() + minutes(30)
    assert service.show(world.ctx, "INC-1").incident.next_update_at == world.clock.now() + minutes(30)


@both
def test_a_late_word_missed_it_and_that_is_noted_once(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    say(world)
    world.clock.pass_by(40 * 60)
    for _ in range(3):
        promises.miss(world.ctx, to_ms(world.clock.now()))
    say(world, next_in=30)
    assert states(world) == [PromiseState.MISSED, PromiseState.OPEN]
    assert verbs(world).count("promise missed") == 1
    assert service.show(world.ctx, "INC-1").tally.promises.missed >= 1


def test_a_promise_that_is_replaced_before_a_word_was_moved(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    service.promise(world.ctx, ana, "INC-1", world.clock.now() + minutes(60))
    assert states(world) == [PromiseState.MOVED, PromiseState.OPEN]
    assert "promise moved" in verbs(world)


def test_a_promise_replaced_after_it_was_due_was_missed(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    world.clock.pass_by(31 * 60)
    service.promise(world.ctx, ana, "INC-1", world.clock.now() + minutes(30))
    assert states(world) == [PromiseState.MISSED, PromiseState.OPEN]


@both
def test_a_moved_promise_was_kept_after_all_if_the_word_came_in_time(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    say(world)
    world.clock.pass_by(20 * 60)
    service.promise(world.ctx, ana, "INC-1", world.clock.now() + minutes(40))
    say(world, after=5)
    assert states(world) == [PromiseState.KEPT, PromiseState.OPEN]


def test_the_clocks_of_circles_run_apart(world, ana):
    opened(world, ana, severity=Severity.CRITICAL)
    service.promise(world.ctx, ana, "INC-1", world.clock.now() + minutes(90), circle=Circle.SUPPLIERS)
    say(world, template="supplier-notice", next_in=120)
    assert states(world, "suppliers")[:2] == [PromiseState.DROPPED, PromiseState.KEPT]
    assert states(world, "customers") == [PromiseState.OPEN]
    assert service.show(world.ctx, "INC-1").incident.next_update_at is None


def test_a_word_that_no_vendor_took_keeps_nothing(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["m"]})
    with world.ctx.ledger.write() as tx:
        broadcasts.change(tx, made, incident_id=1, template_id="outage-update")
    world.release(made)
    assert promises.hear(world.ctx, to_ms(world.clock.now())) == 0
    assert service.show(world.ctx, "INC-1").tally.first_word_minutes is None


def test_the_closing_note_ends_the_clock(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    say(world)
    service.update(world.ctx, ana, "INC-1", Change(phase=Phase.RESOLVED))
    say(world, template="full-restoration")
    view = service.show(world.ctx, "INC-1")
    assert view.incident.next_update_at is None
    assert states(world) == [PromiseState.KEPT]
    assert states(world, "closing") == [PromiseState.KEPT]
    assert states(world, "apology") == states(world, "lessons") == [PromiseState.OPEN]
    say(world, template="lessons")
    assert states(world, "lessons") == [PromiseState.KEPT], "the lessons are no closing note, although they close"
    assert states(world, "closing") == [PromiseState.KEPT]
    say(world, template="apology-restoration")
    assert states(world, "apology") == [PromiseState.KEPT]


@both
def test_minutes_to_the_first_word_and_reach_are_told(world, ana):
    opened(world, ana)
    world.clock.pass_by(4 * 60)
    say(world, next_in=30)
    tally = service.show(world.ctx, "INC-1").tally
    assert (tally.first_word_minutes, tally.people_reached) == (4.0, 2)
    assert "first word" in verbs(world)


def test_who_had_a_mail_and_a_text_is_one_person_reached(world, ana):
    opened(world, ana)
    world.add_account("t", Channel.SMS, most=1)
    made = world.broadcast([Channel.EMAIL, Channel.SMS], {Channel.EMAIL: ["m"], Channel.SMS: ["t"]})
    with world.ctx.ledger.write() as tx:
        broadcasts.change(tx, made, incident_id=1, template_id="outage-update")
    world.release(made)
    world.drain("email")
    world.drain("sms")
    assert service.show(world.ctx, "INC-1").tally.people_reached == 2


def test_a_closed_incident_owes_nothing_more(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    world.clock.pass_by(31 * 60)
    service.close(world.ctx, ana, "INC-1")
    with world.ctx.ledger.read() as tx:
        assert rows.running(tx, 1) == {}
    assert states(world) == [PromiseState.MISSED]


# --- what a message has to keep to


@both
def test_terms_say_what_the_check_needs(world, ana):
    incident = opened(world, ana)
    with world.ctx.ledger.read() as tx:
        found = promises.terms(world.ctx, tx, incident, Circle.CUSTOMERS)
    assert (found.longest, found.announced, found.next_update_at) == (minutes(30), None, None)
    assert found.latest == world.clock.now() + minutes(30)
    service.promise(world.ctx, ana, "INC-1", world.clock.now() + minutes(240), every=minutes(240))
    with world.ctx.ledger.read() as tx:
        found = promises.terms(world.ctx, tx, incidents.get(tx, 1), Circle.CUSTOMERS)
    assert (found.announced, found.latest) == (minutes(240), world.clock.now() + minutes(240))
    assert "interval announced" in verbs(world)


def test_the_circle_is_the_audiences_own_name_or_the_templates(world):
    template = world.ctx.catalogue.get("daily-brief")
    assert promises.circle_of(template) is Circle.CUSTOMERS
    assert promises.circle_of(template, "suppliers") is Circle.SUPPLIERS
    assert promises.circle_of(world.ctx.catalogue.get("employee-notice")) is Circle.EMPLOYEES


def test_the_past_cannot_be_promised(world, ana):
    opened(world, ana)
    with pytest.raises(UsageError):
        service.promise(world.ctx, ana, "INC-1", world.clock.now())


# --- regulators


def test_regulators_have_clocks_of_their_own(world, ana):
    opened(world, ana)
    known = world.clock.now()
    for name in ("gdpr", "nis2", "dora", "sec", "california"):
        service.duty(world.ctx, ana, "INC-1", name)
    with world.ctx.ledger.read() as tx:
        due = {p.clock: p.due_at - known for p in rows.of(tx, 1) if p.kind is PromiseKind.DUTY}
    hours = {name: span / timedelta(hours=1) for name, span in due.items() if name != "sec"}
    assert hours == {
        "gdpr": 72, "nis2_warning": 24, "nis2_notice": 72, "nis2_final": 720, "dora": 4, "california": 720,
        "california_ag": 360,
    }  # fmt: skip
    assert known + due["sec"] == utc(2026, 3, 5, 23, 59), "a Sunday: four business days end on Thursday"


@both
def test_a_duty_ends_kept_or_missed_and_only_if_it_ran(world, ana):
    opened(world, ana)
    service.duty(world.ctx, ana, "INC-1", "dora")
    world.clock.pass_by(5 * 3600)
    service.duty(world.ctx, ana, "INC-1", "dora", done="Report 7 filed")
    assert states(world, "dora") == [PromiseState.MISSED]
    with pytest.raises(NotFound):
        service.duty(world.ctx, ana, "INC-1", "dora", done="again")
    with pytest.raises(NotFound):
        service.duty(world.ctx, ana, "INC-1", "magna-carta")


@both
def test_regulators_are_counted_apart_from_promises(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    before = service.show(world.ctx, "INC-1").tally.promises
    for name in ("dora", "gdpr", "sec"):
        service.duty(world.ctx, ana, "INC-1", name)
    service.duty(world.ctx, ana, "INC-1", "gdpr", done="Case 7")
    world.clock.pass_by(5 * 3600)
    service.duty(world.ctx, ana, "INC-1", "dora", done="Report 7 filed")
    tally = service.show(world.ctx, "INC-1").tally
    assert tally.promises == before
    assert tally.duties == Count(kept=1, missed=1, running=1)


def test_the_report_of_a_broadcast_tells_how_the_word_was_kept(world, ana):
    opened(world, ana)
    with world.ctx.ledger.write() as tx:
        audiences.open_version(tx, "customers", fields=(), source="t", region="", imported_by=None, now=1)
    world.clock.pass_by(4 * 60)
    made = say(world, next_in=30)
    word = report.story(world.ctx, f"B-{made}").word
    assert (word.incident, word.first_word_minutes, word.people_reached) == ("INC-1", 4.0, 2)
    assert word.kept >= 1


def test_an_audience_of_that_name_decides_the_clock(world, ana):
    opened(world, ana, severity=Severity.CRITICAL)
    with world.ctx.ledger.write() as tx:
        now = to_ms(world.clock.now())
        version = audiences.open_version(tx, "press", fields=(), source="t", region="", imported_by=None, now=now)
        audiences.fill(tx, version.id, [(9, "desk@example.org", None, "en", "{}")])
    made = world.broadcast([Channel.EMAIL], {Channel.EMAIL: ["m"]}, version=version.id)
    with world.ctx.ledger.write() as tx:
        broadcasts.change(tx, made, incident_id=1, template_id="daily-brief", audience_version_id=version.id)
    world.release(made)
    world.drain("email")
    promises.hear(world.ctx, to_ms(world.clock.now()))
    assert states(world, "press") == [PromiseState.KEPT]
    assert states(world, "customers") == [PromiseState.OPEN]
