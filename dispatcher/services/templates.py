"""Templates looked at, linted and tried with invented facts, before anybody drafts from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from dispatcher.compose.brief import Brief
from dispatcher.compose.factfile import of_table, read_fact_file
from dispatcher.compose.facts import read_facts
from dispatcher.compose.lint.checking import blocks, lint
from dispatcher.compose.lint.rules import Finding
from dispatcher.compose.preview.frames import Sample, frames
from dispatcher.compose.preview.page import as_html
from dispatcher.compose.rendering import Composed, compose
from dispatcher.errors import NotFound, Refused
from dispatcher.model.fact import sheet
from dispatcher.model.kinds import Mode, Purpose
from dispatcher.model.template import Template
from dispatcher.services import briefing
from dispatcher.services.context import Context

_NONCE, _CODE = "tryout00", "TRYTRY2"
_NEXT_UPDATE = timedelta(minutes=30)
_INVENTED = (
    Sample("a long name", {"first_name": "Wolfeschlegelsteinhausen", "name": "Wolfeschlegelsteinhausen Bergerdorff"}),
    Sample("no name", {}),
    Sample("another script", {"first_name": "Світлана", "name": "Світлана Приклад"}),
)


@dataclass(frozen=True, slots=True)
class Linted:
    """What the rules say about one template with its example facts. `broken`: it could not be rendered at all."""

    template: str
    findings: tuple[Finding, ...] = ()
    broken: Refused | None = None

    @property
    def passed(self) -> bool:
        """Whether a message from it could go out."""
        return self.broken is None and not blocks(self.findings)

    def as_dict(self) -> dict[str, Any]:
        """One element of `template lint --json`."""
        return {
            "template": self.template,
            "passed": self.passed,
            "findings": [one.as_dict() for one in self.findings],
            "broken": self.broken.as_dict() if self.broken else None,
        }


def listing(ctx: Context) -> list[Template]:
    """Every template, the operator's own before the shipped ones of the same name."""
    return ctx.catalogue.all()


def get(ctx: Context, template_id: str) -> Template:
    """One template."""
    return ctx.catalogue.get(template_id)


def check(ctx: Context, template_ids: Sequence[str] = ()) -> list[Linted]:
    """Lint the named templates, or all of them. A broken one is told like the others and stops nobody."""
    return [_linted(ctx, template_id) for template_id in template_ids or ctx.catalogue.ids()]


def _linted(ctx: Context, template_id: str) -> Linted:
    try:
        template = ctx.catalogue.get(template_id)
    except NotFound:
        raise
    except Refused as error:
        return Linted(template_id, broken=error)
    try:
        mode = Mode.DRILL if template.purpose is Purpose.DRILL else Mode.LIVE
        brief = _brief(ctx, template, None, sorted(template.locales()), mode)
        return Linted(template_id, tuple(lint(template, brief, compose(template, brief))))
    except Refused as error:
        return Linted(template_id, broken=error)


def try_out(ctx: Context, template_id: str, *, facts: Path | None = None, locales: Sequence[str] = ()) -> Composed:
    """Every text of a template, as a drill, from the facts of a file or from those beside the template."""
    template = ctx.catalogue.get(template_id)
    spoken = sorted(locales or template.locales())
    return compose(template, _brief(ctx, template, facts, spoken, Mode.DRILL))


def try_page(ctx: Context, template_id: str, *, facts: Path | None = None, locales: Sequence[str] = ()) -> str:
    """The same as one HTML page, for three invented people, with what the rules find."""
    template = ctx.catalogue.get(template_id)
    brief = _brief(ctx, template, facts, sorted(locales or template.locales()), Mode.DRILL)
    composed = compose(template, brief)
    shown = frames(composed.renditions, _INVENTED)
    return as_html(template.title, shown, composed.documents, lint(template, brief, composed), note=template.about)


def _brief(ctx: Context, template: Template, file: Path | None, locales: Sequence[str], mode: Mode) -> Brief:
    raw = read_fact_file(file) if file else of_table(ctx.catalogue.example(template.id))
    now = ctx.clock.now()
    return Brief(
        organisation=briefing.organisation(ctx),
        facts=sheet(read_facts(template.facts, raw, as_of=now)),
        channels=template.channels,
        locales=tuple(locales),
        as_of=now,
        nonce=_NONCE,
        code=_CODE,
        incident_ref="INC-1",
        next_update_at=now + _NEXT_UPDATE,
        purpose=template.purpose,
        mode=mode,
        variants=("", *sorted(template.variants())),
    )
