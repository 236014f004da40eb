"""PagerDuty, webhooks v3.

https://developer.pagerduty.com/docs/webhooks-overview and /docs/verifying-webhook-signatures (read 2026-11).
Oddities: several signatures in one header while a secret is rotated; no timestamp is signed; data is an incident, or
something that holds one (a status update, a note); priority may be null; answer within 5 s, any 4xx drops the event.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.intake import proof
from dispatcher.intake.reading import (
    an_object,
    first,
    identifier,
    items,
    labels,
    line,
    link,
    mapping,
    moment,
    names,
    prose,
    required_id,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {
    "incident.triggered": SignalKind.OPENED,
    "incident.acknowledged": SignalKind.ACKNOWLEDGED,
    "incident.unacknowledged": SignalKind.UPDATED,
    "incident.priority_updated": SignalKind.UPDATED,
    "incident.service_updated": SignalKind.UPDATED,
    "incident.incident_type.changed": SignalKind.UPDATED,
    "incident.status_update_published": SignalKind.STATUS_UPDATE,
    "incident.resolved": SignalKind.RESOLVED,
    "incident.reopened": SignalKind.REOPENED,
    "incident.annotated": SignalKind.NOTED,
    "incident.escalated": SignalKind.NOTED,
    "incident.delegated": SignalKind.NOTED,
    "incident.reassigned": SignalKind.NOTED,
    "incident.custom_field_values.updated": SignalKind.NOTED,
    "pagey.ping": SignalKind.TEST,
}


class PagerDuty(proof.ByKey):
    """Incidents of PagerDuty services."""

    name: ClassVar[str] = "pagerduty"
    title: ClassVar[str] = "PagerDuty webhooks v3"
    signs: ClassVar[str] = "X-PagerDuty-Signature: hex HMAC-SHA256 of the body, any of several."
    header: ClassVar[str] = "x-pagerduty-signature"

    def listed(self, value: str) -> Sequence[str]:
        """Every `v1=`; other versions are passed over."""
        return [one.strip()[3:] for one in value.split(",") if one.strip().startswith("v1=")]

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal. A resource that is no incident is ignored."""
        event = mapping(an_object(request.body).get("event"))
        kind = KINDS.get(word(event.get("event_type")), SignalKind.IGNORED)
        shared: dict[str, Any] = {
            "kind": kind,
            "word": word(event.get("event_type")),
            "delivery_id": identifier(first(event, "id") or request.headers.get("x-webhook-id")),
            "occurred_at": moment(event.get("occurred_at")),
        }
        if not kind.moves:
            return [Signal(external_id="", **shared)]
        return [_about(mapping(event.get("data")), shared)]


def _about(data: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    inner = mapping(data.get("incident"))
    incident = inner or data
    service = word(incident.get("service"))
    return Signal(
        **shared,
        external_id=required_id(incident.get("id")),
        external_ref=f"#{word(incident.get('number'))}" if word(incident.get("number")) else "",
        title=line(first(incident, "title", "summary")),
        text=prose(first(data, "message", "content")),
        severity_raw=word(incident.get("priority")) or word(incident.get("urgency")),
        phase_raw=word(incident.get("status")),
        services=(service,) if service else (),
        url=link(incident.get("html_url")),
        labels=labels(
            urgency=incident.get("urgency"),
            priority=word(incident.get("priority")),
            incident_type=mapping(incident.get("incident_type")).get("name"),
            teams=", ".join(names(items(incident.get("teams")))),
        ),
    )
