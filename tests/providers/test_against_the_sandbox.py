"""The real adapters and the pretend vendors, which share no code: what one says the other understands."""

import asyncio
import datetime as dt
import time

import pytest
from pydantic import SecretStr

from dispatcher.model.clock import SystemClock
from dispatcher.model.event import EventType, WebhookRequest
from dispatcher.model.outcome import Accepted, OutcomeUnknown
from dispatcher.provider import load
from dispatcher.sandbox.config import Account, EventPlan, Kind, OAuth
from dispatcher.sandbox.threaded import running
from dispatcher.wire import Wire
from tests.contract.http_vendor import HttpVendor, always, in_thread, reply
from tests.contract.material import (
    email_rendition,
    mail_envelopes,
    post_envelopes,
    post_rendition,
    sms_envelopes,
    sms_rendition,
)

KEYS = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "at", "access_token_secret": "ats"}
OAUTH = OAuth(consumer_key="ck", consumer_secret=SecretStr("cs"), token="at", token_secret=SecretStr("ats"))
SID = "AC" + "0" * 32
SPEC = {
    "sendgrid": {"api_key": "SG.sandbox", "sender": "care@example.com", "sender_name": "Example Shop"},
    "twilio": {"account_sid": SID, "auth_token": "token", "sender": "+447700900999"},
    "x": KEYS,
    "smtp": {"sender": "care@example.com"},
}


@pytest.fixture(scope="module")
def world():
    """The pretend vendors, and a server that collects what they post back."""
    with in_thread(HttpVendor(always(reply(204)))) as ours:
        accounts = (
            Account(name="sendgrid", kind=Kind.SENDGRID, secret=SecretStr("SG.sandbox"), events_url=f"{ours.url}/mail"),
            Account(name="twilio", kind=Kind.TWILIO, user=SID, secret=SecretStr("token")),
            Account(name="x", kind=Kind.X, user="1000000001", oauth=OAUTH),
            Account(name="smtp", kind=Kind.SMTP),
        )
        with running(accounts=accounts, events=EventPlan(delay=(0, 0.01), batch_seconds=0.02)) as vendors:
            yield vendors, ours


def at(world, kind, act, **settings):
    vendors, _ = world

    async def run():
        async with Wire() as wire:
            made = load(kind)
            return await act(made(made.Settings(base_url=vendors.urls[kind], **SPEC[kind], **settings), wire))

    return asyncio.run(run())


def soon():
    return SystemClock().now() + dt.timedelta(hours=1)


@pytest.mark.parametrize(
    ("kind", "rendition", "envelopes"),
    [("sendgrid", email_rendition, mail_envelopes), ("twilio", sms_rendition, sms_envelopes),
     ("smtp", email_rendition, mail_envelopes)]
)  # fmt: skip
def test_messages_are_taken(world, kind, rendition, envelopes):
    async def act(provider):
        most = provider.recipients_per_request
        people = envelopes(8)
        sliced = [people[n : n + most] for n in range(0, 8, most)]
        return [o for some in sliced for o in await provider.send(rendition(), some, expires_at=soon())]

    assert [type(outcome) for outcome in at(world, kind, act)] == [Accepted] * 8


def test_a_text_is_found_in_the_list(world):
    async def act(provider):
        envelope = sms_envelopes(20)[-1]
        since = SystemClock().now()
        (sent,) = await provider.send(sms_rendition(), [envelope], expires_at=soon())
        return sent.provider_message_id, await provider.lookup(sms_rendition(), envelope, since=since)

    ident, found = at(world, "twilio", act)
    assert found.provider_message_id == ident


def test_a_thread_is_posted_once_and_found_again(world):
    async def act(provider):
        since, first = SystemClock().now(), post_envelopes(1)[0]
        (one,) = await provider.send(post_rendition(), [first], expires_at=soon())
        second = type(first)(first.key, first.address, part=2, in_reply_to=one.provider_message_id)
        (two,) = await provider.send(post_rendition(), [second], expires_at=soon())
        (again,) = await provider.send(post_rendition(), [first], expires_at=soon())
        found = [await provider.lookup(post_rendition(), envelope, since=since) for envelope in (first, second)]
        return one, two, again, found

    one, two, again, found = at(world, "x", act)
    assert again == OutcomeUnknown("duplicate")
    assert found == [one, two]


def collected(world, path, key, *, seconds=5):
    """Requests that came back to us and speak of a delivery, as the web process would hand them on."""
    _, ours = world
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = [r for r in ours.requests if r.target.startswith(path) and key in r.target + r.body.decode()]
        if any(b"delivered" in r.body for r in found):
            now = SystemClock().now()
            return [WebhookRequest("POST", ours.url + r.target, r.headers, r.body, now) for r in found]
        time.sleep(0.01)
    raise AssertionError("nothing came back")


def test_mail_events_are_signed_and_lead_back_to_the_delivery(world):
    vendors, _ = world

    async def act(provider):
        await provider.send(email_rendition(), mail_envelopes(3)[2:], expires_at=soon())
        events = []
        for request in await asyncio.to_thread(collected, world, "/mail", "3fL.12.2"):
            provider.verify(request)
            events += provider.parse(request)
        return events

    told = {e.type for e in at(world, "sendgrid", act, webhook_key=vendors.public_key) if e.key == "3fL.12.2"}
    assert {EventType.PROCESSED, EventType.DELIVERED} <= told


def test_callbacks_are_signed_and_lead_back_to_the_delivery(world):
    _, ours = world

    async def act(provider):
        await provider.send(sms_rendition(), sms_envelopes(4)[3:], expires_at=soon())
        requests = await asyncio.to_thread(collected, world, "/texts", "3fL.12.3")
        for request in requests:
            provider.verify(request)
        return [event for request in requests for event in provider.parse(request)]

    events = at(world, "twilio", act, events_url=f"{ours.url}/texts")
    assert {event.key for event in events} == {"3fL.12.3"}
    assert EventType.DELIVERED in {event.type for event in events}
