"""Samples of tools in which people work on incidents. Every name, id and word is invented."""

import base64
import hashlib
import hmac
from typing import ClassVar

from tests.intake.samples import NOW, Sample, ago, hexed, ms, z


class Statuspage(Sample):
    name = "statuspage"

    def incident(self, state, ref, at, **more):
        update = {
            "id": f"u{ms(at)}",
            "status": state,
            "body": "We look into it.",
            "created_at": z(at),
            "updated_at": z(at),
        }
        about = {
            "id": ref, "name": "Payments are slow", "status": state, "impact": "critical",
            "shortlink": "https://stspg.example.net/1", "created_at": z(ago(900, at)), "updated_at": z(at),
            "incident_updates": [update], "components": [{"id": "c1", "name": "Payments"}],
        }  # fmt: skip
        return {
            "meta": {"unsubscribe": "https://page.example.net/?unsubscribe=abc"},
            "page": {"id": "p1"},
            "incident": about | more,
        }

    def opened(self, ref, at):
        return self.incident("investigating", ref, at)

    def resolved(self, ref, at):
        return self.incident("resolved", ref, at)

    def updated(self, ref, at):
        return self.incident("identified", ref, at)

    def not_resolved(self, ref, at):
        return [self.incident("monitoring", ref, at)]

    def without_effect(self):
        change = {"old_status": "operational", "new_status": "under_maintenance", "component_id": "c1"}
        return [
            (self.incident("scheduled", "m1", NOW), {}),
            (self.incident("completed", "m1", NOW), {}),
            ({"page": {"id": "p1"}, "component_update": change, "component": {"id": "c1"}}, {}),
        ]


class IncidentIo(Sample):
    name, stamped, many_signatures = "incidentio", True, True

    def event(self, kind, ref, at, category="live", **more):
        about = {
            "id": ref, "reference": "INC-7", "name": "Checkout answers with errors", "summary": "Errors since noon.",
            "severity": {"name": "Critical", "rank": 3}, "incident_status": {"category": category, "name": "Fixing"},
            "mode": "standard", "visibility": "public", "permalink": "https://app.example.net/incidents/7",
            "created_at": z(ago(900, at)), "updated_at": z(at), "incident_type": {"name": "Outage"},
        } | more  # fmt: skip
        inner = {"incident": about, "new_status": about["incident_status"], "message": "On it."}
        return {"event_type": kind, kind: inner if "status_updated" in kind else about}

    def opened(self, ref, at):
        return self.event("public_incident.incident_created_v2", ref, at)

    def resolved(self, ref, at):
        return self.event("public_incident.incident_status_updated_v2", ref, at, "closed")

    def updated(self, ref, at):
        return self.event("public_incident.incident_updated_v2", ref, at)

    def not_resolved(self, ref, at):
        return [self.event("public_incident.incident_updated_v2", ref, at, c) for c in ("triage", "paused", "novel")]

    def without_effect(self):
        test = self.event("public_incident.incident_created_v2", "T", NOW, mode="test")
        return [(test, {}), ({"event_type": "public_incident.follow_up_created_v1", "x": {}}, {})]

    @property
    def private_payload(self):
        return {
            "event_type": "private_incident.incident_created_v2",
            "private_incident.incident_created_v2": {"id": "S1"},
        }

    def sign(self, body, at, key):
        stamp = str(int(at.timestamp()))
        number = f"msg_{hashlib.sha256(body).hexdigest()[:20]}"
        digest = hmac.new(key.encode(), f"{number}.{stamp}.".encode() + body, hashlib.sha256).digest()
        listed = f"v1a,AAAA v1,{base64.b64encode(b'wrong').decode()} v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": number, "webhook-timestamp": stamp, "webhook-signature": listed}


