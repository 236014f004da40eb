"""The pretend X, driven by tweepy, whose host is fixed and so is led here by an adapter."""

import time

import pytest
import requests
import tweepy
from pydantic import SecretStr
from requests.adapters import HTTPAdapter

from dispatcher.sandbox.config import Account, Faults, Kind, OAuth
from tests.sandbox.conftest import accounts

USER = "1000000001"
OAUTH = OAuth(
    consumer_key="consumer", consumer_secret=SecretStr("consumer&secret"), token="token", token_secret=SecretStr("s/t")
)


class HereAdapter(HTTPAdapter):
    """Leads what is meant for the vendor's host to the sandbox, signature and all."""

    def __init__(self, base_url):
        super().__init__()
        self._base_url = base_url

    def send(self, request, **named):
        request.url = request.url.replace("https://api.twitter.com", self._base_url)
        return super().send(request, **{**named, "timeout": 5})


def client(caller, **credentials):
    found = tweepy.Client(**(credentials or {"bearer_token": "anything"}))
    found.session.mount("https://api.twitter.com", HereAdapter(caller.sandbox.base_url))
    return found


def signed(caller, **changes):
    keys = {
        "consumer_key": "consumer", "consumer_secret": "consumer&secret", "access_token": "token",
        "access_token_secret": "s/t",
    }  # fmt: skip
    return client(caller, **(keys | changes))


@pytest.fixture
def strict(stage):
    """An account that checks OAuth 1.0a signatures."""
    return stage(accounts=accounts(x={"oauth": OAUTH, "secret": SecretStr("bearer-1")}))


def test_tweepy_posts_and_replies(plain):
    found = client(plain)
    first = found.create_tweet(text="Card payments are down.", user_auth=False)
    assert first.data["text"] == "Card payments are down."
    second = found.create_tweet(text="They are back.", in_reply_to_tweet_id=first.data["id"], user_auth=False)
    assert int(second.data["id"]) > int(first.data["id"])
    lines = plain.lines()
    assert [(line.text, line.key, line.message) for line in lines] == [
        ("Card payments are down.", None, first.data["id"]), ("They are back.", None, second.data["id"]),
    ]  # fmt: skip
    assert plain.sandbox.messages()[1]["in_reply_to_tweet_id"] == first.data["id"]


def test_tweepy_signs_and_the_signature_is_checked(strict):
    assert signed(strict).create_tweet(text="Hello").data["id"]
    assert signed(strict).get_me().data.id == int(USER)
    timeline = signed(strict).get_users_tweets(USER, max_results=5, tweet_fields=["created_at"], user_auth=True)
    assert [post.text for post in timeline.data] == ["Hello"]
    assert timeline.data[0].created_at is not None
    for wrong in ({"access_token_secret": "x"}, {"consumer_secret": "x"}, {"consumer_key": "x"}, {"access_token": "x"}):
        with pytest.raises(tweepy.Unauthorized):
            signed(strict, **wrong).create_tweet(text="Hello again")
    with pytest.raises(tweepy.Unauthorized):
        client(strict, bearer_token="wrong").create_tweet(text="Hello again", user_auth=False)
    assert client(strict, bearer_token="bearer-1").create_tweet(text="Hello again", user_auth=False).data["id"]


def test_a_signature_for_another_request_or_another_time_is_refused(strict, monkeypatch):
    url = strict.sandbox.base_url + "/2/users/me"
    auth = tweepy.OAuth1UserHandler("consumer", "consumer&secret", "token", "s/t").apply_auth()
    assert requests.get(url, auth=auth, timeout=5).status_code == 200
    header = requests.Request("GET", url, auth=auth).prepare().headers["Authorization"]
    other = strict.call("GET", f"/2/users/{USER}/tweets", headers={"Authorization": header})
    assert other.status == 401
    now = time.time()
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_timestamp", lambda: str(int(now) - 301))
    assert requests.get(url, auth=auth, timeout=5).status_code == 401


def test_without_credentials_nothing_happens(plain):
    assert plain.call("POST", "/2/tweets", '{"text":"x"}', {"Content-Type": "application/json"}).status == 401
    assert plain.post({"text": "x"}, Authorization="Basic eA==").status == 401
    assert plain.post({"text": "x"}, Authorization="Bearer ").status == 401
    assert plain.call("GET", "/2/users/me").status == 401


