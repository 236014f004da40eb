"""Reminders: who is nudged when, once for each step, whatever clocks, ticks and people do meanwhile."""

import dataclasses
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest

from dispatcher.bootstrap import build
from dispatcher.errors import NotPermitted, Refused, UsageError
from dispatcher.ledger import broadcasts, people
from dispatcher.ledger import promises as rows
from dispatcher.model.clock import to_ms
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Channel, Severity
from dispatcher.model.person import Person, Role
from dispatcher.model.promise import Circle, ReminderState
from dispatcher.services import incidents, promises, reminders
from dispatcher.services.incidents import Change, Opening
from dispatcher.services.ticking import tick
from tests.services.world import World

NAMES = ("Ana", "Ben", "Cleo", "Dan")
MINUTE = 60


@pytest.fixture
def world(tmp_path, request):
    """On SQLite, and on both databases where a test asks for `database_url`."""
    url = request.getfixturevalue("database_url") if "database_url" in request.fixturenames else ""
    return staffed(World(tmp_path, url))


both = pytest.mark.usefixtures("database_url")


def staffed(made):
    made.add_account("m", Channel.EMAIL)
    made.crew = [add(made, name) for name in NAMES]
    reminders.set_rota(made.ctx, made.crew[0], made.crew)
    return made


def add(world, name, role=Role.AUTHOR, zone=""):
    with world.ctx.ledger.write() as tx:
        wanted = Person(0, name, email=f"{name.lower()}@example.com", roles=frozenset({role}), zone=zone)
        return people.add(tx, wanted, to_ms(world.clock.now()))


def promised(world, minutes=20, **more):
    """An incident with one running clock: customers, due in so many minutes."""
    due = world.clock.now() + timedelta(minutes=minutes)
    opening = Opening("Orders stopped", severity=Severity.MINOR, next_update_at=due, **more)
    made = incidents.open_incident(world.ctx, world.crew[0], opening)
    with world.ctx.ledger.write() as tx:
        for clock, one in rows.running(tx, made.id).items():
            if clock != Circle.CUSTOMERS:
                rows.settle(tx, one.id, "dropped", 0)
    return made


def live_on(world, minutes, *, step=MINUTE):
    """The tick runs every `step` seconds for so many minutes."""
    for _ in range(int(minutes * MINUTE / step)):
        world.clock.pass_by(step)
        if reminders.run(world.ctx, to_ms(world.clock.now())):
            world.drain("email")


def log(world):
    """(step, minute, person) of everything that was told, in order."""
    start = datetime(2026, 3, 1, 12, tzinfo=UTC)
    told = [r for r in reminders.listing(world.ctx, ended_too=True) if r.told_at]
    return [(r.step, (r.told_at - start) / timedelta(minutes=1), r.person) for r in told]


def notices(world):
    """(address, step) as people got them."""
    with world.ctx.ledger.read() as tx:
        found = tx.all("SELECT id FROM broadcast WHERE relation = 'notice' ORDER BY id")
    world.drain("email")
    return len(found), [address for address, _ in world.vendors["m"].told]


THE_FIVE = [
    ("early", 15, "Ana"), ("due", 20, "Ana"), ("late_5", 25, "Ben"), ("late_15", 35, "Cleo"), ("late_30", 50, "Dan"),
]  # fmt: skip


@both
def test_each_step_is_told_in_its_minute_to_the_next_on_the_rota(world):
    promised(world)
    live_on(world, 120)
    assert log(world) == THE_FIVE
    count, addresses = notices(world)
    assert count == 5
    assert addresses == [f"{name.lower()}@example.com" for _, _, name in THE_FIVE]


@both
def test_an_outage_over_all_of_it_tells_each_person_once_and_loses_no_step(world):
    promised(world)
    world.clock.pass_by(3 * 3600)
    reminders.run(world.ctx, to_ms(world.clock.now()))
    assert [(step, person) for step, _, person in log(world)] == [(step, person) for step, _, person in THE_FIVE]
    assert notices(world) == (4, [f"{n.lower()}@example.com" for n in NAMES])


def test_a_restart_between_any_two_ticks_changes_nothing(world):
    promised(world)
    accounts = world.ctx.accounts
    for _ in range(55):
        world.ctx = dataclasses.replace(build(world.settings, clock=world.clock), accounts=accounts)
        live_on(world, 1)
    assert log(world) == THE_FIVE


