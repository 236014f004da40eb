"""The JSON of Statuspage's public API (v2), which status aggregators, chat bots and exporters read.

Shape: https://status.atlassian.com/api/v2 and the documents of the pages that offer it (read 2026-11). Words are
strict enums there; a reader takes one it does not know for "operational", so every one of ours is mapped here.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from dispatcher.model.fact import ServiceState
from dispatcher.model.incident import Phase
from dispatcher.model.kinds import Severity
from dispatcher.reporting.public.publication import Publication, PublicIncident, Update
from dispatcher.reporting.public.wording import clean, plain

STATES: Mapping[str, str] = {
    "investigating": "investigating",
    "identified": "identified",
    "monitoring": "monitoring",
    "partly_restored": "monitoring",
    "resolved": "resolved",
    "closed": "resolved",
}
"""Our phases. What is partly back is being watched, not resolved."""
IMPACT: Mapping[Severity, str] = {
    Severity.LIFE_SAFETY: "critical",
    Severity.CRITICAL: "critical",
    Severity.MAJOR: "major",
    Severity.MINOR: "minor",
}
COMPONENT: Mapping[ServiceState, str] = {
    ServiceState.OPERATIONAL: "operational",
    ServiceState.DEGRADED: "degraded_performance",
    ServiceState.DOWN: "major_outage",
}
DESCRIPTION: Mapping[str, str] = {
    "none": "All Systems Operational",
    "minor": "Minor Service Outage",
    "major": "Partial System Outage",
    "critical": "Major Service Outage",
}
_IMPACTS = list(DESCRIPTION)


def files(publication: Publication) -> dict[str, bytes]:
    """Every file of the tree by its path below the page's address."""
    page = {"page": _page(publication)}
    overall = {"status": _overall(publication)}
    components = {"components": _components(publication)}
    every = [_incident(publication, one) for one in publication.incidents]
    open_ones = [_incident(publication, one) for one in publication.current]
    none_planned: dict[str, list[Any]] = {"scheduled_maintenances": []}
    told: dict[str, dict[str, Any]] = {
        "summary": page | components | {"incidents": open_ones} | none_planned | overall,
        "status": page | overall,
        "components": page | components,
        "incidents": page | {"incidents": every},
        "incidents/unresolved": page | {"incidents": open_ones},
        "scheduled-maintenances": page | none_planned,
        "scheduled-maintenances/upcoming": page | none_planned,
        "scheduled-maintenances/active": page | none_planned,
    }
    return {f"api/v2/{name}.json": orjson.dumps(tree) + b"\n" for name, tree in told.items()}


def state_of(phase: Phase) -> str:
    """The page's word for a phase; one that we do not know yet is told as the most cautious."""
    return STATES.get(phase.value, "investigating")


def _page(publication: Publication) -> dict[str, Any]:
    publisher = publication.publisher
    return {
        "id": _page_id(publication),
        "name": publisher.name,
        "url": publisher.url,
        "time_zone": publisher.zone,
        "updated_at": _instant(publication.changed_at),
    }


def _page_id(publication: Publication) -> str:
    return re.sub(r"[^a-z0-9]+", "-", publication.publisher.domain.lower()).strip("-") or "page"


def _overall(publication: Publication) -> dict[str, str]:
    impacts = [IMPACT[one.severity] for one in publication.current]
    indicator = max(impacts, key=_IMPACTS.index, default="none")
    return {"indicator": indicator, "description": DESCRIPTION[indicator]}


def _components(publication: Publication) -> list[dict[str, Any]]:
    return [
        _component(publication, name, state, at, position)
        for position, (name, state, at) in enumerate(publication.standing(), start=1)
    ]


def _component(publication: Publication, name: str, state: ServiceState, at: datetime, position: int) -> dict[str, Any]:
    return {
        "id": _component_id(name),
        "name": clean(name),
        "status": COMPONENT[state],
        "created_at": _instant(at),
        "updated_at": _instant(at),
        "position": position,
        "description": None,
        "showcase": True,
        "start_date": None,
        "group_id": None,
        "page_id": _page_id(publication),
        "group": False,
        "only_show_if_degraded": False,
    }


def _component_id(name: str) -> str:
    return hashlib.sha256(name.casefold().encode()).hexdigest()[:12]


def _incident(publication: Publication, one: PublicIncident) -> dict[str, Any]:
    own = publication.publisher.locale
    over = one.over_at
    return {
        "id": one.ref,
        "name": clean(one.name(own)),
        "status": state_of(one.phase),
        "created_at": _instant(one.began_at),
        "updated_at": _instant(one.changed_at),
        "monitoring_at": _instant(one.since("monitoring")),
        "resolved_at": _instant(over),
        "impact": IMPACT[one.severity],
        "shortlink": f"{publication.publisher.url}/incidents/{one.ref}.html",
        "started_at": _instant(one.began_at),
        "page_id": _page_id(publication),
        "incident_updates": [_update(one, update, own) for update in one.updates],
        "components": [
            _component(publication, name, ServiceState.OPERATIONAL if over else state, one.changed_at, position)
            for position, (name, state) in enumerate(one.services.items(), start=1)
        ],
    }


def _update(one: PublicIncident, update: Update, own: str) -> dict[str, Any]:
    text = update.text(own)
    told = _instant(update.at)
    return {
        "id": update.ref,
        "status": state_of(update.phase),
        "body": plain(text) if text else "",
        "incident_id": one.ref,
        "created_at": told,
        "updated_at": told,
        "display_at": told,
        "affected_components": None,
        "deliver_notifications": False,
        "custom_tweet": None,
        "tweet_id": None,
    }


def _instant(at: datetime | None) -> str | None:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z" if at else None
