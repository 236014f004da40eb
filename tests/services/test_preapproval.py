"""A yes given in peace: what it covers goes at once, and what lies outside is refused with the limit named."""

from datetime import timedelta

import pytest

from dispatcher.errors import NotPermitted, Refused, UsageError
from dispatcher.ledger import controls
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.person import Level, Role
from dispatcher.people import PROGRAM
from dispatcher.services import accounting, approval, drafting, preapproval, publishing, report, sending
from dispatcher.services.preapproval import Use
from dispatcher.services.terms import Limits, Terms
from tests.services.desk import Desk

TEMPLATE = "scam-warning"
USE = "fakes"


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.ctx.ledger.close()


def terms(desk, **more):
    facts = {name: Limits(longest=2000) for (name, _), value in desk.known(TEMPLATE).items() if isinstance(value, str)}
    facts |= {name: Limits(most=20) for (name, _), value in desk.known(TEMPLATE).items() if isinstance(value, list)}
    given = {
        "template": TEMPLATE, "channels": (Channel.EMAIL,), "audience": "customers", "audience_most": 5,
        "ends": desk.clock.now() + timedelta(days=90), "facts": facts,
    }  # fmt: skip
    return Terms(**(given | more))


def agreed(desk, **more):
    preapproval.add(desk.ctx, desk.ana, USE, terms(desk, **more))
    return preapproval.approve(desk.ctx, desk.ben, USE)


def use(desk, **more):
    given = {"facts": desk.known(TEMPLATE), "mode": Mode.LIVE, "severity": Severity.MAJOR}
    return preapproval.instance(desk.ctx, desk.ana, USE, Use(**(given | more)))


def limit_of(caught):
    assert caught.value.code == "E-PRE"
    return caught.value.what.rpartition(": ")[2].rstrip(".")


def test_what_it_covers_is_approved_at_once_and_its_report_names_it(tmp_path, database_url):
    desk = Desk(tmp_path, database_url)
    assert agreed(desk).state == "approved"
    made = use(desk)
    assert (made.state, made.audience_size) == ("approved", 5)
    assert len(made.digest) == 64
    assert sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5).state == "released"
    view = accounting.show(desk.ctx, made.ref)
    assert view.approved_by == (f"pre-approval {USE}",)
    assert preapproval.show(desk.ctx, USE).instances == (made.ref,)
    page = report.write_report(desk.ctx, made.ref, tmp_path / "out").read_text(encoding="utf-8")
    assert f"pre-approval {USE}" in page
    desk.ctx.ledger.close()


def test_it_needs_the_levels_of_its_template_from_others_than_its_author(desk):
    preapproval.add(desk.ctx, desk.ana, USE, terms(desk))
    with pytest.raises(NotPermitted):
        use(desk)
    with pytest.raises(NotPermitted, match="level comms_lead"):
        preapproval.approve(desk.ctx, desk.cat, USE)
    both = desk.person("Bo", Role.AUTHOR, Role.APPROVER, level=Level.DIRECTOR)
    preapproval.add(desk.ctx, both, "other", terms(desk))
    with pytest.raises(NotPermitted, match="wrote these terms"):
        preapproval.approve(desk.ctx, both, "other")
    with pytest.raises(Refused, match="not what you looked at"):
        preapproval.approve(desk.ctx, desk.ben, USE, seen="0000")
    assert preapproval.approve(desk.ctx, desk.ben, USE).missing == ()


OUTSIDE = [
    ({"audience_most": 4}, {}, "audience_most"),
    ({"severities": (Severity.MINOR,)}, {}, "severities"),
    ({}, {"channels": (Channel.EMAIL, Channel.SMS)}, "channels"),
]


@pytest.mark.parametrize(("given", "asked", "limit"), OUTSIDE)
def test_what_lies_outside_is_refused_with_the_limit_named(desk, given, asked, limit):
    desk.add_account("text", Channel.SMS)
    agreed(desk, **given)
    with pytest.raises(Refused) as caught:
        use(desk, **asked)
    assert limit_of(caught) == limit
    draft = accounting.recent(desk.ctx, 1)[0]
    assert (draft.state, draft.preapproval_id, draft.digest) == ("draft", None, None)
    assert approval.submit(desk.ctx, desk.ana, draft.ref).state == "submitted"


