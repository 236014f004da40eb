"""Signals from the door to the incident, for every tool, over a real ledger."""

import dataclasses
import datetime as dt
import json
import threading

import pytest

from dispatcher.errors import NotFound, NotPermitted
from dispatcher.ledger import signals as ledger_signals
from dispatcher.model.clock import to_ms
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Role
from dispatcher.services import incidents, signals
from dispatcher.services.incidents import Change
from tests.intake.samples import TOKEN
from tests.intake.table import SAMPLES
from tests.services.signal_world import BOOK, open_door, open_world, opened, person, post, send

EVERY = pytest.mark.parametrize("name", list(SAMPLES))


@pytest.fixture
def world(tmp_path):
    return open_world(tmp_path)


@pytest.fixture
def either(tmp_path, database_url):
    return open_world(tmp_path, database_url)


# --- every tool, whole lives


@EVERY
def test_a_life_is_followed_and_repeats_change_nothing(tmp_path, name):
    """R8, R10, R11: opened, again, late, resolved, late again."""
    world = open_world(tmp_path)
    door, sample, start = open_door(world, name), SAMPLES[name], world.clock.now()
    first = sample.opened("7", start - dt.timedelta(seconds=60))
    assert send(world, door, first) == ["opened"]
    assert send(world, door, first) == []
    (incident,) = opened(world)
    assert incident.phase is Phase.INVESTIGATING
    again = send(world, door, sample.opened("7", start - dt.timedelta(seconds=30)))
    assert again == ["same"]
    world.clock.pass_by(600)
    assert send(world, door, sample.resolved("7", start)) == ["moved"]
    assert opened(world)[0].phase is Phase.RESOLVED
    late = sample.updated("7", start - dt.timedelta(seconds=45)) or sample.opened("7", start - dt.timedelta(seconds=45))
    assert send(world, door, late) == ["late"]
    assert opened(world)[0].phase is Phase.RESOLVED
    assert len(opened(world)) == 1


@EVERY
def test_what_began_again_goes_on_in_the_same_incident(tmp_path, name):
    world = open_world(tmp_path)
    door, sample, start = open_door(world, name), SAMPLES[name], world.clock.now()
    for seconds, payload in ((1, sample.opened), (2, sample.resolved), (3, sample.opened), (4, sample.resolved)):
        world.clock.pass_by(600)
        outcome = send(world, door, payload("7", start + dt.timedelta(seconds=seconds)))
        assert outcome == ["opened" if seconds == 1 else "moved"], (seconds, outcome)
    assert len(opened(world)) == 1


@EVERY
def test_an_end_before_a_beginning_and_posts_about_nothing_open_nothing(tmp_path, name):
    """R6 and R10: incident tools give no order."""
    world = open_world(tmp_path)
    door, sample, start = open_door(world, name), SAMPLES[name], world.clock.now()
    assert send(world, door, sample.resolved("7", start)) == ["unlinked"]
    assert send(world, door, sample.opened("7", start - dt.timedelta(seconds=60))) == ["late"]
    for payload, headers in sample.without_effect():
        request = sample.request(payload, world.clock.now())
        signals.take(world.ctx, door, dataclasses.replace(request, headers={**request.headers, **headers}))
    assert not signals.apply(world.ctx)
    assert {one.outcome for one in signals.recent(world.ctx)} <= {"test", "ignored", "unlinked", "late"}
    assert opened(world) == []


# --- applying


def test_a_flood_of_one_source_holds_up_nobody(either):
    world = either
    loud, calm = open_door(world, "opsgenie"), open_door(world, "pagerduty")
    for n in range(60):
        post(world, loud, SAMPLES["opsgenie"].action("AddNote", f"A{n}", world.clock.now()))
    number = post(world, calm, SAMPLES["pagerduty"].opened("P", world.clock.now())).id
    with world.ctx.ledger.read() as tx:
        order = ledger_signals.waiting(tx, to_ms(world.clock.now()), 20, 100)
    assert order.index(number) <= 1
    assert len(order) == 21
    assert not signals.apply(world.ctx)
    assert not signals.anything_new(world.ctx)


def test_a_severity_that_rises_is_followed_and_one_that_falls_is_not(world):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    start = world.clock.now()

    def update(second, word):
        return sample.event(
            "incident.priority_updated", "P", start + dt.timedelta(seconds=second), priority={"summary": word}
        )

    send(world, door, sample.event("incident.triggered", "P", start, priority={"summary": "P3"}))
    assert opened(world)[0].severity is Severity.MINOR
    world.clock.pass_by(60)
    send(world, door, update(1, "P1"))
    assert opened(world)[0].severity is Severity.CRITICAL
    send(world, door, update(2, "P4"))
    assert opened(world)[0].severity is Severity.CRITICAL


