"""A letter for each person: approved words with their own values, for their owner alone, and for nobody who said no."""

import csv
import json
import shutil
import stat

import pytest

from dispatcher import resources
from dispatcher.errors import NotPermitted, Refused
from dispatcher.model.kinds import Mode
from dispatcher.model.outcome import Accepted, Rejected
from dispatcher.services import approval, letters, sending, ticking
from tests.services.desk import Desk

PEOPLE = (
    ("en", {"name": "Ana <i>One</i>", "first_name": "Ana", "postal_address": "1 Example Street\nExampletown"}),
    ("fr", {"name": "Chloé Two", "first_name": "Chloé"}),
    ("en", {}),
    ("de", {"first_name": "  "}),
)


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path, public_url="https://alerts.example.com")
    made.lou = made.person("Lou", *made.ben.roles, level=made.ben.level)
    written(made, "post", ("name", "first_name", "postal_address"), PEOPLE)
    yield made
    made.ctx.ledger.close()


def written(desk, name, columns, people):
    version = desk.listed(name, len(people), names=columns)
    with desk.ctx.ledger.write() as tx:
        for rid, (locale, fields) in enumerate(people, start=1):
            tx.change(
                "UPDATE recipient SET locale = :l, fields = :f WHERE version_id = :v AND rid = :r",
                l=locale, f=json.dumps(fields), v=version, r=rid,
            )  # fmt: skip


def approved(desk, template="apology", audience="post"):
    made = desk.submitted(template, audience=audience, mode=Mode.DRILL)
    for one in (desk.ben, desk.lou):
        if made.approved_at is None:
            made = approval.approve(desk.ctx, one, made.ref)
    return made


def lines(folder):
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def index(folder):
    return {int(row["recipient"]): row["file"] for row in lines(folder)}


def test_everybody_has_a_letter_in_their_language_with_their_own_values_made_safe(desk, tmp_path):
    made = letters.export(desk.ctx, desk.olu, approved(desk).ref, tmp_path / "letters")
    assert (made.letters, made.left_out, made.lacking) == (4, 0, ())
    files = index(made.folder)
    assert files == {1: "0000001.en.html", 2: "0000002.fr.html", 3: "0000003.en.html", 4: "0000004.en.html"}
    texts = {rid: (made.folder / name).read_text(encoding="utf-8") for rid, name in files.items()}
    assert "Ana &lt;i&gt;One&lt;/i&gt;\n1 Example Street\nExampletown" in texts[1]
    assert ["Dear Ana," in texts[1], "Bonjour Chloé," in texts[2]] == [True, True]
    assert ["Dear customer," in texts[rid] for rid in (3, 4)] == [True, True]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir()} == {0o600}
    assert stat.S_IMODE(made.folder.stat().st_mode) == 0o700


def test_who_gets_another_language_than_they_asked_for_is_named_and_counted(desk, tmp_path):
    made = letters.export(desk.ctx, desk.olu, approved(desk).ref, tmp_path / "letters")
    assert {row["recipient"]: row["asked"] for row in lines(made.folder)} == {"1": "", "2": "", "3": "", "4": "de"}
    assert made.instead == {("de", "en"): 1}
    assert made.as_dict()["instead"] == [{"asked": "de", "given": "en", "people": 1}]


def test_a_letter_that_the_template_has_in_one_language_only_says_so(tmp_path):
    own = tmp_path / "templates" / "messages" / "apology"
    shutil.copytree(resources.shipped("templates") / "messages" / "apology", own)
    (own / "letter.any.html").rename(own / "letter.html")
    other = Desk(tmp_path, public_url="https://alerts.example.com", templates_dir=str(own.parents[1]))
    other.lou = other.person("Lou", *other.ben.roles, level=other.ben.level)
    written(other, "post", ("name", "first_name", "postal_address"), PEOPLE)
    done = letters.export(other.ctx, other.olu, approved(other).ref, tmp_path / "letters")
    assert done.instead == {("de", "en"): 1, ("fr", "en"): 1}
    assert [row["asked"] for row in lines(done.folder)] == ["", "fr", "", "de"]
    other.ctx.ledger.close()


def test_only_those_whom_no_channel_has_reached(desk, tmp_path):
    made = approved(desk)
    sending.send(desk.ctx, desk.olu, made.ref, confirm_audience=4)
    desk.clock.pass_by(60)
    ticking.tick(desk.ctx)
    desk.mail.script += [[Accepted("m"), Rejected("no")], Accepted("m")]
    desk.drain("email")
    done = letters.export(desk.ctx, desk.olu, made.ref, tmp_path / "letters", unreached=True)
    assert (done.letters, done.left_out) == (len(index(done.folder)), 4 - done.letters)
    assert 0 < done.letters < 4


def test_promotion_by_post_needs_a_yes_and_shows_no_code(desk, tmp_path):
    yes, no = {"first_name": "Ana", "consent": "yes"}, {"first_name": "Bo", "consent": "no"}
    written(desk, "some", ("first_name", "consent"), [("en", yes | {"code": "SECRET-1"}), ("en", no)])
    made = letters.export(desk.ctx, desk.olu, approved(desk, "goodwill-voucher", "some").ref, tmp_path / "letters")
    assert (index(made.folder), made.left_out) == ({1: "0000001.en.html"}, 1)
    assert made.lacking == ("name", "postal_address")
    text = (made.folder / "0000001.en.html").read_text(encoding="utf-8")
    assert "Dear Ana," in text
    assert "SECRET-1" not in text


def test_what_cannot_be_written_says_why(desk, tmp_path, monkeypatch):
    def refused(ref, **more):
        with pytest.raises(Refused) as told:
            letters.export(desk.ctx, desk.olu, ref, tmp_path / "letters", **more)
        assert told.value.mend
        return str(told.value)

    assert "nobody has approved" in refused(desk.draft("apology", audience="post", mode=Mode.DRILL).ref)
    assert "knows nothing" in refused(approved(desk, audience="customers").ref)
    with pytest.raises(Refused) as told:
        letters.export(desk.ctx, desk.olu, approved(desk, audience="customers").ref, tmp_path / "letters")
    assert "--map COLUMN=FIELD" in " ".join(told.value.mend)
    made = approved(desk)
    monkeypatch.setattr(letters, "MOST_PDF", 3)
    assert "for 3 at most" in refused(made.ref, pdf=True)
    with pytest.raises(NotPermitted):
        letters.export(desk.ctx, desk.ana, made.ref, tmp_path / "letters")
    assert not (tmp_path / "letters").exists()
