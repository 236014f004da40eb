"""Sentry, webhooks of an internal or public integration.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks (read 2026-11).
Oddities: the resource stands in a header only; a timestamp is sent and not signed; wants its answer within 1 s and
switches a hook off after 1,000 timeouts a day; archiving an issue is not resolving it; ids are numbers or strings.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

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
    plain,
    prose,
    required_id,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[tuple[str, str], SignalKind] = {
    ("issue", "created"): SignalKind.OPENED,
    ("issue", "assigned"): SignalKind.ACKNOWLEDGED,
    ("issue", "resolved"): SignalKind.RESOLVED,
    ("issue", "unresolved"): SignalKind.REOPENED,
    ("issue", "archived"): SignalKind.NOTED,
    ("issue", "ignored"): SignalKind.NOTED,
    ("event_alert", "triggered"): SignalKind.OPENED,
    ("metric_alert", "critical"): SignalKind.OPENED,
    ("metric_alert", "warning"): SignalKind.OPENED,
    ("metric_alert", "resolved"): SignalKind.RESOLVED,
    ("installation", "created"): SignalKind.TEST,
}
_RESOURCES = {"issue": "issue", "event": "event_alert", "metric_alert": "metric_alert"}


class Sentry(proof.ByKey):
    """Issues and alerts of Sentry."""

    name: ClassVar[str] = "sentry"
    title: ClassVar[str] = "Sentry integration webhooks"
    signs: ClassVar[str] = (
        "Sentry-Hook-Signature: hex HMAC-SHA256 of the body, by the client secret; the time is not signed."
    )
    header: ClassVar[str] = "sentry-hook-signature"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal; the resource is that of the header, else what the data holds."""
        post = an_object(request.body)
        data = mapping(post.get("data"))
        named = request.headers.get("sentry-hook-resource", "")
        resource = named or next((kind for key, kind in _RESOURCES.items() if key in data), "")
        action = word(post.get("action"))
        kind = KINDS.get((resource, action), SignalKind.IGNORED)
        shared: dict[str, Any] = {"word": line(f"{resource} {action}", 80), "delivery_id": _delivery(request, post)}
        if not kind.moves:
            return [Signal(kind, "", **shared)]
        if resource == "metric_alert":
            return [_metric(kind, action, data, shared)]
        return [_issue(kind, mapping(data.get("issue")) or mapping(data.get("event")), data, shared)]


def _delivery(request: WebhookRequest, post: Mapping[str, Any]) -> str:
    """The id of the request; without one the unsigned time tells a second resolve from a repeat of the first."""
    stamp = request.headers.get("sentry-hook-timestamp", "")
    given = request.headers.get("request-id", "")
    issue = plain(mapping(mapping(post.get("data")).get("issue")).get("id"))
    return identifier(given or (f"{issue}:{plain(post.get('action'))}:{stamp}" if issue and stamp else ""))


def _issue(kind: SignalKind, issue: Mapping[str, Any], data: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    origin = plain(issue.get("issue_url")).rstrip("/").rpartition("/")[2]
    project = word(issue.get("project")) if isinstance(issue.get("project"), dict) else ""
    return Signal(
        kind,
        required_id(first(issue, "issue_id") or origin or issue.get("id")),
        external_ref=word(issue.get("shortId")),
        title=line(first(issue, "title", "message")),
        text=prose(issue.get("culprit")),
        severity_raw=word(issue.get("level")),
        services=(project,) if project else (),
        url=link(first(issue, "permalink", "web_url")),
        occurred_at=moment(first(issue, "lastSeen", "datetime", "timestamp", "firstSeen")),
        labels=labels(
            level=issue.get("level"), platform=issue.get("platform"), rule=data.get("triggered_rule"), project=project
        ),
        **shared,
    )


def _metric(kind: SignalKind, action: str, data: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    alert = mapping(data.get("metric_alert"))
    return Signal(
        kind,
        "metric:" + required_id(alert.get("id")),
        title=line(first(data, "description_title") or mapping(alert.get("alert_rule")).get("name")),
        text=prose(data.get("description_text")),
        severity_raw=action if kind is SignalKind.OPENED else "",
        url=link(data.get("web_url")),
        occurred_at=moment(first(alert, "date_closed", "date_detected", "date_started")),
        labels=labels(action=action),
        **shared,
    )
