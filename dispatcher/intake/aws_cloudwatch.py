"""Amazon CloudWatch alarms by an EventBridge API destination.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html (read 2026-11).
Oddities: what proves a post is the connection's own API key header, Basic or OAuth token; nothing is signed.
"""

from collections.abc import Sequence
from typing import ClassVar

from dispatcher.intake import aws_events
from dispatcher.intake.proof import ByToken
from dispatcher.intake.reading import an_object
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal


class CloudWatch(ByToken):
    """Alarm state changes. Health events that the same destination carries are read as well."""

    name: ClassVar[str] = "aws_cloudwatch"
    title: ClassVar[str] = "Amazon CloudWatch by EventBridge"

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal."""
        return [aws_events.signal(an_object(request.body))]
