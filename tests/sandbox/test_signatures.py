"""The vendors' own validators accept what is signed here, and nothing that was changed afterwards."""

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook
from twilio.request_validator import RequestValidator

from dispatcher.sandbox.signatures import MAIL_SIGNATURE, MAIL_TIMESTAMP, MailSigner, text_signature

BODY = '[{"email":"ann@example.com","event":"delivered","name":"Łukasz"},\r\n{"event":"open"}]\r\n'
URL = "http://127.0.0.1:8700/webhooks/twilio?d=L1.B2.3&x=%20y"
FORM = {"MessageSid": "SM1", "To": "+447700900100", "Empty": "", "Name": "Zoë & co"}


@pytest.mark.parametrize("body", [BODY, "[]\r\n", ""])
def test_sendgrid_takes_our_signature(body):
    signer = MailSigner()
    headers = signer.headers(body.encode(), 1_800_000_000)
    validator = EventWebhook(signer.public_key)
    assert validator.verify_signature(body, headers[MAIL_SIGNATURE], headers[MAIL_TIMESTAMP])
    assert not validator.verify_signature(body + " ", headers[MAIL_SIGNATURE], headers[MAIL_TIMESTAMP])
    assert not validator.verify_signature(body, headers[MAIL_SIGNATURE], "1800000001")
    assert not EventWebhook(MailSigner().public_key).verify_signature(
        body, headers[MAIL_SIGNATURE], headers[MAIL_TIMESTAMP]
    )


def test_twilio_takes_our_signature():
    signature = text_signature("sandbox-token", URL, FORM)
    validator = RequestValidator("sandbox-token")
    assert validator.validate(URL, FORM, signature)
    assert not validator.validate(URL + "0", FORM, signature)
    assert not validator.validate(URL, FORM | {"To": "+447700900101"}, signature)
    assert not RequestValidator("another").validate(URL, FORM, signature)
