"""`dispatcher hold`: a ledger that is behind its anchor sends nothing until a person has looked."""

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import show
from dispatcher.cli.session import Session, pass_session


@click.command("show", cls=Verb)
@pass_session
def look(session: Session) -> None:
    """Whether this ledger is held, and why."""
    from dispatcher.services import hold

    why = hold.guard(session.ctx)
    words = f"HELD  {why}\nLook at what was sent (dispatcher reconcile), then: dispatcher hold release --reason TEXT"
    show(session, {"held": why is not None, "why": why}, words if why else "Not held: this ledger may send.")


@click.command(cls=Verb)
@click.option("--reason", required=True, metavar="TEXT", help="What you checked; kept in the timeline.")
@pass_session
def release(session: Session, reason: str) -> None:
    """Let a held ledger send again."""
    from dispatcher.services import hold

    hold.release(session.ctx, acting(session), reason)
    show(session, {"held": False}, "Released: this ledger may send.")


command = Noun("hold", help="Look at, and release, a ledger that starts held.", commands=[look, release])