@both
def test_many_ticks_at_once_tell_each_step_once(world):
    promised(world)
    for _ in range(6):
        world.clock.pass_by(10 * MINUTE)
        now = to_ms(world.clock.now())
        threads = [threading.Thread(target=reminders.run, args=(world.ctx, now)) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
    assert sorted(step for step, _, _ in log(world)) == sorted(step for step, _, _ in THE_FIVE)
    assert notices(world)[0] == 4, "the first two came due together"


def test_a_clock_that_steps_back_tells_nothing_twice(world):
    promised(world)
    live_on(world, 16)
    world.clock.pass_by(-3600)
    live_on(world, 130)
    assert [step for step, _, _ in log(world)] == [step for step, _, _ in THE_FIVE]
    assert notices(world)[0] == 5


ON_POSTGRESQL = 5
"""How many of the seeds also run there each time; all 25 of them pass, at half a second to three each."""


@pytest.mark.parametrize("seed", range(25))
def test_whatever_the_beats_and_the_clock_do_each_step_is_told_once_and_not_early(tmp_path, seed):
    told_once_over(tmp_path, "", seed)


@pytest.mark.postgres
@pytest.mark.parametrize("seed", range(ON_POSTGRESQL))
def test_the_same_seeds_on_postgresql(tmp_path, postgres_url, seed):
    told_once_over(tmp_path, postgres_url, seed)


def told_once_over(tmp_path, database_url, seed):
    """Doubled and missing beats, outages, steps of the clock both ways."""
    dice = random.Random(seed)
    world = staffed(World(tmp_path, database_url))
    made = promised(world, dice.choice([5, 20, 60, 24 * 60]))
    while world.clock.now() < made.next_update_at + timedelta(hours=3):
        world.clock.pass_by(dice.choice([1, 20, 60, 300, 300, 3600, 4 * 3600, -30, -600]))
        for _ in range(dice.choice([0, 1, 1, 2])):
            reminders.run(world.ctx, to_ms(world.clock.now()))
    reminders.run(world.ctx, to_ms(world.clock.now()))
    told = reminders.listing(world.ctx, ended_too=True)
    own = [r for r in told if r.clock == "customers"]
    assert [r.step for r in own] == [step for step, _, _ in THE_FIVE], f"seed {seed}"
    assert all(r.told_at >= r.planned_at for r in own), f"seed {seed}"
    with world.ctx.ledger.read() as tx:
        carried = tx.scalar("SELECT count(DISTINCT broadcast_id) FROM reminder WHERE told_at IS NOT NULL")
        sent = tx.scalar("SELECT count(*) FROM broadcast WHERE relation = 'notice'")
    assert carried == sent, f"seed {seed}"


@pytest.mark.parametrize("start", [datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)])
def test_a_change_of_clocks_moves_no_reminder(world, start):
    """The hour that London skips in March, and the one that comes twice in October."""
    world.clock.moment = start
    promised(world, 60)
    live_on(world, 120)
    told = [r for r in reminders.listing(world.ctx, ended_too=True) if r.told_at]
    assert [(r.told_at - start) / timedelta(minutes=1) for r in told] == [45, 60, 65, 75, 90]


# --- what people do about it


def ref_of(world, step):
    return next(r.ref for r in reminders.listing(world.ctx, ended_too=True) if r.step == step)


def test_who_acknowledges_hears_the_rest_but_for_the_last(world):
    promised(world)
    live_on(world, 21)
    done = reminders.acknowledge(world.ctx, world.crew[1], ref_of(world, "due"))
    assert done.state is ReminderState.ACKNOWLEDGED
    live_on(world, 60)
    assert [(s, p) for s, _, p in log(world)][2:] == [("late_5", "Ben"), ("late_15", "Ben"), ("late_30", "Ana")]


@both
def test_a_snooze_holds_everything_back_and_the_promise_stands(world):
    promised(world)
    live_on(world, 16)
    reminders.snooze(world.ctx, world.crew[0], ref_of(world, "early"), timedelta(minutes=10))
    live_on(world, 60)
    told = [(step.split("_")[0] if step.startswith("again") else step, at) for step, at, _ in log(world)]
    assert told[0] == ("early", 15)
    assert set(told[1:4]) == {("due", 26), ("late_5", 26), ("again", 26)}
    assert told[4:] == [("late_15", 35), ("late_30", 50)]
    assert incidents.show(world.ctx, "INC-1").incident.next_update_at == datetime(2026, 3, 1, 12, 20, tzinfo=UTC)


def test_whoever_is_on_the_rota_can_say_that_it_is_in_hand(world):
    promised(world)
    approver = add(world, "Eve", Role.APPROVER)
    reminders.set_rota(world.ctx, world.crew[0], [approver])
    live_on(world, 21)
    assert reminders.snooze(world.ctx, approver, "R-1", timedelta(minutes=5)).ref == "R-1"
    assert reminders.acknowledge(world.ctx, approver, ref_of(world, "due")).state is ReminderState.ACKNOWLEDGED
    assert reminders.hand_over(world.ctx, world.crew[0], "R-1", approver).ref == "R-1"


def test_a_snooze_has_an_end(world):
    promised(world)
    for span in (timedelta(), timedelta(hours=2)):
        with pytest.raises(UsageError):
            reminders.snooze(world.ctx, world.crew[0], "R-1", span)


def test_what_is_handed_over_goes_on_with_the_new_person(world):
    promised(world)
    live_on(world, 16)
    reminders.hand_over(world.ctx, world.crew[0], ref_of(world, "early"), world.crew[3])
    live_on(world, 10)
    assert [(s, p) for s, _, p in log(world)][1:] == [("due", "Dan"), ("late_5", "Ana")]
    assert "dan@example.com" in notices(world)[1]


