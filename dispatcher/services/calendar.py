"""Running promises and their reminders for the calendars of our own people."""

from collections.abc import Iterator

from dispatcher.ledger import incidents, promises
from dispatcher.model.incident import Incident
from dispatcher.model.promise import Promise, Reminder
from dispatcher.reporting.calendar import WORDS, Entry, render
from dispatcher.services.context import Context


def upcoming(ctx: Context, incident: str = "") -> bytes:
    """Everything that somebody waits for, of every open incident or of one. It names incidents as we do inside."""
    with ctx.ledger.read() as tx:
        found = [incidents.by_ref(tx, incident)] if incident else incidents.recent(tx)
        entries = []
        for one in found:
            running = list(promises.running(tx, one.id).values())
            entries += [_of_promise(ctx, one, promise) for promise in running]
            entries += _of_reminders(ctx, one, promises.reminders(tx, incident_id=one.id))
    entries.sort(key=lambda entry: (entry.at, entry.uid))
    return render(entries, name=ctx.settings.organisation.name, now=ctx.clock.now())


def _of_promise(ctx: Context, incident: Incident, promise: Promise) -> Entry:
    words = WORDS[promise.kind].format(whom=promise.clock)
    return Entry(f"promise-{promise.id}@{ctx.ledger_id}", promise.due_at, f"{incident.ref}: {words}", _about(incident))


def _of_reminders(ctx: Context, incident: Incident, found: list[Reminder]) -> Iterator[Entry]:
    """Those that are still to come; the one at the due time is the promise itself."""
    for one in found:
        if one.told_at is None and one.dropped_at is None:
            words = f"{incident.ref}: reminder {one.ref} for {one.clock} ({one.step.replace('_', ' ')})"
            yield Entry(f"reminder-{one.id}@{ctx.ledger_id}", one.due_at, words, _about(incident), alarm=True)


def _about(incident: Incident) -> str:
    exercise = "EXERCISE. " if incident.mode == "drill" else ""
    return f"{exercise}{incident.title}. {incident.severity}, {incident.phase}."
