"""The pretend SendGrid, driven by the vendor's own SDK and checked by its own validator."""

import gzip
import json

import pytest
from python_http_client.exceptions import BadRequestsError, UnauthorizedError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.eventwebhook import EventWebhook
from sendgrid.helpers.mail import CustomArg, Header, Mail, Personalization, Substitution, To

from dispatcher.sandbox.config import EventPlan, Fates
from dispatcher.sandbox.signatures import MAIL_SIGNATURE, MAIL_TIMESTAMP
from tests.sandbox.conftest import QUICK, a_mail, accounts


def client(caller, key="SG.sandbox"):
    found = SendGridAPIClient(key, host=caller.sandbox.base_url)
    found.client.timeout = 5
    return found


def a_person(number, address):
    person = Personalization()
    person.add_to(To(address, f"Person {number}"))
    person.add_substitution(Substitution("%name%", f"Name {number}"))
    person.add_custom_arg(CustomArg("d", f"L.B.{number}"))
    person.add_header(Header("List-Unsubscribe", f"<http://127.0.0.1/u/{number}>"))
    return person


def a_batch(*addresses):
    mail = Mail(from_email="news@example.org", subject="Hello %name%", plain_text_content="Dear %name%")
    for number, address in enumerate(addresses):
        mail.add_personalization(a_person(number, address), index=number)
    return mail


@pytest.fixture
def telling(stage, receiver):
    """Starts a sandbox whose events go to the receiver."""

    def start(**settings):
        there = accounts(sendgrid={"events_url": receiver.url + "/webhooks/sendgrid"})
        return stage(accounts=there, **settings)

    return start


def test_the_sdk_is_answered_as_by_the_vendor(plain):
    answer = client(plain).send(a_batch("ann@example.com", "ben@example.com"))
    assert answer.status_code == 202
    assert answer.body == b""
    request = answer.headers["X-Message-Id"]
    lines = plain.lines()
    assert [line.key for line in lines] == ["L.B.0", "L.B.1"]
    assert all(line.message.split(".")[0] == request for line in lines)
    assert len({line.message for line in lines}) == 2
    assert {(line.vendor, line.account, line.answer, line.fate) for line in lines} == {
        ("sendgrid", "sendgrid", "202", "delivered")
    }
    assert all(line.began <= line.ended for line in lines)


def test_the_sdk_sees_the_vendors_errors(plain):
    with pytest.raises(UnauthorizedError) as refused:
        client(plain, key="SG.wrong").send(a_batch("ann@example.com"))
    assert refused.value.to_dict["errors"][0]["field"] is None
    with pytest.raises(BadRequestsError) as refused:
        client(plain).send(a_batch("ann@example.com", "nobody"))
    assert [e["field"] for e in refused.value.to_dict["errors"]] == ["personalizations.1.to.0.email"]
    assert plain.tally().messages == 0
    assert plain.tally().refused == {"401": 1, "400": 1}


def test_a_thousand_in_one_request(plain):
    addresses = [f"p{n}@example.com" for n in range(1_000)]
    assert plain.mail(a_mail(*addresses)).status == 202
    assert len(plain.tally().counts) == 1_000
    assert plain.mail(a_mail(*addresses, "one.more@example.com")).status == 400


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {}, 400),
        (b"\xff\xfe", {}, 400),
        (json.dumps(a_mail()).encode(), {"Content-Type": "text/plain"}, 415),
        (gzip.compress(json.dumps(a_mail()).encode()), {"Content-Encoding": "gzip"}, 415),
        (b" " * 30_000_001, {}, 413),
        (json.dumps(a_mail()).encode(), {"Authorization": "SG.sandbox"}, 401),
        (json.dumps(a_mail()).encode(), {"Authorization": ""}, 401),
    ],
)
def test_what_is_wrong_with_the_request_itself(plain, body, headers, status):
    answer = plain.mail(body, **headers)
    assert answer.status == status
    assert set(answer.json["errors"][0]) == {"message", "field", "help"}
    assert plain.tally().messages == 0


def test_sandbox_mode_checks_and_sends_nothing(telling, receiver):
    caller = telling()
    answer = caller.mail(a_mail(mail_settings={"sandbox_mode": {"enable": True}}))
    assert (answer.status, answer.body) == (200, b"")
    assert "X-Message-Id" not in answer.headers
    assert caller.mail(a_mail("nobody", mail_settings={"sandbox_mode": {"enable": True}})).status == 400
    assert caller.sandbox.drained(1)
    assert receiver.posted == []
    assert caller.tally().messages == 0


def test_a_sender_that_is_not_verified_is_refused(stage):
    caller = stage(accounts=accounts(sendgrid={"senders": ("help@example.org",)}))
    answer = caller.mail(a_mail())
    assert answer.status == 403
    assert answer.json["errors"][0]["field"] == "from"
    assert caller.mail(a_mail(**{"from": {"email": "help@example.org"}})).status == 202


def test_every_copy_is_a_message(plain):
    mail = a_mail()
    mail["personalizations"][0] |= {"cc": [{"email": "ben@example.com"}], "bcc": [{"email": "cat@example.com"}]}
    assert plain.mail(mail).status == 202
    assert plain.tally().duplicates == {"k0": 3}


def test_what_a_recipient_sees(plain):
    client(plain).send(a_batch("ann@example.com", "ben@example.com"))
    shown = plain.sandbox.messages(key="L.B.1")[0]
    assert shown["address"] == "ben@example.com"
    assert shown["subject"] == "Hello Name 1"
    assert shown["content"] == {"text/plain": "Dear Name 1"}
    assert shown["headers"] == {"List-Unsubscribe": "<http://127.0.0.1/u/1>"}


