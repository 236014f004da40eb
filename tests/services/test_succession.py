"""Corrections and updates over a real ledger: whom they are for, and what they make void."""

import threading
from dataclasses import replace

import pytest

from dispatcher import resources
from dispatcher.compose.catalogue import Catalogue
from dispatcher.errors import NotPermitted, Refused, TemplateError, TooLate
from dispatcher.ledger import audiences, broadcasts, claims, controls, superseding
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode
from dispatcher.model.outcome import Accepted, OutcomeUnknown, Rejected
from dispatcher.services import (
    accounting,
    control,
    dispatch,
    drafting,
    followups,
    sending,
    settling,
    sign_off,
    succession,
    ticking,
)
from dispatcher.services.drafting import Draft
from tests.services.follow_world import approved, build, first, released, sums, who

SHIPPED = resources.shipped("templates")


@pytest.fixture
def world(tmp_path, database_url):
    made = build(tmp_path, database_url)
    yield made
    made.ctx.ledger.close()


# --- whom a correction and an update are for


def test_a_correction_holds_what_has_not_left_and_goes_to_exactly_those_reached(world):
    made = released(world, first(world))
    world.mail.script.append([Accepted("m"), OutcomeUnknown("lost")])
    world.mail.script.append([Rejected("no"), Accepted("m")])
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = 9999999999999 WHERE broadcast_id = :b AND channel = 'sms'", b=made.id)
    world.drain("email")
    assert sums(world, made, "sms") == {"pending": 6}
    fix = followups.correct(world.ctx, world.author, made.ref)
    assert (fix.relation, fix.origin_id, fix.template_id) == ("correction", made.id, "correction")
    assert sums(world, made, "sms") == {"held": 6}
    assert accounting.show(world.ctx, made.ref).channels["sms"].reason == followups.HELD_FOR_CORRECTION
    assert who(world, fix) == [("1", None), ("2", None), ("4", None), ("5", None), ("6", None)]
    named = {language: words for name, language, words in fix.facts if name == "original"}
    assert named == {
        None: f"our message {made.code} of 1 March 2026",
        "fr": f"notre message {made.code} du 1 mars 2026",
    }
    assert set(fix.plan.channels) == {Channel.EMAIL, Channel.SMS}


def test_words_of_ones_own_that_cannot_be_filled_in_are_named(world, tmp_path):
    made = released(world, first(world))
    world.drain("email")
    shared = tmp_path / "own" / "messages" / "shared"
    shared.mkdir(parents=True)
    (shared / "words.toml").write_text('[en]\nour_message = "what we wrote {when}"\n')
    world.ctx = replace(world.ctx, catalogue=Catalogue([tmp_path / "own", SHIPPED]))
    with pytest.raises(TemplateError, match="our_message in en"):
        followups.correct(world.ctx, world.author, made.ref)


def test_a_correction_of_what_nobody_has_read_is_refused_and_changes_nothing(world):
    made = released(world, first(world), undo=60)
    with pytest.raises(Refused, match="Nobody was reached"):
        followups.correct(world.ctx, world.author, made.ref)
    assert sums(world, made) == {"pending": 6}
    draft = first(world, title="still a draft")
    with pytest.raises(Refused, match="nobody has read it"):
        followups.correct(world.ctx, world.author, draft.ref)
    with pytest.raises(NotPermitted):
        followups.correct(world.ctx, world.operator, made.ref)


def test_a_correction_needs_the_levels_of_the_words_that_it_takes_back(world):
    breach = first(world, template="data-breach", channels=(Channel.EMAIL,))
    ctx = world.ctx
    with ctx.ledger.write() as tx:
        tx.change("UPDATE broadcast SET state = 'done', release_at = 1 WHERE id = :b", b=breach.id)
        found = broadcasts.get(tx, breach.id)
        made = drafting.draft_in(
            ctx, tx, world.author,
            Draft(template="correction", audience="customers", channels=[Channel.EMAIL], mode=Mode.DRILL,
                  origin=found.id, relation="correction"), ctx.catalogue.get("correction"),
        )  # fmt: skip
        own = sign_off.needed(ctx, ctx.catalogue.get("correction"), made.severity)
        theirs = sign_off.needed(ctx, ctx.catalogue.get("data-breach"), found.severity)
        assert sign_off.needed_by(ctx, tx, made, ctx.catalogue.get("correction")) == theirs != own


def test_an_update_is_for_all_who_read_anything_and_all_who_still_wait(world):
    made = released(world, first(world))
    world.mail.script.extend([[Accepted("m"), Rejected("no")], Accepted("m"), Accepted("m")])
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = 9999999999999 WHERE broadcast_id = :b AND channel = 'sms'", b=made.id)
    world.drain("email")
    news = followups.update(world.ctx, world.author, made.ref)
    assert (news.relation, news.origin_id) == ("update", made.id)
    assert who(world, news) == [(None if i == 2 else str(i), str(i)) for i in range(1, 7)]


