"""Samples of clouds, code and whatever speaks JSON. Every name, id and word is invented."""

import base64
import datetime as dt
import hashlib
import json
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from dispatcher.intake import aws_sns
from tests.intake.samples import NOW, Sample, ago, hexed, ms, z


def digest(payload):
    """As a vendor's id of a delivery: the same for the same post."""
    return hashlib.sha256(json.dumps(payload).encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Sentry(Sample):
    name = "sentry"

    def event(self, action, ref, at, level="fatal"):
        about = {
            "id": ref, "shortId": "SHOP-7", "title": "PaymentError: no answer", "culprit": "shop.pay in charge",
            "level": level, "status": "unresolved", "project": {"id": "1", "name": "checkout"}, "permalink": None,
            "firstSeen": z(ago(900, at)), "lastSeen": z(at), "platform": "python",
        }  # fmt: skip
        return {"action": action, "data": {"issue": about}, "actor": {"id": 7, "name": "Somebody"}}

    def opened(self, ref, at):
        return self.event("created", ref, at)

    def resolved(self, ref, at):
        return self.event("resolved", ref, at)

    def updated(self, ref, at):
        return self.event("assigned", ref, at)

    def not_resolved(self, ref, at):
        return [self.event(action, ref, at) for action in ("archived", "ignored", "assigned", "unresolved")]

    def without_effect(self):
        comment = {"action": "created", "data": {"comment": "x"}}
        return [(comment, {"sentry-hook-resource": "comment"}), (self.event("sung", "A", NOW), {})]

    def extra(self, payload):
        return {"sentry-hook-resource": "issue", "request-id": digest(payload)}

    def sign(self, body, at, key):
        return {"sentry-hook-signature": hexed(body, key), "sentry-hook-timestamp": str(int(at.timestamp()))}


class GitHub(Sample):
    name = "github"

    def event(self, action, ref, at):
        about = {
            "number": int(ref.strip("R") or 0), "id": 900, "title": "Checkout answers with errors",
            "html_url": "https://git.example.net/shop/pay/issues/7", "state": "open",
            "labels": [{"name": "incident"}, {"name": "severity: critical"}],
            "created_at": z(ago(900, at)), "updated_at": z(at),
        }  # fmt: skip
        return {"action": action, "issue": about, "repository": {"full_name": "shop/pay", "name": "pay"}}

    def opened(self, ref, at):
        return self.event("opened", ref, at)

    def resolved(self, ref, at):
        return self.event("closed", ref, at)

    def updated(self, ref, at):
        return self.event("edited", ref, at)

    def not_resolved(self, ref, at):
        return [self.event(action, ref, at) for action in ("unlabeled", "assigned", "reopened")]

    def without_effect(self):
        return [
            ({"zen": "x", "hook_id": 1}, {"x-github-event": "ping"}),
            (self.event("pinned", "1", NOW), {}),
            ({"ref": "x"}, {"x-github-event": "push"}),
        ]

    def extra(self, payload):
        return {"x-github-event": "issues", "x-github-delivery": digest(payload)}

    def sign(self, body, at, key):
        return {"x-hub-signature-256": f"sha256={hexed(body, key)}"}


class CloudWatch(Sample):
    name = "aws_cloudwatch"

    def event(self, state, ref, at, **more):
        return {
            "version": "0", "id": f"{state}-{ms(at)}", "detail-type": "CloudWatch Alarm State Change",
            "source": "aws.cloudwatch", "account": "000000000000", "time": z(at), "region": "eu-west-1",
            "resources": [f"arn:aws:cloudwatch:eu-west-1:000000000000:alarm:{ref}"],
            "detail": {
                "alarmName": "CheckoutErrors", "previousState": {"value": "OK"},
                "state": {"value": state, "reason": "Over 20", "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")},
            },
        } | more  # fmt: skip

    def opened(self, ref, at):
        return self.event("ALARM", ref, at)

    def resolved(self, ref, at):
        return self.event("OK", ref, at)

    def not_resolved(self, ref, at):
        return [self.event("INSUFFICIENT_DATA", ref, at)]

    def without_effect(self):
        return [(self.event("OK", "A", NOW, **{"detail-type": "EC2 Instance State-change Notification"}), {})]


class Health(Sample):
    name = "aws_health"

    def event(self, state, ref, at, **more):
        detail = {
            "eventArn": f"arn:aws:health:eu-west-1::event/{ref}", "service": "EC2", "statusCode": state,
            "eventTypeCode": "AWS_EC2_OPERATIONAL_ISSUE", "eventTypeCategory": "issue", "eventRegion": "eu-west-1",
            "startTime": "Sun, 01 Mar 2026 10:00:00 GMT", "lastUpdatedTime": at.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "communicationId": f"{ms(at)}-1", "eventDescription": [{"language": "en_US", "latestDescription": "Slow."}],
        } | more  # fmt: skip
        return {
            "version": "0",
            "id": f"h{ms(at)}",
            "detail-type": "AWS Health Event",
            "source": "aws.health",
            "account": "000000000000",
            "time": z(at),
            "region": "us-east-1",
            "detail": detail,
        }

    def opened(self, ref, at):
        return self.event("open", ref, at)

    def resolved(self, ref, at):
        return self.event("closed", ref, at)

    def without_effect(self):
        kinds = ("scheduledChange", "accountNotification")
        return [(self.event("open", "A", NOW, eventTypeCategory=kind), {}) for kind in kinds]


