"""GitHub webhooks and those who sign like it: issues that stand for incidents.

https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries (read 2026-11).
Oddities: the event stands in a header; the old `X-Hub-Signature` is SHA-1 and is not accepted; no time is signed;
wants its answer within 10 s and never sends again by itself; answers to `ping` must be 2xx.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.intake import proof, severity
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
    prose,
    required_id,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[tuple[str, str], SignalKind] = {
    ("issues", "opened"): SignalKind.OPENED,
    ("issues", "reopened"): SignalKind.REOPENED,
    ("issues", "edited"): SignalKind.UPDATED,
    ("issues", "labeled"): SignalKind.UPDATED,
    ("issues", "unlabeled"): SignalKind.UPDATED,
    ("issues", "assigned"): SignalKind.ACKNOWLEDGED,
    ("issues", "closed"): SignalKind.RESOLVED,
    ("issues", "deleted"): SignalKind.CANCELLED,
    ("issue_comment", "created"): SignalKind.NOTED,
}


class GitHub(proof.ByKey):
    """Issues of a repository. Playbooks choose by `labels`."""

    name: ClassVar[str] = "github"
    title: ClassVar[str] = "GitHub issues"
    signs: ClassVar[str] = "X-Hub-Signature-256: `sha256=` and the hex HMAC-SHA256 of the body."
    header: ClassVar[str] = "x-hub-signature-256"

    def listed(self, value: str) -> Sequence[str]:
        """The SHA-256 signature; nothing else counts."""
        scheme, _, shown = value.partition("=")
        return [shown] if scheme == "sha256" else []

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal; a ping is a test, everything but issues is ignored."""
        post = an_object(request.body)
        event = request.headers.get("x-github-event", "")
        action = word(post.get("action"))
        delivery = identifier(request.headers.get("x-github-delivery"))
        kind = KINDS.get((event, action), SignalKind.TEST if event == "ping" else SignalKind.IGNORED)
        shared: dict[str, Any] = {"word": line(f"{event} {action}", 80), "delivery_id": delivery}
        if not kind.moves:
            return [Signal(kind, "", **shared)]
        return [_issue(kind, post, shared)]


def _issue(kind: SignalKind, post: Mapping[str, Any], shared: Mapping[str, Any]) -> Signal:
    issue, repository = mapping(post.get("issue")), mapping(post.get("repository"))
    tags = [word(one) for one in items(issue.get("labels"))]
    said = mapping(post.get("comment")).get("body") if kind is SignalKind.NOTED else issue.get("body")
    name = word(repository.get("name"))
    return Signal(
        kind,
        f"{line(repository.get('full_name'), 120)}#{required_id(first(issue, 'number', 'id'))}",
        external_ref=f"#{word(issue.get('number'))}",
        title=line(issue.get("title")),
        text=prose(said),
        severity_raw=next((tag for tag in map(_severity, tags) if tag), ""),
        services=(name,) if name else (),
        url=link(issue.get("html_url")),
        occurred_at=moment(first(issue, "updated_at", "created_at")),
        labels=labels(tags=", ".join(tags), repository=repository.get("full_name")),
        **shared,
    )


def _severity(tag: str) -> str:
    """`severity: high`, `sev1`, `P2`: a label that names a severity."""
    last = tag.rpartition(":")[2].rpartition("/")[2].strip()
    return last if severity.normal(last) in severity.USUAL else ""
