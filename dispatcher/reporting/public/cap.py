"""CAP 1.2 (OASIS, 1 July 2010): each update of an incident as a message for software of emergency management.

The first is an Alert, every later one an Update that names those before it, a correction too: nothing is taken back in
silence. When the incident is over the response is AllClear. Times have an offset and no fractions, as the schema wants.
These are for readers of our own page; alert hubs of authorities are for authorities.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from xml.etree import ElementTree as ET

from dispatcher.model.kinds import Severity
from dispatcher.reporting.public.publication import PublicIncident, Publisher, Update
from dispatcher.reporting.public.wording import clean, plain
from dispatcher.reporting.public.words import Words

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
SEVERITY: Mapping[Severity, str] = {
    Severity.LIFE_SAFETY: "Extreme",
    Severity.CRITICAL: "Severe",
    Severity.MAJOR: "Moderate",
    Severity.MINOR: "Minor",
}
HEADLINE = 160
"""Characters that the standard advises for a headline."""

ET.register_namespace("cap", NAMESPACE)


def files(
    publisher: Publisher, incidents: Sequence[PublicIncident], languages: Mapping[str, Words]
) -> dict[str, bytes]:
    """A message for each update with words, by its path; the newest of an incident also by the incident's name."""
    made: dict[str, bytes] = {}
    for one in incidents:
        told = [update for update in reversed(one.updates) if update.texts]
        for number, update in enumerate(told):
            message = _message(publisher, one, update, told[:number], languages)
            made[f"cap/{update.ref}.xml"] = made[f"cap/{one.ref}.xml"] = message
    return made


def _message(
    publisher: Publisher, one: PublicIncident, update: Update, before: Sequence[Update], languages: Mapping[str, Words]
) -> bytes:
    alert = ET.Element(f"{{{NAMESPACE}}}alert")
    _add(alert, "identifier", _identifier(publisher, update))
    _add(alert, "sender", publisher.contact)
    _add(alert, "sent", _stamp(update.at))
    _add(alert, "status", "Actual")
    _add(alert, "msgType", "Update" if before else "Alert")
    _add(alert, "scope", "Public")
    if update.correction:
        _add(alert, "note", languages[_spoken(update.texts[0].locale, languages)]["correction"])
    if before:
        _add(alert, "references", " ".join(_reference(publisher, earlier) for earlier in before))
    _add(alert, "incidents", one.ref)
    for text in update.texts:
        words = languages[_spoken(text.locale, languages)]
        _info(alert, publisher, one, update, text.locale, words)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + bytes(ET.tostring(alert, encoding="utf-8")) + b"\n"


def _info(
    alert: ET.Element, publisher: Publisher, one: PublicIncident, update: Update, locale: str, words: Words
) -> None:
    text = update.text(locale)
    assert text is not None
    over = update.phase.value in ("resolved", "closed")
    info = _add(alert, "info")
    _add(info, "language", locale)
    _add(info, "category", "Safety" if one.severity is Severity.LIFE_SAFETY else "Infra")
    _add(info, "event", words["event"])
    _add(info, "responseType", "AllClear" if over else "Monitor")
    _add(info, "urgency", "Past" if over else "Immediate" if one.severity is Severity.LIFE_SAFETY else "Expected")
    _add(info, "severity", SEVERITY[one.severity])
    _add(info, "certainty", "Observed")
    _add(info, "effective", _stamp(update.at))
    if update is one.updates[0] and one.next_update_at is not None and one.next_update_at > update.at:
        _add(info, "expires", _stamp(one.next_update_at))
    _add(info, "senderName", publisher.name)
    _add(info, "headline", text.headline[:HEADLINE])
    _add(info, "description", plain(text))
    _add(info, "web", f"{publisher.url}/incidents/{one.ref}.html")
    _add(info, "contact", f"{publisher.phone}, {publisher.contact}")
    _add(_add(info, "area"), "areaDesc", words["area"].format(name=publisher.name))


def _spoken(locale: str, languages: Mapping[str, Words]) -> str:
    """The language of our fixed words beside words in a locale."""
    found = (word for word in (locale, locale.split("-")[0]) if word in languages)
    return next(found, next(iter(languages)))


def _identifier(publisher: Publisher, update: Update) -> str:
    return f"{publisher.domain}.{update.ref}"


def _reference(publisher: Publisher, update: Update) -> str:
    return f"{publisher.contact},{_identifier(publisher, update)},{_stamp(update.at)}"


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _add(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    child = ET.SubElement(parent, f"{{{NAMESPACE}}}{name}")
    child.text = clean(text) or None
    return child
