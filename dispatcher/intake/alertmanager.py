"""Prometheus Alertmanager, webhook receiver version 4.

https://prometheus.io/docs/alerting/latest/configuration/#webhook_config (read 2026-11).
Oddities: signs nothing (`http_config` sets a bearer token or Basic); sends the whole group again every
`repeat_interval`; retries on 5xx only; `truncatedAlerts` counts what was left out.
"""

from collections.abc import Sequence
from typing import ClassVar

from dispatcher.intake import alert_groups
from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import an_object
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal


class Alertmanager(ByToken):
    """Groups of alerts of Prometheus and what speaks like it."""

    name: ClassVar[str] = "alertmanager"
    title: ClassVar[str] = "Prometheus Alertmanager"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal a group."""
        return [alert_groups.signal(an_object(request.body))]