def test_what_grows_worse_opens_an_incident_then(tmp_path):
    world = open_world(tmp_path, book=BOOK.replace("[[when]]", "[[when]]\nmatch = \"severity == 'critical'\""))
    door, sample, start = open_door(world, "pagerduty"), SAMPLES["pagerduty"], world.clock.now()
    quiet = sample.event("incident.triggered", "P", start, priority={"summary": "P3"})
    assert send(world, door, quiet) == ["no playbook"]
    world.clock.pass_by(60)
    assert send(world, door, sample.updated("P", start + dt.timedelta(seconds=5))) == ["opened"]


def test_words_of_a_tool_are_notes_and_stay_data(world):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    send(world, door, sample.opened("P", world.clock.now()))
    hostile = "{{ 7*7 }} {title} <b>\u202e\x00" + "x" * 5000
    data = {"incident": {"id": "P"}, "message": hostile, "type": "incident_status_update"}
    event = {"id": "E1", "event_type": "incident.status_update_published", "data": data}
    world.clock.pass_by(60)
    send(world, door, {"event": event})
    note = [e for e in incidents.show(world.ctx, "INC-1").timeline if e.verb == "noted"][-1]
    assert "{{ 7*7 }} {title} <b>" in note.detail
    assert len(note.detail) < 700
    assert "\u202e" not in note.detail
    assert (note.person, note.door) == ("", "signal")


def test_several_subjects_of_one_incident_are_over_together(tmp_path):
    world = open_world(tmp_path, book=BOOK + 'join = "services[0]"\n')
    door, sample, start = open_door(world, "pagerduty"), SAMPLES["pagerduty"], world.clock.now()
    assert send(world, door, sample.opened("P1", start)) == ["opened"]
    assert send(world, door, sample.opened("P2", start)) == ["joined"]
    world.clock.pass_by(60)
    send(world, door, sample.resolved("P1", start + dt.timedelta(seconds=1)))
    assert opened(world)[0].phase is Phase.INVESTIGATING
    send(world, door, sample.resolved("P2", start + dt.timedelta(seconds=2)))
    assert opened(world)[0].phase is Phase.RESOLVED


def test_a_closed_incident_is_left_alone_until_it_begins_again(world):
    door, sample, start = open_door(world, "alertmanager"), SAMPLES["alertmanager"], world.clock.now()
    send(world, door, sample.opened("G", start))
    incidents.close(world.ctx, world.admin, "INC-1")
    assert send(world, door, sample.group("firing", "G", start, truncatedAlerts=3)) == ["same"]
    world.clock.pass_by(60)
    send(world, door, sample.resolved("G", start + dt.timedelta(seconds=10)))
    assert send(world, door, sample.opened("G", start + dt.timedelta(seconds=30))) == ["opened"]
    assert [one.ref for one in opened(world)] == ["INC-2", "INC-1"]


def test_a_person_s_phase_is_not_taken_back(world):
    door, sample, start = open_door(world, "pagerduty"), SAMPLES["pagerduty"], world.clock.now()
    send(world, door, sample.opened("P", start))
    incidents.update(world.ctx, world.admin, "INC-1", Change(phase=Phase.MONITORING))
    world.clock.pass_by(60)
    send(
        world, door, sample.event("incident.acknowledged", "P", start + dt.timedelta(seconds=5), status="acknowledged")
    )
    assert opened(world)[0].phase is Phase.MONITORING


def test_what_is_private_there_opens_a_private_incident(world):
    """R15."""
    for name in ("rootly", "firehydrant", "incidentio", "generic"):
        door = open_door(world, name)
        post(world, door, SAMPLES[name].private_payload)
    signals.apply(world.ctx)
    assert {one.visibility for one in opened(world)} == {Visibility.PRIVATE}
    assert len(opened(world)) == 4


def test_a_storm_opens_so_many_incidents_and_no_more(tmp_path):
    world = open_world(tmp_path, **{"signals.pagerduty": {"opens_per_hour": 3}})
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    outcomes = [send(world, door, sample.opened(f"P{n}", world.clock.now()))[0] for n in range(6)]
    assert outcomes == ["opened"] * 3 + ["held back"] * 3
    with world.ctx.ledger.read() as tx:
        assert tx.scalar("SELECT count(*) FROM anomaly WHERE kind = 'signals held back'") == 1


