"""AWS Health events by an EventBridge API destination: a supplier's trouble, in its own words.

https://docs.aws.amazon.com/health/latest/ug/cloudwatch-events-health.html (read 2026-11).
Oddities: planned changes and notices to an account are no incidents; at least once; nothing is signed.
"""

from collections.abc import Sequence
from typing import ClassVar

from dispatcher.intake import aws_events
from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import an_object
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal


class Health(ByToken):
    """Issues of AWS services. Alarms that the same destination carries are read as well."""

    name: ClassVar[str] = "aws_health"
    title: ClassVar[str] = "AWS Health by EventBridge"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal."""
        return [aws_events.signal(an_object(request.body))]
