"""Promotion goes to people who agreed, and waits for a person while an incident goes on."""

import json

import pytest

from dispatcher.errors import ConfirmationWrong, Refused
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Mode, Severity
from dispatcher.services import (
    approval,
    checking,
    control,
    exporting,
    followups,
    incidents,
    marketing,
    previewing,
    report,
    sending,
    testing,
    ticking,
)
from dispatcher.services.incidents import Change, Opening
from tests.services.desk import Desk

VOUCHER = "goodwill-voucher"


@pytest.fixture
def desk(tmp_path):
    made = opened_desk(tmp_path)
    yield made
    made.ctx.ledger.close()


def opened_desk(tmp_path, url=""):
    made = Desk(tmp_path, url, public_url="https://alerts.example.com")
    made.lou = made.person("Lou", *made.ben.roles, level=made.ben.level)
    made.listed("agreed", 5, fields='{"consent":"Yes"}', names=("consent",))
    return made


def approved(desk, **more):
    made = desk.submitted(VOUCHER, audience="agreed", severity=Severity.MINOR, **more)
    approval.approve(desk.ctx, desk.ben, made.ref)
    return approval.approve(desk.ctx, desk.lou, made.ref)


def trouble(desk, **more):
    given = {"mode": Mode.LIVE, "severity": Severity.MAJOR}
    return incidents.open_incident(desk.ctx, desk.ana, Opening("Orders stopped", **(given | more)))


def send(desk, made, **more):
    return sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5, **more)


def codes(desk, made):
    return {one.code: one.level for one in checking.check(desk.ctx, made.ref).findings}


@pytest.mark.parametrize(
    ("fields", "names"), [("{}", ()), ('{"consent":""}', ("consent",)), ('{"consent":"no"}', ("consent",))]
)
def test_nobody_gets_promotion_who_has_not_agreed(desk, fields, names):
    desk.listed("others", 3, fields=fields, names=names)
    made = desk.draft(VOUCHER, audience="others")
    assert codes(desk, made)["E-CONSENT"] == "error"
    with pytest.raises(Refused):
        approval.submit(desk.ctx, desk.ana, made.ref)
    assert "E-CONSENT" not in codes(desk, desk.draft(VOUCHER, audience="agreed"))
    assert "E-CONSENT" not in codes(desk, desk.draft("apology", audience="others"))


def mixed(desk, name="mixed"):
    """Two of five have agreed."""
    version = desk.listed(name, 5, fields='{"consent":"yes"}', names=("consent",))
    with desk.ctx.ledger.write() as tx:
        tx.change('UPDATE recipient SET fields = \'{"consent":"no"}\' WHERE version_id = :v AND rid > 3', v=version)
        tx.change("UPDATE recipient SET fields = '{}' WHERE version_id = :v AND rid = 3", v=version)


def test_who_has_not_agreed_is_left_out_counted_and_listed_and_the_others_are_told(desk):
    mixed(desk)
    made = desk.draft(VOUCHER, audience="mixed", severity=Severity.MINOR)
    looked = checking.check(desk.ctx, made.ref)
    [told] = [one for one in looked.findings if one.code == "I-CONSENT"]
    assert (told.level, told.what) == ("info", "3 of 5 people have not agreed to promotion; they are left out.")
    assert (looked.audience_size, looked.channels["email"].planned, looked.channels["email"].suppressed) == (2, 5, 3)
    approval.submit(desk.ctx, desk.ana, made.ref)
    for one in (desk.ben, desk.lou):
        approval.approve(desk.ctx, one, made.ref)
    with pytest.raises(ConfirmationWrong):
        send(desk, made)
    sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=2)
    desk.clock.pass_by(60)
    ticking.tick(desk.ctx)
    desk.drain("email")
    assert [address for address, _ in desk.mail.told] == ["p1@example.com", "p2@example.com"]
    [sums] = report.story(desk.ctx, made.ref).channels
    assert sums.reasons["suppressed"] == {"no_consent": 3}
    listed = {row["recipient"]: row["reason"] for row in exporting.rows(desk.ctx, desk.olu, made.ref, unreached=True)}
    assert listed == dict.fromkeys((3, 4, 5), "no_consent")


