"""`dispatcher fact`: what is known about an incident, how surely, and who says so."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.broadcast_compose import fact_pairs
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.incident import said, words_of
from dispatcher.cli.screen import plain_value, printable, say, show, table
from dispatcher.cli.session import Session, join_words, pass_session
from dispatcher.cli.when import told
from dispatcher.errors import UsageError
from dispatcher.model.fact import FactKind
from dispatcher.model.kinds import FactState

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _acting_on(session: Session, ref: str) -> Any:
    from dispatcher.services import incidents

    return acting(session, incidents.show(session.ctx, ref).incident.mode)


@click.command("set", cls=Verb)
@click.argument("ref")
@click.argument("words", nargs=-1, metavar="NAME=VALUE...")
@click.option("--facts", "file", type=_FILE, help="TOML or JSON with many.")
@click.option(
    "--state", type=words_of(FactState), default=FactState.CONFIRMED.value, show_default=True, help="How sure."
)
@click.option("--source", default="", help="Who says so.")
@click.option("--as-of", metavar="TIME", help="Since when it is true (ISO 8601); default now.")
@click.option("--kind", type=words_of(FactKind), help="The type of a fact that no template knows.")
@pass_session
def put(
    session: Session,
    ref: str,
    words: Sequence[str],
    file: Path | None,
    state: str,
    source: str,
    as_of: str | None,
    kind: str | None,
) -> None:
    """Set facts of an incident, all or none; NAME@fr=VALUE for one language."""
    from dispatcher.services import facts

    if state == FactState.UNKNOWN:
        words = [word if "=" in word else f"{word}=" for word in words]
    raw = (facts.read_file(file) if file else {}) | fact_pairs(words)
    if not raw:
        raise UsageError("No fact was named.", mend="Like NAME=VALUE, or --facts FILE.")
    telling = facts.Telling(
        state=FactState(state), source=source, as_of=_past(as_of), kind=FactKind(kind) if kind else None
    )
    made = facts.set_facts(session.ctx, _acting_on(session, ref), ref, raw, telling)
    show(session, {"facts": [plain_value(fact) for fact in made]}, lambda: _words(session, made))


def _past(text: str | None) -> Any:
    """An instant that may lie in the past."""
    from datetime import datetime

    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(f"{text!r} is not a time with its zone.", mend="Like 2026-11-22T18:03+00:00.")
    return found


@click.command(cls=Verb)
@click.argument("ref")
@click.argument("name")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is not true.")
@pass_session
def retract(session: Session, ref: str, name: str, reason: str) -> None:
    """Take a fact back in every language; drafts the correction of each broadcast that told it."""
    from dispatcher.services import facts

    done = facts.retract_fact(session.ctx, _acting_on(session, ref), ref, name, reason)
    told_by, drafts, would = ([one.ref for one in some] for some in (done.told_by, done.drafts, done.would_tell))
    if told_by:
        say(session, f"! {join_words(told_by)} told it: each needs a correction.")
    for one in drafts:
        say(session, f"Drafted {one}, for those whom it reached. What it still needs: dispatcher broadcast check {one}")
    if would:
        say(session, f"! {join_words(would)} would tell it: edit or reject.")
    plain = {
        "facts": [plain_value(fact) for fact in done.facts],
        "told_by": told_by,
        "corrections": drafts,
        "would_tell": would,
    }
    show(session, plain, f"{name} is retracted.")


@click.command(cls=Verb)
@click.argument("ref")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@pass_session
def confirm(session: Session, ref: str, names: Sequence[str]) -> None:
    """Say that what is only believed is true: these facts, or all of them."""
    from dispatcher.services import facts

    made = facts.confirm(session.ctx, _acting_on(session, ref), ref, names)
    none = "Nothing is only believed."
    show(session, {"facts": [plain_value(one) for one in made]}, lambda: _words(session, made) if made else none)


@click.command("list", cls=Verb)
@click.argument("ref")
@click.option("--name", default="", help="Only this one.")
@click.option("--history", is_flag=True, help="Every value it ever had.")
@pass_session
def list_all(session: Session, ref: str, name: str, history: bool) -> None:
    """The fact sheet of an incident."""
    from dispatcher.services import facts

    found = facts.list_facts(session.ctx, ref, name=name, history=history)
    show(session, {"facts": [plain_value(fact) for fact in found]}, lambda: _words(session, found))


def _words(session: Session, found: Sequence[Any]) -> str:
    if not found:
        return "No fact is set."
    zone = session.settings.organisation.time_zone
    rows = [
        [f.name, f.locale or "", f.state, printable(said(f.value)), f.source, told(f.as_of, zone) if f.as_of else ""]
        for f in found
    ]
    return table(["fact", "locale", "state", "value", "source", "as of"], rows)


command = Noun(
    "fact", help="What is known about an incident, and how surely.", commands=[put, confirm, retract, list_all]
)
