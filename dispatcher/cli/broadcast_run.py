"""The verbs while a broadcast is under way: send, undo, watch, pause, resume, stop, retry, settle."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import click

from dispatcher.cli.actor import acting_on
from dispatcher.cli.broadcast_approve import tell_promises
from dispatcher.cli.broadcast_compose import channels_of
from dispatcher.cli.broadcast_words import shown
from dispatcher.cli.groups import Verb
from dispatcher.cli.progress import View, follow, sum_line
from dispatcher.cli.screen import badge, is_terminal, number, say, show
from dispatcher.cli.session import Session, join_words, pass_session
from dispatcher.cli.verdict import raise_verdict
from dispatcher.cli.when import read_span, read_when, told
from dispatcher.errors import ConfirmationWrong, WaitTimedOut
from dispatcher.model.kinds import Channel

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the timeline.")
_CHANNEL = click.option("--channel", metavar="CHANNEL", help="Only this one.")
_TIMEOUT = click.option(
    "--timeout", default="", metavar="TIME", help="How long to wait, like 90s or 10m; then exit 124."
)


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--confirm-audience", type=click.IntRange(min=0), metavar="N", help="The size that check shows.")
@click.option("--at", metavar="TIME", help="18:30, tomorrow 07:00, in 30m, or ISO 8601.")
@click.option("--undo", metavar="SECONDS", help="How long undo stays possible before anything leaves.")
@click.option("--despite-incident", "despite", default="", metavar="REASON", help="Promotion while one is open: why.")
@click.option("--wait", is_flag=True, help="Stay until it is done; exit 7 if some were not reached.")
@_TIMEOUT
@pass_session
def send(
    session: Session,
    ref: str,
    confirm_audience: int | None,
    at: str | None,
    undo: str | None,
    despite: str,
    wait: bool,
    timeout: str,
) -> None:
    """Release an approved broadcast; asks for the number of people."""
    from dispatcher.services import accounting, sending

    ctx = session.ctx
    zone = session.settings.organisation.time_zone
    moment = read_when(at, ctx.clock.now(), zone) if at else None
    window = int(read_span(undo).total_seconds()) if undo is not None else None
    view = accounting.show(ctx, ref).as_dict()
    actor = acting_on(session, ref)
    ready = view["state"] == "approved"
    if ready:
        _announce(session, view, moment, zone)
        tell_promises(session, ref, moment)
    size = _typed_size(view) if confirm_audience is None and ready else confirm_audience or 0
    made = sending.send(ctx, actor, ref, confirm_audience=size, at=moment, undo=window, despite=despite)
    _tell_release(session, made.ref, made.release_at, ctx.clock.now(), zone)
    if wait:
        _wait(session, made.ref, timeout)
    else:
        show(session, shown(made), made.ref)


def _announce(session: Session, view: View, moment: datetime | None, zone: str) -> None:
    by = join_words(view["approved_by"]) if view["approved_by"] else "nobody yet"
    mode = badge(view["mode"], test_endpoint=bool(view["test_endpoints"]))
    say(session, f"{mode}  {view['ref']} {view['title']}  approved by {by}")
    channels = join_words(
        [f"{name} {number(terms['planned'] - terms['suppressed'])}" for name, terms in view["channels"].items()]
    )
    whom = f"To {number(view['release_size'])} people"
    own = f"{channels}; suppressed {number(view['total']['suppressed'])}"
    say(session, f"{whom} in all waves together; {view['ref']}: {own}" if view["waves"] else f"{whom}: {own}")
    if view["waves"]:
        say(session, f"In waves: {', then '.join(wave['name'] for wave in view['waves'])}")
    if moment:
        say(session, f"At {told(moment, zone)}")


def _typed_size(view: View) -> int:
    """The number that a person types after having read it."""
    mend = f"--confirm-audience {view['release_size']}, if that is whom you mean"
    if not is_terminal():
        raise ConfirmationWrong(
            "The size of the audience was not confirmed; nothing was sent.",
            why="There is no terminal to ask on.",
            mend=mend,
        )
    answer = click.prompt("Type the number of people to send to", default="", show_default=False, err=True)
    digits = answer.replace(",", "").replace(" ", "")
    if not (digits.isascii() and digits.isdigit()):
        raise ConfirmationWrong("That is no number; nothing was sent.", mend=mend)
    return int(digits)


def _tell_release(session: Session, ref: str, release_at: datetime | None, now: datetime, zone: str) -> None:
    if release_at is None or release_at <= now:
        say(session, f"Sending now. Stop it with: dispatcher broadcast stop {ref}")
        return
    seconds = round((release_at - now).total_seconds())
    when = f"in {seconds} s" if seconds < 120 else f"at {told(release_at, zone)}"
    say(session, f"Sending {when}. Take it back with: dispatcher broadcast undo {ref}")


def _wait(session: Session, ref: str, timeout: str) -> None:
    view = _followed(session, ref, timeout)
    if view is not None:
        raise_verdict(view)


def _followed(session: Session, ref: str, timeout: str) -> View | None:
    from dispatcher.services import accounting

    ctx = session.ctx
    until = ctx.clock.monotonic() + read_span(timeout).total_seconds() if timeout else None
    views = (view.as_dict() for view in accounting.watch(ctx, ref, time.sleep))
    try:
        return follow(session, _until(views, ctx.clock.monotonic, until, ref), ctx.clock.now)
    except KeyboardInterrupt:
        click.echo(f"\nStopped watching. Sending goes on; to stop it: dispatcher broadcast stop {ref}", err=True)
        raise click.exceptions.Exit(130) from None


def _until(views: Iterator[View], now: Callable[[], float], until: float | None, ref: str) -> Iterator[View]:
    for view in views:
        yield view
        if until is not None and now() >= until:
            raise WaitTimedOut(
                f"{ref} was not done in time; sending goes on.",
                why=sum_line(view["total"]),
                mend=f"dispatcher broadcast watch {ref}, or stop it: dispatcher broadcast stop {ref}",
            )


@click.command(cls=Verb)
@click.argument("ref")
@_TIMEOUT
@pass_session
def watch(session: Session, ref: str, timeout: str) -> None:
    """Follow a broadcast until it is done. Ctrl-C stops watching, not sending."""
    view = _followed(session, ref, timeout)
    if view is not None:
        say(session, sum_line(view["total"]))


@click.command(cls=Verb)
@click.argument("ref")
@pass_session
def undo(session: Session, ref: str) -> None:
    """Take a release back while its window is open; exit 10 if it is over."""
    from dispatcher.services import sending

    made = sending.undo(session.ctx, acting_on(session, ref), ref)
    show(session, shown(made), f"{made.ref} was taken back; nothing had left. It is {made.state} again.")


def _one_channel(word: str | None) -> Channel | None:
    return channels_of([word])[0] if word else None


@click.command(cls=Verb)
@click.argument("ref")
@_CHANNEL
@_REASON
@pass_session
def pause(session: Session, ref: str, channel: str | None, reason: str) -> None:
    """Hold what is not under way; anybody may."""
    from dispatcher.services import control

    made = control.pause(session.ctx, acting_on(session, ref), ref, channel=_one_channel(channel), reason=reason)
    show(session, shown(made), f"{made.ref} is paused. Go on with: dispatcher broadcast resume {made.ref}")


@click.command(cls=Verb)
@click.argument("ref")
@_CHANNEL
@_REASON
@pass_session
def resume(session: Session, ref: str, channel: str | None, reason: str) -> None:
    """Go on with what was paused, or came due too late to go by itself."""
    from dispatcher.services import control

    made = control.resume(session.ctx, acting_on(session, ref), ref, channel=_one_channel(channel), reason=reason)
    show(session, shown(made), f"{made.ref} goes on.")


@click.command(cls=Verb)
@click.argument("ref")
@_CHANNEL
@_REASON
@pass_session
def stop(session: Session, ref: str, channel: str | None, reason: str) -> None:
    """End it: what has not begun is cancelled, and no call starts later than 2 seconds from now."""
    from dispatcher.services import accounting, control

    ctx = session.ctx
    made = control.stop(ctx, acting_on(session, ref), ref, channel=_one_channel(channel), reason=reason)
    view = accounting.show(ctx, made.ref).as_dict()
    show(session, view, lambda: f"Stopped {made.ref}. {sum_line(view['total'])}")


@click.command(cls=Verb)
@click.argument("ref")
@pass_session
def retry(session: Session, ref: str) -> None:
    """Hand over again what failed; never what is unknown, and nobody who asked for no more."""
    from dispatcher.services import settling

    count = settling.retry(session.ctx, acting_on(session, ref), ref)
    show(session, {"ref": ref, "retried": count}, f"{number(count)} deliveries of {ref} are due again.")


@click.command(cls=Verb)
@click.argument("ref")
@click.option(
    "--unknown", "how", required=True, type=click.Choice(["resend", "leave"]), help="What to do with unknown ones."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the timeline.")
@pass_session
def settle(session: Session, ref: str, how: str, reason: str) -> None:
    """Decide about deliveries whose answer was lost: resend (some may get it twice) or leave them."""
    from dispatcher.services import settling

    count = settling.settle(session.ctx, acting_on(session, ref), ref, how, reason)
    words = "will be sent again; some may get it twice" if how == "resend" else "are left as they are"
    show(session, {"ref": ref, "settled": count}, f"{number(count)} unknown deliveries of {ref} {words}.")


VERBS: tuple[Any, ...] = (send, undo, watch, pause, resume, stop, retry, settle)
