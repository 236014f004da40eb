"""Who signs: by topic, by level, by the author's wish; and a name that is not enough is refused."""

import pytest

from dispatcher.errors import Refused
from dispatcher.model.kinds import Severity
from dispatcher.services import approval, checking, previewing, signatories
from tests.services.desk import Desk

DIRECTORY = {
    "ceo": {"name": "Cleo Example", "level": "director", "signature": {"en": "Chief Executive", "fr": "Direction"}},
    "care": {"name": "Kim Example", "level": "comms_lead", "signature": {"en": "Customer Care"}},
    "security": {"name": "Sam Example", "level": "director", "topics": ["scam-warning", "breach"]},
}


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, signatories=DIRECTORY)
    yield made
    made.ctx.ledger.close()


def who(desk, template, severity, key=""):
    return signatories.chosen(desk.ctx, desk.ctx.catalogue.get(template), severity, key).name


def text(desk, made):
    return next(one.parts["text"] for one in previewing.preview(desk.ctx, made.ref) if one.channel == "email")


@pytest.mark.parametrize(
    ("template", "severity", "name"),
    [
        ("scam-warning", Severity.MAJOR, "Sam Example"),
        ("outage-update", Severity.MAJOR, "Kim Example"),
        ("outage-update", Severity.CRITICAL, "Cleo Example"),
        ("apology", Severity.MINOR, "Cleo Example"),
        ("data-breach", Severity.MINOR, "Sam Example"),
    ],
)
def test_the_topic_chooses_then_the_least_senior_who_may(desk, template, severity, name):
    assert who(desk, template, severity) == name


def test_the_name_and_what_stands_below_it_are_in_the_mail(desk):
    made = desk.draft()
    assert "Cleo Example\nChief Executive" in text(desk, made)
    assert approval.submit(desk.ctx, desk.ana, made.ref).state == "submitted"


def test_a_name_that_is_not_senior_enough_is_refused(desk):
    made = desk.draft(signatory="care")
    assert "Kim Example\nCustomer Care" in text(desk, made)
    [told] = [one for one in checking.check(desk.ctx, made.ref).findings if one.code == "L38"]
    assert (told.level, told.what) == ("error", "Kim Example signs at level comms_lead; this message needs director.")
    with pytest.raises(Refused):
        approval.submit(desk.ctx, desk.ana, made.ref)


def test_nobody_outside_the_directory_signs(desk):
    with pytest.raises(Refused, match="Nobody in the directory"):
        desk.draft(signatory="intern")


def test_who_left_the_directory_signs_no_more(desk, tmp_path):
    made = desk.draft(signatory="security")
    desk.ctx.ledger.close()
    left = Desk.__new__(Desk)
    super(Desk, left).__init__(tmp_path, signatories={"ceo": DIRECTORY["ceo"]})
    left.add_account("mail", "email")
    assert "L38" in {one.code for one in checking.check(left.ctx, made.ref).findings}
    left.ctx.ledger.close()


def test_without_a_directory_the_organisation_signs_and_no_rule_asks(tmp_path):
    desk = Desk(tmp_path)
    made = desk.draft()
    assert "The Example team" in text(desk, made)
    assert "L38" not in {one.code for one in checking.check(desk.ctx, made.ref).findings}
    desk.ctx.ledger.close()
