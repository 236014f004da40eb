"""The catalogue: shipped and own templates, and what is said of broken ones."""

import dataclasses
import os
import shutil

import pytest

from dispatcher.compose.catalogue import Catalogue
from dispatcher.compose.parts import choose, speaks, worded
from dispatcher.errors import NotFound, TemplateError
from dispatcher.model.fact import FactKind
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.person import Level
from dispatcher.model.template import PartName
from tests.compose.sample import SHIPPED, catalogue


@pytest.fixture
def own(tmp_path):
    """An operator's folder with a copy of one template, and the catalogue over both."""
    shutil.copytree(SHIPPED / "messages" / "holding-statement", tmp_path / "messages" / "holding-statement")
    return tmp_path / "messages" / "holding-statement", Catalogue([tmp_path, SHIPPED])


def test_the_shipped_templates():
    shipped = catalogue()
    assert {"holding-statement", "outage-update", "apology-restoration", "data-breach"} <= set(shipped.ids())
    assert "shared" not in shipped.ids()
    breach = shipped.get("data-breach")
    assert breach.channels == (Channel.EMAIL, Channel.SMS, Channel.SOCIAL)
    assert breach.purpose is Purpose.SERVICE
    assert (breach.level, breach.approvals) == (Level.DIRECTOR, (Level.DPO, Level.LEGAL))
    assert breach.spec("data").kind is FactKind.MATRIX
    assert breach.spec("nothing") is None
    assert {"en", "fr"} <= breach.locales()


def test_one_fact_name_has_one_kind():
    names = catalogue().vocabulary()
    assert names["since"].kind is FactKind.MOMENT


def test_every_fact_says_what_it_is_about():
    for template in catalogue().all():
        assert all(spec.about.endswith(".") for spec in template.facts), template.id
        assert template.about.endswith(".")
        assert template.title


def test_the_operators_template_replaces_ours(own):
    folder, both = own
    (folder / "sms.txt").write_text("Ours.", encoding="utf-8")
    assert both.get("holding-statement").sources["sms.txt"] == "Ours."
    assert both.get("holding-statement").origin == str(folder)
    assert both.ids() == catalogue().ids()
    assert both.get("holding-statement").sha256() != catalogue().get("holding-statement").sha256()
    assert catalogue().get("data-breach").sha256() == both.get("data-breach").sha256()


def test_single_shared_files_and_words_can_be_replaced(own, tmp_path):
    _, both = own
    shared = tmp_path / "messages" / "shared"
    shared.mkdir()
    (shared / "verify.txt").write_text("Look here.", encoding="utf-8")
    (shared / "words.toml").write_text('[en]\nknown = "Known"\n', encoding="utf-8")
    template = both.get("data-breach")
    assert template.shared["verify.txt"] == "Look here."
    assert template.shared["contact.txt"] == catalogue().get("data-breach").shared["contact.txt"]
    assert template.words["en"]["known"] == "Known"
    assert template.words["en"]["unknown"] == "What we do not know yet"


def test_an_unknown_id_is_told_with_the_nearest():
    with pytest.raises(NotFound) as caught:
        catalogue().get("holding-statment")
    assert "holding-statement" in caught.value.why
    for strange in ("../shared", "", "shared", "/etc"):
        with pytest.raises(NotFound):
            catalogue().get(strange)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text.replace('id = "holding-statement"', 'id = "other"'), "is not the folder's name"),
        (lambda text: text.replace('purpose = "service"', 'purpose = "fun"'), "purpose does not fit"),
        (lambda text: text.replace('title = "', 'titel = "'), "does not fit"),
        (lambda text: text + '\n[facts.recipient]\nkind = "line"\n', "may not be called recipient"),
        (lambda text: text + '\n[facts."Bad Name"]\nkind = "line"\n', "does not fit"),
        (lambda text: text.replace('"page", "press"', '"page", "opera"'), "no document is called 'opera'"),
        (lambda text: text.replace('"page", "press"', '"page", "letter"'), "the part letter.html is missing"),
        (lambda text: text.replace('["email", "sms", "social"]', '["chat"]'), "the part chat.txt is missing"),
        (lambda text: text + "\n[", "is not valid TOML"),
        (lambda text: text + "#" * 300_000, "larger than"),
        (
            lambda text: text.replace('["email", "sms", "social"]', "[]").replace('["page", "press", "banner"]', "[]"),
            "neither a channel nor a document",
        ),
    ],
)
def test_a_broken_description(own, change, says):
    folder, both = own
    path = folder / "template.toml"
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")
    with pytest.raises(TemplateError) as caught:
        both.get("holding-statement")
    assert says in caught.value.what


def test_a_part_in_another_encoding(own):
    folder, both = own
    (folder / "sms.txt").write_bytes("é".encode("latin-1"))
    with pytest.raises(TemplateError, match="is not UTF-8"):
        both.get("holding-statement")


