"""A signatory's picture: kept once it is fit, shown beside the name with words for it, frozen with the mail."""

import dataclasses
import importlib
import re

import pytest

from dispatcher.compose import paper
from dispatcher.compose.preview.frames import Sample, frame_of
from dispatcher.errors import ConfigurationError, NotFound, NotPermitted, Refused
from dispatcher.ledger import broadcasts
from dispatcher.model.kinds import Severity
from dispatcher.model.person import Role
from dispatcher.services import approval, checking, papers, portraits, preapproval, preparedness, previewing, sending
from tests.compose.portrait import jpeg, png
from tests.services.desk import Desk

DIRECTORY = {
    "ceo": {"name": "Cleo Example", "level": "director", "signature": {"en": "Chief Executive"}},
    "care": {"name": "Kim Example", "level": "comms_lead"},
}


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "templates").mkdir()
    made = Desk(tmp_path, signatories=DIRECTORY, templates_dir=str(tmp_path / "templates"))
    made.ada = made.person("Ada", Role.ADMIN)
    yield made
    made.ctx.ledger.close()


@pytest.fixture
def face(tmp_path):
    path = tmp_path / "face.bin"
    path.write_bytes(png(96, 120))
    return path


def mail_of(desk, made):
    with desk.ctx.ledger.read() as tx:
        _, _, said = papers.read(desk.ctx, made.ref)
        return next(iter(broadcasts.renditions(tx, made.id).values()), said.renditions[0])


def hints(desk):
    found = preparedness.gaps(desk.ctx.settings, desk.ctx.catalogue, None, ())
    return [(one.said, one.is_hint) for one in found if one.about == "pictures"]


def test_it_is_kept_by_its_bytes_and_not_by_its_name(desk, face, tmp_path):
    kept = portraits.put(desk.ctx, desk.ada, "ceo", face)
    assert kept == tmp_path / "templates" / "signatories" / "ceo.png"
    assert portraits.told(desk.ctx.settings, "ceo") == "png, 96 by 120"
    face.write_bytes(jpeg())
    assert portraits.put(desk.ctx, desk.ada, "ceo", face).name == "ceo.jpg"
    assert [path.name for path in kept.parent.iterdir()] == ["ceo.jpg"]
    portraits.remove(desk.ctx, desk.ada, "ceo")
    assert portraits.of(desk.ctx.settings, "ceo") is None
    with pytest.raises(NotFound):
        portraits.remove(desk.ctx, desk.ada, "ceo")


def test_what_is_unfit_is_not_kept(desk, face):
    portraits.put(desk.ctx, desk.ada, "ceo", face)
    face.write_text("<svg onload='alert(1)'/>")
    with pytest.raises(Refused, match="neither a PNG nor a JPEG"):
        portraits.put(desk.ctx, desk.ada, "ceo", face)
    assert portraits.told(desk.ctx.settings, "ceo") == "png, 96 by 120"
    with pytest.raises(NotPermitted):
        portraits.put(desk.ctx, desk.ana, "ceo", face)
    for key in ("intern", "../ceo", ""):
        with pytest.raises(NotFound):
            portraits.put(desk.ctx, desk.ada, key, face)


def test_without_a_folder_of_ones_own_there_is_no_place_for_it(tmp_path, face):
    desk = Desk(tmp_path, signatories=DIRECTORY)
    with pytest.raises(ConfigurationError, match="folder of your own"):
        portraits.put(desk.ctx, desk.person("Ada", Role.ADMIN), "ceo", face)
    assert portraits.of(desk.ctx.settings, "ceo") is None
    desk.ctx.ledger.close()


def test_the_mail_shows_it_beside_the_name_with_words_for_it(desk, face):
    portraits.put(desk.ctx, desk.ada, "ceo", face)
    made = desk.draft()
    found = mail_of(desk, made)
    [image] = re.findall(r"<img[^>]*>", found.parts["html"])
    assert f'src="cid:{found.picture.cid}"' in image
    assert 'alt="Picture of Cleo Example"' in image
    assert 'width="72" height="90"' in image
    assert "Cleo Example\nChief Executive" in found.parts["text"]
    assert {one.code for one in checking.check(desk.ctx, made.ref).findings} & {"L44", "I-PICTURE"} == set()
    page = previewing.look(desk.ctx, made.ref).as_html()
    assert found.picture.url in page
    assert "cid:" not in page
    assert "images off" in page
    assert frame_of(found, Sample("somebody", {})).measures[-1].fits
    letter = next(one for one in papers.read(desk.ctx, made.ref)[2].documents if one.name == "letter")
    assert f'<img src="{found.picture.url}" alt="Picture of Cleo Example"' in letter.text


