"""X: the contract, the request beside the SDK's own, its signature, and the timeline that settles doubts."""

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import json
import logging
import re
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
import requests
import tweepy

from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Rendition
from dispatcher.wire import Wire
from tests.contract.http_contract import HttpContract
from tests.contract.http_vendor import HttpVendor, always, reply
from tests.contract.material import NOW, SOON, Arrived, post_envelopes, post_rendition
from tests.contract.provider_contract import LookupContract
from tests.contract.references import XPost

KEYS = {
    "consumer_key": "ck-kept-secret",
    "consumer_secret": "cs-kept-secret&=",
    "access_token": "at-kept-secret",
    "access_token_secret": "ats-kept-secret/+",
}
FIRST = post_rendition().posts[0]


def problem(status, title, detail):
    return reply(status, {"title": title, "detail": detail, "type": "about:blank", "status": status})


DUPLICATE = problem(403, "Forbidden", "You are not allowed to create a Tweet with duplicate content.")


def shown(text, ident="1900000000000000001", reply_to=None):
    """A post as the timeline shows it: links shortened, three characters escaped."""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"(?:https://)?example\.com/[a-z]+", "https://t.co/Ab12Cd34Ef", text)
    post = {"id": ident, "text": text, "created_at": "2026-11-22T12:00:01.000Z", "edit_history_tweet_ids": [ident]}
    return post | ({"referenced_tweets": [{"type": "replied_to", "id": reply_to}]} if reply_to else {})


def timeline(*posts):
    return reply(200, {"meta": {"result_count": len(posts)}} | ({"data": list(posts)} if posts else {}))