def test_an_update_leaves_out_those_whose_message_was_stopped(world):
    made = released(world, first(world))
    world.mail.script.extend([[Accepted("m"), Rejected("no")], Accepted("m"), Accepted("m")])
    world.drain("email")
    control.stop(world.ctx, world.operator, made.ref)
    news = followups.update(world.ctx, world.author, made.ref)
    assert who(world, news) == [(str(i), None) for i in (1, 3, 4, 5, 6)]


def test_staff_do_not_get_the_update_of_customers(world):
    with world.ctx.ledger.write() as tx:
        version = audiences.open_version(tx, "staff", fields=["name"], source="x", region="", imported_by=None, now=0)
        audiences.fill(tx, version.id, [(1, "staff@example.com", None, "en", "{}")])
    mine = released(world, first(world, channels=(Channel.EMAIL,)))
    told = first(world, template="employee-notice", audience="staff", channels=(Channel.EMAIL,))
    with world.ctx.ledger.write() as tx:
        assert broadcasts.get(tx, told.id).purpose == "staff"
    released(world, told)
    world.drain("email")
    news = followups.update(world.ctx, world.author, mine.ref)
    with world.ctx.ledger.read() as tx:
        people_told = audiences.page(tx, news.audience_version_id)
    assert "staff@example.com" not in {one.addresses[Channel.EMAIL] for one in people_told}


# --- what a newer word makes void


def hold_back(world, broadcast, channel="email"):
    """Nothing of this channel is due yet, as after a vendor's answer that asks for patience."""
    with world.ctx.ledger.write() as tx:
        tx.change(
            "UPDATE batch SET due_at = :due WHERE broadcast_id = :b AND channel = :c",
            due=to_ms(world.clock.now()) + 600_000, b=broadcast.id, c=channel,
        )  # fmt: skip


@pytest.fixture
def queued(world):
    """An update of which some were told and the rest waits, and a newer one that is ready."""
    old = released(world, first(world))
    world.drain("sms")
    hold_back(world, old)
    new = followups.update(world.ctx, world.author, old.ref)
    return old, new


def test_the_release_of_a_newer_update_ends_the_older_one_with_its_reason(world, queued):
    old, new = queued
    assert sums(world, old) == {"pending": 6}
    released(world, new)
    world.clock.pass_by(700)
    world.drain("email")
    assert sums(world, old) == {"cancelled": 6}
    assert sums(world, new) == {"accepted": 6}
    ticking.tick(world.ctx)
    view = accounting.show(world.ctx, old.ref)
    assert view.broadcast.state == "stopped"
    assert view.channels["email"].reason == f"superseded by {new.ref}"
    assert [one.why for one in view.explanations if one.term == "cancelled"] == [f"superseded by {new.ref}"]
    assert view.channels["sms"].terms["accepted"] == 6
    ticking.tick(world.ctx)
    assert [line["verb"] for line in accounting.show(world.ctx, old.ref).timeline].count("stopped") == 1


def test_a_template_that_was_broken_meanwhile_stops_no_release_but_its_own(world, queued, tmp_path):
    old, new = queued
    broken = tmp_path / "own" / "messages" / "data-breach"
    broken.mkdir(parents=True)
    (broken / "template.toml").write_text("id = [")
    world.ctx = replace(world.ctx, catalogue=Catalogue([tmp_path / "own", SHIPPED]))
    released(world, new)
    world.drain("email")
    assert (sums(world, old), sums(world, new)) == ({"cancelled": 6}, {"accepted": 6})


def test_without_any_tick_the_older_one_still_stops_at_the_instant(world, queued):
    """The tick is dead, nobody claims the newer one: the control row alone says no."""
    old, new = queued
    released(world, new, undo=30)
    world.clock.pass_by(20)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = 0 WHERE broadcast_id = :b", b=old.id)
    assert dispatch.is_due(world.ctx, "email")
    world.clock.pass_by(11)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = 9999999999999 WHERE broadcast_id = :b", b=new.id)
    world.drain("email")
    assert world.mail.calls == []
    assert sums(world, old) == {"pending": 6}
    ticking.tick(world.ctx)
    assert sums(world, old) == {"cancelled": 6}


def test_until_the_newer_one_begins_the_older_one_goes_on(world, queued):
    old, new = queued
    released(world, new, undo=60)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = 0 WHERE broadcast_id = :b", b=old.id)
    world.drain("email")
    assert sums(world, old) == {"accepted": 6}


def test_undo_gives_the_older_one_its_time_back(world, queued):
    old, new = queued
    released(world, new, undo=60)
    sending.undo(world.ctx, world.operator, new.ref)
    world.clock.pass_by(700)
    ticking.tick(world.ctx)
    world.drain("email")
    assert sums(world, old) == {"accepted": 6}
    with world.ctx.ledger.read() as tx:
        row = controls.of(tx, old.id)["email"]
    assert (row.superseded_by, row.expires_at) == (None, to_ms(old.expires_at))