def test_a_drill_leaves_out_alike_but_an_audience_without_consent_serves_it(desk):
    made = desk.draft(VOUCHER, mode=Mode.DRILL)
    assert codes(desk, made)["E-CONSENT"] == "warning"
    assert checking.check(desk.ctx, made.ref).audience_size == 5
    mixed(desk)
    assert checking.check(desk.ctx, desk.draft(VOUCHER, audience="mixed", mode=Mode.DRILL).ref).audience_size == 2


def test_previews_show_none_of_those_who_get_nothing(desk):
    mixed(desk)
    made = desk.draft(VOUCHER, audience="mixed")
    assert {one.recipient for one in previewing.preview(desk.ctx, made.ref)} <= {1, 2}


def test_a_test_shows_our_own_people_the_values_of_somebody_who_agreed(desk):
    mixed(desk)
    made = desk.draft(VOUCHER, audience="mixed")
    desk.person("Eve", *desk.ana.roles, email="eve@example.com")
    with desk.ctx.ledger.write() as tx:
        tx.change('UPDATE recipient SET fields = \'{"consent":"no, and never again"}\' WHERE rid = 5')
    testing.send_test(desk.ctx, desk.ana, made.ref, ["eve@example.com"])
    with desk.ctx.ledger.read() as tx:
        [shown] = tx.all("SELECT fields FROM recipient WHERE email = 'eve@example.com'")
    assert json.loads(shown.fields)["consent"] == "yes"


def test_who_has_agreed_but_had_enough_lately_is_counted_out_beforehand(desk):
    sent(desk, approved(desk))
    desk.listed("agreed", 7, number=2, fields='{"consent":"yes"}', names=("consent",))
    told_again(desk, desk.ctx.settings.dispatch.promotional_most - 1)
    looked = checking.check(desk.ctx, desk.draft(VOUCHER, audience="agreed").ref)
    assert (looked.audience_size, looked.channels["email"].suppressed) == (2, 5)


def sent(desk, made):
    send(desk, made)
    desk.clock.pass_by(60)
    ticking.tick(desk.ctx)
    desk.drain("email")
    return made


def told_again(desk, times, mode="live"):
    """So many more promotional messages to the five who agreed."""
    for _ in range(times):
        again = desk.broadcast(["email"], {"email": ["mail"]}, version=2, mode=mode)
        with desk.ctx.ledger.write() as tx:
            tx.change("UPDATE broadcast SET purpose = 'promotional' WHERE id = :b", b=again)
        desk.release(again)
        desk.drain("email")


def test_a_drill_of_promotion_is_never_too_much_for_those_whom_it_did_not_reach(desk):
    told_again(desk, desk.ctx.settings.dispatch.promotional_most, mode="drill")
    assert checking.check(desk.ctx, desk.draft(VOUCHER, audience="agreed").ref).audience_size == 5
    rehearsed = checking.check(desk.ctx, desk.draft(VOUCHER, audience="agreed", mode=Mode.DRILL).ref)
    assert rehearsed.audience_size == 0


def test_who_had_enough_still_gets_the_correction_of_what_they_were_promised(desk):
    wrong = sent(desk, approved(desk))
    told_again(desk, desk.ctx.settings.dispatch.promotional_most)
    made = followups.correct(desk.ctx, desk.ana, wrong.ref, template=VOUCHER)
    assert checking.check(desk.ctx, made.ref).audience_size == 5


def test_consent_is_counted_alike_on_both_databases(tmp_path, database_url):
    desk = opened_desk(tmp_path, database_url)
    desk.listed("agreed", 2, number=2, fields='{"consent":" TRUE "}', names=("consent",))
    assert "I-CONSENT" not in codes(desk, desk.draft(VOUCHER, audience="agreed"))
    desk.listed("agreed", 2, number=3, fields='{"consent":"later"}', names=("consent",))
    assert codes(desk, desk.draft(VOUCHER, audience="agreed"))["E-CONSENT"] == "error"
    mixed(desk)
    assert checking.check(desk.ctx, desk.draft(VOUCHER, audience="mixed").ref).audience_size == 2
    first = approved_on(desk)
    incident = trouble(desk)
    with pytest.raises(Refused):
        send(desk, first)
    [told] = marketing.missed(desk.ctx, incident.ref)
    assert (told["meant"], told["missed"]) == (5, 5)
    desk.ctx.ledger.close()