class TestContract(LookupContract, HttpContract):
    kind = "x"
    credentials = KEYS | {"user_id": "1000000001"}
    secrets = tuple(KEYS)
    key_travels = False  # a post carries nothing of ours but its words
    addresses_are_private = False  # our own public handle
    success = reply(201, {"data": {"id": "1900000000000000001", "text": "…", "edit_history_post_ids": []}})
    meanings = {400: Rejected}  # noqa: RUF012

    def rendition(self):
        return post_rendition()

    def envelopes(self, count):
        return post_envelopes(count)

    def error(self, status):
        return {"title": "Nope", "detail": f"HTTP {status} for person0@example.org", "status": status}

    def read(self, request):
        if request.method == "GET":
            return []
        post = XPost.model_validate(request.json())
        return [Arrived("@example_shop", None, {"text": post.text})]

    def throttling(self, seconds):
        headers = {"x-rate-limit-limit": "100", "x-rate-limit-remaining": "0"}
        reset = int(NOW.timestamp()) + seconds
        return HttpVendor(always(reply(429, self.error(429), headers | {"x-rate-limit-reset": str(reset)})))

    def knowing(self, envelope):
        def answer(request):
            assert urlsplit(request.target).path == "/2/users/1000000001/tweets"
            query = dict(parse_qsl(urlsplit(request.target).query))
            assert query["start_time"] == "2026-11-22T11:59:00Z"
            assert 5 <= int(query["max_results"]) <= 100
            return timeline(shown("Another post", "19"), shown(FIRST))

        return HttpVendor(answer)

    def knowing_nothing(self):
        return HttpVendor(always(timeline()))

    # --- threads

    def test_a_later_part_replies_to_the_one_before(self):
        envelope = self.envelopes(1)[0]._replace(part=2, in_reply_to="1900000000000000001")
        vendor = self.accepting()
        self.sending(vendor, envelopes=[envelope])
        assert vendor.requests[0].json() == {
            "text": post_rendition().posts[1],
            "reply": {"in_reply_to_tweet_id": "1900000000000000001"},
        }

    def test_parts_are_ordered_by_number_and_not_by_word(self):
        parts = {f"post.{n}": f"part {n}" for n in (10, 2, 1)}

        class Long(TestContract):
            def rendition(self):
                return Rendition(Channel.SOCIAL, "en", "", parts)

        vendor = self.accepting()
        Long().sending(vendor, envelopes=[post_envelopes(1)[0]._replace(part=3)])
        assert vendor.requests[0].json()["text"] == "part 10"

    # --- answers

    def answer_to(self, answer, **envelope):
        people = [self.envelopes(1)[0]._replace(**envelope)]
        (outcome,) = self.sending(HttpVendor(always(answer)), envelopes=people)
        return outcome

    def test_a_duplicate_is_evidence_and_no_refusal(self):
        assert self.answer_to(DUPLICATE) == OutcomeUnknown("duplicate")

    def test_a_reply_that_is_not_allowed_costs_that_part_only(self):
        why = problem(403, "Forbidden", "Reply to this conversation is not allowed because you were not mentioned.")
        assert isinstance(self.answer_to(why, in_reply_to="19"), Rejected)
        assert isinstance(self.answer_to(why), Misconfigured)

    @pytest.mark.parametrize(
        ("status", "title", "kind"),
        [(400, "Invalid Request", Rejected), (401, "Unauthorized", Misconfigured),
         (402, "CreditsDepleted", Misconfigured), (403, "Client Forbidden", Misconfigured),
         (503, "Service Unavailable", OutcomeUnknown)]
    )  # fmt: skip
    def test_other_refusals(self, status, title, kind):
        outcome = self.answer_to(problem(status, title, "Because of a reason."))
        assert isinstance(outcome, kind)
        assert title in outcome.reason

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"data": []}', b'{"data": {"id": 5}}', b"<html>"])
    def test_made_without_a_name_stays_open(self, body):
        assert isinstance(self.answer_to(reply(201, body)), OutcomeUnknown)

    @pytest.mark.parametrize(
        ("headers", "wait"),
        [({"x-rate-limit-remaining": "5", "x-rate-limit-reset": "+20", "x-user-limit-24hour-remaining": "0",
           "x-user-limit-24hour-reset": "+7000"}, 7000.0),
         ({"x-rate-limit-remaining": "0", "x-rate-limit-reset": "+20", "x-app-limit-24hour-remaining": "0",
           "x-app-limit-24hour-reset": "+90000"}, 86_400.0),
         ({"x-rate-limit-reset": "+20"}, 20.0), ({"x-rate-limit-reset": "-20"}, 0.0),
         ({"x-rate-limit-remaining": "0"}, None), ({"x-rate-limit-reset": "soon"}, None), ({}, None)]
    )  # fmt: skip
    def test_the_wait_is_that_of_the_window_that_is_spent(self, headers, wait):
        given = {k: str(int(NOW.timestamp()) + int(v)) if v[0] in "+-" else v for k, v in headers.items()}
        assert self.answer_to(reply(429, b"{}", given)) == Throttled(wait)

    # --- the timeline

    def found(self, *posts, envelope=None, text=None):
        class Worded(TestContract):
            def rendition(self):
                return post_rendition() if text is None else Rendition(Channel.SOCIAL, "en", "", {"post.1": text})

            def envelopes(self, count):
                return [e._replace(**(envelope or {})) for e in post_envelopes(count)]

        return Worded().looking(HttpVendor(always(timeline(*posts))))

    @pytest.mark.parametrize(
        "text",
        [FIRST, "no link at all", "bare example.com/help and https://example.com/status)", "a < b & c > d",
         "It is 10.30am: (https://example.com/a).", "line\nline", "Zoë e\u0301t\u00e9", "&amp; stays &copy; as it is",
         "詳細はhttps://example.com/aをご覧ください", "…", "[a](b) *c* \\d+ $5"]
    )  # fmt: skip
    def test_the_words_are_recognised_as_the_timeline_shows_them(self, text):
        assert self.found(shown(text), text=text) == Accepted("1900000000000000001")
        assert self.found(shown(text) | {"text": text.replace("&", "&amp;")}, text=text) is not None
        assert self.found(shown(f"@example_shop {text}"), text=text) is not None
        assert self.found(shown(text + " more"), text=text) is None
        assert self.found(shown("x" + text), text=text) is None

    def test_the_vendor_composes_characters(self):
        assert self.found(shown("Zo\u00eb \u00e9t\u00e9"), text="Zoe\u0308 e\u0301te\u0301") is not None

    def test_a_time_that_differs_is_another_post(self):
        assert self.found(shown("Update at 10.45am."), text="Update at 10.30am.") is None

    def test_a_reply_is_found_only_under_its_own_post(self):
        second = {"part": 2, "in_reply_to": "19"}
        words = post_rendition().posts[1]
        assert self.found(shown(words, "20", reply_to="19"), envelope=second) == Accepted("20")
        assert self.found(shown(words, "20", reply_to="18"), envelope=second) is None
        assert self.found(shown(words, "20"), envelope=second) is None
        assert self.found(shown(FIRST, "20", reply_to="19")) is None

    @pytest.mark.parametrize("odd", [5, None, {"id": "1"}, {"text": None}, {"text": "x", "referenced_tweets": 7}])
    def test_odd_entries_are_passed_over(self, odd):
        assert self.found(odd) is None

    def test_who_we_are_is_asked_once(self):
        asked = []

        def answer(request):
            asked.append(urlsplit(request.target).path)
            return reply(200, {"data": {"id": "77"}}) if asked[-1] == "/2/users/me" else timeline(shown(FIRST))

        async def act(provider, _far):
            return [await provider.lookup(post_rendition(), post_envelopes(1)[0], since=NOW) for _ in range(2)]

        assert self.against(HttpVendor(answer), act, user_id="") == [Accepted("1900000000000000001")] * 2
        assert asked == ["/2/users/me", "/2/users/77/tweets", "/2/users/77/tweets"]

    @pytest.mark.parametrize("body", [{}, {"data": {"id": "me"}}, {"data": None}])
    def test_not_knowing_who_we_are_proves_nothing(self, body):
        assert isinstance(self.looking(HttpVendor(always(reply(200, body))), user_id=""), OutcomeUnknown)

    # --- settings and signature

    @pytest.mark.parametrize(
        "given", [{}, {"bearer_token": ""}, KEYS | {"bearer_token": "b"}, {k: KEYS[k] for k in list(KEYS)[:3]},
                  {"bearer_token": "b", "user_id": "me"}]
    )  # fmt: skip
    def test_there_is_exactly_one_way_in(self, given):
        with pytest.raises(ValueError, match="validation error"):
            self.cls.Settings(**given)

    def test_a_bearer_token_is_sent_as_it_is(self):
        async def run():
            async with self.accepting() as vendor, Wire() as wire:
                provider = self.cls(self.cls.Settings(base_url=vendor.url, bearer_token="0e12"), wire)
                await provider.send(post_rendition(), post_envelopes(1), expires_at=SOON)
                return vendor.requests[0].headers["authorization"]

        assert asyncio.run(run()) == "Bearer 0e12"

    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_the_signature_is_the_one_of_the_rfc(self, method):
        vendor = self.accepting() if method == "POST" else self.knowing(None)
        self.sending(vendor) if method == "POST" else self.looking(vendor)
        (request,) = vendor.requests
        given = oauth_fields(request.headers["authorization"])
        signature = given.pop("oauth_signature")
        url = urlsplit(vendor.url + request.target)
        pairs = sorted((quote(k, ""), quote(v, "")) for k, v in [*given.items(), *parse_qsl(url.query)])
        told = "&".join(f"{k}={v}" for k, v in pairs)
        text = "&".join(quote(part, "") for part in (method, url._replace(query="").geturl(), told))
        key = "&".join(quote(KEYS[name], "") for name in ("consumer_secret", "access_token_secret"))
        assert signature == base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha1).digest()).decode()
        assert given["oauth_timestamp"] == str(int(NOW.timestamp()))

    def test_no_nonce_is_used_twice(self):
        async def act(provider, far):
            for _ in range(5):
                await provider.send(post_rendition(), post_envelopes(1), expires_at=SOON)
            return {oauth_fields(r.headers["authorization"])["oauth_nonce"] for r in far.requests}

        assert len(self.against(self.accepting(), act)) == 5


