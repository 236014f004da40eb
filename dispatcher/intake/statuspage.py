"""Atlassian Statuspage, webhook subscription: a supplier's page, or our own.

https://support.atlassian.com/statuspage/docs/enable-webhook-notifications (read 2026-11).
Oddities: signs nothing and sends no header of ours, so the token stands at the end of the address; updates are listed
newest first; a component change comes without an incident; planned maintenance uses the same shape.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.intake.proof import ByToken
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
    unreadable,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {
    "investigating": SignalKind.OPENED,
    "identified": SignalKind.UPDATED,
    "monitoring": SignalKind.MITIGATED,
    "resolved": SignalKind.RESOLVED,
    "postmortem": SignalKind.NOTED,
}
"""Maintenance (scheduled, in_progress, verifying, completed) is no incident."""
COMPONENT_KINDS: Mapping[str, SignalKind] = {
    "operational": SignalKind.RESOLVED,
    "degraded_performance": SignalKind.OPENED,
    "partial_outage": SignalKind.OPENED,
    "major_outage": SignalKind.OPENED,
}
COMPONENT_SEVERITY: Mapping[str, str] = {
    "degraded_performance": "minor", "partial_outage": "major", "major_outage": "critical",
}  # fmt: skip


class Statuspage(ByToken):
    """Incidents and components of a page."""

    name: ClassVar[str] = "statuspage"
    title: ClassVar[str] = "Statuspage webhook subscription"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal: about an incident, or about a component."""
        post = an_object(request.body)
        if mapping(post.get("incident")):
            return [_incident(mapping(post.get("incident")), word(mapping(post.get("page")).get("id")))]
        if mapping(post.get("component_update")):
            return [_component(mapping(post.get("component_update")), mapping(post.get("component")))]
        if "page" in post or "meta" in post:
            return [Signal(SignalKind.IGNORED, "")]
        raise unreadable("The post is about neither an incident nor a component.")


def _incident(incident: Mapping[str, Any], page: str) -> Signal:
    state = word(incident.get("status")).lower()
    kind = KINDS.get(state, SignalKind.IGNORED)
    if not kind.moves:
        return Signal(kind, "", state)
    update = mapping(next(iter(items(incident.get("incident_updates"))), None))
    changed = word(first(update, "updated_at", "created_at") or incident.get("updated_at"))
    affected = (one for one in items(incident.get("components")) if isinstance(one, dict))
    return Signal(
        kind,
        required_id(incident.get("id")),
        word=state,
        delivery_id=identifier(f"{word(update.get('id'))}:{state}:{changed}") if changed else "",
        title=line(incident.get("name")),
        text=prose(update.get("body")),
        severity_raw=word(incident.get("impact")),
        phase_raw=state,
        services=names(list(affected)),
        url=link(incident.get("shortlink")),
        occurred_at=moment(first(incident, "updated_at", "created_at")),
        labels=labels(impact=incident.get("impact"), page=page),
    )


def _component(update: Mapping[str, Any], component: Mapping[str, Any]) -> Signal:
    state = word(update.get("new_status")).lower()
    kind = COMPONENT_KINDS.get(state, SignalKind.IGNORED)
    if not kind.moves:
        return Signal(kind, "", state)
    name = line(component.get("name"))
    return Signal(
        kind,
        "component:" + required_id(update.get("component_id") or component.get("id")),
        word=state,
        delivery_id=identifier(update.get("id")),
        title=line(f"{name or 'Component'}: {state.replace('_', ' ')}"),
        severity_raw=COMPONENT_SEVERITY.get(state, ""),
        services=(name,) if name else (),
        occurred_at=moment(first(update, "created_at", "updated_at")),
        labels=labels(old_state=update.get("old_status"), new_state=state),
    )
