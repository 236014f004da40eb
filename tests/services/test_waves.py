"""Release waves: one approval, one after another, each when the one before is out, whatever the tick does."""

import threading

import pytest

from dispatcher import resources
from dispatcher.errors import ConfirmationWrong, IllegalTransition, NotFound, NotPermitted, Refused, UsageError
from dispatcher.ledger import audiences, broadcasts, controls, people, planning
from dispatcher.ledger import waves as ledger_waves
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.outcome import OutcomeUnknown, Rejected
from dispatcher.model.person import Level, Person, Role
from dispatcher.model.rendition import Rendition
from dispatcher.services import (
    accounting,
    approval,
    control,
    drafting,
    facts,
    incidents,
    sending,
    sign_off,
    ticking,
    wave_order,
)
from dispatcher.services import waves as service
from dispatcher.services.digests import digest
from dispatcher.services.drafting import Draft
from tests.services.world import World

EXAMPLES = resources.shipped("templates") / "messages"


@pytest.fixture
def world(tmp_path, database_url):
    made = World(tmp_path, database_url, mode="drill", **{"organisation.domain": "example.com"})
    made.mail = made.add_account("mail", Channel.EMAIL)
    with made.ctx.ledger.write() as tx:
        now = to_ms(made.clock.now())
        made.author = people.add(tx, Person(0, "Ana", roles=frozenset({Role.AUTHOR})), now)
        made.operator = people.add(tx, Person(0, "Olu", roles=frozenset({Role.OPERATOR})), now)
        both = frozenset({Role.APPROVER})
        made.boss = people.add(tx, Person(0, "Ben", roles=both, level=Level.DIRECTOR), now)
        made.junior = people.add(tx, Person(0, "Jo", roles=both, level=Level.COMMS_LEAD), now)
        for name, size in (("staff", 2), ("customers", 5), ("press", 1)):
            version = audiences.open_version(tx, name, fields=[], source="x", region="", imported_by=None, now=now)
            audiences.fill(
                tx, version.id, [(i, f"{name}{i}@example.com", None, "en", "{}") for i in range(1, size + 1)]
            )
    opening = incidents.Opening("Orders stopped", Severity.MAJOR, mode=Mode.DRILL)
    made.incident = incidents.open_incident(made.ctx, made.author, opening).ref
    made.staff, made.customers, made.press = (draft(made, name) for name in ("staff", "customers", "press"))
    yield made
    made.ctx.ledger.close()


def draft(world, audience):
    told = facts.read_file(EXAMPLES / "holding-statement" / "example.toml")
    return drafting.draft(world.ctx, world.author, Draft(
        template="holding-statement", audience=audience, channels=[Channel.EMAIL], facts=told, mode=Mode.DRILL,
        incident=world.incident,
    ))  # fmt: skip


def order(world, *, page=False):
    steps = [("page", "")] if page else []
    steps += [("staff", world.staff.ref), ("customers", world.customers.ref), ("press", world.press.ref)]
    return service.define(world.ctx, world.author, world.staff.ref, steps)


def frozen(world, one):
    """Submitted, without the composer and its lint, which have tests of their own."""
    ctx, now = world.ctx, to_ms(world.clock.now())
    with ctx.ledger.write() as tx:
        found = broadcasts.get(tx, one.id)
        service.require_submitted(tx, found)
        parts = {"subject": "s", "html": "<p>t</p>", "text": f"version {found.version}"}
        said = [Rendition(Channel.EMAIL, "en", "", parts)]
        planning.clear(tx, found.id)
        approval._plan(tx, ctx, found, ctx.catalogue.get(found.template_id), said, now)
        size = planning.people(tx, found.id)
        broadcasts.change(tx, found.id, state="submitted", submitted_at=now, audience_size=size)
        broadcasts.change(tx, found.id, digest=digest(tx, broadcasts.get(tx, found.id)))


def approved(world, **how):
    order(world, **how)
    for one in (world.press, world.customers, world.staff):
        frozen(world, one)
    approval.approve(world.ctx, world.boss, world.staff.ref)


def sent(world, **how):
    return sending.send(world.ctx, world.operator, world.staff.ref, **{"confirm_audience": 8, "undo": 0} | how)


def states(world):
    return {one.name: one.state for one in wave_order.listing(world.ctx, world.staff.ref)[1]}


def told(world, one):
    return accounting.show(world.ctx, one.ref).total["accepted"]


def on(world, seconds=1):
    """A second passes: what is due is handed over, and the tick looks."""
    world.clock.pass_by(seconds)
    world.drain("email")
    ticking.tick(world.ctx)


