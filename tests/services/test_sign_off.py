"""Whose yes is needed and whose counts: levels, deputies, time-outs, and two people who break the glass."""

from datetime import timedelta

import pytest

from dispatcher.errors import NotPermitted, Refused, UsageError
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Level, Role
from dispatcher.services import accounting, approval, breakglass, deputies, drafting, sending, sign_off, ticking
from tests.services.desk import Desk

MINUTE = 60


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.ctx.ledger.close()


def verbs(desk, made):
    return [verb for verb, _ in desk.acts(made)]


def needs(desk, template, severity):
    return [str(level) for level in sign_off.needed(desk.ctx, desk.ctx.catalogue.get(template), severity)]


def test_the_template_and_the_severity_both_demand(desk):
    assert needs(desk, "scam-warning", Severity.MAJOR) == ["comms_lead"]
    assert needs(desk, "data-breach", Severity.MINOR) == ["director", "dpo", "legal"]


def test_the_severity_raises_and_never_lowers(tmp_path):
    desk = Desk(tmp_path, **{"approval.level": {"critical": "director", "minor": "comms"}})
    assert needs(desk, "scam-warning", Severity.CRITICAL) == ["director"]
    assert needs(desk, "scam-warning", Severity.MINOR) == ["comms_lead"]
    made = desk.submitted("scam-warning")
    lead = desk.person("Lea", Role.APPROVER, level=Level.COMMS_LEAD)
    with pytest.raises(NotPermitted, match="level director"):
        approval.approve(desk.ctx, lead, made.ref)
    desk.ctx.ledger.close()


def test_several_yeses_where_the_template_demands_them(desk):
    lawyer = desk.person("Lou", Role.APPROVER, level=Level.LEGAL)
    made = desk.submitted("lessons")
    assert approval.approve(desk.ctx, lawyer, made.ref).state == "submitted"
    assert approval.lacking(desk.ctx, made.ref) == ["director"]
    with pytest.raises(NotPermitted, match="level director"):
        approval.approve(desk.ctx, desk.person("Lux", Role.APPROVER, level=Level.LEGAL), made.ref)
    with pytest.raises(NotPermitted, match="already"):
        approval.approve(desk.ctx, lawyer, made.ref)
    assert approval.approve(desk.ctx, desk.ben, made.ref).state == "approved"


def test_who_edited_any_version_neither_approves_nor_breaks_the_glass_nor_reviews(desk):
    both = desk.person("Bo", Role.AUTHOR, Role.APPROVER, level=Level.DIRECTOR)
    made = desk.draft()
    drafting.edit(desk.ctx, both, made.ref, {}, "Another title")
    approval.submit(desk.ctx, desk.ana, made.ref)
    for act in (approval.approve, lambda c, p, r: breakglass.break_glass(c, p, r, "now")):
        with pytest.raises(NotPermitted):
            act(desk.ctx, both, made.ref)


def deputised(desk, **more):
    dora = desk.person("Dora", Role.APPROVER)
    deputies.name(desk.ctx, desk.ben, "Ben", "Dora", **more)
    return dora


def test_a_deputy_answers_only_once_the_question_was_left_unanswered(desk):
    dora = deputised(desk)
    made = desk.submitted()
    with pytest.raises(NotPermitted, match="level director"):
        approval.approve(desk.ctx, dora, made.ref)
    desk.clock.pass_by(5 * MINUTE)
    assert approval.approve(desk.ctx, dora, made.ref).state == "approved"
    assert accounting.show(desk.ctx, made.ref).approved_by == ("Dora (for Ben)",)


def test_the_tick_tells_the_deputies_once_and_only_when_it_is_due(desk):
    deputised(desk)
    made = desk.submitted()
    ticking.tick(desk.ctx)
    assert "approval not answered: passed on" not in verbs(desk, made)
    desk.clock.pass_by(5 * MINUTE)
    for _ in range(3):
        ticking.tick(desk.ctx)
    assert [act for act in desk.acts(made) if act[0].startswith("approval not")] == [
        ("approval not answered: passed on", "to Dora for Ben")
    ]


def test_an_answered_question_is_not_passed_on(desk):
    deputised(desk)
    made = desk.submitted()
    approval.approve(desk.ctx, desk.ben, made.ref)
    desk.clock.pass_by(3_600)
    ticking.tick(desk.ctx)
    assert "approval not answered: passed on" not in verbs(desk, made)


def test_a_deputy_of_somebody_away_answers_at_once_and_no_longer(desk):
    dora = deputised(desk, away_until=desk.clock.now() + timedelta(hours=1))
    first, second = desk.submitted(), desk.draft("scam-warning", severity=Severity.MINOR)
    assert approval.approve(desk.ctx, dora, first.ref).state == "approved"
    desk.clock.pass_by(3_601)
    approval.submit(desk.ctx, desk.ana, second.ref)
    with pytest.raises(NotPermitted):
        approval.approve(desk.ctx, dora, second.ref)


def test_one_authority_speaks_once(desk):
    dora = deputised(desk, away_until=desk.clock.now() + timedelta(hours=1))
    made = desk.submitted("lessons")
    approval.approve(desk.ctx, dora, made.ref)
    with pytest.raises(NotPermitted, match="for Ben already"):
        approval.approve(desk.ctx, desk.ben, made.ref)
    assert approval.lacking(desk.ctx, made.ref) == ["legal"]


