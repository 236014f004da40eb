"""Everything that can be known before anybody is told: findings, sizes, segments, cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dispatcher.compose.lint import rules as lint_rules
from dispatcher.compose.lint.checking import lint
from dispatcher.compose.rendering import Composed, compose
from dispatcher.errors import DispatcherError, Refused
from dispatcher.ledger import approvals, audiences, broadcasts, controls, documents, measures
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast, broadcast_id
from dispatcher.model.kinds import Channel
from dispatcher.model.rendition import Rendition
from dispatcher.model.template import Template
from dispatcher.services import (
    briefing,
    codes,
    consistency,
    frequency,
    marketing,
    measuring,
    novelty,
    readership,
    retracted,
    signatories,
    source,
    told_promise,
    touchpoints,
)
from dispatcher.services.context import Context
from dispatcher.services.findings import LEVELS, Finding, basis, marked


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
    """`audience_size` is what `send` wants typed; `basis` the mark of the text, empty where there is none."""

    ref: str
    mode: str
    findings: tuple[Finding, ...]
    audience_size: int
    channels: dict[str, ChannelPlan] = field(default_factory=dict)
    basis: str = ""

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


def passed(ctx: Context, ref: str) -> tuple[CheckResult, Broadcast, Composed]:
    """What was checked and found fit to be submitted: the findings, the broadcast and what it says; else Refused."""
    result, broadcast, composed = _examine(ctx, ref)
    blocking = [finding for finding in result.findings if finding.level == "error"]
    if blocking:
        raise Refused(
            f"{result.ref} may not go out like this: {blocking[0].what}",
            why=" ".join(f.what for f in blocking[1:]) or blocking[0].why,
            mend=[f.mend for f in blocking if f.mend] or f"dispatcher broadcast check {result.ref}",
            code=blocking[0].code,
        )
    return result, broadcast, composed


def _examine(ctx: Context, ref: str) -> tuple[CheckResult, Broadcast, Composed]:
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        source.require_own(broadcast)
        findings = _standing(ctx, tx, broadcast)
    try:
        template = ctx.catalogue.get(broadcast.template_id)
        with ctx.ledger.read() as tx:
            brief = briefing.brief(ctx, tx, broadcast, template)
        composed = compose(template, brief)
    except Refused as error:
        broken = Finding(error.code, "error", error.what, error.why, " ".join(error.mend))
        refused = CheckResult(broadcast.ref, broadcast.mode, (broken, *findings), broadcast.audience_size or 0)
        return refused, broadcast, Composed((), ())
    findings += [_linted(found) for found in lint(template, brief, composed)]
    findings += signatories.findings(ctx, broadcast, template)
    rendered = readership.sendable(broadcast, composed.renditions)
    with ctx.ledger.read() as tx:
        plans = _plans(ctx, tx, broadcast, template, rendered, findings)
        size = _people(ctx, tx, broadcast)
        findings += touchpoints.unused(ctx, tx, broadcast, template)
        findings += consistency.findings(tx, broadcast, composed)
        findings += [Finding("E-CODES", "error", *told) for told in codes.faults(tx, broadcast, rendered, size)]
    if not size and any(channel.counts_people for channel in broadcast.plan.channels):
        why, mend = "Nobody has an address that is not suppressed.", "Choose another audience or other channels."
        findings.append(Finding("E-AUD-NONE", "error", "Nobody would be told.", why, mend))
    mark = basis(template, brief)
    with ctx.ledger.read() as tx:
        findings = marked(findings, approvals.overrulings(tx, broadcast.id, mark))
    ordered = sorted(findings, key=lambda f: LEVELS.index(f.level))
    sent = replace(composed, renditions=tuple(rendered))
    return CheckResult(broadcast.ref, broadcast.mode, tuple(ordered), size, plans, mark), broadcast, sent


def _linted(found: lint_rules.Finding) -> Finding:
    level = "error" if found.weight is lint_rules.Weight.BLOCK else "warning"
    place = f"{found.channel}/{found.part}" if found.part else found.channel
    return Finding(found.rule, level, found.what, found.why, found.mend, place, found.locale, found.words, found.line)


def said_now(ctx: Context, tx: Tx, broadcast: Broadcast, template: Template) -> Composed:
    """What would be sent and published: what is frozen once submitted, else made from the draft as it stands."""
    if broadcast.is_frozen:
        frozen = broadcasts.renditions(tx, broadcast.id).values()
        return Composed(tuple(frozen), tuple(documents.of(tx, broadcast.id)))
    made = compose(template, briefing.brief(ctx, tx, broadcast, template))
    return replace(made, renditions=tuple(readership.sendable(broadcast, made.renditions)))


def renditions_now(ctx: Context, ref: str) -> tuple[Broadcast, Template, list[Rendition]]:
    """The broadcast, its template, and what of it would be sent."""
    with ctx.ledger.read() as tx:
        broadcast = broadcasts.get(tx, broadcast_id(ref))
        template = source.of(ctx, broadcast)
        return broadcast, template, list(said_now(ctx, tx, broadcast, template).renditions)


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
    findings += marketing.findings(ctx, tx, broadcast)
    findings += frequency.findings(ctx, tx, broadcast)
    findings += retracted.findings(ctx, tx, broadcast)
    findings += told_promise.findings(ctx, tx, broadcast)
    findings += novelty.again(ctx, tx, broadcast)
    findings += novelty.findings(ctx, tx, broadcast)
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


def _people(ctx: Context, tx: Tx, broadcast: Broadcast) -> int:
    if broadcast.audience_size is not None:
        return broadcast.audience_size
    if broadcast.audience_version_id is None:
        return 0
    channels = [channel for channel in broadcast.plan.channels if channel.counts_people]
    spared = marketing.sparing(ctx, tx, broadcast)
    return measures.people(tx, broadcast.audience_version_id, channels, marketing.scopes(broadcast.purpose), spared)


def _plans(
    ctx: Context,
    tx: Tx,
    broadcast: Broadcast,
    template: Template,
    rendered: Sequence[Rendition],
    findings: list[Finding],
) -> dict[str, ChannelPlan]:
    read = readership.readers(tx, broadcast, template)
    findings += _misread(tx, broadcast, read)
    plans = {}
    for channel in broadcast.plan.channels:
        spared = marketing.sparing(ctx, tx, broadcast)
        measured = measuring.measure(tx, broadcast, channel, rendered, read, spared)
        findings += [Finding(*told, channel=str(channel)) for told in measured.findings]
        plans[str(channel)] = _channel_plan(ctx, tx, broadcast, channel, measured)
    return plans


def _misread(tx: Tx, broadcast: Broadcast, read: readership.Readers) -> Iterator[Finding]:
    """Who gets another language than they asked for, because the template has no word of theirs."""
    for (asked, given), people in readership.misread(tx, broadcast, read).items():
        who = "1 person" if people == 1 else f"{people:,} people"
        what = f"{who} asked for {asked}, which the template does not speak: they get {given}."
        yield Finding("I-LANG", "info", what, "", f"Write its parts in {asked} too: email.{asked}.txt and so on.")


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
        scopes, spared = marketing.scopes(broadcast.purpose), marketing.sparing(ctx, tx, broadcast)
        planned, suppressed, without = measures.reach(tx, broadcast.audience_version_id, channel, scopes, spared)
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
