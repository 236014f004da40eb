"""The pretend Twilio, driven by the vendor's own SDK and checked by its own validator."""

from urllib.parse import urlsplit

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from dispatcher.sandbox.config import EventPlan, Fates, Faults
from dispatcher.sandbox.signatures import TEXT_SIGNATURE
from tests.sandbox.conftest import ACCOUNT_SID, QUICK, until

SERVICE = "MG" + "0" * 32
SLOW = EventPlan(delay=(30, 30))


class HereClient(TwilioHttpClient):
    """The SDK's own client, with only the host of each URL changed."""

    def __init__(self, base_url):
        super().__init__(timeout=5)
        self._base_url = base_url

    def request(self, method, url, *more, **named):
        parts = urlsplit(url)
        here = self._base_url + parts.path + (f"?{parts.query}" if parts.query else "")
        return super().request(method, here, *more, **named)


def client(caller, token="sandbox-token"):
    return Client(ACCOUNT_SID, token, http_client=HereClient(caller.sandbox.base_url))


def test_the_sdk_is_answered_as_by_the_vendor(plain):
    sent = client(plain).messages.create(
        to="+447700900100", from_="+447700900001", body="ж" * 71, validity_period=600,
        status_callback="http://127.0.0.1:9/cb?d=L.B.1",
    )  # fmt: skip
    assert (sent.status, sent.num_segments, sent.direction) == ("queued", "2", "outbound-api")
    assert sent.sid.startswith("SM")
    assert sent.date_created.tzinfo is not None
    (line,) = plain.lines()
    assert (line.key, line.message, line.answer, line.vendor) == ("L.B.1", sent.sid, "201", "twilio")


def test_a_messaging_service_chooses_later(plain):
    found = client(plain)
    sent = found.messages.create(to="+447700900100", messaging_service_sid=SERVICE, body="Hello")
    assert (sent.status, sent.num_segments, sent.from_) == ("accepted", "0", None)
    until(lambda: found.messages(sent.sid).fetch().status == "delivered")
    later = found.messages(sent.sid).fetch()
    assert later.num_segments == "1"
    assert later.from_


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": None}, 21604),
        ({"From": None}, 21603),
        ({"Body": None}, 21602),
        ({"Body": "x" * 1_601}, 21617),
        ({"To": "07700900100"}, 21211),
        ({"To": "+4477"}, 21211),
        ({"To": "+44 7700 900100"}, 21211),
        ({"To": "ann@example.com"}, 21211),
        ({"To": "+447700900192"}, 21211),
        ({"To": "+447700900193"}, 21610),
        ({"To": "+447700900001"}, 21266),
        ({"From": "+0"}, 21212),
        ({"From": "A very long sender"}, 21212),
        ({"From": None, "MessagingServiceSid": "MG1"}, 21701),
        ({"ValidityPeriod": "0"}, 20001),
        ({"ValidityPeriod": "36001"}, 20001),
        ({"ValidityPeriod": "soon"}, 20001),
        ({"StatusCallback": "cb"}, 21609),
        ({"StatusCallback": "http://a_b.example.com/"}, 21609),
        ({"StatusCallback": "http://[::1/"}, 21609),
    ],
)
def test_what_the_vendor_refuses(plain, change, code):
    answer = plain.text(**change)
    assert answer.status == 400
    assert answer.json["code"] == code
    assert set(answer.json) == {"code", "message", "more_info", "status"}
    assert plain.tally().messages == 0
    assert plain.tally().refused == {"400": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"Body": "x" * 1_600},
        {"From": "Example Ltd"},
        {"From": "60011"},
        {"ValidityPeriod": "36000"},
        {"ValidityPeriod": "1"},
        {"Body": None, "MediaUrl": "http://127.0.0.1/a.png"},
        {"From": None, "MessagingServiceSid": SERVICE},
    ],
)
def test_what_is_just_allowed(plain, change):
    assert plain.text(**change).status == 201


