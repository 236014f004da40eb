"""Playbooks at work: what a signal makes of our incident, each step as the program, each safe to do again.

Nothing here reaches anybody but our own people, and the public only by a message that was approved in peace and whose
playbook says that it goes. All other drafts wait for a person who submits them and another who approves.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dispatcher import resources
from dispatcher.errors import DispatcherError, Refused
from dispatcher.intake import fields
from dispatcher.intake import playbook as books
from dispatcher.intake.playbook import DraftRule, Moment, Playbook
from dispatcher.ledger import broadcasts, signals
from dispatcher.ledger import incidents as ledger_incidents
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import from_ms, to_ms
from dispatcher.model.fact import FactKey
from dispatcher.model.incident import Incident, Phase, Visibility
from dispatcher.model.kinds import FactState, Purpose, Severity
from dispatcher.model.signal import Signal, SignalKind
from dispatcher.model.states import BroadcastState
from dispatcher.model.template import Template
from dispatcher.people import PROGRAM
from dispatcher.services import drafting, facts, incidents, preapproval, sending, staff
from dispatcher.services.context import Context
from dispatcher.services.drafting import Draft
from dispatcher.services.facts import Telling
from dispatcher.services.incidents import Change
from dispatcher.services.preapproval import Use

_NOTE = 500


@dataclass(frozen=True, slots=True)
class Shelf:
    """The playbooks that can be used, and by file why the others cannot."""

    playbooks: tuple[Playbook, ...]
    broken: Mapping[str, str]

    def get(self, playbook_id: str) -> Playbook | None:
        """The playbook of that id."""
        return next((one for one in self.playbooks if one.id == playbook_id), None)


@dataclass(frozen=True, slots=True)
class Happening:
    """A signal that concerns one of our incidents. `moment` None: nothing of the playbook is due, words at most."""

    incident_id: int
    signal: Signal
    seen: Mapping[str, Any]
    severity: Severity
    moment: Moment | None
    fresh: bool
    episode: int
    key: str

    @property
    def place(self) -> str:
        """Where it came from."""
        return f"{self.seen['tool']}/{self.seen['source']}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What a playbook would do with a signal, without doing it."""

    playbook: str
    title: str
    severity: Severity
    phase: Phase
    visibility: Visibility
    join_key: str
    promise_minutes: int | None
    facts: Mapping[str, object]
    drafts: tuple[Mapping[str, object], ...]
    tells: tuple[str, ...]


def shelf(ctx: Context) -> Shelf:
    """Read afresh: what is on disk now is what is done. The operator's folder goes before the shipped one."""
    own = [ctx.settings.playbooks_dir] if ctx.settings.playbooks_dir else []
    folders = [folder for folder in (*own, resources.shipped("config") / "playbooks") if folder.is_dir()]
    found, broken = books.load(folders)
    return Shelf(tuple(found), broken)


