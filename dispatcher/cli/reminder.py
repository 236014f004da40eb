"""`dispatcher reminder`: what is owed to whom, who is nudged, and what they do about it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.when import read_span, told
from dispatcher.model.incident import incident_ref

if TYPE_CHECKING:
    from dispatcher.model.person import Person
    from dispatcher.model.promise import Reminder


def as_dict(one: "Reminder") -> dict[str, Any]:
    """A reminder as JSON. `promised_at` is when the word itself is due."""
    return {
        "ref": one.ref,
        "incident": incident_ref(one.incident_id),
        "clock": one.clock,
        "kind": one.kind,
        "step": one.step,
        "state": one.state,
        "due_at": one.due_at,
        "planned_at": one.planned_at,
        "promised_at": one.promised_at,
        "told_at": one.told_at,
        "told_to": one.person or None,
        "notice": f"B-{one.broadcast_id}" if one.broadcast_id else None,
    }


def _line(session: Session, one: "Reminder") -> str:
    due = told(one.promised_at, session.settings.organisation.time_zone)
    return f"{one.ref} {incident_ref(one.incident_id)} {one.clock}, {one.step}: {one.state}; the word is due {due}"


def _acting_on(session: Session, ref: str) -> "Person":
    from dispatcher.services import incidents, reminders

    found = reminders.one(session.ctx, ref)
    return acting(session, incidents.show(session.ctx, incident_ref(found.incident_id)).incident.mode)


@click.command("list", cls=Verb)
@click.option("--incident", default="", metavar="REF", help="Of one incident.")
@click.option("--all", "ended_too", is_flag=True, help="Of clocks that ended as well.")
@click.option("--ical", is_flag=True, help="What is to come, as an iCalendar on stdout; for our own people only.")
@pass_session
def list_all(session: Session, incident: str, ended_too: bool, ical: bool) -> None:
    """Reminders of running clocks, by time."""
    from dispatcher.services import reminders

    if ical:
        from dispatcher.services import calendar

        click.echo(calendar.upcoming(session.ctx, incident), nl=False)
        return
    found = reminders.listing(session.ctx, incident=incident, ended_too=ended_too)
    zone = session.settings.organisation.time_zone
    rows = [
        [r.ref, incident_ref(r.incident_id), r.clock, r.step, r.state, told(r.due_at, zone), r.person] for r in found
    ]
    headers = ["ref", "incident", "clock", "step", "state", "due", "told to"]
    words = table(headers, rows) if rows else "Nothing is owed to anybody."
    show(session, {"reminders": [as_dict(one) for one in found]}, words)


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--for", "span", default="10m", show_default=True, metavar="SPAN", help="How long.")
@pass_session
def snooze(session: Session, ref: str, span: str) -> None:
    """Be reminded again later; the promise does not move."""
    from dispatcher.services import reminders

    done = reminders.snooze(session.ctx, _acting_on(session, ref), ref, read_span(span))
    show(session, as_dict(done), lambda: _line(session, done))


@click.command(cls=Verb)
@click.argument("ref")
@pass_session
def ack(session: Session, ref: str) -> None:
    """Take it in hand: what follows comes to you, and only the last step to the next person."""
    from dispatcher.services import reminders

    done = reminders.acknowledge(session.ctx, _acting_on(session, ref), ref)
    show(session, as_dict(done), lambda: _line(session, done))


@click.command("hand-over", cls=Verb)
@click.argument("ref")
@click.option("--to", "name", required=True, metavar="PERSON", help="Who is in charge from now on.")
@pass_session
def hand_over(session: Session, ref: str, name: str) -> None:
    """Put somebody else in charge of this promise; they are told."""
    from dispatcher.services import people, reminders

    actor = _acting_on(session, ref)
    done = reminders.hand_over(session.ctx, actor, ref, people.by_name(session.ctx, name))
    show(session, as_dict(done), lambda: _line(session, done))


@click.command(cls=Verb)
@click.argument("names", nargs=-1, metavar="[PERSON]...")
@click.option("--nobody", is_flag=True, help="Empty it: then whoever opened the incident comes first.")
@pass_session
def rota(session: Session, names: Sequence[str], nobody: bool) -> None:
    """Who is reminded, in this order; without names, who it is now."""
    from dispatcher.services import people, reminders

    if names or nobody:
        order = [people.by_name(session.ctx, name) for name in names]
        reminders.set_rota(session.ctx, acting(session), order)
    found = [person.name for person in reminders.rota(session.ctx)]
    show(session, {"rota": found}, "\n".join(found) or "Nobody is on the rota.")


command = Noun(
    "reminder",
    help="What is owed to whom, who is nudged, and what they do about it.",
    commands=[list_all, snooze, ack, hand_over, rota],
)
