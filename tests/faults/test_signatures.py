"""One bit anywhere: body, signature, address, key or time. No flip is believed, and what is honest always is."""

import os
import random
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlencode

import pytest

from dispatcher.errors import BadSignature
from dispatcher.model.event import WebhookRequest
from dispatcher.provider import load
from dispatcher.sandbox.signatures import TEXT_SIGNATURE, MailSigner, text_signature
from dispatcher.wire import Wire

pytestmark = pytest.mark.faults
NOW = datetime(2026, 5, 1, 9, tzinfo=UTC)
URL = "https://alerts.example.com/webhooks"
TOKEN = "0123456789abcdef0123456789abcdef"
FLIPS = 5000 if os.environ.get("DISPATCHER_TEST_FULL") else 500


def _provider(kind, **settings):
    found = load(kind)
    return found(found.Settings.model_validate({"kind": kind} | settings), Wire())


def _mail(body=b'[{"event":"delivered"}]', at=NOW, signer=None):
    signer = signer or MailSigner()
    reader = _provider("sendgrid", api_key="SG.x", sender="news@example.com", webhook_key=signer.public_key)
    headers = {k.lower(): v for k, v in signer.headers(body, int(at.timestamp())).items()}
    return reader, WebhookRequest("POST", f"{URL}/sendgrid", headers, body, NOW)


def _text():
    fields = {"MessageSid": "SM" + "0" * 32, "MessageStatus": "delivered", "To": "+447700900123"}
    reader = _provider(
        "twilio", account_sid="AC" + "0" * 32, auth_token=TOKEN, sender="+447700900999", events_url=f"{URL}/twilio"
    )
    url = f"{URL}/twilio?d=abc.1.0"
    headers = {
        TEXT_SIGNATURE.lower(): text_signature(TOKEN, url, fields), "content-type": "application/x-www-form-urlencoded"
    }  # fmt: skip
    return reader, WebhookRequest("POST", url, headers, urlencode(fields).encode(), NOW)


def _flipped(data, dice):
    at = dice.randrange(len(data) * 8)
    changed = bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def _fields(body):
    return parse_qsl(body.decode("latin-1"), encoding="latin-1")


@pytest.mark.parametrize("make", [_mail, _text])
def test_the_honest_is_believed(make):
    reader, request = make()
    reader.verify(request)


@pytest.mark.parametrize("make", [_mail, _text])
def test_no_flipped_bit_of_a_body_is_believed(make):
    reader, request = make()
    dice = random.Random(5)
    for _ in range(FLIPS):
        body = _flipped(request.body, dice)
        if make is _text and _fields(body) == _fields(request.body):
            continue  # %2b for %2B: the same words, which is what this vendor signs
        with pytest.raises(BadSignature):
            reader.verify(WebhookRequest("POST", request.url, request.headers, body, NOW))


@pytest.mark.parametrize("make", [_mail, _text])
def test_no_flipped_bit_of_a_signature_is_believed(make):
    reader, request = make()
    dice = random.Random(6)
    name = next(name for name in request.headers if name.endswith("signature"))
    last = len(request.headers[name].rstrip("=")) - 1
    for _ in range(FLIPS):
        at = dice.randrange(last)  # the last character of base64 has bits that say nothing
        given = request.headers[name]
        other = chr(ord(given[at]) ^ 1)
        headers = dict(request.headers) | {name: given[:at] + other + given[at + 1 :]}
        with pytest.raises(BadSignature):
            reader.verify(WebhookRequest("POST", request.url, headers, request.body, NOW))


def test_another_key_is_not_believed():
    _, request = _mail()
    reader, _ = _mail()
    with pytest.raises(BadSignature):
        reader.verify(request)


@pytest.mark.parametrize("seconds", [-25 * 3600 - 1, -48 * 3600, 301])
def test_what_is_stale_or_of_the_future_is_not_believed(seconds):
    reader, request = _mail(at=NOW + timedelta(seconds=seconds))
    with pytest.raises(BadSignature):
        reader.verify(request)


def test_a_callback_for_another_delivery_is_not_believed():
    reader, request = _text()
    with pytest.raises(BadSignature):
        reader.verify(
            WebhookRequest("POST", request.url.replace("abc.1.0", "abc.1.1"), request.headers, request.body, NOW)
        )
