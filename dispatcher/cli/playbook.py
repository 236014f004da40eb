"""`dispatcher playbook`: what a signal opens, promises, believes and drafts; tried without effect."""

from pathlib import Path
from typing import Any

import click

from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import pairs, plain_value, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.signal import readings

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """Every playbook in the order in which they are asked, and files that cannot be used."""
    from dispatcher.services import playbooks

    shelf = playbooks.shelf(session.ctx)
    told: list[dict[str, Any]] = [
        {"id": p.id, "title": p.title, "order": p.order, "enabled": p.enabled, **playbooks.describe(p)}
        for p in shelf.playbooks
    ]
    rows = [[one["id"], "" if one["enabled"] else "off", one["title"], "; ".join(one["drafts"])] for one in told]
    broken = [f"NOT USED  {name}: {why}" for name, why in shelf.broken.items()]
    words = "\n".join([table(["id", "", "title", "drafts"], rows), *broken])
    show(session, {"playbooks": told, "broken": dict(shelf.broken)}, words)


@click.command("try", cls=Verb)
@click.argument("file", type=_FILE)
@click.option("--tool", required=True, help="Which tool sends it.")
@click.option("--source", default="try", show_default=True, help="Whose settings apply.")
@click.option("--header", multiple=True, metavar="'NAME: VALUE'", help="A header that the tool sends with it.")
@pass_session
def attempt(session: Session, file: Path, tool: str, source: str, header: tuple[str, ...]) -> None:
    """What would be done if TOOL sent the payload in FILE. Nothing is done."""
    found = readings(session, file, tool, source, header)
    plain = [{"kind": r.signal.kind, "title": r.signal.title, "trial": plain_value(r.trial)} for r in found]
    show(session, {"signals": plain}, lambda: "\n\n".join(_words(one) for one in plain) or "It says nothing.")


def _words(one: dict[str, Any]) -> str:
    head = f"{one['kind']}  {one['title']}"
    trial = one["trial"]
    if not isinstance(trial, dict):
        return f"{head}\nNo playbook is for it: nothing would be opened."
    shown = {
        "playbook": trial["playbook"],
        "incident": f"{trial['title']} ({trial['severity']}, {trial['phase']}, {trial['visibility']})",
        "joins": trial["join_key"],
        "next word": f"within {trial['promise_minutes']} minutes" if trial["promise_minutes"] else "not promised",
        "believed": "; ".join(f"{name}: {_said(value)}" for name, value in trial["facts"].items()),
        "drafts": "; ".join(map(_draft, trial["drafts"])) or "none",
        "to be told": ", ".join(trial["tells"]),
    }
    return f"{head}\n{pairs({name: text for name, text in shown.items() if text})}"


def _draft(one: dict[str, Any]) -> str:
    words = f"{one['template']} for {one['audience'] or 'our accounts'} when {' or '.join(one['on'])}"
    if not one["preapproval"]:
        return words
    return f"{words}, {'SENT' if one['send'] else 'approved'} under pre-approval {one['preapproval']} within its limits"


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@click.command(cls=Verb)
@pass_session
def schema(session: Session) -> None:
    """The JSON Schema of a playbook file."""
    import json

    from dispatcher.services import playbooks

    found = playbooks.json_schema()
    show(session, found, json.dumps(found, indent=2))


command = Noun("playbook", help="What a signal opens, promises and drafts.", commands=[list_all, attempt, schema])
