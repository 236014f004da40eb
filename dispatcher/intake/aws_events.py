"""What AWS says about alarms and its own health, whichever way it comes: by SNS or by an EventBridge target.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html and
https://docs.aws.amazon.com/health/latest/ug/aws-health-events-eventbridge-schema.html (read 2026-11).
Oddities: INSUFFICIENT_DATA is not OK; of health events only issues are incidents; the outer region is where an event
was delivered, the affected one is `eventRegion`; large events repeat in pages with `-N` behind the communication id.
"""

from collections.abc import Mapping
from typing import Any

from dispatcher.intake.reading import (
    first,
    identifier,
    items,
    labels,
    line,
    mapping,
    moment,
    prose,
    required_id,
    unreadable,
    word,
)
from dispatcher.model.signal import Signal, SignalKind

ALARM_STATES: Mapping[str, SignalKind] = {
    "ALARM": SignalKind.OPENED,
    "OK": SignalKind.RESOLVED,
    "INSUFFICIENT_DATA": SignalKind.NOTED,
}
ALARM, HEALTH = "CloudWatch Alarm State Change", "AWS Health Event"


def signal(event: Mapping[str, Any]) -> Signal:
    """The signal of an EventBridge event; a detail type that is neither is ignored."""
    named = word(event.get("detail-type"))
    if not named or not isinstance(event.get("detail"), dict):
        raise unreadable("The post is no EventBridge event.")
    if named == ALARM:
        return _alarm_event(event)
    if named == HEALTH:
        return _health_event(event)
    return Signal(SignalKind.IGNORED, "", named)


def alarm(message: Mapping[str, Any], delivery: str) -> Signal:
    """The signal of a CloudWatch alarm as SNS carries it."""
    state = word(message.get("NewStateValue"))
    kind = ALARM_STATES.get(state, SignalKind.IGNORED)
    name = line(message.get("AlarmName"))
    trigger = mapping(message.get("Trigger"))
    return Signal(
        kind,
        required_id(first(message, "AlarmArn") or f"{word(message.get('AWSAccountId'))}:{name}"),
        word=state,
        delivery_id=delivery,
        title=name,
        text=prose(first(message, "AlarmDescription", "NewStateReason")),
        regions=tuple(filter(None, (word(message.get("Region")),))),
        occurred_at=moment(message.get("StateChangeTime")),
        labels=labels(
            account=message.get("AWSAccountId"),
            metric=trigger.get("MetricName"),
            namespace=trigger.get("Namespace"),
            old_state=message.get("OldStateValue"),
        ),
    )


def _alarm_event(event: Mapping[str, Any]) -> Signal:
    detail = mapping(event.get("detail"))
    state = mapping(detail.get("state"))
    said = word(state.get("value"))
    kind = ALARM_STATES.get(said, SignalKind.IGNORED)
    arn = next((one for one in items(event.get("resources")) if isinstance(one, str)), "")
    name = line(detail.get("alarmName"))
    return Signal(
        kind,
        required_id(arn or name),
        word=said,
        delivery_id=identifier(event.get("id")),
        title=name,
        text=prose(first(mapping(detail.get("configuration")), "description") or state.get("reason")),
        regions=tuple(filter(None, (word(event.get("region")),))),
        occurred_at=moment(state.get("timestamp") or event.get("time")),
        labels=labels(account=event.get("account"), old_state=mapping(detail.get("previousState")).get("value")),
    )


def _health_event(event: Mapping[str, Any]) -> Signal:
    detail = mapping(event.get("detail"))
    category, state = word(detail.get("eventTypeCategory")), word(detail.get("statusCode")).lower()
    if category != "issue":
        return Signal(SignalKind.IGNORED, "", category)
    kind = SignalKind.RESOLVED if state == "closed" else SignalKind.OPENED
    service, region = word(detail.get("service")), word(detail.get("eventRegion")) or word(event.get("region"))
    told = (mapping(one) for one in items(detail.get("eventDescription")))
    account = word(first(detail, "affectedAccount") or event.get("account"))
    return Signal(
        kind,
        required_id(f"{line(detail.get('eventArn'))}|{account}" if detail.get("eventArn") else None),
        word=f"{category} {state}".strip(),
        delivery_id=identifier(f"{word(event.get('id'))}:{word(detail.get('communicationId'))}"),
        title=line(f"{service} {word(detail.get('eventTypeCode')).replace('_', ' ').lower()}"),
        text=prose(next((one.get("latestDescription") for one in told), "")),
        services=(service,) if service else (),
        regions=(region,) if region else (),
        occurred_at=moment(first(detail, "lastUpdatedTime", "endTime", "startTime") or event.get("time")),
        labels=labels(account=account, code=detail.get("eventTypeCode"), scope=detail.get("eventScopeCode")),
    )