def fact_names(desk):
    return [name for (name, locale), value in desk.known(TEMPLATE).items() if isinstance(value, str) and not locale]


def test_a_fact_out_of_its_range_or_not_among_them_is_refused(desk):
    name = fact_names(desk)[0]
    agreed(desk, facts=terms(desk).facts | {name: Limits(one_of=("Our shop", "Our app"))})
    with pytest.raises(Refused) as caught:
        use(desk)
    assert limit_of(caught) == f"facts.{name}"
    assert "not one of Our shop, Our app" in caught.value.why


def test_a_fact_that_an_incident_brings_is_checked_as_well(desk):
    from dispatcher.services import facts, incidents

    optional = next(s for s in desk.ctx.catalogue.get(TEMPLATE).facts if not s.required)
    allowed = {name: limits for name, limits in terms(desk).facts.items() if name != optional.name}
    agreed(desk, facts=allowed)
    incident = incidents.open_incident(desk.ctx, desk.ana, incidents.Opening("Fakes", mode=Mode.LIVE))
    known = {key: value for key, value in desk.known(TEMPLATE).items() if key[0] != optional.name}
    facts.set_facts(desk.ctx, desk.ana, incident.ref, {(optional.name, None): desk.known(TEMPLATE).get(
        (optional.name, None), "Look at https://example.com/help")})  # fmt: skip
    with pytest.raises(Refused) as caught:
        use(desk, incident=incident.ref, facts=known)
    assert limit_of(caught) == f"facts.{optional.name}"


def test_a_draft_by_hand_under_the_key_of_an_instance_brings_nothing_in(desk):
    agreed(desk)
    drafted = drafting.Draft(
        TEMPLATE, audience="customers", channels=[Channel.EMAIL], facts=desk.known(TEMPLATE), mode=Mode.LIVE,
        severity=Severity.MAJOR, request_key="k1", relation="update",
    )  # fmt: skip
    drafting.draft(desk.ctx, desk.ana, drafted)
    with pytest.raises(Refused) as caught:
        use(desk, request_key="k1")
    assert limit_of(caught) == "relation"


def test_its_public_title_is_no_free_words(desk):
    agreed(desk)
    made = use(desk, title="Send your password to us")
    assert publishing.title_of(made) == "Scam warning"


def test_after_its_end_and_beyond_its_number_nothing_goes(desk):
    agreed(desk, instances=1)
    made = use(desk)
    with pytest.raises(Refused) as caught:
        use(desk)
    assert limit_of(caught) == "instances"
    desk.clock.pass_by(91 * 24 * 3_600)
    with pytest.raises(Refused) as caught:
        sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5)
    assert limit_of(caught) == "ends"


def test_revoked_it_stops_an_instance_that_has_not_left(desk):
    agreed(desk)
    made = use(desk)
    preapproval.revoke(desk.ctx, desk.cat, USE, "the wording is wrong")
    with pytest.raises(Refused) as caught:
        sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5)
    assert limit_of(caught) == "revoked"
    with pytest.raises(Refused):
        preapproval.revoke(desk.ctx, desk.cat, USE, "twice")
    assert preapproval.add(desk.ctx, desk.ana, USE, terms(desk)).state == "submitted"


