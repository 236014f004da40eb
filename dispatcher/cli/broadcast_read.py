"""The verbs that only look: show, report."""

from pathlib import Path
from typing import Any

import click

from dispatcher.cli.broadcast_words import shown, warning_words
from dispatcher.cli.groups import Verb
from dispatcher.cli.progress import View, sum_line, trouble
from dispatcher.cli.screen import badge, number, pairs, printable, say, show, table
from dispatcher.cli.session import Session, join_words, pass_session
from dispatcher.model.states import TERMS


@click.command("show", cls=Verb)
@click.argument("ref", required=False)
@pass_session
def look(session: Session, ref: str | None) -> None:
    """Every sum of a broadcast and why; without REF, the newest broadcasts."""
    from dispatcher.services import accounting

    if ref is None:
        _show_recent(session)
        return
    view = accounting.show(session.glance, ref).as_dict()
    show(session, view, lambda: view_words(view))


@click.command("list", cls=Verb)
@pass_session
def list_recent(session: Session) -> None:
    """The newest broadcasts, and what still waits for a review."""
    _show_recent(session)


def _show_recent(session: Session) -> None:
    from dispatcher.services import accounting, sign_off

    found = [shown(one) for one in accounting.recent(session.glance)]
    reviews = sign_off.open_reviews(session.glance)
    for one in reviews:
        say(session, f"! {one['ref']} went by break-glass: dispatcher broadcast review {one['ref']} --reason TEXT")
    show(session, {"broadcasts": found, "reviews": reviews}, lambda: _list_words(found))


def _list_words(found: list[dict[str, Any]]) -> str:
    if not found:
        return "No broadcast yet. Begin with: dispatcher broadcast draft --template ID --audience NAME"
    rows = [[one["ref"], str(one["mode"]).upper(), one["state"], one["audience_size"], one["title"]] for one in found]
    return table(["ref", "mode", "state", "people", "title"], rows)


def view_words(view: View) -> str:
    """Mode, approval, a table of every term, and the reasons one level down."""
    head = badge(view["mode"], test_endpoint=bool(view["test_endpoints"]))
    facts = {
        "broadcast": f"{view['ref']} {view.get('title', '')}",
        "state": view["state"],
        "audience_size": number(view["audience_size"]),
        "approved_by": join_words(view["approved_by"]) if view["approved_by"] else "nobody",
        "digest": view["digest"] or "none yet",
    }
    if view["release_at"] and view["state"] in ("released", "late"):
        facts["release_at"] = view["release_at"]
    if order := view.get("waves"):
        facts["waves"] = ", then ".join(f"{wave['name']} {wave['state']}" for wave in order)
        facts["in_all_waves"] = f"{number(view['release_size'])} people"
    if issued := view.get("codes"):
        facts["codes"] = (
            f"{number(issued['bound'])} of {issued['pool']} bound, {number(issued['given_back'])} given back"
        )
    used = [term for term in TERMS if view["total"].get(term)] or ["held"]
    rows = [[name, terms["planned"], *(terms[term] for term in used)] for name, terms in view["channels"].items()]
    rows.append(["total", view["total"]["planned"], *(view["total"][term] for term in used)])
    warned = "\n".join(dict.fromkeys(map(warning_words, view.get("warnings", ()))))
    sums = table(["channel", "planned", *used], rows)
    parts = [head, pairs(facts), warned, sums, sum_line(view["total"]), _why(view)]
    return "\n\n".join(part for part in parts if part)


def _why(view: View) -> str:
    """What keeps it waiting, then the reasons of each term, then what did not fit."""
    lines = [f"! on hold: {printable(view['hold'])} (dispatcher hold show)"] if view["hold"] else []
    for name, terms in view["channels"].items():
        waits = "; ".join(filter(None, (printable(terms.get("why", "")), trouble(terms))))
        if waits:
            lines.append(f"! {name} {terms['state']}: {waits}")
        for term, reasons in terms.get("reasons", {}).items():
            lines += [f"{name} {term}: {printable(reason)} {number(count)}" for reason, count in reasons.items()]
            if (rest := terms[term] - sum(reasons.values())) > 0:
                lines.append(
                    f"{name} {term}: {number(rest)} more; every reason: dispatcher broadcast report {view['ref']}"
                )
    return "\n".join([*lines, *(f"! {printable(kind)}: {number(count)}" for kind, count in view["anomalies"].items())])


@click.command(cls=Verb)
@click.option("--incident", default="", metavar="REF", help="Only because of this one.")
@pass_session
def missed(session: Session, incident: str) -> None:
    """Promotion that waits, or was let go, because of an open incident: what people missed."""
    from dispatcher.services import marketing

    found = marketing.missed(session.glance, incident)
    rows = [
        [one["ref"], one["state"], one["incident"], one["missed"], one["meant"], one["let_go_by"], one["title"]]
        for one in found
    ]
    words = table(["ref", "state", "because of", "missed", "of", "let go by", "title"], rows) if rows else "Nothing."
    show(session, {"missed": found}, words)


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), default=Path(), help="Folder to write to.")
@click.option("--open", "look_at", is_flag=True, help="Open it in the browser.")
@pass_session
def report(session: Session, ref: str, into: Path, look_at: bool) -> None:
    """Write the report: one HTML file that needs nothing else."""
    from dispatcher.services import reach
    from dispatcher.services.report import write_report

    path = write_report(session.ctx, ref, into)
    followed = reach.of(session.ctx, ref)
    if followed.words:
        say(session, f"Followed by {followed.words}.")
    show(session, {"ref": ref, "report": path, "reach": followed.as_dict()}, str(path))
    if look_at:
        click.launch(path.resolve().as_uri())


VERBS: tuple[Any, ...] = (list_recent, look, missed, report)