def test_the_sdk_sees_the_vendors_errors(plain):
    with pytest.raises(TwilioRestException) as refused:
        client(plain).messages.create(to="+447700900193", from_="+447700900001", body="x")
    assert (refused.value.status, refused.value.code) == (400, 21610)
    with pytest.raises(TwilioRestException) as refused:
        client(plain, token="wrong").messages.create(to="+447700900100", from_="+447700900001", body="x")
    assert (refused.value.status, refused.value.code) == (401, 20003)


def test_a_refusal_about_one_message_is_recorded_under_its_key(plain):
    plain.text(To="+447700900193", StatusCallback="http://127.0.0.1:9/cb?d=k7")
    (line,) = plain.lines()
    assert (line.kind, line.key, line.answer) == ("refused", "k7", "400")


def test_another_accounts_path_is_closed(plain):
    other = "AC" + "1" * 32
    headers = {"Authorization": "Basic !", "Content-Type": "application/x-www-form-urlencoded"}
    for account in (other, ACCOUNT_SID):
        path = f"/2010-04-01/Accounts/{account}/Messages.json"
        assert plain.call("POST", path, "To=x", headers).status == 401


def test_whoever_said_stop_is_refused_from_then_on(plain):
    assert plain.text().status == 201
    plain.sandbox.opt_out("twilio", ["+447700900100"])
    assert plain.text().json["code"] == 21610


def test_callbacks_come_signed_and_carry_the_key(plain, receiver):
    url = receiver.url + "/webhooks/twilio?d=L.B.1&x=%20y"
    sid = plain.text(StatusCallback=url).json["sid"]
    assert plain.sandbox.drained(5)
    validator = RequestValidator("sandbox-token")
    assert sorted(post.form["MessageStatus"] for post in receiver.posted) == ["delivered", "sent"]
    for post in receiver.posted:
        assert post.url == url
        assert validator.validate(url, post.form, post.headers[TEXT_SIGNATURE])
        assert not validator.validate(url, post.form | {"MessageStatus": "failed"}, post.headers[TEXT_SIGNATURE])
        assert post.form["MessageSid"] == post.form["SmsSid"] == sid
        assert (post.form["To"], post.form["AccountSid"]) == ("+447700900100", ACCOUNT_SID)
        assert post.headers["I-Twilio-Idempotency-Token"]


@pytest.mark.parametrize(
    ("suffix", "words", "code"),
    [
        ("199", {"sent", "undelivered"}, "30003"),
        ("198", {"sent", "undelivered"}, "30005"),
        ("197", {"sent", "undelivered"}, "30006"),
        ("196", {"sent", "undelivered"}, "30007"),
        ("195", {"failed"}, "30008"),
        ("194", {"sent"}, None),
    ],
)
def test_the_end_of_a_number_names_its_fate(plain, receiver, suffix, words, code):
    sid = plain.text(To=f"+12025550{suffix}", StatusCallback=receiver.url + "/cb").json["sid"]
    assert plain.sandbox.drained(5)
    assert {post.form["MessageStatus"] for post in receiver.posted} == words
    assert {post.form.get("ErrorCode") for post in receiver.posted} - {None} == ({code} if code else set())
    assert plain.texts(f"/{sid}").json["error_code"] == (int(code) if code else None)


def test_a_service_has_one_callback_more(plain, receiver):
    plain.text(From=None, MessagingServiceSid=SERVICE, StatusCallback=receiver.url + "/cb")
    assert plain.sandbox.drained(5)
    assert {post.form["MessageStatus"] for post in receiver.posted} == {"queued", "sent", "delivered"}
    assert {post.form["MessagingServiceSid"] for post in receiver.posted} == {SERVICE}


def test_lost_callbacks_can_be_asked_for(stage, receiver):
    caller = stage(events=QUICK.model_copy(update={"drop": 1.0}))
    sid = caller.text(StatusCallback=receiver.url + "/cb").json["sid"]
    assert caller.sandbox.drained(5)
    found = client(caller)
    until(lambda: found.messages(sid).fetch().status == "delivered")
    assert found.messages(sid).fetch().date_sent is not None
    assert receiver.posted == []