def test_a_broken_template_is_nobody_elses_concern(own):
    folder, both = own
    names, profiles = both.vocabulary(), both.profiles()
    (folder / "template.toml").write_text("id = [")
    assert both.unreadable() == ["holding-statement"]
    assert both.profiles() == {name: one for name, one in profiles.items() if name != "holding-statement"}
    assert both.vocabulary().keys() <= names.keys()
    assert both.get("outage-update").id == "outage-update"


def test_a_template_whose_file_cannot_be_read_is_nobody_elses_concern_either(own):
    folder, both = own
    (folder / "sms.txt").unlink()
    (folder / "sms.txt").symlink_to("/proc/self/mem")  # there, and no read of it succeeds, whoever asks
    assert both.unreadable() == ["holding-statement"]
    assert "problem" in both.vocabulary()


def test_words_copied_over_others_with_their_size_and_time_are_seen(own):
    folder, both = own
    path = folder / "sms.txt"
    words, told = both.get("holding-statement").sources["sms.txt"], path.stat()
    path.write_text(words.swapcase())
    while path.stat().st_ctime_ns == told.st_ctime_ns or path.stat().st_mtime_ns != told.st_mtime_ns:
        os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))  # file systems count time in ticks of milliseconds
    assert path.stat().st_size == told.st_size
    assert both.get("holding-statement").sources["sms.txt"] == words.swapcase()


def test_a_kind_of_message_that_changes_on_disk_is_seen(own):
    folder, both = own
    path = folder / "template.toml"
    before = both.profiles()["holding-statement"]
    path.write_text(path.read_text().replace(f'profile = "{before}"', 'profile = "closing"'))
    assert before != "closing" == both.profiles()["holding-statement"]


def test_two_kinds_for_one_name(own):
    folder, both = own
    path = folder / "template.toml"
    text = path.read_text(encoding="utf-8").replace('[facts.doing]\nkind = "text"', '[facts.doing]\nkind = "line"')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TemplateError, match="doing is"):
        both.vocabulary()


def test_example_facts():
    assert catalogue().example("holding-statement")["problem"].startswith("Customers cannot")


@pytest.mark.parametrize(
    ("file", "taken_apart"),
    [
        ("email.subject.txt", PartName("email", "subject", "", "", "txt")),
        ("email.subject.fr.txt", PartName("email", "subject", "fr", "", "txt")),
        ("email.fr+staff.mjml", PartName("email", "", "fr", "staff", "mjml")),
        ("sms.en-US.txt", PartName("sms", "", "en-US", "", "txt")),
        ("email.any.mjml", PartName("email", "", "any", "", "mjml")),
    ],
)
def test_names_of_parts(file, taken_apart):
    assert PartName.parse(file) == taken_apart
    assert taken_apart.file == file


@pytest.mark.parametrize("file", ["template.toml", "example.toml", "notes.rst", "Email.txt", ".txt", "email.txt~"])
def test_names_that_are_no_parts(file):
    assert PartName.parse(file) is None


@pytest.mark.parametrize(
    ("locale", "variant", "file"),
    [
        ("fr", "", "sms.fr.txt"),
        ("fr-CA", "", "sms.fr-CA.txt"),
        ("fr-BE", "", "sms.fr.txt"),
        ("fr", "staff", "sms.fr+staff.txt"),
        ("en", "staff", "sms.txt"),
        ("de", "", "sms.txt"),
    ],
)
def test_the_closest_part_is_chosen(locale, variant, file):
    names = ["sms.txt", "sms.fr.txt", "sms.fr-CA.txt", "sms.fr+staff.txt", "email.txt"]
    assert choose(names, ("sms", "", "txt"), locale=locale, variant=variant).file == file


def test_a_part_for_any_language_speaks_where_there_are_words():
    any_part = PartName.parse("email.any.txt")
    assert choose(["email.txt", "email.any.txt"], ("email", "", "txt"), locale="fr") == any_part
    assert speaks(any_part, "fr-CA", own="en", worded=["en", "fr"])
    assert not speaks(any_part, "de", own="en", worded=["en", "fr"])


def test_parts_for_any_language_take_those_that_every_partial_speaks():
    template = catalogue().get("holding-statement")
    assert worded(template) == {"en", "fr"}
    silent = {name: text for name, text in template.sources.items() if name != "says.fr.txt"}
    assert worded(dataclasses.replace(template, sources=silent)) == {"en"}
    words = {**template.words, "de": template.words["en"]}
    assert worded(dataclasses.replace(template, words=words)) == {"en", "fr"}


def test_no_part_at_all():
    with pytest.raises(TemplateError, match=r"sms\.txt is missing"):
        choose(["email.txt"], ("sms", "", "txt"), locale="en")
