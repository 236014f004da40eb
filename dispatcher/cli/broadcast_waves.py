"""Several broadcasts under one approval, one after another: their order, how far they are, and letting one pass."""

from collections.abc import Sequence
from typing import Any

import click

from dispatcher.cli.actor import acting_on
from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.when import told
from dispatcher.errors import UsageError


def _steps(text: str) -> list[tuple[str, str]]:
    """`page,staff=B-7,B-8` as (name, ref): a word alone is a person's own work, a ref alone is its own name."""
    steps = []
    for word in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, ref = word.partition("=")
        stem = (ref if equals else name).strip().upper()
        is_ref = stem.startswith("B-") and stem[2:].isdigit()
        if equals and not is_ref:
            raise UsageError(f"{word!r} names no broadcast.", mend="--order page,staff=B-7,customers=B-8")
        steps.append((name.strip(), stem if is_ref else ""))
    return steps


def _words(session: Session, found: Sequence[Any]) -> str:
    zone = session.settings.organisation.time_zone
    rows = [
        [w.no, w.name, w.ref or "by hand", w.state, told(w.out_at, zone) if w.out_at else "", w.reason] for w in found
    ]
    return table(["", "wave", "broadcast", "state", "out", "why"], rows) if rows else "It goes alone."


def _show(session: Session, lead: str, found: Sequence[Any]) -> None:
    show(session, {"lead": lead, "waves": [one.as_dict() for one in found]}, lambda: _words(session, found))


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--order", default="", metavar="STEPS", help="page,staff=B-7,customers=B-8; the first broadcast leads.")
@click.option("--done", default="", metavar="WAVE", help="A step by hand, as a page, is published now.")
@pass_session
def waves(session: Session, ref: str, order: str, done: str) -> None:
    """Release several broadcasts one after another under the approval of REF; without options, how far they are."""
    from dispatcher.services import wave_order
    from dispatcher.services import waves as service

    if order and done:
        raise UsageError("--order and --done are two acts.", mend="Call it twice.")
    if order:
        found = service.define(session.ctx, acting_on(session, ref), ref, _steps(order))
        say(session, f"Submit each; {ref} last. One approval and one send of {ref} are for all.")
        _show(session, ref, found)
    elif done:
        _show(session, ref, service.done(session.ctx, acting_on(session, ref), ref, done))
    else:
        _show(session, *wave_order.listing(session.ctx, ref))


@click.command(cls=Verb)
@click.argument("ref")
@click.argument("wave")
@click.option("--reason", required=True, metavar="TEXT", help="Why the next one need not wait; kept in the timeline.")
@pass_session
def skip(session: Session, ref: str, wave: str, reason: str) -> None:
    """Wait for a wave of REF no longer: what of it is under way goes on, what has not begun stays behind."""
    from dispatcher.services import waves as service

    _show(session, ref, service.skip(session.ctx, acting_on(session, ref), ref, wave, reason))


VERBS = (waves, skip)
