"""An invented retailer and briefs made from the example facts beside each template."""

from datetime import UTC, datetime
from pathlib import Path

from dispatcher.compose.brief import Brief, Organisation
from dispatcher.compose.catalogue import Catalogue
from dispatcher.compose.factfile import of_table
from dispatcher.compose.facts import read_facts
from dispatcher.model.fact import sheet
from dispatcher.model.kinds import Channel, Mode, Purpose
from dispatcher.model.template import Template

SHIPPED = Path(__file__).parents[2] / "templates"
NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
NEXT = datetime(2026, 11, 20, 20, 0, tzinfo=UTC)
NONCE = "k3v9q7x2mz"

STORES = Organisation(
    name="Example Stores",
    sms_name="Example Stores",
    domains=("example.com",),
    status_url="https://status.example.com",
    verify_url="https://example.com/verify",
    contact_email="help@example.com",
    contact_phone="0161 496 0000",
    never_ask={
        "en": "We will never ask you for your password, your PIN or your full card number.",
        "fr": "Nous ne vous demanderons jamais votre mot de passe, votre code ni votre numéro de carte complet.",
    },
    contact_hours={"en": "8am to 10pm every day", "fr": "de 8 h à 22 h, tous les jours"},
    signatory_name="Sam Example",
    signatory_role={"en": "Chief Executive, Example Stores", "fr": "Direction générale, Example Stores"},
    dpo_name="Alex Sample",
    dpo_email="privacy@example.com",
    press_email="press@example.com",
    post_address="Example Stores Ltd\n1 Example Street\nManchester",
    accounts=("@examplestores",),
)


def catalogue() -> Catalogue:
    return Catalogue([SHIPPED])


def brief_for(template: Template, **changes: object) -> Brief:
    """A brief with the template's example facts, on all its channels, in English."""
    facts = read_facts(template.facts, of_table(catalogue().example(template.id)))
    given = {
        "organisation": STORES,
        "facts": sheet(facts),
        "channels": template.channels,
        "locales": ("en",),
        "as_of": NOW,
        "nonce": NONCE,
        "code": "KM47QX",
        "incident_ref": "INC-1",
        "next_update_at": NEXT,
        "mode": Mode.DRILL if template.purpose is Purpose.DRILL else Mode.LIVE,
        "purpose": template.purpose,
    }
    return Brief(**{**given, **changes})  # type: ignore[arg-type]


ALL_CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.SOCIAL)
