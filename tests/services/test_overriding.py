"""A warning is let pass by a person, for a reason, for one text; what blocks stays blocked."""

import pytest

from dispatcher.errors import IllegalTransition, NotPermitted, Refused
from dispatcher.model.kinds import Mode
from dispatcher.services import accounting, approval, checking, drafting, overriding, report, sending
from tests.services.desk import Desk

SOON = {"effect": "You could not order from us. We will write to you again soon."}


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.ctx.ledger.close()


def warnings(desk, made):
    return {one.code: one for one in checking.check(desk.ctx, made.ref).findings if one.level == "warning"}


def test_it_is_kept_with_its_reason_and_shown_by_check(tmp_path, database_url):
    desk = Desk(tmp_path, database_url)
    made = desk.draft(facts=SOON)
    assert warnings(desk, made)["L05"].is_open
    overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "It is the manager's own word.")
    found = warnings(desk, made)["L05"]
    assert (found.overridden_by, found.reason) == ("Ben", "It is the manager's own word.")
    assert ("overrode L05", "It is the manager's own word.") in desk.acts(made)
    desk.ctx.ledger.close()


def test_the_clock_does_not_void_it_but_an_edit_of_the_text_does(desk):
    made = desk.draft(facts=SOON)
    overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "so be it")
    desk.clock.pass_by(3_600)
    assert not warnings(desk, made)["L05"].is_open
    changed = {("effect", None): "You could not order from us. We will be back soon."}
    drafting.edit(desk.ctx, desk.ana, made.ref, changed)
    assert warnings(desk, made)["L05"].is_open


def test_said_twice_it_stays_as_it_was_said(desk):
    made = desk.draft(facts=SOON)
    overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "first")
    overriding.override(desk.ctx, desk.cat, made.ref, ["L05"], "second")
    assert warnings(desk, made)["L05"].reason == "first"
    assert [verb for verb, _ in desk.acts(made)].count("overrode L05") == 1


def test_what_blocks_cannot_be_overridden(desk):
    made = desk.draft(facts={"effect": "Your data is completely safe."})
    blocking = [one.code for one in checking.check(desk.ctx, made.ref).findings if one.level == "error"]
    assert blocking
    with pytest.raises(Refused, match="nobody can override"):
        overriding.override(desk.ctx, desk.ben, made.ref, blocking[:1], "we are sure")
    with pytest.raises(Refused, match="may not go out"):
        approval.submit(desk.ctx, desk.ana, made.ref)


def test_it_takes_the_right_a_reason_and_a_warning_that_is_there(desk):
    made = desk.draft(facts=SOON)
    with pytest.raises(NotPermitted):
        overriding.override(desk.ctx, desk.ana, made.ref, ["L05"], "mine")
    with pytest.raises(Refused, match="reason"):
        overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "  ")
    with pytest.raises(Refused, match="no warning L33"):
        overriding.override(desk.ctx, desk.ben, made.ref, ["L05", "L33"], "both")
    assert warnings(desk, made)["L05"].is_open


def test_live_nobody_approves_over_an_open_warning(desk):
    made = desk.submitted(facts=SOON)
    with pytest.raises(Refused) as caught:
        approval.approve(desk.ctx, desk.ben, made.ref)
    assert caught.value.code == "E-WARN"
    assert any("--rule L05" in mend for mend in caught.value.mend)
    overriding.override(desk.ctx, desk.cat, made.ref, ["l05"], "seen")
    assert approval.approve(desk.ctx, desk.ben, made.ref).state == "approved"
    [told] = {one.code: one for one in accounting.show(desk.ctx, made.ref).warnings}.values()
    assert (told.code, told.overridden_by, told.reason) == ("L05", "Cat", "seen")


def test_one_said_about_the_draft_counts_after_the_submit(desk):
    made = desk.draft(facts=SOON)
    overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "seen")
    desk.clock.pass_by(120)
    approval.submit(desk.ctx, desk.ana, made.ref)
    assert approval.approve(desk.ctx, desk.ben, made.ref).state == "approved"


def test_in_a_drill_it_is_told_and_no_more(desk):
    made = desk.submitted(facts=SOON, mode=Mode.DRILL)
    assert any(one.is_open for one in accounting.show(desk.ctx, made.ref).warnings)
    assert approval.approve(desk.ctx, desk.ben, made.ref).state == "approved"


def test_after_the_yes_it_is_too_late(desk):
    made = desk.submitted()
    approval.approve(desk.ctx, desk.ben, made.ref)
    sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5)
    with pytest.raises(IllegalTransition):
        overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "late")


def test_another_warning_under_the_same_code_is_open_again(desk):
    desk.listed("customers", 5, number=2)
    made = desk.draft()
    desk.listed("customers", 5, number=3)
    overriding.override(desk.ctx, desk.ben, made.ref, ["W-OLD"], "the same people")
    assert not warnings(desk, made)["W-OLD"].is_open
    desk.listed("customers", 5, number=4)
    assert warnings(desk, made)["W-OLD"].is_open


def test_the_report_tells_what_was_let_pass_and_what_was_not(desk, tmp_path):
    made = desk.submitted(facts=SOON | {"change": "From now on we write to you shortly when our shop stops."})
    overriding.override(desk.ctx, desk.ben, made.ref, ["L05"], "it cannot be said better")
    page = report.write_report(desk.ctx, made.ref, tmp_path / "out").read_text(encoding="utf-8")
    assert "What the check warned of" in page
    assert "it cannot be said better" in page
