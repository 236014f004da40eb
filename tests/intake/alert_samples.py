"""Samples of tools that alert. Every name, id and word is invented."""

from typing import ClassVar

from tests.intake.samples import NOW, Sample, ago, hexed, ms, z


class PagerDuty(Sample):
    name, many_signatures = "pagerduty", True

    def event(self, kind, ref, at, **data):
        about = {
            "id": ref, "type": "incident", "html_url": f"https://example.pagerduty.com/incidents/{ref}", "number": 77,
            "status": "triggered", "title": "Checkout answers with errors", "service": {"summary": "checkout"},
            "priority": {"summary": "P1"}, "urgency": "high", "teams": [{"summary": "Shop"}], "assignees": [],
        }  # fmt: skip
        event_id = f"EV{kind}{ref}{ms(at)}"
        return {
            "event": {
                "id": event_id,
                "event_type": kind,
                "resource_type": "incident",
                "occurred_at": z(at),
                "agent": None,
                "data": about | data,
            }
        }

    def opened(self, ref, at):
        return self.event("incident.triggered", ref, at)

    def resolved(self, ref, at):
        return self.event("incident.resolved", ref, at, status="resolved", priority=None)

    def updated(self, ref, at):
        return self.event("incident.priority_updated", ref, at)

    def not_resolved(self, ref, at):
        kinds = ("incident.unacknowledged", "incident.acknowledged", "incident.annotated", "incident.escalated")
        return [self.event(kind, ref, at) for kind in kinds]

    def without_effect(self):
        ping = {
            "event": {"id": "EVping", "event_type": "pagey.ping", "resource_type": "pagey", "data": {"message": "Hi"}}
        }
        return [
            (ping, {}),
            (self.event("incident.sung.about", "PX", NOW), {}),
            ({"event": {"event_type": "service.created", "data": {}}}, {}),
        ]

    def sign(self, body, at, key):
        return {"x-pagerduty-signature": f"v0=00,v1={hexed(b'other')},v1={hexed(body, key)}"}


class Opsgenie(Sample):
    name = "opsgenie"

    def action(self, action, ref, at, **more):
        alert = {
            "alertId": ref, "message": "Checkout answers with errors", "alias": "checkout-errors", "tinyId": "41",
            "entity": "checkout", "tags": ["shop"], "priority": 1, "createdAt": ms(at), "updatedAt": ms(at) * 1_000_000,
            "username": "on-call@example.com",
        }  # fmt: skip
        return {
            "action": action,
            "alert": alert | more,
            "source": {"name": "", "type": "web"},
            "integrationName": "Shop",
        }

    def opened(self, ref, at):
        return self.action("Create", ref, at)

    def resolved(self, ref, at):
        return self.action("Close", ref, at)

    def updated(self, ref, at):
        return self.action("UpdatePriority", ref, at)

    def not_resolved(self, ref, at):
        return [self.action(kind, ref, at) for kind in ("UnAcknowledge", "Acknowledge", "AddNote", "Snooze")]

    def without_effect(self):
        return [(self.action("SingAboutIt", "A", NOW), {})]


class Alertmanager(Sample):
    name = "alertmanager"

    def group(self, kind, ref, at, **more):
        alert = {
            "status": kind, "labels": {"alertname": "CheckoutErrors", "service": "checkout", "severity": "critical"},
            "annotations": {"summary": "Checkout answers with errors", "description": "5xx {{ over }} 20 %"},
            "startsAt": z(at if kind == "firing" else ago(600, at)),
            "endsAt": "0001-01-01T00:00:00Z" if kind == "firing" else z(at),
            "generatorURL": "/graph?g0.expr=up", "fingerprint": "00aa11bb22cc33dd",
        }  # fmt: skip
        return {
            "version": "4", "groupKey": '{}:{alertname="' + ref + '"}', "truncatedAlerts": 0, "status": kind,
            "receiver": "dispatcher", "groupLabels": {"alertname": "CheckoutErrors"}, "commonLabels": alert["labels"],
            "commonAnnotations": alert["annotations"], "externalURL": "https://alerts.example.net/", "alerts": [alert],
        } | more  # fmt: skip

    def opened(self, ref, at):
        return self.group("firing", ref, at)

    def resolved(self, ref, at):
        return self.group("resolved", ref, at)

    def without_effect(self):
        return [(self.group("dreaming", "A", NOW), {})]


class Grafana(Alertmanager):
    name = "grafana"
    settings: ClassVar = {"timestamp_header": "X-Grafana-Timestamp"}
    stamped = True

    def group(self, kind, ref, at, **more):
        return super().group(kind, ref, at, title="[FIRING:1]", state="alerting", message="text", orgId=1, **more)

    def without_effect(self):
        test = self.group("firing", "T", NOW, commonLabels={"alertname": "TestAlert", "instance": "Grafana"})
        return [*super().without_effect(), (test, {}), ({"state": "dreaming", "ruleId": 1}, {})]

    def not_resolved(self, ref, at):
        return [{"state": state, "ruleId": ref, "ruleName": "Old"} for state in ("no_data", "paused", "pending")]

    def sign(self, body, at, key):
        stamp = str(int(at.timestamp()))
        return {
            "x-grafana-timestamp": stamp,
            "x-grafana-alerting-signature": hexed(stamp.encode() + b":" + body, key),
        }


class GrafanaOnCall(Sample):
    name = "grafana_oncall"

    def event(self, kind, ref, at, state="firing"):
        return {
            "event": {"type": kind, "time": at.isoformat()}, "alert_group_id": ref, "user": {"username": "on-call"},
            "alert_group": {
                "id": ref, "state": state, "title": "Checkout answers with errors", "labels": {"severity": "critical"},
                "permalinks": {"web": "https://grafana.example.net/a/oncall/1"},
            },
            "alert_payload": {"labels": {"service": "checkout"}, "status": "firing"},
            "integration": {"name": "Shop"},
        }  # fmt: skip

    def opened(self, ref, at):
        return self.event("alert group created", ref, at)

    def resolved(self, ref, at):
        return self.event("resolve", ref, at, "resolved")

    def updated(self, ref, at):
        return self.event("unacknowledge", ref, at)

    def not_resolved(self, ref, at):
        return [self.event(kind, ref, at) for kind in ("silence", "unsilence", "acknowledge", "escalation")]

    def without_effect(self):
        return [(self.event("sing", "A", NOW), {}), (self.event("status change", "A", NOW, "dreaming"), {})]


class Datadog(Sample):
    name = "datadog"

    def event(self, transition, ref, at, **more):
        return {
            "id": str(ms(at)), "title": f"[{transition} on {{host:web-1}}] Checkout answers with errors",
            "body": "%%%\n@webhook-shop\nErrors over 20 %\n%%%", "alert_transition": transition, "monitor_id": ref,
            "scopes": "host:web-1", "severity": "P1", "date": str(ms(at)), "last_updated": str(ms(at)),
            "tags": "env:prod,service:checkout,region:eu", "url": "https://app.example.net/event?id=1",
        } | more  # fmt: skip

    def opened(self, ref, at):
        return self.event("Triggered", ref, at)

    def resolved(self, ref, at):
        return self.event("Recovered", ref, at)

    def not_resolved(self, ref, at):
        return [self.event(word, ref, at) for word in ("No Data", "Warn", "Re-Triggered")]

    def without_effect(self):
        return [
            (self.event("Dreamt", "A", NOW), {}),
            (self.event("Triggered", "A", NOW, title="[Triggered] [TEST] x"), {}),
        ]
