"""What an organisation has not filled in: found while it is quiet, gone once it is filled in."""

from dispatcher import resources
from dispatcher.compose.catalogue import Catalogue
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Level, Person, Role
from dispatcher.services.preparedness import gaps
from dispatcher.settings import Settings

FILLED = {
    "organisation.name": "Example Stores",
    "organisation.domain": "stores.example.com",
    "organisation.contact": "help@stores.example.com",
    "organisation.phone": "+44 1632 960123",
    "organisation.help_url": "https://stores.example.com/help",
    "organisation.address": "2 Example Street",
    "organisation.signatory": "Sam Example",
    "organisation.signatory_role": {"en": "Chief Executive", "fr": "Direction générale"},
    "organisation.dpo_email": "privacy@example.com",
    "organisation.press_email": "press@example.com",
    "organisation.contact_hours": {"en": "8am to 10pm every day", "fr": "de 8 h à 22 h"},
    "organisation.never_ask_in": {"fr": "Jamais de mot de passe."},
    "organisation.social": "@examplestores",
}


def catalogue():
    return Catalogue(resources.folders("templates", None))


def found(people=None, channels=tuple(Channel), **changes):
    """By subject, everything that is said of it."""
    settings = Settings.load(overrides=FILLED | {k.replace("__", "."): v for k, v in changes.items()}, env={})
    told = {}
    for gap in gaps(settings, catalogue(), people, channels):
        assert gap.mend
        told[gap.about] = f"{told.get(gap.about, '')} {gap.said}".strip()
    return told


def approver(level):
    return Person(1, "Ben", roles=frozenset({Role.APPROVER}), level=level)


THREE = [approver(Level.DIRECTOR), approver(Level.DPO), approver(Level.LEGAL)]


def test_nothing_is_missing_where_everything_is_filled_in():
    assert found(THREE) == {}


def test_the_invented_company_is_named():
    said = found(organisation__name="Example Ltd", organisation__phone="+44 1632 960000")["organisation"]
    assert "name, phone" in said


def test_each_empty_word_says_who_will_miss_it():
    assert "dpo_email (breach notices name it)" in found(organisation__dpo_email="")["organisation"]


def test_languages_of_templates_that_our_words_do_not_speak():
    said = found(organisation__never_ask_in={}, organisation__contact_hours={"en": "always"})["languages"]
    assert "fr" in said
    assert "never_ask_in" in said
    assert "contact_hours" in said
    assert "signatory_role" not in said


def test_approvals_that_nobody_could_give():
    assert "Nobody may approve" in found([])["sign-off"]
    assert "data-breach" in found([approver(Level.DPO)])["sign-off"]
    author = Person(2, "Ana", roles=frozenset({Role.AUTHOR}), level=Level.DIRECTOR)
    assert "director" in found([author, *THREE[1:]])["sign-off"]
    assert "director, dpo, legal" in found(THREE[:2])["sign-off"]


def test_channels_that_nothing_carries():
    said = found(channels=(Channel.EMAIL,))["touchpoints"]
    assert "sms, social" in said
    assert "email" not in said.split(",")[0]
