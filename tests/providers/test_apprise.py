"""Chat rooms by Apprise: the contract, the posts of several services, and that nothing else is ever called."""

import asyncio
import logging

import apprise
import pytest
from pydantic import ValidationError

from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, OutcomeUnknown, Rejected
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.providers.apprise import SERVICES, Apprise, AppriseSettings
from dispatcher.wire import Wire
from tests.contract.http_contract import HttpContract
from tests.contract.http_vendor import HttpVendor, always, reply
from tests.contract.material import SOON, Arrived

TOKEN = "TIiajkdnlazkcOXrIdevi7FQ"
SLACK = f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}/"
TEXT = "INC-7: next word promised to customers in 5 min & nobody <has> it. Näxt: dispatcher reminder ack R-3"


def room_rendition(text=TEXT):
    return Rendition(Channel.CHAT, "en", "", {"text": text})


def slack_text(body):
    """The words of a Slack post as people read them."""
    text = body["text"] if "text" in body and "attachments" not in body else body["attachments"][0]["text"]
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


class TestContract(HttpContract):
    kind = "apprise"
    credentials = {"url": SLACK}  # noqa: RUF012
    secrets = ("url",)
    key_travels = False  # a room echoes nothing
    addresses_are_private = False  # the name of our own account
    success = reply(200, b"ok")

    def rendition(self):
        return room_rendition()

    def envelopes(self, count):
        return [Envelope(f"3fL.12.{seq}", "ops_room") for seq in range(count)]

    def error(self, status):
        return {"error": f"no ({status})"}

    def read(self, request):
        return [Arrived("ops_room", None, {"text": slack_text(request.json())})]

    def test_the_token_travels_in_the_path_of_the_one_host(self):
        vendor = self.accepting()
        self.sending(vendor)
        (request,) = vendor.requests
        assert request.target == f"/services/T1JJ3T3L2/A1BRTD4JD/{TOKEN}"
        assert "Apprise" not in str(request.json())

    def test_a_yes_that_is_none_is_unknown(self):
        (outcome,) = self.sending(HttpVendor(always(reply(200, b"invalid_token"))))
        assert isinstance(outcome, OutcomeUnknown)

    def test_what_a_room_would_cut_is_refused(self):
        async def act(provider, _far):
            return await provider.send(room_rendition("x" * 60_000), self.envelopes(1), expires_at=SOON)

        vendor = self.accepting()
        (outcome,) = self.against(vendor, act)
        assert isinstance(outcome, Rejected)
        assert vendor.requests == []

    def test_an_address_of_several_rooms_is_refused_before_anything_is_told(self):
        async def run():
            async with self.accepting() as vendor, Wire() as wire:
                settings = AppriseSettings(base_url=vendor.url, url=f"{SLACK}#one/#two")
                outcomes = await Apprise(settings, wire).send(room_rendition(), self.envelopes(1), expires_at=SOON)
                return outcomes, vendor.requests

        (outcome,), requests = asyncio.run(run())
        assert isinstance(outcome, Misconfigured)
        assert requests == []

    def test_the_library_writes_no_line(self, caplog):
        caplog.set_level(logging.DEBUG)
        self.sending(self.accepting())
        assert [r for r in caplog.records if r.name.startswith("apprise")] == []


@pytest.mark.parametrize(
    ("url", "path", "answer"),
    [
        ("workflows://prod-1.example.com:443/643a8b03/aBcDeFgH/", "/workflows/643a8b03/triggers/manual/", 202),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "/api/webhooks/4174216298/", 204),
        ("mmosts://mm.example.com/3ccdd113474722377935511fc85d3dd4", "/hooks/3ccdd113474722377935511fc85d3dd4", 200),
        ("gchat://abcdefghi/ABCDEFGHIJKLMNOPQ/aBcDeFgHiJkLmNo", "/v1/spaces/abcdefghi/messages", 200),
        ("jsons://hooks.example.com/path", "/path", 200),
        ("ntfys://ntfy.example.com/alerts", "/", 200),
    ],
)  # fmt: skip
def test_each_service_posts_the_words_to_base_url_alone(url, path, answer):
    async def run():
        async with HttpVendor(always(reply(answer, b"" if answer == 204 else b"{}"))) as vendor, Wire() as wire:
            settings = AppriseSettings(base_url=vendor.url, url=url)
            outcome = await Apprise(settings, wire).send(
                room_rendition("Orders are paused"), [Envelope("k.1.1", "ops_room")], expires_at=SOON
            )
            return vendor, outcome

    vendor, (outcome,) = asyncio.run(run())
    assert isinstance(outcome, Accepted), outcome
    (request,) = vendor.requests
    assert request.target.startswith(path)
    assert b"Orders are paused" in request.body


@pytest.mark.parametrize(
    "url", ["mailto://a:b@example.com", "dbus://", "syslog://", "file:///etc/passwd", "tgram://1:a/2"]
)
def test_what_is_no_room_does_not_start(url):
    with pytest.raises(ValidationError):
        AppriseSettings(base_url="https://rooms.example.com", url=url)


def test_every_service_is_one_of_apprise():
    known = {
        name
        for one in apprise.Apprise().details()["schemas"]
        for name in (*(one["protocols"] or ()), *(one["secure_protocols"] or ()))
    }
    assert known >= SERVICES, SERVICES - known
