"""FireHydrant, webhooks.

https://docs.firehydrant.com/docs/webhooks (read 2026-11).
Oddities: the state is `current_milestone`, not the operation; CREATED is followed by an UPDATED for the same creation;
severity and priority are a string or an object with a slug; no time is signed; private incidents have a subscription
of their own.
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
    plain,
    prose,
    required_id,
    word,
    yes,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.incident import Visibility
from dispatcher.model.signal import Signal, SignalKind

MILESTONES: Mapping[str, SignalKind] = {
    "started": SignalKind.UPDATED,
    "detected": SignalKind.UPDATED,
    "acknowledged": SignalKind.ACKNOWLEDGED,
    "investigating": SignalKind.UPDATED,
    "identified": SignalKind.UPDATED,
    "mitigated": SignalKind.MITIGATED,
    "resolved": SignalKind.RESOLVED,
    "postmortem_started": SignalKind.RESOLVED,
    "postmortem_completed": SignalKind.RESOLVED,
    "retrospective_started": SignalKind.RESOLVED,
    "retrospective_completed": SignalKind.RESOLVED,
    "closed": SignalKind.RESOLVED,
}


class FireHydrant(proof.ByKey):
    """Incidents of FireHydrant."""

    name: ClassVar[str] = "firehydrant"
    title: ClassVar[str] = "FireHydrant webhooks"
    signs: ClassVar[str] = "fh-signature: hex HMAC-SHA256 of the body."
    header: ClassVar[str] = "fh-signature"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal; a resource that is no incident is ignored."""
        post = an_object(request.body)
        data = mapping(post.get("data"))
        event = mapping(post.get("event")) or data
        operation = word(event.get("operation")).upper()
        resource = word(event.get("resource_type")).lower()
        if resource not in ("incident", "private_incident") or operation not in ("CREATED", "UPDATED"):
            return [Signal(SignalKind.IGNORED, "", f"{resource} {operation}".strip())]
        return [_signal(mapping(data.get("incident")), operation, resource == "private_incident")]


def _signal(incident: Mapping[str, Any], operation: str, private: bool) -> Signal:
    milestone = word(incident.get("current_milestone")).lower()
    kind = MILESTONES.get(milestone, SignalKind.UPDATED)
    if operation == "CREATED" and kind is SignalKind.UPDATED:
        kind = SignalKind.OPENED
    number = required_id(incident.get("id"))
    changed = plain(first(incident, "updated_at", "last_note_at"))
    private = private or yes(incident.get("private")) or yes(incident.get("restricted"))
    return Signal(
        kind,
        number,
        word=f"{operation} {milestone}".strip(),
        delivery_id=identifier(f"{number}:{operation}:{milestone}:{changed}") if changed else "",
        external_ref=f"#{word(incident.get('number'))}" if word(incident.get("number")) else "",
        title=line(incident.get("name")),
        text=prose(first(incident, "customer_impact_summary", "summary", "description")),
        severity_raw=word(incident.get("severity")) or word(incident.get("priority")),
        phase_raw=milestone,
        services=names(items(incident.get("services")) or items(incident.get("impacts"))),
        url=link(first(incident, "incident_url", "private_status_page_url")),
        occurred_at=moment(first(incident, "updated_at", "created_at", "started_at")),
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        labels=labels(milestone=milestone, priority=word(incident.get("priority"))),
    )
