"""SendGrid: the contract, the request beside the SDK's own, and what its answers and events mean."""

import asyncio
import base64
import datetime as dt
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sendgrid.helpers import mail as sdk
from sendgrid.helpers.eventwebhook import EventWebhook

from dispatcher.errors import BadSignature, Refused
from dispatcher.model.event import EventType, WebhookRequest
from dispatcher.model.outcome import Accepted, Misconfigured, NotSent, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope
from dispatcher.sandbox.sendgrid_rules import check
from tests.contract.http_contract import HttpContract
from tests.contract.http_vendor import HttpVendor, always, reply
from tests.contract.material import (
    NAMES,
    NOW,
    SOON,
    UNSAFE_NAMES,
    Arrived,
    email_rendition,
    mail_envelopes,
    pictured,
)
from tests.contract.provider_contract import EventContract, LookupContract
from tests.contract.references import SendGridMail

BATCH = Path(__file__).parent.parent / "contract/fixtures/sendgrid_events.json"
T = EventType
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


def as_seen(person, mail):
    """What one recipient sees: every substitution made in one pass, as the vendor makes them."""
    texts = {"subject": mail["subject"], **{part["type"]: part["value"] for part in mail["content"]}}
    for tag, value in person.get("substitutions", {}).items():
        texts = {part: text.replace(tag, value) for part, text in texts.items()}
    texts["text"] = texts.pop("text/plain")
    return texts


