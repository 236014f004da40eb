"""Amazon SNS over HTTPS: CloudWatch alarms, and EventBridge events that a topic carries.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html (read 2026-11).
Oddities: content type text/plain; proved by a certificate that the message itself names, so its address is pinned to
`sns.<region>.amazonaws.com` of the topic's own region and path, and followed nowhere else (a check of the suffix alone
would let `sns.x.s3.amazonaws.com` through); signature version 1 is SHA-1, version 2 SHA-256; the first post asks for a
confirmation, which is given for expected topics only; retries within the hour.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from pydantic import Field

from dispatcher.errors import BadSignature
from dispatcher.intake import aws_events
from dispatcher.intake.reading import an_object, identifier, line, mapping, moment, payload, plain, word
from dispatcher.intake.tool import Ask, Secret, SecretForm, ToolSettings
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import Signal, SignalKind

NOTIFICATION, SUBSCRIBE, UNSUBSCRIBED = "Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"
SIGNED: Mapping[str, Sequence[str]] = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    SUBSCRIBE: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    UNSUBSCRIBED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
OLDEST = timedelta(hours=24)
KEPT = timedelta(hours=24)
"""How long a certificate is used before it is fetched again."""
_TOPIC = re.compile(r"arn:(aws|aws-cn|aws-us-gov):sns:([a-z0-9-]{4,30}):\d{1,20}:[A-Za-z0-9_.-]{1,256}")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[A-Za-z0-9]{1,64}\.pem")
_HASHES: Mapping[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - the vendor's


class SnsSettings(ToolSettings):
    """`topics` are the ARNs that may post here. Without one everything is refused."""

    topics: tuple[str, ...] = Field(default=(), max_length=50)


class AwsSns:
    """Messages of expected topics."""

    name: ClassVar[str] = "aws_sns"
    title: ClassVar[str] = "Amazon SNS"
    signs: ClassVar[str] = "RSA by a certificate of sns.<region>.amazonaws.com; the topic must be one of `topics`."
    forms: ClassVar[tuple[SecretForm, ...]] = ()
    Settings: ClassVar[type[ToolSettings]] = SnsSettings

    def __init__(self, settings: ToolSettings) -> None:
        self.settings = settings if isinstance(settings, SnsSettings) else SnsSettings()
        self._certificates: dict[str, tuple[x509.Certificate, datetime]] = {}

    async def prepare(self, request: WebhookRequest, ask: Ask) -> None:
        """Fetch the certificate that an expected topic names, unless it is at hand."""
        message = _message(request)
        self._require_expected(message)
        address = certificate_address(message)
        if self._at_hand(address, request.received_at) is None:
            certificate = _read_certificate(await ask(address))
            if len(self._certificates) >= 16:
                self._certificates.clear()
            self._certificates[address] = (certificate, request.received_at + KEPT)

    def verify(self, request: WebhookRequest, secrets: Sequence[Secret]) -> None:
        """An expected topic, a recent message, a certificate in its time, and its signature."""
        message = _message(request)
        self._require_expected(message)
        sent = moment(message.get("Timestamp"))
        if sent is None or abs(request.received_at - sent) > OLDEST:
            raise BadSignature("The message is too old, or bears no time.")
        certificate = self._at_hand(certificate_address(message), request.received_at)
        if certificate is None:
            raise BadSignature("The certificate is not at hand.")
        _require_valid(certificate, request.received_at)
        _require_signed(certificate, message)

    def parse(self, request: WebhookRequest) -> Sequence[Signal]:
        """One signal: an alarm or an EventBridge event; any other message is ignored."""
        post = an_object(request.body)
        delivery = identifier(post.get("MessageId"))
        kind = word(post.get("Type"))
        if kind in (SUBSCRIBE, UNSUBSCRIBED):
            return [Signal(SignalKind.TEST, "", kind, delivery)]
        text = plain(post.get("Message"))
        told = mapping(payload(text.encode("utf-8", "replace"))) if text.lstrip().startswith("{") else {}
        if "AlarmName" in told and "NewStateValue" in told:
            return [aws_events.alarm(told, delivery)]
        if "detail-type" in told and isinstance(told.get("detail"), dict):
            return [aws_events.signal(told)]
        return [Signal(SignalKind.IGNORED, "", line(post.get("Subject"), 80) or kind, delivery)]

    async def confirm(self, request: WebhookRequest, ask: Ask) -> None:
        """Follow the confirmation link of a proved message, if it leads where such links lead."""
        message = _message(request)
        if word(message.get("Type")) == SUBSCRIBE:
            await ask(confirmation_address(message))

    def _require_expected(self, message: Mapping[str, Any]) -> None:
        topic = plain(message.get("TopicArn"))
        if not self.settings.topics:
            raise BadSignature("No topic is expected at this source.")
        if topic not in self.settings.topics or not _TOPIC.fullmatch(topic):
            raise BadSignature("The topic is not expected here.")

    def _at_hand(self, address: str, now: datetime) -> x509.Certificate | None:
        held = self._certificates.get(address)
        return held[0] if held and held[1] > now else None


def _message(request: WebhookRequest) -> Mapping[str, Any]:
    return an_object(request.body)


def certificate_address(message: Mapping[str, Any]) -> str:
    """Where the certificate lies; BadSignature unless it is SNS's own host of the topic's region."""
    address = plain(message.get("SigningCertURL"))
    parts = _pinned(address, message)
    if not _CERTIFICATE.fullmatch(parts.path) or parts.query:
        raise BadSignature("The certificate does not lie where SNS keeps its own.")
    return address


def confirmation_address(message: Mapping[str, Any]) -> str:
    """The link that confirms; BadSignature unless it confirms this topic at SNS's own host."""
    address = plain(message.get("SubscribeURL"))
    parts = _pinned(address, message)
    asked = parse_qs(parts.query)
    wanted = {"Action": ["ConfirmSubscription"], "TopicArn": [plain(message.get("TopicArn"))]}
    if parts.path not in ("", "/") or any(asked.get(name) != value for name, value in wanted.items()):
        raise BadSignature("The link does not confirm this topic.")
    return address


