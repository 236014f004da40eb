"""Every tool and its sample."""

from tests.intake import alert_samples as alerts
from tests.intake import cloud_samples as clouds
from tests.intake import incident_samples as incidents

_CLASSES = (
    alerts.PagerDuty, alerts.Opsgenie, alerts.Alertmanager, alerts.Grafana, alerts.GrafanaOnCall, alerts.Datadog,
    incidents.Statuspage, incidents.IncidentIo, incidents.FireHydrant, incidents.Rootly, incidents.ServiceNow,
    incidents.BetterStack, clouds.Sentry, clouds.GitHub, clouds.CloudWatch, clouds.Health, clouds.AwsSns,
    clouds.CloudEvents, clouds.Generic,
)  # fmt: skip
SAMPLES = {sample.name: sample() for sample in _CLASSES}
