"""Twilio: the contract, the request beside the SDK's own, codes, signatures and the list that settles doubts."""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import logging
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from twilio.base import serialize
from twilio.http import HttpClient
from twilio.http.response import Response
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from dispatcher.errors import BadSignature, Refused
from dispatcher.model.event import EventType, WebhookRequest
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, OutcomeUnknown, Rejected, Throttled
from dispatcher.wire import Wire
from tests.contract.http_contract import HttpContract
from tests.contract.http_vendor import HttpVendor, always, reply
from tests.contract.material import NOW, SOON, Arrived, StillClock, sms_envelopes, sms_rendition
from tests.contract.provider_contract import EventContract, LookupContract
from tests.contract.references import TwilioMessage

CALLBACKS = json.loads((Path(__file__).parent.parent / "contract/fixtures/twilio_callbacks.json").read_text())
ACCOUNT = "AC" + "0e12" * 8
SID = "SM" + "0123456789abcdef" * 2
TOKEN = "kept-secret-auth-token"
PUBLIC = "https://alerts.example.com/webhooks/twilio_uk"


def created(**more):
    """A message as the vendor shows it."""
    told = {"sid": SID, "status": "queued", "num_segments": "2", "error_code": None, "direction": "outbound-api",
            "date_created": format_datetime(NOW), "body": "", "to": "+447700900000"}  # fmt: skip
    return told | more


def list_of(*messages):
    return reply(200, {"messages": list(messages), "page": 0, "next_page_uri": None})


def sign(url, form=b"", *, token=TOKEN, algorithm=hashlib.sha1):
    """The vendor's scheme, written down a second time."""
    pairs = sorted(set(parse_qsl(form.decode(), keep_blank_values=True)))
    text = url + "".join(name + value for name, value in pairs)
    return base64.b64encode(hmac.new(token.encode(), text.encode(), algorithm).digest()).decode()


