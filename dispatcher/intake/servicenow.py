"""ServiceNow, a business rule that posts the record of an incident.

https://www.servicenow.com/docs (Incident, RESTMessageV2; read 2026-11).
Oddities: there is no standard body, so the names of the Table API are read in snake_case and camelCase, flat or under
`record`, `result`, `incident` or `current`; numbers are strings; a time has no zone and means that of the instance
(`time_zone` of the source); one shot, no retry; signs nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from dispatcher.intake.proof import ByToken
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
    yes,
)
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

STATES: Mapping[str, SignalKind] = {
    "1": SignalKind.OPENED,
    "new": SignalKind.OPENED,
    "2": SignalKind.ACKNOWLEDGED,
    "in progress": SignalKind.ACKNOWLEDGED,
    "3": SignalKind.UPDATED,
    "on hold": SignalKind.UPDATED,
    "6": SignalKind.RESOLVED,
    "resolved": SignalKind.RESOLVED,
    "7": SignalKind.RESOLVED,
    "closed": SignalKind.RESOLVED,
    "8": SignalKind.CANCELLED,
    "canceled": SignalKind.CANCELLED,
    "cancelled": SignalKind.CANCELLED,
}
_WRAPPERS = ("record", "result", "incident", "current", "data")


class ServiceNow(ByToken):
    """Incidents of ServiceNow."""

    name: ClassVar[str] = "servicenow"
    title: ClassVar[str] = "ServiceNow business rule"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal: the record as it stands."""
        record = _record(an_object(request.body))
        state = word(first(record, "state", "incident_state")).lower()
        kind = STATES.get(state, SignalKind.IGNORED)
        if not kind.moves:
            return [Signal(kind, "", state)]
        number = required_id(first(record, "sys_id", "number"))
        changed = plain(first(record, "sys_updated_on", "sys_mod_count"))
        service = word(first(record, "business_service", "cmdb_ci", "category"))
        return [
            Signal(
                kind,
                number,
                word=state,
                delivery_id=identifier(f"{number}:{state}:{changed}:{word(record.get('priority'))}") if changed else "",
                external_ref=word(record.get("number")),
                title=line(record.get("short_description")),
                text=prose(first(record, "comments", "close_notes", "description")),
                severity_raw=word(first(record, "priority", "severity", "impact")),
                phase_raw=state,
                services=(service,) if service else (),
                url=link(first(record, "url", "link")),
                occurred_at=moment(first(record, "sys_updated_on", "sys_created_on"), self.settings.time_zone),
                labels=labels(
                    category=word(record.get("category")),
                    subcategory=word(record.get("subcategory")),
                    impact=word(record.get("impact")),
                    urgency=word(record.get("urgency")),
                    major="yes" if yes(record.get("major_incident")) else "",
                ),
            )
        ]


def _record(post: Mapping[str, Any]) -> dict[str, Any]:
    inner = next((mapping(post[name]) for name in _WRAPPERS if mapping(post.get(name))), post)
    return {re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower(): _value(value) for name, value in inner.items()}


def _value(value: object) -> object:
    """Of `{value, display_value}` the value."""
    held = mapping(value)
    return first(held, "value", "display_value", "displayValue") if held else value