def read_file(path: Path) -> Playbook:
    """One file, checked; ConfigurationError says what is wrong in which line."""
    return books.read(path)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a playbook."""
    return Playbook.model_json_schema()


def visibility_of(book: Playbook | None, signal: Signal, source: Visibility) -> Visibility:
    """The strictest of playbook, signal and source."""
    wanted = [signal.visibility, source, *([book.incident.visibility] if book else [])]
    return max(wanted, key=list(Visibility).index)


def severity_of(book: Playbook, severity: Severity) -> Severity:
    """The incident's severity for a signal's."""
    return book.incident.severity.get(severity, severity)


def trial(book: Playbook, signal: Signal, seen: Mapping[str, Any], source: Visibility) -> Trial:
    """What would be done if this signal were the first about an incident."""
    spoken = book.with_words(seen)
    severity = severity_of(book, Severity(seen["severity"]))
    visibility = visibility_of(book, signal, source)
    public = visibility is Visibility.PUBLIC
    return Trial(
        playbook=book.id,
        title=books.fill(book.incident.title, spoken) or "Incident",
        severity=severity,
        phase=book.phase(signal) or Phase.INVESTIGATING,
        visibility=visibility,
        join_key=books.said(fields.pick(book.incident.join, spoken)),
        promise_minutes=book.promise_minutes.get(severity) if public else None,
        facts={name: value for name, (value, _) in books.facts(book, spoken, Moment.OPENED).items()},
        drafts=tuple(
            {
                "template": rule.template,
                "audience": rule.audience,
                "on": [m.value for m in rule.on],
                "preapproval": rule.preapproval,
                "send": rule.send,
            }
            for rule in book.draft
            if not rule.severities or severity in rule.severities
        ),
        tells=tuple(dict.fromkeys(name for rule in book.tell for name in rule.whom)),
    )


def act(ctx: Context, book: Playbook | None, happening: Happening) -> str:
    """Everything that is due, step by step; in one line what was done. What cannot be done is told in the timeline."""
    with ctx.ledger.read() as tx:
        incident = ledger_incidents.get(tx, happening.incident_id)
        over = signals.still_live(tx, incident.id) == 0
    if not incident.is_open:
        return "the incident is closed"
    done = list(_move(ctx, book, happening, incident, over))
    if book is not None:
        if happening.moment is Moment.OPENED:
            done += _promise(ctx, book, happening, incident)
        if happening.moment is not None and not (happening.moment is Moment.RESOLVED and not over):
            done += _believe(ctx, book, happening, incident, happening.moment)
            done += _draft(ctx, book, happening, happening.moment)
            done += _tell(ctx, book, happening, happening.moment)
    return "; ".join(done)


def _move(ctx: Context, book: Playbook | None, happening: Happening, incident: Incident, over: bool) -> Iterator[str]:
    """Severity rises, visibility narrows, the phase goes on; only what began again goes back."""
    signal = happening.signal
    severity = severity_of(book, happening.severity) if book else happening.severity
    visibility = visibility_of(book, signal, Visibility(happening.seen.get("source_visibility", "public")))
    phase = _phase(book, happening, incident, over)
    change = Change(
        severity=severity if signal.severity_raw and severity.rank < incident.severity.rank else None,
        visibility=visibility if _index(Visibility, visibility) > _index(Visibility, incident.visibility) else None,
        phase=phase,
        note=_note(happening),
    )
    if change != Change():
        incidents.update(ctx, PROGRAM, incident.ref, change)
    yield from (f"{name} {value}" for name, value in (("severity", change.severity), ("phase", phase)) if value)
    if over and signal.kind.ends and book is not None and book.incident.at_end == "close":
        try:
            incidents.close(ctx, PROGRAM, incident.ref, "The tool says that it is over.")
            yield "closed"
        except DispatcherError as error:
            yield _complain(ctx, happening, "close", error)


def _phase(book: Playbook | None, happening: Happening, incident: Incident, over: bool) -> Phase | None:
    wanted = book.phase(happening.signal) if book else books.PHASES.get(happening.signal.kind.value)
    if happening.moment is Moment.REOPENED:
        wanted = wanted if wanted and wanted is not Phase.RESOLVED else Phase.INVESTIGATING
        return wanted if wanted is not incident.phase else None
    if wanted is None or happening.moment is None or (happening.signal.kind.ends and not over):
        return None
    return wanted if _index(Phase, wanted) > _index(Phase, incident.phase) else None


def _index(words: Any, one: object) -> int:
    return list(words).index(one)


def _note(happening: Happening) -> str:
    """The tool's own words, as data: cleaned, cut, and said whose they are."""
    signal = happening.signal
    silent = happening.moment is None and not happening.fresh and signal.kind is not SignalKind.NOTED
    if silent and not signal.text:
        return ""
    words = signal.text if not happening.fresh and signal.text else signal.title
    told = f"{happening.place} {signal.external_ref} {signal.kind}".replace("  ", " ")
    link = f" {signal.url}" if happening.fresh and signal.url else ""
    return f"{told}: {' '.join(words.split())[:_NOTE]}{link}"


