"""`dispatcher outward`: what our own systems were told, and what none of them took."""

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import plain_value, show, table
from dispatcher.cli.session import Session, pass_session


@click.command("list", cls=Verb)
@click.option("--given-up", is_flag=True, help="Only what nobody took within five days, or what was refused for good.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="Newest notices shown.")
@pass_session
def list_all(session: Session, given_up: bool, limit: int) -> None:
    """The newest notices and their answers."""
    from dispatcher.services import outward

    found = outward.listing(session.ctx, given_up=given_up, limit=limit)
    rows = [
        [one.id, one.made_at.strftime("%d %b %H:%M:%S"), one.destination, one.type, one.state, one.tries, one.why]
        for one in found
    ]
    head = ["id", "made (UTC)", "destination", "type", "state", "tries", "last answer"]
    none = "No notice was given up." if given_up else "No notice. Name a destination: [outward.NAME] in the settings."
    words = table(head, rows) if rows else none
    show(session, {"notices": [plain_value(one) for one in found]}, words)


@click.command(cls=Verb)
@click.argument("destination")
@click.argument("number", metavar="[ID]", type=int, required=False)
@pass_session
def retry(session: Session, destination: str, number: int | None) -> None:
    """Send what DESTINATION did not take again, or notice ID alone. The ids stay, so repeats are known as such."""
    from dispatcher.services import outward

    count = outward.retry(session.ctx, acting(session), destination, number)
    show(session, {"destination": destination, "notices": count}, f"{count} due again.")


command = Noun("outward", help="What our own systems were told.", commands=[list_all, retry])
