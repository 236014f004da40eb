"""CloudEvents 1.0 over HTTP: structured, batched and binary, with the handshake of its webhook specification.

https://github.com/cloudevents/spec (formats/json-format.md, http-protocol-binding.md, http-webhook.md at v1.0.2; read
2026-11). Oddities: `type` is by agreement, so its last word or `kinds` of the source decides; data may be base64; the
sender may ask first with OPTIONS; a token may come as `?access_token=`, though a header is better.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field

from dispatcher.intake import fields, proof
from dispatcher.intake.fields import Path
from dispatcher.intake.reading import Unreadable, identifier, plain, unreadable
from dispatcher.intake.reading import payload as read_payload
from dispatcher.intake.tool import Secret, SecretForm, ToolSettings
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

MOST = 100
"""Events in one batch."""
_ANYWHERE = "data.incident.{0} || data.{0}"
FIELDS: Mapping[str, str] = {
    "external_id": "data.incident.id || data.incident_id || data.id || subject || source",
    "kind": "type",
    "title": "data.incident.title || data.title || data.name || subject || type",
    "text": "data.text || data.description || data.message || data.summary",
    "severity": "severity || " + _ANYWHERE.format("severity") + " || data.priority",
    "phase": "data.phase",
    "services": "data.services || data.service",
    "regions": "data.regions || data.region",
    "url": "data.url || data.link",
    "occurred_at": "time",
    "external_ref": "data.reference",
    "private": "data.private",
    "labels": "data.labels",
}


class CloudEventsSettings(ToolSettings):
    """`fields` says by JMESPath where things stand in an event; `kinds` maps its types to ours."""

    fields: dict[str, Path] = Field(default_factory=dict)
    kinds: dict[str, SignalKind] = Field(default_factory=dict)


class UnknownFormat(Unreadable):
    """An event format that we do not read."""

    default_code = "E-SIGNAL-FORM"


class CloudEvents:
    """Events of whoever speaks CloudEvents."""

    name: ClassVar[str] = "cloudevents"
    title: ClassVar[str] = "CloudEvents 1.0 over HTTP"
    signs: ClassVar[str] = "The specification signs nothing. A bearer token or ?access_token= proves a post."
    forms: ClassVar[tuple[SecretForm, ...]] = (SecretForm.TOKEN,)
    Settings: ClassVar[type[ToolSettings]] = CloudEventsSettings

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings if isinstance(settings, CloudEventsSettings) else CloudEventsSettings()

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """A token in the header, at the end of the address, or in its query."""
        given = parse_qs(urlsplit(request.url).query).get("access_token", [])
        if len(given) == 1 and "authorization" not in request.headers:
            request = replace(request, headers={"authorization": f"Bearer {given[0]}"})
        proof.require_token(request, secrets, self.settings.token_header)

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal for each event, each judged alone."""
        where = {**FIELDS, **self.settings.fields}
        return [self._signal(event, where) for event in _events(request)]

    def greet(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """The origin that asked may post; how much is `per_second` of the source, told per minute."""
        origin = headers.get("webhook-request-origin", "")
        if not origin or not origin.isprintable() or len(origin) > 253:
            return {}
        return {
            "WebHook-Allowed-Origin": origin,
            "WebHook-Allowed-Rate": str(int(self.settings.per_second * 60)),
            "Allow": "OPTIONS, POST",
        }

    def _signal(self, event: Mapping[str, Any], where: Mapping[str, str]) -> Signal:
        found = fields.signal(_opened(event), where, self.settings.kinds, self.settings.time_zone)
        delivery = identifier(f"{plain(event.get('source'))}\n{plain(event.get('id'))}")
        return replace(found, delivery_id=delivery)


def _events(request: WebhookRequest) -> list[Mapping[str, Any]]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind.startswith("application/cloudevents") and not kind.endswith("+json"):
        raise UnknownFormat("The event format is not JSON.", mend="Send application/cloudevents+json.")
    if "ce-specversion" in request.headers:
        return [_required(_binary(request, kind))]
    found = read_payload(request.body)
    events = found if isinstance(found, list) else [found]
    if not 0 < len(events) <= MOST or not all(isinstance(one, dict) for one in events):
        raise unreadable("The body is no CloudEvent and no batch of them.")
    return [_required(one) for one in events]


def _required(event: Mapping[str, Any]) -> Mapping[str, Any]:
    if not all(isinstance(event.get(name), str) and event[name] for name in ("specversion", "id", "source", "type")):
        raise unreadable("An event lacks specversion, id, source or type.")
    return event


def _binary(request: WebhookRequest, kind: str) -> dict[str, Any]:
    named = {name[3:]: unquote(value) for name, value in request.headers.items() if name.startswith("ce-")}
    is_json = kind in ("", "application/json", "text/json") or kind.endswith("+json")
    data: Any = request.body.decode("utf-8", "replace")
    return named | {"data": read_payload(request.body) if is_json and request.body else data}


def _opened(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event with its data in the open: base64 is undone, JSON in a string is read."""
    data = event.get("data")
    if isinstance(event.get("data_base64"), str) and data is None:
        try:
            raw = base64.b64decode(event["data_base64"], validate=True)
        except (binascii.Error, ValueError):
            return event
        kind = plain(event.get("datacontenttype")).partition(";")[0].strip().lower()
        data = _json(raw) if kind in ("", "application/json") or kind.endswith("+json") else None
    elif isinstance(data, str):
        data = _json(data.encode("utf-8", "replace"))
    return {**event, "data": data}


def _json(raw: bytes) -> Any:
    try:
        return read_payload(raw)
    except Unreadable:
        return None