def test_the_sdk_lists_what_went_to_a_number(plain):
    for number in ("+447700900100", "+447700900101", "+447700900100"):
        plain.text(To=number, Body=f"to {number}")
    found = client(plain)
    listed = found.messages.list(to="+447700900100")
    assert len(listed) == 2
    assert {message.to for message in listed} == {"+447700900100"}
    assert listed[0].sid == plain.lines()[2].message
    assert len(found.messages.list()) == 3
    assert found.messages.list(to="+447700900102") == []
    assert found.messages.list(from_="+447700900009") == []


def test_the_sdk_pages_through_a_long_list(plain):
    for _ in range(7):
        plain.text()
    listed = client(plain).messages.list(page_size=3)
    assert len({message.sid for message in listed}) == 7
    assert plain.texts(PageSize="1001").json["code"] == 20001


def test_a_list_by_day_misses_what_is_not_sent_yet(stage):
    caller = stage(events=SLOW)
    caller.text()
    assert caller.texts().json["messages"][0]["date_sent"] is None
    assert caller.texts(**{"DateSent>": "2020-01-01"}).json["messages"] == []


def test_a_list_by_day(plain):
    plain.text()
    until(lambda: plain.texts().json["messages"][0]["date_sent"])
    for query, count in (
        ({"DateSent>": "2020-01-01"}, 1), ({"DateSent<": "2020-01-01"}, 0), ({"DateSent": "2020-01-01"}, 0),
        ({"DateSent>": "2020-01-01T10:00:00Z", "DateSent<": "2100-01-01"}, 1),
    ):  # fmt: skip
        assert len(plain.texts(**query).json["messages"]) == count


def test_a_list_can_lag(stage):
    caller = stage(faults={"twilio": Faults(list_lag=0.3)})
    caller.text()
    assert caller.texts().json["messages"] == []
    assert until(lambda: caller.texts().json["messages"])


def test_an_unknown_message_is_not_found(plain):
    answer = plain.texts("/SM" + "0" * 32)
    assert (answer.status, answer.json["code"]) == (404, 20404)
    assert plain.texts(token="wrong").status == 401


def test_only_the_last_messages_are_remembered(stage):
    caller = stage(keep_texts=3)
    sids = [caller.text(Body=str(n)).json["sid"] for n in range(5)]
    listed = [message["sid"] for message in caller.texts(To="+447700900100").json["messages"]]
    assert listed == sids[:1:-1]
    assert caller.texts(f"/{sids[0]}").status == 404


def test_fates_can_be_shares(stage, receiver):
    caller = stage(fates=Fates(shares={"unreachable": 1.0}))
    caller.text(StatusCallback=receiver.url + "/cb")
    assert caller.sandbox.drained(5)
    assert "undelivered" in {post.form["MessageStatus"] for post in receiver.posted}


@pytest.mark.parametrize(
    ("fragment", "statuses", "posts"),
    [
        ("", [500], 1),
        ("#rc=2&rp=5xx", [500, 503, 500], 3),
        ("#rc=2&rp=4xx", [500], 1),
        ("#rc=1&rp=4xx,5xx", [404], 2),
        ("#rc=9&rp=all", [500] * 9, 6),
        ("#rc=x&rp=all", [500] * 9, 2),
    ],
)
def test_a_callback_is_tried_again_as_its_url_asks(stage, receiver, fragment, statuses, posts):
    caller = stage(events=QUICK.model_copy(update={"steps": False}))
    receiver.statuses = list(statuses)
    caller.text(StatusCallback=receiver.url + "/cb?d=k1" + fragment)
    assert caller.sandbox.drained(5)
    assert len(receiver.posted) == posts
    assert {post.url for post in receiver.posted} == {receiver.url + "/cb?d=k1"}
    first = receiver.posted[0]
    assert RequestValidator("sandbox-token").validate(first.url, first.form, first.headers[TEXT_SIGNATURE])


def test_nobody_there_is_tried_once_more_and_then_lost(stage):
    caller = stage(events=QUICK.model_copy(update={"steps": False}))
    caller.text(StatusCallback="http://127.0.0.1:9/cb")
    assert caller.sandbox.drained(5)
    events = caller.sandbox.state()["events"]
    assert (events["posts"], events["given_up"]) == (2, 1)
