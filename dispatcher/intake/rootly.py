"""Rootly, webhooks.

https://docs.rootly.com/configuration/webhooks (read 2026-11).
Oddities: what is signed is the time followed by the body with nothing between; mitigated events carry no status;
timeline items say whether they are internal; severity is an object or missing.
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
    yes,
)
from dispatcher.intake.tool import Secret
from dispatcher.model.event import WebhookRequest
from dispatcher.model.incident import Visibility
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {
    "incident.created": SignalKind.OPENED,
    "incident.updated": SignalKind.UPDATED,
    "incident.mitigated": SignalKind.MITIGATED,
    "incident.resolved": SignalKind.RESOLVED,
    "incident.cancelled": SignalKind.CANCELLED,
    "incident.deleted": SignalKind.CANCELLED,
    "incident_event.created": SignalKind.NOTED,
    "incident_event.updated": SignalKind.NOTED,
    "alert.created": SignalKind.OPENED,
}
"""Maintenance (incident.scheduled.*) and pulses are no incidents."""
STATES: Mapping[str, SignalKind] = {
    "mitigated": SignalKind.MITIGATED,
    "resolved": SignalKind.RESOLVED,
    "closed": SignalKind.RESOLVED,
    "cancelled": SignalKind.CANCELLED,
}


class Rootly(proof.ByKey):
    """Incidents of Rootly."""

    name: ClassVar[str] = "rootly"
    title: ClassVar[str] = "Rootly webhooks"
    signs: ClassVar[str] = "X-Rootly-Signature: hex HMAC-SHA256 of `<unix><body>`, nothing between."

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """`t=<unix>,v1=<hex>`; any v1 may match."""
        pieces = [one.strip().partition("=") for one in request.headers.get("x-rootly-signature", "").split(",")]
        signing = proof.keys(secrets)
        stamp = next((value for name, _, value in pieces if name == "t"), "")
        proof.require_fresh(stamp, request.received_at)
        shown = [value for name, _, value in pieces if name == "v1"]
        proof.require_hex(signing, stamp.encode() + request.body, shown)

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal; an updated incident speaks by its status."""
        post = an_object(request.body)
        event, data = mapping(post.get("event")), mapping(post.get("data"))
        said = word(event.get("type") or post.get("event_type"))
        kind = KINDS.get(said, SignalKind.IGNORED)
        if kind is SignalKind.UPDATED:
            kind = STATES.get(word(data.get("status")).lower(), kind)
        if word(data.get("kind")).lower() in ("test", "test_sub"):
            kind = SignalKind.TEST
        shared: dict[str, Any] = {
            "word": said,
            "delivery_id": identifier(event.get("id") or post.get("event_id")),
            "occurred_at": moment(first(event, "issued_at") or first(data, "updated_at", "created_at")),
        }
        if not kind.moves:
            return [Signal(kind, "", **shared)]
        return [_item(data, shared) if kind is SignalKind.NOTED else _about(kind, data, shared)]


def _item(data: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    """A line of the timeline; one for everybody reads as a status update."""
    outward = word(data.get("visibility")).lower() == "external"
    return Signal(
        SignalKind.STATUS_UPDATE if outward else SignalKind.NOTED,
        required_id(mapping(data.get("incident")).get("id") or data.get("incident_id")),
        text=prose(first(data, "event", "text", "body")),
        **shared,
    )


def _about(kind: SignalKind, data: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    prefix = "alert:" if shared["word"].startswith("alert.") else ""
    named = [*items(data.get("services")), *items(data.get("functionalities"))]
    environments = names(items(data.get("environments")))
    return Signal(
        kind,
        prefix + required_id(data.get("id")),
        external_ref=f"#{word(data.get('sequential_id'))}" if word(data.get("sequential_id")) else "",
        title=line(data.get("title")),
        text=prose(data.get("summary")),
        severity_raw=word(data.get("severity")),
        phase_raw=word(data.get("status")),
        services=names(named),
        url=link(data.get("url")),
        visibility=Visibility.PRIVATE if yes(data.get("private")) else Visibility.PUBLIC,
        labels=labels(kind=data.get("kind"), environments=", ".join(environments)),
        **shared,
    )
