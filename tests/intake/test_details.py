"""What only one tool does."""

import base64
import dataclasses
import json

import pytest
from pydantic import ValidationError

from dispatcher.errors import BadSignature, ConfigurationError
from dispatcher.intake import tool
from dispatcher.intake.cloudevents import UnknownFormat
from dispatcher.intake.reading import Unreadable
from dispatcher.model.incident import Visibility
from dispatcher.model.signal import SignalKind as K
from tests.intake.samples import NOW, ago, hexed
from tests.intake.table import SAMPLES


def read(name, payload, **settings):
    (signal,) = SAMPLES[name].parse(payload, **settings)
    return signal


def test_a_tool_that_is_not_there():
    with pytest.raises(ConfigurationError, match="smoke-signals"):
        tool.load("smoke-signals")


# --- PagerDuty, Opsgenie


def test_a_status_update_of_pagerduty_is_about_the_incident_inside():
    data = {"incident": {"id": "PX", "summary": "Checkout"}, "id": "U1", "message": "We look.", "type": "x"}
    post = {"event": {"id": "E", "event_type": "incident.status_update_published", "occurred_at": "x", "data": data}}
    signal = read("pagerduty", post)
    assert (signal.kind, signal.external_id, signal.text) == (K.STATUS_UPDATE, "PX", "We look.")


def test_without_a_priority_the_urgency_counts():
    post = SAMPLES["pagerduty"].event("incident.triggered", "P1", NOW, priority=None, urgency="low")
    assert read("pagerduty", post).severity_raw == "low"


def test_a_priority_of_opsgenie_may_be_a_number():
    assert read("opsgenie", SAMPLES["opsgenie"].action("Create", "A", NOW, priority=3)).severity_raw == "P3"
    assert read("opsgenie", SAMPLES["opsgenie"].action("Create", "A", NOW, priority="P3")).severity_raw == "P3"


# --- Alertmanager and Grafana


def test_a_group_of_alerts_is_one_signal_with_the_worst_severity():
    post = SAMPLES["alertmanager"].opened("R", NOW)
    quiet = {"status": "resolved", "labels": {"severity": "critical", "service": "login"}, "startsAt": "x"}
    loud = {
        "status": "firing",
        "labels": {"severity": "warning", "service": "search"},
        "startsAt": "2026-03-01T11:00:00Z",
    }
    louder = {
        "status": "firing",
        "labels": {"severity": "error", "job": "checkout"},
        "startsAt": "2026-03-01T11:30:00Z",
    }
    signal = read("alertmanager", post | {"alerts": [quiet, loud, louder], "commonLabels": {}, "commonAnnotations": {}})
    assert (signal.severity_raw, signal.services) == ("error", ("search", "checkout"))
    assert signal.occurred_at.hour == 11
    assert signal.occurred_at.minute == 30


def test_relative_links_of_alerts_lead_to_their_sender():
    assert (
        read("alertmanager", SAMPLES["alertmanager"].opened("R", NOW)).url
        == "https://alerts.example.net/graph?g0.expr=up"
    )


def test_grafana_without_a_timestamp_header_signs_the_body_alone():
    sample = SAMPLES["grafana"]
    request = sample.request(sample.opened("R", NOW))
    reader = sample.reader(timestamp_header="", signature_header="X-Own")
    reader.verify(dataclasses.replace(request, headers={"x-own": hexed(request.body)}), [sample.secret()])
    with pytest.raises(BadSignature):
        reader.verify(request, [sample.secret()])


def test_grafana_before_version_9():
    signal = read(
        "grafana", {"state": "alerting", "ruleId": 7, "ruleName": "Checkout", "ruleUrl": "/x", "message": "m"}
    )
    assert (signal.kind, signal.external_id, signal.title, signal.url) == (K.OPENED, "7", "Checkout", "")


def test_oncall_is_read_by_its_event_and_its_group():
    sample = SAMPLES["grafana_oncall"]
    assert read("grafana_oncall", sample.event("status change", "A", NOW, "resolved")).kind is K.RESOLVED
    assert read("grafana_oncall", sample.event("unresolve", "A", NOW)).kind is K.REOPENED


# --- Statuspage, incident.io, FireHydrant, Rootly


def test_a_component_of_a_page():
    change = {"old_status": "operational", "new_status": "major_outage", "component_id": "c1", "id": "x1"}
    post = {"page": {"id": "p"}, "component_update": change, "component": {"id": "c1", "name": "Payments"}}
    signal = read("statuspage", post)
    assert (signal.kind, signal.external_id, signal.severity_raw) == (K.OPENED, "component:c1", "critical")
    back = read("statuspage", post | {"component_update": change | {"new_status": "operational"}})
    assert (back.kind, back.external_id) == (K.RESOLVED, "component:c1")