def _believe(ctx: Context, book: Playbook, happening: Happening, incident: Incident, moment: Moment) -> Iterator[str]:
    """Facts of the playbook, believed, where nobody has said anything yet."""
    there = {fact.name for fact in facts.list_facts(ctx, incident.ref)}
    wanted = books.facts(book, book.with_words(happening.seen), moment)
    for state in (FactState.BELIEVED, FactState.UNKNOWN):
        raw: dict[FactKey, object] = {
            (name, None): value for name, (value, said) in wanted.items() if said is state and name not in there
        }
        if not raw:
            continue
        telling = Telling(state=state, source=happening.place, as_of=happening.signal.occurred_at)
        yield from _set(ctx, happening, incident, raw, telling)


def _set(
    ctx: Context, happening: Happening, incident: Incident, raw: Mapping[FactKey, object], telling: Telling
) -> Iterator[str]:
    """All of them; where one is not fit, the others alone."""
    try:
        facts.set_facts(ctx, PROGRAM, incident.ref, raw, telling)
        yield f"facts {', '.join(sorted(name for name, _ in raw))}"
    except DispatcherError as error:
        if len(raw) == 1:
            yield _complain(ctx, happening, "facts", error)
            return
        for key, value in raw.items():
            yield from _set(ctx, happening, incident, {key: value}, telling)


def _promise(ctx: Context, book: Playbook, happening: Happening, incident: Incident) -> Iterator[str]:
    minutes = book.promise_minutes.get(incident.severity)
    if minutes is None or incident.next_update_at or incident.visibility is not Visibility.PUBLIC:
        return
    at = from_ms(to_ms(ctx.clock.now()) + minutes * 60_000)
    try:
        incidents.promise(ctx, PROGRAM, incident.ref, at)
        yield f"next word within {minutes} min"
    except DispatcherError as error:
        yield _complain(ctx, happening, "promise", error)


def _draft(ctx: Context, book: Playbook, happening: Happening, moment: Moment) -> Iterator[str]:
    with ctx.ledger.read() as tx:
        incident = ledger_incidents.get(tx, happening.incident_id)
    for number, rule in enumerate(book.draft):
        if moment not in rule.on or (rule.severities and incident.severity not in rule.severities):
            continue
        try:
            yield from _drafted(ctx, rule, happening, incident, f"{book.id}:{number}:{moment}")
        except DispatcherError as error:
            yield _complain(ctx, happening, f"draft {rule.template}", error)


def _drafted(ctx: Context, rule: DraftRule, happening: Happening, incident: Incident, name: str) -> Iterator[str]:
    """One draft per incident, rule and episode; an update has one of its own."""
    template = ctx.catalogue.get(rule.template)
    if incident.visibility is not Visibility.PUBLIC and template.purpose is not Purpose.STAFF:
        yield f"no draft of {rule.template}: the incident is {incident.visibility}"
        return
    which = happening.key if Moment.UPDATED in rule.on and name.endswith(Moment.UPDATED) else str(happening.episode)
    key = f"playbook:{incident.id}:{name}:{which}"
    if rule.preapproval:
        try:
            yield _preapproved(ctx, rule, incident, key)
            return
        except DispatcherError as error:  # beyond its limits: a draft for the ordinary approval
            yield _complain(ctx, happening, f"pre-approval {rule.preapproval}", error)
    yield _one_draft(ctx, rule, incident, template, key)


