"""What a broadcast looks like before it leaves, and what is written to files: pages, documents, the sealed copy."""

import importlib
import json
import stat

import pytest

from dispatcher import resources

BREACH = resources.shipped("templates") / "messages" / "data-breach" / "example.toml"
EVERYWHERE = """name,first_name,email,phone,locale,country
Ana Jones,Ana,ana@example.com,+447700900101,en,GB
Sam Smith,Sam,sam@example.org,+12025550101,en,US
Zoé Moreau,Zoé,zoe@example.net,,fr,us
No Country,No,no@example.com,,en,
"""
PHRASE = "four words are enough"


@pytest.fixture
def abroad(drafted, site):
    """Beside B-1, people in two countries."""
    (site / "everywhere.csv").write_text(EVERYWHERE, encoding="utf-8")
    answer = drafted("audience", "import", "everywhere.csv", "--into", "everywhere", "--region", "GB", "--as", "Ana")
    assert answer.code == 0, answer.err
    return drafted


def breach(run, *more):
    return run(
        "broadcast", "draft", "--template", "data-breach", "--audience", "everywhere", "--channel", "email,sms",
        "--incident", "INC-1", "--facts", BREACH, "--as", "Ana", "--json", *more,
    )  # fmt: skip


def test_the_page_shows_everything_and_is_its_owners(drafted, site):
    answer = drafted("broadcast", "preview", "B-1", "--html", "look.html")
    assert (answer.code, answer.out.strip()) == (0, "look.html")
    page = site / "look.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    html = page.read_text(encoding="utf-8")
    for words in ("DRILL · draft", "longest values", "en · our own accounts", "Zoé", 'class="bubble"', "page · fr"):
        assert words in html
    named = drafted("broadcast", "preview", "B-1", "--html", "--recipient", "zoe@example.net", "--json").json
    assert named["page"] == "B-1-preview.html"
    assert "Owain" not in (site / "B-1-preview.html").read_text(encoding="utf-8")


def test_nobody_is_shown_a_message_that_cannot_reach_them(drafted):
    found = drafted("broadcast", "preview", "B-1", "--json").json["previews"]
    assert all(one["address"] for one in found if one["channel"] in ("email", "sms") and one["recipient"])
    assert {one["locale"] for one in found if one["channel"] == "email" and one["recipient"]} == {"en", "fr"}


def test_only_the_channels_asked_for(drafted):
    found = drafted("broadcast", "preview", "B-1", "--channel", "sms", "--json").json
    assert {one["channel"] for one in found["previews"]} == {"sms"}
    assert found["compared_with"] is None


def test_the_next_word_is_compared_with_the_last(approved):
    assert approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu").code == 0
    made = approved(
        "broadcast", "draft", "--template", "holding-statement", "--audience", "customers", "--channel", "email,sms",
        "--incident", "INC-1", "--fact", "problem=Nobody can pay by card in our stores.", "--as", "Ana", "--json",
    )  # fmt: skip
    found = approved("broadcast", "preview", made.json["ref"], "--json").json
    assert found["compared_with"] == "B-1"
    text = next(one for one in found["changes"] if (one["channel"], one["locale"]) == ("sms", "en"))
    added = " ".join(words for kind, words in text["words"] if kind == "added")
    assert "Nobody can pay" in added
    shown = approved("broadcast", "preview", made.json["ref"], "--plain").out
    assert "against B-1" in shown
    assert "{+" in shown
    assert "[-" in shown


def test_documents_are_drafts_until_approved_and_then_what_was_approved(approved, site):
    assert approved("broadcast", "export", "B-1", "--documents", "out", "--as", "Ana").code == 0
    index = json.loads((site / "out" / "index.json").read_text(encoding="utf-8"))
    assert index["state"] == "approved"
    assert index["digest"] == approved("broadcast", "show", "B-1", "--json").json["digest"]
    assert {"page.en.md", "page.en.html", "page.fr.md", "press.en.md", "banner.en.txt", "banner.json"} <= set(
        index["files"]
    )
    assert "<h1>" in (site / "out" / "page.en.html").read_text(encoding="utf-8")
    approved("broadcast", "edit", "B-1", "--title", "Again", "--as", "Ana")
    drafts = approved("broadcast", "export", "B-1", "--documents", "drafts", "--as", "Ana", "--json").json["files"]
    assert all(name.startswith("draft-") for name in drafts if name != "index.json")


def test_site_and_app_get_json(drafted, site):
    drafted("broadcast", "export", "B-1", "--documents", "out", "--as", "Ana")
    banner = json.loads((site / "out" / "draft-banner.json").read_text(encoding="utf-8"))
    assert set(banner["texts"]) == {"en", "fr"}
    assert (banner["mode"], banner["severity"], banner["incident"]) == ("drill", "critical", "INC-1")
    assert banner["verify"]["code"]
    feed = json.loads((site / "out" / "draft-app-feed.json").read_text(encoding="utf-8"))
    assert [item["locale"] for item in feed["items"]] == ["en", "fr"]
    assert feed["items"][0]["title"]
    assert "Example Ltd" in feed["items"][0]["summary"]
    assert feed["next_update"]