def oauth_fields(header):
    return {name: unquote(value) for name, value in re.findall(r'(oauth_\w+)="([^"]*)"', header)}


class Recorder(requests.adapters.BaseAdapter):
    """Stands where the SDK would open a connection, and keeps what it would have sent."""

    def send(self, request, **_more):
        self.seen = request
        answer = requests.Response()
        answer.status_code, answer._content, answer.request = 201, b'{"data": {"id": "1", "text": "x"}}', request
        return answer

    def close(self):
        pass


@pytest.mark.parametrize("in_reply_to", [None, "1900000000000000001"])
def test_the_request_is_the_one_that_the_sdk_builds(in_reply_to, caplog):
    caplog.set_level(logging.WARNING)
    recorder = Recorder()
    client = tweepy.Client(**{k: v for k, v in KEYS.items() if "token" not in k}, access_token=KEYS["access_token"],
                           access_token_secret=KEYS["access_token_secret"])  # fmt: skip
    client.session.mount("https://api.twitter.com", recorder)
    client.create_tweet(text=FIRST, in_reply_to_tweet_id=in_reply_to, user_auth=True)
    vendor = TestContract().accepting()
    TestContract().sending(vendor, envelopes=[post_envelopes(1)[0]._replace(in_reply_to=in_reply_to)])
    (request,) = vendor.requests
    theirs = recorder.seen
    assert request.json() == json.loads(theirs.body)
    assert (request.method, request.target) == (theirs.method, theirs.path_url)
    assert request.headers["content-type"] == theirs.headers["Content-Type"]
    ours, sdk = (oauth_fields(str(h)) for h in (request.headers["authorization"], theirs.headers["Authorization"]))
    varying = ("oauth_nonce", "oauth_timestamp", "oauth_signature")
    assert {k: v for k, v in ours.items() if k not in varying} == {k: v for k, v in sdk.items() if k not in varying}
    assert set(ours) == set(sdk)


def test_a_lookup_reaches_back_for_clocks_that_differ():
    since = dt.datetime(2026, 11, 22, 1, 0, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    seen = []

    async def act(provider, far):
        await provider.lookup(post_rendition(), post_envelopes(1)[0], since=since)
        seen.append(dict(parse_qsl(urlsplit(far.requests[0].target).query))["start_time"])

    contract = TestContract()
    contract.against(contract.knowing_nothing(), act)
    assert seen == ["2026-11-21T23:59:30Z"]
