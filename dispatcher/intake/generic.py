"""Any tool that posts JSON: JMESPath says where things stand, in `[signals.NAME]`.

Without settings the usual names are looked for, so that many tools work at once. A post is proved by a token, or by a
hex HMAC-SHA256 of the body in a header of the source's choice.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from pydantic import Field

from dispatcher.intake import fields, proof
from dispatcher.intake.fields import Path
from dispatcher.intake.reading import payload, unreadable
from dispatcher.intake.tool import Secret, SecretForm, ToolSettings
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

MOST = 100
"""Events in one post."""
FIELDS: Mapping[str, str] = {
    "external_id": "incident_id || incident.id || incident.incident_id || issue_id || alert_id || check_id || id"
    " || key",
    "kind": "kind || event_type || event || action || state || status || current_state || incident.state",
    "title": "title || name || incident.title || incident.name || incident.policy_name || condition_name || summary"
    " || subject || check_name",
    "text": "text || description || message || details || incident.description || incident.summary",
    "severity": "severity || priority || level || incident.severity || impact",
    "phase": "phase",
    "services": "services || service || affected_services || components",
    "regions": "regions || region",
    "url": "url || link || html_url || incident.url",
    "occurred_at": "occurred_at || updated_at || timestamp || time || created_at || started_at || createdAt"
    " || start_time",
    "delivery_id": "delivery_id || event_id",
    "external_ref": "reference || number",
    "private": "private || is_private",
    "labels": "labels || tags",
}


class GenericSettings(ToolSettings):
    """`each` finds the events of a post; `fields` says where things stand in one; `kinds` maps its words to ours."""

    each: Path = "@"
    fields: dict[str, Path] = Field(default_factory=dict)
    kinds: dict[str, SignalKind] = Field(default_factory=dict)
    signature_header: str = Field(default="X-Signature", pattern=r"^[A-Za-z0-9-]+$")
    signature_prefix: str = ""


class Generic:
    """Whatever posts JSON."""

    name: ClassVar[str] = "generic"
    title: ClassVar[str] = "Any tool that posts JSON"
    signs: ClassVar[str] = "As set up: a token, or hex HMAC-SHA256 of the body in `signature_header`."
    forms: ClassVar[tuple[SecretForm, ...]] = (SecretForm.TOKEN, SecretForm.KEY)
    Settings: ClassVar[type[ToolSettings]] = GenericSettings

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings if isinstance(settings, GenericSettings) else GenericSettings()

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """By signature where the source has a key, else by token."""
        if not any(secret.form is SecretForm.KEY for secret in secrets):
            proof.require_token(request, secrets, self.settings.token_header)
            return
        shown = request.headers.get(self.settings.signature_header.lower(), "").strip()
        prefix = self.settings.signature_prefix
        proof.require_hex(proof.keys(secrets), request.body, [shown[len(prefix) :]] if shown.startswith(prefix) else [])

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal for each event, each judged alone."""
        found = fields.pick(self.settings.each, payload(request.body))
        events = found if isinstance(found, list) else [found]
        if not events or not all(isinstance(one, dict) for one in events):
            raise unreadable("The post holds no events that are JSON objects.")
        if len(events) > MOST:
            raise unreadable(f"The post holds more than {MOST} events.")
        where = {**FIELDS, **self.settings.fields}
        return [fields.signal(one, where, self.settings.kinds, self.settings.time_zone) for one in events]
