"""`dispatcher incident`: what happened, how bad it is, and when the next word is due."""

import dataclasses
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.actor import acting
from dispatcher.cli.broadcast_compose import channels_of, comma_list, fact_options, read_facts
from dispatcher.cli.broadcast_words import shown
from dispatcher.cli.groups import Noun, Verb
from dispatcher.cli.screen import badge, pairs, plain_value, printable, say, show, table
from dispatcher.cli.session import Session, pass_session
from dispatcher.cli.when import read_span, read_when, told
from dispatcher.errors import UsageError
from dispatcher.model.incident import Phase, Visibility
from dispatcher.model.kinds import Mode, Severity
from dispatcher.model.promise import Circle

if TYPE_CHECKING:
    from dispatcher.model.incident import Incident
    from dispatcher.model.person import Person
    from dispatcher.model.promise import Promise
    from dispatcher.services.kept import Tally


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


def clock_dict(one: "Promise") -> dict[str, Any]:
    """A clock as JSON."""
    return {
        "clock": one.clock,
        "kind": one.kind,
        "state": one.state,
        "due_at": one.due_at,
        "made_at": one.made_at,
        "missed_at": one.missed_at,
        "settled_at": one.settled_at,
        "told_by": f"B-{one.told_by}" if one.told_by else None,
        "settled_by": f"B-{one.settled_by}" if one.settled_by else None,
    }


def _clocks(session: Session, found: "Sequence[Promise]") -> str:
    zone = session.settings.organisation.time_zone
    rows = [
        [one.clock, one.kind, "overdue" if one.is_open and one.missed_at else one.state, told(one.due_at, zone)]
        for one in found
    ]
    return table(["clock", "kind", "state", "due"], rows) if rows else "No clock runs."


def _kept(tally: "Tally") -> str:
    first = "–" if tally.first_word_minutes is None else f"{tally.first_word_minutes:g} min"
    told, owed = tally.promises, tally.duties
    regulators = f"regulators told in time {owed.kept}, late {owed.missed}, still owed {owed.running}; "
    return (
        f"First word after {first}; promises kept {told.kept}, missed {told.missed}, moved {told.moved}; "
        f"{regulators if owed != type(owed)() else ''}{tally.people_reached} people reached"
    )


def _line(session: Session, incident: "Incident") -> str:
    zone = session.settings.organisation.time_zone
    due = told(incident.next_update_at, zone) if incident.next_update_at else "not promised"
    return f"{incident.ref} {printable(incident.title)} ({incident.severity}, {incident.phase}); next update {due}"


@click.command("open", cls=Verb)
@click.argument("title")
@click.option("--severity", type=words_of(Severity), default=Severity.MAJOR.value, show_default=True, help="How bad.")
@click.option("--mode", type=words_of(Mode), help="Default: the site's.")
@click.option("--phase", type=words_of(Phase), default=Phase.INVESTIGATING.value, show_default=True, help="How far.")
@click.option("--private", is_flag=True, help="For those who work on it: the same as --visibility private.")
@click.option("--visibility", type=words_of(Visibility), default=Visibility.PUBLIC.value, help="Who may hear of it.")
@click.option(
    "--service", "services", multiple=True, metavar="NAME[@REGION][:STATE]", help="What does not work, where."
)
@click.option("--next-update", metavar="TIME", help="The public promise: 18:30, in 30m, or ISO 8601.")
@pass_session
def begin(
    session: Session,
    title: str,
    severity: str,
    mode: str | None,
    phase: str,
    private: bool,
    visibility: str,
    services: Sequence[str],
    next_update: str | None,
) -> None:
    """Open an incident; prints its REF. The clocks of all who must hear of it begin to run."""
    from dispatcher.services import incidents

    opening = incidents.Opening(
        title,
        severity=Severity(severity),
        mode=Mode(mode) if mode else None,
        phase=Phase(phase),
        visibility=Visibility.PRIVATE if private else Visibility(visibility),
        next_update_at=_instant(session, next_update),
    )
    actor = acting(session, opening.mode)
    made = incidents.open_incident(session.ctx, actor, opening)
    if services:
        _set_services(session, actor, made.ref, services)
    show(session, as_dict(made), made.ref)


def _set_services(session: Session, actor: "Person", ref: str, services: Sequence[str]) -> None:
    """Services by region are a fact, so that every message tells the same of them."""
    from dispatcher.services import facts

    told = "; ".join(one if ":" in one else f"{one}:down" for one in services)
    facts.set_facts(session.ctx, actor, ref, {("services", None): told})


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
        "clocks": [clock_dict(one) for one in view.clocks],
        "first_word_minutes": view.tally.first_word_minutes,
        "promises": dataclasses.asdict(view.tally.promises),
        "duties": dataclasses.asdict(view.tally.duties),
        "people_reached": view.tally.people_reached,
        "timeline": [plain_value(entry) for entry in view.timeline],
    }
    show(session, plain, lambda: _view_words(session, view))


def _view_words(session: Session, view: Any) -> str:
    facts = [[f.name, f.locale or "", f.state, said(f.value)] for f in view.facts]
    sent = [[b.ref, b.state, b.title] for b in view.broadcasts]
    acts = [
        [e.at.strftime("%d %b %H:%M:%S"), e.person or "program", e.verb, e.broadcast, e.detail] for e in view.timeline
    ]
    parts = [
        badge(view.incident.mode),
        _line(session, view.incident),
        _kept(view.tally),
        _clocks(session, view.clocks),
        table(["fact", "locale", "state", "value"], facts) if facts else "No fact is set.",
        table(["broadcast", "state", "title"], sent) if sent else "",
        table(["at (UTC)", "who", "what", "broadcast", "detail"], acts),
    ]
    return "\n\n".join(part for part in parts if part)