def test_one_approval_and_one_send_tell_everybody_one_group_after_another(world):
    approved(world)
    assert {accounting.show(world.ctx, one.ref).broadcast.state for one in (world.customers, world.press)} == {
        "approved"
    }
    assert sent(world).state == "released"
    assert states(world) == {"staff": "open", "customers": "waiting", "press": "waiting"}
    on(world)
    assert (told(world, world.staff), told(world, world.customers)) == (2, 0)
    assert states(world) == {"staff": "out", "customers": "open", "press": "waiting"}
    on(world)
    assert (told(world, world.customers), told(world, world.press)) == (5, 0)
    on(world)
    on(world)
    assert told(world, world.press) == 1
    assert set(states(world).values()) == {"out"}
    by = accounting.show(world.ctx, world.press.ref)
    assert by.approved_by == ("Ben",)
    assert [line["verb"] for line in by.timeline].count("sent") == 1


def test_the_approval_covers_order_and_words_of_every_wave(world):
    approved(world)
    drafting.edit(world.ctx, world.author, world.press.ref, {}, "other words")
    assert accounting.show(world.ctx, world.staff.ref).broadcast.state == "draft"
    with pytest.raises(NotPermitted):
        sent(world)
    with pytest.raises(Refused, match="goes with"):
        frozen(world, world.staff)
    frozen(world, world.press)
    frozen(world, world.staff)
    approval.approve(world.ctx, world.boss, world.staff.ref)
    sent(world)


def test_a_wave_changed_behind_our_back_stays_shut_and_says_why(world):
    approved(world)
    sent(world)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET hash = 'other' WHERE broadcast_id = :b", b=world.customers.id)
    for _ in range(3):
        on(world)
    wave = wave_order.listing(world.ctx, world.staff.ref)[1][1]
    assert (wave.state, told(world, world.customers), told(world, world.press)) == ("waiting", 0, 0)
    assert "not what was submitted" in wave.reason
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, world.customers.id)["email"].state == "planned"


def test_nobody_approves_what_they_edited_in_any_wave_and_the_highest_level_counts(world):
    order(world)
    for one in (world.press, world.customers, world.staff):
        frozen(world, one)
    with world.ctx.ledger.write() as tx:
        broadcasts.note_edit(tx, world.press.id, 1, world.boss.id, 1)
    with pytest.raises(NotPermitted, match="may not approve"):
        approval.approve(world.ctx, world.boss, world.staff.ref)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE broadcast SET template_id = 'data-breach' WHERE id = :b", b=world.press.id)
        lead = broadcasts.get(tx, world.staff.id)
        needs = sign_off.needed_by(world.ctx, tx, lead, world.ctx.catalogue.get(lead.template_id))
        breach = world.ctx.catalogue.get("data-breach")
        assert needs == sign_off.needed(world.ctx, breach, lead.severity)


def test_a_follower_is_neither_approved_nor_sent_by_itself(world):
    approved(world)
    with pytest.raises(Refused, match="is a wave of"):
        sending.send(world.ctx, world.operator, world.customers.ref, confirm_audience=5)
    drafting.edit(world.ctx, world.author, world.customers.ref, {}, "x")
    frozen(world, world.customers)
    with pytest.raises(Refused, match="is a wave of"):
        approval.approve(world.ctx, world.boss, world.customers.ref)


def test_send_asks_for_all_people_of_all_waves_and_only_once(world):
    approved(world)
    with pytest.raises(ConfirmationWrong, match="2 is not"):
        sent(world, confirm_audience=2)
    sent(world)
    with pytest.raises(IllegalTransition):
        sent(world)


def test_a_page_comes_first_and_waits_for_the_person_who_publishes_it(world):
    approved(world, page=True)
    assert sent(world).state == "approved"
    assert states(world)["page"] == "open"
    for _ in range(3):
        on(world)
    assert told(world, world.staff) == 0
    with pytest.raises(IllegalTransition):
        sent(world)
    with pytest.raises(NotFound):
        service.done(world.ctx, world.operator, world.staff.ref, "poster")
    with pytest.raises(NotPermitted):
        service.done(world.ctx, world.author, world.staff.ref, "page")
    service.done(world.ctx, world.operator, world.staff.ref, "page")
    assert states(world) == {"page": "out", "staff": "open", "customers": "waiting", "press": "waiting"}
    on(world)
    assert told(world, world.staff) == 2


def test_undo_takes_all_waves_back(world):
    approved(world)
    sent(world, undo=60)
    sending.undo(world.ctx, world.operator, world.staff.ref)
    assert set(states(world).values()) == {"planned"}
    for _ in range(2):
        on(world, 100)
    assert told(world, world.staff) == 0
    sent(world)


def test_undo_of_a_page_that_is_awaited(world):
    approved(world, page=True)
    sent(world)
    assert sending.undo(world.ctx, world.operator, world.staff.ref).state == "approved"
    assert set(states(world).values()) == {"planned"}


# --- what is out