def test_stopping_the_newer_one_before_it_begins_does_the_same(world, queued):
    old, new = queued
    released(world, new, undo=60)
    control.stop(world.ctx, world.operator, new.ref)
    world.clock.pass_by(700)
    ticking.tick(world.ctx)
    world.drain("email")
    assert sums(world, old) == {"accepted": 6}


def test_after_undo_of_one_newer_another_one_still_ends_the_older(world, queued):
    old, second = queued
    third = followups.update(world.ctx, world.author, old.ref)
    released(world, second, undo=60)
    released(world, third, undo=90)
    sending.undo(world.ctx, world.operator, third.ref)
    world.clock.pass_by(61)
    ticking.tick(world.ctx)
    assert sums(world, old) == {"cancelled": 6}


def test_an_older_update_cannot_be_sent_after_a_newer_one(world, queued):
    old, second = queued
    third = followups.update(world.ctx, world.author, old.ref)
    released(world, third)
    ready = approved(world, second)
    with pytest.raises(Refused) as refused:
        sending.send(world.ctx, world.operator, ready.ref, confirm_audience=ready.audience_size)
    assert refused.value.code == "E-OLD"
    assert third.ref in str(refused.value)


def test_what_a_newer_one_ended_is_neither_resumed_nor_retried(world, queued):
    old, new = queued
    world.text.script.clear()
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE delivery SET state = 7 WHERE broadcast_id = :b AND state = 5 AND seq % 1000 = 0", b=old.id)
        recount(tx, old.id)
    released(world, new)
    world.drain("email")
    with pytest.raises((TooLate, Refused)):
        settling.retry(world.ctx, world.operator, old.ref)
    ticking.tick(world.ctx)
    with pytest.raises(Refused):
        control.resume(world.ctx, world.operator, old.ref)


def recount(tx, broadcast):
    claims.recount(tx, broadcast, 0, 20)


def test_a_correction_ends_the_wrong_words_and_no_update_ends_a_correction(world):
    old = released(world, first(world))
    world.drain("sms")
    hold_back(world, old)
    fix = followups.correct(world.ctx, world.author, old.ref)
    news = followups.update(world.ctx, world.author, old.ref)
    with world.ctx.ledger.read() as tx:
        assert superseding.older(tx, fix.id, ()) == [old.id]
        assert superseding.older(tx, news.id, {old.template_id}) == [old.id]
    released(world, fix, undo=60)
    released(world, news)
    ticking.tick(world.ctx)
    assert sums(world, old) == {"cancelled": 6}
    world.clock.pass_by(61)
    world.drain("sms")
    assert sums(world, fix, "sms") == {"accepted": 6}


def test_a_breach_notice_stands_apart_and_another_audience_is_no_kin(world):
    ctx = world.ctx
    breach = first(world, template="data-breach", channels=(Channel.EMAIL,))
    news = first(world)
    again = first(world, title="the same to the same")
    with ctx.ledger.write() as tx:
        tx.change("UPDATE broadcast SET origin_id = :o, relation = 'update' WHERE id = :b", o=breach.id, b=news.id)
        version = audiences.open_version(tx, "others", fields=[], source="x", region="", imported_by=None, now=0)
        audiences.fill(tx, version.id, [(1, "x@example.com", None, "en", "{}")])
    other = first(world, audience="others")
    with ctx.ledger.read() as tx:
        passing = succession.passing(ctx, tx)
        assert superseding.older(tx, news.id, passing) == []
        assert superseding.older(tx, news.id, {breach.template_id}) == [breach.id]
        assert superseding.older(tx, again.id, passing) == [news.id]
        assert superseding.older(tx, other.id, passing) == []


def test_a_release_and_an_intent_at_once_never_let_the_older_one_through(world, queued):
    """Sixteen drains of the older one while the newer one is released: whatever was intended came before."""
    old, new = queued
    ready = approved(world, new)
    with world.ctx.ledger.write() as tx:
        tx.change("UPDATE batch SET due_at = 0 WHERE broadcast_id = :b", b=old.id)
    hands = [threading.Thread(target=world.drain, args=("email",)) for _ in range(4)]
    for hand in hands:
        hand.start()
    sent = sending.send(world.ctx, world.operator, ready.ref, confirm_audience=ready.audience_size, undo=0)
    for hand in hands:
        hand.join()
    world.drain("email")
    with world.ctx.ledger.read() as tx:
        began = dict(
            tx.all("SELECT broadcast_id, min(id) FROM attempt WHERE no IN (SELECT no FROM batch b"
                   " WHERE b.broadcast_id = attempt.broadcast_id AND b.channel = 'email') GROUP BY broadcast_id")
        )  # fmt: skip
        ended = dict(
            tx.all("SELECT broadcast_id, max(id) FROM attempt WHERE no IN (SELECT no FROM batch b"
                   " WHERE b.broadcast_id = attempt.broadcast_id AND b.channel = 'email') GROUP BY broadcast_id")
        )  # fmt: skip
    assert ended.get(old.id, 0) < began[sent.id]