TOPIC = "arn:aws:sns:eu-west-1:000000000000:shop-alarms"
CERTIFICATE_AT = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"
SNS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key=SNS_KEY, begins=NOW - dt.timedelta(days=30), ends=NOW + dt.timedelta(days=30)):
    """A certificate as the vendor's host would give it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(begins).not_valid_after(ends).sign(key, hashes.SHA256())
    )  # fmt: skip
    return made.public_bytes(serialization.Encoding.PEM)


class AwsSns(Sample):
    name = "aws_sns"
    settings: ClassVar = {"topics": [TOPIC]}

    def message(self, inner, at, **more):
        text = inner if isinstance(inner, str) else json.dumps(inner)
        post = {
            "Type": "Notification", "MessageId": f"m{ms(at)}{len(text)}", "TopicArn": TOPIC, "Subject": "ALARM: x",
            "Message": text, "Timestamp": z(at), "SignatureVersion": "2", "SigningCertURL": CERTIFICATE_AT,
        } | more  # fmt: skip
        return sns_signed(post)

    def alarm(self, state, ref, at):
        return {
            "AlarmName": "CheckoutErrors", "AlarmArn": f"arn:aws:cloudwatch:eu-west-1:000000000000:alarm:{ref}",
            "AWSAccountId": "000000000000", "NewStateValue": state, "OldStateValue": "OK", "Region": "EU (Ireland)",
            "NewStateReason": "Over 20", "StateChangeTime": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
        }  # fmt: skip

    def opened(self, ref, at):
        return self.message(self.alarm("ALARM", ref, at), at)

    def resolved(self, ref, at):
        return self.message(self.alarm("OK", ref, at), at)

    def not_resolved(self, ref, at):
        return [self.message(self.alarm("INSUFFICIENT_DATA", ref, at), at)]

    def without_effect(self):
        asks = {
            "Type": "SubscriptionConfirmation",
            "Token": "t",
            "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/",
        }
        return [(self.message("plain words", NOW), {}), (self.message("You may.", NOW, **asks), {})]

    def sign(self, body, at, key):
        return {"content-type": "text/plain; charset=UTF-8"}

    def reader(self, **more):
        made = super().reader(**more)
        held = x509.load_pem_x509_certificate(certificate())
        made._certificates[CERTIFICATE_AT] = (held, NOW + dt.timedelta(days=400))
        return made

    @property
    def form(self):
        return None

    @property
    def value(self):
        return ""


def sns_signed(post, key=SNS_KEY):
    algorithm = hashes.SHA1() if post["SignatureVersion"] == "1" else hashes.SHA256()
    signature = key.sign(aws_sns.string_to_sign(post), padding.PKCS1v15(), algorithm)
    return post | {"Signature": base64.b64encode(signature).decode()}


class CloudEvents(Sample):
    name = "cloudevents"

    def event(self, kind, ref, at, **data):
        about = {"id": ref, "title": "Checkout answers with errors", "severity": "critical", "services": ["checkout"]}
        return {
            "specversion": "1.0", "id": f"{kind}-{ms(at)}", "source": "/shop", "type": f"com.example.incident.{kind}",
            "time": z(at), "datacontenttype": "application/json", "data": about | data,
        }  # fmt: skip

    def opened(self, ref, at):
        return self.event("opened", ref, at)

    def resolved(self, ref, at):
        return self.event("resolved", ref, at)

    def updated(self, ref, at):
        return self.event("updated", ref, at)

    def not_resolved(self, ref, at):
        return [self.event(kind, ref, at) for kind in ("mitigated", "acknowledged", "noted")]

    def without_effect(self):
        return [(self.event("sung", "A", NOW), {})]

    @property
    def private_payload(self):
        return self.event("opened", "S1", NOW, private=True)

    def extra(self, payload):
        return {"content-type": "application/cloudevents+json; charset=utf-8"}


class Generic(Sample):
    name = "generic"

    def event(self, state, ref, at, **more):
        return {
            "id": ref, "state": state, "title": "Checkout answers with errors", "severity": "critical",
            "services": "checkout, payments", "updated_at": ms(at), "event_id": f"{state}{ms(at)}",
        } | more  # fmt: skip

    def opened(self, ref, at):
        return self.event("open", ref, at)

    def resolved(self, ref, at):
        return self.event("closed", ref, at)

    def updated(self, ref, at):
        return self.event("updated", ref, at)

    def not_resolved(self, ref, at):
        return [self.event(state, ref, at) for state in ("acknowledged", "monitoring", "noted")]

    def without_effect(self):
        return [(self.event("dreaming", "A", NOW), {}), ({"x": 1}, {})]

    @property
    def private_payload(self):
        return self.event("open", "S1", NOW, is_private="True")
