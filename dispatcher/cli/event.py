"""`dispatcher event`: what vendors told us that could not be read."""

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import plain_value, show, table
from dispatcher.cli.session import Session, pass_session


@click.command("list", cls=Verb)
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Newest posts shown.")
@pass_session
def list_all(session: Session, limit: int) -> None:
    """Posts of vendors that could not be applied, and why. They are kept as they came until they are."""
    from dispatcher.services import parked

    found = parked.listing(session.ctx, limit)
    rows = [[one.id, one.received_at.strftime("%d %b %H:%M:%S"), one.account, one.tries, one.why] for one in found]
    words = table(["id", "received (UTC)", "account", "tries", "why"], rows) if rows else "Every post could be applied."
    show(session, {"posts": [plain_value(one) for one in found]}, words)


@click.command(cls=Verb)
@click.argument("account")
@click.argument("number", metavar="[ID]", type=int, required=False)
@pass_session
def retry(session: Session, account: str, number: int | None) -> None:
    """Apply the posts of ACCOUNT that could not be applied again, or post ID alone: after an upgrade, or once the
    account is back in the settings. Events that were applied before change nothing."""
    from dispatcher.services import parked

    count = parked.retry(session.ctx, acting(session), account, number)
    show(session, {"account": account, "posts": count}, f"{count} due again.")


command = Noun("event", help="What vendors told us that could not be read.", commands=[list_all, retry])