def test_a_value_is_never_substituted_again(plain):
    mail = a_mail(subject="%a% and %b%")
    mail["personalizations"][0]["substitutions"] = {"%a%": "%b%", "%b%": "B"}
    plain.mail(mail)
    assert plain.sandbox.messages()[0]["subject"] == "%b% and B"


def test_events_come_back_signed(telling, receiver):
    caller = telling()
    addresses = ["ann@example.com", "ben@example.com"]
    caller.mail(a_mail(*addresses, custom_args={"broadcast": "Ż1", "event": "mine"}))
    assert caller.sandbox.drained(5)
    validator = EventWebhook(caller.sandbox.public_key)
    for post in receiver.posted:
        assert validator.verify_signature(
            post.body.decode(), post.headers[MAIL_SIGNATURE], post.headers[MAIL_TIMESTAMP]
        )
        assert post.body.endswith(b"}]\r\n")
        assert post.headers["Content-Type"] == "application/json"
    assert {(e["d"], e["event"]) for e in receiver.events} == {
        ("k0", "processed"), ("k0", "delivered"), ("k1", "processed"), ("k1", "delivered"),
    }  # fmt: skip
    assert len({e["sg_event_id"] for e in receiver.events}) == 4
    assert {e["broadcast"] for e in receiver.events} == {"Ż1"}
    ids = {line.key: line.message for line in caller.lines()}
    assert {e["d"]: e["sg_message_id"] for e in receiver.events} == ids
    assert all(isinstance(e["timestamp"], int) for e in receiver.events)


def events_of(caller, receiver, address):
    caller.mail(a_mail(address))
    assert caller.sandbox.drained(5)
    found = sorted((e for e in receiver.events if e["email"] == address), key=lambda e: e["event"] != "processed")
    return [(e["event"], e.get("type"), e.get("reason")) for e in found], found


@pytest.mark.parametrize(
    ("word", "events"),
    [
        ("bounce", {("processed", None), ("bounce", "bounce")}),
        ("block", {("processed", None), ("bounce", "blocked")}),
        ("drop", {("dropped", None)}),
        ("defer", {("processed", None), ("deferred", None), ("delivered", None)}),
        ("spam", {("processed", None), ("delivered", None), ("spamreport", None)}),
        ("optout", {("processed", None), ("delivered", None), ("unsubscribe", None)}),
        ("latebounce", {("processed", None), ("delivered", None), ("bounce", "bounce")}),
        ("silent", set()),
    ],
)
def test_each_fate_has_its_events(telling, receiver, word, events):
    caller = telling()
    told, found = events_of(caller, receiver, f"{word}.1@example.com")
    assert {(event, kind) for event, kind, _ in told} == events
    without_id = [e["event"] for e in found if "sg_message_id" not in e]
    assert without_id == (["bounce"] if word == "latebounce" else [])


@pytest.mark.parametrize(
    ("word", "reason"),
    [("bounce", "Bounced Address"), ("spam", "Spam Reporting Address"), ("optout", "Unsubscribed Address")],
)
def test_whoever_must_not_be_written_to_again_is_dropped(telling, receiver, word, reason):
    caller = telling()
    address = f"{word}.1@example.com"
    caller.mail(a_mail(address))
    assert caller.sandbox.drained(5)
    receiver.posted.clear()
    told, _ = events_of(caller, receiver, address)
    assert told == [("dropped", None, reason)]
    receiver.posted.clear()
    caller.mail(a_mail(address, mail_settings={"bypass_list_management": {"enable": True}}))
    assert caller.sandbox.drained(5)
    assert "dropped" not in {e["event"] for e in receiver.events}


def test_fates_can_be_shares(telling, receiver):
    caller = telling(fates=Fates(shares={"bounced": 1.0}))
    told, _ = events_of(caller, receiver, "ann@example.com")
    assert ("bounce", "bounce") in {(event, kind) for event, kind, _ in told}
    assert {line.fate for line in caller.lines()} == {"bounced"}


def test_a_batch_is_cut_at_the_vendors_size(telling, receiver):
    caller = telling(events=QUICK.model_copy(update={"batch_bytes": 2_000, "batch_seconds": 0.2}))
    caller.mail(a_mail(*[f"p{n}@example.com" for n in range(30)]))
    assert caller.sandbox.drained(5)
    assert len(receiver.posted) >= 5
    assert all(len(post.body) <= 2_010 for post in receiver.posted)
    assert len(receiver.events) == 60


def test_what_is_not_taken_is_tried_again(telling, receiver):
    caller = telling(events=EventPlan(delay=(0, 0), batch_seconds=0.05, retries=(0.01, 0.01)))
    receiver.statuses = [500, 302]
    caller.mail(a_mail())
    assert caller.sandbox.drained(5)
    assert len(receiver.posted) == 3
    assert len({post.body for post in receiver.posted}) == 1
    state = caller.sandbox.state()["events"]
    assert (state["events"], state["posts"], state["posts_failed"]) == (2, 3, 2)


def test_in_the_end_it_gives_up(telling, receiver):
    caller = telling(events=EventPlan(delay=(0, 0), batch_seconds=0.01, retries=(0.01,)))
    receiver.statuses = [500] * 50
    caller.mail(a_mail())
    assert caller.sandbox.drained(5)
    assert caller.sandbox.state()["events"]["given_up"] == 2


def test_doubled_events_carry_the_same_id(telling, receiver):
    caller = telling(events=QUICK.model_copy(update={"duplicate": 1.0}))
    caller.mail(a_mail())
    assert caller.sandbox.drained(5)
    assert len(receiver.events) == 4
    assert len({e["sg_event_id"] for e in receiver.events}) == 2
