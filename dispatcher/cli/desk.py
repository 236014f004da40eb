"""`dispatcher desk`: what of the open incidents waits for you, and one key to do it. For the first word, in seconds."""

from typing import TYPE_CHECKING

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.broadcast_approve import tell_promises, tell_warnings
from dispatcher.cli.groups import Verb
from dispatcher.cli.label import label
from dispatcher.cli.screen import printable, say
from dispatcher.cli.session import Session, pass_session
from dispatcher.errors import DispatcherError, UsageError
from dispatcher.model.states import BroadcastState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dispatcher.model.broadcast import Broadcast
    from dispatcher.model.fact import Fact
    from dispatcher.model.person import Person
    from dispatcher.model.rendition import Rendition

_STEPS = {
    BroadcastState.DRAFT: "submit",
    BroadcastState.RETURNED: "submit",
    BroadcastState.SUBMITTED: "approve",
}
QUIT, YES, CONFIRM = "q", "y", "c"


@click.command("desk", cls=Verb)
@pass_session
def command(session: Session) -> None:
    """Drafts and questions of open incidents: a digit reads one, c confirms what is only believed, y submits or
    approves it, any other key goes back."""
    actor = acting(session)
    while True:
        waiting = _waiting(session)
        _list(session, waiting)
        key = _key()
        if key == QUIT or key in ("\x03", "\x04"):
            return
        if key.isdigit() and 0 < int(key) <= len(waiting):
            _one(session, actor, waiting[int(key) - 1])


def _key() -> str:
    try:
        return click.getchar()
    except OSError as error:
        raise UsageError(
            "The desk reads keys, and there is no terminal to read them from.",
            mend="In a script: dispatcher broadcast show --json, then broadcast submit REF or approve REF.",
        ) from error


def _waiting(session: Session) -> "list[Broadcast]":
    """The newest incident first, at most nine."""
    from dispatcher.services import incidents

    found = [
        one
        for incident in incidents.list_incidents(session.ctx)
        for one in incidents.show(session.ctx, incident.ref).broadcasts
    ]
    return [one for one in found if one.state in _STEPS][:9]


def _list(session: Session, waiting: "list[Broadcast]") -> None:
    lines = [f"{n}  {one.ref} {one.state}: {printable(one.title)}" for n, one in enumerate(waiting, start=1)]
    say(session, "\n".join(lines) or "Nothing waits.")
    say(session, f"A digit to read one, any other key to look again, {QUIT} to leave.")


def _words(rendition: "Rendition") -> str:
    """Its text, with the name of what each recipient gets in its place."""
    text = rendition.parts.get("text") or "\n".join(rendition.posts)
    for slot in rendition.slots:
        text = text.replace(slot.tag, f"[{slot.name}]")
    return text


def _doubtful(session: Session, one: "Broadcast") -> "list[Fact]":
    """Facts that nobody has confirmed; whoever approves has no say in them."""
    from dispatcher.services import facts

    if one.incident_id is None or _STEPS[one.state] != "submit":
        return []
    return facts.believed(session.ctx, f"INC-{one.incident_id}")


def _names(found: "Sequence[Fact]") -> str:
    return ", ".join(dict.fromkeys(fact.name for fact in found))


def _confirm(session: Session, actor: "Person", one: "Broadcast", seen: "Sequence[Fact]") -> None:
    """Only what was read: a tool may have told something else while somebody thought about it."""
    from dispatcher.services import facts

    sure = facts.confirm(session.ctx, actor, f"INC-{one.incident_id}", seen=seen)
    say(session, f"Confirmed: {_names(sure) or 'nothing, as it has changed'}.\n")


def _one(session: Session, actor: "Person", one: "Broadcast") -> None:
    """Its words as they would go out, then the one key that sends it on its way."""
    from dispatcher.services import approval, checking

    try:
        doubtful = _doubtful(session, one)
        _, _, said = checking.renditions_now(session.ctx, one.ref)
        say(session, f"{label(session, one.mode, one.ref)}\n{one.ref} {printable(one.title)}")
        for rendition in said:
            say(session, f"\n{rendition.channel} ({rendition.locale})\n{printable(_words(rendition), lines=True)}")
        step = _STEPS[one.state]
        if doubtful:
            say(session, f"\nOnly believed: {_names(doubtful)}. {CONFIRM} to confirm it as {actor.name}.")
        if step == "approve":
            tell_warnings(session, one.ref)
            tell_promises(session, one.ref)
        say(session, f"\n{YES} to {step} it as {actor.name}, any other key to go back.")
        key = _key()
        if key == CONFIRM and doubtful:
            _confirm(session, actor, one, doubtful)
            return _one(session, actor, one)
        if key != YES:
            return None
        if step == "submit":
            done = approval.submit(session.ctx, actor, one.ref)
        else:
            done = approval.approve(session.ctx, actor, one.ref, seen=one.digest or "")
        say(session, f"{done.ref} is {done.state}.\n")
    except DispatcherError as error:
        say(session, "\n".join(part for part in (error.what, error.why, *error.mend) if part))
    return None
