"""`dispatcher status`: what the public may read, and the tree of files in which it reads it."""

from pathlib import Path

import click

from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import plain_value, show, table
from dispatcher.cli.session import Session, pass_session


@click.command("show", cls=Verb)
@pass_session
def show_public(session: Session) -> None:
    """Incidents as the public knows them. What is not here has not been published."""
    from dispatcher.services import publishing

    found = publishing.gather(session.ctx)
    own = found.publisher.locale
    rows = [
        [one.ref, one.phase, one.severity, one.changed_at.strftime("%d %b %H:%M"), len(one.updates), one.name(own)]
        for one in found.incidents
    ]
    words = table(["incident", "phase", "severity", "last word (UTC)", "updates", "name"], rows)
    show(session, plain_value(found), words if rows else "Nothing is public.")


@click.command(cls=Verb)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@pass_session
def export(session: Session, folder: Path) -> None:
    """Write pages, feeds and JSON for a web server to DIR.

    DIR becomes a link to a whole tree and is turned to the next one at once, so a reader never sees half of it.
    """
    from dispatcher.services import status_tree

    done = status_tree.export(session.ctx, folder)
    word = "written" if done.changed else "nothing new"
    show(session, plain_value(done), f"{done.folder}: {done.files} files, {word} ({done.digest[:12]})")


command = Noun("status", help="What the public may read.", commands=[show_public, export])