class TestContract(EventContract, LookupContract, HttpContract):
    kind = "sendgrid"
    credentials = {  # noqa: RUF012
        "api_key": "SG.kept-secret.0e12",
        "sender": "care@example.com",
        "webhook_key": PUBLIC,
        "activity": "true",
    }
    secrets = ("api_key",)
    needed = ("api_key", "sender")
    success = reply(202, b"", {"X-Message-Id": "14c5d75ce93"})
    meanings = {400: Rejected, 413: Rejected}  # noqa: RUF012

    def rendition(self):
        return email_rendition()

    def envelopes(self, count):
        return mail_envelopes(count)

    def error(self, status):
        return {
            "errors": [
                {"message": f"person0@example.org: HTTP {status}", "field": "personalizations.0.to", "help": None}
            ]
        }

    def read(self, request):
        mail = request.json()
        SendGridMail.model_validate(mail)
        return [Arrived(p["to"][0]["email"], p["custom_args"]["d"], as_seen(p, mail)) for p in mail["personalizations"]]

    def signed(self, body=None, *, at=NOW, received_at=NOW, key=KEY):
        body = BATCH.read_bytes() if body is None else body
        stamp = str(int(at.timestamp()))
        signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
        headers = {SIGNATURE: signature, TIMESTAMP: stamp, "content-type": "application/json"}
        return WebhookRequest("POST", "https://example.com/webhooks/sendgrid", headers, body, received_at)

    def fixtures(self):
        told = [
            (T.PROCESSED, None), (T.DEFERRED, None), (T.DELIVERED, None), (T.BOUNCED, "hard_bounce"),
            (T.BLOCKED, None), (T.DROPPED, "hard_bounce"), (T.DROPPED, "opt_out"), (T.DROPPED, "spam_report"),
            (T.DROPPED, "invalid"), (T.DROPPED, None), (T.OPENED, None), (T.CLICKED, None),
            (T.COMPLAINED, "spam_report"), (T.UNSUBSCRIBED, "opt_out"), (T.UNSUBSCRIBED, "opt_out"),
            (T.BOUNCED, "hard_bounce"),
        ]  # fmt: skip
        return {"a batch": (self.signed(), [(kind, f"3fL.12.{n}", why) for n, (kind, why) in enumerate(told)])}

    def unknown_word(self):
        return self.signed(
            b'[{"event": "account_status_change", "type": "compliance_suspend", "timestamp": 1795348800}]'
        )

    def knowing(self, envelope):
        def answer(request):
            query = parse_qs(urlsplit(request.target).query)
            assert query == {"limit": ["1"], "query": [f"unique_args['d']=\"{envelope.key}\""]}
            found = {"msg_id": "14c5d75ce93.dfd.64b469", "status": "delivered", "to_email": envelope.address}
            return reply(200, {"messages": [found]})

        return HttpVendor(answer)

    def knowing_nothing(self):
        return HttpVendor(always(reply(200, {"messages": []})))

    # --- what only this vendor does

    def test_the_html_part_escapes_and_the_others_do_not(self):
        vendor = self.accepting()
        self.sending(vendor, len(NAMES))
        seen = self.arrived(vendor)[3].texts
        assert "Dear O&#x27;Neil &amp; Söhne &lt;Ltd&gt;," in seen["text/html"]
        assert "Dear O'Neil & Söhne <Ltd>," in seen["text"]
        assert seen["subject"] == "An update for O'Neil & Söhne <Ltd>: online orders — paused"

    def test_a_value_that_cannot_stand_in_the_subject_costs_only_its_recipient(self):
        names = ("Ana", *UNSAFE_NAMES, "Ben")
        people = mail_envelopes(len(names), names)
        vendor = self.accepting()
        outcomes = self.sending(vendor, envelopes=people)
        assert [type(o) for o in outcomes] == [Accepted, *[Rejected] * len(UNSAFE_NAMES), Accepted]
        assert {o.reason for o in outcomes[1:-1]} == {"unsafe value"}
        assert [one.address for one in self.arrived(vendor)] == [people[0].address, people[-1].address]

    def test_when_nobody_is_left_nothing_is_sent(self):
        vendor = self.accepting()
        outcomes = self.sending(vendor, envelopes=mail_envelopes(2, UNSAFE_NAMES))
        assert [type(o) for o in outcomes] == [Rejected, Rejected]
        assert vendor.opened == 0

    @pytest.mark.parametrize(
        "address", ["", "x", "a b@example.org", "a@example.org, b@example.org", "<a@example.org>", "a@@example.org",
                    "a@example", "a..b@example.org", "josé@example.org", "a" * 300 + "@example.org"]
    )  # fmt: skip
    def test_an_address_that_cannot_travel_costs_only_its_recipient(self, address):
        people = [mail_envelopes(1)[0]._replace(address=address), *mail_envelopes(3)[1:]]
        outcomes = self.sending(self.accepting(), envelopes=people)
        assert [type(o) for o in outcomes] == [Rejected, Accepted, Accepted]
        assert address not in str(outcomes) or len(address) < 2

    def test_a_domain_in_another_script_travels_as_idna(self):
        vendor = self.accepting()
        self.sending(vendor, envelopes=[Envelope("3fL.12.0", "ana@bücher.example", {})])
        assert self.arrived(vendor)[0].address == "ana@xn--bcher-kva.example"

    def test_the_same_address_goes_into_a_request_once(self):
        first, second = mail_envelopes(2)
        twin = second._replace(address=first.address)
        outcomes = self.sending(self.accepting(), envelopes=[first, twin])
        assert [type(o) for o in outcomes] == [Accepted, NotSent]

    @pytest.mark.parametrize(("letters", "kind"), [(3_000, Accepted), (3_290, Accepted), (3_340, Rejected)])
    def test_the_rule_of_10_000_bytes(self, letters, kind):
        """Three slots carry the value; the request still satisfies the vendor's rule where it is let through."""
        vendor = self.accepting()
        outcomes = self.sending(vendor, envelopes=mail_envelopes(2, ("x" * letters, "Ana")))
        assert [type(o) for o in outcomes] == [kind, Accepted]
        assert self.arrived(vendor)

    def test_a_message_without_slots_carries_no_substitutions(self):
        class Plain(TestContract):
            def rendition(self):
                return email_rendition(slots=False)

        vendor = self.accepting()
        assert [type(o) for o in Plain().sending(vendor, 2)] == [Accepted] * 2
        assert all("substitutions" not in p for p in vendor.requests[0].json()["personalizations"])

    def test_one_click_unsubscribe_has_both_headers_and_an_address_of_its_own(self):
        people = [e._replace(unsubscribe_url=f"https://example.com/u/{e.key}") for e in mail_envelopes(2)]
        vendor = self.accepting()
        self.sending(vendor, envelopes=people)
        headers = [p["headers"] for p in vendor.requests[0].json()["personalizations"]]
        assert headers == [
            {
                "List-Unsubscribe": f"<https://example.com/u/{e.key}>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            }
            for e in people
        ]

    @pytest.mark.parametrize(
        "url", ["https://example.com/u>\r\nBcc: x@example.net", "javascript:1", "https://ä.example"]
    )
    def test_an_unsubscribe_address_that_cannot_stand_in_a_header_is_refused(self, url):
        (outcome,) = self.sending(self.accepting(), envelopes=[mail_envelopes(1)[0]._replace(unsubscribe_url=url)])
        assert outcome == Rejected("unsafe value")

    def test_a_thousand_people_travel_in_one_request(self):
        vendor = self.accepting()
        outcomes = self.sending(vendor, 1000)
        assert outcomes == [Accepted("14c5d75ce93")] * 1000
        assert len(vendor.requests) == 1

    def test_a_refused_request_is_to_be_split_until_one_is_left(self):
        assert (
            self.sending(self.answering(400), 3)
            == [Rejected("personalizations.0.to [email]: HTTP 400", isolate=True)] * 3
        )
        assert [o.isolate for o in self.sending(self.answering(400), 1)] == [False]
        assert [o.isolate for o in self.sending(self.answering(413), 2)] == [True, True]

    def test_a_split_concerns_those_too_who_were_not_in_the_request(self):
        """A caller that splits a request wants one verdict for all of it."""
        outcomes = self.sending(self.answering(400), envelopes=mail_envelopes(3, (*UNSAFE_NAMES[:1], "Ana", "Ben")))
        assert {(type(o), o.isolate) for o in outcomes} == {(Rejected, True)}

    @pytest.mark.parametrize("field", ["from", "from.email", "asm.group_id", "reply_to", "content", "ip_pool_name"])
    def test_a_fault_of_ours_stops_the_account_and_not_its_people(self, field):
        body = {"errors": [{"message": "Does not contain a valid address.", "field": field}]}
        outcomes = self.sending(HttpVendor(always(reply(400, body))), 3)
        assert [type(o) for o in outcomes] == [Misconfigured] * 3

    def test_throttling_by_reset_is_understood(self):
        headers = {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 9)}
        assert self.sending(HttpVendor(always(reply(429, b"", headers))), 2) == [Throttled(9.0)] * 2
        assert self.sending(HttpVendor(always(reply(429, b"too many")))) == [Throttled(None)]

    def test_sandbox_mode_expects_200_and_nobody_else_does(self):
        vendor = HttpVendor(always(reply(200)))
        assert [type(o) for o in self.sending(vendor, sandbox_mode=True)] == [Accepted]
        assert vendor.requests[0].json()["mail_settings"]["sandbox_mode"] == {"enable": True}
        assert [type(o) for o in self.sending(HttpVendor(always(reply(200))))] == [OutcomeUnknown]

    def test_without_email_activity_there_is_nothing_to_ask(self):
        vendor = self.knowing_nothing()
        assert self.looking(vendor, activity=False) is None
        assert vendor.opened == 0

    def test_a_message_that_was_not_delivered_counts_as_refused(self):
        body = {"messages": [{"msg_id": "a.b", "status": "not_delivered"}]}
        assert isinstance(self.looking(HttpVendor(always(reply(200, body)))), Rejected)

    def test_reasons_of_events_show_no_address(self):
        events = self.reporting().parse(self.signed())
        assert events[3].reason == "550 5.1.1 <[email]> no such user"

    @pytest.mark.parametrize("body", [b"", b"{}", b"not json", b'{"event": "delivered"}', b"\xff"])
    def test_what_is_no_list_of_events_is_refused(self, body):
        with pytest.raises(Refused):
            self.reporting().parse(self.signed(body))

    def test_odd_entries_are_kept_as_unknown(self):
        body = b'[1, null, {}, {"event": 5, "timestamp": "soon", "d": 7}, {"event": "delivered", "timestamp": 1e300}]'
        events = self.reporting().parse(self.signed(body))
        assert [e.type for e in events] == [T.UNKNOWN] * 4 + [T.DELIVERED]
        assert [e.key for e in events] == [None] * 5

    # --- signatures

    def test_a_late_retry_is_believed_and_an_old_one_is_not(self):
        def at(**ago):
            return self.signed(received_at=NOW + dt.timedelta(**ago))

        self.reporting().verify(at(hours=24))
        self.reporting().verify(at(minutes=-4))
        for stale in (at(hours=25, seconds=1), at(minutes=-6)):
            with pytest.raises(BadSignature):
                self.reporting().verify(stale)

    @pytest.mark.parametrize("stamp", ["", "now", "-1", "1e9", "²", "1795348800.0", "9" * 30])
    def test_a_time_that_is_none_is_refused(self, stamp):
        request = self.signed()
        headers = {**request.headers, TIMESTAMP: stamp}
        with pytest.raises(BadSignature):
            self.reporting().verify(self.changed(request, headers=headers))

    def test_another_key_is_not_ours(self):
        with pytest.raises(BadSignature):
            self.reporting().verify(self.signed(key=ec.generate_private_key(ec.SECP256R1())))

    def test_without_a_key_nothing_is_believed(self):
        class Keyless(TestContract):
            credentials = {**TestContract.credentials, "webhook_key": ""}  # noqa: RUF012

        with pytest.raises(BadSignature, match="cannot be checked"):
            Keyless().reporting().verify(self.signed())

    def test_the_vendors_own_checker_agrees(self):
        request = self.signed()
        checker = EventWebhook(PUBLIC)
        honest = (request.body.decode(), request.headers[SIGNATURE], request.headers[TIMESTAMP])
        assert checker.verify_signature(*honest)
        assert not checker.verify_signature(honest[0] + " ", *honest[1:])

    @pytest.mark.parametrize("key", ["zzz", PUBLIC[:-8], base64.b64encode(b"x" * 91).decode()])
    def test_a_verification_key_that_is_none_does_not_start(self, key):
        with pytest.raises(ValueError, match="verification key"):
            self.cls.Settings(**{**self.credentials, "webhook_key": key})

    def test_a_key_in_armour_is_accepted(self):
        armoured = f"-----BEGIN PUBLIC KEY-----\n{PUBLIC}\n-----END PUBLIC KEY-----\n"
        settings = self.cls.Settings(**{**self.credentials, "webhook_key": armoured})
        assert settings.webhook_key == PUBLIC


