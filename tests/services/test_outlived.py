"""What was approved goes out although its template is gone or broken since; what must hold it back still does."""

import shutil
from datetime import timedelta

import pytest

from dispatcher import resources
from dispatcher.errors import NotFound, NotPermitted, Refused, TemplateError
from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Channel, Mode, Severity
from dispatcher.model.template import Profile, Template
from dispatcher.services import (
    approval,
    drafting,
    facts,
    incidents,
    papers,
    preapproval,
    previewing,
    sending,
    sign_off,
    source,
    succession,
)
from dispatcher.services import promises as clocks
from dispatcher.services.incidents import Opening
from dispatcher.services.terms import Limits, Terms
from tests.services.desk import Desk

SHIPPED = resources.shipped("templates") / "messages"
OURS = {"our-update": "outage-update", "our-apology": "apology", "our-warning": "scam-warning"}


@pytest.fixture
def own(tmp_path):
    """A folder of templates of our own: shipped ones under other names."""
    folder = tmp_path / "templates" / "messages"
    for ours, theirs in OURS.items():
        shutil.copytree(SHIPPED / theirs, folder / ours)
        path = folder / ours / "template.toml"
        path.write_text(path.read_text().replace(f'id = "{theirs}"', f'id = "{ours}"'))
    return folder


@pytest.fixture
def desk(tmp_path, own):
    made = Desk(tmp_path, templates_dir=str(tmp_path / "templates"), **{"organisation.domain": "example.com"})
    opening = Opening("Online orders stopped", Severity.MINOR, mode=Mode.LIVE)
    made.incident = incidents.open_incident(made.ctx, made.ana, opening).ref
    incidents.promise(made.ctx, made.ana, made.incident, made.clock.now() + timedelta(minutes=30))
    yield made
    made.ctx.ledger.close()


def gone(folder):
    shutil.rmtree(folder)


def broken(folder):
    (folder / "template.toml").write_text("id = [")


def approved(desk, template="our-update", **more):
    given = {"incident": desk.incident, "severity": Severity.MINOR} | more
    made = desk.submitted(template, **given)
    return approval.approve(desk.ctx, desk.ben, made.ref)


def send(desk, made):
    return sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5, undo=0)


@pytest.mark.parametrize("spoil", [gone, broken])
def test_it_is_approved_sent_and_heard_without_its_template(desk, own, spoil):
    made = desk.submitted("our-update", incident=desk.incident, severity=Severity.MINOR)
    before = [one.parts for one in previewing.preview(desk.ctx, made.ref)]
    spoil(own / "our-update")
    with pytest.raises((NotFound, TemplateError)):
        desk.ctx.catalogue.get("our-update")
    assert approval.lacking(desk.ctx, made.ref)
    assert approval.approve(desk.ctx, desk.ben, made.ref).state == "approved"
    assert approval.lacking(desk.ctx, made.ref) == []
    assert send(desk, made).state == "released"
    desk.drain("email")
    assert len(desk.mail.told) == 5
    assert [one.parts for one in previewing.preview(desk.ctx, made.ref)] == before
    assert papers.read(desk.ctx, made.ref)[2].documents
    clocks.hear(desk.ctx, int(desk.clock.now().timestamp() * 1000))
    assert incidents.show(desk.ctx, desk.incident).incident.first_word_at == desk.clock.now()


def test_its_levels_stay_and_what_was_raised_since_counts_too(desk, own):
    made = desk.submitted("our-apology", severity=Severity.MINOR)
    with desk.ctx.ledger.read() as tx:
        asked = broadcasts.get(tx, made.id)
        needs = sign_off.needed_by(desk.ctx, tx, asked, source.standing(desk.ctx, asked))
    approval.approve(desk.ctx, desk.ben, made.ref)
    path = own / "our-apology" / "template.toml"
    path.write_text(path.read_text().replace('profile = "', 'approvals = ["legal"]\nprofile = "'))
    assert approval.lacking(desk.ctx, made.ref) == ["legal"]
    with pytest.raises(NotPermitted, match="another approval"):
        send(desk, made)
    gone(path.parent)
    assert len(needs) == 1
    assert send(desk, made).state == "released"


