"""A test send: the same words, marked, to addresses of our own people, as a small broadcast in the same ledger.

It is a broadcast of purpose `staff`: no approval, no public channel, counted and shown like any other.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace

from dispatcher.channels import media
from dispatcher.errors import Refused
from dispatcher.ledger import broadcasts, measures, people
from dispatcher.ledger.audiences import Line
from dispatcher.ledger.engine import Tx
from dispatcher.model.broadcast import Broadcast
from dispatcher.model.clock import to_ms
from dispatcher.model.kinds import Channel, Policy
from dispatcher.model.person import Person
from dispatcher.model.rendition import Rendition
from dispatcher.people import Right, require
from dispatcher.services import checking, codes, marketing, staff
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
        made = _plan(ctx, tx, actor, broadcast, wanted, [_marked(one) for one in chosen], now)
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
    ctx: Context,
    tx: Tx,
    actor: Person,
    origin: Broadcast,
    wanted: Sequence[tuple[Channel, str]],
    rendered: Sequence[Rendition],
    now: int,
) -> int:
    """The same words as a small broadcast to our own people, with a recipient's values so that slots show something."""
    values: dict[str, str] = {}
    if origin.audience_version_id is not None:
        sample = measures.telling_recipients(tx, origin.audience_version_id, marketing.sparing(ctx, tx, origin))
        values = json.loads(sample[0][1].fields or "{}") if sample else {}
    values |= codes.sample(tx, origin)
    fields = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    lines: list[Line] = [
        (rid, address if channel is Channel.EMAIL else None, address if channel is Channel.SMS else None, None, fields)
        for rid, (channel, address) in enumerate(wanted, start=1)
    ]
    channels = tuple(dict.fromkeys(channel for channel, _ in wanted))
    plan = replace(
        origin.plan, channels=channels, fallback=(), expires_after=EXPIRES_SECONDS, codes="",
        policy=dict.fromkeys(channels, Policy.AT_MOST_ONCE),
    )  # fmt: skip
    small = staff.Small(
        title=f"Test of {origin.ref}: {origin.title}", template_id=origin.template_id, severity=origin.severity,
        mode=origin.mode, plan=plan, rendered=rendered, audience=f"test of {origin.ref}", lines=lines,
        fields=sorted(values), incident_id=origin.incident_id, author_id=actor.id,
        more={"origin_id": origin.id, "relation": "test"},
    )  # fmt: skip
    return staff.place(tx, small, now)
