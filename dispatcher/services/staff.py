"""Word to our own people: a small broadcast of purpose `staff` in the same ledger, released at once.

It needs no approval and goes to nobody but persons of ours, each on the first channel that reaches them now: a frozen
channel or a paused account means the person's next one. Chat is a room of ours, which hears a notice once for all whom
nothing else reaches.
"""

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dispatcher.ledger import accounts, audiences, broadcasts, controls, planning
from dispatcher.ledger import people as ledger_people
from dispatcher.ledger.engine import Tx
from dispatcher.log import get
from dispatcher.model.broadcast import Plan
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Mode, Policy, Purpose, Severity
from dispatcher.model.person import Person
from dispatcher.model.rendition import Rendition
from dispatcher.model.states import BroadcastState, ControlState
from dispatcher.people import PROGRAM, Right, may
from dispatcher.services import hold
from dispatcher.services.context import Context

TEMPLATE = "staff-notice"
"""What stands in the ledger instead of a template: the words of a notice are made where it is needed."""
DRILL_MARK = "EXERCISE "
_SUBJECT, _TEXT_MESSAGE = 120, 300

log = get(__name__)


@dataclass(frozen=True, slots=True)
class Notice:
    """What our people are to read. `key` names the occasion: the same key never makes a second notice.

    `mode` None is the site's. `short` is for a text message; by default the subject, then the text as far as it goes.
    """

    subject: str
    text: str
    key: str = ""
    short: str = ""
    severity: Severity = Severity.MAJOR
    mode: Mode | None = None
    incident_id: int | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a notice: the broadcast that carries it, and whom nothing reaches now."""

    ref: str
    reached: Mapping[Channel, tuple[str, ...]]
    unreached: tuple[str, ...]

    @property
    def words(self) -> str:
        """In one line, as for a timeline."""
        ways = [f"{', '.join(names)} by {channel}" for channel, names in self.reached.items()]
        missed = [f"nothing reaches {', '.join(self.unreached)}"] if self.unreached else []
        return "; ".join([*ways, *missed]) or "nobody"


@dataclass(frozen=True, slots=True)
class Small:
    """A broadcast to our own people, ready to be planned. `lines` are the audience, `rooms` accounts by channel."""

    title: str
    template_id: str
    severity: Severity
    mode: Mode
    plan: Plan
    rendered: Sequence[Rendition]
    audience: str
    lines: Sequence[audiences.Line]
    fields: Sequence[str] = ()
    incident_id: int | None = None
    author_id: int = 0
    more: Mapping[str, object] = field(default_factory=dict)


def tell(ctx: Context, people: Iterable[Person], notice: Notice) -> Told | None:
    """Tell these persons now; None where this occasion has been told already, or nobody is named."""
    hold.guard(ctx)
    with ctx.ledger.write() as tx:
        told = tell_in(tx, ctx, people, notice)
    if told is not None:
        ring(ctx, told)
    return told


def tell_in(tx: Tx, ctx: Context, people: Iterable[Person], notice: Notice) -> Told | None:
    """The same inside a transaction of the caller's, who rings afterwards (`ring`); the tick does in any case.

    `hold.guard` comes before that transaction: the anchor stands before anything is released.
    """
    wanted = list(dict.fromkeys(person for person in people if person.active))
    key = f"staff:{notice.key}" if notice.key else None
    if not wanted or (key and broadcasts.by_request_key(tx, key)):
        return None
    mode = notice.mode or ctx.settings.mode
    ways = _ways(tx, ctx, mode)
    chosen = {person: _way(person, ways) for person in wanted}
    reached = {c: [p for p, way in chosen.items() if way is c] for c in ways}
    reached = {channel: persons for channel, persons in reached.items() if persons}
    lost = tuple(person.name for person, way in chosen.items() if way is None)
    if lost:
        log.error("staff_unreachable", people=len(lost), notice=notice.subject)
    if not reached:
        _note(tx, ctx, notice, None, f"nothing reaches {', '.join(lost)}: {notice.subject}")
        return Told("", {}, lost)
    made = _release(tx, ctx, notice, mode, reached, ways, key)
    told = Told(f"B-{made}", {c: tuple(p.name for p in some) for c, some in reached.items()}, lost)
    _note(tx, ctx, notice, made, f"{told.words}: {notice.subject}")
    return told


def ring(ctx: Context, told: Told) -> None:
    """Wake the workers of the channels that a notice uses."""
    for channel in told.reached:
        ctx.doorbell.ring(channel)


def holders(tx: Tx, words: Collection[str]) -> list[Person]:
    """Active persons who are called, hold the role, or sign at the level that one of the words names."""
    wanted = {word.casefold() for word in words}
    everybody = ledger_people.active(tx)
    return [p for p in everybody if {p.name.casefold(), p.level.value, *(r.value for r in p.roles)} & wanted]


def who_may(tx: Tx, right: Right) -> list[Person]:
    """Active persons with a right: operators by Right.SEND, approvers by Right.APPROVE."""
    return [person for person in ledger_people.active(tx) if may(person, right)]


def place(tx: Tx, small: Small, now: int, *, listed: bool = True) -> int:
    """Plan and release a small broadcast to our own people; its id. Nothing of it needs approval.

    `listed`: its audience is shown among the others.
    """
    version = audiences.open_version(
        tx, small.audience, fields=small.fields, source="staff", region="", imported_by=small.author_id or None, now=now
    )
    audiences.fill(tx, version.id, small.lines)
    if not listed:
        audiences.remove(tx, small.audience, now)
    made = broadcasts.add(tx, _row(small, version.id, now))
    ids = broadcasts.replace_renditions(tx, made, small.rendered)
    next_no = 0
    for channel in small.plan.channels:
        controls.add(
            tx, made, channel, rank=small.severity.rank, policy=small.plan.policy[channel], scope="all",
            changed_at=now, request_size=small.plan.request_size[channel],
        )  # fmt: skip
        rendition = ids.get((channel, small.plan.default_locale, "")) or next(
            i for k, i in ids.items() if k[0] == channel
        )
        if channel.counts_people:
            group = planning.Group(channel, rendition, (None,))
            next_no = planning.expand(tx, made, version.id, ["all"], group, next_no)
        else:
            rooms = small.plan.accounts[channel]
            next_no = planning.expand_accounts(tx, made, channel, rendition, rooms, next_no)
    until = now + small.plan.expires_after * 1000
    controls.move(tx, made, ControlState.RELEASED, now, release_at=now, expires_at=until)
    return made


def _row(small: Small, version_id: int, now: int) -> dict[str, object]:
    return {
        "incident_id": small.incident_id,
        "template_id": small.template_id,
        "title": small.title,
        "purpose": Purpose.STAFF,
        "severity": small.severity,
        "mode": small.mode,
        "state": BroadcastState.RELEASED,
        "version": 1,
        "audience_version_id": version_id,
        "facts": "[]",
        "plan": broadcasts.canonical(small.plan.as_dict()),
        "code": f"T{secrets.token_hex(6)}",
        "nonce": secrets.token_hex(8),
        "author_id": small.author_id,
        "created_at": now,
        "submitted_at": now,
        "release_at": now,
        "expires_at": now + small.plan.expires_after * 1000,
        **small.more,
    }


def _ways(tx: Tx, ctx: Context, mode: Mode) -> dict[Channel, tuple[str, ...]]:
    """Accounts by channel that can carry a notice now, in the order in which people are told."""
    gates, states = controls.gates(tx), accounts.states(tx)
    frozen = {name for name, gate in gates.items() if gate.frozen_at is not None}
    ways = {}
    for channel in map(Channel, ctx.settings.staff.channels):
        usable = tuple(
            one.name
            for one in ctx.on(channel)
            if one.settings.enabled
            and (one.is_loopback or mode is not Mode.DRILL)
            and (one.name not in states or states[one.name].state != accounts.PAUSED)
        )
        if usable and channel not in frozen:
            ways[channel] = usable
    return ways


def _way(person: Person, ways: Collection[Channel]) -> Channel | None:
    reach = {Channel.EMAIL: bool(person.email), Channel.SMS: bool(person.phone), Channel.CHAT: True}
    return next((channel for channel in ways if reach[channel]), None)


def _release(
    tx: Tx,
    ctx: Context,
    notice: Notice,
    mode: Mode,
    reached: Mapping[Channel, Sequence[Person]],
    ways: Mapping[Channel, tuple[str, ...]],
    key: str | None,
) -> int:
    channels = tuple(reached)
    dispatch, locale = ctx.settings.dispatch, ctx.settings.organisation.locale
    plan = Plan(
        channels=channels,
        accounts={channel: ways[channel] for channel in channels},
        request_size={channel: dispatch.recipients_per_request(channel, notice.severity) for channel in channels},
        expires_after=int(ctx.settings.staff.expires_minutes * 60),
        policy=dict.fromkeys(channels, Policy.AT_MOST_ONCE),
        default_locale=locale,
    )
    rendered = [_said(notice, mode, channel, locale, reached[channel]) for channel in channels]
    lines: list[audiences.Line] = [
        (rid, p.email if channel is Channel.EMAIL else None, p.phone if channel is Channel.SMS else None, None, "{}")
        for rid, (channel, p) in enumerate(((c, p) for c in channels for p in reached[c]), start=1)
    ]
    small = Small(
        title=notice.subject[:200], template_id=TEMPLATE, severity=notice.severity, mode=mode, plan=plan,
        rendered=rendered, audience=f"staff notice {secrets.token_hex(6)}", lines=lines,
        incident_id=notice.incident_id, author_id=PROGRAM.id, more={"request_key": key, "relation": "notice"},
    )  # fmt: skip
    return place(tx, small, to_ms(ctx.clock.now()), listed=False)


def _said(notice: Notice, mode: Mode, channel: Channel, locale: str, persons: Sequence[Person]) -> Rendition:
    mark = DRILL_MARK if mode is Mode.DRILL else ""
    subject = mark + " ".join(notice.subject.split())[:_SUBJECT]
    if channel is Channel.EMAIL:
        return Rendition(channel, locale, "", {"subject": subject, "text": f"{mark}{notice.text}\n"})
    if channel is Channel.SMS:
        short = notice.short or f"{notice.subject}. {notice.text}"
        return Rendition(channel, locale, "", {"text": mark + " ".join(short.split())[:_TEXT_MESSAGE]})
    names = ", ".join(person.name for person in persons)
    return Rendition(channel, locale, "", {"text": f"{subject}\nFor {names}.\n{notice.text}"})


def _note(tx: Tx, ctx: Context, notice: Notice, made: int | None, detail: str) -> None:
    broadcasts.note_act(
        tx, "staff told" if made else "staff not told", to_ms(ctx.clock.now()), door="program", broadcast_id=made,
        incident_id=notice.incident_id, detail=detail[:500],
    )  # fmt: skip