@both
def test_an_away_persons_deputy_is_told_instead(world):
    with world.ctx.ledger.write() as tx:
        until = to_ms(world.clock.now() + timedelta(days=1))
        tx.change(
            "INSERT INTO deputy (person_id, deputy_id, away_until) VALUES (:p, :d, :u)",
            p=world.crew[0].id, d=world.crew[2].id, u=until,
        )  # fmt: skip
    promised(world)
    live_on(world, 21)
    assert [p for _, _, p in log(world)] == ["Cleo", "Cleo"]


def test_without_a_rota_the_opener_comes_first(world):
    reminders.set_rota(world.ctx, world.crew[0], [])
    promised(world)
    live_on(world, 26)
    assert [p for _, _, p in log(world)] == ["Ana", "Ana", "Ben"]


def test_a_moved_promise_has_new_reminders_and_one_for_the_old_time(world):
    promised(world)
    world.clock.pass_by(10 * MINUTE)
    incidents.promise(world.ctx, world.crew[0], "INC-1", world.clock.now() + timedelta(minutes=40))
    live_on(world, 41)
    assert [(s, at) for s, at, _ in log(world)] == [("moved", 20), ("early", 40), ("due", 50)]


def test_nothing_is_told_of_a_closed_incident(world):
    promised(world)
    incidents.close(world.ctx, world.crew[0], "INC-1")
    live_on(world, 60)
    assert log(world) == []
    assert reminders.listing(world.ctx) == []


def test_nobody_to_tell_is_a_line_of_the_timeline(tmp_path):
    world = World(tmp_path)
    world.crew = [Person(7, "Gone", roles=frozenset({Role.AUTHOR}))]
    promised(world)
    live_on(world, 21)
    assert "reminder for nobody" in [e.verb for e in incidents.show(world.ctx, "INC-1").timeline]


def test_rights_and_states_are_looked_at(world):
    promised(world)
    stranger = add(world, "Eve", Role.APPROVER)
    for act in (
        lambda: reminders.acknowledge(world.ctx, stranger, "R-1"),
        lambda: reminders.snooze(world.ctx, stranger, "R-1", timedelta(minutes=5)),
        lambda: reminders.set_rota(world.ctx, stranger, []),
    ):
        with pytest.raises(NotPermitted):
            act()
    with pytest.raises(Refused, match="not been told"):
        reminders.acknowledge(world.ctx, world.crew[0], "R-1")
    with pytest.raises(Refused, match="may not work"):
        reminders.hand_over(world.ctx, world.crew[0], "R-1", stranger)
    with pytest.raises(UsageError):
        reminders.set_rota(world.ctx, world.crew[0], [world.crew[0], world.crew[0]])


def test_the_tick_itself_tells_them_and_rings(world):
    promised(world)
    for _ in range(21):
        world.clock.pass_by(MINUTE)
        tick(world.ctx)
    assert [(s, at) for s, at, _ in log(world)] == [("early", 15), ("due", 20)]
    assert promises.said(world.ctx, world.clock.now()).endswith("UTC")


# --- whose clock it is


@both
def test_each_reads_times_in_their_own_zone_with_utc_beside_it(world):
    order = [add(world, "Kim", zone="Asia/Tokyo"), add(world, "Lee", zone="America/New_York"), world.crew[0]]
    reminders.set_rota(world.ctx, world.crew[0], order)
    promised(world)
    live_on(world, 40)
    said = texts(world)
    assert "by Sun 01 Mar 21:20 JST (12:20 UTC)" in said[0]
    assert "by Sun 01 Mar 07:20 EST (12:20 UTC)" in said[2]
    assert "by Sun 01 Mar 12:20" in said[3]


def texts(world):
    """What the notices say, the oldest first."""
    with world.ctx.ledger.read() as tx:
        found = tx.all("SELECT id FROM broadcast WHERE relation = 'notice' ORDER BY id")
        return [next(iter(broadcasts.renditions(tx, row.id).values())).parts["text"] for row in found]


def test_each_names_the_command_for_those_who_wait_and_for_what_they_wait(world):
    made = promised(world)
    live_on(world, 15)
    assert f"Say it: dispatcher incident still {made.ref} --fact changed=TEXT\n" in texts(world)[-1]
    due = world.clock.now() + timedelta(minutes=4)
    incidents.promise(world.ctx, world.crew[0], made.ref, due, circle=Circle.EMPLOYEES)
    live_on(world, 4)
    assert f"Say it: dispatcher incident still {made.ref} --to employees --fact changed=TEXT\n" in texts(world)[-1]
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE incident SET first_word_at = opened_at")
    incidents.update(world.ctx, world.crew[0], made.ref, Change(phase=Phase.RESOLVED))
    live_on(world, 30)
    closing = f"Say it: dispatcher broadcast draft --incident {made.ref} --template full-restoration --audience NAME\n"
    assert any("still owed: closing" in one and closing in one for one in texts(world))
    assert set(reminders._LAST_WORDS.values()) <= set(world.ctx.catalogue.ids())
    assert set(reminders._LAST_WORDS) == set(promises.AFTERWARDS)