def _preapproved(ctx: Context, rule: DraftRule, incident: Incident, key: str) -> str:
    """The one way in which words reach the public on a signal: approved in peace, within the limits of that yes, sent
    where playbook and terms both say so, once, with the undo window; what a person took back is not sent again."""
    terms = preapproval.show(ctx, rule.preapproval).terms
    if terms.template != rule.template:
        raise Refused(f"{rule.preapproval} is for {terms.template}, not for {rule.template}.")
    use = Use(incident=incident.ref, channels=rule.channels, title=rule.title, request_key=key)
    made = preapproval.instance(ctx, PROGRAM, rule.preapproval, use)
    told = f"drafted {made.ref}, approved by pre-approval {rule.preapproval}"
    if not rule.send or made.state is not BroadcastState.APPROVED or _was_sent(ctx, made):
        return told
    sending.send_unattended(ctx, made.ref)
    return f"sent {made.ref} under pre-approval {rule.preapproval}"


def _was_sent(ctx: Context, made: Broadcast) -> bool:
    with ctx.ledger.read() as tx:
        return any(act.verb == "sent" for act in broadcasts.acts(tx, made.id))


def _one_draft(ctx: Context, rule: DraftRule, incident: Incident, template: Template, key: str) -> str:
    """A draft for the ordinary approval. Unnamed channels are those we can use."""
    made = drafting.draft(
        ctx,
        PROGRAM,
        Draft(
            template=rule.template,
            audience=rule.audience,
            channels=rule.channels or tuple(channel for channel in template.channels if ctx.on(channel)),
            accounts=rule.accounts,
            incident=incident.ref,
            title=rule.title or f"{template.title}: {incident.title}"[:200],
            request_key=key,
        ),
    )
    return f"drafted {made.ref}"


def _tell(ctx: Context, book: Playbook, happening: Happening, moment: Moment) -> Iterator[str]:
    """Our own people hear of it, once for each rule and moment; who they are is a line of the timeline."""
    with ctx.ledger.read() as tx:
        incident = ledger_incidents.get(tx, happening.incident_id)
    for number, rule in enumerate(book.tell):
        if moment not in rule.on:
            continue
        with ctx.ledger.read() as tx:
            people = staff.holders(tx, rule.whom)
        words = ", ".join(person.name for person in people) or f"nobody is {' or '.join(rule.whom)}"
        _line(ctx, happening, "to be told", words)
        which = happening.key if moment is Moment.UPDATED else str(happening.episode)
        staff.tell(ctx, people, _notice(happening, incident, f"{book.id}:{number}:{moment}:{which}"))
        yield f"tell {words}"


def _notice(happening: Happening, incident: Incident, occasion: str) -> staff.Notice:
    """What our people read: our words about the incident, and the tool's own said to be the tool's."""
    return staff.Notice(
        subject=f"{incident.ref} {incident.phase}: {incident.title}",
        text=f"Severity {incident.severity}. {_note(happening)}\nLook: dispatcher incident show {incident.ref}",
        key=f"playbook:{incident.id}:{occasion}",
        severity=incident.severity,
        mode=incident.mode,
        incident_id=incident.id,
    )


def _complain(ctx: Context, happening: Happening, step: str, error: DispatcherError) -> str:
    words = f"{step}: {error.what} {error.why}".strip()
    _line(ctx, happening, "playbook could not", words)
    return f"not {words}"


def _line(ctx: Context, happening: Happening, verb: str, detail: str) -> None:
    with ctx.ledger.write() as tx:
        broadcasts.note_act(
            tx, verb, to_ms(ctx.clock.now()), person_id=PROGRAM.id, door="signal",
            incident_id=happening.incident_id, detail=detail[:_NOTE],
        )  # fmt: skip


def describe(book: Playbook) -> Mapping[str, Sequence[str]]:
    """A playbook in a few words, for a list."""
    return {
        "when": [" ".join((*one.tools, *one.sources, one.match)).strip() or "any signal" for one in book.when],
        "drafts": [f"{rule.template} for {rule.audience or 'our accounts'}" for rule in book.draft],
        "tells": [name for rule in book.tell for name in rule.whom],
    }
