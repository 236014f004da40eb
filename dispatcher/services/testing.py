"""A test send: the same words, marked, to addresses of our own people, as a small broadcast in the same ledger.

It is a broadcast of purpose `staff`: no approval, no public channel, counted and shown like any other.
"""

import json
import re
import secrets
from collections.abc import Sequence
from dataclasses import replace

from dispatcher.channels import media
from dispatcher.errors import Refused
from dispatcher.ledger import audiences, broadcasts, controls, measures, people, planning
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy, Purpose
from dispatcher.model.person import Person
from dispatcher.model.rendition import Rendition
from dispatcher.model.states import BroadcastState, ControlState
from dispatcher.people import Right, require
from dispatcher.services import checking
from dispatcher.services.context import Context

MARK = "[TEST]"
EXPIRES_SECONDS = 3600
_BODY = re.compile(r"(<body\b[^>]*>)", re.IGNORECASE)


def send_test(ctx: Context, actor: Person, ref: str, to: Sequence[str]) -> list[dict[str, str]]:
    """Send the message as it stands to these addresses; per address what was queued, and as which broadcast."""
    require(actor, Right.TEST)
    broadcast, _, rendered = checking.renditions_now(ctx, ref)
    wanted = _addresses(ctx, broadcast, to)
    chosen = [one for one in rendered if one.channel in {channel for channel, _ in wanted}]
    now = to_ms(ctx.clock.now())
    with ctx.ledger.write() as tx:
        made = _plan(tx, actor, broadcast, wanted, [_marked(one) for one in chosen], now)
        broadcasts.note_act(
            tx, "test sent", now, person_id=actor.id, broadcast_id=broadcast.id, detail=f"{len(wanted)} as B-{made}"
        )
    for channel in {channel for channel, _ in wanted}:
        ctx.doorbell.ring(channel)
    return [{"to": address, "channel": channel, "outcome": f"queued as B-{made}"} for channel, address in wanted]


def _addresses(ctx: Context, broadcast: Broadcast, to: Sequence[str]) -> list[tuple[Channel, str]]:
    """Canonical addresses by channel; each must be one of our own people's."""
    with ctx.ledger.read() as tx:
        ours = {address for person in people.active(tx) for address in (person.email, person.phone) if address}
    found = []
    for raw in to:
        channel = Channel.EMAIL if "@" in raw else Channel.SMS
        address = media.canonical(channel, raw, ctx.settings.region)
        if address not in ours:
            raise Refused(
                f"{raw} is not the address of one of us.",
                why="A test goes to our own people only.",
                mend="dispatcher person add NAME --email ... or --phone ...",
            )
        if channel not in broadcast.plan.channels:
            raise Refused(f"{broadcast.ref} has no words for {channel}.", mend="Test a channel that it uses.")
        found.append((channel, address))
    return found


def _marked(one: Rendition) -> Rendition:
    return replace(one, parts={name: _mark(name, text) for name, text in one.parts.items()})


def _mark(name: str, text: str) -> str:
    if name != "html":
        return f"{MARK} {text}"
    note = f"<p><strong>{MARK}</strong></p>"
    return _BODY.sub(lambda found: found[1] + note, text, count=1) if _BODY.search(text) else note + text


def _plan(
    tx: Tx,
    actor: Person,
    origin: Broadcast,
    wanted: Sequence[tuple[Channel, str]],
    rendered: Sequence[Rendition],
    now: int,
) -> int:
    version = _version(tx, actor, origin, wanted, now)
    channels = tuple(dict.fromkeys(channel for channel, _ in wanted))
    plan = replace(
        origin.plan, channels=channels, fallback=(), expires_after=EXPIRES_SECONDS,
        policy=dict.fromkeys(channels, Policy.AT_MOST_ONCE),
    )  # fmt: skip
    made = broadcasts.add(tx, _row(actor, origin, version, broadcasts.canonical(plan.as_dict()), now))
    ids = broadcasts.replace_renditions(tx, made, rendered)
    next_no = 0
    for channel in channels:
        controls.add(
            tx, made, channel, rank=origin.severity.rank, policy=Policy.AT_MOST_ONCE, scope="all", changed_at=now,
            request_size=plan.request_size[channel],
        )  # fmt: skip
        locale = plan.default_locale
        rendition = ids.get((channel, locale, "")) or next(i for key, i in ids.items() if key[0] == channel)
        next_no = planning.expand(tx, made, version, ["all"], planning.Group(channel, rendition, (None,)), next_no)
    until = now + EXPIRES_SECONDS * 1000
    controls.move(tx, made, ControlState.RELEASED, now, release_at=now, expires_at=until)
    return made


def _version(tx: Tx, actor: Person, origin: Broadcast, wanted: Sequence[tuple[Channel, str]], now: int) -> int:
    """An audience of our own people, with a recipient's values so that the slots show something real."""
    values: dict[str, str] = {}
    if origin.audience_version_id is not None:
        sample = measures.telling_recipients(tx, origin.audience_version_id)
        values = json.loads(sample[0][1].fields or "{}") if sample else {}
    fields = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    lines = [
        (rid, address if channel is Channel.EMAIL else None, address if channel is Channel.SMS else None, None, fields)
        for rid, (channel, address) in enumerate(wanted, start=1)
    ]
    made = audiences.open_version(
        tx, f"test of {origin.ref}", fields=sorted(values), source="test", region="", imported_by=actor.id, now=now
    )
    audiences.fill(tx, made.id, lines)
    return made.id


def _row(actor: Person, origin: Broadcast, version: int, plan: str, now: int) -> dict[str, object]:
    return {
        "incident_id": origin.incident_id,
        "template_id": origin.template_id,
        "title": f"Test of {origin.ref}: {origin.title}",
        "purpose": Purpose.STAFF,
        "severity": origin.severity,
        "mode": origin.mode,
        "state": BroadcastState.RELEASED,
        "version": 1,
        "audience_version_id": version,
        "facts": "[]",
        "plan": plan,
        "code": f"T{secrets.token_hex(6)}",
        "nonce": secrets.token_hex(8),
        "author_id": actor.id,
        "created_at": now,
        "submitted_at": now,
        "release_at": now,
        "expires_at": now + EXPIRES_SECONDS * 1000,
        "origin_id": origin.id,
        "relation": "test",
    }
