"""`dispatcher reconcile`: settle now what is unknown, instead of waiting for the next tick."""

import asyncio

import click

from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import number, show
from dispatcher.cli.session import Session, pass_session
from dispatcher.model.kinds import Channel


@click.command("reconcile", cls=Verb)
@pass_session
def command(session: Session) -> None:
    """Ask vendors about deliveries whose answer was lost and whose settle time is over."""
    done = asyncio.run(_settle_all(session))
    words = [f"{channel} {number(count)}" for channel, count in done.items() if count]
    show(session, {"settled": done}, f"Dealt with: {', '.join(words) or 'nothing; nothing is due'}.")


async def _settle_all(session: Session) -> dict[str, int]:
    from dispatcher.services import reconciling

    ctx, done = session.ctx, {}
    try:
        for channel in Channel:
            done[channel.value] = 0
            while count := await reconciling.settle(ctx, channel):
                done[channel.value] += count
    finally:
        await ctx.wire.close()
    return done
