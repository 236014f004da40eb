"""Builds the workshop's job from a template and a brief: which file serves whom, and what it may print."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from dispatcher.compose import parts
from dispatcher.compose.brief import Brief, Organisation
from dispatcher.compose.facts import read_value
from dispatcher.compose.workshop import Job, Piece
from dispatcher.errors import TemplateError
from dispatcher.model.fact import FactSpec, FactValue, spoken
from dispatcher.model.kinds import Channel, FactState
from dispatcher.model.rendition import SlotForm
from dispatcher.model.template import PartName, Template

_UNSAID = (FactState.UNKNOWN, FactState.RETRACTED)
_PERSONAL = frozenset({Channel.EMAIL, Channel.SMS, Channel.CHAT})
_PERSONAL_DOCUMENTS = frozenset({"letter"})
_PICTURE_WIDTH = 72
"""Pixels as shown; the file may have more, for finer screens."""


@dataclass(frozen=True, slots=True)
class Order:
    """One rendition or document to be made: its channel or document name, for whom, and of which parts.

    `spoken` is the locale the words are really in: `locale`, or the template's own where a part is missing.
    """

    target: Channel | str
    locale: str
    variant: str
    spoken: str
    names: tuple[PartName, ...]


def orders(template: Template, brief: Brief) -> list[Order]:
    """Every rendition of the brief's channels and every document of the template, per locale and variant of its own."""
    for channel in brief.channels:
        if channel not in template.channels:
            raise TemplateError(
                f"{template.title} has no part for {channel}.",
                mend=f"Leave {channel} out, or choose a template that has it: dispatcher template list",
            )
    targets: list[Channel | str] = [*brief.channels, *template.documents]
    return [
        _order(template, target, locale, variant)
        for target in targets
        for locale in brief.locales
        for variant in _ways(template, target, brief.variants)
    ]


def _ways(template: Template, target: Channel | str, variants: Sequence[str]) -> list[str]:
    """The variants in which a target has words of its own; the plain one stands in for the others."""
    media = {medium for medium, _, _ in _pieces_of(target)}
    own = {name.variant for name in map(PartName.parse, template.sources) if name and name.medium in media}
    return list(dict.fromkeys(variant if variant in own else "" for variant in variants))


def _pieces_of(target: Channel | str) -> tuple[tuple[str, str, str], ...]:
    return parts.PIECES[target] if isinstance(target, Channel) else ((target, "", parts.DOCUMENTS[target]),)


def _order(template: Template, target: Channel | str, locale: str, variant: str) -> Order:
    """All parts in the reader's language, or all in the template's own: one message never mixes two."""
    wanted = _pieces_of(target)
    names = [parts.choose(template.sources, piece, locale=locale, variant=variant) for piece in wanted]
    own = template.locale
    worded = parts.worded(template)
    if not all(parts.speaks(name, locale, own=own, worded=worded) for name in names):
        names = [parts.choose(template.sources, piece, locale=own, variant=variant) for piece in wanted]
        return Order(target, locale, variant, own, tuple(names))
    return Order(target, locale, variant, locale, tuple(names))


def job(template: Template, brief: Brief, ordered: Sequence[Order]) -> Job:
    """Everything the workshop needs, as plain JSON."""
    locales = sorted({order.spoken for order in ordered})
    made: Job = {
        "nonce": brief.nonce,
        "zone": brief.organisation.zone,
        "sources": {**template.shared, **template.sources},
        "aliases": {_voice(o): dict(_aliases(template, o.spoken, o.variant)) for o in ordered},
        "words": {locale: _words(template, locale) for locale in locales},
        "facts": {locale: _facts(template, brief, locale) for locale in locales},
        "context": {locale: _context(template, brief, locale) for locale in locales},
        "moments": {"as_of": _iso(brief.as_of), "next_update": _iso(brief.next_update_at)},
        "pieces": [piece for order in ordered for piece in _as_pieces(order)],
    }
    if brief.nonce in json.dumps([made["facts"], made["context"]]):
        raise TemplateError("A fact holds the mark of a slot.", mend="Write the fact anew; paste nothing from a draft.")
    return made