def test_a_letter_for_each_person(abroad, site):
    ref = breach(abroad, "--variant-by", "country").json["ref"]
    to_folder = ("broadcast", "export", ref, "--documents", "out", "--letters", "--as", "Olu", "--json")
    early = abroad(*to_folder)
    assert (early.code, "nobody has approved" in early.error["what"]) == (4, True)
    assert abroad("broadcast", "export", ref, "--letters", "--as", "Olu").code == 2
    for name, level in (("Dan", "dpo"), ("Lou", "legal")):
        abroad("person", "add", name, "--role", "approver", "--level", level, "--as", "Ada")
    assert abroad("broadcast", "submit", ref, "--as", "Ana").code == 0
    assert [abroad("broadcast", "approve", ref, "--as", who).code for who in ("Ben", "Dan", "Lou")] == [0, 0, 0]
    made = abroad(*to_folder)
    assert made.json["letters"] == {
        "ref": ref, "folder": "out/letters", "letters": 4, "left_out": 0, "instead": [], "lacking": ["postal_address"],
    }  # fmt: skip
    zoe = (site / "out" / "letters" / "0000003.fr+us.html").read_text(encoding="utf-8")
    assert "Bonjour Zoé," in zoe


def test_promotion_is_no_item_of_site_or_app(drafted, site):
    facts = resources.shipped("templates") / "messages" / "goodwill-voucher" / "example.toml"
    made = drafted(
        "broadcast", "draft", "--template", "goodwill-voucher", "--audience", "customers", "--channel", "email",
        "--facts", facts, "--as", "Ana", "--json",
    )  # fmt: skip
    assert drafted("broadcast", "export", made.json["ref"], "--documents", "out", "--as", "Ana").code == 0
    assert {path.name for path in (site / "out").iterdir()} == {"draft-letter.en.html", "index.json"}
    letter = (site / "out" / "draft-letter.en.html").read_text(encoding="utf-8")
    assert "Reference" not in letter, "it is about no incident"


def test_a_frozen_message_is_shown_with_what_was_found_when_it_was_frozen(approved, site):
    """The promise of its incident moves on; the words that people have stay right."""
    assert approved("incident", "promise", "INC-1", "in 9m", "--as", "Ana").code == 0
    approved("broadcast", "preview", "B-1", "--html", "look.html")
    html = (site / "look.html").read_text(encoding="utf-8")
    assert "L02" not in html
    stored = {one["code"] for one in approved("broadcast", "show", "B-1", "--json").json["warnings"]}
    assert {code for code in stored if code in html} == {code for code in stored if code.startswith("L")}


def test_a_document_is_bound_by_the_digest(approved, site):
    """One character in a document, and the approval is of something else."""
    import sqlite3

    ledger = next((site / "work").rglob("*.db"))
    with sqlite3.connect(ledger) as connection:
        connection.execute("UPDATE document SET sha256 = 'x', text = text || '.' WHERE name = 'page'")
    refused = approved("broadcast", "send", "B-1", "--confirm-audience", 4, "--undo", 0, "--as", "Olu", "--json")
    assert (refused.code, refused.error["code"]) == (4, "E-DIG")


def test_letters_become_pdf(abroad, site):
    try:
        importlib.import_module("weasyprint")
    except (ImportError, OSError) as error:
        pytest.skip(f"weasyprint and the system library Pango make letters: {error}")
    ref = breach(abroad).json["ref"]
    answer = abroad("broadcast", "export", ref, "--documents", "out", "--pdf", "--as", "Ana")
    assert answer.code == 0, answer.err
    assert (site / "out" / "draft-letter.en.pdf").read_bytes().startswith(b"%PDF-")