class TestContract(EventContract, LookupContract, HttpContract):
    kind = "twilio"
    credentials = {  # noqa: RUF012
        "account_sid": ACCOUNT,
        "auth_token": TOKEN,
        "sender": "+447700900999",
        "events_url": PUBLIC,
    }
    secrets = ("auth_token",)
    needed = ("auth_token", "account_sid", "sender")
    success = reply(201, created())
    meanings = {400: Rejected}  # noqa: RUF012
    suppressing = tuple(
        (lambda code=code: HttpVendor(always(reply(400, {"code": code, "message": "no", "status": 400}))), reason)
        for code, reason in ((21610, "opt_out"), (21211, "invalid"), (21614, "invalid"), (21635, "invalid"))
    )

    def rendition(self):
        return sms_rendition()

    def envelopes(self, count):
        return sms_envelopes(count)

    def error(self, status):
        return {"code": 99999, "message": f"cannot reach +447700900000 ({status})", "status": status}

    def read(self, request):
        if request.method == "GET":
            return []
        form = dict(parse_qsl(request.body.decode(), strict_parsing=True))
        TwilioMessage.model_validate(form)
        key = dict(parse_qsl(urlsplit(form["StatusCallback"]).query))["d"]
        return [Arrived(form["To"], key, {"text": form["Body"]})]

    def signed(
        self, body=None, *, at=NOW, received_at=NOW, query="?d=3fL.12.0", kind="application/x-www-form-urlencoded"
    ):
        body = CALLBACKS[1]["form"].encode() if body is None else body
        url = PUBLIC + query
        headers = {"x-twilio-signature": sign(url, body), "content-type": kind}
        return WebhookRequest("POST", url, headers, body, received_at)

    def fixtures(self):
        return {
            row["name"]: (self.signed(row["form"].encode()), [(EventType(row["type"]), "3fL.12.0", row["suppresses"])])
            for row in CALLBACKS
        }

    def unknown_word(self):
        return self.signed(f"MessageSid={SID}&MessageStatus=teleported".encode())

    def text(self):
        return sms_rendition().parts["text"].replace("[[t-91bc]]", "Ana Example")

    def knowing(self, envelope):
        def answer(request):
            query = dict(parse_qsl(urlsplit(request.target).query))
            assert query == {"To": envelope.address, "PageSize": "20"}
            return list_of(created(sid="SMother", body="another text"), created(body=self.text()))

        return HttpVendor(answer)

    def knowing_nothing(self):
        return HttpVendor(always(list_of()))

    # --- the request

    def form_of(self, *, expires=SOON, clock=None, **settings):
        vendor = self.accepting()

        async def run():
            async with vendor, Wire() as wire:
                provider = self.make(vendor.url, wire, clock, **settings)
                return list(await provider.send(self.rendition(), self.envelopes(1), expires_at=expires))

        outcomes = asyncio.run(run())
        return outcomes, dict(parse_qsl(vendor.requests[0].body.decode())) if vendor.requests else None

    @pytest.mark.parametrize(
        ("left", "validity"), [(3600, "3600"), (3600.9, "3600"), (5, "5"), (36_000, "36000"), (90_000, "36000")]
    )
    def test_the_message_expires_with_the_broadcast(self, left, validity):
        _, form = self.form_of(expires=NOW + dt.timedelta(seconds=left))
        assert form["ValidityPeriod"] == validity

    @pytest.mark.parametrize("left", [4.9, 0, -10])
    def test_what_would_arrive_too_late_is_not_sent(self, left):
        outcomes, form = self.form_of(expires=NOW + dt.timedelta(seconds=left))
        assert [type(o) for o in outcomes] == [NotSent]
        assert form is None

    def test_the_clock_is_the_injected_one(self):
        clock = StillClock()
        clock.pass_by(3000)
        assert self.form_of(clock=clock)[1]["ValidityPeriod"] == "600"

    def test_a_messaging_service_takes_the_place_of_a_sender(self):
        service = "MG" + "ab" * 16
        _, form = self.form_of(sender="", messaging_service_sid=service)
        assert (form["MessagingServiceSid"], form.get("From")) == (service, None)

    def test_the_key_joins_a_callback_address_that_has_a_query(self):
        _, form = self.form_of(events_url=f"{PUBLIC}?account=uk")
        assert form["StatusCallback"] == f"{PUBLIC}?account=uk&d=3fL.12.0"

    def test_without_a_public_address_no_callback_is_asked_for(self):
        _, form = self.form_of(events_url="")
        assert "StatusCallback" not in form

    def test_more_than_one_envelope_is_a_mistake_of_the_caller(self):
        with pytest.raises(ValueError, match="too many"):
            self.sending(self.accepting(), 2)

    @pytest.mark.parametrize(
        "wrong",
        [{"sender": ""}, {"messaging_service_sid": "MG" + "a" * 32}, {"account_sid": "AC1"},
         {"sender": "a name too long"}, {"api_key_sid": "SK" + "a" * 32}, {"api_key_secret": "x"},
         {"unknown": "1"}, {"events_url": "ftp://x"},
         {"base_url": "http://api.twilio.com"}]
    )  # fmt: skip
    def test_settings_that_cannot_work_do_not_start(self, wrong):
        with pytest.raises(ValueError, match="validation error"):
            self.cls.Settings(**{**self.credentials, **wrong})

    def test_an_api_key_stands_in_for_the_token(self):
        vendor = self.accepting()
        self.sending(vendor, api_key_sid="SK" + "a" * 32, api_key_secret="s3")
        given = base64.b64decode(vendor.requests[0].headers["authorization"].split()[1]).decode()
        assert given == f"SK{'a' * 32}:s3"

    # --- the answer

    def answer_to(self, status, body, headers=None):
        (outcome,) = self.sending(HttpVendor(always(reply(status, body, headers))))
        return outcome

    @pytest.mark.parametrize(("segments", "known"), [("2", 2), ("0", None), (None, None), ("many", None)])
    def test_segments_are_known_once_a_sender_is_chosen(self, segments, known):
        assert self.answer_to(201, created(num_segments=segments)) == Accepted(SID, known)

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"sid": null}', b'{"sid": 5}', b"garbage"])
    def test_taken_without_a_name_stays_open(self, body):
        assert isinstance(self.answer_to(201, body), OutcomeUnknown)

    def test_a_message_that_failed_at_once_is_refused(self):
        told = created(status="failed", error_code=30006)
        assert self.answer_to(201, told) == Rejected("30006 a landline, or the carrier cannot be reached", "invalid")

    @pytest.mark.parametrize(
        ("status", "code", "kind"),
        [(400, 21408, Rejected), (400, 21612, Rejected), (400, 21606, Misconfigured), (400, 21659, Misconfigured),
         (401, 20003, Misconfigured), (403, 20005, Misconfigured), (404, 20404, Misconfigured),
         (400, 21611, Throttled), (429, 20429, Throttled), (400, 14107, Throttled), (400, 21617, Rejected),
         (500, 20500, OutcomeUnknown), (503, 20503, OutcomeUnknown), (500, 21610, OutcomeUnknown),
         (400, "21610", Rejected), (400, "x", Rejected), (400, None, Rejected)]
    )  # fmt: skip
    def test_codes_decide_where_they_are_listed_and_http_where_not(self, status, code, kind):
        assert isinstance(self.answer_to(status, {"code": code, "message": "words"}), kind)

    def test_words_of_the_vendor_lose_their_numbers(self):
        outcome = self.answer_to(400, {"code": 99999, "message": "'To' +447700900123 is no\nmobile"})
        assert outcome == Rejected("99999 'To' [phone] is no mobile")

    # --- the list

    @pytest.mark.parametrize(
        "entry",
        [{"body": "something else"}, {"date_created": format_datetime(NOW - dt.timedelta(minutes=5))},
         {"date_created": None}, {"date_created": "yesterday"}, {"direction": "inbound"}]
    )  # fmt: skip
    def test_what_is_not_ours_in_the_list_is_passed_over(self, entry):
        listed = created(body=self.text()) | entry
        assert self.looking(HttpVendor(always(list_of(listed, 5, None)))) is None

    def test_a_listed_failure_is_a_refusal(self):
        listed = created(body=self.text() + " ", status="undelivered", error_code=30005)
        found = self.looking(HttpVendor(always(list_of(listed))))
        assert found == Rejected("30005 unknown number", "invalid")

    def test_a_long_list_is_still_read(self):
        many = [created(body="x" * 1500, sid=f"SM{n}") for n in range(19)] + [created(body=self.text())]
        assert self.looking(HttpVendor(always(list_of(*[m | {"uri": "u" * 3000} for m in many])))) == Accepted(SID, 2)

    # --- signatures

    def test_the_vendors_own_checker_agrees(self):
        for row in CALLBACKS:
            request = self.signed(row["form"].encode())
            fields = {}
            for name, value in parse_qsl(row["form"], keep_blank_values=True):
                fields.setdefault(name, []).append(value)
            many = type("Many", (dict,), {"getlist": lambda self, name: self[name]})(fields)
            given = request.headers["x-twilio-signature"]
            assert RequestValidator(TOKEN).validate(request.url, many, given), row["name"]
            self.reporting().verify(request)

    @pytest.mark.parametrize("port", ["", ":443"])
    @pytest.mark.parametrize("ours", ["", ":443"])
    def test_the_default_port_may_be_signed_or_not(self, port, ours):
        signed_url = PUBLIC.replace(".com", f".com{port}") + "?d=1"
        body = CALLBACKS[0]["form"].encode()
        headers = {"x-twilio-signature": sign(signed_url, body), "content-type": "application/x-www-form-urlencoded"}
        request = WebhookRequest("POST", PUBLIC + "?d=1", headers, body, NOW)
        self.make("https://api.twilio.com", Wire(), events_url=PUBLIC.replace(".com", f".com{ours}")).verify(request)

    def test_plain_http_has_port_80_and_an_odd_port_counts(self):
        body = b"MessageSid=SM1"
        for base, signed, good in (
            ("http://127.0.0.1/w", "http://127.0.0.1:80/w", True),
            ("http://127.0.0.1:8700/w", "http://127.0.0.1:8700/w", True),
            ("http://127.0.0.1:8700/w", "http://127.0.0.1/w", False),
        ):
            request = WebhookRequest("POST", base, {"x-twilio-signature": sign(signed, body)}, body, NOW)
            provider = self.make("https://api.twilio.com", Wire(), events_url=base)
            if good:
                provider.verify(request)
            else:
                with pytest.raises(BadSignature):
                    provider.verify(request)

    def test_behind_a_proxy_the_public_address_of_the_settings_counts(self):
        request = self.changed(self.signed(), url="http://10.0.0.5:8700/webhooks/twilio_uk?d=3fL.12.0")
        self.reporting().verify(request)
        with pytest.raises(BadSignature):
            self.reporting().verify(self.changed(request, url=request.url.replace("12.0", "12.1")))

    def test_without_a_setting_the_address_of_the_request_counts(self):
        self.make("https://api.twilio.com", Wire(), events_url="").verify(self.signed())

    @pytest.mark.parametrize(("named", "algorithm"), [("HMAC_SHA256", hashlib.sha256), ("hmac_sha1", hashlib.sha1)])
    def test_a_shared_key_signs_where_its_header_says_so(self, named, algorithm):
        honest = self.signed()
        given = sign(honest.url, honest.body, token="shared", algorithm=algorithm)
        extra = {"x-twilio-signature": given, "x-twilio-webhooks-signature-settings": f"key=wk1, algorithm={named}"}
        request = self.changed(honest, headers=honest.headers | extra)
        self.make("https://api.twilio.com", Wire(), webhook_key="shared").verify(request)
        for settings in ({"webhook_key": "another"}, {}):
            with pytest.raises(BadSignature):
                self.make("https://api.twilio.com", Wire(), **settings).verify(request)

    def test_an_algorithm_nobody_knows_is_refused(self):
        honest = self.signed()
        extra = {"x-twilio-webhooks-signature-settings": "key=wk1,algorithm=NONE"}
        with pytest.raises(BadSignature):
            self.make("https://api.twilio.com", Wire(), webhook_key=TOKEN).verify(
                self.changed(honest, headers=honest.headers | extra)
            )

    def test_a_json_body_is_covered_by_its_hash(self):
        body = json.dumps({"MessageSid": SID, "MessageStatus": "delivered"}).encode()
        url = f"{PUBLIC}?d=3fL.12.0&bodySHA256={hashlib.sha256(body).hexdigest()}"
        headers = {"x-twilio-signature": sign(url), "content-type": "application/json; charset=utf-8"}
        request = WebhookRequest("POST", url, headers, body, NOW)
        self.reporting().verify(request)
        assert RequestValidator(TOKEN).validate(url, body.decode(), sign(url))
        assert [e.type for e in self.reporting().parse(request)] == [EventType.DELIVERED]
        for forged in (self.changed(request, body=body + b" "), self.changed(request, url=f"{PUBLIC}?d=3fL.12.0")):
            with pytest.raises(BadSignature):
                self.reporting().verify(forged)

    @pytest.mark.parametrize(("body", "kinds"), [(b"{", None), (b"[1]", [EventType.UNKNOWN])])
    def test_a_json_body_that_is_no_callback(self, body, kinds):
        request = WebhookRequest("POST", PUBLIC, {"content-type": "application/json"}, body, NOW)
        if kinds:
            assert [e.type for e in self.reporting().parse(request)] == kinds
            return
        with pytest.raises(Refused):
            self.reporting().parse(request)

    @pytest.mark.parametrize("body", [b"\xff\xfe", "&".join(f"a{n}=1" for n in range(600)).encode()])
    def test_a_form_that_cannot_be_read_is_refused(self, body):
        request = WebhookRequest("POST", PUBLIC, {"x-twilio-signature": "AAAA"}, body, NOW)
        with pytest.raises(BadSignature):
            self.reporting().verify(request)
        with pytest.raises(Refused):
            self.reporting().parse(request)