def sdk_mail(rendition, people, **account):
    """The same message, built by the vendor's SDK."""
    mail = sdk.Mail()
    if shown := rendition.picture:
        named = sdk.FileName(shown.name), sdk.FileType(shown.kind), sdk.Disposition("inline"), sdk.ContentId(shown.cid)
        mail.add_attachment(sdk.Attachment(sdk.FileContent(shown.data), *named))
    mail.from_email = sdk.From(account["sender"], account.get("sender_name"))
    mail.subject = sdk.Subject(rendition.parts["subject"])
    mail.add_content(sdk.Content("text/plain", rendition.parts["text"]))
    mail.add_content(sdk.Content("text/html", rendition.parts["html"]))
    for at, envelope in enumerate(people):
        person = sdk.Personalization()
        person.add_to(sdk.To(envelope.address))
        person.add_custom_arg(sdk.CustomArg("d", envelope.key))
        escaped = envelope.values["name"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        for slot in rendition.slots:
            value = escaped if slot.form == "html" else envelope.values["name"]
            person.add_substitution(sdk.Substitution(slot.tag, value))
        person.add_header(sdk.Header("List-Unsubscribe", f"<{envelope.unsubscribe_url}>"))
        person.add_header(sdk.Header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
        mail.add_personalization(person, index=at)
    mail.reply_to = sdk.ReplyTo(account["reply_to"])
    mail.asm = sdk.Asm(sdk.GroupId(account["asm_group_id"]))
    mail.ip_pool_name = sdk.IpPoolName(account["ip_pool"])
    mail.mail_settings = sdk.MailSettings(footer_settings=sdk.FooterSettings(enable=False))
    mail.tracking_settings = sdk.TrackingSettings(
        click_tracking=sdk.ClickTracking(enable=False, enable_text=False),
        open_tracking=sdk.OpenTracking(enable=False),
        subscription_tracking=sdk.SubscriptionTracking(enable=False),
        ganalytics=sdk.Ganalytics(enable=False),
    )
    return mail.get()


@pytest.mark.parametrize("rendition", [email_rendition(), pictured(email_rendition())], ids=["plain", "pictured"])
def test_the_request_is_the_one_that_the_sdk_builds(rendition):
    account = {
        "sender": "care@example.com",
        "sender_name": "Example Shop",
        "reply_to": "help@example.com",
        "asm_group_id": 12,
        "ip_pool": "crisis",
    }
    people = [
        e._replace(unsubscribe_url=f"https://example.com/u/{e.key}")
        for e in mail_envelopes(4, ("Ana", "김민수", "A & B <c>"))
    ]
    vendor = TestContract().accepting()
    contract = TestContract()
    contract.rendition = lambda: rendition
    contract.sending(vendor, envelopes=people, **account)
    (request,) = vendor.requests
    assert request.json() == sdk_mail(rendition, people, **account)
    assert (request.method, request.target) == ("POST", "/v3/mail/send")
    assert request.headers["authorization"] == "Bearer SG.kept-secret.0e12"
    assert request.headers["content-type"] == "application/json"


def test_a_picture_travels_once_for_a_thousand_people_and_the_sandbox_takes_it():
    vendor, contract = TestContract().accepting(), TestContract()
    contract.rendition = lambda: pictured(email_rendition())
    contract.sending(vendor, envelopes=mail_envelopes(1000))
    mail = SendGridMail.model_validate(vendor.requests[0].json())
    assert (len(mail.personalizations), len(mail.attachments)) == (1000, 1)
    assert check(vendor.requests[0].json(), NOW.timestamp()) == []


def test_the_fixture_is_as_the_vendor_posts_it():
    raw = BATCH.read_bytes()
    assert raw.count(b"\r\n") > 10
    assert json.loads(raw) == orjson.loads(raw)


def test_a_send_that_is_cancelled_ends_at_once():
    async def act(provider, vendor):
        task = asyncio.create_task(provider.send(email_rendition(), mail_envelopes(1), expires_at=SOON))
        while not vendor.requests:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await vendor.until_idle()

    contract = TestContract()
    contract.against(contract.mute(), act)
