"""Grafana alerting, webhook contact point; and the payload of Grafana before version 9.

https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier
(read 2026-11). Oddities: the signature is optional, its header and that of a timestamp have free names, and with a
timestamp `<unix>:<body>` is signed; `state` may contradict `status`, and `status` is right; links may be relative.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field

from dispatcher.intake import alert_groups, proof
from dispatcher.intake.reading import an_object, first, label_map, line, link, prose, required_id, word
from dispatcher.intake.tool import Secret, SecretForm, ToolSettings
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

OLD_STATES: Mapping[str, SignalKind] = {
    "alerting": SignalKind.OPENED,
    "ok": SignalKind.RESOLVED,
    "no_data": SignalKind.NOTED,
    "paused": SignalKind.NOTED,
    "pending": SignalKind.NOTED,
}
_HEADER = r"^[A-Za-z0-9-]*$"


class GrafanaSettings(ToolSettings):
    """The header names as the contact point has them; without `timestamp_header` the body alone is signed."""

    signature_header: str = Field(default="X-Grafana-Alerting-Signature", pattern=_HEADER, min_length=1)
    timestamp_header: str = Field(default="", pattern=_HEADER)


class Grafana:
    """Alert groups of Grafana."""

    name: ClassVar[str] = "grafana"
    title: ClassVar[str] = "Grafana alerting webhook"
    signs: ClassVar[str] = "Optional: hex HMAC-SHA256 of the body, or of `<unix>:<body>` with a timestamp header."
    forms: ClassVar[tuple[SecretForm, ...]] = (SecretForm.KEY, SecretForm.TOKEN)
    Settings: ClassVar[type[ToolSettings]] = GrafanaSettings

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings if isinstance(settings, GrafanaSettings) else GrafanaSettings()

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """By signature where the source has a key, else by token."""
        if not any(secret.form is SecretForm.KEY for secret in secrets):
            proof.require_token(request, secrets, self.settings.token_header)
            return
        message = request.body
        if self.settings.timestamp_header:
            stamp = request.headers.get(self.settings.timestamp_header.lower(), "")
            proof.require_fresh(stamp, request.received_at)
            message = stamp.encode() + b":" + request.body
        shown = request.headers.get(self.settings.signature_header.lower(), "")
        proof.require_hex(proof.keys(secrets), message, [shown.strip()])

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal a group; what the "Test" button sends is a test."""
        post = an_object(request.body)
        if "alerts" not in post and "state" in post:
            return [_old(post)]
        found = alert_groups.signal(post)
        labels = label_map(post.get("commonLabels"))
        if labels.get("alertname") == "TestAlert" and labels.get("instance") == "Grafana":
            return [Signal(SignalKind.TEST, "", found.word)]
        return [found]


def _old(post: Mapping[str, Any]) -> Signal:
    state = word(post.get("state")).lower()
    kind = OLD_STATES.get(state, SignalKind.IGNORED)
    if not kind.moves:
        return Signal(kind, "", state)
    return Signal(
        kind,
        required_id(first(post, "ruleId", "ruleName")),
        word=state,
        title=line(first(post, "ruleName", "title")),
        text=prose(post.get("message")),
        url=link(post.get("ruleUrl")),
        labels=label_map(post.get("tags")),
    )