def test_the_sealed_copy(drafted, site):
    (site / "phrase").write_text(PHRASE + "\n", encoding="utf-8")
    answer = drafted("broadcast", "export", "B-1", "--offline", "away", "--passphrase-file", "phrase", "--as", "Olu")
    assert answer.code == 0, answer.err
    sealed = site / "away" / "B-1-offline.zip.age"
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1")
    assert b"example.com" not in sealed.read_bytes()
    (site / "wrong").write_text("another phrase altogether", encoding="utf-8")
    assert drafted("broadcast", "unseal", sealed, "--into", "open", "--passphrase-file", "wrong").code == 4
    assert drafted("broadcast", "unseal", sealed, "--into", "open", "--passphrase-file", "phrase").code == 0
    rows = (site / "open" / "addresses.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 5
    sheet = (site / "open" / "call-sheet.html").read_text(encoding="utf-8")
    assert sheet.count("+4477009001") == 3
    assert (site / "open" / "sms.fr.txt").is_file()
    assert stat.S_IMODE((site / "open").stat().st_mode) == 0o700


def test_who_asked_for_no_more_is_not_called(drafted, site):
    assert drafted("suppression", "add", "+447700900101", "--as", "Olu").code == 0
    (site / "phrase").write_text(PHRASE, encoding="utf-8")
    drafted("broadcast", "export", "B-1", "--offline", "away", "--passphrase-file", "phrase", "--as", "Olu")
    drafted("broadcast", "unseal", "away/B-1-offline.zip.age", "--into", "open", "--passphrase-file", "phrase")
    assert "+447700900101" not in (site / "open" / "call-sheet.html").read_text(encoding="utf-8")
    assert ",yes,no" in (site / "open" / "addresses.csv").read_text(encoding="utf-8")


def test_the_passphrase_is_long_and_never_in_the_command(drafted, site):
    assert drafted("broadcast", "export", "B-1", "--offline", "away", "--as", "Olu").code == 2
    (site / "short").write_text("tooshort", encoding="utf-8")
    short = drafted("broadcast", "export", "B-1", "--offline", "away", "--passphrase-file", "short", "--as", "Olu")
    assert short.code == 4
    assert (
        drafted("broadcast", "export", "B-1", "--offline", "a", "--passphrase-file", "short", "--as", "Ana").code == 5
    )


def test_a_variant_by_a_column_of_the_audience(abroad):
    ref = breach(abroad, "--variant-by", "country").json["ref"]
    found = abroad("broadcast", "preview", ref, "--json").json["previews"]
    reads = {one["address"]: one["variant"] for one in found if one["channel"] == "email"}
    assert reads["sam@example.org"] == "us"
    assert set(reads.values()) == {"", "us"}
    named = abroad("broadcast", "preview", ref, "--recipient", "ana@example.com", "--json").json["previews"]
    assert {one["variant"] for one in named} == {""}
    assert reads["zoe@example.net"] == "us"
    assert abroad("broadcast", "submit", ref, "--as", "Ana").code == 0
    planned = abroad("broadcast", "show", ref, "--json").json["channels"]
    assert {name: terms["planned"] for name, terms in planned.items()} == {"email": 4, "sms": 2}


def test_a_variant_for_everybody(abroad):
    ref = breach(abroad, "--variant", "us").json["ref"]
    found = abroad("broadcast", "preview", ref, "--json").json
    assert {one["variant"] for one in found["previews"] if one["channel"] == "email"} == {"us"}
    assert {one["variant"] for one in found["previews"] if one["channel"] == "sms"} == {""}
    mail = next(one for one in found["previews"] if (one["channel"], one["locale"]) == ("email", "en"))
    assert "What Information Was Involved" in mail["parts"]["text"]
    assert abroad("broadcast", "check", ref, "--json").json["channels"]["email"]["planned"] == 4


def test_a_variant_asks_for_its_own_facts(abroad):
    text = BREACH.read_text(encoding="utf-8").replace("toll_free_number = ", "# ")
    with open("facts.toml", "w", encoding="utf-8") as file:
        file.write(text)
    draft = (
        "broadcast",
        "draft",
        "--template",
        "data-breach",
        "--audience",
        "everywhere",
        "--channel",
        "email",
        "--incident",
        "INC-1",
    )
    plain = abroad(*draft, "--facts", "facts.toml", "--as", "Ana", "--json").json["ref"]
    assert abroad("broadcast", "check", plain).code == 0
    us = abroad(*draft, "--facts", "facts.toml", "--variant", "us", "--as", "Ana", "--json").json["ref"]
    found = abroad("broadcast", "check", us, "--json")
    assert found.code == 4
    assert "toll_free_number" in found.json["findings"][0]["what"]


@pytest.mark.parametrize(
    "more", [("--variant", "mars"), ("--variant-by", "planet"), ("--variant", "us", "--variant-by", "country")]
)
def test_variants_that_are_none(abroad, more):
    refused = breach(abroad, *more)
    assert (refused.code, refused.error["code"]) == (4, "E-VAR")
    assert refused.error["mend"]


def test_ways_to_people_that_are_not_used(abroad):
    ref = breach(abroad).json["ref"]
    made = abroad(
        "broadcast", "draft", "--template", "data-breach", "--audience", "everywhere", "--channel", "email",
        "--incident", "INC-1", "--facts", BREACH, "--as", "Ana", "--json",
    ).json["ref"]  # fmt: skip
    told = {one: touchpoints(abroad, one) for one in (ref, made)}
    assert any("2 people have a phone number that this does not use" in what for what in told[made])
    assert not any("phone number" in what for what in told[ref])
    assert any("Our own accounts on social are not used: x" in what for what in told[ref])
    assert any("page, letter" in what for what in told[ref])


def touchpoints(run, ref):
    found = run("broadcast", "check", ref, "--json").json["findings"]
    assert all(one["severity"] == "info" for one in found if one["code"] == "I-TOUCH")
    return [one["what"] for one in found if one["code"] == "I-TOUCH"]


def test_a_template_is_tried_with_invented_people(drafted, site):
    assert drafted("template", "try", "data-breach", "--html", "try.html").code == 0
    html = (site / "try.html").read_text(encoding="utf-8")
    for words in ("a long name", "another script", "Світлана", "en · us", "letter · en", "EXERCISE"):
        assert words in html
