"""`dispatcher channel`: look at the channels and their accounts, close one for everybody, open it again."""

from typing import Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.broadcast_compose import channels_of
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import printable, show, table
from dispatcher.cli.session import Session, pass_session

_REASON = click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the timeline.")


@click.command("list", cls=Verb)
@pass_session
def list_all(session: Session) -> None:
    """Each channel with its accounts and their state."""
    from dispatcher.services import channels

    found = [one.as_dict() for one in channels.overview(session.ctx)]
    show(session, {"channels": found}, lambda: _words(found))


def _words(found: list[dict[str, Any]]) -> str:
    rows = []
    for one in found:
        for name, account in one["accounts"].items() or [("no account", {"kind": "", "state": "", "why": ""})]:
            why = one["reason"] or account["why"]
            rows.append([one["channel"], one["state"], name, account["kind"], account["state"], printable(why)])
    return table(["channel", "gate", "account", "kind", "state", "why"], rows)


@click.command(cls=Verb)
@click.argument("channel")
@_REASON
@pass_session
def freeze(session: Session, channel: str, reason: str) -> None:
    """Close a channel for every broadcast: no call starts later than 2 seconds from now."""
    from dispatcher.services import control

    one = channels_of([channel])[0]
    control.freeze(session.ctx, acting(session), one, reason)
    show(session, {"channel": one, "state": "frozen"}, f"{one} is frozen. Open it with: dispatcher channel thaw {one}")


@click.command(cls=Verb)
@click.argument("channel")
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the timeline.")
@pass_session
def thaw(session: Session, channel: str, reason: str) -> None:
    """Open a frozen channel again; what waited goes on."""
    from dispatcher.services import control

    one = channels_of([channel])[0]
    control.thaw(session.ctx, acting(session), one, reason)
    show(session, {"channel": one, "state": "open"}, f"{one} is open again.")


@click.command(cls=Verb)
@click.argument("account")
@pass_session
def probe(session: Session, account: str) -> None:
    """Use an account again that was stopped or is broken: its next request tells whether it is mended."""
    from dispatcher.services import control

    control.reopen(session.ctx, acting(session), account)
    show(session, {"account": account, "state": "open"}, f"{account} is used again; look with: dispatcher channel list")


command = Noun("channel", help="List, freeze, thaw and probe channels.", commands=[list_all, freeze, thaw, probe])
