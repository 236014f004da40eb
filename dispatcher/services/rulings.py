"""What a signal comes to: judged in one transaction against what is known, so that any number of workers agree."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from dispatcher.intake import fields, judging
from dispatcher.intake import playbook as books
from dispatcher.intake import severity as severities
from dispatcher.intake.judging import Known, Step
from dispatcher.intake.playbook import Moment, Playbook
from dispatcher.intake.tool import ToolSettings
from dispatcher.ledger import anomalies, incidents, signals
from dispatcher.ledger.broadcasts import canonical
from dispatcher.ledger.engine import Tx
from dispatcher.ledger.rows import Row
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.incident import Incident, Phase
from dispatcher.model.kinds import Severity
from dispatcher.model.signal import Signal
from dispatcher.people import PROGRAM
from dispatcher.services import playbooks
from dispatcher.services.context import Context
from dispatcher.services.incidents import Opening, open_within
from dispatcher.services.playbooks import Shelf

AHEAD = timedelta(minutes=5)
"""A time that lies further ahead is the tool's mistake: it would make every later signal a late one."""
STALE_MS = 7 * 24 * 3_600_000
"""What began longer ago opens nothing by itself."""
HOUR_MS = 3_600_000
SILENT = ("late", "same")
"""Outcomes without consequences for the incident they belong to."""


@dataclass(frozen=True, slots=True)
class Case:
    """One signal on its way through `apply`."""

    post: Row[Any]
    settings: ToolSettings
    signal: Signal
    severity: Severity
    at: int
    timed: bool
    digest: bytes
    seen: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a signal came to."""

    outcome: str
    incident_id: int | None = None
    playbook: str = ""
    moment: Moment | None = None
    fresh: bool = False
    episode: int = 1
    signal_id: int = 0


def fingerprint(*parts: str | bytes) -> bytes:
    """A digest of parts that cannot run into each other."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.digest()


def case_of(post: Row[Any], settings: ToolSettings, signal: Signal, place: int) -> Case:
    """A signal with its severity and time, and the mark by which it is known again."""
    received = from_ms(int(post.received_at))
    at = signal.occurred_at
    timed = at is not None and at <= received + AHEAD
    at = at if at is not None and timed else received
    severity = severities.read(signal.severity_raw, settings.severity, settings.severity_unknown)
    own = signal.delivery_id.encode() or bytes(post.hash) + place.to_bytes(4, "big")
    seen = books.view(post.tool, post.source, replace(signal, occurred_at=at), severity)
    return Case(
        post, settings, signal, severity, to_ms(at), timed,
        fingerprint(post.tool, post.source, own, signal.external_id, signal.kind),
        {**seen, "source_visibility": settings.visibility.value},
    )  # fmt: skip


def keep(tx: Tx, case: Case, ruling: Ruling) -> int:
    """Write the signal and what it came to; its id."""
    told = {name: value for name, value in case.seen.items() if name not in ("tool", "source", "external_id", "kind")}
    return signals.keep(
        tx,
        {
            "hash": case.digest,
            "post_id": case.post.id,
            "tool": case.post.tool,
            "source": case.post.source,
            "external_id": case.signal.external_id,
            "kind": case.signal.kind,
            "occurred_at": case.at,
            "received_at": case.post.received_at,
            "told": canonical(told),
            "outcome": ruling.outcome,
            "detail": ruling.moment or "",
            "incident_id": ruling.incident_id,
            "done": 0,
        },
    )


def resumed(tx: Tx, known: Row[Any], case: Case) -> Ruling:
    """A ruling whose consequences were cut short."""
    subject = signals.subject(tx, case.post.tool, case.post.source, case.signal.external_id)
    moment = Moment(known.detail) if known.detail in set(Moment) else None
    fresh = known.outcome in ("opened", "joined")
    return Ruling(known.outcome, known.incident_id, subject.playbook, moment, fresh, subject.episode)


def rule(tx: Tx, ctx: Context, shelf: Shelf, case: Case) -> Ruling:
    """Judge the signal by what is known, move its subject, and open or join an incident where a playbook says so."""
    if not case.signal.kind.moves:
        return Ruling(case.signal.kind.value)
    subject = signals.subject(tx, case.post.tool, case.post.source, case.signal.external_id)
    known = None if subject.fresh else Known(subject.state, subject.occurred_at)
    step = judging.judge(known, case.signal.kind, case.at, timed=case.timed)
    incident = incidents.get(tx, subject.incident_id) if subject.incident_id else None
    if incident is not None and not incident.is_open and step in (Step.BEGIN, Step.AGAIN):
        incident = None
    if step is Step.LATE:
        return Ruling("late", incident.id if incident else None)
    _remember(tx, subject, case, step)
    state = judging.state_after(step, subject.state)
    if incident is None and case.signal.kind.is_live and state != judging.OVER:
        return _begin(tx, ctx, shelf, case, subject)
    return _follow(case, subject, step, incident)