class Recorder(HttpClient):
    """Stands where the SDK would open a connection, and keeps what it would have sent."""

    def request(
        self, method, url, params=None, data=None, headers=None, auth=None, timeout=None, allow_redirects=False
    ):
        self.seen = {"method": method, "url": url, "data": data, "auth": auth}
        return Response(201, json.dumps(created()))


@pytest.mark.parametrize("by", ["sender", "messaging_service_sid"])
def test_the_request_is_the_one_that_the_sdk_builds(by):
    value = "+447700900999" if by == "sender" else "MG" + "ab" * 16
    contract, vendor = TestContract(), TestContract().accepting()
    contract.sending(vendor, **({"sender": "", by: value} if by != "sender" else {}))
    (request,) = vendor.requests
    recorder = Recorder(logging.getLogger("recorder"), is_async=False)
    Client(ACCOUNT, TOKEN, http_client=recorder).messages.create(
        to="+447700900000",
        body=contract.text(),
        validity_period=3600,
        smart_encoded=False,
        status_callback=f"{PUBLIC}?d=3fL.12.0",
        **({"from_": value} if by == "sender" else {by: value}),
    )
    theirs = {k: serialize.object(v) if isinstance(v, dict) else str(v) for k, v in recorder.seen["data"].items()}
    assert dict(parse_qsl(request.body.decode())) == theirs
    assert (request.method, f"https://api.twilio.com{request.target}") == ("POST", recorder.seen["url"])
    assert base64.b64decode(request.headers["authorization"].split()[1]).decode() == ":".join(recorder.seen["auth"])
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"


def test_text_of_every_alphabet_arrives_as_it_is():
    envelope = sms_envelopes(1)[0]._replace(values={"name": "김민수 🙂 & 100%+ «ß»"})
    vendor = TestContract().accepting()
    TestContract().sending(vendor, envelopes=[envelope])
    (one,) = TestContract().arrived(vendor)
    assert "hi 김민수 🙂 & 100%+ «ß», orders" in one.texts["text"]
