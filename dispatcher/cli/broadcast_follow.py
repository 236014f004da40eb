"""The verbs after a broadcast has left: correct it, update those it reached, reroute those it still holds."""

from collections.abc import Sequence
from pathlib import Path

import click

from dispatcher.cli.actor import acting_on
from dispatcher.cli.broadcast_compose import channels_of, comma_list, fact_options, read_facts
from dispatcher.cli.broadcast_words import shown
from dispatcher.cli.groups import Verb
from dispatcher.cli.label import label
from dispatcher.cli.screen import say, show
from dispatcher.cli.session import Session, pass_session
from dispatcher.model.broadcast import Broadcast

_TEMPLATE = click.option("--template", default="", metavar="ID", help="Other words; default: the same template.")


def _told(session: Session, made: Broadcast) -> None:
    say(session, label(session, made.mode, made.ref))
    say(session, f"Drafted {made.ref}. Next: dispatcher broadcast check {made.ref}")
    show(session, shown(made), made.ref)


@click.command(cls=Verb)
@click.argument("ref")
@_TEMPLATE
@fact_options
@pass_session
def correct(session: Session, ref: str, template: str, words: Sequence[str], files: Sequence[Path]) -> None:
    """Draft a correction for exactly those who got REF or may have; prints its REF."""
    from dispatcher.services import followups

    facts = read_facts(files, words)
    _told(session, followups.correct(session.ctx, acting_on(session, ref), ref, template=template, facts=facts))


@click.command(cls=Verb)
@click.argument("ref")
@_TEMPLATE
@fact_options
@pass_session
def update(session: Session, ref: str, template: str, words: Sequence[str], files: Sequence[Path]) -> None:
    """Draft an update for all whom REF's incident has reached so far; prints its REF."""
    from dispatcher.services import followups

    facts = read_facts(files, words)
    _told(session, followups.update(session.ctx, acting_on(session, ref), ref, template=template, facts=facts))


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--held-on", "held_on", required=True, metavar="CHANNEL", help="The frozen or paused channel.")
@click.option(
    "--to", "to", multiple=True, required=True, callback=comma_list, metavar="CHANNELS", help="Where instead."
)
@pass_session
def reroute(session: Session, ref: str, held_on: str, to: Sequence[str]) -> None:
    """Draft the same words for exactly those whom a channel still holds; prints its REF."""
    from dispatcher.services import followups

    [channel] = channels_of([held_on])
    made = followups.reroute(session.ctx, acting_on(session, ref), ref, held_on=channel, to=channels_of(to))
    _told(session, made)


VERBS = (correct, update, reroute)