def test_incident_io_nests_and_wraps():
    sample = SAMPLES["incidentio"]
    whole = sample.resolved("I", NOW)
    name = whole["event_type"]
    wrapped = {"type": name, "data": whole[name], "timestamp": "x"}
    assert read("incidentio", wrapped).kind is K.RESOLVED
    declined = sample.event("public_incident.incident_updated_v2", "I", NOW, "declined")
    assert read("incidentio", declined).kind is K.CANCELLED
    alert = {
        "event_type": "public_alert.alert_resolved_v1",
        "public_alert.alert_resolved_v1": {"id": "A", "title": "x"},
    }
    assert (read("incidentio", alert).kind, read("incidentio", alert).external_id) == (K.RESOLVED, "alert:A")
    assert read("incidentio", sample.event(name, "I", NOW, visibility="private")).visibility is Visibility.PRIVATE


def test_mitigated_is_told_apart():
    assert read("firehydrant", SAMPLES["firehydrant"].event("UPDATED", "mitigated", "F", NOW)).kind is K.MITIGATED
    assert read("rootly", SAMPLES["rootly"].event("incident.mitigated", "R", NOW)).kind is K.MITIGATED
    assert read("statuspage", SAMPLES["statuspage"].incident("monitoring", "S", NOW)).kind is K.MITIGATED


def test_a_line_of_rootly_s_timeline_is_outward_or_a_note():
    def item(seen):
        return SAMPLES["rootly"].event("incident_event.created", "E", NOW, incident_id="R", visibility=seen, event="Hi")

    assert (read("rootly", item("external")).kind, read("rootly", item("internal")).kind) == (K.STATUS_UPDATE, K.NOTED)
    assert read("rootly", item("external")).external_id == "R"


def test_a_severity_may_be_words_or_an_object():
    for severity in ("SEV2", {"slug": "SEV2"}):
        assert (
            read(
                "firehydrant", SAMPLES["firehydrant"].event("CREATED", "started", "F", NOW, severity=severity)
            ).severity_raw
            == "SEV2"
        )


# --- Datadog, ServiceNow, Sentry, GitHub


def test_the_default_body_of_datadog_tells_its_state_in_the_title():
    post = {"id": "1", "title": "[Triggered] Checkout answers with errors", "date": "1772366400000", "body": "x"}
    signal = read("datadog", post)
    assert (signal.kind, signal.title, signal.occurred_at) == (K.OPENED, "Checkout answers with errors", NOW)
    over = read("datadog", post | {"id": "2", "title": "[Recovered] Checkout answers with errors"})
    assert (over.kind, over.external_id) == (K.RESOLVED, signal.external_id)


def test_servicenow_in_camel_case_under_a_wrapper_in_its_own_zone():
    record = {
        "sysId": "S1",
        "number": "INC1",
        "shortDescription": "Checkout",
        "state": {"value": "6"},
        "sysUpdatedOn": "2026-07-01 12:00:00",
    }
    signal = read("servicenow", {"record": record}, time_zone="Europe/London")
    assert (signal.kind, signal.external_ref, signal.title, signal.occurred_at.hour) == (
        K.RESOLVED,
        "INC1",
        "Checkout",
        11,
    )


def test_alerts_of_sentry():
    sample = SAMPLES["sentry"]
    event = {
        "action": "triggered",
        "data": {"event": {"event_id": "e", "issue_url": "https://s.example.net/issues/42/", "title": "T"}},
    }
    request = dataclasses.replace(sample.request(event), headers={"sentry-hook-resource": "event_alert"})
    assert sample.reader().parse(request)[0].external_id == "42"
    metric = {"action": "critical", "data": {"metric_alert": {"id": 9}, "description_title": "Slow"}}
    request = dataclasses.replace(sample.request(metric), headers={})
    (signal,) = sample.reader().parse(request)
    assert (signal.kind, signal.external_id, signal.severity_raw) == (K.OPENED, "metric:9", "critical")


def test_a_second_resolve_in_sentry_is_a_new_one_even_without_an_id():
    sample = SAMPLES["sentry"]
    request = sample.request(sample.resolved("S", ago(60)))
    found = set()
    for second in ("100", "160"):
        headers = {"sentry-hook-resource": "issue", "sentry-hook-timestamp": second}
        found.add(sample.reader().parse(dataclasses.replace(request, headers=headers))[0].delivery_id)
    assert len(found) == 2


def test_labels_of_an_issue_name_its_severity():
    assert read("github", SAMPLES["github"].opened("R7", NOW)).severity_raw == "critical"


# --- CloudEvents and whatever posts JSON


def cloud(headers, body, **settings):
    sample = SAMPLES["cloudevents"]
    request = dataclasses.replace(sample.request({}, body=body), headers=headers)
    return sample.reader(**settings).parse(request)


