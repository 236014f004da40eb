"""While the trouble lasts no clock of readers stops, whatever a word told of the next one."""

import pytest

from dispatcher.ledger import promises as rows
from dispatcher.model.incident import Phase
from dispatcher.model.promise import PromiseKind, PromiseState
from dispatcher.services import incidents as service
from dispatcher.services.incidents import Change
from tests.services.promise_world import both, minutes, opened, say, states, verbs


def running(world, name="customers"):
    with world.ctx.ledger.read() as tx:
        return rows.running(tx, 1).get(name)


@both
def test_a_late_word_without_a_next_time_starts_the_clock_of_the_cadence(world, ana):
    """The promise is kept late, and what is owed next is our own target: nobody was told a time that is ahead."""
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    say(world)
    world.clock.pass_by(40 * 60)
    late = say(world)
    assert states(world) == [PromiseState.MISSED, PromiseState.OPEN]
    anew = running(world)
    assert (anew.kind, anew.due_at - anew.made_at) == (PromiseKind.TARGET, minutes(30))
    assert anew.told_by == late
    assert service.show(world.ctx, "INC-1").incident.next_update_at is None, "no reader was promised it"
    assert "no next time told" in verbs(world)
    world.clock.pass_by(10 * 60)
    say(world, next_in=20)
    assert states(world)[1:] == [PromiseState.KEPT, PromiseState.OPEN]
    assert running(world).kind is PromiseKind.PROMISE


def test_a_first_word_without_a_next_time_leaves_a_clock_too(world, ana):
    opened(world, ana)
    say(world)
    assert states(world) == [PromiseState.KEPT, PromiseState.OPEN]
    assert running(world).due_at == world.clock.now() + minutes(30)


def test_the_interval_that_was_announced_is_the_one_that_goes_on(world, ana):
    opened(world, ana)
    service.promise(world.ctx, ana, "INC-1", world.clock.now() + minutes(240), every=minutes(240))
    say(world)
    world.clock.pass_by(250 * 60)
    say(world)
    assert running(world).due_at - running(world).made_at == minutes(240)


@pytest.mark.parametrize("template", ["correction", "apology"])
def test_what_is_no_update_stops_no_clock_while_the_trouble_lasts(world, ana, template):
    due = world.clock.now() + minutes(30)
    opened(world, ana, next_update_at=due)
    say(world)
    world.clock.pass_by(10 * 60)
    say(world, template=template)
    assert states(world) == [PromiseState.KEPT, PromiseState.OPEN]
    assert (running(world).due_at, running(world).kind) == (due, PromiseKind.PROMISE)


def test_who_is_told_only_of_a_change_has_no_clock_after_it(world, ana):
    opened(world, ana)
    say(world, template="press-statement")
    assert running(world, "press") is None


def test_after_it_is_resolved_no_clock_begins_by_itself(world, ana):
    opened(world, ana, next_update_at=world.clock.now() + minutes(30))
    say(world)
    service.update(world.ctx, ana, "INC-1", Change(phase=Phase.RESOLVED))
    world.clock.pass_by(40 * 60)
    say(world, template="apology")
    assert running(world) is None