def test_a_letter_on_paper_shows_it_and_fetches_nothing_else(desk, face):
    try:
        importlib.import_module("weasyprint")
    except (ImportError, OSError):
        pytest.skip("PDF is an extra")
    portraits.put(desk.ctx, desk.ada, "ceo", face)
    letter = next(one for one in papers.read(desk.ctx, desk.draft().ref)[2].documents if one.name == "letter")
    html = paper.as_html(letter)
    assert paper.as_pdf(html).count(b"/Subtype /Image") == 1
    with pytest.raises(ValueError, match="not fetched"):
        paper._fetch("https://example.com/face.png")
    with pytest.raises(ValueError, match="not fetched"):
        paper._fetch("data:image/svg+xml;base64,PHN2Zy8+")


def test_what_was_approved_is_sent_whatever_becomes_of_the_file(desk, face, tmp_path):
    kept = portraits.put(desk.ctx, desk.ada, "ceo", face)
    made = desk.submitted()
    frozen = mail_of(desk, made)
    kept.write_bytes(png(50, 50))
    approval.approve(desk.ctx, desk.ben, made.ref)
    kept.unlink()
    sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5, undo=0)
    sent = []
    hand_over = desk.mail.send

    async def noted(rendition, envelopes, *, expires_at):
        sent.append(rendition)
        return await hand_over(rendition, envelopes, expires_at=expires_at)

    desk.mail.send = noted
    desk.drain("email")
    assert [one.picture for one in sent] == [frozen.picture]
    assert frozen.picture.width == 96


def test_another_picture_in_the_ledger_is_not_what_was_approved(desk, face):
    portraits.put(desk.ctx, desk.ada, "ceo", face)
    made = approval.approve(desk.ctx, desk.ben, desk.submitted().ref)
    whole = mail_of(desk, made)
    other = dataclasses.replace(whole, picture=dataclasses.replace(whole.picture, data="AAAA"))
    assert other.sha256() != whole.sha256() != dataclasses.replace(whole, picture=None).sha256()
    with desk.ctx.ledger.write() as tx:
        tx.change(
            "UPDATE rendition SET picture = replace(picture, 'iVBOR', 'iVBOS') WHERE broadcast_id = :b", b=made.id
        )
    with pytest.raises(Refused) as refused:
        sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=5)
    assert refused.value.code == "E-DIG"


def test_a_notice_of_a_breach_has_nothing_attached(desk, face):
    portraits.put(desk.ctx, desk.ada, "ceo", face)
    made = desk.draft("data-breach", severity=Severity.MINOR)
    found = mail_of(desk, made)
    assert found.picture is None
    assert "<img" not in found.parts["html"]
    assert "Cleo Example" in found.parts["html"]
    letter = next(one for one in papers.read(desk.ctx, made.ref)[2].documents if one.name == "letter")
    assert "data:image/png" in letter.text


def test_a_picture_that_broke_holds_up_nobody_and_is_named(desk, face):
    kept = portraits.put(desk.ctx, desk.ada, "ceo", face)
    kept.write_bytes(b"<svg/>")
    made = desk.draft()
    [told] = [one for one in checking.check(desk.ctx, made.ref).findings if one.code == "I-PICTURE"]
    assert (told.level, "without the picture of ceo" in told.what) == ("info", True)
    assert mail_of(desk, made).picture is None
    assert [is_hint for said, is_hint in hints(desk)] == [False, True]
    assert portraits.told(desk.ctx.settings, "ceo").startswith("not used: ")


def test_that_somebody_has_none_is_a_hint(desk, face):
    portraits.put(desk.ctx, desk.ada, "ceo", face)
    assert hints(desk) == [("No picture is kept of care; none is needed.", True)]
    portraits.put(desk.ctx, desk.ada, "care", face)
    assert hints(desk) == []


def test_a_yes_given_in_peace_covers_the_picture_of_then(desk, face):
    before = preapproval._voice(desk.ctx)
    kept = portraits.put(desk.ctx, desk.ada, "ceo", face)
    shown = preapproval._voice(desk.ctx)
    kept.write_bytes(png(60, 60))
    assert len({before, shown, preapproval._voice(desk.ctx)}) == 3
