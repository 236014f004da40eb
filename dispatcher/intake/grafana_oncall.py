"""Grafana OnCall, outgoing webhook with "Forward all".

https://grafana.com/docs/oncall/latest/configure/integrations/outgoing-webhooks (read 2026-11).
Oddities: signs nothing; wants its answer within 4 s; `alert_payload` is the first alert as it came and still says
firing on a resolve, so only `event.type` and `alert_group.state` count.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import (
    an_object,
    first,
    identifier,
    label_map,
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
    "alert group created": SignalKind.OPENED,
    "trigger": SignalKind.OPENED,
    "firing": SignalKind.OPENED,
    "escalation": SignalKind.NOTED,
    "personal notification": SignalKind.NOTED,
    "acknowledge": SignalKind.ACKNOWLEDGED,
    "unacknowledge": SignalKind.UPDATED,
    "resolve": SignalKind.RESOLVED,
    "unresolve": SignalKind.REOPENED,
    "silence": SignalKind.NOTED,
    "unsilence": SignalKind.NOTED,
}
STATES: Mapping[str, SignalKind] = {
    "firing": SignalKind.OPENED,
    "new": SignalKind.OPENED,
    "acknowledged": SignalKind.ACKNOWLEDGED,
    "resolved": SignalKind.RESOLVED,
    "silenced": SignalKind.NOTED,
}


class GrafanaOnCall(ByToken):
    """Alert groups of Grafana OnCall."""

    name: ClassVar[str] = "grafana_oncall"
    title: ClassVar[str] = "Grafana OnCall outgoing webhook"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal."""
        post = an_object(request.body)
        event, group = mapping(post.get("event")), mapping(post.get("alert_group"))
        said = word(event.get("type")).lower().replace("_", " ")
        state = word(group.get("state")).lower()
        kind = STATES.get(state, SignalKind.IGNORED) if said == "status change" else KINDS.get(said, SignalKind.IGNORED)
        if not kind.moves:
            return [Signal(kind, "", said)]
        number = required_id(first(post, "alert_group_id") or group.get("id"))
        return [self._signal(kind, number, said, post)]

    def _signal(self, kind: SignalKind, number: str, said: str, post: Mapping[str, Any]) -> Signal:
        event, group = mapping(post.get("event")), mapping(post.get("alert_group"))
        alert = mapping(post.get("alert_payload"))
        labels = label_map(alert.get("labels")) | label_map(group.get("labels"))
        service = labels.get("service") or word(mapping(post.get("integration")).get("name"))
        at = word(event.get("time"))
        return Signal(
            kind,
            number,
            word=said,
            delivery_id=identifier(f"{number}:{said}:{at}") if at else "",
            title=line(group.get("title")),
            text=prose(mapping(alert.get("annotations")).get("description")),
            severity_raw=labels.get("severity") or labels.get("priority") or labels.get("urgency") or "",
            services=(service,) if service else (),
            url=link(mapping(group.get("permalinks")).get("web")),
            occurred_at=moment(event.get("time")),
            labels=labels,
        )
