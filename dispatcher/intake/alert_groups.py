"""Groups of alerts as Prometheus Alertmanager and Grafana post them: one group is one signal.

The whole group is sent again every `repeat_interval`, with alerts that end while others go on; it is over when the
sender says so. `endsAt` in year 1 means still open.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dispatcher.intake import severity
from dispatcher.intake.reading import (
    items,
    label_map,
    line,
    link,
    mapping,
    moment,
    prose,
    required_id,
    unreadable,
    word,
)
from dispatcher.model.signal import Signal, SignalKind

KINDS: Mapping[str, SignalKind] = {"firing": SignalKind.OPENED, "resolved": SignalKind.RESOLVED}
SERVICE_LABELS = ("service", "app", "application", "component", "job")
_TOLD = 5
"""Alerts of a group whose own words are kept."""


def signal(post: Mapping[str, Any]) -> Signal:
    """The group as one signal; a state we do not know is ignored."""
    state = word(post.get("status")).lower()
    kind = KINDS.get(state, SignalKind.IGNORED)
    if kind is SignalKind.IGNORED:
        return Signal(kind, "", state)
    alerts = [mapping(one) for one in items(post.get("alerts"))]
    if not alerts:
        raise unreadable("The post holds no alerts.")
    common = label_map(post.get("commonLabels"))
    told = label_map(post.get("commonAnnotations"))
    telling = [one for one in alerts if word(one.get("status")) == state] or alerts
    return Signal(
        kind,
        required_id(post.get("groupKey") or alerts[0].get("fingerprint")),
        word=state,
        title=_title(told, common, telling),
        text=_text(told, telling),
        severity_raw=common.get("severity") or severity.worst(_values(telling, ("severity",))),
        services=_values(telling, SERVICE_LABELS),
        regions=_values(telling, ("region",)),
        url=link(telling[0].get("generatorURL"), post.get("externalURL")) or link(post.get("externalURL")),
        occurred_at=_occurred(kind, telling),
        labels=label_map(post.get("groupLabels")) | common | {"receiver": line(post.get("receiver"))},
    )


def _title(told: Mapping[str, str], common: Mapping[str, str], alerts: Sequence[Mapping[str, Any]]) -> str:
    own = _values(alerts, ("alertname",))
    return line(told.get("summary") or common.get("alertname") or ", ".join(own) or "Alert")


def _text(told: Mapping[str, str], alerts: Sequence[Mapping[str, Any]]) -> str:
    own = (mapping(one.get("annotations")).get("description") for one in alerts[:_TOLD])
    lines = dict.fromkeys(line(words, 500) for words in (told.get("description"), *own) if words)
    return prose("\n".join(lines))


def _values(alerts: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> tuple[str, ...]:
    """The values of the first of the wanted labels that an alert has, each once."""
    found = []
    for one in alerts:
        labels = mapping(one.get("labels"))
        found.append(next((word(labels[name]) for name in wanted if labels.get(name)), ""))
    return tuple(dict.fromkeys(value for value in found if value))[:20]


def _occurred(kind: SignalKind, alerts: Sequence[Mapping[str, Any]]) -> datetime | None:
    named = "startsAt" if kind is SignalKind.OPENED else "endsAt"
    return max((at for one in alerts if (at := moment(one.get(named)))), default=None)