def test_revoked_it_takes_back_what_was_sent_for_later(tmp_path, database_url):
    desk = Desk(tmp_path, database_url)
    agreed(desk)
    later, gone = use(desk), use(desk)
    sending.send(desk.ctx, desk.olu, gone.ref, confirm_audience=5, undo=0)
    sending.send(desk.ctx, desk.olu, later.ref, confirm_audience=5, at=desk.clock.now() + timedelta(hours=1))
    preapproval.revoke(desk.ctx, desk.ben, USE, "the wording is out of date")
    assert accounting.show(desk.ctx, later.ref).broadcast.state == "approved"
    assert accounting.show(desk.ctx, gone.ref).broadcast.state == "released"
    with pytest.raises(Refused) as caught:
        sending.send(desk.ctx, desk.olu, later.ref, confirm_audience=5)
    assert limit_of(caught) == "revoked"
    desk.clock.pass_by(3_601)
    with desk.ctx.ledger.read() as tx:
        assert {row.state for row in controls.of(tx, later.id).values()} == {"planned"}
    desk.ctx.ledger.close()


def test_another_byte_in_the_template_is_not_what_was_approved(tmp_path):
    import shutil

    from dispatcher import resources

    own = tmp_path / "own"
    shutil.copytree(resources.shipped("templates") / "messages" / TEMPLATE, own / "messages" / TEMPLATE)
    desk = Desk(tmp_path, templates_dir=str(own))
    agreed(desk)
    subject = own / "messages" / TEMPLATE / "email.subject.txt"
    subject.write_text(subject.read_text().rstrip() + "!\n")
    with pytest.raises(Refused) as caught:
        use(desk)
    assert limit_of(caught) == "template"
    desk.ctx.ledger.close()


def test_an_edit_leaves_its_cover(desk):
    agreed(desk)
    made = use(desk)
    drafting.edit(desk.ctx, desk.ana, made.ref, {}, "Another title")
    again = approval.submit(desk.ctx, desk.ana, made.ref)
    assert (again.state, again.preapproval_id) == ("submitted", None)
    with pytest.raises(NotPermitted):
        sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5)


def test_the_same_key_gives_the_same_instance_and_finishes_one_that_was_cut_short(desk):
    agreed(desk)
    made = use(desk, request_key="k1")
    assert use(desk, request_key="k1").ref == made.ref
    cut = drafting.Draft(
        TEMPLATE, audience="customers", channels=[Channel.EMAIL], severity=Severity.MAJOR, mode=Mode.LIVE,
        facts=desk.known(TEMPLATE), request_key="k2",
    )  # fmt: skip
    half = drafting.draft(desk.ctx, desk.ana, cut)
    done = use(desk, request_key="k2")
    assert (done.ref, done.state) == (half.ref, "approved")


def test_the_program_sends_by_itself_only_where_the_terms_say_so(desk):
    agreed(desk)
    made = preapproval.instance(desk.ctx, PROGRAM, USE, Use(facts=desk.known(TEMPLATE), mode=Mode.LIVE))
    assert made.state == "approved"
    with pytest.raises(NotPermitted, match="program may not send"):
        sending.send_unattended(desk.ctx, made.ref)
    preapproval.add(desk.ctx, desk.ana, "alone", terms(desk, unattended=True))
    preapproval.approve(desk.ctx, desk.ben, "alone")
    made = preapproval.instance(desk.ctx, PROGRAM, "alone", Use(facts=desk.known(TEMPLATE), mode=Mode.LIVE))
    assert sending.send_unattended(desk.ctx, made.ref).state == "released"
    with pytest.raises(NotPermitted):
        sending.send_unattended(desk.ctx, desk.submitted().ref)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"facts": {}}, "no limits here"),
        ({"facts": {"nonsense": Limits(longest=5)}}, "does not know"),
        ({"audience_most": 0}, "audience_most"),
        ({"channels": (Channel.CHAT,)}, "no words for chat"),
    ],
)
def test_terms_without_limits_are_nothing_to_say_yes_to(desk, given, told):
    with pytest.raises(UsageError, match=told):
        preapproval.add(desk.ctx, desk.ana, USE, terms(desk, **given))


def test_every_fact_needs_a_limit_of_its_kind(desk):
    name = fact_names(desk)[0]
    for limits, told in ((Limits(), "has no limit"), (Limits(within_hours=3), "means nothing")):
        with pytest.raises(UsageError, match=told):
            preapproval.add(desk.ctx, desk.ana, USE, terms(desk, facts=terms(desk).facts | {name: limits}))
