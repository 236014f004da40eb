"""The pretend X: POST /2/tweets, GET /2/users/me, GET /2/users/{id}/tweets.

References: the vendor's OpenAPI description 2.167 and its pages on limits and errors (August 2026). Oddities played:
a property it does not know is refused; a text posted before is refused with 403; 100 posts in 15 minutes, with the
limit's state in three headers and no Retry-After.
"""

import itertools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from aiohttp import web

from dispatcher.sandbox.config import Kind
from dispatcher.sandbox.desk import Desk
from dispatcher.sandbox.fate import Fate
from dispatcher.sandbox.message import Post
from dispatcher.sandbox.oauth1 import parse, signed_by
from dispatcher.sandbox.record import hash_address
from dispatcher.sandbox.recorder import Stamp
from dispatcher.sandbox.vendor import Answer, Shared, Taken, secret_of
from dispatcher.sandbox.x_text import valid

WINDOW = 900
_EPOCH_MS = 1_288_834_974_657
_HOSTS = ("https://api.twitter.com", "https://api.x.com")
_DUPLICATE = "You are not allowed to create a Tweet with duplicate content."
_FIELDS = frozenset(
    ("card_uri", "community_id", "direct_message_deep_link", "edit_options", "for_super_followers_only", "geo",
     "made_with_ai", "media", "nullcast", "paid_partnership", "poll", "quote_tweet_id", "reply", "reply_settings",
     "share_with_followers", "text")
)  # fmt: skip
_REPLY_FIELDS = frozenset(("in_reply_to_tweet_id", "exclude_reply_user_ids", "auto_populate_reply_metadata"))
_TITLES = {400: "Invalid Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found Error",
           413: "Payload Too Large", 429: "Too Many Requests", 503: "Service Unavailable"}  # fmt: skip


class X:
    """All X accounts of one sandbox."""

    kind = Kind.X
    max_body = 1_000_000

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._desks = shared.desks_of(self.kind)
        self._numbers = itertools.count()
        self._spent: dict[str, tuple[float, int]] = {}
        self.posts: dict[str, list[Post]] = {desk.name: [] for desk in self._desks}

    def desk_of(self, request: web.Request) -> Desk | None:
        """By bearer token, or by the signature of an OAuth 1.0a user context."""
        header = request.headers.get("Authorization", "")
        scheme, _, token = header.partition(" ")
        if scheme.lower() == "bearer" and token:
            return next((d for d in self._desks if secret_of(d.account) in ("", token)), None)
        if given := parse(header):
            return next((d for d in self._desks if self._signed(d, request, given)), None)
        return None

    def _signed(self, desk: Desk, request: web.Request, given: Mapping[str, str]) -> bool:
        oauth = desk.account.oauth
        if oauth is None:
            return not secret_of(desk.account)
        urls = [str(request.url.with_query(None)), *(host + request.path for host in _HOSTS)]
        now = self._shared.clock.now().timestamp()
        return signed_by(oauth, request.method, urls, list(request.query.items()), given, now)

    def refusal(self, status: int, desk: Desk | None) -> Answer:
        """An error that has nothing to do with the post."""
        answer = _problem(status, _TITLES.get(status, "Internal Server Error"))
        if status == 429 and desk is not None:
            reset = self._shared.clock.now().timestamp() + desk.faults.retry_after
            answer.headers |= {"x-rate-limit-limit": str(desk.account.posts_per_window), "x-rate-limit-remaining": "0",
                               "x-rate-limit-reset": str(int(reset) + 1)}  # fmt: skip
        return answer

    def take(self, request: web.Request, body: bytes, desk: Desk, began: Stamp) -> Taken:
        """One post, or its refusal."""
        ends, left = self._window(desk)
        headers = {"x-rate-limit-limit": str(desk.account.posts_per_window), "x-rate-limit-reset": str(int(ends) + 1),
                   "x-rate-limit-remaining": str(max(left - 1, 0))}  # fmt: skip
        if left < 1:
            return Taken(_problem(429, "Too Many Requests", headers))
        self._spent[desk.name] = ends, desk.account.posts_per_window - left + 1
        post, refused = self._judge(request, body, desk, began)
        if post is None:
            refused.headers |= headers
            return Taken(refused)
        shown = {"id": post.id, "text": post.text, "edit_history_tweet_ids": [post.id]}
        answer = Answer(201, orjson.dumps({"data": shown}), headers)
        return Taken(answer, messages=[post], settle=lambda: self._settle(desk, post))

    def _judge(self, request: web.Request, body: bytes, desk: Desk, began: Stamp) -> tuple[Post | None, Answer]:
        if request.content_type != "application/json":
            return None, _invalid("Requests with bodies must have content-type of application/json.")
        try:
            asked = orjson.loads(body)
        except orjson.JSONDecodeError:
            return None, _invalid("The body is not JSON.")
        if (fault := _shape(asked)) is not None:
            return None, _invalid(fault)
        text, reply_to = asked["text"], asked.get("reply", {}).get("in_reply_to_tweet_id", "")
        posts = self.posts[desk.name]
        if any(post.text == text for post in posts):
            return None, _problem(403, _DUPLICATE)
        if reply_to and all(post.id != reply_to for post in itertools.chain(*self.posts.values())):
            return None, _problem(403, "You attempted to reply to a Tweet that is deleted or not visible to you.")
        return self._post(text, reply_to, desk, began), Answer(201)

    def _post(self, text: str, reply_to: str, desk: Desk, began: Stamp) -> Post:
        number = (int(began.wall * 1000) - _EPOCH_MS) << 22 | next(self._numbers) & 0x3FFFFF
        return Post(
            vendor="x", account=desk.name, key=None, address=desk.account.user, to=hash_address(desk.account.user),
            id=str(number), fate=Fate.DELIVERED, accepted_at=began.wall, text=text, reply_to=reply_to,
            accepted=self._shared.clock.monotonic(),
        )  # fmt: skip

    def _settle(self, desk: Desk, post: Post) -> None:
        self.posts[desk.name].append(post)
        self._shared.keep(post, lambda: {"text": post.text, "in_reply_to_tweet_id": post.reply_to or None})

    def _window(self, desk: Desk) -> tuple[float, int]:
        """When the present window ends (since 1970), and how many posts are left in it."""
        now = self._shared.clock.now().timestamp()
        ends, spent = self._spent.get(desk.name, (0.0, 0))
        if now >= ends:
            ends, spent = now + WINDOW, 0
        return ends, desk.account.posts_per_window - spent

    def forget(self) -> None:
        """As if nobody had ever posted."""
        self._spent.clear()
        for posts in self.posts.values():
            posts.clear()

    def me(self, desk: Desk) -> Answer:
        """Who the credentials belong to."""
        user = {"id": desk.account.user, "name": desk.name, "username": desk.name}
        return Answer(200, orjson.dumps({"data": user}))

    def timeline(self, desk: Desk, user: str, query: Mapping[str, str]) -> Answer:
        """The latest posts of one account, newest first."""
        size = query.get("max_results", "10")
        if not size.isdecimal() or not 5 <= int(size) <= 100:
            return _invalid("max_results must be between 5 and 100.")
        owner = next((d for d in self._desks if d.account.user == user), None)
        if owner is None:
            return _problem(404, f"Could not find user with id: [{user}].")
        visible = self._shared.clock.monotonic() - desk.faults.list_lag
        since = int(query.get("since_id", "0")) if query.get("since_id", "0").isdecimal() else 0
        found = [post for post in reversed(self.posts[owner.name])
                 if post.accepted <= visible and int(post.id) > since and _after(post, query)]  # fmt: skip
        fields = query.get("tweet.fields", "").split(",")
        shown = [_view(post, fields) for post in found[: int(size)]]
        meta: dict[str, Any] = {"result_count": len(shown)}
        if not shown:
            return Answer(200, orjson.dumps({"meta": meta}))
        meta |= {"newest_id": shown[0]["id"], "oldest_id": shown[-1]["id"]}
        return Answer(200, orjson.dumps({"data": shown, "meta": meta}))