def said(value: Any) -> str:
    """The value of a fact on one line: the rows of a table by semicolons, their columns by commas."""
    words = _flat(value)
    return words if len(words) <= 70 else words[:69] + "…"


def _flat(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(_flat(one) for one in value.values() if one is not None)
    if isinstance(value, list | tuple):
        return "; ".join(_flat(one) for one in value) or "–"
    return value if isinstance(value, str) else str(plain_value(value))


@click.command(cls=Verb)
@click.argument("ref")
@click.option("--title", help="A new title.")
@click.option("--severity", type=words_of(Severity), help="How bad it is now.")
@click.option("--phase", type=words_of(Phase), help="How far we are.")
@click.option("--visibility", type=words_of(Visibility), help="Who may hear of it.")
@click.option("--service", "services", multiple=True, metavar="NAME[@REGION]:STATE", help="How services work now, all.")
@click.option("--note", default="", help="A line for the timeline.")
@pass_session
def update(
    session: Session,
    ref: str,
    title: str | None,
    severity: str | None,
    phase: str | None,
    visibility: str | None,
    services: Sequence[str],
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
    actor = _acting_on(session, ref)
    made = incidents.update(session.ctx, actor, ref, change)
    if services:
        _set_services(session, actor, made.ref, services)
    show(session, as_dict(made), lambda: _line(session, made))


@click.command(cls=Verb)
@click.argument("ref")
@click.argument("time")
@click.option("--to", "circle", type=words_of(Circle), default=Circle.CUSTOMERS.value, show_default=True, help="Whom.")
@click.option("--every", metavar="SPAN", help="Announce a longer interval from now on: 4h, 1d.")
@pass_session
def promise(session: Session, ref: str, time: str, circle: str, every: str | None) -> None:
    """Promise the next update by TIME: 18:30, in 30m, or ISO 8601."""
    from dispatcher.services import incidents

    at = _instant(session, time)
    if at is None:
        raise UsageError("No time was named.", mend="Like 18:30 or 'in 30m'.")
    span = read_span(every) if every else None
    made = incidents.promise(session.ctx, _acting_on(session, ref), ref, at, circle=Circle(circle), every=span)
    zone = session.settings.organisation.time_zone
    if latest := incidents.beyond_cadence(session.ctx, ref, at, Circle(circle)):
        longer = f'dispatcher incident promise {made.ref} "{time}" --to {circle} --every SPAN'
        say(session, f"! The cadence allows {told(latest, zone)} at the latest; to announce a longer silence: {longer}")
    words = f"{made.ref}: the next word to {circle} by {told(at, zone)}"
    show(session, as_dict(made) | {"circle": circle, "promised_at": at}, words)


@click.command(cls=Verb)
@click.argument("ref")
@fact_options
@click.option("--to", "circle", type=words_of(Circle), default=Circle.CUSTOMERS.value, show_default=True, help="Whom.")
@click.option("--audience", default="", help="Default: who was told last, else the audience called like --to.")
@click.option("--template", default="", help="Default: the one of the cadence, or its brief on later days.")
@click.option("--channel", "channels", multiple=True, callback=comma_list, help="Default: all that can be used.")
@click.option("--next", "next_update", metavar="TIME", help="The next update it tells of. Default: by the cadence.")
@pass_session
def still(
    session: Session,
    ref: str,
    words: Sequence[str],
    files: Sequence[Path],
    circle: str,
    audience: str,
    template: str,
    channels: Sequence[str],
    next_update: str | None,
) -> None:
    """Draft "we are still working on it" from the facts and at least one new one. Nothing is sent by it."""
    from dispatcher.services import still as drafts

    wanted = drafts.Wanted(
        facts=read_facts(files, words),
        circle=Circle(circle),
        audience=audience,
        template=template,
        channels=channels_of(channels),
        next_at=_instant(session, next_update),
    )
    made = drafts.draft(session.ctx, _acting_on(session, ref), ref, wanted)
    show(session, shown(made) | {"next_update_at": made.next_update_at}, made.ref)
    say(session, f"Next: dispatcher broadcast submit {made.ref}")


@click.command(cls=Verb)
@click.argument("ref")
@click.argument("name", metavar="DUTY")
@click.option("--since", metavar="TIME", help="When we knew (ISO 8601); default now.")
@click.option("--done", default="", metavar="TEXT", help="The regulator was told: what, and where it is filed.")
@pass_session
def duty(session: Session, ref: str, name: str, since: str | None, done: str) -> None:
    """Run a regulator's clock beside the others: gdpr, nis2, dora, sec, california. We remind; you file."""
    from dispatcher.services import incidents

    began = datetime.fromisoformat(since) if since else None
    if began is not None and began.tzinfo is None:
        raise UsageError("--since names no zone.", mend="Like 2026-11-22T08:00+00:00.")
    incidents.duty(session.ctx, _acting_on(session, ref), ref, name, since=began, done=done)
    view = incidents.show(session.ctx, ref)
    mine = [one for one in view.clocks if one.clock == name or one.clock.startswith(f"{name}_")]
    show(session, {"clocks": [clock_dict(one) for one in mine]}, _clocks(session, mine))


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
    commands=[begin, list_all, look, update, promise, still, duty, close],
)
