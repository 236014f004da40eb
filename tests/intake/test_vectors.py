"""Signatures that the vendors themselves published, and others worked out by their documented rule with openssl."""

import datetime as dt
from pathlib import Path

import pytest

from dispatcher.errors import BadSignature
from dispatcher.intake import tool
from dispatcher.intake.tool import Secret, SecretForm
from dispatcher.model.event import WebhookRequest

PAGERDUTY = (Path(__file__).parent / "vectors/pagerduty.json").read_bytes()
"""From PagerDuty's own Go client (github.com/PagerDuty/go-pagerduty, webhookv3/webhookv3_test.go, Apache-2.0), byte for
byte: another byte is another signature."""
PAGERDUTY_KEY = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"

PUBLISHED = {
    "pagerduty": (
        PAGERDUTY,
        PAGERDUTY_KEY,
        {"x-pagerduty-signature": "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"},
        0,
    ),
    # docs.github.com, "Validating webhook deliveries", testing the webhook payload validation
    "github": (
        b"Hello, World!",
        "It's a Secret to Everybody",
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
        0,
    ),
    # github.com/standard-webhooks/standard-webhooks, tests of its libraries; incident.io signs by this rule
    "incidentio": (
        b'{"test": 2432232314}',
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
        1614265330,
    ),
}
WORKED_OUT = {
    # printf '1767225600{"event":{}}' | openssl dgst -sha256 -hmac a-secret-of-our-own
    "rootly": (
        b'{"event":{}}',
        "a-secret-of-our-own",
        {"x-rootly-signature": "t=1767225600,v1=2bf9bb660b5c2820df36c3f6142eff8f8c75ec6e05bd75f660ea83b9bf5cccda"},
        1767225600,
    ),
    "firehydrant": (
        b'{"data":{}}',
        "a-secret-of-our-own",
        {"fh-signature": "5a7dc7966e58e0cce871e5efc04f548446d887294079c70311d7dfddd052c07a"},
        0,
    ),
    "sentry": (
        b'{"action":"created"}',
        "a-secret-of-our-own",
        {"sentry-hook-signature": "20da21122580c4aeb69c0d19c7ad082bd10be75aee08b92cd4b98651faa65101"},
        0,
    ),
    "grafana": (
        b'{"alerts":[]}',
        "a-secret-of-our-own",
        {"x-grafana-alerting-signature": "4d31fe2866e3631d08a6c02b8bee7aa32813168c76f3220147f309d9736a41af"},
        0,
    ),
    "generic": (
        b'{"id":1}',
        "a-secret-of-our-own",
        {"x-signature": "b995f58d50af4647a20f53b57749021e52f2d6100f4e670134a6a1f042c60111"},
        0,
    ),
}


def request(headers, body, second):
    at = dt.datetime.fromtimestamp(second or 1767225600, dt.UTC)
    return WebhookRequest("POST", "https://alerts.example.com/signals/x/y", headers, body, at)


@pytest.mark.parametrize("name", [*PUBLISHED, *WORKED_OUT])
def test_the_vendor_s_signature_is_taken_and_no_other(name):
    body, key, headers, second = (PUBLISHED | WORKED_OUT)[name]
    kind = tool.load(name)
    reader = kind(kind.Settings())
    reader.verify(request(headers, body, second), [Secret(SecretForm.KEY, key.encode())])
    for other in (body + b" ", body[:-1], b"[" + body[1:]):
        with pytest.raises(BadSignature):
            reader.verify(request(headers, other, second), [Secret(SecretForm.KEY, key.encode())])
    with pytest.raises(BadSignature):
        reader.verify(request(headers, body, second), [Secret(SecretForm.KEY, key.encode() + b"x")])


def test_a_signature_of_sha_1_is_none():
    kind = tool.load("github")
    headers = {"x-hub-signature": "sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"}
    with pytest.raises(BadSignature):
        kind(kind.Settings()).verify(request(headers, b"Hello, World!", 0), [Secret(SecretForm.KEY, b"x")])


def test_every_tool_that_signs_with_a_key_has_a_vector():
    signing = {name for name in tool.kinds() if SecretForm.KEY in tool.load(name).forms}
    assert signing == {*PUBLISHED, *WORKED_OUT}
