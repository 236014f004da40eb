"""`dispatcher incident`: what happened, how bad it is, and when the next word is due."""

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import badge, pairs, plain_value, printable, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.when import read_when, told
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Mode, Severity

if TYPE_CHECKING:
    from dispatcher.model.incident import Incident
    from dispatcher.model.person import Person


def words_of(kind: type[Enum]) -> click.Choice[str]:
    """The words of a vocabulary, as choices."""
    return click.Choice([one.value for one in kind])


def _instant(session: Session, text: str | None) -> datetime | None:
    return read_when(text, session.ctx.clock.now(), session.settings.organisation.time_zone) if text else None


def _acting_on(session: Session, ref: str) -> "Person":
    from dispatcher.services import incidents

    return acting(session, incidents.show(session.ctx, ref).incident.mode)


def as_dict(incident: "Incident") -> dict[str, Any]:
    """An incident as JSON."""
    return {
        "ref": incident.ref,
        "title": incident.title,
        "severity": incident.severity,
        "phase": incident.phase,
        "visibility": incident.visibility,
        "mode": incident.mode,
        "opened_at": incident.opened_at,
        "next_update_at": incident.next_update_at,
        "closed_at": incident.closed_at,
    }


def _line(session: Session, incident: "Incident") -> str:
    zone = session.settings.organisation.time_zone
    due = told(incident.next_update_at, zone) if incident.next_update_at else "not promised"
    return f"{incident.ref} {printable(incident.title)} ({incident.severity}, {incident.phase}); next update {due}"


@click.command("open", cls=Verb)
@click.argument("title")
@click.option("--severity", type=words_of(Severity), default=Severity.MAJOR.value, show_default=True, help="How bad.")
@click.option("--mode", type=words_of(Mode), help="Default: the site's.")
@click.option("--phase", type=words_of(Phase), default=Phase.INVESTIGATING.value, show_default=True, help="How far.")
@click.option("--private", is_flag=True, help="For our own people: nothing about it is drafted for the public.")
@click.option("--next-update", metavar="TIME", help="The public promise: 18:30, in 30m, or ISO 8601.")
@pass_session
def begin(
    session: Session, title: str, severity: str, mode: str | None, phase: str, private: bool, next_update: str | None
) -> None:
    """Open an incident; prints its REF."""
    from dispatcher.services import incidents

    opening = incidents.Opening(
        title,
        severity=Severity(severity),
        mode=Mode(mode) if mode else None,
        phase=Phase(phase),
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        next_update_at=_instant(session, next_update),
    )
    made = incidents.open_incident(session.ctx, acting(session, opening.mode), opening)
    show(session, as_dict(made), made.ref)


@click.command("list", cls=Verb)
@click.option("--all", "closed_too", is_flag=True, help="Closed ones as well.")
@pass_session
def list_all(session: Session, closed_too: bool) -> None:
    """Open incidents, the newest first."""
    from dispatcher.services import incidents

    found = incidents.list_incidents(session.ctx, closed_too=closed_too)
    rows = [[i.ref, i.mode.upper(), i.severity, i.phase, i.title] for i in found]
    words = table(["ref", "mode", "severity", "phase", "title"], rows) if rows else "No incident is open."
    show(session, {"incidents": [as_dict(one) for one in found]}, words)


@click.command("show", cls=Verb)
@click.argument("ref")
@pass_session
def look(session: Session, ref: str) -> None:
    """One incident: its facts, broadcasts and timeline."""
    from dispatcher.services import incidents

    view = incidents.show(session.ctx, ref)
    plain = {
        **as_dict(view.incident),
        "facts": [plain_value(fact) for fact in view.facts],
        "unknown": list(view.unknown),
        "broadcasts": [one.ref for one in view.broadcasts],
        "timeline": [plain_value(entry) for entry in view.timeline],
    }
    show(session, plain, lambda: _view_words(session, view))


def _view_words(session: Session, view: Any) -> str:
    facts = [[f.name, f.locale or "", f.state, _said(f.value)] for f in view.facts]
    sent = [[b.ref, b.state, b.title] for b in view.broadcasts]
    acts = [
        [e.at.strftime("%d %b %H:%M:%S"), e.person or "program", e.verb, e.broadcast, e.detail] for e in view.timeline
    ]
    parts = [
        badge(view.incident.mode),
        _line(session, view.incident),
        table(["fact", "locale", "state", "value"], facts) if facts else "No fact is set.",
        table(["broadcast", "state", "title"], sent) if sent else "",
        table(["at (UTC)", "who", "what", "broadcast", "detail"], acts),
    ]
    return "\n\n".join(part for part in parts if part)


def _said(value: Any) -> str:
    words = value if isinstance(value, str) else str(plain_value(value)) if value is not None else "–"
    return words if len(words) <= 70 else words[:69] + "…"


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--title", help="A new title.")
@click.option("--severity", type=words_of(Severity), help="How bad it is now.")
@click.option("--phase", type=words_of(Phase), help="How far we are.")
@click.option("--visibility", type=words_of(Visibility), help="Whether the public may hear of it.")
@click.option("--note", default="", help="A line for the timeline.")
@pass_session
def update(
    session: Session,
    ref: str,
    title: str | None,
    severity: str | None,
    phase: str | None,
    visibility: str | None,
    note: str,
) -> None:
    """Change what is known about it, or note something."""
    from dispatcher.services import incidents

    change = incidents.Change(
        title=title,
        severity=Severity(severity) if severity else None,
        phase=Phase(phase) if phase else None,
        visibility=Visibility(visibility) if visibility else None,
        note=note,
    )
    made = incidents.update(session.ctx, _acting_on(session, ref), ref, change)
    show(session, as_dict(made), lambda: _line(session, made))


@click.command(cls=Verb)
@click.argument("ref")
@click.argument("time")
@pass_session
def promise(session: Session, ref: str, time: str) -> None:
    """Promise the public the next update by TIME: 18:30, in 30m, or ISO 8601."""
    from dispatcher.services import incidents

    at = _instant(session, time)
    if at is not None:
        made = incidents.promise(session.ctx, _acting_on(session, ref), ref, at)
        show(session, as_dict(made), lambda: _line(session, made))


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--lesson", default="", help="What we do differently next time.")
@pass_session
def close(session: Session, ref: str, lesson: str) -> None:
    """End it; waiting broadcasts are settled first."""
    from dispatcher.services import incidents

    made = incidents.close(session.ctx, _acting_on(session, ref), ref, lesson)
    words = pairs({"closed": made.ref, "title": made.title})
    show(session, as_dict(made), words)


command = Noun(
    "incident",
    help="What happened: open, update, promise, close.",
    commands=[begin, list_all, look, update, promise, close],
)