def test_the_same_text_twice_is_a_duplicate(plain):
    found = client(plain)
    found.create_tweet(text="Hello", user_auth=False)
    with pytest.raises(tweepy.Forbidden, match="duplicate content"):
        found.create_tweet(text="Hello", user_auth=False)
    assert plain.tally().messages == 1


def test_a_reply_needs_a_post(plain):
    with pytest.raises(tweepy.Forbidden, match="not visible"):
        client(plain).create_tweet(text="Hello", in_reply_to_tweet_id="123", user_auth=False)


@pytest.mark.parametrize(
    "body",
    [
        {"text": "x", "colour": "red"},
        {"text": "x", "reply": {"to": "1"}},
        {"text": "x", "reply": {"in_reply_to_tweet_id": 1}},
        {"text": "x", "reply": {"in_reply_to_tweet_id": "one"}},
        {"text": "x", "reply": []},
        {"text": ""},
        {"text": 7},
        {},
        [],
        {"text": "a" * 281},
        {"text": "日" * 141},
    ],
)
def test_what_does_not_fit_the_schema_is_invalid(plain, body):
    answer = plain.post(body)
    assert answer.status == 400
    assert answer.json["title"] == "Invalid Request"
    assert answer.json["errors"][0]["message"]
    assert plain.tally().messages == 0


def test_tweepy_reads_the_vendors_words(plain):
    with pytest.raises(tweepy.BadRequest, match="too long"):
        client(plain).create_tweet(text="a" * 281, user_auth=False)


def test_what_is_not_json(plain):
    assert plain.post({"text": "x"}, **{"Content-Type": "text/plain"}).status == 400
    broken = plain.call("POST", "/2/tweets", "{", {"Authorization": "Bearer x", "Content-Type": "application/json"})
    assert broken.status == 400


def test_the_window_closes_and_says_when_it_opens(stage):
    caller = stage(accounts=accounts(x={"posts_per_window": 2}))
    first, second, third = (caller.post({"text": f"post {n}"}) for n in range(3))
    assert [r.headers["x-rate-limit-remaining"] for r in (first, second, third)] == ["1", "0", "0"]
    assert (first.status, second.status, third.status) == (201, 201, 429)
    assert 880 < int(third.headers["x-rate-limit-reset"]) - time.time() < 902
    assert "Retry-After" not in third.headers
    with pytest.raises(tweepy.TooManyRequests) as refused:
        client(caller).create_tweet(text="post 4", user_auth=False)
    assert refused.value.reset_time


def test_the_timeline_is_newest_first_and_can_be_cut(plain):
    ids = [plain.post({"text": f"post {n}"}).json["data"]["id"] for n in range(7)]

    def listed(query):
        return plain.call("GET", f"/2/users/{USER}/tweets?{query}", headers={"Authorization": "Bearer x"}).json

    assert [post["id"] for post in listed("max_results=5")["data"]] == ids[:1:-1]
    assert [post["id"] for post in listed(f"since_id={ids[4]}")["data"]] == ids[:4:-1]
    assert listed(f"since_id={ids[-1]}") == {"meta": {"result_count": 0}}
    assert listed("start_time=2100-01-01T00:00:00Z")["meta"]["result_count"] == 0
    assert len(listed("start_time=2020-01-01T00:00:00Z")["data"]) == 7
    assert listed("max_results=4")["title"] == "Invalid Request"
    assert plain.call("GET", "/2/users/77/tweets", headers={"Authorization": "Bearer x"}).status == 404


def test_a_timeline_can_lag(stage):
    caller = stage(faults={"x": Faults(list_lag=60)})
    caller.post({"text": "Hello"})
    assert client(caller).get_users_tweets(USER).data is None


def test_each_account_has_its_own_posts(stage):
    caller = stage(
        accounts=(
            Account(name="shop", kind=Kind.X, user="1", secret=SecretStr("one")),
            Account(name="help", kind=Kind.X, user="2", secret=SecretStr("two")),
        )
    )
    assert caller.post({"text": "Hello"}, bearer="one").status == 201
    assert caller.post({"text": "Hello"}, bearer="two").status == 201
    assert [line.account for line in caller.lines()] == ["shop", "help"]
    assert client(caller, bearer_token="two").get_users_tweets("1").data[0].text == "Hello"
