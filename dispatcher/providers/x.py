"""X: public posts and threads over API v2, and our own timeline for the reconcile.

Read 2026-11-22:
https://docs.x.com/x-api/posts/create-post
https://docs.x.com/x-api/posts/timelines/introduction
https://docs.x.com/x-api/fundamentals/rate-limits
https://docs.x.com/fundamentals/authentication/oauth-1-0a/creating-a-signature
and the vendor's OpenAPI description (version 2.159).

Oddities:
- No idempotency key, but the same text twice is refused with 403 "duplicate content". That is evidence that an earlier
  attempt went through, so it is reported as unknown and the timeline tells the id.
- No events. The timeline is the only proof; reading it is charged like posting, a post with a link most of all.
- The timeline shows links as https://t.co/..., escapes & < >, and may put the name replied to in front.
- Self-service accounts may be refused replies, even to themselves: the first post of a thread has to stand alone.
- Names of the edit history fields differ between versions of the API; only `id` is relied on.
- No Retry-After: `x-rate-limit-reset` is a unix second, and the daily limits have headers of their own.
"""

import html
import logging
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self
from urllib.parse import urlencode

import orjson
from pydantic import Field, model_validator

from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.provider import ProviderSettings, Secret, by_status, fill, reason
from dispatcher.wire import Answer, Wire, WireError

TIMELINE_SIZE = 100
TIMELINE_CAP = 512 * 1024
CLOCK_SLACK = timedelta(seconds=60)
"""How far our clock and the vendor's may differ when a post of the timeline is compared with our attempt."""

_WINDOWS = ("x-rate-limit", "x-user-limit-24hour", "x-app-limit-24hour")
_DAY = 86_400.0
_LINK = re.compile(r"((?:https?://|[A-Za-z0-9-]+\.)[A-Za-z0-9][!-~]*)")
"""What X may show as a shortened link: with a scheme, or a bare name with a dot in it (it may be no link after all)."""
_SHORTENED = r"https://t\.co/[A-Za-z0-9]+[!-/:-@\[-`{-~]*"


class XSettings(ProviderSettings):
    """One X account of ours: the four parts of an OAuth 1.0a user context, or a user's OAuth 2 bearer token."""

    base_url: str = "https://api.x.com"
    consumer_key: Secret | None = None
    consumer_secret: Secret | None = None
    access_token: Secret | None = None
    access_token_secret: Secret | None = None
    bearer_token: Secret | None = None
    user_id: str = Field(default="", pattern=r"^[0-9]{0,19}$")

    @property
    def oauth(self) -> tuple[Secret | None, ...]:
        """The user context, in the order in which it signs."""
        return (self.consumer_key, self.consumer_secret, self.access_token, self.access_token_secret)

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if any(self.oauth) and not all(self.oauth):
            raise ValueError("set all of consumer_key, consumer_secret, access_token and access_token_secret")
        if bool(self.bearer_token) == all(self.oauth):
            raise ValueError("set the four OAuth 1.0a keys of a user, or bearer_token")
        return self


def _signed(settings: XSettings, method: str, url: str, now: datetime) -> str:
    """The Authorization header. The body is JSON, which OAuth 1.0a leaves out of the signature."""
    if settings.bearer_token:
        return f"Bearer {settings.bearer_token.get_secret_value()}"
    from oauthlib import oauth1

    logging.getLogger("oauthlib").setLevel(logging.WARNING)  # it writes tokens and signatures at DEBUG
    key, secret, token, token_secret = (part.get_secret_value() for part in settings.oauth if part)
    client = oauth1.Client(
        key,
        client_secret=secret,
        resource_owner_key=token,
        resource_owner_secret=token_secret,
        timestamp=str(int(now.timestamp())),
    )
    _, headers, _ = client.sign(url, http_method=method)
    return str(headers["Authorization"])