def test_what_is_long_past_opens_nothing(world):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    assert send(world, door, sample.opened("P", world.clock.now() - dt.timedelta(days=8))) == ["stale"]


def test_a_time_in_the_future_does_not_make_all_else_late(world):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    assert send(world, door, sample.opened("P", world.clock.now() + dt.timedelta(days=2))) == ["opened"]
    world.clock.pass_by(60)
    assert send(world, door, sample.resolved("P", world.clock.now())) == ["moved"]


def test_two_workers_open_one_incident(either):
    world = either
    door, sample = open_door(world, "opsgenie"), SAMPLES["opsgenie"]
    for n in range(12):
        post(world, door, sample.action("Create", "A", world.clock.now() + dt.timedelta(milliseconds=n)))
    workers = [threading.Thread(target=signals.apply, args=(world.ctx,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    signals.apply(world.ctx)
    assert len(opened(world)) == 1
    assert [one.outcome for one in signals.recent(world.ctx)].count("opened") == 1


def test_what_was_cut_short_is_done_once_its_lease_is_over(either, monkeypatch):
    world = either
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    post(world, door, sample.opened("P", world.clock.now()))

    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(signals.playbooks, "act", crash)
        with pytest.raises(KeyboardInterrupt):
            signals.apply(world.ctx)
    assert len(opened(world)) == 1
    assert not signals.anything_new(world.ctx)
    world.clock.pass_by(31)
    assert signals.anything_new(world.ctx)
    signals.apply(world.ctx)
    assert len(opened(world)) == 1
    assert [e.verb for e in incidents.show(world.ctx, "INC-1").timeline] == ["opened", "noted"]
    assert signals.recent(world.ctx)[0].outcome == "opened"


def test_a_post_that_kills_its_worker_is_put_aside(world, monkeypatch):
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    post(world, door, sample.opened("P", world.clock.now()))

    def crash(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(signals.playbooks, "act", crash)
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            signals.apply(world.ctx)
        world.clock.pass_by(31)
    assert not signals.apply(world.ctx)
    assert [one.outcome for one in signals.recent(world.ctx)] == ["opened"]
    assert signals.sources(world.ctx)[-1].unreadable == 1


# --- doing again, trying, forgetting


def test_a_replay_does_what_was_not_done_and_nothing_twice(tmp_path):
    world = open_world(tmp_path, book=BOOK.replace("[[when]]", '[[when]]\ntools = ["nobody"]'))
    door, sample = open_door(world, "pagerduty"), SAMPLES["pagerduty"]
    assert send(world, door, sample.opened("P", world.clock.now())) == ["no playbook"]
    (tmp_path / "playbooks/all.toml").write_text(BOOK, encoding="utf-8")
    number = signals.recent(world.ctx)[0].post
    for _ in range(2):
        assert [one.outcome for one in signals.replay(world.ctx, world.admin, number)] == ["opened"]
    assert len(opened(world)) == 1
    assert [e.verb for e in incidents.show(world.ctx, "INC-1").timeline].count("opened") == 1
    with pytest.raises(NotPermitted):
        signals.replay(world.ctx, person(world, "Ben", Role.APPROVER), number)
    with pytest.raises(NotFound):
        signals.replay(world.ctx, world.admin, 999)


def test_a_trial_leaves_no_trace(world):
    sample = SAMPLES["pagerduty"]
    (reading,) = signals.try_payload(world.ctx, "pagerduty", "x", sample.request(sample.opened("P", world.clock.now())))
    assert (reading.trial.playbook, reading.severity) == ("all", Severity.CRITICAL)
    assert opened(world) == []
    assert signals.recent(world.ctx) == []


def test_applied_posts_are_redacted_then_emptied_then_forgotten(either):
    world = either
    door, sample = open_door(world, "opsgenie"), SAMPLES["opsgenie"]
    send(world, door, sample.opened("A", world.clock.now()))

    def body():
        with world.ctx.ledger.read() as tx:
            return tx.one("SELECT body, headers FROM signal_post")

    kept = body()
    assert b"on-call@example.com" not in bytes(kept.body)
    assert json.loads(bytes(kept.body))["alert"]["alertId"] == "A"
    assert TOKEN not in kept.headers
    world.clock.pass_by(8 * 24 * 3600)
    signals.prune(world.ctx)
    assert body().body is None
    assert signals.recent(world.ctx)[0].replayable is False
    world.clock.pass_by(7 * 24 * 3600)
    signals.prune(world.ctx)
    assert body() is None
    assert signals.recent(world.ctx) == []