def approved_on(desk):
    desk.listed("agreed", 5, number=4, fields='{"consent":"yes"}', names=("consent",))
    return approved(desk)


def test_promotion_by_mail_needs_an_address_for_its_unsubscribe_link(tmp_path):
    desk = Desk(tmp_path)
    desk.listed("agreed", 5, fields='{"consent":"yes"}', names=("consent",))
    assert codes(desk, desk.draft(VOUCHER, audience="agreed"))["E-UNSUB"] == "error"
    assert codes(desk, desk.draft(VOUCHER, audience="agreed", mode=Mode.DRILL))["E-UNSUB"] == "warning"
    assert "E-UNSUB" not in codes(desk, desk.draft("apology"))
    desk.ctx.ledger.close()


def test_while_an_incident_is_open_it_waits_and_is_listed(desk):
    made, incident = approved(desk), trouble(desk)
    assert codes(desk, made)["I-PAUSE"] == "info"
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            send(desk, made)
        assert caught.value.code == "E-PAUSE"
    [told] = marketing.missed(desk.ctx)
    assert (told["ref"], told["incident"], told["meant"], told["missed"]) == (made.ref, incident.ref, 5, 5)
    assert [verb for verb, _ in desk.acts(made)].count("marketing waits") == 1


def test_a_person_lets_it_go_with_a_reason_that_is_kept(desk):
    made, incident = approved(desk), trouble(desk)
    assert send(desk, made, despite="it was promised for today").state == "released"
    assert ("marketing let go", f"{incident.ref}: it was promised for today") in desk.acts(made)
    ticking.tick(desk.ctx)
    [told] = marketing.missed(desk.ctx, incident.ref)
    assert (told["let_go_by"], told["reason"], told["state"]) == ("Olu", "it was promised for today", "released")


def test_what_is_on_its_way_is_paused_once_and_whoever_resumes_it_has_decided(desk):
    made = approved(desk)
    send(desk, made, undo=600)
    trouble(desk)
    ticking.tick(desk.ctx)
    assert [row["state"] for row in marketing.missed(desk.ctx)] == ["paused"]
    control.resume(desk.ctx, desk.olu, made.ref, reason="a person decided")
    ticking.tick(desk.ctx)
    assert [row["state"] for row in marketing.missed(desk.ctx)] == ["released"]
    trouble(desk)
    ticking.tick(desk.ctx)
    assert [row["state"] for row in marketing.missed(desk.ctx)] == ["paused", "paused"]


@pytest.mark.parametrize(
    "harmless",
    [
        {"severity": Severity.MINOR},
        {"visibility": Visibility.INTERNAL},
        {"visibility": Visibility.PRIVATE},
        {"mode": Mode.DRILL},
    ],
)
def test_a_minor_a_hidden_and_a_pretended_incident_stop_no_promotion(desk, harmless):
    made = approved(desk)
    trouble(desk, **harmless)
    assert send(desk, made).state == "released"


def test_a_grave_one_stops_it_even_while_hidden_until_it_is_resolved(desk):
    made = approved(desk)
    incident = trouble(desk, severity=Severity.CRITICAL, visibility=Visibility.PRIVATE)
    with pytest.raises(Refused):
        send(desk, made)
    incidents.update(desk.ctx, desk.ana, incident.ref, Change(phase=Phase.RESOLVED))
    assert send(desk, made).state == "released"


def test_what_is_no_promotion_never_waits(desk):
    made = desk.submitted()
    approval.approve(desk.ctx, desk.ben, made.ref)
    trouble(desk)
    assert send(desk, made).state == "released"
    ticking.tick(desk.ctx)
    assert marketing.missed(desk.ctx) == []