@pytest.mark.parametrize("what", ["paused", "stopped", "refused", "unfinished"])
def test_a_wave_that_is_not_out_holds_the_next_one(world, what):
    approved(world)
    if what == "refused":
        world.mail.script.append(Rejected("no such mailbox"))
    sent(world)
    if what == "paused":
        control.pause(world.ctx, world.operator, world.staff.ref)
    if what == "stopped":
        control.stop(world.ctx, world.operator, world.staff.ref)
    if what == "unfinished":
        with world.ctx.ledger.write() as tx:
            tx.change("UPDATE batch SET due_at = 9999999999999 WHERE broadcast_id = :b", b=world.staff.id)
    for _ in range(3):
        on(world)
    assert (states(world)["customers"], told(world, world.customers)) == ("waiting", 0)
    with pytest.raises(Refused):
        service.skip(world.ctx, world.operator, world.staff.ref, "staff", " ")
    service.skip(world.ctx, world.operator, world.staff.ref, "staff", "their managers told them")
    assert states(world)["customers"] == "open"
    on(world)
    assert told(world, world.customers) == 5


def test_a_lost_answer_counts_as_handed_over(world):
    approved(world)
    world.mail.recipients_per_request = 1
    world.mail.script.append(OutcomeUnknown("lost"))
    sent(world)
    on(world)
    on(world)
    assert (states(world)["staff"], told(world, world.customers)) == ("out", 5)


def test_a_skipped_wave_that_had_not_begun_can_be_sent_by_itself_later(world):
    approved(world)
    sent(world)
    service.skip(world.ctx, world.operator, world.staff.ref, "customers", "wait for legal")
    on(world)
    on(world)
    assert (told(world, world.press), told(world, world.customers)) == (1, 0)
    sending.send(world.ctx, world.operator, world.customers.ref, confirm_audience=5, undo=0)
    on(world)
    assert told(world, world.customers) == 5


# --- the tick


def test_without_a_tick_nothing_opens_and_a_late_one_leaves_it_to_a_person(world):
    approved(world)
    sent(world)
    world.drain("email")
    world.clock.pass_by(3600)
    world.drain("email")
    assert told(world, world.customers) == 0
    ticking.tick(world.ctx)
    world.drain("email")
    with world.ctx.ledger.read() as tx:
        assert controls.of(tx, world.customers.id)["email"].state == "late"
    assert told(world, world.customers) == 0
    control.resume(world.ctx, world.operator, world.customers.ref)
    on(world)
    assert told(world, world.customers) == 5


def test_ticks_at_once_open_a_wave_once(world):
    approved(world)
    sent(world)
    world.drain("email")
    world.clock.pass_by(1)
    now = to_ms(world.clock.now())
    hands = [threading.Thread(target=service.run, args=(world.ctx, now)) for _ in range(6)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    on(world)
    shown = accounting.show(world.ctx, world.customers.ref)
    assert [line["verb"] for line in shown.timeline].count("sent") == 1
    assert told(world, world.customers) == 5


def test_a_tick_that_dies_in_the_middle_has_opened_a_wave_or_not(world, monkeypatch):
    approved(world)
    sent(world)
    world.drain("email")
    world.clock.pass_by(1)
    real = ledger_waves.move

    def dies(tx, lead, no, was, to, **more):
        moved = real(tx, lead, no, was, to, **more)
        if to == ledger_waves.OPEN:
            raise KeyboardInterrupt
        return moved

    with monkeypatch.context() as patch:
        patch.setattr(ledger_waves, "move", dies)
        with pytest.raises(KeyboardInterrupt):
            ticking.tick(world.ctx)
    assert states(world) == {"staff": "out", "customers": "waiting", "press": "waiting"}
    on(world)
    on(world)
    assert told(world, world.customers) == 5


# --- what an order may be


def test_an_order_is_of_unsent_broadcasts_that_belong_to_nobody_else(world):
    ctx, ana = world.ctx, world.author
    for wrong in ([("a", world.staff.ref)], [("a", world.customers.ref), ("b", world.staff.ref)],
                  [("a", world.staff.ref), ("a", world.press.ref)], [("a", world.staff.ref), ("b", world.staff.ref)],
                  [("page", ""), ("poster", "")]):  # fmt: skip
        with pytest.raises(UsageError):
            service.define(ctx, ana, world.staff.ref, wrong)
    order(world)
    other = draft(world, "staff")
    with pytest.raises(Refused, match="already"):
        service.define(ctx, ana, other.ref, [("a", other.ref), ("b", world.press.ref)])
    with pytest.raises(Refused, match="leads others"):
        service.define(ctx, ana, other.ref, [("a", other.ref), ("b", world.staff.ref)])
    with pytest.raises(NotPermitted):
        service.define(ctx, world.boss, world.staff.ref, [])
    frozen(world, world.press)
    frozen(world, world.customers)
    frozen(world, world.staff)
    with pytest.raises(IllegalTransition):
        order(world)