def test_a_person_names_their_own_deputy_and_nobody_elses(desk):
    desk.person("Dora", Role.APPROVER)
    admin = desk.person("Ada", Role.ADMIN)
    with pytest.raises(NotPermitted):
        deputies.name(desk.ctx, desk.cat, "Ben", "Dora")
    deputies.name(desk.ctx, admin, "Ben", "Dora")
    with pytest.raises(UsageError):
        deputies.name(desk.ctx, admin, "Ben", "Ben")
    with pytest.raises(Refused, match="approves nothing"):
        deputies.name(desk.ctx, admin, "Ben", "Olu")
    assert [(one["person"], one["deputy"]) for one in deputies.every(desk.ctx)] == [("Ben", "Dora")]
    deputies.remove(desk.ctx, desk.ben, "Ben", "Dora")
    assert deputies.every(desk.ctx) == []


def test_two_people_break_the_glass_and_everybody_hears_of_it(tmp_path, database_url):
    desk = Desk(tmp_path, database_url)
    desk.person("Eve", Role.APPROVER, level=Level.DIRECTOR, email="eve@example.com")
    made = desk.submitted()
    assert breakglass.break_glass(desk.ctx, desk.cat, made.ref, "no director answers").state == "submitted"
    with pytest.raises(NotPermitted, match="already"):
        breakglass.break_glass(desk.ctx, desk.cat, made.ref, "again")
    with pytest.raises(NotPermitted):
        sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5)
    assert breakglass.break_glass(desk.ctx, desk.olu, made.ref, "people are waiting").state == "approved"
    assert accounting.show(desk.ctx, made.ref).approved_by == ("Cat (break-glass)", "Olu (break-glass)")
    assert sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5).state == "released"
    with desk.ctx.ledger.read() as tx:
        told = tx.all("SELECT title FROM broadcast WHERE relation = 'notice' ORDER BY id")
    assert [row.title for row in told] == [
        f"{made.ref} waits for your yes", f"The glass was broken for {made.ref}",
    ]  # fmt: skip
    [waiting] = sign_off.open_reviews(desk.ctx)
    assert waiting["ref"] == made.ref
    assert "no director answers" in waiting["why"]
    desk.ctx.ledger.close()


def test_a_review_is_another_approvers_and_closes_it(desk):
    made = desk.submitted()
    for one in (desk.cat, desk.olu):
        breakglass.break_glass(desk.ctx, one, made.ref, "now")
    with pytest.raises(NotPermitted, match="another approver"):
        breakglass.review(desk.ctx, desk.cat, made.ref, "fine")
    with pytest.raises(Refused):
        breakglass.review(desk.ctx, desk.ben, made.ref, " ")
    breakglass.review(desk.ctx, desk.ben, made.ref, "right, but call me next time")
    assert sign_off.open_reviews(desk.ctx) == []
    with pytest.raises(Refused, match="Nothing"):
        breakglass.review(desk.ctx, desk.ben, made.ref, "twice")


def test_an_edit_voids_a_broken_glass(desk):
    made = desk.submitted()
    breakglass.break_glass(desk.ctx, desk.cat, made.ref, "now")
    drafting.edit(desk.ctx, desk.ana, made.ref, {("change", None): "From now on we write within the hour."})
    approval.submit(desk.ctx, desk.ana, made.ref)
    assert breakglass.break_glass(desk.ctx, desk.olu, made.ref, "now").state == "submitted"


def test_an_edit_voids_every_yes_even_where_the_same_words_come_back(desk):
    made = desk.submitted()
    approval.approve(desk.ctx, desk.ben, made.ref)
    drafting.edit(desk.ctx, desk.ana, made.ref, {})
    again = approval.submit(desk.ctx, desk.ana, made.ref)
    assert again.digest == made.digest
    assert approval.lacking(desk.ctx, made.ref) == ["director"]
    breakglass.break_glass(desk.ctx, desk.cat, made.ref, "now")
    drafting.edit(desk.ctx, desk.ana, made.ref, {})
    approval.submit(desk.ctx, desk.ana, made.ref)
    assert breakglass.break_glass(desk.ctx, desk.olu, made.ref, "now").state == "submitted"
    assert approval.approve(desk.ctx, desk.ben, made.ref).state == "approved"
    assert accounting.show(desk.ctx, made.ref).approved_by == ("Olu (break-glass)", "Ben")


def test_nobody_lends_their_level_to_a_yes_to_their_own_words(desk):
    both = desk.person("Bo", Role.AUTHOR, Role.APPROVER, level=Level.DIRECTOR)
    dora = desk.person("Dora", Role.APPROVER)
    deputies.name(desk.ctx, both, "Bo", "Dora", away_until=desk.clock.now() + timedelta(hours=1))
    made = desk.draft()
    drafting.edit(desk.ctx, both, made.ref, {}, "Another title")
    approval.submit(desk.ctx, both, made.ref)
    with pytest.raises(NotPermitted, match="level director"):
        approval.approve(desk.ctx, dora, made.ref)


def test_who_broke_a_glass_does_not_review_it_after_an_edit_either(desk):
    made = desk.submitted()
    for one in (desk.cat, desk.olu):
        breakglass.break_glass(desk.ctx, one, made.ref, "now")
    drafting.edit(desk.ctx, desk.ana, made.ref, {})
    with pytest.raises(NotPermitted, match="another approver"):
        breakglass.review(desk.ctx, desk.cat, made.ref, "fine")


@pytest.mark.parametrize(("severity", "reason"), [(Severity.MINOR, "now"), (Severity.CRITICAL, "")])
def test_the_glass_holds_without_gravity_or_reason(desk, severity, reason):
    made = desk.submitted(severity=severity)
    with pytest.raises(Refused):
        breakglass.break_glass(desk.ctx, desk.cat, made.ref, reason)


def test_an_author_alone_breaks_no_glass(desk):
    made = desk.submitted()
    with pytest.raises(NotPermitted):
        breakglass.break_glass(desk.ctx, desk.person("Al", Role.AUTHOR), made.ref, "now")
