"""`dispatcher broadcast preview`: every message as it will be sent, in the terminal or as one page for the browser."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from dispatcher.cli.broadcast_compose import channels_of, comma_list
from dispatcher.cli.groups import Verb
from dispatcher.cli.label import label
from dispatcher.cli.screen import say, show
from dispatcher.cli.session import Session, pass_session

_PLAIN_WIDTH = 72
_WIDEST = 160
_NAMED = "."
"""Stands for `--html` without a file: the page gets a name of its own."""


def write_private(path: Path, content: str) -> None:
    """Names and addresses: readable by their owner alone."""
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(content, encoding="utf-8")


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--recipient", metavar="ADDRESS", help="As this person gets it.")
@click.option("--channel", "channels", multiple=True, callback=comma_list, help="Only these, for example sms,email.")
@click.option(
    "--html",
    "target",
    is_flag=False,
    flag_value=_NAMED,
    metavar="[FILE]",
    help="Write one page: bubbles, mail light and dark, posts, documents. Default REF-preview.html.",
)
@click.option("--open", "look_at", is_flag=True, help="Open the page in the browser.")
@pass_session
def preview(
    session: Session, ref: str, recipient: str | None, channels: Sequence[str], target: str | None, look_at: bool
) -> None:
    """Every message as it will be sent, and what is new in it since the last update.

    Shows the longest, an empty and a non-Latin recipient, or the one you name.
    """
    from dispatcher.services import previewing

    found = previewing.look(session.ctx, ref, recipient, channels_of(channels))
    if target is None and not look_at:
        width = _PLAIN_WIDTH if session.plain else min(shutil.get_terminal_size((100, 24)).columns, _WIDEST)
        head = label(session, found.broadcast.mode, found.broadcast.ref)
        show(session, found.as_dict(), lambda: f"{head}\n\n{found.as_text(width)}")
        return
    path = Path(f"{found.broadcast.ref}-preview.html" if target in (None, _NAMED) else str(target))
    write_private(path, found.as_html())
    say(session, "It shows names of recipients: readable by you alone.")
    show(session, {"ref": found.broadcast.ref, "page": path}, str(path))
    if look_at:
        click.launch(path.resolve().as_uri())


VERBS: tuple[Any, ...] = (preview,)
