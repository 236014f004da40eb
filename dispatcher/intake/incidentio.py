"""incident.io, webhooks signed as Standard Webhooks.

https://docs.incident.io/api-reference/webhooks and https://www.standardwebhooks.com (read 2026-11).
Oddities: the payload stands under a key equal to the event type, one level deeper for a status update; order is not
guaranteed; a private incident sends its id only; the categories learning and closed mean that it is over.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.errors import BadSignature
from dispatcher.intake import proof
from dispatcher.intake.reading import (
    an_object,
    first,
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
from dispatcher.intake.tool import Secret
from dispatcher.model.event import WebhookRequest
from dispatcher.model.incident import Visibility
from dispatcher.model.signal import Signal, SignalKind

CATEGORIES: Mapping[str, SignalKind] = {
    "triage": SignalKind.UPDATED,
    "live": SignalKind.UPDATED,
    "paused": SignalKind.UPDATED,
    "learning": SignalKind.RESOLVED,
    "closed": SignalKind.RESOLVED,
    "declined": SignalKind.CANCELLED,
    "merged": SignalKind.CANCELLED,
    "canceled": SignalKind.CANCELLED,
}
MODES: Mapping[str, SignalKind] = {
    "test": SignalKind.TEST,
    "tutorial": SignalKind.TEST,
    "retrospective": SignalKind.IGNORED,
}
ALERTS: Mapping[str, SignalKind] = {
    "alert_created_v1": SignalKind.OPENED,
    "alert_resolved_v1": SignalKind.RESOLVED,
}
EVENTS = ("incident_created_v2", "incident_updated_v2", "incident_status_updated_v2")


class IncidentIo(proof.ByKey):
    """Incidents and alerts of incident.io."""

    name: ClassVar[str] = "incidentio"
    title: ClassVar[str] = "incident.io webhooks"
    signs: ClassVar[str] = "webhook-signature: base64 HMAC-SHA256 of `<id>.<unix>.<body>`, any of several."

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """Standard Webhooks: id, time and body are signed; any listed `v1,` may match."""
        number, stamp = (_header(request, part) for part in ("id", "timestamp"))
        signing = [_decoded(key) for key in proof.keys(secrets)]
        if not number:
            raise BadSignature("The id of the post is missing.")
        proof.require_fresh(stamp, request.received_at)
        listed = _header(request, "signature").split()
        shown = [one.partition(",")[2] for one in listed if one.startswith("v1,")]
        proof.require_base64(signing, f"{number}.{stamp}.".encode() + request.body, shown)

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal. An event type we do not know is ignored."""
        post = an_object(request.body)
        said = word(first(post, "event_type", "type"))
        scope, _, event = said.partition(".")
        told = mapping(post.get(said) or post.get("data"))
        told = mapping(told.get(said)) or told
        shared: dict[str, Any] = {"word": said, "delivery_id": identifier(_header(request, "id"))}
        if event in ALERTS:
            return [_alert(ALERTS[event], told, shared)]
        if event not in EVENTS:
            return [Signal(SignalKind.IGNORED, "", **shared)]
        return [_incident(event, told, scope == "private_incident", shared)]


def _header(request: WebhookRequest, part: str) -> str:
    return request.headers.get(f"webhook-{part}") or request.headers.get(f"svix-{part}") or ""


def _decoded(key: bytes) -> bytes:
    """A secret `whsec_...` holds its bytes in base64; any other is used as it stands."""
    if not key.startswith(b"whsec_"):
        return key
    try:
        return base64.b64decode(key.removeprefix(b"whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise BadSignature("The key kept for this source is not base64.") from None


def _alert(kind: SignalKind, alert: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    ended = first(alert, "resolved_at", "updated_at") if kind is SignalKind.RESOLVED else None
    return Signal(
        kind,
        "alert:" + required_id(alert.get("id")),
        **shared,
        title=line(alert.get("title")),
        text=prose(alert.get("description")),
        url=link(alert.get("source_url")),
        occurred_at=moment(ended or first(alert, "created_at", "updated_at")),
        labels=labels(deduplication_key=alert.get("deduplication_key")),
    )


def _incident(event: str, told: Mapping[str, Any], private: bool, shared: Mapping[str, Any]) -> Signal:
    incident = mapping(told.get("incident")) or told
    state = mapping(told.get("new_status")) or mapping(incident.get("incident_status"))
    category = word(state.get("category")).lower()
    kind = CATEGORIES.get(category, SignalKind.UPDATED)
    if event == "incident_created_v2" and not kind.ends:
        kind = SignalKind.OPENED
    elif word(told.get("message")) and kind is SignalKind.UPDATED:
        kind = SignalKind.STATUS_UPDATE
    kind = MODES.get(word(incident.get("mode")), kind)
    if not kind.moves:
        return Signal(kind, "", **shared)
    private = private or word(incident.get("visibility")).lower() == "private"
    return Signal(
        kind,
        required_id(incident.get("id")),
        **shared,
        external_ref=word(incident.get("reference")),
        title=line(incident.get("name")),
        text=prose(first(told, "message") or incident.get("summary")),
        severity_raw=word(mapping(incident.get("severity")).get("name")),
        phase_raw=word(state.get("name")),
        url=link(incident.get("permalink")),
        occurred_at=moment(first(incident, "updated_at", "created_at")),
        visibility=Visibility.PRIVATE if private else Visibility.PUBLIC,
        labels=labels(category=category, incident_type=mapping(incident.get("incident_type")).get("name")),
    )
