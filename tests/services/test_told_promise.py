"""A promise frozen in the text: checked, approved and sent while it is ahead, and not after."""

from datetime import timedelta

import pytest

from dispatcher.errors import Refused, UsageError
from dispatcher.model.kinds import Mode, Severity
from dispatcher.services import approval, breakglass, checking, control, drafting, incidents, sending, told_promise
from dispatcher.services.incidents import Opening
from tests.services.desk import Desk


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, **{"organisation.verify_url": "https://example.com/verify"})
    due = made.clock.now() + timedelta(minutes=20)
    opening = Opening("Orders stopped", severity=Severity.CRITICAL, mode=Mode.LIVE, next_update_at=due)
    incidents.open_incident(made.ctx, made.ana, opening)
    return made


@pytest.fixture
def submitted(desk):
    made = desk.draft("holding-statement", incident="INC-1")
    return approval.submit(desk.ctx, desk.ana, made.ref)


def codes(desk, ref):
    return {one.code: one.level for one in checking.check(desk.ctx, ref).findings}


def test_while_it_is_ahead_it_goes_out(desk, submitted):
    assert not {"E-PROMISE", "I-PROMISE"} & set(codes(desk, submitted.ref))
    approval.approve(desk.ctx, desk.ben, submitted.ref)
    assert sending.send(desk.ctx, desk.olu, submitted.ref, confirm_audience=5).state == "released"


def test_minutes_before_it_the_check_says_so(desk, submitted):
    assert told_promise.soon_over(desk.ctx, submitted.ref) == []
    desk.clock.pass_by(16 * 60)
    assert codes(desk, submitted.ref)["I-PROMISE"] == "info"
    [told] = told_promise.soon_over(desk.ctx, submitted.ref)
    assert told.startswith("B-1 promises the next update by ")
    assert told_promise.soon_over(desk.ctx, submitted.ref, desk.clock.now() - timedelta(minutes=2)) == []
    assert approval.approve(desk.ctx, desk.ben, submitted.ref).state == "approved"


def test_once_it_has_passed_it_is_not_sent(desk, submitted):
    approval.approve(desk.ctx, desk.ben, submitted.ref)
    desk.clock.pass_by(20 * 60)
    assert codes(desk, submitted.ref)["E-PROMISE"] == "error"
    with pytest.raises(Refused, match="has passed") as refused:
        sending.send(desk.ctx, desk.olu, submitted.ref, confirm_audience=5)
    assert refused.value.code == "E-PROMISE"


def test_a_release_at_a_later_time_is_held_against_it(desk, submitted):
    approval.approve(desk.ctx, desk.ben, submitted.ref)
    at = desk.clock.now() + timedelta(minutes=30)
    with pytest.raises(Refused, match="will have passed"):
        sending.send(desk.ctx, desk.olu, submitted.ref, confirm_audience=5, at=at)


def test_nobody_approves_words_whose_promise_is_broken_and_moving_it_mends_no_frozen_words(desk, submitted):
    """They tell the old time."""
    desk.clock.pass_by(60)
    incidents.promise(desk.ctx, desk.ana, "INC-1", desk.clock.now() + timedelta(minutes=25))
    desk.clock.pass_by(20 * 60)
    with pytest.raises(Refused, match="has passed"):
        approval.approve(desk.ctx, desk.ben, submitted.ref)


def test_what_was_held_before_anybody_had_it_does_not_begin_with_a_broken_promise(desk, submitted):
    approval.approve(desk.ctx, desk.ben, submitted.ref)
    at = desk.clock.now() + timedelta(minutes=10)
    sending.send(desk.ctx, desk.olu, submitted.ref, confirm_audience=5, at=at)
    control.pause(desk.ctx, desk.olu, submitted.ref)
    desk.clock.pass_by(20 * 60)
    with pytest.raises(Refused, match="has passed") as refused:
        control.resume(desk.ctx, desk.olu, submitted.ref)
    assert refused.value.mend == (f"dispatcher broadcast stop {submitted.ref}, and draft it anew.",)
    assert control.stop(desk.ctx, desk.olu, submitted.ref).state == "stopped"


def test_what_some_have_had_goes_on_for_the_others(desk, submitted):
    approval.approve(desk.ctx, desk.ben, submitted.ref)
    sending.send(desk.ctx, desk.olu, submitted.ref, confirm_audience=5, undo=0)
    desk.drain("email")
    with desk.ctx.ledger.write() as tx:
        tx.change("UPDATE control SET state = 'paused' WHERE broadcast_id = :b", b=submitted.id)
        tx.change("UPDATE broadcast SET state = 'paused' WHERE id = :b", b=submitted.id)
    desk.clock.pass_by(20 * 60)
    assert control.resume(desk.ctx, desk.olu, submitted.ref).state == "released"


def test_two_who_break_the_glass_are_held_to_it_too(desk, submitted):
    desk.clock.pass_by(20 * 60)
    with pytest.raises(Refused, match="has passed"):
        breakglass.break_glass(desk.ctx, desk.ben, submitted.ref, "now")


def test_an_edit_promises_another_time_and_voids_the_yes_to_the_old_one(desk, submitted):
    approval.approve(desk.ctx, desk.ben, submitted.ref)
    desk.clock.pass_by(21 * 60)
    later = desk.clock.now() + timedelta(minutes=15)
    edited = drafting.edit(desk.ctx, desk.ana, submitted.ref, {}, next_at=later)
    assert (edited.state, edited.digest, edited.next_update_at) == ("draft", None, later)
    again = approval.submit(desk.ctx, desk.ana, submitted.ref)
    assert again.digest != submitted.digest
    with desk.ctx.ledger.read() as tx:
        assert told_promise.of(desk.ctx, tx, again) == later
    approval.approve(desk.ctx, desk.ben, again.ref)
    assert sending.send(desk.ctx, desk.olu, again.ref, confirm_audience=5).state == "released"


def test_an_edit_without_a_time_leaves_the_promised_one(desk, submitted):
    later = desk.clock.now() + timedelta(minutes=15)
    drafting.edit(desk.ctx, desk.ana, submitted.ref, {}, next_at=later)
    assert drafting.edit(desk.ctx, desk.ana, submitted.ref, {}, "Another title").next_update_at == later


def test_no_time_that_has_passed_is_promised_and_none_without_an_incident(desk, submitted):
    with pytest.raises(UsageError, match="has passed"):
        drafting.edit(desk.ctx, desk.ana, submitted.ref, {}, next_at=desk.clock.now())
    alone = desk.draft("apology")
    with pytest.raises(Refused, match="no incident"):
        drafting.edit(desk.ctx, desk.ana, alone.ref, {}, next_at=desk.clock.now() + timedelta(hours=1))
    assert approval.approve(desk.ctx, desk.ben, submitted.ref).state == "approved"