def _shape(asked: Any) -> str | None:
    """What is wrong with the form of a request to post, in words; None if nothing is."""
    if not isinstance(asked, dict):
        return "The body must be an object."
    if strangers := asked.keys() - _FIELDS:
        return f"$.{min(strangers)}: is not defined in the schema and the schema does not allow additional properties"
    reply = asked.get("reply", {})
    if not isinstance(reply, dict) or reply.keys() - _REPLY_FIELDS:
        return "$.reply: does not fit the schema"
    target = reply.get("in_reply_to_tweet_id", "0")
    if not isinstance(target, str) or not target.isdecimal() or len(target) > 19:
        return "$.reply.in_reply_to_tweet_id: must be 1 to 19 digits"
    text = asked.get("text", "")
    if not isinstance(text, str) or not valid(text):
        return "$.text: is empty, too long, or holds a character that is not allowed"
    return None


def _after(post: Post, query: Mapping[str, str]) -> bool:
    if "start_time" not in query:
        return True
    try:
        return post.accepted_at >= datetime.fromisoformat(query["start_time"]).timestamp()
    except ValueError:
        return True


def _view(post: Post, fields: list[str]) -> dict[str, Any]:
    created = datetime.fromtimestamp(post.accepted_at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    shown: dict[str, Any] = {"id": post.id, "text": post.text, "created_at": created}
    shown["edit_history_tweet_ids"] = [post.id]
    if post.reply_to and "referenced_tweets" in fields:
        shown["referenced_tweets"] = [{"type": "replied_to", "id": post.reply_to}]
    return shown


def _invalid(message: str) -> Answer:
    body = {
        "errors": [{"parameters": {}, "message": message}], "title": "Invalid Request",
        "detail": "One or more parameters to your request was invalid.",
        "type": "https://api.x.com/2/problems/invalid-request",
    }  # fmt: skip
    return Answer(400, orjson.dumps(body))


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Answer:
    title = _TITLES.get(status, "Internal Server Error")
    body = {"title": title, "detail": detail, "type": "about:blank", "status": status}
    return Answer(status, orjson.dumps(body), headers or {}, content_type="application/problem+json")