def _as_pieces(order: Order) -> Iterator[Piece]:
    personal = order.target in _PERSONAL or order.target in _PERSONAL_DOCUMENTS
    for name in order.names:
        yield {
            "entry": name.file,
            "form": form_of(name),
            "locale": order.spoken,
            "voice": _voice(order),
            "slots": personal,
        }


def _voice(order: Order) -> str:
    """Language and variant: what decides which file stands behind an included name."""
    return f"{order.spoken}+{order.variant}"


def form_of(name: PartName) -> SlotForm:
    """How recipient values are made safe in this part."""
    if name.piece == "subject":
        return SlotForm.HEADER
    return SlotForm.HTML if name.extension in ("mjml", "html") else SlotForm.TEXT


def _aliases(template: Template, locale: str, variant: str) -> Iterator[tuple[str, str]]:
    """A part is named without locale and variant where it is included; the reader's language and variant serve."""
    at_hand = {**template.shared, **template.sources}
    for file in at_hand:
        name = PartName.parse(file)
        if name and name.locale in ("", parts.ANY) and not name.variant:
            best = parts.choose(at_hand, (name.medium, name.piece, name.extension), locale=locale, variant=variant)
            yield replace(name, locale="").file, best.file


def _words(template: Template, locale: str) -> dict[str, str]:
    """Fixed words by language; a language without its own word shows the template's."""
    layers = (template.locale, locale.split("-")[0], locale)
    return {key: word for layer in layers for key, word in template.words.get(layer, {}).items()}


def _facts(template: Template, brief: Brief, locale: str) -> dict[str, list[Any] | None]:
    return {spec.name: _fact(spec, brief, locale) for spec in template.facts}


def _fact(spec: FactSpec, brief: Brief, locale: str) -> list[Any] | None:
    fact = spoken(brief.facts, spec.name, locale)
    if fact is None or fact.state in _UNSAID or fact.value is None:
        return None
    return [spec.kind.value, fact.value if fact.kind is spec.kind else _reread(spec, fact.value)]


def _reread(spec: FactSpec, value: FactValue) -> FactValue:
    """A fact set under another kind may still fit: a line where a text is asked for."""
    try:
        return read_value(spec.kind, value)
    except ValueError as error:
        raise TemplateError(f"The fact {spec.name} {error}.", mend=f"--fact {spec.name}=...", code="E-FACT") from None


def _context(template: Template, brief: Brief, locale: str) -> dict[str, Any]:
    verify_url = brief.organisation.verify_url
    return {
        "org": _organisation(brief.organisation, locale) | {"picture": _picture(template, brief)},
        "incident": brief.incident_ref,
        "verify": {"url": verify_url, "address": _bare(verify_url), "code": brief.code},
        "direction": "rtl" if locale.split("-")[0] in ("ar", "fa", "he", "ur") else "ltr",
    }


def _organisation(org: Organisation, locale: str) -> dict[str, Any]:
    """What a template sees of the organisation: `org.name`, `org.never_ask`, ..., in the reader's language."""
    plain = ("name", "sms_name", "status_url", "contact_email", "contact_phone", "signatory_name", "dpo_name")
    return {
        **{key: getattr(org, key) for key in (*plain, "dpo_email", "press_email", "post_address")},
        "status_address": _bare(org.status_url),
        "never_ask": org.said(org.never_ask, locale),
        "contact_hours": org.said(org.contact_hours, locale),
        "signatory_role": org.said(org.signatory_role, locale),
        "domain": org.domains[0] if org.domains else "",
        "accounts": list(org.accounts),
    }


def _picture(template: Template, brief: Brief) -> dict[str, Any]:
    """Where a mail and where a letter finds it. A mail of a breach carries none: nothing is attached to it."""
    picture = brief.organisation.signatory_picture
    if picture is None:
        return {"mail": "", "letter": ""}
    high = round(_PICTURE_WIDTH * picture.height / picture.width)
    mail = "" if template.profile.is_breach else f"cid:{picture.cid}"
    return {"mail": mail, "letter": picture.url, "width": _PICTURE_WIDTH, "height": high}


def _bare(url: str) -> str:
    """An address as people type it."""
    return url.removeprefix("https://").rstrip("/")


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="minutes") if moment else None