def _remember(tx: Tx, subject: signals.Subject, case: Case, step: Step) -> None:
    """How the subject stands now. A note about something we never heard of says nothing about its state."""
    if step is Step.NOTHING and subject.fresh:
        return
    signals.change_subject(
        tx,
        subject.id,
        state=judging.state_after(step, subject.state),
        occurred_at=max(case.at, subject.occurred_at),
        words=_words(case),
        episode=subject.episode + (step is Step.AGAIN),
    )


def _words(case: Case) -> str:
    told = (case.signal.title, case.signal.text, case.signal.severity_raw, case.signal.phase_raw)
    return hashlib.sha256("\0".join(told).encode()).hexdigest()[:16]


def _follow(case: Case, subject: signals.Subject, step: Step, incident: Incident | None) -> Ruling:
    if incident is None:
        return Ruling("unlinked")
    worse = bool(case.signal.severity_raw) and case.severity.rank < incident.severity.rank
    if step is Step.SAME and worse:
        step = Step.CHANGE
    if step is Step.SAME or (step is Step.CHANGE and not worse and subject.words == _words(case)):
        return Ruling("same", incident.id)
    outcome, moment = _MOVES[step]
    episode = subject.episode + (step is Step.AGAIN)
    return Ruling(outcome, incident.id, subject.playbook, moment, episode=episode)


_MOVES: Mapping[Step, tuple[str, Moment | None]] = {
    Step.NOTHING: ("noted", None),
    Step.BEGIN: ("moved", Moment.REOPENED),
    Step.AGAIN: ("moved", Moment.REOPENED),
    Step.CHANGE: ("moved", Moment.UPDATED),
    Step.EASE: ("moved", Moment.MITIGATED),
    Step.END: ("moved", Moment.RESOLVED),
}


def _begin(tx: Tx, ctx: Context, shelf: Shelf, case: Case, subject: signals.Subject) -> Ruling:
    """The first we hear of it, or the first that a playbook means: an incident is opened, or joined."""
    book = books.choose(shelf.playbooks, case.seen)
    if book is None:
        return Ruling("no playbook")
    now = to_ms(ctx.clock.now())
    if case.at < now - STALE_MS:
        return Ruling("stale")
    signals.lock_opening(tx)
    key = books.said(fields.pick(book.incident.join, book.with_words(case.seen)))[:200]
    number = signals.joined(tx, book.id, key) if key else None
    outcome = "joined" if number else "opened"
    if number is None:
        if _opens_too_many(tx, case, now):
            return Ruling("held back")
        number = _open(tx, ctx, book, case)
    signals.change_subject(tx, subject.id, incident_id=number, playbook=book.id, join_key=key or None)
    moment = Moment.OPENED if outcome == "opened" else None
    return Ruling(outcome, number, book.id, moment, fresh=True, episode=subject.episode)


def _opens_too_many(tx: Tx, case: Case, now: int) -> bool:
    """Whether this source has opened its share for the hour. Said once an hour."""
    place = (case.post.tool, case.post.source)
    opened = signals.outcomes_since(tx, *place, "opened", now - HOUR_MS)
    if opened < case.settings.opens_per_hour:
        return False
    if not signals.outcomes_since(tx, *place, "held back", now - HOUR_MS):
        words = f"{'/'.join(place)} has opened {opened} incidents within the hour; more are held back"
        anomalies.add(tx, "signals held back", words, now)
    return True


def _open(tx: Tx, ctx: Context, book: Playbook, case: Case) -> int:
    seen = book.with_words(case.seen)
    title = books.fill(book.incident.title, seen) or case.signal.title or f"{case.post.tool} incident"
    phase = book.phase(case.signal) or Phase.INVESTIGATING
    opening = Opening(
        title[:200],
        severity=playbooks.severity_of(book, case.severity),
        phase=phase if phase is not Phase.RESOLVED else Phase.INVESTIGATING,
        visibility=playbooks.visibility_of(book, case.signal, case.settings.visibility),
    )
    made = open_within(tx, ctx, PROGRAM, opening)
    brought = {name: case.seen[name] for name in ("tool", "source", "external_id", "external_ref", "url")}
    more = {"services": case.seen["services"], "regions": case.seen["regions"], "playbook": book.id}
    incidents.change(tx, made.id, data=canonical(brought | more))
    return made.id
