"""`dispatcher suppression`: addresses that must not be contacted, each with its reason."""

from pathlib import Path
from typing import Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.audience import masked
from dispatcher.cli.broadcast_compose import channels_of
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import number, printable, say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.model.kinds import Channel

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_CHANNEL = click.option("--channel", metavar="CHANNEL", help="Default: email if it has an @, else sms.")
_REGION = click.option("--region", default="", metavar="GB", help="Country of a number without a country code.")
_SCOPE = click.option(
    "--scope", type=click.Choice(["all", "promotional"]), default="all", show_default=True, help="For which messages."
)


def _channel(word: str | None) -> Channel | None:
    return channels_of([word])[0] if word else None


def as_dict(one: Any, *, plain: bool = False) -> dict[str, Any]:
    """A suppression as JSON; the address is masked unless asked for."""
    return {
        "channel": one.channel,
        "address": one.address if plain else masked(one.address),
        "scope": one.scope,
        "reason": one.reason,
        "note": one.note,
        "source": one.source,
        "created_at": one.created_at,
        "removed_at": one.removed_at,
    }


@click.command(cls=Verb)
@click.argument("address")
@_CHANNEL
@click.option("--reason", default="request", show_default=True, help="opt_out, request, hard_bounce, legal, ...")
@_SCOPE
@click.option("--note", default="", help="For us.")
@_REGION
@pass_session
def add(session: Session, /, address: str, channel: str | None, **how: Any) -> None:
    """Never contact this address again."""
    from dispatcher.services import suppressions

    made = suppressions.add(session.ctx, acting(session), address, channel=_channel(channel), **how)
    show(session, as_dict(made), f"{masked(made.address)} will not be contacted by {made.channel} ({made.reason}).")


@click.command(cls=Verb)
@click.argument("address")
@_CHANNEL
@click.option("--reason", required=True, metavar="TEXT", help="Why it may be contacted again; kept.")
@_REGION
@pass_session
def remove(session: Session, address: str, channel: str | None, reason: str, region: str) -> None:
    """Lift what holds for an address."""
    from dispatcher.services import suppressions

    ended = suppressions.remove(
        session.ctx, acting(session), address, reason=reason, channel=_channel(channel), region=region
    )
    show(
        session,
        {"lifted": [as_dict(one) for one in ended]},
        f"{number(len(ended))} lifted for {masked(ended[0].address)}.",
    )


@click.command("list", cls=Verb)
@_CHANNEL
@click.option("--addresses", is_flag=True, help="Every one of them, unmasked, instead of counts.")
@pass_session
def list_all(session: Session, channel: str | None, addresses: bool) -> None:
    """How many are suppressed, by channel, scope and reason."""
    from dispatcher.services import suppressions

    if addresses:
        found = [as_dict(one, plain=True) for one in suppressions.listing(session.ctx, channel=_channel(channel))]
        rows = [[s["channel"], s["address"], s["scope"], s["reason"], s["note"]] for s in found]
        show(session, {"suppressions": found}, table(["channel", "address", "scope", "reason", "note"], rows))
        return
    counted = suppressions.counts(session.ctx)
    kept = {key: n for key, n in counted.items() if channel in (None, key[0])}
    plain = [{"channel": c, "scope": s, "reason": r, "count": n} for (c, s, r), n in kept.items()]
    rows = [[c, s, r, n] for (c, s, r), n in kept.items()]
    words = table(["channel", "scope", "reason", "count"], rows) if rows else "Nobody is suppressed."
    show(session, {"counts": plain}, words)


@click.command("import", cls=Verb)
@click.argument("file", type=_FILE)
@click.option("--reason", default="opt_out", show_default=True, help="For every address of the file.")
@_SCOPE
@_REGION
@pass_session
def import_file(session: Session, file: Path, reason: str, scope: str, region: str) -> None:
    """Suppress every address in a file; bad cells are named, the rest is in."""
    from dispatcher.services import suppressions

    done = suppressions.import_file(session.ctx, acting(session), file, reason=reason, scope=scope, region=region)
    for error in done.errors[:20]:
        say(
            session,
            f"! line {error.line}, column {printable(error.column)}: {printable(error.why)} {printable(error.mend)}",
        )
    words = f"{number(done.added)} suppressed; {number(done.held_already)} were already."
    if done.error_count:
        words += f" {number(done.error_count)} cells could not be read."
    plain = {"rows": done.rows, "added": done.added, "held_already": done.held_already, "errors": done.error_count}
    show(session, plain, words)


command = Noun(
    "suppression", help="Addresses that must not be contacted.", commands=[add, remove, list_all, import_file]
)