def _pinned(address: str, message: Mapping[str, Any]) -> Any:
    found = _TOPIC.fullmatch(plain(message.get("TopicArn")))
    if found is None or len(address) > 2000 or re.search(r"[^\x21-\x7e]", address):
        raise BadSignature("The address is none of SNS.")
    host = f"sns.{found[2]}.amazonaws.com" + (".cn" if found[1] == "aws-cn" else "")
    try:
        parts = urlsplit(address)
    except ValueError:
        raise BadSignature("The address is none of SNS.") from None
    if parts.scheme != "https" or parts.netloc != host or parts.fragment or "\\" in address:
        raise BadSignature("The address is none of SNS in the topic's region.")
    return parts


def string_to_sign(message: Mapping[str, Any]) -> bytes:
    """Name and value on a line each, in the vendor's order; an absent subject is left out."""
    wanted = SIGNED.get(plain(message.get("Type")))
    if wanted is None:
        raise BadSignature("The type of the message is none of SNS.")
    pairs = ((name, message.get(name)) for name in wanted)
    return "".join(f"{name}\n{plain(value)}\n" for name, value in pairs if value is not None).encode("utf-8", "replace")


def _read_certificate(document: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(document)
    except ValueError:
        raise BadSignature("The certificate cannot be read.") from None


def _require_valid(certificate: x509.Certificate, now: datetime) -> None:
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise BadSignature("The certificate is not valid now.")


def _require_signed(certificate: x509.Certificate, message: Mapping[str, Any]) -> None:
    key, algorithm = certificate.public_key(), _HASHES.get(plain(message.get("SignatureVersion")))
    if not isinstance(key, rsa.RSAPublicKey) or algorithm is None:
        raise BadSignature("The signature is of no kind that SNS makes.")
    try:
        shown = base64.b64decode(plain(message.get("Signature")), validate=True)
        key.verify(shown, string_to_sign(message), padding.PKCS1v15(), algorithm)
    except (InvalidSignature, binascii.Error, ValueError):
        raise BadSignature("The signature is wrong.") from None