class FireHydrant(Sample):
    name = "firehydrant"

    def event(self, operation, milestone, ref, at, **more):
        about = {
            "id": ref, "number": 42, "name": "Checkout answers with errors", "summary": "Errors since noon.",
            "customer_impact_summary": "People cannot pay.", "current_milestone": milestone,
            "severity": {"slug": "SEV1", "description": "Critical"}, "priority": "P1",
            "updated_at": at.strftime("%Y-%m-%d %H:%M:%S +0000"), "services": [{"name": "checkout"}],
        } | more  # fmt: skip
        return {"data": {"incident": about}, "event": {"operation": operation, "resource_type": "incident"}}

    def opened(self, ref, at):
        return self.event("CREATED", "started", ref, at)

    def resolved(self, ref, at):
        return self.event("UPDATED", "resolved", ref, at)

    def updated(self, ref, at):
        return self.event("UPDATED", "identified", ref, at)

    def not_resolved(self, ref, at):
        return [self.event("UPDATED", milestone, ref, at) for milestone in ("mitigated", "acknowledged", "novel")]

    def without_effect(self):
        other = {"data": {}, "event": {"operation": "CREATED", "resource_type": "change_event"}}
        return [(other, {}), ({"event": {"operation": "DREAMT", "resource_type": "incident"}}, {})]

    @property
    def private_payload(self):
        return self.event("CREATED", "started", "S1", NOW, private=True)

    def sign(self, body, at, key):
        return {"fh-signature": hexed(body, key)}


class Rootly(Sample):
    name, stamped, many_signatures = "rootly", True, True

    def event(self, kind, ref, at, **more):
        about = {
            "id": ref, "sequential_id": 7, "title": "Checkout answers with errors", "summary": "Errors since noon.",
            "severity": {"slug": "sev1"}, "services": [{"name": "checkout"}], "url": "https://rootly.example.net/7",
            "private": False, "status": "started",
        } | more  # fmt: skip
        return {"event": {"id": f"evt-{kind}-{ref}-{ms(at)}", "type": kind, "issued_at": z(at)}, "data": about}

    def opened(self, ref, at):
        return self.event("incident.created", ref, at)

    def resolved(self, ref, at):
        return self.event("incident.resolved", ref, at)

    def updated(self, ref, at):
        return self.event("incident.updated", ref, at)

    def not_resolved(self, ref, at):
        item = self.event("incident_event.created", ref, at, incident_id=ref, visibility="internal")
        return [self.event("incident.mitigated", ref, at), item]

    def without_effect(self):
        kinds = ("incident.scheduled.created", "pulse.created", "incident.sung")
        return [(self.event(kind, "A", NOW), {}) for kind in kinds]

    @property
    def private_payload(self):
        return self.event("incident.created", "S1", NOW, private="true")

    def sign(self, body, at, key):
        stamp = str(int(at.timestamp()))
        return {"x-rootly-signature": f"t={stamp},v1={'0' * 64},v1={hexed(stamp.encode() + body, key)}"}


class ServiceNow(Sample):
    name = "servicenow"

    def record(self, state, ref, at, **more):
        return {
            "sys_id": ref, "number": "INC0077", "short_description": "Checkout answers with errors", "state": state,
            "impact": "1", "urgency": "1", "priority": "1", "category": "checkout",
            "sys_created_on": f"{ago(900, at):%Y-%m-%d %H:%M:%S}", "sys_updated_on": f"{at:%Y-%m-%d %H:%M:%S}",
        } | more  # fmt: skip

    def opened(self, ref, at):
        return self.record("1", ref, at)

    def resolved(self, ref, at):
        return self.record(6, ref, at)

    def updated(self, ref, at):
        return self.record("3", ref, at)

    def not_resolved(self, ref, at):
        return [self.record(state, ref, at) for state in ("2", "3", "On Hold")]

    def without_effect(self):
        return [(self.record("99", "A", NOW), {}), ({"sys_id": "A"}, {})]


class BetterStack(Sample):
    name = "betterstack"
    settings: ClassVar = {"token_header": "X-Shop-Token"}

    def event(self, kind, ref, at):
        times = {"started_at": z(ago(60, at)), "acknowledged_at": None, "resolved_at": None}
        named = {"started": "started_at", "acknowledged": "acknowledged_at", "resolved": "resolved_at"}.get(kind)
        told = {"name": "checkout", "url": "https://shop.example.com", "cause": "Error 500"} | times
        if named:
            told[named] = z(at)
        monitor = {"monitor": {"data": {"id": "4", "type": "monitor"}}}
        return {"event": kind, "data": {"id": ref, "type": "incident", "attributes": told, "relationships": monitor}}

    def opened(self, ref, at):
        return self.event("started", ref, at)

    def resolved(self, ref, at):
        return self.event("resolved", ref, at)

    def updated(self, ref, at):
        return self.event("acknowledged", ref, at)

    def not_resolved(self, ref, at):
        return [self.event("acknowledged", ref, at)]

    def without_effect(self):
        return [(self.event("sung", "A", NOW), {}), ({"event": "started", "data": {"id": "A", "type": "monitor"}}, {})]

    def sign(self, body, at, key):
        return {"x-shop-token": key}
