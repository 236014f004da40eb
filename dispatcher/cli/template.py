"""`dispatcher template`: what messages there are, what they need to know, and whether they are fit to go out."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.broadcast_compose import comma_list
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import pairs, printable, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import Refused

if TYPE_CHECKING:
    from dispatcher.model.rendition import Rendition
    from dispatcher.model.template import Template
    from dispatcher.services.templates import Linted


def as_dict(template: "Template") -> dict[str, Any]:
    """A template as JSON, without its sources."""
    return {
        "id": template.id,
        "title": template.title,
        "about": template.about,
        "purpose": template.purpose,
        "audiences": list(template.audiences),
        "channels": list(template.channels),
        "documents": list(template.documents),
        "level": template.level,
        "approvals": list(template.approvals),
        "facts": [
            {"name": s.name, "kind": s.kind, "required": s.required, "confirmed": s.confirmed, "about": s.about}
            for s in template.facts
        ],
        "parts": sorted(template.sources),
    }


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """Every template."""
    from dispatcher.services import templates

    found = [as_dict(one) for one in templates.listing(session.ctx)]
    rows = [[t["id"], t["purpose"], ", ".join(t["channels"]), t["level"], t["title"]] for t in found]
    show(session, {"templates": found}, table(["id", "purpose", "channels", "approved by", "title"], rows))


@click.command("show", cls=Verb)
@click.argument("template_id", metavar="ID")
@pass_session
def look(session: Session, template_id: str) -> None:
    """What one template is for, and the facts it needs."""
    from dispatcher.services import templates

    plain = as_dict(templates.get(session.ctx, template_id))
    show(session, plain, lambda: _words(plain))


def _words(plain: dict[str, Any]) -> str:
    facts = {
        "template": f"{plain['id']}: {plain['title']}",
        "about": plain["about"],
        "for": ", ".join(plain["audiences"]),
        "channels": ", ".join(plain["channels"]),
        "documents": ", ".join(plain["documents"]) or "none",
        "approved by": ", ".join([plain["level"], *plain["approvals"]]),
    }
    rows = [
        [f["name"], f["kind"], "required" if f["required"] else "optional", "yes" if f["confirmed"] else "", f["about"]]
        for f in plain["facts"]
    ]
    return pairs(facts) + "\n\n" + table(["fact", "kind", "needed", "must be confirmed", "about"], rows)


@click.command("lint", cls=Verb)
@click.argument("template_ids", metavar="[ID]...", nargs=-1)
@pass_session
def lint(session: Session, template_ids: Sequence[str]) -> None:
    """Read every text of a template, made from its example facts, by every rule; exit 4 if one blocks."""
    from dispatcher.services import templates

    done = templates.check(session.ctx, template_ids)
    payload = {"passed": all(one.passed for one in done), "templates": [one.as_dict() for one in done]}
    show(session, payload, lambda: "\n".join(map(_lint_words, done)))
    bad = [one.template for one in done if not one.passed]
    if bad:
        raise Refused(f"{', '.join(bad)} cannot go out like this.", mend="See the findings marked ✖.", code="E-LINT")


def _lint_words(one: "Linted") -> str:
    lines = [f"{'✔' if one.passed else '✖'} {one.template}"]
    if one.broken is not None:
        lines += [f"  ✖ {one.broken.code}  {printable(one.broken.what)} {printable(one.broken.why)}"]
    for finding in one.findings:
        mark = "✖" if finding.weight == "block" else "!"
        place = " ".join(filter(None, (finding.channel, finding.part, finding.locale, finding.variant)))
        lines.append(
            f"  {mark} {finding.rule} {place}:{finding.line}  {printable(finding.what)} {printable(finding.mend)}"
        )
    return "\n".join(lines)


@click.command("try", cls=Verb)
@click.argument("template_id", metavar="ID")
@click.option(
    "--facts", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="TOML or JSON; default the example."
)
@click.option("--locale", "locales", multiple=True, callback=comma_list, help="Default: every language it speaks.")
@click.option(
    "--html", "target", type=click.Path(dir_okay=False, path_type=Path), help="Write one page: as `broadcast preview`."
)
@pass_session
def try_out(
    session: Session, template_id: str, facts: Path | None, locales: Sequence[str], target: Path | None
) -> None:
    """Every text of a template, marked as an exercise; nothing is stored or sent."""
    from dispatcher.services import templates

    if target:
        target.write_text(templates.try_page(session.ctx, template_id, facts=facts, locales=locales), encoding="utf-8")
        show(session, {"template": template_id, "page": target}, str(target))
        return
    made = templates.try_out(session.ctx, template_id, facts=facts, locales=locales)
    texts = [
        *({"of": r.channel, "locale": r.locale, "variant": r.variant, "parts": _read(r)} for r in made.renditions),
        *(
            {"of": d.name, "locale": d.locale, "variant": d.variant, "parts": {d.format: d.text}}
            for d in made.documents
        ),
    ]
    show(session, {"template": template_id, "texts": texts}, lambda: "\n\n".join(map(_text_words, texts)))


def _read(rendition: "Rendition") -> dict[str, str]:
    """The parts with their slots by name."""
    parts = dict(rendition.parts)
    for slot in rendition.slots:
        parts = {name: text.replace(slot.tag, f"⟨{slot.name}⟩") for name, text in parts.items()}
    return parts


def _text_words(one: dict[str, Any]) -> str:
    head = click.style("── " + " · ".join(filter(None, (one["of"], one["locale"], one["variant"]))), bold=True)
    parts = [f"[{name}]\n{printable(text, lines=True)}" for name, text in one["parts"].items() if name != "html"]
    return "\n".join([head, *parts])


command = Noun("template", help="List, read and lint message templates.", commands=[list_all, look, lint, try_out])
