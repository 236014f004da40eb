"""Where a setting comes from, and the schema of all of them."""

import json

import click

from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import pairs, show, table
from dispatcher.cli.session import Session, pass_session


@click.group(cls=Noun)
def command() -> None:
    """Where a setting comes from; the schema of all."""


@command.command("where", cls=Verb)
@click.argument("key", required=False)
@pass_session
def where(session: Session, key: str | None) -> None:
    """Say which layer set KEY and on which line; without KEY, every setting."""
    from dispatcher.settings import variable

    settings = session.settings
    if key is None:
        found = [settings.where(name) for name in settings.all_keys()]
        rows = [[origin.key, origin.value, origin.layer, origin.place] for origin in found]
        show(session, {"settings": found}, lambda: table(["key", "value", "from", "where"], rows))
        return
    origin = settings.where(key)
    words = {"key": key, "value": origin.value, "from": origin.layer, "where": origin.place, "variable": variable(key)}
    show(session, words, lambda: pairs(words))


@command.command("schema", cls=Verb)
@pass_session
def schema(session: Session) -> None:
    """Print the JSON Schema of every setting, those of installed providers included."""
    from dispatcher.services import setup

    click.echo(json.dumps(setup.schema(), indent=2, ensure_ascii=False))
