"""SNS: whose certificate is believed, what is confirmed, and what never is (R16)."""

import asyncio
import datetime as dt
import json

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from dispatcher.errors import BadSignature
from dispatcher.intake import aws_sns
from dispatcher.intake.reading import Unreadable
from dispatcher.model.event import WebhookRequest
from dispatcher.model.signal import SignalKind
from tests.intake.cloud_samples import CERTIFICATE_AT, TOPIC, AwsSns, certificate, sns_signed
from tests.intake.samples import NOW

SAMPLE = AwsSns()


def fresh(**settings):
    return aws_sns.AwsSns(aws_sns.SnsSettings(**{"topics": [TOPIC], **settings}))


def post(message, at=NOW):
    return WebhookRequest("POST", "", {"content-type": "text/plain"}, json.dumps(message).encode(), at)


def asking(answers):
    asked = []

    async def ask(address):
        asked.append(address)
        return answers[address]

    return ask, asked


def proved(reader, message, pem=None, at=NOW):
    ask, asked = asking({CERTIFICATE_AT: pem or certificate()})
    asyncio.run(reader.prepare(post(message, at), ask))
    reader.verify(post(message, at), [])
    return asked


@pytest.mark.parametrize("version", ["1", "2"])
def test_both_versions_of_the_signature(version):
    proved(fresh(), SAMPLE.message("x", NOW, SignatureVersion=version))


def test_a_certificate_is_fetched_once():
    reader = fresh()
    assert proved(reader, SAMPLE.opened("a", NOW)) == [CERTIFICATE_AT]
    assert proved(reader, SAMPLE.resolved("a", NOW)) == []
    assert proved(reader, SAMPLE.opened("b", NOW + dt.timedelta(days=2)), at=NOW + dt.timedelta(days=2)) == [
        CERTIFICATE_AT
    ]


@pytest.mark.parametrize(
    "address",
    [
        "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem",
        "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-a.pem",
        "https://sns.x.s3.amazonaws.com/SimpleNotificationService-a.pem",
        "https://evil.example/sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-a.pem",
        "https://sns.eu-west-1.amazonaws.com.cn/SimpleNotificationService-a.pem",
        "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-a.pem",
        "https://u:p@sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem?x=1",
        "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem#x",
        "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-a.pem",
        "https://sns.eu-west-1.amazonaws.com/bucket/SimpleNotificationService-a.pem",
        "https://sns.eu-west-1.amazonaws.com/other.pem",
        "https://sns.eu-west-1.amazonaws.com\\@evil.example/SimpleNotificationService-a.pem",
        "https://127.0.0.1/SimpleNotificationService-a.pem", "https://[bad/SimpleNotificationService-a.pem", "",
        "x" * 3000,
    ],
)  # fmt: skip
def test_no_certificate_is_fetched_from_elsewhere(address):
    ask, asked = asking({})
    message = sns_signed(SAMPLE.message("x", NOW) | {"SigningCertURL": address})
    with pytest.raises(BadSignature):
        asyncio.run(fresh().prepare(post(message), ask))
    assert asked == []


def test_china_has_its_own_hosts():
    message = {"TopicArn": "arn:aws-cn:sns:cn-north-1:000000000000:t"}
    pinned = "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-a.pem"
    assert aws_sns.certificate_address(message | {"SigningCertURL": pinned}) == pinned
    with pytest.raises(BadSignature):
        aws_sns.certificate_address(message | {"SigningCertURL": pinned.replace(".cn/", "/")})


@pytest.mark.parametrize("topics", [[], ["arn:aws:sns:eu-west-1:000000000000:another"]])
def test_a_topic_that_nobody_expects_is_refused_before_anything_is_fetched(topics):
    ask, asked = asking({CERTIFICATE_AT: certificate()})
    with pytest.raises(BadSignature):
        asyncio.run(fresh(topics=topics).prepare(post(SAMPLE.opened("a", NOW)), ask))
    assert asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"Message": "other"}, {"MessageId": "other"}, {"Subject": "other"}, {"Timestamp": "2026-03-01T12:00:01.000Z"},
        {"Type": "UnsubscribeConfirmation"}, {"Type": "Novel"}, {"SignatureVersion": "3"}, {"SignatureVersion": "1"},
        {"Signature": "AAAA"}, {"Signature": "?"}, {"Signature": None}, {"Subject": None}, {"Timestamp": None},
    ],
    ids=str,
)  # fmt: skip
def test_a_changed_message_is_refused(change):
    with pytest.raises(BadSignature):
        proved(fresh(), SAMPLE.opened("a", NOW) | change)


def test_old_messages_and_strange_certificates_are_refused():
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    over = certificate(begins=NOW - dt.timedelta(days=9), ends=NOW - dt.timedelta(days=1))
    for message, pem, at in (
        (SAMPLE.opened("a", NOW - dt.timedelta(hours=25)), None, NOW),
        (SAMPLE.opened("a", NOW), certificate(other), NOW),
        (SAMPLE.opened("a", NOW), over, NOW),
        (SAMPLE.opened("a", NOW), b"no certificate", NOW),
    ):
        with pytest.raises(BadSignature):
            proved(fresh(), message, pem, at)


LINK = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=abc"


def test_a_confirmation_is_given_where_confirmations_are_given():
    message = SAMPLE.message("You may.", NOW, Type="SubscriptionConfirmation", Token="abc", SubscribeURL=LINK)
    ask, asked = asking({LINK: b"<xml/>"})
    asyncio.run(fresh().confirm(post(message), ask))
    assert asked == [LINK]
    asyncio.run(fresh().confirm(post(SAMPLE.opened("a", NOW)), ask))
    assert asked == [LINK]


@pytest.mark.parametrize(
    "address",
    [
        LINK.replace("https", "http"), LINK.replace("sns.eu", "evil.eu"), LINK.replace(".com/", ".com.evil.example/"),
        LINK.replace("ConfirmSubscription", "DeleteTopic"), LINK.replace("shop-alarms", "another"), "",
        "http://127.0.0.1/",
        LINK.replace("/?", "/admin?"), f"{LINK}&Action=DeleteTopic",
    ],
)  # fmt: skip
def test_nothing_else_is_ever_followed(address):
    message = SAMPLE.message("You may.", NOW, Type="SubscriptionConfirmation", Token="abc", SubscribeURL=address)
    ask, asked = asking({})
    with pytest.raises(BadSignature):
        asyncio.run(fresh().confirm(post(message), ask))
    assert asked == []


def test_an_eventbridge_event_may_come_in_a_message():
    from tests.intake.cloud_samples import Health

    (signal,) = fresh().parse(post(SAMPLE.message(Health().event("open", "X", NOW), NOW)))
    assert (signal.kind, signal.services, signal.regions) == (SignalKind.OPENED, ("EC2",), ("eu-west-1",))
    with pytest.raises(Unreadable):
        fresh().parse(post(SAMPLE.message("{broken", NOW)))