class X:
    """Public posts through X, one in a request."""

    name: ClassVar[str] = "x"
    channel: ClassVar[Channel] = Channel.SOCIAL
    Settings: ClassVar[type[ProviderSettings]] = XSettings
    recipients_per_request: ClassVar[int] = 1

    def __init__(self, settings: XSettings, wire: Wire, clock: Clock = SystemClock()) -> None:
        self._settings = settings
        self._wire = wire
        self._clock = clock
        self._user_id = settings.user_id

    async def send(
        self, rendition: Rendition, envelopes: Sequence[Envelope], *, expires_at: datetime
    ) -> Sequence[Outcome]:
        """One post: the part that the envelope names, as a reply where it names one."""
        (envelope,) = envelopes
        post: dict[str, Any] = {"text": _text(rendition, envelope)}
        if envelope.in_reply_to:
            post["reply"] = {"in_reply_to_tweet_id": envelope.in_reply_to}
        try:
            answer = await self._call("POST", "/2/tweets", orjson.dumps(post))
        except WireError as error:
            return [error.outcome]
        return [self._outcome(answer, is_reply=bool(envelope.in_reply_to))]

    async def _call(self, method: str, path: str, body: bytes | None = None, cap: int = TIMELINE_CAP) -> Answer:
        url = self._settings.base_url + path
        headers = {"Authorization": _signed(self._settings, method, url, self._clock.now())}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._wire.request(
            method, url, headers=headers, body=body, timeout=self._settings.timeout, answer_cap=cap
        )

    def _outcome(self, answer: Answer, *, is_reply: bool) -> Outcome:
        told = answer.json()
        why = reason(told.get("title"), told.get("detail"))
        if answer.status in (200, 201):
            made = _dict(told.get("data")).get("id")
            return Accepted(made) if isinstance(made, str) and made else OutcomeUnknown("the answer names no post")
        if answer.status == 429:
            return Throttled(answer.wait(self._clock.now()) or self._reset(answer))
        if answer.status == 403:
            return _forbidden(why, is_reply=is_reply)
        if answer.status == 400:
            return Rejected(why or "HTTP 400")
        return by_status(answer.status, why)

    def _reset(self, answer: Answer) -> float | None:
        """Seconds until the last exhausted window opens; the short one where the headers do not say which it is."""
        resets = {name: _seconds(answer.headers.get(f"{name}-reset")) for name in _WINDOWS}
        spent = [name for name in _WINDOWS if answer.headers.get(f"{name}-remaining") == "0"]
        moments = [moment for name in spent or _WINDOWS[:1] if (moment := resets[name]) is not None]
        return min(max(max(moments) - self._clock.now().timestamp(), 0.0), _DAY) if moments else None

    async def lookup(self, rendition: Rendition, envelope: Envelope, *, since: datetime) -> Outcome | None:
        """Reads our own timeline since the attempt and compares text and the post replied to."""
        try:
            user = await self._user()
            if isinstance(user, OutcomeUnknown):
                return user
            answer = await self._call("GET", f"/2/users/{user}/tweets?{_timeline(since)}")
        except WireError as error:
            return OutcomeUnknown(str(error))
        told = answer.json()
        if answer.status != 200 or not isinstance(told.get("meta"), dict):
            return OutcomeUnknown(f"the timeline answered HTTP {answer.status}")
        expected = _shape_of(_text(rendition, envelope))
        for post in _posts(told):
            shown = _plain(html.unescape(str(post.get("text", ""))))
            if _replied_to(post) == envelope.in_reply_to and expected.fullmatch(shown):
                return Accepted(str(post.get("id")))
        return None

    async def _user(self) -> str | OutcomeUnknown:
        if not self._user_id:
            answer = await self._call("GET", "/2/users/me")
            found = _dict(answer.json().get("data")).get("id")
            if answer.status != 200 or not isinstance(found, str) or not found.isdigit():
                return OutcomeUnknown(f"the vendor does not say who we are (HTTP {answer.status})")
            self._user_id = found
        return self._user_id


def _text(rendition: Rendition, envelope: Envelope) -> str:
    return fill(rendition.posts[envelope.part - 1], rendition, envelope)


def _forbidden(why: str, *, is_reply: bool) -> Outcome:
    """403 is a duplicate, a reply that this account may not make, or an account that may not post at all."""
    words = why.lower()
    if "duplicate" in words:
        return OutcomeUnknown("duplicate")
    if is_reply and ("reply" in words or "conversation" in words):
        return Rejected(why)
    return Misconfigured(why or "HTTP 403")


def _timeline(since: datetime) -> str:
    start = (since - CLOCK_SLACK).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return urlencode(
        {
            "max_results": TIMELINE_SIZE,
            "exclude": "retweets",
            "start_time": start,
            "tweet.fields": "created_at,referenced_tweets",
        }
    )


def _posts(told: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    listed = told.get("data")
    yield from (post for post in (listed if isinstance(listed, list) else ()) if isinstance(post, dict))


def _replied_to(post: Mapping[str, Any]) -> str | None:
    references = post.get("referenced_tweets")
    for reference in references if isinstance(references, list) else ():
        if _dict(reference).get("type") == "replied_to":
            return str(_dict(reference).get("id"))
    return None


def _plain(text: str) -> str:
    """Text as both sides can be compared: characters composed, line ends and edges alike."""
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()


def _shape_of(text: str) -> re.Pattern[str]:
    """A pattern of the post as the timeline shows it: links may be shortened, the name replied to may come first."""
    pieces = _LINK.split(_plain(text))
    shapes = (f"(?:{re.escape(p)}|{_SHORTENED})" if at % 2 else re.escape(p) for at, p in enumerate(pieces))
    return re.compile(r"(?:@\w+ )*" + "".join(shapes))


def _dict(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() else None
