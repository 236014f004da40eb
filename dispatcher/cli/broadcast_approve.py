"""The verbs of the second pair of eyes: approve, return, reject, override, break-glass, review."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from dispatcher.cli.actor import acting_on
from dispatcher.cli.broadcast_compose import comma_list
from dispatcher.cli.broadcast_words import shown, warning_words
from dispatcher.cli.groups import Verb
from dispatcher.cli.screen import plain_value, say, show, table
from dispatcher.cli.session import Session, join_words, pass_session
from dispatcher.errors import UsageError

_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the timeline.")
_DIGEST = click.option(
    "--digest", "seen", default="", help="The digest you looked at, or its start: refused if it is another."
)


def tell_warnings(session: Session, ref: str) -> list[dict[str, Any]]:
    """Say what the check warned of, so that nobody says yes without having seen it."""
    from dispatcher.services import accounting

    found = [one.as_dict() for one in accounting.show(session.ctx, ref).warnings]
    for line in dict.fromkeys(map(warning_words, found)):
        say(session, line)
    return found


def tell_promises(session: Session, ref: str, at: datetime | None = None) -> None:
    """Say which promised times come too soon after `at`, by default now, to be kept."""
    from dispatcher.services import told_promise

    for line in told_promise.soon_over(session.ctx, ref, at):
        say(session, f"! {line}")


@click.command(cls=Verb)
@click.argument("ref")
@_DIGEST
@click.option(
    "--override", "rules", multiple=True, callback=comma_list, metavar="RULES", help="Let these warnings pass first."
)
@_REASON
@pass_session
def approve(session: Session, ref: str, seen: str, rules: Sequence[str], reason: str) -> None:
    """A second person's yes to exactly these words, people and plan; --override needs --reason."""
    from dispatcher.services import approval, overriding

    actor = acting_on(session, ref)
    if rules:
        overriding.override(session.ctx, actor, ref, rules, reason)
    warnings = tell_warnings(session, ref)
    tell_promises(session, ref)
    made = approval.approve(session.ctx, actor, ref, seen=seen)
    words = f"{made.ref} is {made.state}."
    lacking = approval.lacking(session.ctx, ref)
    if made.state == "approved":
        words += f" Next: dispatcher broadcast send {made.ref}"
    else:
        words += f" Another approval is needed: {join_words(lacking)}."
    show(session, shown(made) | {"missing": lacking, "warnings": warnings}, words)


@click.command("return", cls=Verb)
@click.argument("ref")
@_REASON
@pass_session
def give_back(session: Session, ref: str, reason: str) -> None:
    """Send it back for edit, with a reason."""
    from dispatcher.services import approval

    made = approval.return_for_edit(session.ctx, acting_on(session, ref), ref, reason)
    show(session, shown(made), f"{made.ref} is returned. Next: dispatcher broadcast edit {made.ref}")


@click.command(cls=Verb)
@click.argument("ref")
@_REASON
@pass_session
def reject(session: Session, ref: str, reason: str) -> None:
    """End it, with a reason."""
    from dispatcher.services import approval

    made = approval.reject(session.ctx, acting_on(session, ref), ref, reason)
    show(session, shown(made), f"{made.ref} is rejected.")


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--rule", "rules", multiple=True, required=True, callback=comma_list, help="L29,L30, as check says.")
@_REASON
@pass_session
def override(session: Session, ref: str, rules: Sequence[str], reason: str) -> None:
    """Let warnings of this text pass, for a reason that is kept. An edit makes it void; what blocks stays blocked."""
    from dispatcher.services import overriding

    found = overriding.override(session.ctx, acting_on(session, ref), ref, rules, reason)
    plain = [one.as_dict() for one in found]
    show(session, {"ref": ref, "overridden": plain}, lambda: "\n".join(dict.fromkeys(map(warning_words, plain))))


@click.command("break-glass", cls=Verb)
@click.argument("ref")
@_DIGEST
@_REASON
@pass_session
def break_glass(session: Session, ref: str, seen: str, reason: str) -> None:
    """One of two people who let it go without the level it needs; all approvers hear of it, and it is reviewed."""
    from dispatcher.services import breakglass

    actor = acting_on(session, ref)
    tell_warnings(session, ref)
    tell_promises(session, ref)
    made = breakglass.break_glass(session.ctx, actor, ref, reason, seen=seen)
    if made.state == "approved":
        words = f"{made.ref} is approved by break-glass; a review is open. Next: dispatcher broadcast send {made.ref}"
    else:
        words = f"A second person must say so: dispatcher broadcast break-glass {made.ref} --reason TEXT"
    show(session, shown(made), words)


@click.command(cls=Verb)
@click.argument("ref", required=False)
@_REASON
@pass_session
def review(session: Session, ref: str | None, reason: str) -> None:
    """What went out by break-glass and nobody has looked at since; with REF and --reason, your verdict on one."""
    from dispatcher.services import breakglass, sign_off

    if ref is not None:
        breakglass.review(session.ctx, acting_on(session, ref), ref, reason)
        show(session, {"ref": ref, "reviewed": True}, f"{ref} is reviewed.")
        return
    if reason:
        raise UsageError("Which broadcast is meant?", mend="dispatcher broadcast review REF --reason TEXT")
    found = sign_off.open_reviews(session.glance)
    rows = [[one["ref"], plain_value(one["since"]), one["why"]] for one in found]
    show(session, {"reviews": found}, table(["ref", "since", "why"], rows) if rows else "Nothing waits for a review.")


VERBS = (approve, give_back, reject, override, break_glass, review)
