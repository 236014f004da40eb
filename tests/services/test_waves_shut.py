"""What opens no wave: a send before an edit, a yes to one of them, promotion in an incident, a ledger on hold."""

import threading
import time
from datetime import timedelta

import pytest

from dispatcher.errors import IllegalTransition, Refused
from dispatcher.ledger import broadcasts, meta
from dispatcher.services import accounting, approval, breakglass, drafting, facts, incidents, wave_order
from dispatcher.services import waves as service
from tests.services.test_waves import approved, frozen, on, order, sent, states, told
from tests.services.test_waves import world as world


def test_an_edit_takes_the_send_back_so_that_a_new_yes_alone_releases_nothing(world):
    approved(world, page=True)
    sent(world)
    drafting.edit(world.ctx, world.author, world.staff.ref, {}, "other words")
    frozen(world, world.staff)
    approval.approve(world.ctx, world.boss, world.staff.ref)
    with pytest.raises(IllegalTransition):
        service.done(world.ctx, world.operator, world.staff.ref, "page")
    for _ in range(2):
        on(world)
    assert (told(world, world.staff), set(states(world).values())) == (0, {"planned"})


def test_an_edit_of_a_follower_and_an_approval_of_its_lead_never_wait_for_each_other(world):
    order(world)
    edit = threading.Thread(target=drafting.edit, args=(world.ctx, world.author, world.press.ref, {}, "other words"))
    with world.ctx.ledger.write() as tx:
        broadcasts.get(tx, world.staff.id, lock=True)
        edit.start()
        if not tx.is_sqlite:
            wait_until_blocked(world)
        broadcasts.get(tx, world.press.id, lock=True)
    edit.join(60)
    assert accounting.show(world.ctx, world.press.ref).broadcast.version == 2


def wait_until_blocked(world):
    ends = time.monotonic() + 60
    sql = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    while time.monotonic() < ends:
        with world.ctx.ledger.read() as tx:
            if tx.one(sql):
                return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


def test_a_broken_glass_opens_all_waves_or_none(world):
    order(world)
    with world.ctx.ledger.write() as tx:
        for one in (world.press, world.customers, world.staff):
            broadcasts.change(tx, one.id, severity="critical")
    for one in (world.press, world.customers, world.staff):
        frozen(world, one)
    with pytest.raises(Refused, match="is a wave of"):
        breakglass.break_glass(world.ctx, world.junior, world.press.ref, "now")
    for one in (world.junior, world.operator):
        breakglass.break_glass(world.ctx, one, world.staff.ref, "nobody answers")
    sent(world)
    for _ in range(4):
        on(world)
    assert told(world, world.press) == 1
    assert accounting.show(world.ctx, world.press.ref).approved_by == ("Jo (break-glass)", "Olu (break-glass)")


def test_promotion_does_not_open_as_a_wave_while_an_incident_goes_on(world):
    with world.ctx.ledger.write() as tx:
        broadcasts.change(tx, world.customers.id, purpose="promotional")
        tx.change("UPDATE incident SET severity = 'critical'")
    approved(world)
    sent(world)
    for _ in range(3):
        on(world)
    wave = wave_order.listing(world.ctx, world.staff.ref)[1][1]
    assert (wave.state, told(world, world.customers)) == ("waiting", 0)
    assert "promotion" in wave.reason


def test_a_wave_that_states_what_was_taken_back_stays_shut_and_says_why(world):
    set_fact(world, "problem", "Our shop is down.")
    with world.ctx.ledger.write() as tx:
        broadcasts.change(tx, world.customers.id, facts="[]")
    approved(world)
    sent(world)
    world.clock.pass_by(0.5)
    done = facts.retract_fact(world.ctx, world.author, world.incident, "problem", "It was the payments.")
    assert [one.ref for one in done.would_tell] == [world.customers.ref]
    for _ in range(3):
        on(world)
    wave = wave_order.listing(world.ctx, world.staff.ref)[1][1]
    assert (wave.state, told(world, world.staff), told(world, world.customers)) == ("waiting", 2, 0)
    assert wave.reason == (
        f"{world.customers.ref} states what was taken back since: problem. Its words were frozen before the retraction."
    )
    service.skip(world.ctx, world.operator, world.staff.ref, "customers", "they are told anew")
    for _ in range(3):
        on(world)
    assert (told(world, world.customers), told(world, world.press)) == (0, 1)


def promised(world, minutes):
    incidents.promise(world.ctx, world.author, world.incident, world.clock.now() + timedelta(minutes=minutes))


def test_a_wave_whose_promise_has_passed_stays_shut_and_says_why(world):
    promised(world, 20)
    approved(world)
    world.clock.pass_by(20 * 60 - 1)
    sent(world)
    for _ in range(3):
        on(world)
    wave = wave_order.listing(world.ctx, world.staff.ref)[1][1]
    assert (wave.state, told(world, world.staff), told(world, world.customers)) == ("waiting", 2, 0)
    assert wave.reason.startswith(f"{world.customers.ref} promises the next update by ")
    assert ", which has passed." in wave.reason


def test_what_goes_with_a_lead_is_held_to_its_promise_at_the_yes_and_at_the_send(world):
    lead_tells_later(world)
    approved(world)
    world.clock.pass_by(20 * 60)
    with pytest.raises(Refused, match=f"{world.customers.ref} promises .* has passed"):
        sent(world)
    assert states(world)["staff"] == "planned"


def lead_tells_later(world):
    promised(world, 20)
    later = world.clock.now() + timedelta(hours=2)
    drafting.edit(world.ctx, world.author, world.staff.ref, {}, next_at=later)


def test_nobody_says_yes_to_a_lead_whose_followers_promise_what_has_passed(world):
    lead_tells_later(world)
    order(world)
    for one in (world.press, world.customers, world.staff):
        frozen(world, one)
    world.clock.pass_by(20 * 60)
    with pytest.raises(Refused, match=f"{world.customers.ref} promises .* has passed"):
        approval.approve(world.ctx, world.boss, world.staff.ref)


def set_fact(world, name, value):
    facts.set_facts(world.ctx, world.author, world.incident, {(name, None): value})


def test_on_hold_no_wave_opens_by_a_persons_word_either(world):
    approved(world, page=True)
    sent(world)
    with world.ctx.ledger.write() as tx:
        meta.put(tx, "hold", "restored")
    service.done(world.ctx, world.operator, world.staff.ref, "page")
    assert states(world)["staff"] == "waiting"
