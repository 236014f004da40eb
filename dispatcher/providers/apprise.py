"""Chat rooms (Slack, Teams, Discord, Mattermost, Google Chat, Webex, ntfy) in the form that Apprise gives a post.

Read 2026-11-22:
https://github.com/caronc/apprise/wiki
https://github.com/caronc/apprise/wiki/Notify_slack (one page for each service)
and the source of Apprise 2.2 (`apprise/plugins/`).

Apprise shapes the request, our own pool carries it: the plugin is run against a recorder in the place of its HTTP
library, and what it would have posted goes to `base_url`, and nowhere else. Then the plugin reads the room's answer.

Oddities:
- `notify()` answers True or False for everything; an outcome is taken from the room's own answer instead.
- Plugins sleep between posts and write tokens to the log at DEBUG: neither happens here.
- Only services that take a message in one post are allowed; one address is one room, so that no half is told.
- Apprise adds its name, a picture and the time unless told not to; what was approved is what is sent.
- Nothing of ours can be echoed by a room, and most name no message: there are no events and there is no lookup.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

from pydantic import field_validator

from dispatcher.channels import chat
from dispatcher.model.clock import Clock, SystemClock
from dispatcher.model.kinds import Channel
from dispatcher.model.outcome import Accepted, Misconfigured, Outcome, OutcomeUnknown, Rejected, Throttled
from dispatcher.model.rendition import Envelope, Rendition
from dispatcher.provider import ProviderSettings, Secret, by_status, fill
from dispatcher.wire import Answer, Wire, WireError

if TYPE_CHECKING:
    import requests

SERVICES = frozenset(
    {"slack", "workflow", "workflows", "discord", "mmost", "mmosts", "gchat", "wxteams", "webex", "ntfy", "ntfys",
     "json", "jsons", "guilded", "ryver"}
)  # fmt: skip
"""Services that take one message in one post. Others of Apprise mail, call programs, or ask several times."""
_PLAIN = "image=no&footer=no&timestamp=no&avatar=no&overflow=upstream&format=text"


class AppriseSettings(ProviderSettings):
    """One room of ours. `url` is Apprise's address of it, with its token; `base_url` the host that alone is called."""

    url: Secret

    @field_validator("url")
    @classmethod
    def _one_room(cls, url: Secret) -> Secret:
        service = urlsplit(url.get_secret_value()).scheme.lower()
        if service not in SERVICES:
            raise ValueError(f"must begin with one of {', '.join(f'{name}://' for name in sorted(SERVICES))}")
        return url


@dataclass(slots=True)
class _Play:
    """One run of a plugin: what it asked for, and the answer it is given."""

    answer: Answer
    asked: "list[requests.PreparedRequest]" = field(default_factory=list)


_play: ContextVar[_Play] = ContextVar("apprise_play")
_BLANK = Answer(200, {}, b"ok")


class Apprise:
    """One message to one room of ours."""

    name: ClassVar[str] = "apprise"
    channel: ClassVar[Channel] = Channel.CHAT
    Settings: ClassVar[type[ProviderSettings]] = AppriseSettings
    recipients_per_request: ClassVar[int] = 1

    def __init__(self, settings: AppriseSettings, wire: Wire, clock: Clock = SystemClock()) -> None:
        self._settings = settings
        self._wire = wire
        self._clock = clock
        self._plugin: Any = None

    async def send(
        self, rendition: Rendition, envelopes: Sequence[Envelope], *, expires_at: datetime
    ) -> Sequence[Outcome]:
        """One post. A message that a room would cut is refused."""
        (envelope,) = envelopes
        text = fill(rendition.parts["text"], rendition, envelope)
        if not chat.measure(text).fits:
            return [Rejected("too long for a room")]
        try:
            asked = self._shape(text, _BLANK).asked
        except ImportError:
            return [Misconfigured("Apprise is not installed: pip install 'crisis-dispatcher[chat]'")]
        except (TypeError, ValueError) as error:
            return [Misconfigured(f"the room cannot be used ({type(error).__name__})")]
        if len(asked) != 1:
            return [Misconfigured("the address must name one room that takes one post")]
        try:
            answer = await self._carry(asked[0])
        except WireError as error:
            return [error.outcome]
        return [self._outcome(text, answer, envelope)]

    def _shape(self, text: str, answer: Answer) -> _Play:
        """Run the plugin with this answer; nothing leaves."""
        plugin = self._ready()
        play = _Play(answer)
        kept = _play.set(play)
        try:
            taken = plugin.send(body=text, title="")
        finally:
            _play.reset(kept)
        return play if taken or answer is _BLANK else _Play(answer)

    def _ready(self) -> Any:
        if self._plugin is None:
            import apprise

            logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its lines hold tokens and texts
            url = self._settings.url.get_secret_value()
            made = apprise.Apprise.instantiate(f"{url}{'&' if '?' in url else '?'}{_PLAIN}", suppress_exceptions=False)
            if made is None:
                raise ValueError("Apprise knows no such room")
            made.request_rate_per_sec = 0
            _record(sys.modules[type(made).__module__])
            self._plugin = made
        return self._plugin

    async def _carry(self, asked: "requests.PreparedRequest") -> Answer:
        """The plugin's own bytes, to the one host that may be called."""
        parts = urlsplit(asked.url or "")
        url = f"{self._settings.base_url}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        body = asked.body.encode() if isinstance(asked.body, str) else asked.body
        headers = {
            name: value for name, value in asked.headers.items() if name.lower() not in ("host", "content-length")
        }
        return await self._wire.request(
            asked.method or "POST", url, headers=headers, body=body, timeout=self._settings.timeout
        )

    def _outcome(self, text: str, answer: Answer, envelope: Envelope) -> Outcome:
        if answer.status == 429:
            return Throttled(answer.wait(self._clock.now()))
        if not 200 <= answer.status < 300:
            return by_status(answer.status, f"HTTP {answer.status}")
        if not self._shape(text, answer).asked:
            return OutcomeUnknown("the room answered something else than a yes")
        return Accepted(envelope.key)


def _record(module: ModuleType) -> None:
    """Put a recorder in the place of a plugin's HTTP library, once; who runs it decides by context what it hears."""
    import requests

    if isinstance(vars(module).get("requests"), ModuleType):
        verbs: dict[str, Callable[..., Any]] = {
            verb: lambda url, _verb=verb, **more: _heard(_verb, url, **more) for verb in ("get", "post", "put")
        }
        own = {name: getattr(requests, name) for name in ("codes", "RequestException", "exceptions", "auth")}
        vars(module)["requests"] = SimpleNamespace(**own, **verbs, request=_heard)


def _heard(method: str, url: str, **asked: Any) -> "requests.Response":
    import requests

    play = _play.get()
    known = ("headers", "data", "json", "params", "auth", "cookies", "files")
    request = requests.Request(method.upper(), url, **{name: asked[name] for name in known if asked.get(name)})
    play.asked.append(request.prepare())
    answer = requests.Response()
    answer.status_code = play.answer.status
    answer.headers.update(play.answer.headers)
    answer._content = play.answer.body
    return answer
