"""A bench for rules: one text, laid into a broadcast of the kind asked for, and what one rule says of it."""

import dataclasses

from dispatcher.compose.lint import checking
from dispatcher.compose.lint.passages import read
from dispatcher.compose.lint.rules import RULES, Case
from dispatcher.compose.rendering import Composed
from dispatcher.model.fact import Fact, FactKind, FactSpec, sheet
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Document, Profile
from tests.compose.sample import brief_for, catalogue

assert checking.THEMES
HOLDING = catalogue().get("holding-statement")


def case(*made, profile=Profile.UPDATE, facts=(), template=None, **brief):
    """Renditions and documents as a case. Facts given here are asked for by the template."""
    template = template or HOLDING
    specs = tuple(FactSpec(fact.name, fact.kind, required=False) for fact in facts)
    template = dataclasses.replace(template, profile=profile, facts=specs)
    channels = tuple(dict.fromkeys(one.channel for one in made if isinstance(one, Rendition)))
    said = brief_for(HOLDING, facts=sheet(list(facts)), **{"channels": channels, **brief})
    composed = Composed(
        tuple(one for one in made if isinstance(one, Rendition)),
        tuple(one for one in made if isinstance(one, Document)),
    )
    return Case(template, said, composed, read(composed))


def mail(text, *, html=None, subject="News", locale="en"):
    parts = {"subject": subject, "text": text} | ({"html": html} if html is not None else {})
    return Rendition(Channel.EMAIL, locale, "", parts)


def sms(text, locale="en"):
    return Rendition(Channel.SMS, locale, "", {"text": text})


def posts(*texts, locale="en"):
    return Rendition(Channel.SOCIAL, locale, "", {f"post.{n}": text for n, text in enumerate(texts, start=1)})


def document(name, text, format="md", locale="en"):
    return Document(name, locale, "", format, text)


def found(rule, *made, **more):
    """What the rule finds, as (weight, words)."""
    return [(str(f.weight), f.words) for f in RULES[rule].findings(case(*made, **more))]


def page_of(body, lang="en"):
    return (
        f'<!doctype html><html lang="{lang}"><head><style>p {{ color: red }}</style></head><body>{body}</body></html>'
    )


def matrix(*rows):
    value = [dict(zip(("data", "place", "state"), row, strict=True)) | {"note": None} for row in rows]
    return Fact("data", FactKind.MATRIX, value)


def services(**states):
    value = [{"name": name, "state": state, "region": None, "note": None} for name, state in states.items()]
    return Fact("services", FactKind.SERVICES, value)