def test_cloudevents_in_a_batch_are_judged_alone():
    sample = SAMPLES["cloudevents"]
    batch = [sample.opened("A", NOW), sample.resolved("B", NOW), sample.event("sung", "C", NOW)]
    found = cloud({"content-type": "application/cloudevents-batch+json"}, json.dumps(batch).encode())
    assert [(one.kind, one.external_id) for one in found] == [(K.OPENED, "A"), (K.RESOLVED, "B"), (K.IGNORED, "")]


def test_cloudevents_in_binary_mode():
    headers = {
        "ce-specversion": "1.0",
        "ce-id": "1",
        "ce-source": "/s%20x",
        "ce-type": "incident.opened",
        "ce-time": "2026-03-01T12:00:00Z",
        "content-type": "application/json",
    }
    (signal,) = cloud(headers, b'{"incident_id": "A"}')
    assert (signal.kind, signal.external_id, signal.delivery_id) == (K.OPENED, "A", "/s x 1")


def test_cloudevents_with_data_in_base64():
    event = SAMPLES["cloudevents"].opened("A", NOW)
    hidden = base64.b64encode(json.dumps(event.pop("data")).encode()).decode()
    (signal,) = cloud(
        {"content-type": "application/cloudevents+json"}, json.dumps(event | {"data_base64": hidden}).encode()
    )
    assert signal.external_id == "A"


def test_an_event_format_that_is_not_json():
    with pytest.raises(UnknownFormat):
        cloud({"content-type": "application/cloudevents+avro"}, b"x")
    for bad in (b"{}", b'{"specversion":"1.0","id":"","source":"/","type":"x"}', b"[]", b"[7]"):
        with pytest.raises(Unreadable):
            cloud({"content-type": "application/cloudevents+json"}, bad)


def test_cloudevents_by_agreement():
    event = SAMPLES["cloudevents"].opened("A", NOW) | {
        "type": "shop.broken",
        "subject": "S",
        "data": {"deep": {"n": "D"}},
    }
    (signal,) = cloud(
        {}, json.dumps(event).encode(), kinds={"shop.broken": "opened"}, fields={"external_id": "data.deep.n"}
    )
    assert (signal.kind, signal.external_id) == (K.OPENED, "D")


def test_an_access_token_in_the_query():
    sample = SAMPLES["cloudevents"]
    request = sample.request(sample.opened("A", NOW))
    asked = dataclasses.replace(request, headers={}, url=f"{request.url}?access_token={sample.value}")
    sample.reader().verify(asked, [sample.secret()])
    twice = dataclasses.replace(asked, url=f"{asked.url}&access_token=x")
    with pytest.raises(BadSignature):
        sample.reader().verify(twice, [sample.secret()])


def test_a_sender_that_asks_first_is_told():
    reader = SAMPLES["cloudevents"].reader(per_second=2)
    told = reader.greet({"webhook-request-origin": "events.example.net"})
    assert (told["WebHook-Allowed-Origin"], told["WebHook-Allowed-Rate"]) == ("events.example.net", "120")
    assert reader.greet({}) == {}
    assert reader.greet({"webhook-request-origin": "a\r\nb"}) == {}


def test_generic_reads_by_jmespath_and_several_events():
    post = {"items": [{"ref": 1, "what": "kaputt", "sev": "red"}, {"ref": 2, "what": "heil"}, {"ref": 3, "what": "?"}]}
    settings = {
        "each": "items", "kinds": {"kaputt": "opened", "heil": "resolved"},
        "fields": {"external_id": "ref", "kind": "what", "severity": "sev"},
    }  # fmt: skip
    found = SAMPLES["generic"].parse(post, **settings)
    assert [(one.kind, one.external_id) for one in found] == [(K.OPENED, "1"), (K.RESOLVED, "2"), (K.IGNORED, "")]


def test_generic_by_signature():
    sample = SAMPLES["generic"]
    request = sample.request(sample.opened("A", NOW))
    reader = sample.reader(signature_header="X-Sig", signature_prefix="sha256=")
    secret = tool.Secret(tool.SecretForm.KEY, b"k" * 30)
    signature = hexed(request.body, "k" * 30)
    reader.verify(dataclasses.replace(request, headers={"x-sig": f"sha256={signature}"}), [secret])
    with pytest.raises(BadSignature):
        reader.verify(dataclasses.replace(request, headers={"x-sig": signature}), [secret])


@pytest.mark.parametrize(
    "wrong",
    [{"each": "a["}, {"fields": {"title": "("}}, {"kinds": {"x": "sung"}}, {"time_zone": "Mars/X"}, {"novel": 1}],
)
def test_wrong_settings_of_a_source_are_told(wrong):
    with pytest.raises(ValidationError):
        tool.load("generic").Settings.model_validate(wrong)
