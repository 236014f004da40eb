"""Who reads which variant in which language: the plan, the measures and the hand-over agree, on both databases."""

import json

import pytest

from dispatcher.model.kinds import Mode
from dispatcher.model.person import Level, Role
from dispatcher.services import approval, checking, drafting, previewing, sending, ticking
from tests.services.desk import Desk

PEOPLE = (
    ("en", "US"), ("en-US", " us "), ("fr-FR", "Us"), ("fr", "FR"), ("en", "GB"), ("en", None), (None, "US"),
    ("de", ""), ("EN", "u.s"),
)  # fmt: skip
READS = (
    ("en", "us"), ("en", "us"), ("fr", "us"), ("fr", ""), ("en", ""), ("en", ""), ("en", "us"), ("en", ""), ("en", ""),
)  # fmt: skip
"""`u.s` names no variant of the template, `de` no language of it: both read the plain words."""

TAKEN = [{"data": "name", "place": "taken"}]
"""Nothing is still being checked, so no next update need be promised."""


@pytest.fixture
def desk(tmp_path, database_url):
    made = Desk(tmp_path, database_url)
    made.approvers = [made.ben, *(made.person(name, Role.APPROVER, level=Level(name)) for name in ("dpo", "legal"))]
    yield made
    made.ctx.ledger.close()


def everywhere(desk):
    version = desk.listed("everywhere", len(PEOPLE), names=("country",))
    with desk.ctx.ledger.write() as tx:
        for rid, (locale, country) in enumerate(PEOPLE, start=1):
            fields = json.dumps({} if country is None else {"country": country})
            tx.change(
                "UPDATE recipient SET locale = :l, fields = :f WHERE version_id = :v AND rid = :r",
                l=locale, f=fields, v=version, r=rid,
            )  # fmt: skip


def heard(desk, made):
    """What each address was handed, by what the vendor saw; every mail of the American form under its own title."""
    told = {}
    plain = desk.mail.send

    async def send(rendition, envelopes, **more):
        for one in envelopes:
            told[one.address] = (rendition.locale, rendition.variant)
        if rendition.locale == "en":
            assert ("What Information Was Involved" in rendition.parts["text"]) is (rendition.variant == "us")
        return await plain(rendition, envelopes, **more)

    desk.mail.send = send
    sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=len(PEOPLE))
    desk.clock.pass_by(60)
    ticking.tick(desk.ctx)
    desk.drain("email")
    return [told.get(f"p{rid}@example.com") for rid in range(1, len(PEOPLE) + 1)]


def approved(desk, made):
    approval.submit(desk.ctx, desk.ana, made.ref)
    for one in desk.approvers:
        approval.approve(desk.ctx, one, made.ref)
    return made


@pytest.mark.parametrize("case", ["by column", "for all"])
def test_everybody_reads_their_own_form_and_language(desk, case):
    everywhere(desk)
    plan = {"variant_by": "country"} if case == "by column" else {"variant": "us"}
    made = desk.draft("data-breach", audience="everywhere", mode=Mode.DRILL, **plan)
    drafting.edit(desk.ctx, desk.ana, made.ref, {("data", None): TAKEN, ("data", "fr"): TAKEN})
    wanted = list(READS) if case == "by column" else [(locale, "us") for locale, _ in READS]
    looked = checking.check(desk.ctx, made.ref)
    assert (looked.audience_size, looked.channels["email"].planned) == (len(PEOPLE), len(PEOPLE))
    shown = {(one.recipient, one.locale, one.variant) for one in previewing.preview(desk.ctx, made.ref)}
    assert shown <= {(rid, *reads) for rid, reads in enumerate(wanted, start=1)}
    assert heard(desk, approved(desk, made)) == wanted


def test_who_gets_another_language_than_they_asked_for_is_counted_beforehand(desk):
    version = desk.listed("abroad", 6)
    with desk.ctx.ledger.write() as tx:
        for rid, word in enumerate((None, "en-GB", "fr_FR", "de", "de-CH", "cy"), start=1):
            tx.change("UPDATE recipient SET locale = :l WHERE version_id = :v AND rid = :r", l=word, v=version, r=rid)
    made = desk.draft(audience="abroad")
    told = [one for one in checking.check(desk.ctx, made.ref).findings if one.code == "I-LANG"]
    assert [(one.level, one.what.partition(",")[0]) for one in told] == [
        ("info", "1 person asked for cy"),
        ("info", "2 people asked for de"),
    ]
    assert all(one.what.endswith("they get en.") for one in told)
    assert "I-LANG" not in {one.code for one in checking.check(desk.ctx, desk.draft().ref).findings}
