"""Better Stack (Better Uptime), outgoing webhook for incidents.

https://betterstack.com/docs/uptime/webhooks (read 2026-11).
Oddities: JSON:API envelope; no severity; documents no signature, so the token stands in a custom header or at the end
of the address.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import (
    an_object,
    identifier,
    labels,
    line,
    link,
    mapping,
    moment,
    prose,
    required_id,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {
    "started": SignalKind.OPENED,
    "acknowledged": SignalKind.ACKNOWLEDGED,
    "resolved": SignalKind.RESOLVED,
    "reopened": SignalKind.REOPENED,
}
_TIMES: Mapping[SignalKind, str] = {
    SignalKind.OPENED: "started_at",
    SignalKind.ACKNOWLEDGED: "acknowledged_at",
    SignalKind.RESOLVED: "resolved_at",
}


class BetterStack(ByToken):
    """Incidents of Better Stack monitors."""

    name: ClassVar[str] = "betterstack"
    title: ClassVar[str] = "Better Stack outgoing webhook"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal."""
        post = an_object(request.body)
        data = mapping(post.get("data"))
        said = word(post.get("event") or mapping(data.get("attributes")).get("status")).lower()
        kind = KINDS.get(said, SignalKind.IGNORED)
        if data.get("type", "incident") != "incident" or not kind.moves:
            return [Signal(SignalKind.IGNORED, "", said)]
        number = required_id(data.get("id"))
        return [_signal(kind, number, said, mapping(data.get("attributes")), data)]


def _signal(kind: SignalKind, number: str, said: str, told: Mapping[str, Any], data: Mapping[str, Any]) -> Signal:
    monitor = mapping(mapping(mapping(data.get("relationships")).get("monitor")).get("data"))
    name = line(told.get("name"))
    at = _at(kind, told)
    return Signal(
        kind,
        number,
        word=said,
        delivery_id=identifier(f"{number}:{said}:{at.isoformat()}") if at else "",
        title=name,
        text=prose(told.get("cause")),
        services=(name,) if name else (),
        url=link(told.get("origin_url")) or link(told.get("url")),
        occurred_at=at,
        labels=labels(monitor=monitor.get("id"), team=word(told.get("team_name"))),
    )


def _at(kind: SignalKind, told: Mapping[str, Any]) -> datetime | None:
    return moment(told.get(_TIMES.get(kind, "updated_at")))
