"""What has to be filled in while it is quiet: the organisation's own words, who signs off, languages, accounts."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dispatcher.compose.catalogue import Catalogue
from dispatcher.errors import Refused
from dispatcher.model.kinds import Channel
from dispatcher.model.person import Level, Person, Role
from dispatcher.model.template import Template
from dispatcher.services import portraits
from dispatcher.settings import Settings
from dispatcher.settings.tables import Organisation

_SHOWN = ("name", "domain", "contact", "phone", "help_url", "address", "signatory", "never_ask")
"""Settings whose defaults speak for an invented company."""
_NEEDED = {
    "dpo_email": "breach notices name it",
    "press_email": "press statements name it",
    "signatory_role": "mails and letters are signed with it",
    "contact_hours": "people call outside them",
    "social": "people check our accounts by it",
}
_BY_LANGUAGE = {"never_ask_in": "what we never ask", "contact_hours": "when to call", "signatory_role": "who signs"}


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is not filled in: where, what it means, what to do. A hint is nothing that has to be."""

    about: str
    said: str
    mend: str
    is_hint: bool = False


def gaps(
    settings: Settings, templates: Catalogue, people: Sequence[Person] | None, channels: Collection[Channel]
) -> list[Gap]:
    """Everything that a bad day would find missing. `people` is None where there is no ledger yet; `channels` are those
    that an account carries."""
    readable = _readable(templates)
    found = [*_words(settings.organisation), *_languages(settings.organisation, readable)]
    if people is not None:
        found += _levels(people, readable)
    return [*found, *_touchpoints(channels, readable), *_pictures(settings)]


def _pictures(settings: Settings) -> Iterator[Gap]:
    """Pictures of signatories that no mail can carry; that somebody has none is a hint and no fault."""
    without = []
    for key in settings.signatories:
        try:
            if portraits.of(settings, key) is None:
                without.append(key)
        except Refused as error:
            yield Gap("pictures", f"{key} signs without one. {error.what}", f"dispatcher person picture {key} FILE")
    if without:
        said = f"No picture is kept of {', '.join(without)}; none is needed."
        yield Gap("pictures", said, f"dispatcher person picture {without[0]} FILE", is_hint=True)


def _words(told: Organisation) -> Iterator[Gap]:
    table = "Fill in [organisation] of the site file; dispatcher config where organisation.NAME tells which layer won."
    invented = Organisation()
    same = [name for name in _SHOWN if getattr(told, name) == getattr(invented, name) and name != "never_ask"]
    if same:
        yield Gap("organisation", f"Still as shipped, for an invented company: {', '.join(same)}.", table)
    empty = [f"{name} ({why})" for name, why in _NEEDED.items() if not getattr(told, name)]
    if empty:
        yield Gap("organisation", f"Empty: {', '.join(empty)}.", table)


def _readable(templates: Catalogue) -> list[Template]:
    """Templates that can be read; the others are told by their own findings."""
    found = []
    for template_id in templates.ids():
        try:
            found.append(templates.get(template_id))
        except Refused:
            continue
    return found


def _languages(told: Organisation, templates: Iterable[Template]) -> Iterator[Gap]:
    own = told.locale.split("-")[0]
    spoken = {locale.split("-")[0] for template in templates for locale in template.locales()} - {own}
    for locale in sorted(spoken):
        lacking = [
            f"{name} ({what})"
            for name, what in _BY_LANGUAGE.items()
            if locale not in {key.split("-")[0] for key in getattr(told, name)} and _is_said(told, name)
        ]
        if lacking:
            said = f"Templates speak {locale}, but these words of yours do not: {', '.join(lacking)}."
            yield Gap("languages", said, f'[organisation.{lacking[0].split(" ")[0]}] {locale} = "…"')


def _is_said(told: Organisation, name: str) -> bool:
    """What is said in no language is missing as a whole, and told above."""
    return name == "never_ask_in" or bool(getattr(told, name))


def _levels(people: Sequence[Person], templates: Sequence[Template]) -> Iterator[Gap]:
    """Templates whose approvals could not all be given: each is another person's."""
    approvers = [person for person in people if Role.APPROVER in person.roles]
    if not approvers:
        mend = "dispatcher person add NAME --role approver --level LEVEL"
        yield Gap("sign-off", "Nobody may approve: nothing can be sent.", mend)
        return
    have = sorted((person.level for person in approvers), key=lambda level: -level.rank)
    wanted: dict[tuple[Level, ...], list[str]] = {}
    for template in templates:
        needed = tuple(sorted((template.level, *template.approvals), key=lambda level: -level.rank))
        if len(have) < len(needed) or not all(map(Level.covers, have, needed)):
            wanted.setdefault(needed, []).append(template.id)
    for needed, ids in wanted.items():
        more = f" and {len(ids) - 4} more" if len(ids) > 4 else ""
        said = f"Approvers for {', '.join(needed)}, each another person, are not all there: {', '.join(ids[:4])}{more}."
        yield Gap("sign-off", said, f"dispatcher person add NAME --role approver --level {needed[0]}")


def _touchpoints(have: Collection[Channel], templates: Sequence[Template]) -> Iterator[Gap]:
    """Channels that templates have words for and no account carries."""
    spoken = {channel for template in templates for channel in template.channels}
    lacking = [channel for channel in Channel if channel in spoken and channel not in have]
    if lacking:
        said = f"No account carries {', '.join(lacking)}, although templates have words for it."
        yield Gap("touchpoints", said, "Add a block under [providers] of the site file.")
