"""Opsgenie, outgoing webhook. Its support ends on 2027-04-05.

https://support.atlassian.com/opsgenie/docs/opsgenie-edge-connector-alert-action-data (read 2026-11).
Oddities: signs nothing; createdAt is in milliseconds and updatedAt in nanoseconds; priority is "P3" or 3; one alert
yields a Create for every team it is routed to.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import (
    an_object,
    first,
    identifier,
    items,
    labels,
    line,
    mapping,
    moment,
    plain,
    prose,
    required_id,
    word,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {
    "Create": SignalKind.OPENED,
    "Acknowledge": SignalKind.ACKNOWLEDGED,
    "UnAcknowledge": SignalKind.UPDATED,
    "UpdatePriority": SignalKind.UPDATED,
    "UpdateMessage": SignalKind.UPDATED,
    "UpdateDescription": SignalKind.UPDATED,
    "Close": SignalKind.RESOLVED,
    "Delete": SignalKind.CANCELLED,
    "AddNote": SignalKind.NOTED,
    "AddTags": SignalKind.NOTED,
    "RemoveTags": SignalKind.NOTED,
    "AddTeam": SignalKind.NOTED,
    "AddRecipient": SignalKind.NOTED,
    "AssignOwnership": SignalKind.NOTED,
    "TakeOwnership": SignalKind.NOTED,
    "Escalate": SignalKind.NOTED,
    "EscalateNext": SignalKind.NOTED,
    "Snooze": SignalKind.NOTED,
    "SnoozeEnded": SignalKind.NOTED,
}


class Opsgenie(ByToken):
    """Alerts of Opsgenie."""

    name: ClassVar[str] = "opsgenie"
    title: ClassVar[str] = "Opsgenie outgoing webhook"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal."""
        post = an_object(request.body)
        action = word(post.get("action"))
        kind = KINDS.get(action, SignalKind.IGNORED)
        alert = mapping(post.get("alert"))
        if not kind.moves:
            return [Signal(kind, "", action)]
        number = required_id(alert.get("alertId"))
        version = plain(first(alert, "updatedAt", "insertedAt"))
        entity = word(alert.get("entity"))
        return [
            Signal(
                kind,
                number,
                word=action,
                delivery_id=identifier(f"{number}:{action}:{version}") if version else "",
                external_ref=f"#{word(alert.get('tinyId'))}" if word(alert.get("tinyId")) else "",
                title=line(alert.get("message")),
                text=prose(first(alert, "note", "description")),
                severity_raw=_priority(alert.get("priority")),
                services=(entity,) if entity else (),
                occurred_at=moment(first(alert, "updatedAt", "insertedAt", "createdAt")),
                labels=labels(
                    alias=alert.get("alias"),
                    tags=", ".join(word(tag) for tag in items(alert.get("tags"))),
                    integration=post.get("integrationName"),
                ),
            )
        ]


def _priority(value: object) -> str:
    priority = word(value)
    return f"P{priority}" if priority.isdigit() else priority