def test_without_enough_yeses_it_stays(desk, own):
    made = desk.submitted("our-apology", severity=Severity.MINOR)
    gone(own / "our-apology")
    with pytest.raises(NotPermitted, match="director"):
        approval.approve(desk.ctx, desk.cat, made.ref)
    with pytest.raises(NotPermitted, match="not approved"):
        send(desk, made)


def test_a_promise_that_has_passed_still_holds_it_back(desk, own):
    made = approved(desk)
    gone(own / "our-update")
    desk.clock.pass_by(31 * 60)
    with pytest.raises(Refused) as refused:
        send(desk, made)
    assert refused.value.code == "E-PROMISE"


def test_a_fact_that_was_taken_back_still_holds_it_back(desk, own):
    facts.set_facts(desk.ctx, desk.ana, desk.incident, {("changed", None): "We have moved orders to another site."})
    made = desk.draft("our-update", incident=desk.incident, severity=Severity.MINOR)
    drafting.edit(desk.ctx, desk.ana, made.ref, {}, without=[("changed", None)])
    approval.submit(desk.ctx, desk.ana, made.ref)
    approval.approve(desk.ctx, desk.ben, made.ref)
    gone(own / "our-update")
    desk.clock.pass_by(60)
    taken = facts.retract_fact(desk.ctx, desk.ana, desk.incident, "changed", "They are not moved.")
    assert [one.ref for one in taken.would_tell] == [made.ref]
    with pytest.raises(Refused) as refused:
        send(desk, made)
    assert refused.value.code == "E-RETRACTED"


def test_what_is_void_once_there_is_newer_news_stays_so(desk, own):
    approved(desk)
    gone(own / "our-update")
    with desk.ctx.ledger.read() as tx:
        passing = succession.passing(desk.ctx, tx)
    assert "our-update" in passing
    assert "our-apology" not in passing


def test_what_it_came_from_is_part_of_what_was_approved(desk):
    made = approved(desk)
    with desk.ctx.ledger.write() as tx:
        lower = broadcasts.get(tx, made.id).source.replace('"level":"', '"level":"comms","was":"')
        broadcasts.change(tx, made.id, source=lower)
    with pytest.raises(Refused) as refused:
        send(desk, made)
    assert refused.value.code == "E-DIG"


def test_a_yes_given_in_peace_ends_with_its_template(desk, own):
    known = desk.known("our-warning")
    limits = {
        name: Limits(longest=2000) if isinstance(value, str) else Limits(most=20) for (name, _), value in known.items()
    }
    terms = Terms(
        template="our-warning", channels=(Channel.EMAIL,), audience="customers", audience_most=5, facts=limits,
        ends=desk.clock.now() + timedelta(days=90),
    )  # fmt: skip
    preapproval.add(desk.ctx, desk.ana, "fakes", terms)
    preapproval.approve(desk.ctx, desk.ben, "fakes")
    use = preapproval.Use(facts=known, mode=Mode.LIVE, severity=Severity.MAJOR)
    made = preapproval.instance(desk.ctx, desk.ana, "fakes", use)
    broken(own / "our-warning")
    with pytest.raises(Refused, match="template") as refused:
        send(desk, made)
    assert refused.value.code == "E-PRE"


def test_a_draft_still_needs_its_template(desk, own):
    made = desk.draft("our-update", incident=desk.incident, severity=Severity.MINOR)
    gone(own / "our-update")
    with pytest.raises(Refused):
        approval.submit(desk.ctx, desk.ana, made.ref)
    with pytest.raises(NotFound):
        previewing.preview(desk.ctx, made.ref)


@pytest.mark.parametrize("name", ["outage-update", "data-breach", "goodwill-voucher"])
def test_an_outline_says_all_but_the_words(desk, name):
    whole = desk.ctx.catalogue.get(name)
    again = Template.of_outline(whole.outline())
    assert again.outline() == whole.outline()
    assert (again.locales(), again.variants()) == (whole.locales(), whole.variants())
    assert isinstance(again.profile, Profile)
    assert not any(again.sources.values())
