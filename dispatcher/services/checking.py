"""Everything that can be known before anybody is told: findings, sizes, segments, cost; and previews."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from dispatcher.compose.lint import rules as lint_rules
from dispatcher.compose.lint.checking import lint
from dispatcher.compose.rendering import compose, render
from dispatcher.errors import DispatcherError, Refused
from dispatcher.ledger import audiences, broadcasts, controls, measures
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Purpose
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Template
from dispatcher.services import briefing, measuring
from dispatcher.services.context import Context

SAME_AGAIN = timedelta(minutes=30)
LEVELS = ("error", "warning", "info")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know before sending. `level`: error blocks, warning wants a person, info tells."""

    code: str
    level: str
    what: str
    why: str = ""
    mend: str = ""
    channel: str = ""
    locale: str = ""
    words: str = ""
    line: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`; empty fields are left out."""
        told = {name: getattr(self, name) for name in self.__slots__}
        return {"severity": told.pop("level")} | {k: v for k, v in told.items() if v}


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """What one channel would do. `segments` over everybody on SMS; `eta` in seconds, None where no rate is set."""

    planned: int
    suppressed: int
    without_address: int
    requests: int
    accounts: tuple[str, ...]
    segments: int | None = None
    most_segments: int | None = None
    encoding: str | None = None
    cost: float | None = None
    eta: float | None = None
    weights: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """`audience_size` is what `send` wants typed."""

    ref: str
    mode: str
    findings: tuple[Finding, ...]
    audience_size: int
    channels: dict[str, ChannelPlan] = field(default_factory=dict)

    @property
    def blocked(self) -> bool:
        """Whether it may not go out like this."""
        return any(finding.level == "error" for finding in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """`broadcast check --json`."""
        return {
            "ref": self.ref,
            "mode": self.mode,
            "blocked": self.blocked,
            "findings": [finding.as_dict() for finding in self.findings],
            "audience_size": self.audience_size,
            "channels": {name: plan.as_dict() for name, plan in self.channels.items()},
        }


def check(ctx: Context, ref: str) -> CheckResult:
    """Every finding at once; changes nothing."""
    return _examine(ctx, ref)[0]


def passed(ctx: Context, ref: str) -> tuple[Broadcast, list[Rendition]]:
    """What was checked and found fit to be submitted: the broadcast and its renditions; else Refused."""
    result, broadcast, rendered = _examine(ctx, ref)
    blocking = [finding for finding in result.findings if finding.level == "error"]
    if blocking:
        raise Refused(
            f"{result.ref} may not go out like this: {blocking[0].what}",
            why=" ".join(f.what for f in blocking[1:]) or blocking[0].why,
            mend=[f.mend for f in blocking if f.mend] or f"dispatcher broadcast check {result.ref}",
            code=blocking[0].code,
        )
    return broadcast, rendered


def _examine(ctx: Context, ref: str) -> tuple[CheckResult, Broadcast, list[Rendition]]:
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        findings = _standing(ctx, tx, broadcast)
    try:
        template = ctx.catalogue.get(broadcast.template_id)
        with ctx.ledger.read() as tx:
            brief = briefing.brief(ctx, tx, broadcast, template)
        composed = compose(template, brief)
    except Refused as error:
        broken = Finding(error.code, "error", error.what, error.why, " ".join(error.mend))
        refused = CheckResult(broadcast.ref, broadcast.mode, (broken, *findings), broadcast.audience_size or 0)
        return refused, broadcast, []
    findings += [_linted(found) for found in lint(template, brief, composed)]
    rendered = briefing.sendable(broadcast, composed.renditions)
    with ctx.ledger.read() as tx:
        plans = _plans(ctx, tx, broadcast, template, rendered, findings)
        size = _people(tx, broadcast)
    if not size and any(channel.counts_people for channel in broadcast.plan.channels):
        why, mend = "Nobody has an address that is not suppressed.", "Choose another audience or other channels."
        findings.append(Finding("E-AUD-NONE", "error", "Nobody would be told.", why, mend))
    ordered = sorted(findings, key=lambda f: LEVELS.index(f.level))
    return CheckResult(broadcast.ref, broadcast.mode, tuple(ordered), size, plans), broadcast, rendered


def _linted(found: lint_rules.Finding) -> Finding:
    level = "error" if found.weight is lint_rules.Weight.BLOCK else "warning"
    place = f"{found.channel}/{found.part}" if found.part else found.channel
    return Finding(found.rule, level, found.what, found.why, found.mend, place, found.locale, found.words, found.line)


@dataclass(frozen=True, slots=True)
class Preview:
    """One message as one person gets it."""

    channel: str
    locale: str
    why: str
    recipient: int
    address: str
    parts: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def renditions_now(ctx: Context, ref: str) -> tuple[Broadcast, Template, list[Rendition]]:
    """What would be sent: the frozen renditions once submitted, else rendered from the draft as it stands."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        template = ctx.catalogue.get(broadcast.template_id)
        stored = list(broadcasts.renditions(tx, broadcast.id).values()) if broadcast.digest else []
        brief = briefing.brief(ctx, tx, broadcast, template)
    return broadcast, template, stored or briefing.sendable(broadcast, render(template, brief))


def preview(ctx: Context, ref: str, recipient: str | None = None) -> list[Preview]:
    """Every channel for one named recipient, or for those who show what can go wrong."""
    broadcast, template, rendered = renditions_now(ctx, ref)
    with ctx.ledger.read() as tx:
        chosen = _chosen(tx, broadcast, recipient)
        words = briefing.locales(tx, broadcast, template, rendered)
    previews = []
    for why, row in chosen:
        for one in rendered:
            reads = words.get(row.locale if row is not None else None, broadcast.plan.default_locale)
            if one.locale == reads and one.channel.counts_people:
                previews.append(measuring.preview_of(one, why, row, Preview))
    posts = [one for one in rendered if not one.channel.counts_people]
    previews += [measuring.preview_of(one, "our own accounts", None, Preview) for one in posts]
    return previews


def _chosen(tx: Tx, broadcast: Broadcast, recipient: str | None) -> list[tuple[str, Any]]:
    if broadcast.audience_version_id is None:
        return []
    if recipient is None:
        return list(measures.telling_recipients(tx, broadcast.audience_version_id))
    row = measures.one_recipient(tx, broadcast.audience_version_id, recipient)
    if row is None:
        raise Refused(
            "Nobody in this audience has that address.", mend="dispatcher audience show NAME lists a few.", code="E-AUD"
        )
    return [("as asked", row)]


def _standing(ctx: Context, tx: Tx, broadcast: Broadcast) -> list[Finding]:
    """Findings that need no words: gates, accounts, audience, the same message again."""
    findings = []
    gates = controls.gates(tx)
    for channel in broadcast.plan.channels:
        if channel in gates and gates[channel].frozen_at is not None:
            mend = f"dispatcher channel thaw {channel}, or draft without it."
            findings.append(Finding("E-FROZEN", "error", f"{channel} is frozen.", gates[channel].reason, mend, channel))
        for name in broadcast.plan.accounts.get(channel, ()):
            if name not in ctx.accounts:
                why = ctx.unusable.get(name, "It is not in the settings.")
                findings.append(
                    Finding("E-ACC", "error", f"The account {name} cannot be used.", why, "dispatcher doctor", channel)
                )
    findings += _audience_findings(tx, broadcast)
    since = to_ms(ctx.clock.now() - SAME_AGAIN)
    if same := measures.sent_lately(tx, broadcast.id, since):
        findings.append(
            Finding(
                "W-SAME", "warning", f"{same} said the same to the same people within 30 minutes.", "", "Look twice."
            )
        )
    return findings


def _audience_findings(tx: Tx, broadcast: Broadcast) -> list[Finding]:
    if broadcast.audience_version_id is None:
        return []
    mine = audiences.version(tx, broadcast.audience_version_id)
    try:
        newest = audiences.current(tx, mine.name)
    except DispatcherError:
        newest = mine
    if newest.id == mine.id:
        return []
    what = f"The audience {mine.name} has a newer version ({newest.number}); this uses version {mine.number}."
    return [Finding("W-OLD", "warning", what, mend="Draft anew to use the newer one.")]


def _people(tx: Tx, broadcast: Broadcast) -> int:
    if broadcast.audience_size is not None:
        return broadcast.audience_size
    if broadcast.audience_version_id is None:
        return 0
    channels = [channel for channel in broadcast.plan.channels if channel.counts_people]
    return measures.people(tx, broadcast.audience_version_id, channels, scope_of(broadcast.purpose))


def scope_of(purpose: Purpose) -> str:
    """Which narrower suppressions hold besides those for everything."""
    return "promotional" if purpose is Purpose.PROMOTIONAL else "all"


def _plans(
    ctx: Context,
    tx: Tx,
    broadcast: Broadcast,
    template: Template,
    rendered: Sequence[Rendition],
    findings: list[Finding],
) -> dict[str, ChannelPlan]:
    words = briefing.locales(tx, broadcast, template, rendered)
    plans = {}
    for channel in broadcast.plan.channels:
        measured = measuring.measure(tx, broadcast, channel, rendered, words)
        findings += [Finding(*told, channel=str(channel)) for told in measured.findings]
        plans[str(channel)] = _channel_plan(ctx, tx, broadcast, channel, measured)
    return plans


def _channel_plan(
    ctx: Context, tx: Tx, broadcast: Broadcast, channel: Channel, measured: measuring.Measured
) -> ChannelPlan:
    names = broadcast.plan.accounts.get(channel, ())
    accounts = [ctx.accounts[name] for name in names if name in ctx.accounts]
    if not channel.counts_people:
        planned, suppressed, without = len(names), 0, 0
    elif broadcast.audience_version_id is None:
        planned = suppressed = without = 0
    else:
        scope = scope_of(broadcast.purpose)
        planned, suppressed, without = measures.reach(tx, broadcast.audience_version_id, channel, scope)
    size = min([broadcast.plan.request_size[channel], *(a.provider.recipients_per_request for a in accounts)])
    going = planned - suppressed
    units = measured.segments if measured.segments is not None else going
    rate = sum(a.settings.per_second for a in accounts) if accounts else 0
    price = max((a.settings.unit_cost for a in accounts), default=0)
    return ChannelPlan(
        planned=planned,
        suppressed=suppressed,
        without_address=without,
        requests=-(-going // max(1, size)) * max(1, len(measured.weights)),
        accounts=names,
        segments=measured.segments,
        most_segments=measured.most_segments,
        encoding=measured.encoding,
        cost=round(units * price, 2) if price else None,
        eta=round(units / rate, 1) if rate else None,
        weights=measured.weights,
    )
